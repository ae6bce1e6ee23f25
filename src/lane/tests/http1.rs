//! HTTP/1.1 without TLS: order, ends and drains.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::super::{Arrival, Entry, Message};
use super::{Running, SETTLING, all, bodies, on_both};

#[test]
fn answers_what_was_received_before_in_order() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let mut client = running.connect(
            Entry::Plain,
            b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nxy",
        );
        client
            .write_all(b"z;GET /c; HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        let expected = ["GET /a; ", "POST /b xyz;", "GET /c; "];
        assert_eq!(bodies(&mut client, 3), expected);
        assert_eq!(running.lane.arrivals().connection_count(), 1);
        drop(client);
        assert_eq!(running.end(Message::Close).cut_count, 0);
    });
}

#[test]
fn answers_a_client_that_has_shut_down_its_sending_side() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let mut client = running.connect(Entry::Plain, b"");
        client
            .write_all(b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let text = all(&mut client);
        assert!(text.ends_with("GET /a; "), "{text}");
        assert!(!text.contains("sendfile"), "{text}");
        running.end(Message::Close);
    });
}

#[test]
fn a_panic_costs_one_connection() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let mut other = running.connect(Entry::Plain, b"");
        let mut client = running.connect(Entry::Plain, b"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(all(&mut client), "");
        other
            .write_all(b"GET /b; HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        assert_eq!(bodies(&mut other, 1), ["GET /b; "]);
        drop(other);
        running.end(Message::Close);
    });
}

#[test]
fn draining_ends_what_is_idle_and_answers_what_is_asked() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let request = b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\n";
        let mut idle = running.connect(Entry::Plain, request);
        assert_eq!(bodies(&mut idle, 1).len(), 1);
        let upload = b"POST /b; HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
        let mut busy = running.connect(Entry::Plain, upload);
        std::thread::sleep(SETTLING);
        running.lane.tell(Message::Drain);
        assert_eq!(all(&mut idle), "");
        let mut late = running.connect(Entry::Plain, request);
        assert!(all(&mut late).ends_with("GET /a; "));
        busy.write_all(b"z").unwrap();
        assert!(all(&mut busy).ends_with("POST /b; z"));
        assert_eq!(running.end(Message::Close).cut_count, 0);
    });
}

#[test]
fn stopping_cuts_off_what_is_not_idle() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let mut idle = running.connect(Entry::Plain, b"GET /a; HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(bodies(&mut idle, 1).len(), 1);
        let mut busy = running.connect(Entry::Plain, b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
        std::thread::sleep(SETTLING);
        assert_eq!(running.end(Message::Stop).cut_count, 1);
        assert_eq!(all(&mut idle) + &all(&mut busy), "");
    });
}

/// hyper drops a length beside a coding, and reads lines without their returns.
#[test]
fn later_requests_are_held_to_what_the_first_is_held_to() {
    let check = |rest: &str, expected: &str| {
        let running = Running::start(true, |_| {});
        let request = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n;";
        let mut client = running.connect(Entry::Plain, request.as_bytes());
        client.write_all(rest.as_bytes()).unwrap();
        let text = all(&mut client);
        let (first, second) = text.split_once(';').unwrap();
        assert!(first.ends_with("\r\n\r\nPOST /a "), "{text}");
        assert!(second.starts_with(expected), "{rest:?}: {text}");
        assert_eq!(second.matches("HTTP/1.1 ").count(), 1, "{rest:?}: {text}");
        drop(client);
        running.end(Message::Close);
    };
    let post = "POST /b HTTP/1.1\r\nHost: h\r\n";
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n");
    check(
        &format!("{chunked}Content-Length: 5\r\n\r\n0\r\n\r\n"),
        "HTTP/1.1 400 ",
    );
    check("GET /b HTTP/1.1\nHost: h\n\n", "HTTP/1.1 400 ");
    check("GET /b HTTP/1.1\r\n Host: h\r\n\r\n", "HTTP/1.1 400 ");
    check(
        "GET /b HTTP/1.1\r\nHost: h\r\na : b\r\n\r\n",
        "HTTP/1.1 400 ",
    );
    check("GET /b HTTP/3.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 ");
    check(
        &format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n"),
        "HTTP/1.1 501 ",
    );
    check(
        &format!("GET /b HTTP/1.1\r\na: {}", "b".repeat(20_000)),
        "HTTP/1.1 431 ",
    );
    // Whoever reads such a body is told that it broke, and answers.
    check(&format!("{chunked}\r\n1\nx\n0\n\n"), "HTTP/1.1 200 ");
}

#[test]
fn what_arrives_after_its_end_is_closed() {
    let running = Running::start(false, |_| {});
    let arrivals = running.lane.arrivals();
    running.end(Message::Stop);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    arrivals.push(Arrival {
        socket: OwnedFd::from(theirs),
        received: Vec::new(),
        half_closed: false,
        entry: Entry::Plain,
    });
    assert_eq!(all(&mut ours), "");
    assert_eq!(arrivals.connection_count(), 0);
}

#[test]
fn sends_clients_without_tls_there() {
    let running = Running::start(false, |_| {});
    let check = |request: &str, expected: &str| {
        let mut client = running.connect(Entry::Redirect, request.as_bytes());
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let text = all(&mut client);
        assert!(text.contains(expected), "{request:?}: {text}");
    };
    check(
        "POST /a?b HTTP/1.1\r\nHost: c:80\r\n\r\n",
        "location: https://c:8443/a?b\r\n",
    );
    check("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    check("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "HTTP/1.1 400 ");
    check("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "HTTP/1.1 405 ");
    running.end(Message::Close);
}

/// What comes behind a switch is not HTTP, also what came with it; and it ends with the lane.
#[test]
fn a_switched_connection_goes_on_until_the_lane_is_stopped() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let head =
            "GET /switch HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        let mut client = running.connect(Entry::Plain, format!("{head}\0early;").as_bytes());
        let mut text = String::new();
        let mut room = [0; 256];
        for said in ["\0early;", "\0late;", "\0drained;"] {
            while !text.ends_with(said) {
                let count = client.read(&mut room).unwrap();
                assert!(count > 0, "{text:?}");
                text.push_str(std::str::from_utf8(&room[..count]).unwrap());
            }
            match said {
                "\0early;" => client.write_all(b"\0late;").unwrap(),
                "\0late;" => {
                    running.lane.tell(Message::Drain);
                    running.lane.tell(Message::Close);
                    std::thread::sleep(SETTLING);
                    client.write_all(b"\0drained;").unwrap();
                }
                _ => {}
            }
        }
        assert!(text.starts_with("HTTP/1.1 101 "), "{text:?}");
        assert_eq!(running.end(Message::Stop).cut_count, 1);
        assert_eq!(all(&mut client), "");
    });
}

#[test]
fn what_wanted_a_switch_and_did_not_get_one_is_followed_by_requests() {
    let running = Running::start(true, |_| {});
    let head = "GET /a; HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut client = running.connect(Entry::Plain, format!("{head}{head}\0").as_bytes());
    // What is no request either ends the connection.
    let text = all(&mut client);
    assert_eq!(text.matches("\r\n\r\nGET /a; ").count(), 2, "{text}");
    running.end(Message::Close);
}
