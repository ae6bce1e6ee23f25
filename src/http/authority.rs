//! The authority of a request: `uri-host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2).

use std::net::Ipv6Addr;

/// Whether a port has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// As in `Host`.
    Optional,
    /// As in the target of CONNECT.
    Required,
}

/// Whether `value` is what `Host` may say.
pub fn is_host_and_port(value: &[u8]) -> bool {
    is_valid(value, Port::Optional)
}

/// Whether `authority` names a host, and a port if it names one. No user information, and no
/// empty host: an http URI has neither (RFC 9110 §4.2.1, §4.2.4).
pub(super) fn is_valid(authority: &[u8], port: Port) -> bool {
    let end = match authority {
        [b'[', ..] => match authority.iter().position(|&byte| byte == b']') {
            Some(bracket) if is_literal(&authority[1..bracket]) => bracket + 1,
            _ => return false,
        },
        _ => authority
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    is_host(host)
        && match rest {
            [] => port == Port::Optional,
            [b':', digits @ ..] => is_port(digits, port),
            _ => false,
        }
}

/// An IPv6 address, or a future form that nobody has defined yet (RFC 3986 §3.2.2).
fn is_literal(inner: &[u8]) -> bool {
    std::str::from_utf8(inner).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// `reg-name`, which IPv4 addresses are too; a literal has been checked.
fn is_host(host: &[u8]) -> bool {
    if host.first() == Some(&b'[') {
        return true;
    }
    let mut bytes = host.iter();
    while let Some(&byte) = bytes.next() {
        let mut hexadecimal = || bytes.next().is_some_and(u8::is_ascii_hexdigit);
        if !(REG_NAME[usize::from(byte)] || byte == b'%' && hexadecimal() && hexadecimal()) {
            return false;
        }
    }
    !host.is_empty()
}

/// `unreserved / sub-delims`.
const fn is_reg_name(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// [`is_reg_name`] of every byte.
static REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = is_reg_name(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// `*DIGIT`, within what TCP can address.
fn is_port(digits: &[u8], port: Port) -> bool {
    let number = digits.iter().try_fold(0_u32, |sum, digit| {
        let sum = sum * 10 + u32::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        (sum <= u32::from(u16::MAX)).then_some(sum)
    });
    number.is_some() && (port == Port::Optional || !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, expected: bool) {
        assert_eq!(
            is_valid(authority.as_bytes(), Port::Optional),
            expected,
            "{authority}"
        );
    }

    #[test]
    fn takes_hosts_with_and_without_port() {
        for valid in [
            "a",
            "a.b-c_d~",
            "a:",
            "a:80",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:8080",
        ] {
            check(valid, true);
        }
        check("%41", true);
        assert!(is_valid(b"a:1", Port::Required));
        assert!(!is_valid(b"a", Port::Required));
        assert!(!is_valid(b"a:", Port::Required));
    }

    #[test]
    fn refuses_what_is_none() {
        for invalid in [
            "", ":80", "a:65536", "a:8x", "a:b:1", "a b", "u@a", "a/b", "a?b", "a#b", "a\\b",
            "[::1", "::1", "[::g]", "[]", "[::1]a", "%4", "%zz", "a\u{e4}", "a\"", "<a>",
        ] {
            check(invalid, false);
        }
    }
}
