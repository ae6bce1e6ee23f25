//! Request paths: decoded and resolved once, before anything else sees them; and the way back,
//! names and queries as parts of a `Location`. Knows no files.

use memchr::{memchr, memchr2, memrchr};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};
use thiserror::Error;

/// Why a path has no meaning; each is the peer's fault and answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// It does not start with a slash.
    #[error("the path does not start with a slash")]
    NotAbsolute,
    /// A percent sign that is not followed by two hexadecimal digits (RFC 3986 §2.1).
    #[error("the path has a bad percent escape")]
    BadEscape,
    /// A NUL, raw or escaped.
    #[error("the path has a NUL")]
    Nul,
}

/// Resolves the path of an origin-form target (`raw`: from its slash up to the `?`).
///
/// Percent-decodes exactly once, then removes dot segments, above the root to the root
/// (RFC 3986 §5.2.4): an escaped dot or slash (`%2e`, `%2F`) counts as what it stands for.
/// Empty segments (`//`) stay. Returns `raw` itself if there is nothing to do, else a part of
/// `scratch`, whose former content is lost.
pub fn resolve<'a>(raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], PathError> {
    if raw.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    // Names have dots; hardly any begins with one.
    let may_have_dot_segment = raw.windows(2).any(|pair| pair == b"/.");
    if !may_have_dot_segment && memchr2(b'%', 0, raw).is_none() {
        return Ok(raw);
    }
    decode(raw, scratch)?;
    remove_dot_segments(scratch);
    Ok(scratch)
}

/// Percent-decodes `raw` into `decoded`.
fn decode(raw: &[u8], decoded: &mut Vec<u8>) -> Result<(), PathError> {
    decoded.clear();
    let mut rest = raw;
    while let Some(index) = memchr(b'%', rest) {
        decoded.extend_from_slice(&rest[..index]);
        let &[high, low, ref after @ ..] = &rest[index + 1..] else {
            return Err(PathError::BadEscape);
        };
        decoded.push(hexadecimal(high)? << 4 | hexadecimal(low)?);
        rest = after;
    }
    decoded.extend_from_slice(rest);
    match memchr(0, decoded) {
        Some(_) => Err(PathError::Nul),
        None => Ok(()),
    }
}

/// The value of one hexadecimal digit.
const fn hexadecimal(digit: u8) -> Result<u8, PathError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(PathError::BadEscape),
    }
}

/// Removes `.` and `..` segments in place (RFC 3986 §5.2.4).
fn remove_dot_segments(path: &mut Vec<u8>) {
    // Invariant: `path[read]` is a slash, `path[..written]` is resolved, `written <= read`.
    let (mut read, mut written) = (0, 0);
    while read < path.len() {
        let segment = read + 1;
        let end = memchr(b'/', &path[segment..]).map_or(path.len(), |index| segment + index);
        match &path[segment..end] {
            b"." => {}
            b".." => written = memrchr(b'/', &path[..written]).unwrap_or(0),
            _ => {
                path.copy_within(read..end, written);
                written += end - read;
                read = end;
                continue;
            }
        }
        // A dot segment at the end leaves its slash: it names a directory.
        if end == path.len() {
            path[written] = b'/';
            written += 1;
        }
        read = end;
    }
    path.truncate(written);
}

/// Encodes a file name as one segment of a relative `Location`.
///
/// Cannot turn a redirect elsewhere: what could be read as a scheme, a slash or a query, by
/// strict readers or lenient ones, is escaped. The name must not be empty, `.` or `..`.
pub fn encode_segment(name: &[u8]) -> String {
    percent_encode(name, SEGMENT_ESCAPED).to_string()
}

/// Appends a raw query to a `Location`, escaping what RFC 3986 §3.4 does not allow there, line
/// ends above all. Escapes that are already there stay as they are.
pub fn encode_query(query: &[u8], out: &mut Vec<u8>) {
    for part in percent_encode(query, QUERY_ESCAPED) {
        out.extend_from_slice(part.as_bytes());
    }
}

/// All but RFC 3986's unreserved characters and sub-delims, less the apostrophe, which could
/// end an attribute if the address is pasted into HTML.
const SEGMENT_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// What RFC 3986 §3.4 does not allow in a query; the percent sign is taken as an escape.
const QUERY_ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Result<&str, PathError>) {
        let expected = expected.map(str::as_bytes);
        assert_eq!(resolve(raw.as_bytes(), &mut Vec::new()), expected, "{raw}");
        assert_eq!(model(raw.as_bytes()).as_deref(), expected.ok(), "{raw}");
    }

    #[test]
    fn leaves_plain_paths_alone() {
        for raw in ["/", "/a/b.css", "//a", "/a//b/", "/a./b../c", "/a/b?.c"] {
            check(raw, Ok(raw));
            let mut scratch = Vec::new();
            assert_eq!(
                resolve(raw.as_bytes(), &mut scratch).unwrap().as_ptr(),
                raw.as_ptr()
            );
        }
        check("/a/.b/..c/...", Ok("/a/.b/..c/..."));
    }

    #[test]
    fn decodes_exactly_once() {
        check("/%61%2Fb%2fc", Ok("/a/b/c"));
        check("/%C3%A9 %20", Ok("/é  "));
        check("/%252e%252e/a", Ok("/%2e%2e/a"));
        check("/%25", Ok("/%"));
        check("/a+b", Ok("/a+b"));
    }

    #[test]
    fn refuses_nul_and_bad_escapes() {
        for raw in ["/%", "/a%4", "/%zz", "/%4g", "/%%41", "/%-1", "/% 1"] {
            check(raw, Err(PathError::BadEscape));
        }
        check("/a\0", Err(PathError::Nul));
        check("/a%00b", Err(PathError::Nul));
        check("/%00/../a", Err(PathError::Nul));
        check("", Err(PathError::NotAbsolute));
        check("a/../b", Err(PathError::NotAbsolute));
        check("%2fa", Err(PathError::NotAbsolute));
    }

    #[test]
    fn removes_dot_segments() {
        check("/.", Ok("/"));
        check("/..", Ok("/"));
        check("/a/.", Ok("/a/"));
        check("/a/..", Ok("/"));
        check("/a/b/..", Ok("/a/"));
        check("/a/./b", Ok("/a/b"));
        check("/a/../b", Ok("/b"));
        check("/../../../etc/passwd", Ok("/etc/passwd"));
        check("/a/%2e%2E/b", Ok("/b"));
        check("/a/.%2e%2fb/%2e", Ok("/b/"));
        check("/a/..%2f..%2f..%2fb", Ok("/b"));
        check("/a//../b", Ok("/a/b"));
        check("/..//a", Ok("//a"));
        check("//..", Ok("/"));
        check("/a/b/../../c/./d/..", Ok("/c/"));
        // The example of RFC 3986 §5.2.4.
        check("/a/b/c/./../../g", Ok("/a/g"));
    }

    #[test]
    fn agrees_with_the_slow_model() {
        let config = Config {
            cases: 20_000,
            failure_persistence: None,
            ..Config::default()
        };
        let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let piece = prop::sample::select(vec![
            "/", "/", "/", ".", ".", "..", "a", "bc", "%2e", "%2E", "%2f", "%25", "%00", "%", "%4",
            "\0", "é", "%ff",
        ]);
        let raw = prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat());
        TestRunner::new_with_rng(config, seed)
            .run(&raw, |raw| {
                let raw = format!("/{raw}");
                let resolved =
                    resolve(raw.as_bytes(), &mut b"left over".to_vec()).map(<[u8]>::to_vec);
                prop_assert_eq!(resolved.ok(), model(raw.as_bytes()));
                Ok(())
            })
            .unwrap();
    }

    /// The same in the plainest words: split at slashes, keep a stack of segments.
    fn model(raw: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut index = 0;
        while index < raw.len() {
            if raw[index] == b'%' {
                let digits = raw.get(index + 1..index + 3)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                let digits = std::str::from_utf8(digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                index += 3;
            } else {
                bytes.push(raw[index]);
                index += 1;
            }
        }
        if raw.first() != Some(&b'/') || bytes.contains(&0) {
            return None;
        }
        let segments: Vec<&[u8]> = bytes[1..].split(|byte| *byte == b'/').collect();
        let mut kept: Vec<&[u8]> = Vec::new();
        for segment in &segments {
            match *segment {
                b"." => {}
                b".." => drop(kept.pop()),
                name => kept.push(name),
            }
        }
        if [b".".as_slice(), b".."].contains(segments.last().unwrap()) {
            kept.push(b"");
        }
        Some([b"/".as_slice(), &kept.join(&b'/')].concat())
    }

    #[test]
    fn encodes_segments() {
        let check = |name: &str, expected| assert_eq!(encode_segment(name.as_bytes()), expected);
        check("style-1.0_a~.css", "style-1.0_a~.css");
        check("!$&()*+,;=", "!$&()*+,;=");
        check("javascript:x", "javascript%3Ax");
        check("//evil", "%2F%2Fevil");
        check("\\a?b#c%d'e@", "%5Ca%3Fb%23c%25d%27e%40");
        check("a b\r\n\0\u{7f}é", "a%20b%0D%0A%00%7F%C3%A9");
        assert_eq!(encode_segment(b"\xff"), "%FF");
    }

    #[test]
    fn encodes_queries() {
        let check = |query: &str, expected: &str| {
            let mut out = b"./?".to_vec();
            encode_query(query.as_bytes(), &mut out);
            assert_eq!(out, format!("./?{expected}").into_bytes());
        };
        check("", "");
        check("a=1&b=%20/?:@!$'()*+,;", "a=1&b=%20/?:@!$'()*+,;");
        check("a\r\nSet-Cookie: b", "a%0D%0ASet-Cookie:%20b");
        check(
            "\"<>[\\]^`{|}#\u{7f}é\0",
            "%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D%23%7F%C3%A9%00",
        );
        check("%zz%", "%zz%");
    }
}
