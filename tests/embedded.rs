//! A server as a part of another program: built, reloaded and ended without a signal.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use whitering::{Bind, Ended, Handle, Packed, Server, StartError};

/// The status and body of one answer.
fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The head and the body that are answered to a client that takes brotli.
fn fetch(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).unwrap();
    let fields = "Host: a\r\nAccept-Encoding: br\r\nConnection: close\r\n";
    write!(socket, "GET {path} HTTP/1.1\r\n{fields}\r\n").unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).unwrap(), body)
}

/// The signals that the calling thread blocks.
fn blocked() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("SigBlk:"));
    line.unwrap().to_owned()
}

#[test]
fn serves_within_a_program_that_keeps_its_signals() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.txt"), "file").unwrap();
    let before = blocked();
    let fails = || async {
        if true {
            panic!("as it is tested")
        }
    };
    let app: Router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/panic", get(fails));
    let server = Server::builder()
        .directory(directory.path())
        .bind(Bind::parse("127.0.0.1:0").unwrap())
        .workers(NonZeroUsize::MIN)
        .fallback(app)
        .start()
        .unwrap();
    assert_eq!(blocked(), before);

    let handle = server.handle();
    let thread = std::thread::spawn(move || server.run());
    let address = handle.local_addr().unwrap();
    assert_eq!(handle.addresses(), [format!("http://{address}")]);
    assert_eq!(ask(address, "/a.txt"), (200, "file".to_owned()));
    assert_eq!(ask(address, "/hello"), (200, "hello".to_owned()));
    assert_eq!(ask(address, "/none").0, 404);
    assert_eq!(ask(address, "/panic").0, 500);

    let metrics = handle.metrics();
    assert_eq!((metrics.file_count, metrics.memory_bytes), (1, 4));
    assert_eq!(metrics.lane_connection_counts.len(), 1);
    fs::write(directory.path().join("b.txt"), "new").unwrap();
    reload(&handle, 2);
    assert_eq!(ask(address, "/b.txt"), (200, "new".to_owned()));

    handle.shutdown();
    assert_eq!(thread.join().unwrap(), Ended::Drained);
    assert!(TcpStream::connect(address).is_err());
}

/// Reloads until there are `file_count` files.
fn reload(handle: &Handle, file_count: usize) {
    handle.reload();
    let end = Instant::now() + Duration::from_secs(10);
    while handle.metrics().file_count < file_count {
        assert!(Instant::now() < end, "no reload");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn serves_a_release_that_is_a_part_of_it() {
    // Collected from two files, and packed as the documentation of `embed!` has it.
    let release = whitering::embed!("embedded/release.tar").unwrap();
    assert_eq!(release.file_count(), 10);
    let server = Server::builder()
        .packed("/static/", release)
        .bind(Bind::parse("127.0.0.1:0").unwrap())
        .workers(NonZeroUsize::MIN)
        .start()
        .unwrap();
    let handle = server.handle();
    let metrics = handle.metrics();
    assert_eq!((metrics.file_count, metrics.variant_count), (6, 4));
    assert_eq!(metrics.disk_bytes, 0);
    let thread = std::thread::spawn(move || server.run());
    let address = handle.local_addr().unwrap();
    let check = |path, length, cached, coding: Option<&str>| {
        let (head, body) = fetch(address, path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        assert_eq!(body.len(), length, "{path}: {head}");
        assert!(head.contains(cached), "{path}: {head}");
        let coding = coding.map(|coding| format!("Content-Encoding: {coding}\r\n"));
        let is_coded = head.contains("Content-Encoding:");
        assert_eq!(is_coded, coding.is_some(), "{path}: {head}");
        assert!(head.contains(&coding.unwrap_or_default()), "{path}: {head}");
    };
    let (hashed, plain) = ("immutable", "max-age=60");
    check("/static/css/site.928199be5824.css", 166, hashed, Some("br"));
    check("/static/css/site.css", 149, plain, Some("br"));
    check("/static/css/dot.bde3c76b55aa.svg", 63, hashed, None);
    assert_eq!(ask(address, "/static/css/site.css.br").0, 404);
    assert_eq!(ask(address, "/css/site.css").0, 404);
    handle.shutdown();
    assert_eq!(thread.join().unwrap(), Ended::Drained);
}

#[test]
fn needs_something_to_serve() {
    let error = Server::builder().start().err().unwrap();
    assert!(matches!(error, StartError::Config(_)), "{error}");
    let release = Packed::parse(&[0; 1024]).unwrap();
    let server = Server::builder()
        .packed("/", release)
        .bind(Bind::parse("127.0.0.1:0").unwrap())
        .start()
        .unwrap();
    assert_eq!(server.summary().assets, 0);
}
