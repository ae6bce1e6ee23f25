//! Every wait has a total limit: clients that are silent, trickle, never read or flood are cut
//! off, and hold nobody else up meanwhile.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use crate::support::client::{Client, is_gone, request};
use crate::support::sandbox::shrink_receive_buffer;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::{SOON, eventually};

/// Far beyond any deadline set here, far below any default.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(9);

/// Repeats `step` every `pause` until it says that the peer is gone; fails if it never does.
fn until_cut_off(pause: Duration, mut step: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while step() {
        assert!(
            started.elapsed() < CUT_OFF_WITHIN,
            "not cut off after {:?}",
            started.elapsed()
        );
        std::thread::sleep(pause);
    }
    started.elapsed()
}

/// Sends one byte; whether the server has neither closed nor answered (408).
fn trickle(client: &mut Client, bytes: &mut impl Iterator<Item = u8>) -> bool {
    let byte = bytes.next().unwrap();
    let sent = client.stream.write_all(&[byte]).is_ok();
    sent && !client.has_input()
}

/// What comes of a request that was never finished: a 408 or nothing, then the end.
#[track_caller]
fn expect_timed_out(mut client: Client) {
    match client.try_response("GET") {
        Ok(answer) => drop(answer.expect(408)),
        Err(error) => assert!(error.is_closed(), "{error:?}"),
    }
    client.expect_close();
}

/// One more client has its answer while others misbehave.
#[track_caller]
fn serves_others(server: &Server) {
    let started = Instant::now();
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "others wait {:?}",
        started.elapsed()
    );
}

reactor_test!(a_trickled_head_is_cut_off, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root())
        .flags(["--head-timeout", "2"])
        .start();
    let mut client = server.connect();
    let mut bytes = request("GET", "/digits.txt?and-a-long-query-to-trickle", &[]).into_iter();
    let lasted = until_cut_off(Duration::from_secs(1), || {
        serves_others(&server);
        trickle(&mut client, &mut bytes)
    });
    assert!(
        lasted >= Duration::from_millis(900),
        "cut off after {lasted:?}"
    );
    expect_timed_out(client);
});

reactor_test!(a_silent_newcomer_is_cut_off, |engine| {
    let site = Site::small();
    let flags = ["--head-timeout", "1s", "--idle-timeout", "1s"];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    let client = server.connect();
    until_cut_off(Duration::from_millis(100), || !client.has_input());
    expect_timed_out(client);
});

reactor_test!(a_trickled_body_is_cut_off, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root())
        .flags(["--body-timeout", "2"])
        .start();
    for framing in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut client = server.connect();
        client.send(format!(
            "GET /nothing HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"
        ));
        let chunks = "3e8\r\n".bytes().chain(std::iter::repeat(b'x'));
        // A server may answer before the body is there; what counts is that it does not wait.
        let mut bytes = chunks;
        until_cut_off(Duration::from_millis(700), || {
            let sent = client.stream.write_all(&[bytes.next().unwrap()]);
            sent.is_ok() && !has_ended(&mut client)
        });
        serves_others(&server);
    }
});

/// Takes what has come; whether that was the end of the stream.
fn has_ended(client: &mut Client) -> bool {
    use std::io::Read;
    client.stream.set_nonblocking(true).unwrap();
    let read = client.stream.read(&mut [0; 4096]);
    client.stream.set_nonblocking(false).unwrap();
    match read {
        Ok(count) => count == 0,
        Err(error) => is_gone(&error),
    }
}

reactor_test!(an_idle_connection_is_closed, |engine| {
    let site = Site::small();
    let flags = [
        "--idle-timeout",
        "2",
        "--head-timeout",
        "60",
        "--write-timeout",
        "60",
    ];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    let mut client = server.connect();
    // Requests renew the deadline.
    for _ in 0..4 {
        client.get("/digits.txt").expect(200);
        std::thread::sleep(Duration::from_millis(700));
    }
    client.get("/digits.txt").expect(200);
    let lasted = until_cut_off(Duration::from_millis(50), || !client.has_input());
    assert!(
        lasted >= Duration::from_millis(900),
        "closed after {lasted:?}"
    );
    client.expect_close();
});

reactor_test!(a_client_that_never_reads_is_cut_off, |engine| {
    let site = Site::small();
    let contents = [
        ("/a.bin", pattern(8, 250_000)),
        ("/b.bin", pattern(9, 12 * 1024 * 1024)),
    ];
    for (target, content) in &contents {
        site.file(&target[1..], content);
    }
    // One worker: each keeps descriptors of its own, which are open after the first requests.
    let server = Serve::new(engine, site.root())
        .workers(1)
        .flags(["--write-timeout", "2"])
        .start();
    for (target, content) in &contents {
        assert!(server.get(target).expect(200).body == *content);
    }
    let before = server.settled_descriptor_count();
    // The small one is asked for so often that it cannot fit the socket buffers.
    let mut clients: Vec<Client> = Vec::new();
    for (target, count) in [("/a.bin", 60), ("/b.bin", 1)] {
        let mut client = server.connect();
        shrink_receive_buffer(&client.stream, 16 * 1024);
        client.send(request("GET", target, &[]).repeat(count));
        client.receive_at_least(1);
        clients.push(client);
    }
    let started = Instant::now();
    eventually("both are cut off", CUT_OFF_WITHIN, || {
        serves_others(&server);
        server.descriptor_count() <= before
    });
    assert!(
        started.elapsed() >= Duration::from_millis(900),
        "cut off at once"
    );
    for mut client in clients {
        let error = (0..60).find_map(|_| client.try_response("GET").err());
        assert!(error.is_some_and(|error| error.is_closed()));
    }
});

reactor_test!(a_flood_of_requests_is_bounded, |engine| {
    let site = Site::small();
    let content = pattern(10, 200_000);
    site.file("large.bin", &content);
    let server = Serve::new(engine, site.root())
        .flags(["--write-timeout", "2"])
        .start();
    server.get("/large.bin").expect(200);
    let before = server.resident_bytes();
    let mut client = server.connect();
    shrink_receive_buffer(&client.stream, 16 * 1024);
    client.stream.set_nonblocking(true).unwrap();
    let flood = [
        request("GET", "/large.bin", &[]),
        request("GET", "/digits.txt", &[]),
    ]
    .concat()
    .repeat(500);
    let (mut accepted, mut resident_max) = (0, 0);
    until_cut_off(Duration::from_millis(1), || {
        resident_max = resident_max.max(server.resident_bytes());
        match client.stream.write(&flood) {
            Ok(count) => accepted += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => serves_others(&server),
            Err(_) => return false,
        }
        assert!(accepted < 64 << 20, "the server goes on reading");
        true
    });
    let grown = resident_max.saturating_sub(before);
    assert!(
        grown < 24 << 20,
        "{grown} bytes more for one client that does not read"
    );
    serves_others(&server);
});

reactor_test!(many_silent_clients_hold_nobody_up, |engine| {
    let site = Site::small();
    let flags = ["--head-timeout", "2", "--idle-timeout", "2"];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    serves_others(&server);
    let before = server.settled_descriptor_count();
    let half = &request("GET", "/digits.txt", &[])[..20];
    let clients: Vec<Client> = (0..200)
        .map(|index| {
            let mut client = server.connect();
            if index % 2 == 0 {
                client.send(half);
            }
            client
        })
        .collect();
    serves_others(&server);
    eventually("all are let go", SOON, || {
        serves_others(&server);
        server.descriptor_count() <= before
    });
    drop(clients);
});
