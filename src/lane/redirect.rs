//! The listener without TLS where there is one with it: every request is told where that is.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;

use ::http::uri::{Authority, PathAndQuery};
use ::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::Service;

use super::body::Body;
use super::connections::Control;
use super::site::refusal;
use super::strict;

/// Redirects the requests of one connection.
pub(super) struct Redirect {
    control: Rc<Control>,
    https_port: u16,
}

impl Redirect {
    pub(super) fn new(control: Rc<Control>, https_port: u16) -> Self {
        Self {
            control,
            https_port,
        }
    }
}

impl Service<Request<Incoming>> for Redirect {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.control.begin();
        let checked = match self.control.refusal() {
            Some(status) => Err(status),
            None => strict::check(&request),
        };
        let location = checked.and_then(|()| {
            let host = request.headers().get(header::HOST);
            location(host, request.uri().path_and_query(), self.https_port)
                .ok_or(StatusCode::BAD_REQUEST)
        });
        let response = match location {
            Ok(location) => {
                let mut response = Response::new(Body::empty(in_flight));
                // RFC 9110 §15.4.9: the method stays the same.
                *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                let fields = response.headers_mut();
                fields.insert(header::LOCATION, location);
                fields.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
                response
            }
            Err(status) => refusal(request.version(), status, false, in_flight),
        };
        ready(Ok(response))
    }
}

/// The same resource over TLS; none if `host` names no host, or the target no path.
fn location(
    host: Option<&HeaderValue>,
    target: Option<&PathAndQuery>,
    https_port: u16,
) -> Option<HeaderValue> {
    let authority = Authority::try_from(host?.as_bytes()).ok()?;
    let target = target.map(PathAndQuery::as_str)?;
    if !target.starts_with('/') {
        return None;
    }
    let host = authority.host();
    let location = if https_port == HTTPS_PORT {
        format!("https://{host}{target}")
    } else {
        format!("https://{host}:{https_port}{target}")
    };
    HeaderValue::try_from(location).ok()
}

/// What an https URL without a port means (RFC 9110 §4.2.2).
const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_same_host_and_target() {
        let check = |host: Option<&str>, target: &str, port, expected: Option<&str>| {
            let host = host.map(|host| HeaderValue::from_bytes(host.as_bytes()).unwrap());
            let target = PathAndQuery::try_from(target).ok();
            let found = location(host.as_ref(), target.as_ref(), port);
            let found = found.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(found, expected, "{host:?}");
        };
        check(Some("a.b"), "/c?d=e", 443, Some("https://a.b/c?d=e"));
        check(Some("a.b:80"), "/", 443, Some("https://a.b/"));
        check(Some("a.b:80"), "/", 8443, Some("https://a.b:8443/"));
        check(Some("[::1]:80"), "/", 8443, Some("https://[::1]:8443/"));
        // What follows the host stays behind it, however it begins.
        check(Some("a"), "//c.d/", 443, Some("https://a//c.d/"));
        check(Some("a"), "/%0d%0aX:y", 443, Some("https://a/%0d%0aX:y"));
        check(Some("a/b"), "/", 443, None);
        check(Some(""), "/", 443, None);
        check(None, "/", 443, None);
        check(Some("a"), "*", 443, None);
    }
}
