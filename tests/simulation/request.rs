//! Requests as they are meant, and their text. Generated from the seed; knows no answers.

use crate::prng::Prng;
use crate::site::sites;

/// One request that is framed as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: Option<&'static str>,
    pub(crate) accept: Option<Acceptance>,
    pub(crate) condition: Option<(&'static str, String)>,
    pub(crate) ranges: Vec<RangeSpec>,
    pub(crate) is_preflight: bool,
    pub(crate) is_http10: bool,
    /// The value of `Connection`.
    pub(crate) connection: Option<&'static str>,
    pub(crate) body: RequestBody,
    pub(crate) expects_continue: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RangeSpec {
    From(usize, usize),
    Open(usize),
    Last(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum RequestBody {
    None,
    Length(usize),
    Chunked(Vec<usize>),
}

impl Request {
    /// `GET path` and nothing else.
    pub(crate) const fn plain(path: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            query: None,
            accept: None,
            condition: None,
            ranges: Vec::new(),
            is_preflight: false,
            is_http10: false,
            connection: None,
            body: RequestBody::None,
            expects_continue: false,
        }
    }

    pub(crate) fn generate(prng: &mut Prng) -> Self {
        let path = prng.pick(&PATHS);
        let mut request = Self::plain(path);
        request.method = prng.pick(&["GET", "GET", "GET", "GET", "HEAD"]);
        request.accept = prng.one_in(2).then(|| prng.pick(&ACCEPTED));
        match prng.below(12) {
            0 => request.path = "/missing",
            1 => request.path = prng.pick(&["/d", "/index.html", "/d/index.html", "/%zz"]),
            2 => request.method = prng.pick(&["POST", "DELETE", "OPTIONS"]),
            3 => (request.method, request.path) = ("OPTIONS", "*"),
            4 => (request.method, request.is_preflight) = ("OPTIONS", true),
            5 | 6 => request.condition = Some(condition(prng, path)),
            7 | 8 => request.ranges = ranges(prng, path),
            _ => {}
        }
        if prng.one_in(150) {
            request = Self::plain("/huge.bin");
        }
        if prng.one_in(4) && request.path != "*" {
            request.query = Some(prng.pick(&["q=1", "", "a?b"]));
        }
        if prng.one_in(5) {
            request.add_body(prng);
        }
        if prng.one_in(10) {
            request.is_http10 = !matches!(request.body, RequestBody::Chunked(_));
        }
        if prng.one_in(6) {
            request.connection = Some(prng.pick(&["keep-alive", "Keep-Alive, te", "close"]));
        }
        request
    }

    fn add_body(&mut self, prng: &mut Prng) {
        self.body = if prng.one_in(2) {
            RequestBody::Length(prng.range(1..300))
        } else {
            let count = prng.below(4);
            RequestBody::Chunked((0..count).map(|_| prng.range(1..40)).collect())
        };
        self.expects_continue = prng.one_in(2);
    }

    /// The head as it is sent.
    pub(crate) fn head(&self) -> String {
        let query = self
            .query
            .map_or(String::new(), |query| format!("?{query}"));
        let version = if self.is_http10 { "1.0" } else { "1.1" };
        let mut head = format!(
            "{} {}{query} HTTP/{version}\r\nHost: a.example\r\n",
            self.method, self.path
        );
        let mut field = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        if let Some((value, _)) = self.accept {
            field("Accept-Encoding", value);
        }
        if let Some((name, value)) = &self.condition {
            field(name, value);
        }
        if !self.ranges.is_empty() {
            let specs: Vec<String> = self.ranges.iter().map(RangeSpec::text).collect();
            field("Range", &format!("bytes={}", specs.join(", ")));
        }
        if self.is_preflight {
            field("Origin", "https://b.example");
            field("Access-Control-Request-Method", "GET");
        }
        if let Some(value) = self.connection {
            field("Connection", value);
        }
        match &self.body {
            RequestBody::None => {}
            RequestBody::Length(length) => field("Content-Length", &length.to_string()),
            RequestBody::Chunked(_) => field("Transfer-Encoding", "chunked"),
        }
        if self.expects_continue {
            field("Expect", "100-continue");
        }
        head + "\r\n"
    }

    /// The body as it is sent.
    pub(crate) fn body(&self) -> String {
        match &self.body {
            RequestBody::None => String::new(),
            // What would be a request if anybody took it for one.
            RequestBody::Length(length) => "GET / HTTP/1.1\r\n\r\n"
                .chars()
                .cycle()
                .take(*length)
                .collect(),
            RequestBody::Chunked(chunks) => {
                let mut text = String::new();
                for length in chunks {
                    text.push_str(&format!("{length:x};e=1\r\n{}\r\n", "\n".repeat(*length)));
                }
                text + if chunks.len() == 1 {
                    "0\r\nTrailer: 1\r\n\r\n"
                } else {
                    "0\r\n\r\n"
                }
            }
        }
    }
}

impl RangeSpec {
    fn text(&self) -> String {
        match self {
            Self::From(first, last) => format!("{first}-{last}"),
            Self::Open(first) => format!("{first}-"),
            Self::Last(count) => format!("-{count}"),
        }
    }
}

/// A precondition: on the tag of some representation of `path`, or on another.
fn condition(prng: &mut Prng, path: &str) -> (&'static str, String) {
    let page = sites()[0].page(path).unwrap();
    let tag = &page.representations[prng.below(page.representations.len())].etag;
    let value = match prng.below(4) {
        0 => "\"other\"".to_owned(),
        1 => format!("\"other\", {tag}"),
        _ => tag.clone(),
    };
    (
        prng.pick(&["If-None-Match", "If-None-Match", "If-Match"]),
        value,
    )
}

/// One range, or a few that are small and far apart, so that there is one right answer only.
fn ranges(prng: &mut Prng, path: &str) -> Vec<RangeSpec> {
    let length = sites()[0].page(path).unwrap().representations[0]
        .bytes
        .len();
    let at = prng.below(length + 2);
    match prng.below(5) {
        0 => vec![RangeSpec::Open(at)],
        1 => vec![RangeSpec::Last(at)],
        2 => vec![RangeSpec::From(at, at + prng.below(50_000))],
        3 => vec![RangeSpec::Open(length + 7 + at)],
        _ if length < 10_000 => vec![RangeSpec::From(0, 0)],
        _ => {
            let quarter = length / 4;
            let count = prng.range(2..5);
            let range = |index: usize| {
                let first = index * quarter + prng.below(100);
                RangeSpec::From(first, first + prng.below(quarter - 400))
            };
            let mut ranges: Vec<RangeSpec> = (0..count).map(range).collect();
            if prng.one_in(2) {
                ranges.reverse();
            }
            ranges
        }
    }
}

/// Paths of files, but for the largest.
const PATHS: [&str; 16] = [
    "/",
    "/",
    "/",
    "/d/",
    "/d/",
    "/a.css",
    "/a.css",
    "/a.css",
    "/a.css",
    "/empty.txt",
    "/small.bin",
    "/medium.bin",
    "/large.txt",
    "/large.txt",
    "/large.bin",
    "/",
];

/// A value of `Accept-Encoding` with what it means (RFC 9110 §12.5.3): first the codings that
/// the client likes best, of which the smallest is sent.
type Acceptance = (&'static str, &'static [&'static [&'static str]]);

const ACCEPTED: [Acceptance; 7] = [
    ("gzip", &[&["gzip"]]),
    ("zstd, br", &[&["zstd"]]),
    ("gzip, zstd", &[&["gzip", "zstd"]]),
    ("gzip;q=0.5, zstd;q=0.2", &[&["gzip"]]),
    ("zstd;q=1.0, gzip;q=0.999", &[&["zstd"]]),
    ("identity", &[]),
    ("gzip;q=0", &[]),
];
