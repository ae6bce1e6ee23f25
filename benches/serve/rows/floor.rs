//! The floor: a loop on the same ring with the same operations as the engine, which answers
//! whatever ends like a request with the same bytes. What it costs is the kernel's.

mod boundary;
mod canned;
mod client;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use whitering::internal::server::{RING_SIZES, RING_THREAD_COUNT};
use whitering::internal::sys::uring::{self, Completion, Kind, Operation, Ring, Token};

use super::Options;
use super::clock::Surroundings;
use super::site::{self, Bodies};
use super::worker::{self, Worker};
use boundary::Boundaries;
use canned::Canned;
use client::Client;

/// Serves until the process is ended.
pub(super) fn serve(options: &Options) -> io::Result<()> {
    // What is made wrong has to be in memory.
    let bodies = if options.corrupt {
        Bodies::InMemory
    } else {
        Bodies::AsServed
    };
    worker::run(options, &site::load(options, bodies)?, |worker| {
        Floor::new(worker)?.run()
    })
}

/// One thread of it.
struct Floor {
    ring: Ring,
    listener: OwnedFd,
    accepting: bool,
    surroundings: Surroundings,
    canned: Canned,
    boundaries: Boundaries,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Clients that could not receive for want of a buffer.
    starved: Vec<u32>,
    /// Clients that have more to send from the file.
    turns: VecDeque<u32>,
    burn: Duration,
}

/// The place of a client; the generation tells one from the next.
#[derive(Default)]
struct Slot {
    generation: u32,
    client: Option<Client>,
}

impl Floor {
    fn new(worker: Worker) -> io::Result<Self> {
        let options = &worker.options;
        let mut surroundings = Surroundings::new(&worker.published, site::limits(options));
        let mut canned = match &options.canned {
            _ if options.fail => Canned::failure(&surroundings)?,
            Some(canned) => Canned::render(canned, &mut surroundings)?,
            None => return Err(io::Error::other("the floor has to be told what to answer")),
        };
        if options.corrupt {
            canned.corrupt();
        }
        let ring = Ring::new(&uring::probe()?, RING_SIZES[0])?;
        ring.bound_threads(worker.cpu, RING_THREAD_COUNT)?;
        Ok(Self {
            ring,
            listener: worker.listener.into(),
            accepting: false,
            surroundings,
            canned,
            boundaries: Boundaries::new(),
            slots: Vec::new(),
            free: Vec::new(),
            starved: Vec::new(),
            turns: VecDeque::new(),
            burn: options.burn,
        })
    }

    fn run(mut self) -> io::Result<()> {
        self.arm_tick();
        self.accept();
        loop {
            self.ring.enter(self.turns.is_empty())?;
            while let Some(completion) = self.ring.complete() {
                self.on_completion(completion);
            }
            let mut bytes_left = TURN_BYTES_MAX;
            while bytes_left > 0
                && let Some(index) = self.turns.pop_front()
            {
                bytes_left = bytes_left.saturating_sub(self.send_file(index));
            }
            // By now every buffer has been recycled.
            for index in std::mem::take(&mut self.starved) {
                self.receive(index);
            }
        }
    }

    fn on_completion(&mut self, completion: Completion) {
        match completion.token.kind {
            Kind::Accept => self.on_accepted(completion),
            Kind::Tick => {
                self.surroundings.refresh();
                self.canned.set_date(&self.surroundings.date);
                self.arm_tick();
                self.accept();
            }
            _ => self.on_client_completion(completion),
        }
    }

    fn on_accepted(&mut self, completion: Completion) {
        self.accepting = completion.more;
        if let Some(socket) = completion.accepted {
            self.connect(socket);
            self.accept();
        }
    }

    fn connect(&mut self, socket: OwnedFd) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("invariant: descriptors are few")
        });
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.client = Some(Client::new(socket));
        self.receive(index);
    }

    /// Accepts on, unless it does; what has failed is tried again with the next tick.
    fn accept(&mut self) {
        if !std::mem::replace(&mut self.accepting, true) {
            let listener = self.listener.as_raw_fd();
            self.ring.push(
                Token::of_worker(Kind::Accept),
                Operation::Accept { listener },
            );
        }
    }

    fn arm_tick(&mut self) {
        self.ring
            .push(Token::of_worker(Kind::Tick), Operation::Tick);
    }

    /// Uses up CPU time, for a server that is slower on purpose.
    fn burn(&self) {
        if self.burn.is_zero() {
            return;
        }
        let end = Instant::now() + self.burn;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}

/// As much as the engine sends from files in one turn of its loop.
const TURN_BYTES_MAX: usize = 512 * 1024;
