//! Text as Python's `str`, `posixpath` and `urllib.parse` see it, where Django's rules rest on them.
//! Works on bytes: what is no UTF-8 stands for the surrogates that Python reads it as.

mod netloc;
pub(crate) mod path;
pub(crate) mod quote;
pub(crate) mod url;

/// Python's `str.strip()`.
pub(crate) fn strip(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(length) = space_at_start(rest) {
        rest = &rest[length..];
    }
    while let Some(length) = space_at_end(rest) {
        rest = &rest[..rest.len() - length];
    }
    rest
}

/// Python's `str.isspace()`: Unicode's white space and four separators of ASCII.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// Python's `str.partition()`: what is before the first `mark`, and what is after it.
pub(crate) fn partition(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(mark, text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// The characters of `text` by their numbers. A byte that belongs to none is the surrogate that
/// Python's `surrogateescape` makes of it.
pub(crate) fn code_points(text: &[u8]) -> Vec<u32> {
    let mut points = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        points.extend(chunk.valid().chars().map(u32::from));
        points.extend(
            chunk
                .invalid()
                .iter()
                .map(|&byte| SURROGATE_BASE + u32::from(byte)),
        );
    }
    points
}

/// The length of the white space character that `text` begins with.
fn space_at_start(text: &[u8]) -> Option<usize> {
    let longest = &text[..text.len().min(CHARACTER_BYTES_MAX)];
    let first = longest.utf8_chunks().next()?.valid().chars().next()?;
    is_space(first).then(|| first.len_utf8())
}

/// The length of the white space character that `text` ends with.
fn space_at_end(text: &[u8]) -> Option<usize> {
    let longest = text.len().min(CHARACTER_BYTES_MAX);
    let character = (1..=longest).find_map(|length| {
        let tail = str::from_utf8(&text[text.len() - length..]).ok()?;
        tail.chars().next()
    })?;
    is_space(character).then(|| character.len_utf8())
}

/// What `surrogateescape` adds to a byte.
const SURROGATE_BASE: u32 = 0xDC00;

/// The longest character of UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_python_calls_space() {
        check(b" a ", b"a");
        check(b"", b"");
        check(b" \t\x1c\x1f ", b"");
        check("\u{3000}a b\u{85}\u{a0}".as_bytes(), b"a b");
        check("é".as_bytes(), "é".as_bytes());
        check(b"\x85a\xa0", b"\x85a\xa0");
        check(b"\xff \xfe", b"\xff \xfe");
    }

    fn check(text: &[u8], expected: &[u8]) {
        assert_eq!(strip(text), expected, "{}", text.escape_ascii());
    }

    #[test]
    fn reads_other_bytes_as_surrogates() {
        assert_eq!(code_points("aé".as_bytes()), [0x61, 0xE9]);
        assert_eq!(code_points(b"a\xE2\x82b"), [0x61, 0xDCE2, 0xDC82, 0x62]);
    }
}
