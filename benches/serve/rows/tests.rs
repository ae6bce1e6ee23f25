//! Every row answers as the package's own connection does. Rows cannot be stopped: they end with
//! the process.
#![allow(
    dead_code,
    unused_imports,
    reason = "a bench has a main of its own, and so no tests, but is compiled like one"
)]
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use whitering::internal::connection::{Connection, Want};

use super::clock::Surroundings;
use super::site::{self, Bodies};
use super::{Kind, Options};

#[test]
fn tokio_uring_answers_as_the_engines_do() {
    let site = sample();
    let address = start(&options(Kind::TokioUring, site.path()));
    for request in requests() {
        check(address, site.path(), &request);
    }
    check(address, site.path(), &requests().concat());
    let last = "GET /small.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    check(address, site.path(), last);
}

#[test]
fn hyper_answers_as_the_engines_do() {
    let site = sample();
    let address = start(&options(Kind::Hyper, site.path()));
    for request in requests() {
        check_loosely(address, site.path(), &request);
    }
    let many = format!("{}{}", get("/small.css", ""), get("/large.bin", "")).repeat(3);
    check_loosely(address, site.path(), &many);
}

#[test]
fn every_thread_of_a_row_answers() {
    let site = sample();
    for kind in [Kind::Floor, Kind::TokioUring] {
        let request = get("/small.css", "");
        let address = start(&Options {
            workers: 2,
            canned: Some("/small.css".to_owned()),
            ..options(kind, site.path())
        });
        // The kernel shares connections out by their ports.
        for _ in 0..16 {
            check(address, site.path(), &request);
        }
    }
}

#[test]
fn the_floor_answers_what_it_was_told() {
    let site = sample();
    for (canned, request) in [
        ("/small.css", get("/small.css", "")),
        ("/medium.bin", get("/medium.bin", "")),
        ("/large.bin", get("/large.bin", "")),
        ("HEAD /small.css", head("/small.css")),
        (
            "GET /small.css\nAccept-Encoding: br",
            get("/small.css", "Accept-Encoding: br\r\n"),
        ),
        (
            "GET /small.css\nIf-None-Match: *",
            get("/small.css", "If-None-Match: *\r\n"),
        ),
        (
            "GET /medium.bin\nRange: bytes=7-50006",
            get("/medium.bin", "Range: bytes=7-50006\r\n"),
        ),
        (
            "GET /small.css\nConnection: close",
            get("/small.css", "Connection: close\r\n"),
        ),
    ] {
        let address = start(&Options {
            canned: Some(canned.to_owned()),
            ..options(Kind::Floor, site.path())
        });
        check(address, site.path(), &request);
        if !canned.ends_with("close") {
            check(address, site.path(), &request.repeat(5));
        }
    }
}

#[test]
fn the_floor_refuses_what_it_cannot_do() {
    let site = sample();
    for canned in [
        None,
        Some("/nothing"),
        Some("GET"),
        Some("GET /medium.bin\nRange: bytes=0-20000,30000-50000"),
        Some("GET /large.bin\nRange: bytes=1-300000"),
    ] {
        let result = super::serve(&Options {
            canned: canned.map(str::to_owned),
            ..options(Kind::Floor, site.path())
        });
        assert!(result.is_err(), "{canned:?}");
    }
}

#[test]
fn a_row_can_be_made_wrong() {
    let site = sample();
    for name in ["/small.css", "/medium.bin", "/large.bin"] {
        let floor = Options {
            canned: Some(name.to_owned()),
            ..options(Kind::Floor, site.path())
        };
        let corrupt = start(&Options {
            corrupt: true,
            ..floor.clone()
        });
        let request = get(name, "");
        let right = expected(site.path(), &request);
        let wrong = ask(corrupt, &request, right.len());
        assert_eq!(wrong.len(), right.len());
        let difference = undated(&wrong)
            .iter()
            .zip(&undated(&right))
            .filter(|(wrong, right)| wrong != right)
            .count();
        assert_eq!(difference, 1, "{name}");
    }
}

#[test]
fn a_row_can_be_made_to_fail_or_slower() {
    let site = sample();
    let floor = || Options {
        canned: Some("/small.css".to_owned()),
        ..options(Kind::Floor, site.path())
    };
    let failing = start(&Options {
        fail: true,
        ..floor()
    });
    let request = get("/small.css", "");
    let failure = ask(failing, &request, "HTTP/1.1 500".len());
    assert_eq!(failure, b"HTTP/1.1 500");

    let burn = Duration::from_millis(20);
    let slow = start(&Options { burn, ..floor() });
    let length = expected(site.path(), &request).len();
    let started = Instant::now();
    assert_eq!(ask(slow, &request, length).len(), length);
    assert!(started.elapsed() >= burn);
}

/// Whether the row at `address` sends exactly what the package would, dates aside.
#[track_caller]
fn check(address: SocketAddr, root: &Path, request: &str) {
    let expected = expected(root, request);
    let received = ask(address, request, expected.len());
    assert!(
        undated(&received) == undated(&expected),
        "{request}\nreceived: {}\nexpected: {}",
        beginning(&received),
        beginning(&expected),
    );
}

/// The same but for the order of fields and the case of their names.
#[track_caller]
fn check_loosely(address: SocketAddr, root: &Path, request: &str) {
    let expected = expected(root, request);
    let received = ask(address, request, expected.len());
    let (received, expected) = (sorted(&received), sorted(&expected));
    assert!(
        received == expected,
        "{request}\nreceived: {}\nexpected: {}",
        beginning(&received),
        beginning(&expected),
    );
}

/// What the package answers to `requests` that arrive at once.
fn expected(root: &Path, requests: &str) -> Vec<u8> {
    let options = options(Kind::Hyper, root);
    let published = site::load(&options, Bodies::InMemory).unwrap();
    let mut surroundings = Surroundings::new(&published, site::limits(&options));
    let context = &mut surroundings.context();
    let mut connection = Connection::new(context);
    connection.on_received(requests.as_bytes(), context);
    let mut sent = Vec::new();
    while connection.want() == Want::Send {
        let loan = connection.lend();
        let before = sent.len();
        sent.extend_from_slice(&loan.buffer[loan.from..]);
        if let Some(part) = &loan.body {
            sent.extend_from_slice(part.bytes().unwrap());
        }
        connection.on_sent(loan.buffer, sent.len() - before, context);
    }
    sent
}

/// Sends `request` and receives `length` bytes, or what there is of them.
fn ask(address: SocketAddr, request: &str, length: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Duration::from_secs(20);
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = vec![0; length];
    let mut count = 0;
    while count < length {
        match stream.read(&mut received[count..]) {
            Ok(more @ 1..) => count += more,
            Ok(0) | Err(_) => break,
        }
    }
    received.truncate(count);
    if request.contains("Connection: close") {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the row keeps it open");
    }
    received
}

/// Starts a row in a thread and waits until it listens.
fn start(options: &Options) -> SocketAddr {
    let options = options.clone();
    let address = options.address;
    let row = thread::spawn(move || super::serve(&options));
    for _ in 0..1_000 {
        if TcpStream::connect(address).is_ok() {
            return address;
        }
        assert!(!row.is_finished(), "{:?}", row.join());
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the row does not listen");
}

fn options(kind: Kind, root: &Path) -> Options {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Options {
        kind,
        address: listener.local_addr().unwrap(),
        root: root.to_owned(),
        workers: 1,
        canned: None,
        burn: Duration::ZERO,
        corrupt: false,
        fail: false,
    }
}

/// A body that is copied, one that is sent from memory, one that is sent from its file.
fn sample() -> TempDir {
    let site = tempfile::tempdir().unwrap();
    let text = "a { color: black }\n".repeat(60);
    let file = |name: &str, bytes: &[u8]| fs::write(site.path().join(name), bytes).unwrap();
    file("small.css", text.as_bytes());
    let name = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/404.html");
    for extension in ["", ".br"] {
        let from = format!("{}{extension}", name.display());
        fs::copy(from, site.path().join(format!("page.html{extension}"))).unwrap();
    }
    let bytes: Vec<u8> = (0..900_000_u32).map(|index| (index % 251) as u8).collect();
    file("medium.bin", &bytes[..100_000]);
    file("large.bin", &bytes);
    site
}

/// One of each kind.
fn requests() -> Vec<String> {
    vec![
        get("/small.css", ""),
        get("/medium.bin", ""),
        get("/large.bin", ""),
        head("/small.css"),
        head("/large.bin"),
        get("/small.css", "If-None-Match: *\r\n"),
        get("/small.css", "If-Match: \"other\"\r\n"),
        get("/small.css", "Range: bytes=3-12\r\n"),
        get("/medium.bin", "Range: bytes=100-60099\r\n"),
        get("/large.bin", "Range: bytes=-500000\r\n"),
        get("/page.html", ""),
        get("/page.html", "Accept-Encoding: gzip, br\r\n"),
        get("/page.html", "Accept-Encoding: br;q=0\r\n"),
        get("/nothing", ""),
    ]
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn head(path: &str) -> String {
    format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// `answers` with all dates alike.
fn undated(answers: &[u8]) -> Vec<u8> {
    const FIELD: &[u8] = b"\r\nDate: ";
    let mut undated = answers.to_vec();
    for at in memchr::memmem::find_iter(answers, FIELD) {
        let value = at + FIELD.len();
        let end = (value + "Thu, 01 Jan 1970 00:00:00 GMT".len()).min(undated.len());
        undated[value..end].fill(b'-');
    }
    undated
}

/// The lines of `answers` in lower case and in order, without dates.
fn sorted(answers: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = answers
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_ascii_lowercase)
        .filter(|line| !line.starts_with(b"date: "))
        .collect();
    lines.sort();
    lines.concat()
}

fn beginning(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min(600)];
    format!("{} bytes, {}", bytes.len(), beginning.escape_ascii())
}
