//! The head of a request on its way to an application server: what ends here is removed, how the
//! body is framed is said anew, and who asked is added. Changed in place.

use ::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, MAX_FORWARDS, TE, TRANSFER_ENCODING, UPGRADE,
    VIA,
};
use ::http::request::Parts;
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;
use hyper::upgrade::OnUpgrade;

use super::failure::Failure;
use super::upgrade::Switch;
use super::upload::Upload;
use super::{Address, Options, fields, forwarded};
use crate::fallback::Peer;
use crate::http::authority::is_host_and_port;

/// What heads are written by.
pub(super) struct Rules {
    /// Whether what a client says about who asked is passed on.
    pub(super) trust_forwarded: bool,
    /// For requests of HTTP/1.0 that name none.
    host: HeaderValue,
}

/// What was asked, as far as the response depends on it.
pub(super) struct Asked {
    /// The method.
    pub(super) method: Method,
    /// Whether over HTTP/1: there `Connection` and `Upgrade` exist.
    pub(super) is_http1: bool,
    /// Whether the client takes trailers.
    pub(super) takes_trailers: bool,
    /// What is needed to switch protocols, if the client asked for that.
    pub(super) switch: Option<Switch>,
}

impl Rules {
    /// Those of `options`.
    pub(super) fn new(options: &Options) -> Self {
        let host = match options.addresses.first() {
            Some(address @ Address::Tcp(..)) => HeaderValue::try_from(address.to_string()).ok(),
            _ => None,
        };
        Self {
            trust_forwarded: options.trust_forwarded,
            host: host.unwrap_or(HeaderValue::from_static("localhost")),
        }
    }
}

/// Makes of `parts` what an application server is sent.
///
/// # Errors
/// The client's, if it is nothing to be passed on.
pub(super) fn rewrite(parts: &mut Parts, body: &Upload, rules: &Rules) -> Result<Asked, Failure> {
    // TRACE would show a client what was added; CONNECT is for proxies that clients choose.
    if parts.method == Method::TRACE || parts.method == Method::CONNECT {
        return Err(Failure::Method);
    }
    set_host(parts, rules)?;
    let peer = parts.extensions.remove::<Peer>();
    let is_http1 = parts.version < Version::HTTP_2;
    let (switch, protocol) = switch_of(parts, body).unzip();
    let takes_trailers = fields::has_token(&parts.headers, &TE, b"trailers");
    let via = via(parts.version);
    parts.extensions.clear();
    parts.version = Version::HTTP_11;

    let headers = &mut parts.headers;
    fields::remove(headers, |name| {
        fields::is_hop_by_hop(name)
            || fields::is_dangerous(name)
            || !rules.trust_forwarded && fields::is_forwarding(name)
            // The server side of hyper answers it; a body is under way when it is sent on.
            || name == EXPECT.as_str()
    });
    set_framing(headers, body, &parts.method)?;
    if !is_http1 {
        join_cookies(headers);
    }
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    } else if takes_trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    count_down(headers);
    headers.append(VIA, via);
    forwarded::add(headers, peer, rules.trust_forwarded);
    Ok(Asked {
        method: parts.method.clone(),
        is_http1,
        takes_trailers,
        switch,
    })
}

/// The target in origin form, and its host in `Host` alone (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
fn set_host(parts: &mut Parts, rules: &Rules) -> Result<(), Failure> {
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::Host)?;
        parts.headers.insert(HOST, host);
        let target = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let is_valid = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host_and_port(host.as_bytes()),
        (None, None) => {
            parts.headers.insert(HOST, rules.host.clone());
            true
        }
        _ => false,
    };
    if is_valid { Ok(()) } else { Err(Failure::Host) }
}

/// The body's own framing, whatever the client wrote: a length or chunks, never both.
fn set_framing(headers: &mut HeaderMap, body: &Upload, method: &Method) -> Result<(), Failure> {
    let length = body.size_hint().exact();
    let is_written = headers.contains_key(CONTENT_LENGTH);
    match length {
        Some(0) => {
            headers.remove(CONTENT_LENGTH);
            // RFC 9110 §8.6: where a body is usual, that there is none is said.
            if is_written || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    Ok(())
}

/// One field of many (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in std::iter::once(second).chain(cookies) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)) {
        headers.insert(COOKIE, joined);
    }
}

/// What is needed to switch protocols, and to which. Not to HTTP/2, which would pass by all that
/// is done here, nor TLS (RFC 9110 §7.8), and not together with a body.
fn switch_of(parts: &mut Parts, body: &Upload) -> Option<(Switch, HeaderValue)> {
    let on_upgrade = parts.extensions.remove::<OnUpgrade>()?;
    let protocol = parts.headers.get(UPGRADE)?.clone();
    let is_ours = |token: &[u8]| {
        let name = token.split(|&byte| byte == b'/').next().unwrap_or(token);
        [&b"h2c"[..], b"h2", b"http", b"tls"]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours))
    };
    let is_passed_on = parts.version == Version::HTTP_11
        && body.is_none()
        && parts.headers.get_all(UPGRADE).iter().count() == 1
        && fields::has_token(&parts.headers, &CONNECTION, b"upgrade")
        && !fields::tokens(&protocol).any(is_ours);
    is_passed_on.then(|| {
        let protocols = protocol.clone();
        let switch = Switch {
            on_upgrade,
            protocols,
        };
        (switch, protocol)
    })
}

/// Whether `request` is not to be passed on (RFC 9110 §7.6.2).
pub(super) fn ends_here<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && forwards_left(request.headers()) == Some(0)
}

fn forwards_left(headers: &HeaderMap) -> Option<u32> {
    headers.get(MAX_FORWARDS)?.to_str().ok()?.parse().ok()
}

/// RFC 9110 §7.6.2, for whoever still counts.
fn count_down(headers: &mut HeaderMap) {
    if let Some(count) = forwards_left(headers) {
        headers.insert(MAX_FORWARDS, HeaderValue::from(count.saturating_sub(1)));
    }
}

/// RFC 9110 §7.6.3: a gateway says so in every request.
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_10 => "1.0 whitering",
        Version::HTTP_2 => "2 whitering",
        _ => "1.1 whitering",
    })
}
