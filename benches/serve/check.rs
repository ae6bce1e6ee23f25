//! Whether every server answers the same: each request once over a plain socket, before anything
//! is measured. Heads may differ; status, length and bytes may not.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::load::Ask;

mod secure;

pub(crate) use secure::{ask_over_http2, ask_over_tls};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Length of everything but the body: the head with its empty line, and what frames chunks.
    pub(crate) head_bytes: usize,
}

impl Answer {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Bytes of all of it.
    pub(crate) fn bytes(&self) -> usize {
        self.head_bytes + self.body.len()
    }

    /// How it differs from what `ask` must be answered with, in words for the row.
    pub(crate) fn difference(&self, ask: &Ask, expected: &Self) -> Option<String> {
        let target = &ask.target;
        if self.status != ask.status {
            let (found, right) = (self.status, ask.status);
            return Some(format!(
                "wrong status at {target}: {found} instead of {right}"
            ));
        }
        let lengths = (
            self.field("content-length"),
            expected.field("content-length"),
        );
        // RFC 9110 §8.6: a 304 need not say how long a 200 would be, nor an answer in chunks.
        if self.status != 304 && lengths.0.is_some() && lengths.0 != lengths.1 {
            let (found, right) = (lengths.0.unwrap_or("none"), lengths.1.unwrap_or("none"));
            return Some(format!(
                "wrong Content-Length at {target}: {found} instead of {right}"
            ));
        }
        if self.body != expected.body {
            let pairs = self.body.iter().zip(&expected.body);
            let at = pairs.take_while(|(one, other)| one == other).count();
            return Some(format!("wrong bytes at {target}: the first is byte {at}"));
        }
        None
    }
}

/// What a file of the site must be answered with, if `ask` is for all of it as it is.
pub(crate) fn expected_from(root: &Path, ask: &Ask) -> Option<Answer> {
    if ask.method != "GET" || ask.status != 200 || !ask.fields.is_empty() {
        return None;
    }
    let path = percent_encoding::percent_decode_str(ask.target.trim_start_matches('/'));
    let body = std::fs::read(root.join(path.decode_utf8().ok()?.as_ref())).ok()?;
    Some(Answer {
        status: ask.status,
        fields: vec![("Content-Length".to_owned(), body.len().to_string())],
        body,
        head_bytes: 0,
    })
}

/// The requests to check: all, or of a long list the first of each target up to a limit. The order
/// of such a list was drawn by lot, so they are a sample.
pub(crate) fn sample(asks: &[Ask]) -> Vec<Ask> {
    let mut seen = HashSet::new();
    let distinct = asks.iter().filter(|ask| seen.insert(&ask.target));
    distinct.take(SAMPLE_COUNT_MAX).cloned().collect()
}

/// Asks once on a connection of its own. If the server is asked to close that, it has to.
///
/// # Errors
/// If there is no whole answer.
pub(crate) fn ask(port: u16, ask: &Ask, close: bool) -> io::Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    ask_on(&mut stream, port, ask, close)
}

/// Asks on `stream` and waits for all of the answer.
fn ask_on(
    stream: &mut (impl Read + Write),
    port: u16,
    ask: &Ask,
    close: bool,
) -> io::Result<Answer> {
    stream.write_all(request(port, ask, close).as_bytes())?;
    stream.flush()?;
    let mut received = Vec::new();
    loop {
        if let Some(answer) = parse(&received, &ask.method)? {
            if close && stream.read(&mut [0])? > 0 {
                return Err(io::Error::other("more bytes than Content-Length says"));
            }
            return Ok(answer);
        }
        let mut part = [0; 1 << 16];
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&part[..count]),
        }
    }
}

fn request(port: u16, ask: &Ask, close: bool) -> String {
    let mut request = format!(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n",
        ask.method, ask.target
    );
    for (name, value) in &ask.fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if close {
        request.push_str("Connection: close\r\n");
    }
    request.push_str("\r\n");
    request
}

/// The answer, if all of it is there.
fn parse(received: &[u8], method: &str) -> io::Result<Option<Answer>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(received).map_err(io::Error::other)?;
    let httparse::Status::Complete(head_bytes) = parsed else {
        return Ok(None);
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = response.headers.iter();
    let mut answer = Answer {
        status: response.code.unwrap_or(0),
        fields: fields.map(|f| (f.name.to_owned(), text(f.value))).collect(),
        body: Vec::new(),
        head_bytes,
    };
    let Some((body, framed_bytes)) = body(&answer, method, &received[head_bytes..])? else {
        return Ok(None);
    };
    if received.len() > head_bytes + framed_bytes {
        return Err(io::Error::other("more bytes than the answer says it has"));
    }
    answer.head_bytes += framed_bytes - body.len();
    answer.body = body;
    Ok(Some(answer))
}

/// The body and how many bytes of `rest` it takes, if all of it is there. RFC 9112 §6.3, but for
/// a body that ends with the connection, which no static file needs.
fn body(answer: &Answer, method: &str, rest: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    if method == "HEAD" || matches!(answer.status, 204 | 304) {
        return Ok(Some((Vec::new(), 0)));
    }
    let coding = answer.field("transfer-encoding").unwrap_or_default();
    if coding.eq_ignore_ascii_case("chunked") {
        return unchunk(rest);
    }
    let length = answer.field("content-length");
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    let length = length.ok_or_else(|| io::Error::other("no Content-Length"))?;
    Ok(rest.get(..length).map(|body| (body.to_vec(), length)))
}

/// RFC 9112 §7.1, without trailers.
fn unchunk(rest: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = httparse::parse_chunk_size(&rest[at..]);
        let line = line.map_err(|_| io::Error::other("a chunk without a size"))?;
        let httparse::Status::Complete((line_bytes, size)) = line else {
            return Ok(None);
        };
        let start = at + line_bytes;
        let end = start + usize::try_from(size).map_err(io::Error::other)?;
        let Some(chunk) = rest.get(start..end + 2) else {
            return Ok(None);
        };
        let Some(chunk) = chunk.strip_suffix(b"\r\n") else {
            return Err(io::Error::other("a chunk that ends elsewhere"));
        };
        body.extend_from_slice(chunk);
        at = end + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

const SAMPLE_COUNT_MAX: usize = 200;
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn takes_an_answer_when_it_is_whole() {
        let check = |received: &str, method: &str, body: Option<&str>| {
            let answer = parse(received.as_bytes(), method).unwrap();
            let found = answer.map(|answer| String::from_utf8(answer.body).unwrap());
            assert_eq!(found.as_deref(), body, "{received}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Le", "GET", None);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "GET", None);
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab",
            "GET",
            Some("ab"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            "HEAD",
            Some(""),
        );
        check("HTTP/1.1 304 Not Modified\r\n\r\n", "GET", Some(""));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        check(chunked, "GET", Some("abc"));
        check(&chunked[..chunked.len() - 3], "GET", None);
        assert!(parse(chunked.replace("ab", "abc").as_bytes(), "GET").is_err());
        let answer = parse(chunked.as_bytes(), "GET").unwrap().unwrap();
        assert_eq!(answer.bytes(), chunked.len());
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\nab", "GET").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nab", "GET").is_err());
    }

    #[test]
    fn says_how_answers_differ() {
        let check = |found: &str, expected: Option<&str>| {
            let right = "HTTP/1.1 200 OK\r\nETag: 1\r\nContent-Length: 2\r\n\r\nab";
            let right = parse(right.as_bytes(), "GET").unwrap().unwrap();
            let found = parse(found.as_bytes(), "GET").unwrap().unwrap();
            assert_eq!(found.difference(&plain("/a"), &right).as_deref(), expected);
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", None);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nax",
            Some("wrong bytes at /a: the first is byte 1"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            Some("wrong Content-Length at /a: 3 instead of 2"),
        );
        check(
            "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nab",
            Some("wrong status at /a: 500 instead of 200"),
        );
    }

    #[test]
    fn a_file_says_what_is_right() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a b"), "content").unwrap();
        let expected = expected_from(root.path(), &plain("/a%20b")).unwrap();
        assert_eq!(expected.body, b"content");
        assert_eq!(expected_from(root.path(), &plain("/c")), None);
    }

    #[test]
    fn a_sample_holds_each_target_once() {
        let targets = ["/a", "/b", "/a", "/c", "/b"];
        let sample = sample(&targets.map(plain));
        let targets: Vec<&str> = sample.iter().map(|ask| ask.target.as_str()).collect();
        assert_eq!(targets, ["/a", "/b", "/c"]);
    }

    fn plain(target: &str) -> Ask {
        Ask {
            method: "GET".into(),
            target: target.into(),
            fields: Vec::new(),
            status: 200,
        }
    }
}
