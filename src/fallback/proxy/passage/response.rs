//! The head of a response, rewritten from bytes to bytes: as [`super::super::respond`] does it,
//! for those that say their length. All others are left to hyper.

use std::mem::MaybeUninit;

use ::http::Response;

use super::Reply;
use crate::fallback::ResponseBody;
use crate::fallback::proxy::fields;
use crate::http::head::DATE_BYTES;

/// What a response is sent with, beside what the application says.
pub struct Dress<'a> {
    /// The value of `Date`, for responses without (RFC 9110 §6.6.1).
    pub date: [u8; DATE_BYTES],
    /// The value of `Strict-Transport-Security`, over TLS (RFC 6797 §7.1).
    pub hsts: Option<&'a [u8]>,
    /// Whether the connection ends after it.
    pub closes: bool,
}

/// What was received of a response.
pub(super) enum Reading {
    /// A part of its head.
    Part,
    /// Its head, which has been written, and its framing.
    Head(Framing),
    /// What hyper has to look at.
    Other,
}

/// Where a response ends, and its connection.
pub(super) struct Framing {
    pub(super) head_bytes: usize,
    pub(super) body_bytes: u64,
    /// Whether the server closes the connection after it.
    pub(super) is_last: bool,
}

/// Reads the head of the response to a request with or without `is_head`, and writes to `out` what
/// the client is sent.
pub(super) fn read(
    received: &[u8],
    is_head: bool,
    dress: &Dress<'_>,
    out: &mut Vec<u8>,
) -> Reading {
    let mut fields = [MaybeUninit::uninit(); FIELD_COUNT_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, received, &mut fields) {
        Ok(httparse::Status::Partial) => Reading::Part,
        Err(_) => Reading::Other,
        Ok(httparse::Status::Complete(head_bytes)) => {
            out.reserve(received.len() + ADDED_BYTES_USUAL);
            match write(&parsed, is_head, dress, out) {
                Some((body_bytes, is_last)) => Reading::Head(Framing {
                    head_bytes,
                    body_bytes,
                    is_last,
                }),
                None => {
                    out.clear();
                    Reading::Other
                }
            }
        }
    }
}

/// A page of the proxy itself.
pub(super) fn written(page: Response<ResponseBody>, dress: &Dress<'_>) -> Reply {
    let (parts, body) = page.into_parts();
    let mut bytes = Vec::with_capacity(ADDED_BYTES_USUAL);
    let reason = parts.status.canonical_reason().unwrap_or_default();
    write_line(&mut bytes, parts.status.as_u16(), reason);
    for (name, value) in &parts.headers {
        write_field(&mut bytes, name.as_str(), value.as_bytes());
    }
    write_end(&mut bytes, dress, Seen::default());
    if let ResponseBody::Bytes(Some(body)) = body {
        bytes.extend_from_slice(&body);
    }
    Reply {
        bytes,
        closes: dress.closes,
        rest: None,
    }
}

/// Fields that matter beside their being passed on.
#[derive(Default)]
struct Seen<'a> {
    length: Option<&'a [u8]>,
    closes: bool,
    has_date: bool,
    has_hsts: bool,
}

/// Writes the head: the length of the body, and whether the connection ends after it.
fn write(
    parsed: &httparse::Response<'_, '_>,
    is_head: bool,
    dress: &Dress<'_>,
    out: &mut Vec<u8>,
) -> Option<(u64, bool)> {
    let status = parsed.code.filter(|status| *status >= 200)?;
    if parsed.version != Some(1) {
        return None;
    }
    write_line(out, status, parsed.reason?);
    let mut seen = Seen::default();
    for field in &*parsed.headers {
        pass_on(out, field, status, &mut seen)?;
    }
    // RFC 9112 §6.3: these have no body, whatever their fields say.
    let is_bare = is_head || matches!(status, NO_CONTENT | NOT_MODIFIED);
    let body_bytes = match seen.length {
        Some(length) => parse_length(length)?,
        None if is_bare => 0,
        None => return None,
    };
    let closes = seen.closes;
    write_end(out, dress, seen);
    Some((if is_bare { 0 } else { body_bytes }, closes))
}

/// Passes a field on, unless it ends here; none if hyper has to look at the response.
fn pass_on<'a>(
    out: &mut Vec<u8>,
    field: &httparse::Header<'a>,
    status: u16,
    seen: &mut Seen<'a>,
) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(field.name.as_bytes());
    out[start..].make_ascii_lowercase();
    let name = std::str::from_utf8(&out[start..]).ok()?;
    let ends_here = match name {
        "content-length" => {
            if seen.length.replace(field.value).is_some() {
                return None;
            }
            status == NO_CONTENT
        }
        "connection" => {
            seen.closes |= closes(field.value)?;
            true
        }
        "transfer-encoding" | "trailer" | "upgrade" | "x-sendfile" | "x-accel-redirect" => {
            return None;
        }
        "date" => {
            seen.has_date = true;
            false
        }
        "strict-transport-security" => {
            seen.has_hsts = true;
            false
        }
        name => fields::is_hop_by_hop(name),
    };
    if ends_here {
        out.truncate(start);
    } else {
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value);
        out.extend_from_slice(b"\r\n");
    }
    Some(())
}

/// Whether the server closes the connection, if nothing else is said of it.
fn closes(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(false)
    } else {
        value.eq_ignore_ascii_case(b"close").then_some(true)
    }
}

/// RFC 9110 §8.6.
fn parse_length(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn write_line(out: &mut Vec<u8>, status: u16, reason: &str) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Adds what is said beside the application, and ends the head.
fn write_end(out: &mut Vec<u8>, dress: &Dress<'_>, seen: Seen<'_>) {
    if let Some(hsts) = dress.hsts
        && !seen.has_hsts
    {
        write_field(out, "strict-transport-security", hsts);
    }
    if !seen.has_date {
        write_field(out, "date", &dress.date);
    }
    if dress.closes {
        write_field(out, "connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
}

const NO_CONTENT: u16 = 204;
const NOT_MODIFIED: u16 = 304;

/// As many as hyper takes.
const FIELD_COUNT_MAX: usize = 100;

/// Room for what is added to most.
const ADDED_BYTES_USUAL: usize = 128;
