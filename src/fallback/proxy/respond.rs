//! The head of a response on its way to the client: what ends here is removed, and what contradicts
//! itself is refused.

use ::http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use ::http::response::Parts;
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

use super::failure::Failure;
use super::fields;
use super::forward::Asked;

/// Makes of `parts` what the client is sent, with a body of `length` bytes, if that is known.
///
/// # Errors
/// [`Failure::Malformed`], if it is no response to what was asked.
pub(super) fn rewrite(
    parts: &mut Parts,
    asked: &Asked,
    length: Option<u64>,
) -> Result<(), Failure> {
    let is_switch = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let headers = &mut parts.headers;
    check_coding(headers)?;
    set_length(headers, parts.status, &asked.method, length);
    // A client that may upgrade is told to what (RFC 9110 §15.5.22).
    let names_protocol = is_switch || parts.status == StatusCode::UPGRADE_REQUIRED;
    let protocol = headers
        .get(UPGRADE)
        .filter(|_| names_protocol && asked.is_http1)
        .cloned();
    let trailer = headers
        .get(TRAILER)
        .filter(|_| asked.takes_trailers)
        .cloned();
    let is_asked = |protocol| {
        asked
            .switch
            .as_ref()
            .is_some_and(|it| it.asks_for(protocol))
    };
    if is_switch && !protocol.as_ref().is_some_and(is_asked) {
        return Err(Failure::Malformed);
    }
    fields::remove(headers, fields::is_hop_by_hop);
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    if let Some(trailer) = trailer {
        headers.insert(TRAILER, trailer);
    }
    debug_assert!(!headers.contains_key(TE), "hop by hop");
    parts.version = Version::HTTP_11;
    Ok(())
}

/// Chunks are taken apart, and no coding but chunks (RFC 9112 §6.1); a length beside them is an
/// attempt at something (§6.3).
fn check_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    let is_chunked = codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !is_chunked || headers.contains_key(CONTENT_LENGTH) {
        return Err(Failure::Malformed);
    }
    Ok(())
}

/// One length: the body's own, and what a body would have for HEAD and 304 (RFC 9110 §8.6).
fn set_length(headers: &mut HeaderMap, status: StatusCode, method: &Method, length: Option<u64>) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return;
    };
    let is_plain = lengths.next().is_none() && first.as_bytes().iter().all(u8::is_ascii_digit);
    if status == StatusCode::NO_CONTENT || status.is_informational() {
        headers.remove(CONTENT_LENGTH);
    } else if !is_plain {
        headers.remove(CONTENT_LENGTH);
        let has_body = method != Method::HEAD && status != StatusCode::NOT_MODIFIED;
        if let Some(length) = length.filter(|_| has_body) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
}
