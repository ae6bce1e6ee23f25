//! Clients that stall, flood, or send what nobody reads.

use std::io::Write;
use std::time::Duration;

use super::super::{Entry, Message, Options};
use super::{Running, all, bodies, on_both, tls};
use crate::connection::Settings;

/// What each kind of dead client is let go after here.
fn hasty(options: &mut Options) {
    let second = Duration::from_secs(1);
    options.settings = Settings {
        head_timeout: second,
        body_timeout: second,
        idle_timeout: second,
        write_timeout: second,
        ..options.settings.clone()
    };
}

#[test]
fn dead_clients_are_let_go() {
    let (server, _) = tls(b"http/1.1");
    let running = Running::start(true, |options| {
        hasty(options);
        options.tls = Some(server);
    });
    let mut silent = running.connect(Entry::Plain, b"");
    let mut half_head = running.connect(Entry::Plain, b"GET / HT");
    let mut second = running.connect(Entry::Plain, b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\nHEAD ");
    let mut idle = running.connect(Entry::Plain, b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(bodies(&mut idle, 1).len(), 1);
    let half_body = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx";
    let mut half_body = running.connect(Entry::Plain, half_body);
    let mut half_handshake = running.connect(Entry::Tls, b"\x16\x03\x01");
    let unread = running.connect(Entry::Plain, b"");
    let request = b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
    (&unread).write_all(request).unwrap();
    for client in [&mut silent, &mut idle, &mut half_handshake] {
        assert_eq!(all(client), "");
    }
    let text = all(&mut half_head);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.ends_with("408 Request Timeout\n"), "{text}");
    let text = all(&mut second);
    assert!(text.contains("GET /a; HTTP/1.1 408 "), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
    let text = all(&mut half_body);
    assert!(text.ends_with("POST /b broken"), "{text}");
    // It does not even notice the end, and must be let go all the same.
    assert_eq!(running.end(Message::Close).cut_count, 0);
    drop(unread);
}

#[test]
fn a_refused_upload_is_read_on_for_a_while() {
    let running = Running::start(true, |_| {});
    let head = b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n";
    let mut client = running.connect(Entry::Plain, head);
    for _ in 0..90 {
        client.write_all(&[b'x'; 10_000]).unwrap();
    }
    assert!(all(&mut client).ends_with("\r\n\r\nearly"));
    running.end(Message::Close);
}

/// The write side stayed open until the rest of the upload had come, or for as long as that may
/// take; the client waited for an answer that had broken off.
#[test]
fn an_answer_that_breaks_off_ends_before_the_upload_does() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let head = b"POST /broken HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nx";
        let mut client = running.connect(Entry::Plain, head);
        all(&mut client);
        // Of a lane that still reads; a closed socket would refuse it.
        client.write_all(b"x").unwrap();
        running.end(Message::Close);
    });
}

/// A lane that slept until the next arrival never looked at the only one it had.
#[test]
fn a_dead_client_is_let_go_without_others() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, hasty);
        let mut silent = running.connect(Entry::Plain, b"");
        assert_eq!(all(&mut silent), "");
        running.end(Message::Close);
    });
}
