//! Which fields of a message end at a proxy.

use ::http::header::{CONNECTION, HOST, HeaderName};
use ::http::{HeaderMap, HeaderValue};

/// Whether `name` is about one connection only (RFC 9110 §7.6.1). `Trailer` is listed because
/// trailers are not passed on unless the client can take them.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Whether a field of a request is of no application's business, because it would be believed:
/// a name with an underscore is the same variable as one with a hyphen to a CGI-like interface
/// (and so a way around every rule below), `Proxy` is where such an interface looks for a proxy,
/// and the last two tell Rack what to send files with.
pub(super) fn is_dangerous(name: &str) -> bool {
    name.as_bytes().contains(&b'_')
        || matches!(name, "proxy" | "x-sendfile-type" | "x-accel-mapping")
}

/// Whether a field says who asked, and how: what a client says of that itself is not believed.
pub(super) fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || name.starts_with("x-original-")
        || matches!(
            name,
            "forwarded"
                | "x-forwarded"
                | "x-real-ip"
                | "x-client-ip"
                | "client-ip"
                | "true-client-ip"
                | "x-cluster-client-ip"
                | "cf-connecting-ip"
                | "fastly-client-ip"
                | "x-scheme"
                | "x-url-scheme"
                | "front-end-https"
                | "x-rewrite-url"
                | "x-host"
        )
}

/// Removes the fields that `is_removed` names, and those that `Connection` does: but not the host,
/// without which it would be another request, nor who asked, which no client is to hide.
pub(super) fn remove(headers: &mut HeaderMap, is_removed: impl Fn(&str) -> bool) {
    // Empty, and so without allocation, for most messages.
    let mut removed: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        if is_removed(name.as_str()) {
            removed.push(name.clone());
        }
    }
    for value in headers.get_all(CONNECTION) {
        for option in tokens(value) {
            let is_known = ["close", "keep-alive", "upgrade", "te"]
                .iter()
                .any(|known| option.eq_ignore_ascii_case(known.as_bytes()));
            if !is_known
                && let Ok(name) = HeaderName::from_bytes(option)
                && name != HOST
                && !is_forwarding(name.as_str())
            {
                removed.push(name);
            }
        }
    }
    for name in removed {
        headers.remove(name);
    }
}

/// Whether a list in the fields called `name` has `token`.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    headers
        .get_all(name)
        .iter()
        .any(|value| tokens(value).any(|other| other.eq_ignore_ascii_case(token)))
}

/// The elements of a list (RFC 9110 §5.6.1).
pub(super) fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)], expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        remove(&mut headers, |name| {
            is_hop_by_hop(name) || is_dangerous(name) || is_forwarding(name)
        });
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{fields:?}");
    }

    #[test]
    fn removes_what_ends_here() {
        check(
            &[
                ("Connection", "close, X-Mine ,x-two"),
                ("x-mine", "1"),
                ("x-TWO", "2"),
            ],
            &[],
        );
        check(
            &[
                ("Connection", "a"),
                ("Connection", "b"),
                ("b", ""),
                ("c", ""),
            ],
            &["c"],
        );
        check(&[("Connection", "host, \", ("), ("host", "a")], &["host"]);
        check(
            &[("keep-alive", "5"), ("te", "gzip"), ("trailer", "a")],
            &[],
        );
        check(&[("upgrade", "h2c"), ("http2-settings", "AA")], &[]);
        check(&[("x_forwarded_for", "1"), ("cookie", "a=b")], &["cookie"]);
        check(
            &[
                ("X-Forwarded-Ssl", "on"),
                ("X-Real-IP", "1"),
                ("X-Realm", ""),
            ],
            &["x-realm"],
        );
        check(
            &[
                ("Proxy", "http://a"),
                ("X-Sendfile-Type", "a"),
                ("accept", ""),
            ],
            &["accept"],
        );
    }
}
