//! Files: those that change while a lane serves them, and those of a new snapshot.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{Entry, Message};
use super::{Running, all, bodies, name, on_both, site, tls};

const FALLBACK: &str = "GET /b; HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_changed_file_is_noticed() {
    on_both(|uses_uring| {
        let (directory, snapshot, _) = site();
        let (server, client) = tls(b"http/1.1");
        let count = Arc::new(AtomicUsize::new(0));
        let running = Running::start(uses_uring, |options| {
            let count = Arc::clone(&count);
            options.published = Arc::new(snapshot);
            options.tls = Some(server);
            options.on_stale = Arc::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
        });
        std::fs::write(directory.path().join("new"), "other").unwrap();
        std::fs::rename(
            directory.path().join("new"),
            directory.path().join("large.bin"),
        )
        .unwrap();
        let request = "GET /large.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        // By hyper.
        let mut plain = running.connect(Entry::Plain, format!("{FALLBACK}{request}").as_bytes());
        let text = all(&mut plain);
        assert!(text.contains(" 503 "), "{text}");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        // By the worker's own code.
        let mut socket = running.connect(Entry::Tls, b"");
        let mut session = rustls::ClientConnection::new(client, name()).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert_eq!(count.load(Ordering::Relaxed), 2);
        drop((plain, socket));
        running.end(Message::Close);
    });
}

#[test]
fn a_file_stays_open_for_the_next_request() {
    let (directory, snapshot, large) = site();
    let running = Running::start(true, |options| options.published = Arc::new(snapshot));
    let mut requests = FALLBACK.to_owned();
    for _ in 0..2 {
        requests += "GET /large.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=4-7\r\n\r\n";
    }
    let mut client = running.connect(Entry::Plain, requests.as_bytes());
    let mut received = Vec::new();
    let mut room = [0; 4096];
    while memchr::memmem::find_iter(&received, &large[4..8]).count() < 2 {
        let count = client.read(&mut room).unwrap();
        received.extend_from_slice(&room[..count]);
    }
    // Its name is gone, and it is the same file.
    std::fs::remove_file(directory.path().join("large.bin")).unwrap();
    let last = "GET /large.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    client.write_all(last.as_bytes()).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received.ends_with(&large));
    running.end(Message::Close);
}

#[test]
fn a_new_snapshot_answers_from_the_next_request_on() {
    let (_directory, snapshot, _) = site();
    let (_other_directory, other, _) = site();
    let running = Running::start(true, |options| options.published = Arc::new(snapshot));
    let request = b"GET /small.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut client = running.connect(Entry::Plain, FALLBACK.as_bytes());
    assert_eq!(bodies(&mut client, 1), ["GET /b; "]);
    for (published, expected) in [
        (None, "small"),
        (Some(crate::assets::Snapshot::default()), "GET /small.txt "),
        (Some(other), "small"),
    ] {
        if let Some(snapshot) = published {
            running.lane.tell(Message::Publish(Arc::new(snapshot)));
            // In the same queue, so that it is there once this is answered.
            let mut later = running.connect(Entry::Plain, FALLBACK.as_bytes());
            assert_eq!(bodies(&mut later, 1).len(), 1);
        }
        client.write_all(request).unwrap();
        let mut text = String::new();
        let mut room = [0; 4096];
        while !text.ends_with(expected) {
            let count = client.read(&mut room).unwrap();
            assert!(count > 0, "{text}");
            text.push_str(std::str::from_utf8(&room[..count]).unwrap());
        }
    }
    drop(client);
    running.end(Message::Close);
}
