//! HTTP/1.1 over TLS.

use std::io::{Read, Write};
use std::sync::Arc;

use super::super::{Entry, Message};
use super::{Running, SETTLING, name, on_both, site, tls};

#[test]
fn answers_over_tls_what_names_no_file() {
    on_both(|uses_uring| {
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            options.hsts_seconds = Some(60);
        });
        let mut socket = running.connect(Entry::Tls, b"");
        let mut session = rustls::ClientConnection::new(client, name()).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        let request = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx";
        stream.write_all(request.as_bytes()).unwrap();
        stream
            .write_all(b";GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.contains("\r\n\r\nPOST /a x;HTTP/1.1 200 OK"), "{text}");
        assert!(text.ends_with("\r\n\r\nGET /b "), "{text}");
        let hsts = "strict-transport-security: max-age=60\r\n";
        assert_eq!(text.matches(hsts).count(), 2, "{text}");
        drop(socket);
        running.end(Message::Close);
    });
}

#[test]
fn files_are_the_same_over_tls_and_behind_another_request() {
    on_both(|uses_uring| {
        let (_directory, snapshot, large) = site();
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            options.published = Arc::new(snapshot);
        });
        let mut socket = running.connect(Entry::Tls, b"");
        let mut session = rustls::ClientConnection::new(client, name()).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        // By the worker's own code, and after the application's answer by hyper.
        let mut requests = String::new();
        for path in ["large.bin", "small.txt", "b;", "small.txt", "large.bin"] {
            requests += &format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n");
        }
        requests += "GET /small.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        stream.write_all(requests.as_bytes()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        let finder = memchr::memmem::Finder::new(&large);
        assert_eq!(finder.find_iter(&received).count(), 2);
        let answers = memchr::memmem::find_iter(&received, b"HTTP/1.1 200 OK\r\n");
        assert_eq!(answers.count(), 6);
        assert!(received.ends_with(b"\r\n\r\nsmall"));
        drop(socket);
        running.end(Message::Close);
    });
}

/// It was answered with 421, as over a connection that is not secured.
#[test]
fn https_targets_are_answered_and_refusals_carry_hsts() {
    let (_directory, snapshot, _) = site();
    let (server, client) = tls(b"http/1.1");
    let running = Running::start(true, |options| {
        options.tls = Some(server);
        options.hsts_seconds = Some(60);
        options.published = Arc::new(snapshot);
    });
    let mut socket = running.connect(Entry::Tls, b"");
    let mut session = rustls::ClientConnection::new(client, name()).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    // By the worker's own code, then by hyper, then not at all.
    for request in ["GET https://h/small.txt", "GET https://h/a", "GET /a b"] {
        let request = format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("\r\n\r\nsmallHTTP/1.1 200 "), "{text}");
    assert!(
        text.contains("\r\n\r\nGET https://h/a HTTP/1.1 400 "),
        "{text}"
    );
    let hsts = "strict-transport-security: max-age=60\r\n";
    let count = text.to_ascii_lowercase().matches(hsts).count();
    assert_eq!(count, 2, "{text}");
    drop(socket);
    running.end(Message::Close);
}

/// The request came with the end of the handshake, was decrypted by then, and was forgotten.
#[test]
fn a_request_behind_a_handshake_is_answered_while_draining() {
    on_both(|uses_uring| {
        let (_directory, snapshot, _) = site();
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            options.published = Arc::new(snapshot);
        });
        let mut socket = running.connect(Entry::Tls, b"");
        let mut session = rustls::ClientConnection::new(client, name()).unwrap();
        session.write_tls(&mut socket).unwrap();
        while session.is_handshaking() {
            session.read_tls(&mut socket).unwrap();
            session.process_new_packets().unwrap();
        }
        running.lane.tell(Message::Drain);
        let request = b"GET /small.txt HTTP/1.1\r\nHost: h\r\n\r\n";
        session.writer().write_all(request).unwrap();
        let mut flight = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut flight).unwrap();
        }
        std::thread::sleep(SETTLING);
        socket.write_all(&flight).unwrap();
        let mut text = String::new();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("\r\n\r\nsmall"), "{text}");
        drop(socket);
        running.end(Message::Close);
    });
}

/// An answer that was on its way when the end was told was lost: the client asked on, and that
/// reset the socket.
#[test]
fn an_answer_before_the_end_survives_a_request_behind_it() {
    on_both(|uses_uring| {
        let mut asked = Asked::new(uses_uring, SENT_BYTES, |running| {
            running.connect_tcp(Entry::Tls)
        });
        asked.running.lane.tell(Message::Drain);
        std::thread::sleep(SETTLING);
        asked.stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        asked.has_it_all();
    });
}

/// What had no room in the socket when the end was told was lost half a second later.
#[test]
fn an_answer_before_the_end_may_be_read_slowly() {
    on_both(|uses_uring| {
        let asked = Asked::new(uses_uring, KEPT_BYTES, |running| {
            running.connect(Entry::Tls, b"")
        });
        asked.running.lane.tell(Message::Drain);
        std::thread::sleep(50 * SETTLING);
        asked.has_it_all();
    });
}

/// A client that has asked for so many bytes of a file, and read one of the answer.
struct Asked<S: Read + Write> {
    running: Running,
    stream: rustls::StreamOwned<rustls::ClientConnection, S>,
    bytes: usize,
    _directory: tempfile::TempDir,
}

impl<S: Read + Write> Asked<S> {
    fn new(uses_uring: bool, bytes: usize, connect: impl FnOnce(&Running) -> S) -> Self {
        let (directory, snapshot, _) = site();
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            options.published = Arc::new(snapshot);
        });
        let session = rustls::ClientConnection::new(client, name()).unwrap();
        let mut stream = rustls::StreamOwned::new(session, connect(&running));
        let range = format!("Range: bytes=0-{}", bytes - 1);
        let request = format!("GET /large.bin HTTP/1.1\r\nHost: h\r\n{range}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        std::thread::sleep(SETTLING);
        Self {
            running,
            stream,
            bytes,
            _directory: directory,
        }
    }

    fn has_it_all(mut self) {
        let mut received = Vec::new();
        self.stream.read_to_end(&mut received).unwrap();
        let body = memchr::memmem::find(&received, b"\r\n\r\n").unwrap() + 4;
        assert_eq!(received.len() - body, self.bytes);
        drop(self.stream);
        self.running.end(Message::Close);
    }
}

/// More than a client's socket takes by itself, less than both sockets do.
const SENT_BYTES: usize = 300_000;

/// More than a pair of sockets takes, by less than TLS keeps.
const KEPT_BYTES: usize = 250_000;
