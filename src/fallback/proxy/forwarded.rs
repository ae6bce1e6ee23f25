//! Who asked, and how, as applications expect to read it: `X-Forwarded-For`, `-Proto` and `-Host`,
//! and `Forwarded` (RFC 7239).

use std::io::Write;
use std::net::IpAddr;

use ::http::header::{FORWARDED, HOST, HeaderName};
use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use crate::fallback::Peer;

/// Adds who asked to `headers`. What another proxy said before is kept if it `is_trusted`; if not,
/// it was removed.
pub(super) fn add(headers: &mut HeaderMap, peer: Option<Peer>, is_trusted: bool) {
    let is_tls = peer.is_some_and(|peer| peer.is_tls);
    let address = peer
        .and_then(|peer| peer.address)
        .map(|address| address.ip().to_canonical());
    let proto = if is_tls { "https" } else { "http" };
    let host = headers.get(HOST).cloned();
    let element = element(address, host.as_ref(), proto);
    append(headers, FORWARDED, &element, is_trusted);
    if let Some(address) = address {
        append(
            headers,
            X_FORWARDED_FOR,
            address.to_string().as_bytes(),
            is_trusted,
        );
    }
    if !(is_trusted && headers.contains_key(X_FORWARDED_PROTO)) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
    if !(is_trusted && headers.contains_key(X_FORWARDED_HOST))
        && let Some(host) = host
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// RFC 7239 §4: an IPv6 address is bracketed and quoted (§6), and so is a host with a port.
fn element(address: Option<IpAddr>, host: Option<&HeaderValue>, proto: &str) -> Vec<u8> {
    let mut element = Vec::with_capacity(ELEMENT_BYTES);
    let written = match address {
        None => write!(element, "for=unknown"),
        Some(IpAddr::V4(address)) => write!(element, "for={address}"),
        Some(IpAddr::V6(address)) => write!(element, "for=\"[{address}]\""),
    };
    written.expect("invariant: a vector takes whatever is written");
    // No quote or backslash can be in it: such a Host was refused.
    if let Some(host) = host {
        element.extend_from_slice(b";host=\"");
        element.extend_from_slice(host.as_bytes());
        element.push(b'"');
    }
    element.extend_from_slice(b";proto=");
    element.extend_from_slice(proto.as_bytes());
    element
}

/// Sets `name` to `value`, behind what it was before if that `is_trusted`.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8], is_trusted: bool) {
    let mut list = Vec::with_capacity(value.len());
    if is_trusted {
        for before in headers.get_all(&name) {
            list.extend_from_slice(before.as_bytes());
            list.extend_from_slice(b", ");
        }
    }
    list.extend_from_slice(value);
    if let Ok(list) = HeaderValue::from_maybe_shared(Bytes::from(list)) {
        headers.insert(name, list);
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Enough for most.
const ELEMENT_BYTES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: Option<&str>, before: &[(&'static str, &str)], expected: &[(&str, &str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let peer = Peer {
            address: peer.map(|peer| peer.parse().unwrap()),
            local: None,
            is_tls: true,
        };
        add(&mut headers, Some(peer), true);
        for (name, value) in expected {
            let values: Vec<_> = headers.get_all(*name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
    }

    #[test]
    fn says_who_asked() {
        check(
            Some("192.0.2.1:9"),
            &[("host", "a:1")],
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a:1"),
                ("forwarded", "for=192.0.2.1;host=\"a:1\";proto=https"),
            ],
        );
        check(
            Some("[2001:db8::1]:9"),
            &[],
            &[
                ("x-forwarded-for", "2001:db8::1"),
                ("forwarded", "for=\"[2001:db8::1]\";proto=https"),
            ],
        );
        check(None, &[], &[("forwarded", "for=unknown;proto=https")]);
        let mapped = "[::ffff:192.0.2.1]:9";
        check(Some(mapped), &[], &[("x-forwarded-for", "192.0.2.1")]);
    }

    #[test]
    fn goes_on_from_what_is_trusted() {
        check(
            Some("192.0.2.1:9"),
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-for", "10.0.0.2"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "outside"),
                ("forwarded", "for=10.0.0.1"),
            ],
            &[
                ("x-forwarded-for", "10.0.0.1, 10.0.0.2, 192.0.2.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "outside"),
                ("forwarded", "for=10.0.0.1, for=192.0.2.1;proto=https"),
            ],
        );
    }
}
