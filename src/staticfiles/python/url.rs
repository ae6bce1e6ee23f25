//! Python's `urllib.parse`, as CPython 3.13 has it: not what any RFC says, but what Django calls.

use super::{netloc, partition};

/// The five parts that `urlsplit` sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SplitUrl {
    pub(crate) scheme: Vec<u8>,
    pub(crate) netloc: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fragment: Vec<u8>,
}

/// Python raises a `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidUrl;

impl SplitUrl {
    /// `urlsplit(url)`.
    pub(crate) fn parse(url: &[u8]) -> Result<Self, InvalidUrl> {
        Self::parse_below(url, b"")
    }

    /// `urlsplit(url, scheme)`.
    fn parse_below(url: &[u8], scheme: &[u8]) -> Result<Self, InvalidUrl> {
        let start = url
            .iter()
            .position(|&byte| byte > b' ')
            .unwrap_or(url.len());
        let clean: Vec<u8> = url[start..]
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'))
            .collect();
        let mut rest = clean.as_slice();
        let mut scheme = scheme.to_vec();
        if let Some((own, after)) = split_scheme(rest) {
            scheme = own.to_ascii_lowercase();
            rest = after;
        }
        let mut netloc: &[u8] = b"";
        if let Some(after) = rest.strip_prefix(b"//") {
            let end = after.iter().position(|byte| b"/?#".contains(byte));
            (netloc, rest) = after.split_at(end.unwrap_or(after.len()));
            if !netloc::is_valid(netloc) {
                return Err(InvalidUrl);
            }
        }
        let (rest, fragment) = partition(rest, b'#');
        let (path, query) = partition(rest, b'?');
        Ok(Self {
            scheme,
            netloc: netloc.to_vec(),
            path: path.to_vec(),
            query: query.to_vec(),
            fragment: fragment.to_vec(),
        })
    }

    /// `urlunsplit`.
    pub(crate) fn unsplit(&self) -> Vec<u8> {
        let mut url = Vec::new();
        if !self.scheme.is_empty() {
            url.extend_from_slice(&self.scheme);
            url.push(b':');
        }
        let rooted = self.path.starts_with(b"/");
        if !self.netloc.is_empty() {
            url.extend_from_slice(b"//");
            url.extend_from_slice(&self.netloc);
            if !self.path.is_empty() && !rooted {
                url.push(b'/');
            }
        } else if self.path.starts_with(b"//")
            || is_one_of(&self.scheme, &USES_NETLOC) && (self.path.is_empty() || rooted)
        {
            url.extend_from_slice(b"//");
        }
        url.extend_from_slice(&self.path);
        for (mark, part) in [(b'?', &self.query), (b'#', &self.fragment)] {
            if !part.is_empty() {
                url.push(mark);
                url.extend_from_slice(part);
            }
        }
        url
    }

    /// Takes the parameters off the path as `urlparse` does.
    fn take_parameters(&mut self) -> Vec<u8> {
        if !is_parse_scheme(&self.scheme, &USES_PARAMS) {
            return Vec::new();
        }
        let segment = memchr::memrchr(b'/', &self.path).unwrap_or(0);
        match memchr::memchr(b';', &self.path[segment..]) {
            Some(mark) => {
                let parameters = self.path.split_off(segment + mark + 1);
                self.path.pop();
                parameters
            }
            None => Vec::new(),
        }
    }

    /// Puts them back as `urlunparse` does.
    fn put_parameters(&mut self, parameters: &[u8]) {
        if !parameters.is_empty() {
            self.path.push(b';');
            self.path.extend_from_slice(parameters);
        }
    }
}

/// `urldefrag`: the URL without its fragment, and the fragment.
pub(crate) fn defrag(url: &[u8]) -> Result<(Vec<u8>, Vec<u8>), InvalidUrl> {
    if !url.contains(&b'#') {
        return Ok((url.to_vec(), Vec::new()));
    }
    let mut parts = SplitUrl::parse(url)?;
    let parameters = parts.take_parameters();
    parts.put_parameters(&parameters);
    let fragment = std::mem::take(&mut parts.fragment);
    Ok((parts.unsplit(), fragment))
}

/// `urljoin`.
pub(crate) fn join(base: &[u8], url: &[u8]) -> Result<Vec<u8>, InvalidUrl> {
    if base.is_empty() || url.is_empty() {
        return Ok([base, url].concat());
    }
    let mut base_parts = SplitUrl::parse(base)?;
    let base_parameters = base_parts.take_parameters();
    let mut parts = SplitUrl::parse_below(url, &base_parts.scheme)?;
    let parameters = parts.take_parameters();
    if parts.scheme != base_parts.scheme || !is_parse_scheme(&parts.scheme, &USES_RELATIVE) {
        return Ok(url.to_vec());
    }
    if is_parse_scheme(&parts.scheme, &USES_NETLOC) {
        if !parts.netloc.is_empty() {
            parts.put_parameters(&parameters);
            return Ok(parts.unsplit());
        }
        parts.netloc = base_parts.netloc;
    }
    if parts.path.is_empty() && parameters.is_empty() {
        parts.path = base_parts.path;
        parts.put_parameters(&base_parameters);
        if parts.query.is_empty() {
            parts.query = base_parts.query;
        }
    } else {
        parts.path = join_paths(&base_parts.path, &parts.path);
        parts.put_parameters(&parameters);
    }
    Ok(parts.unsplit())
}

/// The scheme that `url` begins with, and what follows its colon.
fn split_scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', url)?;
    let scheme = &url[..colon];
    let fits = scheme.first()?.is_ascii_alphabetic()
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    fits.then(|| (scheme, &url[colon + 1..]))
}

/// The path that `path` leads to from `base`.
fn join_paths(base: &[u8], path: &[u8]) -> Vec<u8> {
    let is_slash = |byte: &u8| *byte == b'/';
    let mut segments: Vec<&[u8]> = Vec::new();
    if path.starts_with(b"/") {
        segments.extend(path.split(is_slash));
    } else {
        segments.extend(base.split(is_slash));
        if segments.last().is_some_and(|last| !last.is_empty()) {
            segments.pop();
        }
        segments.extend(path.split(is_slash));
        let last = segments.len() - 1;
        let mut index = 0;
        segments.retain(|segment| {
            index += 1;
            index == 1 || index > last || !segment.is_empty()
        });
    }
    let ends_in_directory = matches!(segments.last(), Some(&b"." | &b".."));
    let mut resolved: Vec<&[u8]> = Vec::new();
    for segment in segments {
        match segment {
            b".." => drop(resolved.pop()),
            b"." => {}
            other => resolved.push(other),
        }
    }
    if ends_in_directory {
        resolved.push(b"");
    }
    let joined = resolved.join(&b'/');
    if joined.is_empty() {
        b"/".to_vec()
    } else {
        joined
    }
}

fn is_one_of(scheme: &[u8], schemes: &[&str]) -> bool {
    schemes.iter().any(|one| one.as_bytes() == scheme)
}

/// As [`is_one_of`]; the lists that decide about parsing hold the empty scheme too.
fn is_parse_scheme(scheme: &[u8], schemes: &[&str]) -> bool {
    scheme.is_empty() || is_one_of(scheme, schemes)
}

/// `urllib.parse.uses_relative`, but for the empty scheme.
const USES_RELATIVE: [&str; 19] = [
    "ftp", "http", "gopher", "nntp", "imap", "wais", "file", "https", "shttp", "mms", "prospero",
    "rtsp", "rtsps", "rtspu", "sftp", "svn", "svn+ssh", "ws", "wss",
];

/// `urllib.parse.uses_netloc`, but for the empty scheme.
const USES_NETLOC: [&str; 26] = [
    "ftp",
    "http",
    "gopher",
    "nntp",
    "telnet",
    "imap",
    "wais",
    "file",
    "mms",
    "https",
    "shttp",
    "snews",
    "prospero",
    "rtsp",
    "rtsps",
    "rtspu",
    "rsync",
    "svn",
    "svn+ssh",
    "sftp",
    "nfs",
    "git",
    "git+ssh",
    "ws",
    "wss",
    "itms-services",
];

/// `urllib.parse.uses_params`, but for the empty scheme.
const USES_PARAMS: [&str; 15] = [
    "ftp", "hdl", "prospero", "http", "imap", "https", "shttp", "rtsp", "rtsps", "rtspu", "sip",
    "sips", "mms", "sftp", "tel",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_urlsplit_does() {
        check_split("a/b?c?d#e#f", ["", "", "a/b", "c?d", "e#f"]);
        check_split("HTTPS://h/a", ["https", "h", "/a", "", ""]);
        check_split("//h?q#f", ["", "h", "", "q", "f"]);
        check_split(":a", ["", "", ":a", "", ""]);
        check_split("1a:b", ["", "", "1a:b", "", ""]);
        check_split("a+b-c.d:e", ["a+b-c.d", "", "e", "", ""]);
        check_split("é:a", ["", "", "é:a", "", ""]);
        check_split(" \x01a\tb\r\nc ", ["", "", "abc ", "", ""]);
        check_split("#", ["", "", "", "", ""]);
    }

    fn check_split(url: &str, expected: [&str; 5]) {
        let it = SplitUrl::parse(url.as_bytes()).unwrap();
        let parts = [it.scheme, it.netloc, it.path, it.query, it.fragment];
        let expected = expected.map(|part| part.as_bytes().to_vec());
        assert_eq!(parts, expected, "{url:?}");
    }

    #[test]
    fn refuses_broken_brackets() {
        assert_eq!(SplitUrl::parse(b"//["), Err(InvalidUrl));
        assert_eq!(defrag(b"//[#"), Err(InvalidUrl));
        assert_eq!(join(b"/static/", b"//["), Err(InvalidUrl));
    }

    #[test]
    fn unsplits_as_urlunsplit_does() {
        for (url, expected) in [
            ("HTTP://h/a?#", "http://h/a"),
            ("//h", "//h"),
            ("////a", "////a"),
            ("http:/a", "http:///a"),
            ("http:a", "http:a"),
            ("foo:/a", "foo:/a"),
            ("foo:", "foo:"),
        ] {
            let unsplit = SplitUrl::parse(url.as_bytes()).unwrap().unsplit();
            assert_eq!(String::from_utf8_lossy(&unsplit), expected, "{url:?}");
        }
    }

    #[test]
    fn takes_fragments_off() {
        check_defrag("a?#b", "a", "b");
        check_defrag("a?b", "a?b", "");
        check_defrag("a?", "a?", "");
        check_defrag("a;#b", "a", "b");
        check_defrag("a;b/c;d#e", "a;b/c;d", "e");
        check_defrag("foo:a;#b", "foo:a;", "b");
    }

    fn check_defrag(url: &str, rest: &str, fragment: &str) {
        let expected = (rest.as_bytes().to_vec(), fragment.as_bytes().to_vec());
        assert_eq!(defrag(url.as_bytes()), Ok(expected), "{url:?}");
    }

    #[test]
    fn joins_as_urljoin_does() {
        check_join("/static/", "a/b.png", "/static/a/b.png");
        check_join("/static/", "../a", "/a");
        check_join("/static/", "../../a", "a");
        check_join("/static/", "./a//b/.", "/static/a/b/");
        check_join("/static/", "..", "/");
        check_join("/static/", "", "/static/");
        check_join("", "a", "a");
        check_join("/static/", "?q", "/static/?q");
        check_join("/static/", "/a//b", "/a//b");
        check_join("https://h/static/", "a", "https://h/static/a");
        check_join("https://h/static/", "//g/a", "https://g/a");
        check_join("foo:static/", "a", "a");
        check_join("/static/x", "a;p", "/static/a;p");
    }

    fn check_join(base: &str, url: &str, expected: &str) {
        let joined = join(base.as_bytes(), url.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&joined),
            expected,
            "{base:?} {url:?}"
        );
    }
}
