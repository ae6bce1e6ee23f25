//! What a request head may be, in the plainest words: one pattern for each rule of the grammar,
//! applied to whole lines. Nothing of it is shared with the parser that it judges.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::random::pattern;

/// A raw path and the query behind it.
type Path = (Vec<u8>, Option<Vec<u8>>);

/// What a head means that may be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) method: Vec<u8>,
    /// Path and query; none for the asterisk and authority forms.
    pub(crate) path: Option<Path>,
    pub(crate) minor_version: u8,
    pub(crate) persistent: bool,
    pub(crate) expects_continue: bool,
    pub(crate) chunked: bool,
    pub(crate) length: u64,
}

/// Judges `head`, which ends with its empty line. None: it has to be refused.
pub(crate) fn judge(head: &[u8]) -> Option<Facts> {
    static LINE: OnceLock<Regex> = OnceLock::new();
    let line = pattern(
        &LINE,
        r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-\x22$-~\x80-\xff]+) HTTP/1\.([0-9])$",
    );
    let text = head.strip_suffix(b"\r\n\r\n")?;
    let mut lines = split_lines(text).into_iter();
    let first = line.captures(lines.next()?)?;
    let (method, target) = (first[1].to_vec(), &first[2]);
    let minor_version = (first[3][0] - b'0').min(1);
    let fields = Fields::read(lines)?;

    let host = fields.at_most_one("host")?;
    if host.is_none() && minor_version == 1 || host.is_some_and(|host| !is_host(host)) {
        return None;
    }
    let length = fields.at_most_one("content-length")?;
    let coding = fields.at_most_one("transfer-encoding")?;
    if coding.is_some_and(|coding| {
        !coding.eq_ignore_ascii_case(b"chunked") || minor_version == 0 || length.is_some()
    }) {
        return None;
    }
    let expect = fields.at_most_one("expect")?.filter(|_| minor_version == 1);
    if expect.is_some_and(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return None;
    }
    let has_option = |option| fields.has_connection_option(option);
    Some(Facts {
        path: path(&method, target)?,
        method,
        minor_version,
        persistent: !has_option("close") && (minor_version == 1 || has_option("keep-alive")),
        expects_continue: expect.is_some(),
        chunked: coding.is_some(),
        length: length.map_or(Some(0), number)?,
    })
}

/// Names in lower case, values without blanks around.
struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        static FIELD: OnceLock<Regex> = OnceLock::new();
        let field = pattern(
            &FIELD,
            r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$",
        );
        let mut fields = Vec::new();
        for line in lines {
            let parts = field.captures(line)?;
            let name = String::from_utf8(parts[1].to_ascii_lowercase()).unwrap();
            fields.push((name, parts[2].to_vec()));
        }
        (fields.len() <= 100).then_some(Self(fields))
    }

    /// The value of a field; the outer none says that it is repeated.
    fn at_most_one(&self, name: &str) -> Option<Option<&[u8]>> {
        let found: Vec<_> = self.0.iter().filter(|(other, _)| other == name).collect();
        match found[..] {
            [] => Some(None),
            [(_, value)] => Some(Some(value)),
            _ => None,
        }
    }

    fn has_connection_option(&self, option: &str) -> bool {
        self.0
            .iter()
            .filter(|(name, _)| name == "connection")
            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
            .any(|member| {
                String::from_utf8_lossy(member)
                    .trim_matches([' ', '\t'])
                    .eq_ignore_ascii_case(option)
            })
    }
}

/// The lines of `text`; a return or line feed that stands alone stays in its line.
fn split_lines(text: &[u8]) -> Vec<&[u8]> {
    static END: OnceLock<Regex> = OnceLock::new();
    pattern(&END, r"\r\n").split(text).collect()
}

/// Which path a target names, if the target has a form that goes with `method`.
fn path(method: &[u8], target: &[u8]) -> Option<Option<Path>> {
    static ABSOLUTE: OnceLock<Regex> = OnceLock::new();
    static ORIGIN: OnceLock<Regex> = OnceLock::new();
    static CONNECT: OnceLock<Regex> = OnceLock::new();
    if method == b"CONNECT" {
        let named = pattern(&CONNECT, r":[0-9]+$").is_match(target);
        return (named && is_host(target)).then_some(None);
    }
    if target == b"*" {
        return (method == b"OPTIONS").then_some(None);
    }
    let mut target = target;
    if let Some(parts) = pattern(&ABSOLUTE, r"^(?i:http)://([^/?]*)(.*)$").captures(target) {
        if !is_host(&parts[1]) {
            return None;
        }
        if parts[2].is_empty() && method == b"OPTIONS" {
            return Some(None);
        }
        target = parts.get(2).unwrap().as_bytes();
    } else if target[0] != b'/' {
        return None;
    }
    let parts = pattern(&ORIGIN, r"^(/[^?]*)?(?:\?(.*))?$").captures(target)?;
    let path = parts.get(1).map_or(&b"/"[..], |path| path.as_bytes());
    let query = parts.get(2).map(|query| query.as_bytes().to_vec());
    Some(Some((path.to_vec(), query)))
}

/// `uri-host [":" port]` with a host (RFC 9110 §4.2.1, RFC 3986 §3.2.2).
fn is_host(text: &[u8]) -> bool {
    static HOST: OnceLock<Regex> = OnceLock::new();
    let host = pattern(
        &HOST,
        r"^(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::0*([0-9]{0,5}))?$",
    );
    let Some(parts) = host.captures(text) else {
        return false;
    };
    let text_of = |index| {
        parts
            .get(index)
            .map(|part| std::str::from_utf8(part.as_bytes()).unwrap())
    };
    let address = text_of(1).is_none_or(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let port = text_of(2).filter(|port| !port.is_empty());
    address && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// `1*DIGIT` that fits.
fn number(digits: &[u8]) -> Option<u64> {
    static DIGITS: OnceLock<Regex> = OnceLock::new();
    let text = pattern(&DIGITS, r"^[0-9]+$").find(digits)?;
    std::str::from_utf8(text.as_bytes()).unwrap().parse().ok()
}
