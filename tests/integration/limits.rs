//! Everything has a limit, and reaching one is an answer: heads, targets, connections,
//! descriptors, locked memory.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::client::{Client, request};
use crate::support::exchange::refused;
use crate::support::sandbox::{is_root, raise_descriptor_limit};
use crate::support::server::{Serve, StartFailure};
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::{Engine, SOON, eventually, has_io_uring, skip};

reactor_test!(limits_heads_and_targets, |engine| {
    let site = Site::small();
    let with_target = |bytes: usize| request("GET", &format!("/?{}", "a".repeat(bytes - 2)), &[]);
    let with_field = |bytes: usize| request("GET", "/", &[("X", &"a".repeat(bytes))]);
    let with_fields = |count: usize| request("GET", "/", &vec![("X", "a"); count]);

    let server = Serve::new(engine, site.root()).start();
    for accepted in [with_target(8_192), with_field(16_000), with_fields(99)] {
        let mut client = server.connect();
        client.send(accepted);
        client.response("GET").expect(200);
        client.finish();
    }
    refused(&server, with_target(8_193), &[414]);
    refused(&server, with_target(60_000), &[414]);
    refused(&server, with_field(16_384), &[431]);
    refused(&server, with_field(100_000), &[431]);
    refused(&server, with_fields(100), &[431]);
    refused(&server, with_fields(3_000), &[431]);
    // An endless head is refused before it ends.
    refused(
        &server,
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(20_000)),
        &[431],
    );
    refused(&server, format!("GET /{}", "a".repeat(20_000)), &[414]);

    let flags = ["--max-head", "2KiB", "--max-target", "1KiB"];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    refused(&server, with_target(1_025), &[414]);
    refused(&server, with_field(2_048), &[431]);
    server.get("/").expect(200);
});

reactor_test!(limits_connections, |engine| {
    let site = Site::small();
    let flags = ["--max-connections", "10"];
    let server = Serve::new(engine, site.root())
        .workers(1)
        .flags(flags)
        .start();
    let mut clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.get("/digits.txt").expect(200);
    }
    // The next one waits in the backlog until there is room.
    let mut waiting = server.connect();
    waiting.send_request("GET", "/digits.txt", &[]);
    waiting
        .stream
        .set_read_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    assert!(
        waiting.try_response("GET").is_err(),
        "an eleventh of ten connections is served"
    );
    for client in &mut clients {
        client.get("/digits.txt").expect(200);
    }
    drop(clients.pop());
    waiting.stream.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(waiting.response("GET").expect(200).body, DIGITS);
});

reactor_test!(survives_a_lack_of_descriptors, |engine| {
    /// More than descriptors; the rest must fit the smallest usual backlog (128).
    const CLIENT_COUNT: usize = 180;
    let site = Site::small();
    site.file("large.bin", pattern(29, 400_000));
    let server = Serve::new(engine, site.root())
        .after("ulimit -n 64")
        .start();
    let target = |index: usize| match index % 10 {
        9 => "/large.bin",
        _ => "/digits.txt",
    };
    let mut clients = Vec::new();
    for index in 0..CLIENT_COUNT {
        let mut client = server.connect();
        client.send_request("GET", target(index), &[]);
        clients.push((index, client));
    }

    let (before, started) = (server.cpu_time(), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let used = server.cpu_time().saturating_sub(before);
    let elapsed = started.elapsed();
    assert!(used < elapsed / 2, "{used:?} of CPU in {elapsed:?}");

    // Whoever was accepted is answered; a file that cannot be opened now is no 404.
    let mut answered = 0;
    for (index, client) in &mut clients {
        if client.has_input() {
            let status = client.response("GET").status;
            let large = target(*index) == "/large.bin";
            assert!(status == 200 || large && status == 503, "{status}");
            answered += 1;
        }
    }
    assert!(
        (10..CLIENT_COUNT).contains(&answered),
        "{answered} of {CLIENT_COUNT} with 64 descriptors"
    );

    drop(clients);
    eventually("answers after relief", SOON, || {
        let Ok(mut client) = Client::try_connect(server.address()) else {
            return false;
        };
        let patience = Some(Duration::from_secs(3));
        client.stream.set_read_timeout(patience).unwrap();
        client.send_request("GET", "/large.bin", &[]);
        let answer = client.try_response("GET");
        answer.is_ok_and(|answer| answer.status == 200)
    });
});

reactor_test!(idle_connections_cost_little, |engine| {
    const COUNT: usize = 2_000;
    if raise_descriptor_limit() < COUNT as u64 + 1_000 {
        return skip("this process may not open enough descriptors");
    }
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    server.get("/digits.txt").expect(200);
    let before = server.resident_bytes();
    let mut clients: Vec<Client> = (0..COUNT).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send_request("GET", "/empty.txt", &[]);
    }
    for client in &mut clients {
        client.response("GET").expect(200);
    }
    let started = Instant::now();
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    clients[COUNT / 2].get("/digits.txt").expect(200);
    let each = server.resident_bytes().saturating_sub(before) / COUNT as u64;
    assert!(each < 4_096, "{each} bytes for each idle connection");
    let idle: Vec<TcpStream> = clients.into_iter().map(|client| client.stream).collect();
    drop(idle);
});

/// A server whose locked memory is limited to so many KiB; none where that cannot be arranged.
fn with_locked_memory(site: &Site, kibibytes: u32) -> Option<Serve> {
    if !has_io_uring() {
        return None;
    }
    let mut serve = Serve::new(Engine::Uring, site.root());
    if is_root() {
        // The limit does not count for a process with CAP_IPC_LOCK.
        let setpriv = ["setpriv", "--bounding-set", "-ipc_lock"];
        let mut probe = Command::new(setpriv[0]);
        let status = probe.args(&setpriv[1..]).arg("true").status();
        if !status.is_ok_and(|status| status.success()) {
            skip("CAP_IPC_LOCK cannot be dropped here");
            return None;
        }
        serve = serve.wrapped(&setpriv);
    }
    Some(serve.after(&format!("ulimit -l {kibibytes}")))
}

#[test]
fn starts_with_little_locked_memory() {
    let site = Site::small();
    // Kernels from 6.14 count rings; with some of these a ring can be made, but not its buffers.
    for kibibytes in [0, 4, 8, 16, 24, 32, 48, 64] {
        let Some(serve) = with_locked_memory(&site, kibibytes) else {
            return;
        };
        let server = serve.engine("auto").start();
        assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
        let said = server.stderr();
        let explained = said.contains("(io_uring,") || said.contains("RLIMIT_MEMLOCK");
        assert!(explained, "{kibibytes} KiB: {said}");
    }
}

#[test]
fn a_demanded_ring_names_the_lack_of_locked_memory() {
    let site = Site::small();
    for kibibytes in [0, 4, 8, 16, 24, 32, 48, 64] {
        let Some(serve) = with_locked_memory(&site, kibibytes) else {
            return;
        };
        match serve.try_start() {
            Ok(server) => assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS),
            Err(StartFailure::Exit(1, said)) => {
                assert!(said.contains("RLIMIT_MEMLOCK"), "{kibibytes} KiB: {said}");
            }
            Err(failure) => panic!("{kibibytes} KiB: {failure:?}"),
        }
    }
}
