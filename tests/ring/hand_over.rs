//! Connections that leave a worker of either engine for good: with their sockets, everything that
//! was sent and not answered, and nothing that the kernel still works on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use whitering::internal::reactor::{Ended, Handed, Message};

use crate::client::request;
use crate::outlet::{Engine, MARK, PATIENCE, Worker};
use crate::site::{NAMES, Site};
use crate::worker::{alone, descriptor_count, ring};

/// Goes on with a connection: everything that comes of it, until the client sends no more.
fn rest_of(handed: Handed) -> (Vec<u8>, TcpStream) {
    let mut stream = TcpStream::from(handed.socket);
    let mut bytes = handed.received;
    // Both engines accept that way, and who goes on needs it.
    let flags = flags(&stream);
    assert!(flags & libc::O_NONBLOCK != 0 && flags & libc::O_CLOEXEC != 0);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    (bytes, stream)
}

/// The flags of a descriptor (open(2)).
fn flags(stream: &TcpStream) -> i32 {
    let path = format!("/proc/self/fdinfo/{}", stream.as_raw_fd());
    let text = std::fs::read_to_string(path).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("flags:"));
    i32::from_str_radix(value.unwrap().trim(), 8).unwrap()
}

/// Runs `test` on each engine that there is, alone.
fn on_each(test: impl Fn(Engine)) {
    if let Some((_, _alone)) = ring() {
        test(Engine::Uring);
    }
    let _alone = alone();
    test(Engine::Epoll);
}

/// Clients whose requests for files are answered, and whose others are handed over: in one piece
/// or torn, with more behind them.
#[test]
fn not_a_byte_is_lost_between_two_who_answer() {
    on_each(|engine| {
        let before = descriptor_count();
        let site = Site::new(1);
        let worker = Worker::start(engine, &site, 1_000);
        for round in 0..ROUND_COUNT {
            let name = NAMES[round % NAMES.len()];
            let ours = request("GET", &format!("/{name}"), &[]).repeat(round % 4);
            let length = 10 + round * 997;
            let mut theirs = request(
                "POST",
                &format!("/missing-{round}"),
                &[("Content-Length", &length.to_string())],
            );
            theirs.extend((0..length).map(|index| (index % 251) as u8));
            let all = [&ours[..], &theirs].concat();
            let mut client = worker.connect(0);
            let mut writer = client.try_clone().unwrap();
            let piece = if round % 2 == 0 {
                all.len()
            } else {
                1 + round * 131
            };
            let sender = thread::spawn(move || {
                for piece in all.chunks(piece) {
                    writer.write_all(piece).unwrap();
                }
                writer.shutdown(Shutdown::Write).unwrap();
            });
            // Read at the same time, or nobody could send.
            let reader = thread::spawn(move || {
                let mut answers = Vec::new();
                client.read_to_end(&mut answers).unwrap();
                answers
            });
            let handed = worker.next();
            assert_eq!(handed.mark, None);
            let (bytes, mut stream) = rest_of(handed);
            assert!(bytes == theirs, "{engine:?}, round {round}");
            stream.write_all(b"over").unwrap();
            drop(stream);
            sender.join().unwrap();
            let answers = reader.join().unwrap();
            let content = site.content(name);
            let answer_bytes = answers.len() - b"over".len();
            assert!(answers.ends_with(b"over"));
            if round % 4 > 0 {
                assert!(answers[..answer_bytes].ends_with(&content));
                assert!(answer_bytes > content.len() * (round % 4));
            } else {
                assert_eq!(answer_bytes, 0);
            }
        }
        let (ended, handed) = worker.end(Message::Drain);
        assert_eq!(ended, Ended::default());
        assert!(handed.is_empty());
        drop((handed, site));
        assert_eq!(descriptor_count(), before);
    });
}

#[test]
fn a_marked_listener_hands_over_what_nobody_has_read() {
    on_each(|engine| {
        let site = Site::new(1);
        let worker = Worker::start(engine, &site, 1_000);
        let mut client = worker.connect(1);
        let bytes = request("GET", &format!("/{}", NAMES[0]), &[]);
        client.write_all(&bytes).unwrap();
        let handed = worker.next();
        assert!(handed.mark == Some(MARK) && handed.received.is_empty());
        assert!(!handed.half_closed);
        client.shutdown(Shutdown::Write).unwrap();
        assert!(rest_of(handed).0 == bytes);
        worker.end(Message::Stop);
    });
}

#[test]
fn a_preface_is_handed_over_whole() {
    on_each(|engine| {
        let site = Site::new(1);
        let worker = Worker::start(engine, &site, 1_000);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut client = worker.connect(0);
        client.write_all(&preface[..20]).unwrap();
        thread::sleep(Duration::from_millis(30));
        assert!(worker.handed.is_empty());
        client.write_all(&preface[20..]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(rest_of(worker.next()).0 == preface);
        worker.end(Message::Stop);
    });
}

/// Those that were handed over count, until they have ended; then the next tick sees that there
/// is room.
#[test]
fn what_was_handed_over_takes_the_room_of_others() {
    on_each(|engine| {
        let site = Site::new(1);
        let worker = Worker::start(engine, &site, 2);
        let mut clients: Vec<TcpStream> = (0..2).map(|_| worker.connect(0)).collect();
        for client in &mut clients {
            client.write_all(&request("GET", "/missing", &[])).unwrap();
        }
        let handed = [worker.next(), worker.next()];
        let mut late = worker.connect(0);
        late.write_all(&request("GET", &format!("/{}", NAMES[0]), &[]))
            .unwrap();
        late.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let error = late.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{engine:?}");
        drop(handed);
        worker.count.store(0, Ordering::SeqCst);
        late.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(late.read(&mut [0]).unwrap(), 1, "{engine:?}");
        worker.end(Message::Stop);
    });
}

#[test]
fn a_panic_of_who_takes_over_costs_that_connection_only() {
    on_each(|engine| {
        let site = Site::new(1);
        let worker = Worker::start(engine, &site, 1_000);
        let mut client = worker.connect(0);
        client.write_all(&request("GET", "/panic", &[])).unwrap();
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
        let mut client = worker.connect(0);
        client.write_all(&request("GET", "/missing", &[])).unwrap();
        drop(worker.next());
        assert_eq!(worker.end(Message::Drain).0.panic_count, 1);
    });
}

/// An invariant of the server is broken, which costs that connection only.
#[test]
fn without_anybody_to_take_over_a_connection_is_reset() {
    on_each(|engine| {
        let site = Site::new(1);
        let worker = Worker::start_without_outlet(engine, &site);
        let mut client = worker.connect(0);
        let name = NAMES[0];
        client.write_all(&request("GET", "/missing", &[])).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{engine:?}");
        // Nor is there anybody for these.
        assert!(matches!(worker.connect(1).read(&mut [0]), Ok(0) | Err(_)));
        let mut client = worker.connect(0);
        let bytes = request("GET", &format!("/{name}"), &[]);
        client.write_all(&bytes).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 1, "{engine:?}");
        worker.end(Message::Stop);
    });
}

const ROUND_COUNT: usize = 60;
