//! Requests that go to an application past hyper, and those that have to come back to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::{Entry, Message, Options};
use super::{PATIENCE, Running, SETTLING, name, on_both, site, tls};
use crate::fallback::proxy::{self, Address, Proxy};

/// An application server that answers by the path: `/long…` with a body that comes in parts,
/// `/chunks…` without a length, `/broken…` with less than it announced, `/slow…` late.
struct Application {
    address: SocketAddr,
    request_count: Arc<AtomicUsize>,
}

impl Application {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let request_count = Arc::<AtomicUsize>::default();
        let count_there = Arc::clone(&request_count);
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let count = Arc::clone(&count_there);
                std::thread::spawn(move || converse(socket, &count));
            }
        });
        Self {
            address,
            request_count,
        }
    }

    /// Puts a proxy to it behind the files.
    fn behind(&self, options: &mut Options) {
        options.fallback = Some(Arc::new(Proxy::new(proxy::Options {
            addresses: vec![Address::Tcp("127.0.0.1".to_owned(), self.address.port())],
            connect_timeout: PATIENCE,
            timeout: PATIENCE,
            connection_count_max: 8,
            upload_bytes_max: 1 << 20,
            trust_forwarded: false,
        })));
    }
}

fn converse(mut socket: TcpStream, request_count: &AtomicUsize) {
    let mut received = Vec::new();
    let mut room = [0; 4096];
    loop {
        while let Some(end) = memchr::memmem::find(&received, b"\r\n\r\n") {
            let head = String::from_utf8(received.drain(..end + 4).collect()).unwrap();
            let path = head.split(' ').nth(1).unwrap();
            request_count.fetch_add(1, Ordering::Relaxed);
            if respond(&mut socket, path).is_err() {
                return;
            }
        }
        match socket.read(&mut room) {
            Ok(count @ 1..) => received.extend_from_slice(&room[..count]),
            Ok(_) | Err(_) => return,
        }
    }
}

fn respond(socket: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let ok = "HTTP/1.1 200 OK\r\n";
    if path.starts_with("/chunks") {
        let body = format!("{ok}Transfer-Encoding: chunked\r\n\r\n7;a\r\n{path:7.7}\r\n");
        socket.write_all(body.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        return socket.write_all(b"1\r\n;\r\n0\r\n\r\n");
    }
    if path.starts_with("/long") {
        let body = long();
        write!(socket, "{ok}Content-Length: {}\r\n\r\n", body.len())?;
        return body
            .chunks(70_000)
            .try_for_each(|part| socket.write_all(part));
    }
    if path.starts_with("/broken") {
        write!(socket, "{ok}Content-Length: 100000\r\n\r\npart")?;
        return Err(std::io::ErrorKind::BrokenPipe.into());
    }
    if path.starts_with("/slow") {
        std::thread::sleep(3 * SETTLING);
    }
    let length = path.len() + 1;
    write!(socket, "{ok}Content-Length: {length}\r\n\r\n{path};")
}

/// More than sockets hold, and no part like another.
fn long() -> Vec<u8> {
    (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// What a client gets that asks for `paths` at once, the last of which ends the connection.
fn ask(running: &Running, tls: Option<Arc<rustls::ClientConfig>>, paths: &[&str]) -> Vec<u8> {
    let (last, others) = paths.split_last().unwrap();
    let mut requests: String = others.iter().map(|path| get(path, "")).collect();
    requests += &get(last, "Connection: close\r\n");
    let mut answers = Vec::new();
    match tls {
        None => {
            let mut socket = running.connect(Entry::Plain, requests.as_bytes());
            let _ = socket.read_to_end(&mut answers);
        }
        Some(tls) => {
            let mut socket = running.connect(Entry::Tls, b"");
            let mut session = rustls::ClientConnection::new(tls, name()).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            stream.write_all(requests.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut answers);
        }
    }
    answers
}

/// The bodies of answers, which announce their length or come in chunks.
fn bodies(mut answers: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(end) = memchr::memmem::find(answers, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&answers[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 ok"), "{head}");
        let rest = &answers[end + 4..];
        let length = match head.split("content-length: ").nth(1) {
            Some(length) => length.lines().next().unwrap().parse().unwrap(),
            None => memchr::memmem::find(rest, b"0\r\n\r\n").unwrap() + 5,
        };
        found.push(rest[..length].to_vec());
        answers = &rest[length..];
    }
    assert!(answers.is_empty());
    found
}

#[test]
fn answers_come_in_order_whichever_way_they_took() {
    on_both(|uses_uring| {
        let (_directory, snapshot, large) = site();
        let application = Application::start();
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            options.published = Arc::new(snapshot);
            application.behind(options);
        });
        let paths = [
            "/a",
            "/small.txt",
            "/long",
            "/b",
            "/large.bin",
            "/chunks/1",
            "/c",
            "/small.txt",
            "/long",
            "/chunks/2",
            "/d",
        ];
        for tls in [None, Some(client)] {
            let before = application.request_count.load(Ordering::Relaxed);
            let found = bodies(&ask(&running, tls, &paths));
            assert_eq!(found.len(), paths.len());
            for (path, body) in paths.iter().zip(&found) {
                let is_right = match *path {
                    "/small.txt" => *body == *b"small",
                    "/large.bin" => *body == large,
                    "/long" => *body == long(),
                    path if path.starts_with("/chunks") => {
                        body.starts_with(b"7\r\n/chunks\r\n") && body.ends_with(b"0\r\n\r\n")
                    }
                    path => *body == format!("{path};").into_bytes(),
                };
                assert!(is_right, "{path}: {} bytes", body.len());
            }
            let count = application.request_count.load(Ordering::Relaxed) - before;
            assert_eq!(count, 8, "each request is passed on once");
        }
        running.end(Message::Close);
    });
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete() {
    on_both(|uses_uring| {
        let application = Application::start();
        let (server, client) = tls(b"http/1.1");
        let running = Running::start(uses_uring, |options| {
            options.tls = Some(server);
            application.behind(options);
        });
        for tls in [None, Some(client)] {
            let answers = ask(&running, tls, &["/broken", "/a"]);
            let text = String::from_utf8(answers).unwrap();
            assert!(!text.contains("/a;"), "{text}");
            assert!(text.is_empty() || text.ends_with("\r\n\r\npart"), "{text}");
        }
        running.end(Message::Close);
    });
}

#[test]
fn answers_of_the_application_carry_hsts_over_tls() {
    let application = Application::start();
    let (server, client) = tls(b"http/1.1");
    let running = Running::start(false, |options| {
        options.tls = Some(server);
        options.hsts_seconds = Some(60);
        application.behind(options);
    });
    let check = |tls, count| {
        let answers = ask(&running, tls, &["/a", "/chunks", "/b"]);
        let text = String::from_utf8(answers).unwrap();
        let hsts = "strict-transport-security: max-age=60\r\n";
        assert_eq!(text.matches(hsts).count(), count, "{text}");
        assert_eq!(text.matches("\r\ndate: ").count(), 3, "{text}");
    };
    check(None, 0);
    check(Some(client), 3);
    running.end(Message::Close);
}

/// A client that does not read is let go, whatever it is sent.
#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    on_both(|uses_uring| {
        let application = Application::start();
        let running = Running::start(uses_uring, |options| {
            options.settings.write_timeout = Duration::from_secs(1);
            application.behind(options);
        });
        let mut client = running.connect_tcp(Entry::Plain);
        client.write_all(get("/long", "").as_bytes()).unwrap();
        let arrivals = running.lane.arrivals();
        let started = std::time::Instant::now();
        while arrivals.connection_count() > 0 {
            assert!(started.elapsed() < PATIENCE);
            std::thread::sleep(SETTLING);
        }
        let mut received = Vec::new();
        let _ = client.read_to_end(&mut received);
        assert!(received.len() < long().len());
        // The next is answered.
        assert_eq!(bodies(&ask(&running, None, &["/a"])), [b"/a;"]);
        running.end(Message::Close);
    });
}

/// The last answer of a lane that drains says so, unless more has been asked.
#[test]
fn the_last_answer_says_that_the_connection_ends() {
    on_both(|uses_uring| {
        let application = Application::start();
        let running = Running::start(uses_uring, |options| application.behind(options));
        let mut client = running.connect(Entry::Plain, get("/slow/1", "").as_bytes());
        let mut other = running.connect(Entry::Plain, get("/slow/2", "").as_bytes());
        std::thread::sleep(SETTLING);
        client.write_all(get("/b", "").as_bytes()).unwrap();
        running.lane.tell(Message::Drain);
        let text = super::all(&mut client);
        let (first, second) = text.split_once("/slow/1;").unwrap();
        assert!(!first.contains("connection: close"), "{text}");
        assert!(second.contains("\r\nconnection: close\r\n"), "{text}");
        assert!(second.ends_with("\r\n\r\n/b;"), "{text}");
        let text = super::all(&mut other);
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n/slow/2;"), "{text}");
        assert_eq!(running.end(Message::Close).cut_count, 0);
    });
}
