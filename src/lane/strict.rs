//! What hyper lets through and this server does not.

use ::http::{HeaderMap, Method, Request, StatusCode, Version, header};
use hyper::body::Incoming;

use crate::http::authority::is_host_and_port as is_host;
use crate::http::request::check_values;

/// Checks a request that hyper has read.
///
/// # Errors
/// What it is answered with. Nothing behind it on the connection can be trusted then.
pub(super) fn check(request: &Request<Incoming>) -> Result<(), StatusCode> {
    if request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let fields = request.headers();
    if check_values(fields).is_err() {
        return Err(StatusCode::BAD_REQUEST);
    }
    // RFC 9112 §6.1: such a message may be an attempt to smuggle.
    if fields.contains_key(header::TRANSFER_ENCODING) && fields.contains_key(header::CONTENT_LENGTH)
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    check_host(
        request.version(),
        request.uri().authority().map(|host| host.as_str()),
        fields,
    )
}

/// RFC 9112 §3.2, RFC 9113 §8.3.1: one valid host, in HTTP/1.1 present, and the same wherever it
/// is named.
fn check_host(
    version: Version,
    authority: Option<&str>,
    fields: &HeaderMap,
) -> Result<(), StatusCode> {
    let mut values = fields.get_all(header::HOST).iter();
    let (host, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let is_missing = match version {
        Version::HTTP_2 => host.is_none() && authority.is_none(),
        // An authority in the target does not stand in for the field.
        Version::HTTP_11 => host.is_none(),
        _ => false,
    };
    let differ = version == Version::HTTP_2
        && host.zip(authority).is_some_and(|(host, authority)| {
            !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
        });
    if is_missing
        || differ
        || host.is_some_and(|host| !is_host(host.as_bytes()))
        || authority.is_some_and(|name| !is_host(name.as_bytes()))
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_one_valid_host() {
        let check = |version, authority, hosts: &[&str], expected| {
            let mut fields = HeaderMap::new();
            for host in hosts {
                fields.append(header::HOST, host.parse().unwrap());
            }
            let found = check_host(version, authority, &fields);
            assert_eq!(
                found.is_ok(),
                expected,
                "{version:?} {authority:?} {hosts:?}"
            );
        };
        let (one, eleven, two) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        check(one, None, &[], true);
        check(eleven, None, &[], false);
        check(eleven, None, &["a"], true);
        check(eleven, None, &["a:80"], true);
        check(eleven, None, &["a", "a"], false);
        check(eleven, None, &["a/b"], false);
        check(eleven, None, &[""], false);
        check(eleven, Some("a"), &[], false);
        check(eleven, Some("a"), &["b"], true);
        check(eleven, Some("u@a"), &["a"], false);
        check(two, None, &[], false);
        check(two, Some("a"), &[], true);
        check(two, None, &["a"], true);
        check(two, Some("a"), &["A"], true);
        check(two, Some("a"), &["b"], false);
        check(two, Some("u@a"), &[], false);
    }
}
