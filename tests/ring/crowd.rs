//! More clients than a ring has entries, completions or buffers for: nothing is lost, and nobody
//! gets what is another's.

use std::io::Write;
use std::thread;
use std::time::Duration;

use whitering::internal::sys::limits::raise_descriptors;
use whitering::internal::sys::uring::{Features, Sizes};

use crate::client::{Client, request};
use crate::site::{NAMES, Site};
use crate::worker::{Report, Worker, ring};

#[test]
fn eight_entries_serve_five_hundred_clients() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    serve_crowd(features);
}

/// Without deferred task work completions are posted whenever the kernel likes, and overflow.
#[test]
fn completions_beyond_their_queue_are_not_lost() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let report = serve_crowd(Features {
        defer_taskrun: false,
        ..features
    });
    assert!(
        report.overflow_count > 0,
        "nothing has overflowed: {report:?}"
    );
}

/// Several rounds in which all clients ask at once, with the worker held still meanwhile.
fn serve_crowd(features: Features) -> Report {
    let site = Site::new(1);
    let contents = NAMES.map(|name| site.content(name));
    let sizes = Sizes {
        entry_count: 8,
        buffer_count: 8,
        buffer_bytes: 256,
    };
    let worker = Worker::start(features, sizes, 1, site.published.clone());
    let mut clients: Vec<Client> = (0..CROWD_COUNT)
        .map(|_| Client::connect(worker.address()))
        .collect();
    for round in 0..4 {
        worker.paused(|| {
            for (index, client) in clients.iter_mut().enumerate() {
                // Two at once, which do not fit one buffer.
                let fields = [("X-Long", "x".repeat(200))];
                let fields = fields.each_ref().map(|(name, value)| (*name, &value[..]));
                for offset in 0..2 {
                    let name = NAMES[(index + round + offset) % NAMES.len()];
                    client.send_request("GET", &format!("/{name}"), &fields);
                }
            }
        });
        for (index, client) in clients.iter_mut().enumerate() {
            for offset in 0..2 {
                let file = (index + round + offset) % NAMES.len();
                let response = client.response("GET").expect(200);
                assert!(
                    response.body == contents[file],
                    "client {index}, {}",
                    NAMES[file]
                );
            }
            assert!(client.pending().is_empty(), "client {index}");
        }
    }
    drop(clients);
    worker.drain()
}

#[test]
fn sixty_four_buffers_serve_two_thousand_slow_senders() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    serve_slow_senders(features);
}

/// Without deferred task work all receives complete at once, and most of them find no buffer.
#[test]
fn receives_without_a_buffer_are_tried_again() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let report = serve_slow_senders(Features {
        defer_taskrun: false,
        ..features
    });
    assert!(
        report.starved_count > 0,
        "the buffers were enough: {report:?}"
    );
}

/// Clients that send one request each, in pieces.
fn serve_slow_senders(features: Features) -> Report {
    let limit = raise_descriptors().unwrap().soft.unwrap_or(u64::MAX);
    let affordable = usize::try_from(limit.saturating_sub(200) / 2).unwrap_or(usize::MAX);
    let count = SLOW_COUNT.min(affordable);
    if count < SLOW_COUNT {
        eprintln!("only {count} clients: RLIMIT_NOFILE is {limit}");
    }
    let site = Site::new(1);
    let sizes = Sizes {
        entry_count: 256,
        buffer_count: 64,
        buffer_bytes: 512,
    };
    let worker = Worker::start(features, sizes, 1, site.published.clone());
    let mut clients: Vec<Client> = (0..count)
        .map(|_| Client::connect(worker.address()))
        .collect();
    let name = |index: usize| NAMES[index % 3];
    let requests: Vec<Vec<u8>> = (0..count)
        .map(|index| {
            request(
                "GET",
                &format!("/{}", name(index)),
                &[("X-Client", &index.to_string())],
            )
        })
        .collect();
    for piece in 0..PIECE_COUNT {
        let send_all = || {
            for (client, request) in clients.iter_mut().zip(&requests) {
                let part = |index: usize| request.len() * index / PIECE_COUNT;
                client
                    .stream
                    .write_all(&request[part(piece)..part(piece + 1)])
                    .unwrap();
            }
        };
        // Half of the pieces all come at once, when the worker is not looking.
        if piece % 2 == 1 {
            worker.paused(send_all);
        } else {
            let mut send_all = send_all;
            send_all();
        }
        thread::sleep(Duration::from_millis(50));
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let response = client.response("GET").expect(200);
        assert!(response.body == site.content(name(index)), "client {index}");
    }
    drop(clients);
    worker.drain()
}

const CROWD_COUNT: usize = 500;
const SLOW_COUNT: usize = 2_000;
const PIECE_COUNT: usize = 8;
