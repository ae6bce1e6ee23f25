//! How connections end: kept, closed on request, half closed, reset; and that nothing is left.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::support::client::{Client, ReadError, request};
use crate::support::sandbox::shrink_receive_buffer;
use crate::support::server::Serve;
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::{SOON, eventually};

/// So much does not fit the buffers between a server and a client.
const TOTAL_BYTES: usize = 40_000_000;

const LARGE_BYTES: usize = 5 * 1024 * 1024;

/// `/memory.bin` and `/disk.bin`, one in memory and one too large for that, with their contents.
fn with_large_files(site: &Site) -> [(&'static str, Vec<u8>); 2] {
    let files = [
        ("/memory.bin", pattern(6, 250_000)),
        ("/disk.bin", pattern(7, LARGE_BYTES)),
    ];
    for (target, content) in &files {
        site.file(&target[1..], content);
    }
    files
}

reactor_test!(keeps_or_closes_as_asked, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let check = |version: &str, fields: &str, kept: bool, announced: Option<&str>| {
        let mut client = server.connect();
        client.send(format!(
            "GET /digits.txt HTTP/{version}\r\nHost: a\r\n{fields}\r\n"
        ));
        let answer = client.response("GET").expect(200);
        assert_eq!(answer.body, DIGITS, "{version} {fields:?}");
        let connection = answer.field("Connection").map(str::to_ascii_lowercase);
        assert_eq!(connection.as_deref(), announced, "{version} {fields:?}");
        if kept {
            client.get("/digits.txt").expect(200);
            client.finish();
        } else {
            client.expect_close();
        }
    };
    check("1.1", "", true, None);
    check("1.1", "Connection: keep-alive\r\n", true, None);
    check("1.1", "Connection: close\r\n", false, Some("close"));
    check("1.1", "Connection: CLOSE\r\n", false, Some("close"));
    check(
        "1.1",
        "Connection: keep-alive, close\r\n",
        false,
        Some("close"),
    );
    check(
        "1.1",
        "Connection: x\r\nConnection: close\r\n",
        false,
        Some("close"),
    );
    check(
        "1.0",
        "Connection: keep-alive\r\n",
        true,
        Some("keep-alive"),
    );

    let mut client = server.connect();
    client.send("GET /digits.txt HTTP/1.0\r\n\r\n");
    assert_eq!(client.response("GET").expect(200).body, DIGITS);
    client.expect_close();
});

// Closing over bytes that nobody has read resets the connection.
reactor_test!(a_byte_behind_the_last_request_resets_nothing, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    // One byte more than the ring engine's receive buffers hold.
    let mut head = "GET /digits.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ".to_owned();
    head.extend(std::iter::repeat_n('x', 2_048 - head.len() - 4));
    let mut filling_a_buffer = server.connect();
    filling_a_buffer.send(head + "\r\n\r\nx");
    assert_eq!(filling_a_buffer.response("GET").expect(200).body, DIGITS);
    let end = filling_a_buffer.stream.read(&mut [0]);
    assert!(matches!(end, Ok(0)), "{end:?}");
});

// io_uring polls for the peer's half-close whether asked to or not: sends gave up, and waits for
// room completed at once, for ever.
reactor_test!(
    half_closed_clients_that_read_late_get_everything,
    |engine| {
        let site = Site::small();
        let files = with_large_files(&site);
        let server = Serve::new(engine, site.root()).start();
        for (target, content) in &files {
            let mut client = server.connect();
            let count = TOTAL_BYTES.div_ceil(content.len());
            for _ in 0..count {
                client.send(request("GET", target, &[]));
            }
            client.stream.shutdown(Shutdown::Write).unwrap();
            let before = server.cpu_time();
            thread::sleep(Duration::from_secs(1));
            let used = server.cpu_time() - before;
            assert!(
                used < Duration::from_millis(500),
                "{target}: {used:?} in a second of waiting"
            );
            for _ in 0..count {
                assert!(
                    client.response("GET").expect(200).body == *content,
                    "{target}"
                );
            }
            client.expect_close();
        }
    }
);

reactor_test!(half_closed_clients_get_everything, |engine| {
    let site = Site::small();
    let files = with_large_files(&site);
    let server = Serve::new(engine, site.root()).start();
    for (target, content) in &files {
        let mut client = server.connect();
        client.send(
            [
                request("GET", "/digits.txt", &[]),
                request("GET", target, &[]),
            ]
            .concat(),
        );
        client.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.response("GET").expect(200).body, DIGITS);
        assert!(
            client.response("GET").expect(200).body == *content,
            "{target}"
        );
        client.expect_close();
    }
    // Half a request and no more to come: nothing to answer, or a refusal; then the end.
    let mut client = server.connect();
    client.send("GET /digits.txt HT");
    client.stream.shutdown(Shutdown::Write).unwrap();
    match client.try_response("GET") {
        Ok(answer) => assert_eq!(answer.status, 400),
        Err(error) => assert!(error.is_closed(), "{error:?}"),
    }
    client.expect_close();
});

reactor_test!(slow_readers_get_every_byte, |engine| {
    let site = Site::small();
    let files = with_large_files(&site);
    let server = Serve::new(engine, site.root()).start();
    thread::scope(|scope| {
        for (target, content) in &files {
            let mut client = server.connect();
            shrink_receive_buffer(&client.stream, 16 * 1024);
            scope.spawn(move || {
                client.send_request("GET", target, &[]);
                let mut received = Vec::new();
                let mut piece = vec![0; 128 * 1024];
                while received.len() < content.len() {
                    let count = match client.stream.read(&mut piece) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                        result => result.unwrap(),
                    };
                    assert_ne!(count, 0, "{target} ended after {} bytes", received.len());
                    received.extend_from_slice(&piece[..count]);
                    thread::sleep(Duration::from_millis(3));
                }
                client.stream.shutdown(Shutdown::Write).unwrap();
                client.stream.read_to_end(&mut received).unwrap();
                assert!(received.ends_with(content), "{target}");
            });
        }
    });
});

reactor_test!(resets_leave_nothing_behind, |engine| {
    let site = Site::small();
    with_large_files(&site);
    // One worker: each keeps descriptors of its own, which are open after the first requests.
    let server = Serve::new(engine, site.root()).workers(1).start();
    for target in ["/memory.bin", "/disk.bin"] {
        server.get(target).expect(200);
    }
    let before = server.settled_descriptor_count();
    for round in 0..40_usize {
        for target in ["/memory.bin", "/disk.bin"] {
            let mut client = server.connect();
            shrink_receive_buffer(&client.stream, 16 * 1024);
            client.send(request("GET", target, &[]).repeat(3));
            client.receive_at_least(1 + 3000 * (round % 20));
            // Closed with bytes unread, the kernel sends a reset.
            drop(client);
        }
        // Gone before, within and right behind a head.
        for sent in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut client = server.connect();
            client.send(sent);
        }
    }
    eventually("descriptors return", SOON, || {
        server.descriptor_count() <= before
    });
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
});

reactor_test!(serves_three_hundred_connections_at_once, |engine| {
    let site = Site::small();
    let files = with_large_files(&site);
    let server = Serve::new(engine, site.root()).start();
    let mut clients: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    for round in 0..3 {
        for (index, client) in clients.iter_mut().enumerate() {
            let (large, _) = files[index % 2];
            let target = if (index + round) % 50 == 0 {
                large
            } else {
                "/digits.txt"
            };
            client.send_request("GET", target, &[]);
        }
        for (index, client) in clients.iter_mut().enumerate() {
            let answer = client.response("GET").expect(200);
            let large = (index + round) % 50 == 0;
            let content = if large {
                &files[index % 2].1[..]
            } else {
                &DIGITS
            };
            assert!(answer.body == content, "client {index} in round {round}");
        }
    }
    clients.into_iter().for_each(Client::finish);
});

reactor_test!(connections_that_say_nothing_are_no_harm, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for _ in 0..200 {
        drop(server.connect());
    }
    let mut client = server.connect();
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(client.try_response("GET"), Err(ReadError::Closed)));
    server.get("/").expect(200);
});
