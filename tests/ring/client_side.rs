//! The operations a client of a server needs: connect, discard, receive once, and a wait that
//! ends in time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use whitering::internal::sys::socket;
use whitering::internal::sys::uring::{Completion, Features, Kind, Operation, Ring, Sizes, Token};

use crate::worker::ring;

#[test]
fn connects_and_receives_and_discards() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
        unreachable!()
    };
    let mut ring = new_ring(&features);
    let client = socket::client(Some([127, 0, 0, 9].into())).unwrap();
    let socket = client.as_raw_fd();
    let connected = complete(&mut ring, Operation::Connect { socket, address });
    assert_eq!(connected.result, 0);
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip().to_string(), "127.0.0.9");

    let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
    let writer = std::thread::spawn(move || {
        server.write_all(&bytes).unwrap();
        // Until the client is gone; what it did not read makes that a reset.
        let _ = server.read_to_end(&mut Vec::new());
    });
    let bytes_max = 10;
    let once = Operation::ReceiveOnce { socket, bytes_max };
    let received = complete(&mut ring, once);
    let id = received.buffer_id.unwrap();
    assert!(!received.more);
    assert_eq!(
        ring.received(id, received.result as usize),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    ring.recycle(id);
    // Not one byte more than asked for: the next one is where it was left.
    let mut left = 90_000 - 10;
    while left > 0 {
        let count_max = left;
        let discarded = complete(&mut ring, Operation::Discard { socket, count_max });
        assert!(discarded.result > 0 && discarded.buffer_id.is_none());
        left -= discarded.result as u32;
    }
    let once = Operation::ReceiveOnce { socket, bytes_max };
    let received = complete(&mut ring, once);
    let id = received.buffer_id.unwrap();
    assert_eq!(ring.received(id, 1), [(90_000 % 251) as u8]);
    ring.recycle(id);
    drop(ring);
    drop(client);
    writer.join().unwrap();
}

#[test]
fn tells_who_refuses() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = gone.local_addr().unwrap() else {
        unreachable!()
    };
    drop(gone);
    let client = socket::client(None).unwrap();
    let socket = client.as_raw_fd();
    let refused = complete(
        &mut new_ring(&features),
        Operation::Connect { socket, address },
    );
    assert_eq!(refused.result, -libc::ECONNREFUSED);
}

/// Only TCP discards without copying; nothing is written where another socket would copy to.
#[test]
fn discards_from_tcp_only() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"abc").unwrap();
    let (socket, count_max) = (ours.as_raw_fd(), 3);
    let completion = complete(
        &mut new_ring(&features),
        Operation::Discard { socket, count_max },
    );
    assert_eq!(completion.result, -libc::EFAULT);
}

#[test]
fn waits_no_longer_than_told() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let mut ring = new_ring(&features);
    for millis in [0, 1, 30] {
        let deadline = Instant::now() + Duration::from_millis(millis);
        ring.enter_until(deadline).unwrap();
        assert!(Instant::now() >= deadline && ring.complete().is_none());
        assert!(deadline.elapsed() < Duration::from_millis(500));
    }
    // What is pushed is submitted, whether there is time to wait or not.
    ring.push(Token::of_worker(Kind::Tick), Operation::Tick);
    ring.enter_until(Instant::now()).unwrap();
    ring.enter_until(Instant::now() + Duration::from_secs(5))
        .unwrap();
    assert_eq!(ring.complete().unwrap().result, -libc::ETIME);
}

fn new_ring(features: &Features) -> Ring {
    let sizes = Sizes {
        entry_count: 8,
        buffer_count: 4,
        buffer_bytes: 128,
    };
    Ring::new(features, sizes).unwrap()
}

/// Carries out one operation.
fn complete(ring: &mut Ring, operation: Operation) -> Completion {
    let kind = match operation {
        Operation::Connect { .. } => Kind::Connect,
        Operation::Discard { .. } => Kind::Discard,
        _ => Kind::Receive,
    };
    ring.push(Token::of_worker(kind), operation);
    loop {
        if let Some(completion) = ring.complete() {
            return completion;
        }
        ring.enter(true).unwrap();
    }
}
