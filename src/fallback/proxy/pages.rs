//! The pages that say that there is no response. Nothing that the client sent is in them.

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use super::failure::Failure;
use crate::fallback::ResponseBody;

/// Whether who sends this `Accept` reads HTML.
pub(super) fn takes_html(accept: &HeaderValue) -> bool {
    memchr::memmem::find(accept.as_bytes(), b"text/html").is_some()
}

/// The page for `failure`: HTML for who reads it, else one line of text.
pub(super) fn response(
    failure: Failure,
    takes_html: bool,
    is_head: bool,
) -> Response<ResponseBody> {
    let status = failure.status();
    let (kind, text) = if takes_html {
        ("text/html; charset=utf-8", html(status))
    } else {
        ("text/plain; charset=utf-8", format!("{status}\n"))
    };
    let length = text.len();
    let body = (!is_head).then(|| Bytes::from(text));
    let mut response = Response::new(ResponseBody::Bytes(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static(ALLOWED));
    }
    response
}

/// What OPTIONS gets that is not to be passed on.
pub(super) fn options() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Bytes(None));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(ALLOWED));
    response
}

fn html(status: StatusCode) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status}</title>\n\
         <h1>{status}</h1>\n"
    )
}

/// Of what is passed on (RFC 9110 §15.5.6).
const ALLOWED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
