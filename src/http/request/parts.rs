//! Requests that another parser has taken apart: over HTTP/2, or after a connection was handed
//! over. What it lets pass and this server refuses is refused here; bodies it frames itself.

use ::http::request::Parts;
use ::http::{Method as Name, Version as Spoken, uri};
use httparse::{EMPTY_HEADER, Header};

use super::super::authority;
use super::{
    BodyFraming, FIELD_COUNT_MAX, FIELD_COUNT_USUAL, Field, Fields, Method, Request, RequestError,
    Target, Version,
};

impl<'a> Request<'a> {
    /// Looks at `parts` as at a parsed head. Only the lines that are looked up later are kept.
    ///
    /// # Errors
    /// [`RequestError`]: what to refuse the request with.
    pub fn from_parts(
        parts: &'a Parts,
        room: &'a mut Fields<'a>,
        target_bytes_max: usize,
    ) -> Result<Self, RequestError> {
        let target = target(parts, target_bytes_max)?;
        let version = match parts.version {
            Spoken::HTTP_09 | Spoken::HTTP_10 => Version::Http10,
            _ => Version::Http11,
        };
        let is_http1 = parts.version < Spoken::HTTP_2;
        if is_http1 && parts.headers.len() > FIELD_COUNT_MAX {
            return Err(RequestError::HeadTooLarge);
        }
        let (lines, present) = keep_lines(parts, room)?;
        Ok(Self {
            method: match parts.method {
                Name::GET => Method::Get,
                Name::HEAD => Method::Head,
                Name::OPTIONS => Method::Options,
                _ => Method::Other,
            },
            target,
            version,
            persistent: true,
            body: BodyFraming::None,
            expects_continue: false,
            upgrades: false,
            lines,
            present,
        })
    }
}

fn target(parts: &Parts, target_bytes_max: usize) -> Result<Target<'_>, RequestError> {
    if parts.method == Name::CONNECT {
        return Ok(Target::Authority);
    }
    let whole = parts
        .uri
        .path_and_query()
        .map_or("", uri::PathAndQuery::as_str);
    if whole.len() > target_bytes_max {
        return Err(RequestError::TargetTooLong);
    }
    match parts.uri.path().as_bytes() {
        path @ [b'/', ..] => Ok(Target::Path {
            path,
            query: parts.uri.query().map(str::as_bytes),
        }),
        b"*" if parts.method == Name::OPTIONS => Ok(Target::Asterisk),
        _ => Err(RequestError::Malformed),
    }
}

/// Whether `parts` name one valid host (RFC 9112 §3.2, RFC 9113 §8.3.1); `:authority` is in the
/// URI. Apart from [`Request::from_parts`], as servers of others have their own rules.
///
/// # Errors
/// [`RequestError::Malformed`].
pub fn check_host(parts: &Parts) -> Result<(), RequestError> {
    let is_valid = |host: &[u8]| authority::is_valid(host, authority::Port::Optional);
    let mut lines = parts.headers.get_all(::http::header::HOST).iter();
    let (host, more) = (lines.next(), lines.next());
    let host = host.map(::http::HeaderValue::as_bytes);
    let target = parts
        .uri
        .authority()
        .map(|target| target.as_str().as_bytes());
    let is_sound = match (target, host) {
        _ if more.is_some() => false,
        // RFC 9113 §8.3.1: a host that is another one makes the request malformed. In HTTP/1.1
        // the target's counts (RFC 9112 §3.2.2).
        (Some(target), Some(host)) if parts.version >= Spoken::HTTP_2 => {
            is_valid(target) && host.eq_ignore_ascii_case(target)
        }
        (Some(target), Some(host)) => {
            is_valid(host) && (parts.method == Name::CONNECT || is_valid(target))
        }
        (Some(target), None) => parts.version != Spoken::HTTP_11 && is_valid(target),
        (None, Some(host)) => is_valid(host),
        (None, None) => parts.version < Spoken::HTTP_11,
    };
    is_sound.then_some(()).ok_or(RequestError::Malformed)
}

/// Whether no value in `fields` begins or ends with a blank. HTTP/1.1 cannot say such a value, and
/// over HTTP/2 it is malformed (RFC 9113 §8.2.1).
///
/// # Errors
/// [`RequestError::Malformed`].
pub fn check_values(fields: &::http::HeaderMap) -> Result<(), RequestError> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_padded = |value: &[u8]| is_blank(value.first()) || is_blank(value.last());
    let mut values = fields.values();
    if values.any(|value| is_padded(value.as_bytes())) {
        return Err(RequestError::Malformed);
    }
    Ok(())
}

/// Puts the lines that are looked up later into `room`, and says which there are.
fn keep_lines<'a>(
    parts: &'a Parts,
    room: &'a mut Fields<'a>,
) -> Result<(&'a [Header<'a>], u16), RequestError> {
    let lines = if parts.headers.len() > FIELD_COUNT_USUAL {
        room.many.resize(parts.headers.len(), EMPTY_HEADER);
        &mut room.many[..]
    } else {
        &mut room.usual[..]
    };
    let (mut count, mut present) = (0, 0);
    for (name, value) in &parts.headers {
        let name = name.as_str();
        if let Some(field) = Field::of(name) {
            let value = value.as_bytes();
            lines[count] = Header { name, value };
            count += 1;
            present |= field.bit();
        } else if name == "expect" && !is_met(parts.version, value.as_bytes()) {
            return Err(RequestError::Expectation);
        }
    }
    Ok((&lines[..count], present))
}

/// Whether what a request expects is done (RFC 9110 §10.1.1); that of a 1.0 client is ignored.
fn is_met(version: Spoken, value: &[u8]) -> bool {
    version < Spoken::HTTP_11 || value.eq_ignore_ascii_case(b"100-continue")
}
