//! What `urlsplit` refuses between `//` and the path.

use std::net::Ipv6Addr;

use super::partition;

/// Whether `urlsplit` accepts what is between `//` and the path.
pub(super) fn is_valid(netloc: &[u8]) -> bool {
    let has_open = netloc.contains(&b'[');
    if has_open != netloc.contains(&b']') || has_open && !is_bracketed(netloc) {
        return false;
    }
    let mut characters = netloc.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    !characters.any(|character| NORMALISED_TO_DELIMITERS.contains(&character))
}

/// Whether the host in `netloc`, which has brackets, is one.
fn is_bracketed(netloc: &[u8]) -> bool {
    let host_start = memchr::memrchr(b'@', netloc).map_or(0, |at| at + 1);
    let host_and_port = &netloc[host_start..];
    let Some(open) = memchr::memchr(b'[', host_and_port) else {
        return is_address(partition(host_and_port, b':').0);
    };
    let (host, port) = partition(&host_and_port[open + 1..], b']');
    open == 0 && (port.is_empty() || port.starts_with(b":")) && is_address(host)
}

/// Whether `host` may stand in brackets.
fn is_address(host: &[u8]) -> bool {
    if let Some(future) = host.strip_prefix(b"v") {
        let (version, rest) = partition(future, b'.');
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !rest.is_empty();
    }
    let (address, scope) = match memchr::memchr(b'%', host) {
        Some(mark) => (&host[..mark], Some(&host[mark + 1..])),
        None => (host, None),
    };
    let scope_fits = scope.is_none_or(|scope| !scope.is_empty() && !scope.contains(&b'%'));
    scope_fits && str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// The characters that compatibility normalisation turns into one of `/?#@:`.
const NORMALISED_TO_DELIMITERS: [char; 19] = [
    '\u{2047}', '\u{2048}', '\u{2049}', '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2a74}',
    '\u{fe13}', '\u{fe16}', '\u{fe55}', '\u{fe56}', '\u{fe5f}', '\u{fe6b}', '\u{ff03}', '\u{ff0f}',
    '\u{ff1a}', '\u{ff1f}', '\u{ff20}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_python_accepts() {
        let valid = "|host:80|é|[::1]|user@[::1]:80|[fe80::1%eth0]|[::1.2.3.4]|[v1.a]";
        for netloc in valid.split('|') {
            assert!(is_valid(netloc.as_bytes()), "{netloc}");
        }
        let invalid =
            "[|]|]a[|[a]|a[::1]|[::1]a|[1.2.3.4]|[fe80::1%]|[fe80::1%a%b]|[v.a]|[v1.]|[v1]";
        for netloc in invalid.split('|').chain(["\u{2100}"]) {
            assert!(!is_valid(netloc.as_bytes()), "{netloc}");
        }
    }
}
