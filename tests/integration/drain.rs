//! TERM, INT and QUIT: what was asked for is answered, then the process ends in time.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::SOON;
use crate::support::client::{Client, request};
use crate::support::sandbox::shrink_receive_buffer;
use crate::support::server::Serve;
use crate::support::site::{DIGITS, Site, pattern};

/// How soon a connection is accepted on which nothing was sent.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(2_500);

/// A file that fits no socket buffer.
const LARGE_BYTES: usize = 12 * 1024 * 1024;

reactor_test!(each_signal_ends_an_idle_server_at_once, |engine| {
    let site = Site::small();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
        let mut server = Serve::new(engine, site.root())
            .flags(["--drain-timeout", "60"])
            .start();
        let mut idle = server.connect();
        idle.get("/digits.txt").expect(200);
        // Of a client that says nothing the server hears a second later (TCP_DEFER_ACCEPT).
        let mut silent = server.connect();
        thread::sleep(ACCEPTED_WITHIN);
        server.signal(signal);
        assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
        idle.expect_close();
        silent.expect_close();
        assert!(Client::try_connect(server.address()).is_err());
    }
});

// Until it has said something, a connection is the kernel's alone.
reactor_test!(a_young_silent_client_keeps_nobody_waiting, |engine| {
    let site = Site::small();
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "60"])
        .start();
    let mut young = server.connect();
    server.signal(libc::SIGTERM);
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
    // Reset, or closed if it was accepted just then; not left hanging.
    let _ = std::io::Write::write_all(&mut young.stream, &request("GET", "/digits.txt", &[]));
    young.expect_close();
});

reactor_test!(transfers_are_finished, |engine| {
    let site = Site::small();
    let large = pattern(13, LARGE_BYTES);
    site.file("large.bin", &large);
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "60"])
        .start();
    let mut clients: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut clients {
        shrink_receive_buffer(&client.stream, 16 * 1024);
        // The second request was sent before the signal too.
        client.send(
            [
                request("GET", "/large.bin", &[]),
                request("GET", "/digits.txt", &[]),
            ]
            .concat(),
        );
        client.receive_at_least(1_000);
    }
    server.signal(libc::SIGTERM);
    thread::sleep(Duration::from_millis(300));
    for mut client in clients {
        assert!(client.response("GET").expect(200).body == large);
        assert_eq!(client.response("GET").expect(200).body, DIGITS);
        client.expect_close();
    }
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
});

reactor_test!(requests_sent_before_the_signal_are_answered, |engine| {
    let site = Site::small();
    site.file("large.bin", pattern(14, 400_000));
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "20"])
        .start();
    let address = server.address();
    let signalled: Mutex<Option<Instant>> = Mutex::new(None);
    let lost = thread::scope(|scope| {
        let load = |index: usize| {
            let signalled = &signalled;
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut sent = 0_usize;
                loop {
                    let large = (sent + index).is_multiple_of(20);
                    let target = if large { "/large.bin" } else { "/digits.txt" };
                    let written =
                        std::io::Write::write_all(&mut client.stream, &request("GET", target, &[]));
                    let sent_at = Instant::now();
                    sent += 1;
                    match (written, client.try_response("GET")) {
                        (Ok(()), Ok(answer)) if answer.status == 200 && !answer.closes() => {}
                        (Ok(()), Ok(answer)) if answer.status == 200 => return None,
                        (_, failure) => {
                            let signalled = signalled.lock().unwrap();
                            let early = signalled.is_none_or(|at| sent_at < at);
                            return early
                                .then(|| format!("client {index}, request {sent}: {failure:?}"));
                        }
                    }
                }
            })
        };
        let threads: Vec<_> = (0..8).map(load).collect();
        thread::sleep(Duration::from_millis(500));
        *signalled.lock().unwrap() = Some(Instant::now());
        server.signal(libc::SIGTERM);
        let lost = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap());
        lost.collect::<Vec<_>>()
    });
    assert_eq!(lost, [] as [String; 0]);
    assert_eq!(server.exit_code_within(2 * SOON), 0, "{}", server.stderr());
});

reactor_test!(requests_and_signal_may_arrive_together, |engine| {
    let site = Site::small();
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "20"])
        .start();
    let mut idle: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.get("/digits.txt").expect(200);
    }
    // All of it is there when the server looks again: requests on connections that were idle,
    // connections that nobody has accepted, and the signal.
    server.signal(libc::SIGSTOP);
    for client in &mut idle {
        client.send_request("GET", "/digits.txt", &[]);
    }
    let mut waiting: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send_request("GET", "/digits.txt", &[]);
    }
    server.signal(libc::SIGTERM);
    server.signal(libc::SIGCONT);
    for (kind, clients) in [("idle", idle), ("not accepted", waiting)] {
        for (index, mut client) in clients.into_iter().enumerate() {
            match client.try_response("GET") {
                Ok(answer) => assert_eq!(answer.expect(200).body, DIGITS),
                Err(error) => panic!("client {index} of those {kind}: {error:?}"),
            }
            client.expect_close();
        }
    }
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
});

reactor_test!(a_deadline_ends_the_wait, |engine| {
    let site = Site::small();
    site.file("large.bin", pattern(15, LARGE_BYTES));
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "1s"])
        .start();
    let mut client = server.connect();
    shrink_receive_buffer(&client.stream, 16 * 1024);
    client.send_request("GET", "/large.bin", &[]);
    client.receive_at_least(1_000);
    server.signal(libc::SIGTERM);
    assert_eq!(server.exit_code_within(SOON), 3, "{}", server.stderr());
});

reactor_test!(a_second_signal_stops_at_once, |engine| {
    let site = Site::small();
    site.file("large.bin", pattern(16, LARGE_BYTES));
    let mut server = Serve::new(engine, site.root())
        .flags(["--drain-timeout", "60"])
        .start();
    let mut client = server.connect();
    shrink_receive_buffer(&client.stream, 16 * 1024);
    client.send_request("GET", "/large.bin", &[]);
    client.receive_at_least(1_000);
    server.signal(libc::SIGTERM);
    // It waits for the client that does not read ...
    thread::sleep(Duration::from_millis(1_500));
    assert!(
        server.descriptor_count() > 0,
        "it ended without the second signal"
    );
    // ... until it is told again.
    server.signal(libc::SIGTERM);
    server.exit_code_within(SOON);
});
