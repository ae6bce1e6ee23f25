//! Python's percent encoding.

use std::borrow::Cow;

/// `unquote`: only runs of ASCII are decoded, and what is no UTF-8 then is replaced.
pub(crate) fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    for run in text.chunk_by(|one, next| one.is_ascii() == next.is_ascii()) {
        if run[0].is_ascii() && run.contains(&b'%') {
            let decoded: Vec<u8> = percent_encoding::percent_decode(run).collect();
            plain.extend_from_slice(String::from_utf8_lossy(&decoded).as_bytes());
        } else {
            plain.extend_from_slice(run);
        }
    }
    Cow::Owned(plain)
}

/// Django's `filepath_to_uri`; `None` where Python cannot encode the name.
pub(crate) fn quote_path(path: &[u8]) -> Option<String> {
    const ENCODED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'_')
        .remove(b'.')
        .remove(b'-')
        .remove(b'~')
        .remove(b'/')
        .remove(b'!')
        .remove(b'*')
        .remove(b'(')
        .remove(b')')
        .remove(b'\'');
    let path = str::from_utf8(path).ok()?.replace('\\', "/");
    Some(percent_encoding::utf8_percent_encode(&path, ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_runs_of_ascii() {
        check(b"plain", b"plain");
        check(b"a%20b%2Fc%2fd", b"a b/c/d");
        check(b"%C3%A9", "é".as_bytes());
        check(b"%", b"%");
        check(b"%4%zz%%41", b"%4%zz%A");
        check(b"%2520", b"%20");
        // Each byte that is no UTF-8 becomes a replacement character; a character cut off, one.
        check(b"%ff%ed%a0%80", "\u{fffd}".repeat(4).as_bytes());
        check(b"%f0%9f%98x", "\u{fffd}x".as_bytes());
        // No character is decoded across one that is written out.
        check("%c3é%a9".as_bytes(), "\u{fffd}é\u{fffd}".as_bytes());
        check(b"\xff%41", b"\xffA");
    }

    fn check(text: &[u8], expected: &[u8]) {
        assert_eq!(unquote(text), expected, "{}", text.escape_ascii());
    }

    #[test]
    fn quotes_as_django_does() {
        let quoted = quote_path("a b/é~!*()'\\&;=+,@:$?#[]%".as_bytes());
        let expected = "a%20b/%C3%A9~!*()'/%26%3B%3D%2B%2C%40%3A%24%3F%23%5B%5D%25";
        assert_eq!(quoted.as_deref(), Some(expected));
        assert_eq!(quote_path(b"\xff"), None);
    }
}
