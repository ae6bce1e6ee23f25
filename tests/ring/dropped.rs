//! Rings that are dropped with operations in flight: everything they own is freed, nothing is
//! freed too early, and no descriptor stays.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use whitering::internal::sys::event::Event;
use whitering::internal::sys::uring::{
    Features, Kind, Operation, Ring, SendPayload, SharedSlice, Sizes, Token, probe,
};

use crate::worker::{descriptor_count, ring};

#[test]
fn a_dropped_ring_frees_what_is_in_flight() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    for features in [
        features,
        Features {
            defer_taskrun: false,
            ..features
        },
    ] {
        for case in 0..CASE_COUNT {
            let before = descriptor_count();
            drop_in_flight(&features, case);
            assert_eq!(descriptor_count(), before, "case {case}");
        }
    }
}

/// A thread has 16 places for registered rings, and rings that were gone kept theirs.
#[test]
fn a_thread_makes_more_rings_than_it_has_places_for() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let sizes = Sizes {
        entry_count: 8,
        buffer_count: 4,
        buffer_bytes: 128,
    };
    for _ in 0..40 {
        assert_eq!(probe().unwrap(), features);
        drop(Ring::new(&features, sizes).unwrap());
    }
}

/// Fills a ring with work that cannot end, enters it or not, and drops it.
fn drop_in_flight(features: &Features, case: usize) {
    let sizes = Sizes {
        entry_count: [8, 256][case % 2],
        buffer_count: 4,
        buffer_bytes: 128,
    };
    let body = Rc::new(vec![b'x'; 1 << 20]);
    let file = Rc::new(File::open("/proc/self/exe").unwrap());
    let pairs: Vec<_> = (0..PAIR_COUNTS[case % PAIR_COUNTS.len()])
        .map(|_| UnixStream::pair().unwrap())
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    File::create(directory.path().join("file")).unwrap();
    let (root, event) = (File::open(&directory).unwrap(), Event::new().unwrap());

    let mut ring = Ring::new(features, sizes).unwrap();
    push_worker_operations(&mut ring, &listener, &event);
    for (index, (ours, _)) in (0_u32..).zip(&pairs) {
        let socket = ours.as_raw_fd();
        ring.push(token(index, Kind::Receive), Operation::Receive { socket });
        ring.push(
            token(index, Kind::Writable),
            Operation::Writable {
                socket,
                goes_on: false,
            },
        );
        let operation = match (index as usize + case) % 5 {
            0 => Operation::Open {
                root: root.as_raw_fd(),
                path: CString::new("file").unwrap(),
            },
            1 => Operation::Read {
                file: Rc::clone(&file),
                offset: 0,
                count: 4_096,
                buffer: Vec::with_capacity(4_096),
            },
            _ => send(socket, &body),
        };
        ring.push(token(index, operation_kind(&operation)), operation);
        if case.is_multiple_of(3) && index.is_multiple_of(7) {
            ring.enter(false).unwrap();
        }
    }
    let mut client = None;
    if !case.is_multiple_of(4) {
        ring.enter(false).unwrap();
        // Something for the receives and the accept, which nobody takes.
        client = Some(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        for (_, theirs) in &pairs {
            (&mut &*theirs).write_all(&[b'y'; 100]).unwrap();
        }
    }
    if case % 4 > 1 {
        ring.enter(false).unwrap();
        for _ in 0..case % 9 {
            drop(ring.complete());
        }
    }
    let pairs = (case % 5 > 2).then_some(pairs);
    drop(ring);
    assert_eq!(
        Rc::strong_count(&body),
        1,
        "case {case}: a send was not freed"
    );
    assert_eq!(
        Rc::strong_count(&file),
        1,
        "case {case}: a read was not freed"
    );
    drop((pairs, client));
}

fn push_worker_operations(ring: &mut Ring, listener: &TcpListener, event: &Event) {
    let accept = Operation::Accept {
        listener: listener.as_raw_fd(),
    };
    let wake = Operation::Wake {
        event: std::os::fd::AsFd::as_fd(event).as_raw_fd(),
    };
    ring.push(Token::of_worker(Kind::Accept), accept);
    ring.push(Token::of_worker(Kind::Wake), wake);
    ring.push(Token::of_worker(Kind::Tick), Operation::Tick);
}

/// More than a socket holds, from a buffer and from something shared.
fn send(socket: i32, body: &Rc<Vec<u8>>) -> Operation {
    Operation::Send {
        socket,
        payload: SendPayload {
            buffer: vec![b'h'; 600_000],
            from: 7,
            body: Some(SharedSlice::new(Rc::clone(body), |body| &body[3..])),
        },
        more_follows: false,
        waits: true,
    }
}

const fn operation_kind(operation: &Operation) -> Kind {
    match operation {
        Operation::Open { .. } => Kind::Open,
        Operation::Read { .. } => Kind::Read,
        _ => Kind::Send,
    }
}

const fn token(slot_index: u32, kind: Kind) -> Token {
    Token {
        slot_index,
        generation: 1,
        kind,
    }
}

const CASE_COUNT: usize = 150;

/// Up to many more than an 8-entry ring has completions for.
const PAIR_COUNTS: [usize; 4] = [1, 7, 40, 130];
