//! Assets as `http` responses: status, fields and bytes are those that a worker sends.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::request::Parts;
use http::{Request, Response, Version};
use tempfile::TempDir;
use whitering::internal::assets::{
    self, MediaTypes, NotFoundFile, OpenError, Options, Policy, Snapshot, SourceDirectory,
};
use whitering::internal::connection::{
    BodyPart, BufferPool, Connection, Context, Settings, Tick, Want, http_date,
};
use whitering::internal::service::{Answer, Answerer, Content, Part, answer};

/// What a client gets to see, but for `Date` and `Connection`.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

struct Site {
    directory: TempDir,
    snapshot: Arc<Snapshot>,
}

impl Site {
    fn load(not_found: Option<NotFoundFile>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = File::create(path).unwrap();
            file.write_all(bytes).unwrap();
            let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            file.set_modified(modified).unwrap();
        };
        let text = b"abcdefgh".repeat(400);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&text).unwrap();
        for (name, bytes) in [
            ("index.html", &b"<h1>"[..]),
            ("d/index.html", b"<h2>"),
            ("a.css", &text),
            ("a.css.gz", &gzip.finish().unwrap()),
            ("empty.txt", b""),
            ("large.bin", &b"0123456789".repeat(5_000)),
            ("gone.bin", &b"gone".repeat(10_000)),
            ("changed.bin", &b"changed".repeat(10_000)),
        ] {
            write(name, bytes);
        }
        let loaded = assets::load(&Options {
            sources: vec![SourceDirectory {
                prefix: "/".to_owned(),
                directory: directory.path().to_owned(),
            }],
            memory_budget_bytes: u64::MAX,
            file_memory_bytes_max: 20_000,
            max_age_seconds: Some(60),
            cors: true,
            media_types: MediaTypes::new("utf-8", &[]),
            header_rules: Vec::new(),
            index_file: Some("index.html".to_owned()),
            immutable: None,
            not_found,
            packed: Vec::new(),
        })
        .unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        fs::remove_file(directory.path().join("gone.bin")).unwrap();
        write("changed.bin", b"other");
        Self {
            directory,
            snapshot: Arc::new(loaded.snapshot),
        }
    }

    /// Every way to ask the service gives what a worker sends.
    #[track_caller]
    fn check(&self, line: &str, fields: &[(&str, &str)], status: u16) {
        let expected = self.of_connection(line, fields);
        assert_eq!(expected.status, status, "{line:.99} {fields:?}");
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut request, ()) = request.body(()).unwrap().into_parts();
        let mut answerer = Answerer::new(Arc::clone(&self.snapshot), 8_192);

        // HTTP/2: the host is in the target.
        request.version = Version::HTTP_2;
        if target.starts_with('/') {
            request.uri = format!("http://a{target}").parse().unwrap();
        } else {
            request.headers.insert("host", "a".parse().unwrap());
        }
        assert_eq!(
            seen(answerer.answer(&request, POLICY)),
            expected,
            "{line:.99}"
        );

        request.version = Version::HTTP_11;
        request.uri = target.parse().unwrap();
        request.headers.insert("host", "a".parse().unwrap());
        for _ in 0..2 {
            assert_eq!(
                seen(answerer.answer(&request, POLICY)),
                expected,
                "{line:.99}"
            );
        }
        if status == 414 {
            // The limit belongs to the lane.
            return;
        }
        let free = answer(&request, &self.snapshot, POLICY, &mut Vec::new());
        assert_eq!(seen(free), expected, "{line:.99}");
    }

    /// What a connection sends to a client that asks once.
    fn of_connection(&self, line: &str, fields: &[(&str, &str)]) -> Seen {
        let lines = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let lines: String = lines.collect();
        let text = format!("{line} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let (settings, date) = (Settings::default(), http_date(NOW));
        let held = Rc::new(Arc::clone(&self.snapshot));
        let mut context = Context {
            held: &held,
            settings: &settings,
            now: Tick(1),
            unix_seconds: NOW,
            date: &date,
            draining: false,
            pool: &mut BufferPool::new(),
            path_scratch: &mut Vec::new(),
        };
        let mut connection = Connection::new(&context);
        connection.on_received(text.as_bytes(), &mut context);
        let mut sent = Vec::new();
        loop {
            match connection.want() {
                Want::Send => {
                    let mut loan = connection.lend();
                    let start = sent.len();
                    sent.extend_from_slice(&loan.buffer[loan.from..]);
                    let body = loan.body.take();
                    sent.extend_from_slice(body.as_ref().and_then(BodyPart::bytes).unwrap_or(&[]));
                    let count = sent.len() - start;
                    connection.on_sent(loan.buffer, count, &mut context);
                }
                Want::Open => {
                    let file = connection.file_part().unwrap().source().file().unwrap();
                    match self.snapshot.open(file) {
                        Ok(_) => connection.on_opened(),
                        Err(error) => connection.on_open_failed(error, &mut context),
                    }
                }
                Want::SendFile => {
                    let part = connection.file_part().unwrap();
                    let file = part.source().file().unwrap();
                    let path = self.directory.path().join(file.path.to_str().unwrap());
                    let bytes = &fs::read(path).unwrap()[index(part.range())];
                    sent.extend_from_slice(bytes);
                    connection.on_file_sent(bytes.len(), &mut context);
                }
                _ => return parse(&sent, line.starts_with("HEAD ")),
            }
        }
    }
}

fn index(range: &std::ops::Range<u64>) -> std::ops::Range<usize> {
    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
}

/// One answer as it stands on the wire.
fn parse(sent: &[u8], head_only: bool) -> Seen {
    let end = sent.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let mut lines = std::str::from_utf8(&sent[..end]).unwrap().split("\r\n");
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let fields: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| name != "date" && name != "connection")
        .collect();
    let body = sent[end + 4..].to_vec();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    if let Some((_, length)) = length {
        let sent = if head_only { "0" } else { length };
        assert_eq!(sent, body.len().to_string());
    }
    Seen {
        status,
        fields,
        body,
    }
}

fn seen(answer: Answer) -> Seen {
    let Answer::Response(response) = answer else {
        panic!("passed on");
    };
    let (head, content) = Response::into_parts(response);
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| (name.to_string(), text(value)));
    let body = body(content);
    Seen {
        status: head.status.as_u16(),
        fields: fields.collect(),
        body,
    }
}

fn body(content: Content) -> Vec<u8> {
    let (mut body, bytes) = (Vec::new(), content.bytes());
    for part in content.parts {
        match part {
            Part::Bytes(bytes) => body.extend_from_slice(&bytes),
            Part::File(part) => {
                let length = usize::try_from(part.range.end - part.range.start).unwrap();
                let mut bytes = vec![0; length];
                part.file
                    .read_exact_at(&mut bytes, part.range.start)
                    .unwrap();
                body.extend_from_slice(&bytes);
            }
        }
    }
    assert_eq!(bytes, body.len() as u64);
    body
}

#[test]
fn gives_what_a_worker_sends() {
    let site = Site::load(None);
    let Seen { fields, .. } = site.of_connection("GET /a.css", &[]);
    let field = |name: &str| &fields.iter().find(|field| field.0 == name).unwrap().1[..];
    let (etag, modified) = (field("etag"), field("last-modified"));
    for method in ["GET", "HEAD"] {
        let check = |target: &str, fields: &[(&str, &str)], status| {
            site.check(&format!("{method} {target}"), fields, status);
        };
        for target in [
            "/",
            "/d/",
            "/a.css",
            "/%61.css",
            "/x/../a.css?q",
            "/empty.txt",
        ] {
            check(target, &[], 200);
        }
        check("/large.bin", &[], 200);
        check("/d?a=b%20c&d", &[], 302);
        check("/index.html", &[], 302);
        check("/d/index.html?", &[], 302);
        check("/none", &[], 404);
        check("/%zz", &[], 400);
        check("/a%00", &[], 400);
        check("/a.css", &[("Accept-Encoding", "gzip, br")], 200);
        check("/a.css", &[("Accept-Encoding", "gzip;q=0")], 200);
        check(
            "/a.css",
            &[("Accept-Encoding", "br"), ("Accept-Encoding", "gzip")],
            200,
        );
        check("/a.css", &[("Accept-Encoding", "identity;q=0")], 200);
        check("/a.css", &[("If-None-Match", etag)], 304);
        check("/a.css", &[("If-None-Match", "\"x\"")], 200);
        check(
            "/a.css",
            &[("If-None-Match", "*"), ("Accept-Encoding", "gzip")],
            304,
        );
        check("/a.css", &[("If-Modified-Since", modified)], 304);
        check("/a.css", &[("If-Match", "\"x\"")], 412);
        check("/a.css", &[("If-Match", etag)], 200);
        check(
            "/a.css",
            &[("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")],
            412,
        );
        check("/a.css", &[("Expect", "something")], 417);
    }
    let ranges = |value| [("Range", value)];
    site.check("HEAD /a.css", &ranges("bytes=0-9"), 200);
    for (value, status) in [
        ("bytes=0-9", 206),
        ("bytes=-5", 206),
        ("bytes=10-", 206),
        ("bytes=0-1, 1000-1009, 2000-2009", 206),
        ("bytes=99999999-", 416),
        ("bytes=9-0", 200),
        ("lines=1-2", 200),
    ] {
        site.check("GET /a.css", &ranges(value), status);
        site.check("GET /large.bin", &ranges(value), status);
    }
    let gzip = ("Accept-Encoding", "gzip");
    site.check("GET /a.css", &[("Range", "bytes=0-3"), gzip], 206);
    site.check(
        "GET /a.css",
        &[("Range", "bytes=0-3"), ("If-Range", etag)],
        206,
    );
    site.check(
        "GET /a.css",
        &[("Range", "bytes=0-3"), ("If-Range", "\"x\"")],
        200,
    );
    site.check("GET /empty.txt", &ranges("bytes=0-"), 416);
}

#[test]
fn refuses_as_a_worker_does() {
    let site = Site::load(None);
    for target in ["/a.css", "/d", "/large.bin"] {
        site.check(&format!("POST {target}"), &[], 405);
        site.check(&format!("OPTIONS {target}"), &[], 405);
    }
    site.check("DELETE /none", &[], 404);
    site.check("OPTIONS *", &[], 204);
    let preflight = [
        ("Origin", "http://b"),
        ("Access-Control-Request-Method", "GET"),
    ];
    site.check("OPTIONS /a.css", &preflight, 204);
    site.check("OPTIONS /none", &preflight, 404);
    site.check(&format!("GET /{}", "a".repeat(8_192)), &[], 414);
}

#[test]
fn says_so_if_a_file_cannot_be_sent() {
    let site = Site::load(None);
    for range in [None, Some("bytes=0-9"), Some("bytes=0-9, 10000-10009")] {
        let fields: Vec<(&str, &str)> = range.iter().map(|range| ("Range", *range)).collect();
        site.check("GET /gone.bin", &fields, 404);
        site.check("GET /changed.bin", &fields, 503);
    }
    site.check("HEAD /gone.bin", &[], 200);
    assert_eq!(OpenError::Changed.status().code(), 503);
}

#[test]
fn answers_what_is_not_found_as_configured() {
    let page = Site::load(Some(NotFoundFile::Page("a.css".to_owned())));
    let spa = Site::load(Some(NotFoundFile::Spa("a.css".to_owned())));
    for fields in [&[][..], &[("Accept-Encoding", "gzip")]] {
        for method in ["GET", "HEAD"] {
            page.check(&format!("{method} /none?a"), fields, 404);
            spa.check(&format!("{method} /none?a"), fields, 200);
        }
        page.check("POST /none", fields, 404);
        spa.check("POST /none", fields, 404);
    }
    page.check(
        "GET /none",
        &[("If-None-Match", "*"), ("Range", "bytes=0-1")],
        404,
    );
    spa.check("GET /none", &[("Range", "bytes=0-1")], 206);
}

/// What hyper lets pass: no host, two, or one that is none.
#[test]
fn checks_the_host() {
    let site = Site::load(None);
    let check = |version, uri: &str, hosts: &[&str], expected: Option<u16>| {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (parts, ()): (Parts, ()) = request.body(()).unwrap().into_parts();
        let mut answerer = Answerer::new(Arc::clone(&site.snapshot), 8_192);
        let policy = Policy {
            has_fallback: true,
            ..POLICY
        };
        let status = match answerer.answer(&parts, policy) {
            Answer::Response(response) => Some(response.status().as_u16()),
            Answer::Fallback => None,
        };
        assert_eq!(status, expected, "{version:?} {uri} {hosts:?}");
    };
    for (version, uri, hosts, expected) in [
        (Version::HTTP_11, "/", &["a"][..], Some(200)),
        (Version::HTTP_11, "/none", &["a:80"], None),
        (Version::HTTP_11, "/none", &[], Some(400)),
        (Version::HTTP_11, "/none", &["a", "a"], Some(400)),
        (Version::HTTP_11, "/none", &["a/b"], Some(400)),
        (Version::HTTP_11, "/none", &[""], Some(400)),
        (Version::HTTP_11, "http://b/none", &["a"], None),
        (Version::HTTP_11, "http://u@b/none", &["a"], Some(400)),
        (Version::HTTP_10, "/none", &[], None),
        (Version::HTTP_2, "http://a/none", &[], None),
        (Version::HTTP_2, "http://a/none", &["A"], None),
        (Version::HTTP_2, "http://a/none", &["b"], Some(400)),
        (Version::HTTP_2, "http://u@a/none", &[], Some(400)),
        (Version::HTTP_2, "/none", &["a"], None),
        (Version::HTTP_2, "/none", &[], Some(400)),
    ] {
        check(version, uri, hosts, expected);
    }
}

const NOW: u64 = 1_700_000_100;

const POLICY: Policy = Policy {
    cors: true,
    has_fallback: false,
    unix_seconds: NOW,
};
