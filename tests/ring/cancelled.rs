//! Clients that leave at any moment: what they had is given back. `WHITERING_CANCELLED=N` sets
//! how many come.

use std::collections::VecDeque;
use std::env;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;

use whitering::internal::sys::socket::reset_on_close;
use whitering::internal::sys::uring::Sizes;

use crate::client::{Client, request};
use crate::site::{NAMES, Site};
use crate::worker::{Worker, descriptor_count, eventually, ring};

#[test]
fn descriptors_come_back_after_cancelled_connections() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let count = env::var("WHITERING_CANCELLED").map_or(20_000, |text| text.parse().unwrap());
    let before_all = descriptor_count();
    let site = Site::with_huge(1);
    let sizes = Sizes {
        entry_count: 64,
        buffer_count: 32,
        buffer_bytes: 256,
    };
    let worker = Worker::start(features, sizes, 4, site.published.clone());
    // Files that have been asked for stay open.
    let mut client = Client::connect(worker.address());
    for name in NAMES.into_iter().chain(["huge"]) {
        client.get(&format!("/{name}")).expect(200);
    }
    drop(client);
    let (addresses, mut steps) = (worker.addresses.clone(), Steps(count));
    eventually("the first client is gone", || {
        descriptor_count() == before_all + usual_count()
    });
    let mut alive = VecDeque::new();
    for _ in 0..count {
        let address = addresses[steps.below(addresses.len())];
        alive.push_back(connect_and_begin(address, &mut steps));
        if alive.len() > steps.below(100) {
            leave(alive.pop_front().unwrap(), &mut steps);
        }
    }
    drop(alive);
    eventually("all descriptors are back", || {
        descriptor_count() == before_all + usual_count()
    });
    // It still serves.
    let response = Client::connect(worker.address())
        .get("/medium-1")
        .expect(200);
    assert!(response.body == site.content("medium-1"));
    worker.drain();
    drop(site);
    assert_eq!(descriptor_count(), before_all);
}

/// The ring, its event, four listeners, the site's root and three files.
const fn usual_count() -> usize {
    1 + 1 + 4 + 1 + 3
}

/// A client that has sent nothing, a part of a request, or requests.
fn connect_and_begin(address: SocketAddr, steps: &mut Steps) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let name = NAMES
        .into_iter()
        .chain(["huge"])
        .nth(steps.below(9))
        .unwrap();
    let text = request("GET", &format!("/{name}"), &[]).repeat(1 + steps.below(3));
    let bytes = match steps.below(4) {
        0 => 0,
        1 => steps.below(text.len()),
        _ => text.len(),
    };
    stream.write_all(&text[..bytes]).unwrap();
    stream
}

/// Closes, resets or half-closes, having read nothing or a little.
fn leave(mut stream: TcpStream, steps: &mut Steps) {
    stream.set_nonblocking(true).unwrap();
    // It may have ended already; that is what this is about.
    match steps.below(5) {
        0 => {}
        1 => drop(stream.read(&mut [0; 300])),
        2 => drop(stream.shutdown(Shutdown::Write)),
        _ => reset_on_close(stream.as_fd()),
    }
}

/// Numbers that look random and are the same every time.
struct Steps(usize);

impl Steps {
    const fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
