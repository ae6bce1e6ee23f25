//! Who asked, and how, as applications expect to read it: `X-Forwarded-For`, `-Proto` and `-Host`,
//! and `Forwarded` (RFC 7239).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use ::http::header::{FORWARDED, HOST, HeaderName};
use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use crate::fallback::Peer;

/// Adds who asked to `headers`. What another proxy said before is kept if it `is_trusted`; if not,
/// it was removed.
pub(super) fn add(headers: &mut HeaderMap, peer: Option<Peer>, is_trusted: bool) {
    let (address, proto) = asker(peer);
    let host = headers.get(HOST).cloned();
    let mut element = Vec::with_capacity(ELEMENT_BYTES);
    let host_bytes = host.as_ref().map(HeaderValue::as_bytes);
    let written = write_element(&mut element, address, host_bytes, proto);
    let element = Bytes::from(element);
    let client = address.map(|_| element.slice(written));
    append(headers, FORWARDED, element, is_trusted);
    if let Some(client) = client {
        append(headers, X_FORWARDED_FOR, client, is_trusted);
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

/// The client's address, if it is known, and the scheme it used.
pub(super) fn asker(peer: Option<Peer>) -> (Option<IpAddr>, &'static str) {
    let is_tls = peer.is_some_and(|peer| peer.is_tls);
    let address = peer
        .and_then(|peer| peer.address)
        .map(|address| address.ip().to_canonical());
    (address, if is_tls { "https" } else { "http" })
}

/// RFC 7239 §4: an IPv6 address is bracketed and quoted (§6), and so is a host with a port.
/// Returns where in `out` the address is, as it is written elsewhere.
pub(super) fn write_element(
    out: &mut Vec<u8>,
    address: Option<IpAddr>,
    host: Option<&[u8]>,
    proto: &str,
) -> Range<usize> {
    out.extend_from_slice(match address {
        Some(IpAddr::V6(_)) => b"for=\"[".as_slice(),
        Some(IpAddr::V4(_)) | None => b"for=",
    });
    let start = out.len();
    match address {
        None => out.extend_from_slice(b"unknown"),
        Some(IpAddr::V4(address)) => write_v4(out, address),
        Some(IpAddr::V6(address)) => {
            write!(out, "{address}").expect("invariant: a vector takes whatever is written");
        }
    }
    let written = start..out.len();
    if matches!(address, Some(IpAddr::V6(_))) {
        out.extend_from_slice(b"]\"");
    }
    // No quote or backslash can be in it: such a Host was refused.
    if let Some(host) = host {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(proto.as_bytes());
    written
}

/// As it is displayed, without the machinery of formatting.
fn write_v4(element: &mut Vec<u8>, address: Ipv4Addr) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            element.push(b'.');
        }
        element.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
}

/// Sets `name` to `value`, behind what it was before if that `is_trusted`.
fn append(headers: &mut HeaderMap, name: HeaderName, value: Bytes, is_trusted: bool) {
    let mut list = Vec::new();
    if is_trusted {
        for before in headers.get_all(&name) {
            list.extend_from_slice(before.as_bytes());
            list.extend_from_slice(b", ");
        }
    }
    let value = if list.is_empty() {
        value
    } else {
        list.extend_from_slice(&value);
        Bytes::from(list)
    };
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(name, value);
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
