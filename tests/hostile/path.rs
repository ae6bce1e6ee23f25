//! Paths: decoded once and resolved once, as a slow model does it; and nothing that a redirect
//! is made of can end its line or lead elsewhere.

use whitering::internal::http::path::{encode_query, encode_segment, resolve};

use super::mutation::hostile;
use super::random::{assert_reached, run};

#[test]
fn resolves_as_the_slow_model_does() {
    let outcome = run(CASE_COUNT, |random| {
        let raw = hostile(random, CORPUS);
        let shown = raw.escape_ascii();
        // What the scratch holds from the last request must not show.
        let mut scratch = b"/../left/over".to_vec();
        let resolved = resolve(&raw, &mut scratch).ok().map(<[u8]>::to_vec);
        assert_eq!(resolved, model(&raw), "{shown}");
        let Some(resolved) = resolved else {
            return false;
        };
        assert!(
            resolved.starts_with(b"/") && !resolved.contains(&0),
            "{shown}"
        );
        for segment in resolved.split(|byte| *byte == b'/') {
            assert!(segment != b"." && segment != b"..", "{shown}");
        }
        true
    });
    assert_reached(outcome, 3);
}

/// Every byte escaped means the same as none, but for what an escape alone can say.
#[test]
fn an_escaped_path_means_the_same() {
    let outcome = run(CASE_COUNT / 4, |random| {
        let raw = hostile(random, CORPUS);
        let Some(inner) = raw.strip_prefix(b"/") else {
            return false;
        };
        let escape = |text: &[u8]| -> Vec<u8> {
            let escaped: String = text.iter().map(|byte| format!("%{byte:02x}")).collect();
            [b"/", escaped.as_bytes()].concat()
        };
        let once = escape(inner);
        let mut scratch = Vec::new();
        let plain = inner.iter().all(|byte| *byte != b'%' && *byte != 0);
        if plain {
            let (mut other, mut third) = (Vec::new(), Vec::new());
            let direct = resolve(&raw, &mut other);
            assert_eq!(resolve(&once, &mut third), direct, "{}", raw.escape_ascii());
        }
        // Escaped twice it is the text of the escapes, whatever they would say.
        let twice = escape(&once[1..]);
        assert_eq!(resolve(&twice, &mut scratch), Ok(&once[..]));
        plain
    });
    assert_reached(outcome, 8);
}

#[test]
fn what_a_redirect_is_made_of_stays_in_its_line() {
    run(CASE_COUNT / 4, |random| {
        let text = hostile(random, CORPUS);
        let segment = encode_segment(&text);
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&()*+,;=%".contains(&byte);
        assert!(segment.bytes().all(is_safe), "{segment}");
        assert_eq!(decode(segment.as_bytes()).as_ref(), Some(&text));

        let mut query = b"./?".to_vec();
        encode_query(&text, &mut query);
        let allowed = |byte: &u8| byte.is_ascii_graphic() && !b"\"#<>[\\]^`{|}".contains(byte);
        assert!(query.iter().all(allowed), "{}", query.escape_ascii());
        true
    });
}

/// Split at slashes, a stack of segments; a dot segment at the end leaves its slash.
fn model(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.first() != Some(&b'/') {
        return None;
    }
    let decoded = decode(raw).filter(|decoded| !decoded.contains(&0))?;
    let mut segments: Vec<&[u8]> = decoded.split(|byte| *byte == b'/').skip(1).collect();
    let names_directory = matches!(segments.last(), Some(&(b"." | b"..")));
    segments.push(if names_directory { b"" } else { b"." });
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in segments {
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    Some([&b"/"[..], &kept.join(&b'/')].concat())
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = text.split(|byte| *byte == b'%');
    let mut decoded = parts.next()?.to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if digits.starts_with('+') {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest);
    }
    Some(decoded)
}

const CASE_COUNT: u64 = 120_000;

const CORPUS: &[&[u8]] = &[
    b"/",
    b"/index.html",
    b"/a/b/c.css",
    b"/a/../b/./c/..",
    b"/../../../../etc/passwd",
    b"/..%2f..%2F%2e%2e/etc/passwd",
    b"/%2e%2e%5cwindows\\..\\..",
    b"/a//b///..//../c",
    b"/.well-known/security.txt",
    b"/a%20b/%C3%A9/\xc3\xa9.txt",
    b"/%252e%252e/%25",
    b"/...//..a/.b./c..",
    b"/a%00.html",
    b"//evil.example/%2f%2fevil",
    b"/;a=b/.;/..;/",
];
