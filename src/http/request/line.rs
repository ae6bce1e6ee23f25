//! The end of a head, and its first line: method, target, version (RFC 9112 §3).

use memchr::{memchr, memchr_iter};

use super::super::authority;
use super::{RequestError, Target, Version, is_token};

/// The end of the head that starts `input`, just behind its empty line.
///
/// `scanned` bytes were looked at before and hold no such end. `None`: more bytes are needed.
/// The answer does not depend on how the bytes were cut: it is that of the first byte that
/// decides.
///
/// # Errors
/// [`RequestError`], as soon as it is certain that no acceptable head can follow.
pub fn head_end(
    input: &[u8],
    scanned: usize,
    head_bytes_max: usize,
    target_bytes_max: usize,
) -> Result<Option<usize>, RequestError> {
    let line_bytes_max = target_bytes_max + REQUEST_LINE_REST_BYTES_MAX;
    if input.first().is_some_and(|&byte| !is_token(byte)) {
        return Err(RequestError::Malformed);
    }
    let window = &input[..input.len().min(head_bytes_max)];
    // The end is recognised by its last byte, so nothing before `scanned` must be seen again.
    for offset in memchr_iter(b'\n', &window[scanned..]) {
        let line_feed = scanned + offset;
        if line_feed > line_bytes_max && memchr(b'\n', &window[..line_feed]).is_none() {
            return Err(RequestError::TargetTooLong);
        }
        if line_feed == 0 || window[line_feed - 1] != b'\r' {
            return Err(RequestError::Malformed);
        }
        if line_feed >= 3 && window[line_feed - 3..line_feed - 1] == *b"\r\n" {
            return Ok(Some(line_feed + 1));
        }
    }
    match memchr(b'\n', window) {
        None if window.len() > line_bytes_max => Err(RequestError::TargetTooLong),
        _ if input.len() < head_bytes_max => Ok(None),
        None => Err(RequestError::TargetTooLong),
        Some(_) => Err(RequestError::HeadTooLarge),
    }
}

/// The request line, split at its two single spaces (RFC 9112 §3).
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: Version,
    /// Length of the line with its end.
    pub(super) bytes: usize,
}

impl<'a> RequestLine<'a> {
    /// Splits the first line of `head`.
    pub(super) fn split(head: &'a [u8], target_bytes_max: usize) -> Result<Self, RequestError> {
        let line_feed = memchr(b'\n', head).ok_or(RequestError::Malformed)?;
        let line = &head[..line_feed - 1];
        let is_end = |&byte: &u8| !is_token(byte);
        let method_end = line.iter().position(is_end).unwrap_or(line.len());
        let (method, rest) = line.split_at(method_end);
        let [b' ', rest @ ..] = rest else {
            return Err(RequestError::Malformed);
        };
        if method.is_empty() {
            return Err(RequestError::Malformed);
        }
        let target_end = memchr(b' ', rest).ok_or(RequestError::Malformed)?;
        let (target, version) = (&rest[..target_end], &rest[target_end + 1..]);
        if target.len() > target_bytes_max {
            return Err(RequestError::TargetTooLong);
        }
        if target.is_empty() || !target.iter().copied().all(is_target_byte) {
            return Err(RequestError::Malformed);
        }
        let version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                major @ b'0'..=b'9',
                b'.',
                b'0'..=b'9',
            ] => {
                if *major != b'1' {
                    return Err(RequestError::Version);
                }
                Version::Http11
            }
            _ => return Err(RequestError::Malformed),
        };
        Ok(Self {
            method,
            target,
            version,
            bytes: line_feed + 1,
        })
    }
}

/// Which form the target has (RFC 9112 §3.2).
pub(super) fn parse_target<'a>(
    method: &[u8],
    target: &'a [u8],
    over_tls: bool,
) -> Result<Target<'a>, RequestError> {
    if method == b"CONNECT" {
        return authority::is_valid(target, authority::Port::Required)
            .then_some(Target::Authority)
            .ok_or(RequestError::Malformed);
    }
    match target {
        [b'/', ..] => Ok(split_query(target)),
        b"*" if method == b"OPTIONS" => Ok(Target::Asterisk),
        _ => parse_absolute(method, target, over_tls),
    }
}

/// Absolute-form (RFC 9112 §3.2.2): the authority is checked and left out.
fn parse_absolute<'a>(
    method: &[u8],
    target: &'a [u8],
    over_tls: bool,
) -> Result<Target<'a>, RequestError> {
    let behind = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme.as_bytes())
            .then_some(rest)
    };
    let rest = match (behind("https://"), over_tls) {
        (Some(rest), true) => rest,
        // RFC 9110 §7.4: not over a connection that is not secured.
        (Some(_), false) => return Err(RequestError::Misdirected),
        (None, _) => behind("http://").ok_or(RequestError::Malformed)?,
    };
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !authority::is_valid(authority, authority::Port::Optional) {
        return Err(RequestError::Malformed);
    }
    Ok(match path {
        [] if method == b"OPTIONS" => Target::Asterisk,
        [] => Target::Path {
            path: b"/",
            query: None,
        },
        [b'?', query @ ..] => Target::Path {
            path: b"/",
            query: Some(query),
        },
        _ => split_query(path),
    })
}

fn split_query(target: &[u8]) -> Target<'_> {
    match memchr(b'?', target) {
        None => Target::Path {
            path: target,
            query: None,
        },
        Some(end) => Target::Path {
            path: &target[..end],
            query: Some(&target[end + 1..]),
        },
    }
}

/// What may stand in a target. Browsers send some characters that RFC 3986 wants encoded, and
/// none of them can end the line early; controls, spaces and fragments never come.
const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0x80..) && byte != b'#'
}

/// What a request line may hold beside its target: a method, two spaces, the version, CRLF.
const REQUEST_LINE_REST_BYTES_MAX: usize = 64;
