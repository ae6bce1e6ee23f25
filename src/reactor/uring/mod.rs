//! The ring engine: one loop over completions. Everything that can wait goes through the ring,
//! and what is in flight for a connection is counted; its slot is free when nothing is.

mod body;
mod client;
mod kernel;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::Listener;
use super::core::{Core, Ended, Inbox, Options, WorkerEvent, is_passing};
use super::deadlines::Deadlines;
use super::slots::{SLOT_COUNT_MAX, Slots};
use super::transfer::Turns;
use crate::connection::Published;
use crate::sys::uring::{Completion, Kind, Operation, Token};
use client::Client;
pub use kernel::Kernel;

/// A worker on a ring.
pub struct Engine<K> {
    kernel: K,
    core: Core,
    slots: Slots<Client>,
    deadlines: Deadlines,
    listeners: Vec<Accepting>,
    /// Clients that have more to send from files.
    turns: Turns,
    /// Clients that could not receive for want of a buffer.
    starved: Vec<u32>,
    /// Buffers for reading cold parts of files.
    read_buffers: Vec<Vec<u8>>,
    wake_armed: bool,
    tick_armed: bool,
    /// What was said and what the clock brings is looked at last in a turn: bytes that have
    /// arrived by then count.
    wake_due: bool,
    tick_due: bool,
}

/// A listener and what its accept is doing.
struct Accepting {
    /// None when nothing is accepted any more.
    listener: Option<Listener>,
    state: AcceptState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptState {
    /// Completes with every connection.
    Armed,
    /// Has been told to stop.
    Stopping,
    /// Not armed: no slot or no descriptor is free.
    Paused,
}

// The kernel's name for a slot must be able to hold every slot.
const _: () = assert!(SLOT_COUNT_MAX <= Token::SLOT_INDEX_MAX + 1);

impl<K: Kernel> Engine<K> {
    /// A worker that has not started.
    pub fn new(
        kernel: K,
        options: Options,
        inbox: Inbox,
        published: Published,
        listeners: Vec<Listener>,
    ) -> Self {
        let paused = |listener| Accepting {
            listener: Some(listener),
            state: AcceptState::Paused,
        };
        let core = Core::new(options, inbox, published, kernel.time());
        Self {
            kernel,
            slots: Slots::new(SLOT_COUNT_MAX),
            core,
            deadlines: Deadlines::default(),
            listeners: listeners.into_iter().map(paused).collect(),
            turns: Turns::default(),
            starved: Vec::new(),
            read_buffers: Vec::new(),
            wake_armed: false,
            tick_armed: false,
            wake_due: false,
            tick_due: false,
        }
    }

    /// Serves until it is told to end.
    ///
    /// # Errors
    /// The ring is broken.
    pub fn run(mut self) -> io::Result<Ended> {
        self.start();
        while !self.is_over() {
            self.turn()?;
        }
        Ok(self.ended())
    }

    /// Arms what is always armed.
    pub fn start(&mut self) {
        self.arm_worker_operations();
        self.resume_accepting()
    }

    /// One turn: submits, waits if there is nothing to do, and handles every completion.
    ///
    /// # Errors
    /// The ring is broken.
    pub fn turn(&mut self) -> io::Result<()> {
        let wait = self.turns.is_empty();
        self.kernel.enter(wait)?;
        self.turns.begin();
        while let Some(completion) = self.kernel.complete() {
            self.on_completion(completion);
        }
        if std::mem::take(&mut self.tick_due) {
            self.on_tick();
        }
        if std::mem::take(&mut self.wake_due) {
            self.on_wake();
        }
        while let Some(index) = self.turns.next() {
            self.on_turn(index);
        }
        // By now every buffer has been recycled.
        for index in std::mem::take(&mut self.starved) {
            self.resume_starved(index);
        }
        Ok(())
    }

    /// Whether everything has been done.
    pub fn is_over(&self) -> bool {
        let closed = self
            .listeners
            .iter()
            .all(|accepting| accepting.listener.is_none());
        self.core.draining && closed && self.slots.is_empty()
    }

    /// What came of it.
    pub fn ended(&self) -> Ended {
        self.core.ended()
    }

    /// The ring, for a simulation to look at.
    pub fn kernel(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// How many connections there are.
    pub fn connection_count(&self) -> usize {
        self.slots.len()
    }

    fn on_completion(&mut self, completion: Completion) {
        match completion.token.kind {
            Kind::Accept => self.on_accepted(completion),
            Kind::Tick => {
                self.tick_armed = completion.more;
                self.tick_due = true;
            }
            Kind::Wake => {
                self.wake_armed = completion.more;
                self.wake_due = true;
            }
            // The end of an accept shows in its own completion.
            Kind::Cancel if completion.token.generation == OF_LISTENER => {}
            _ => self.on_client_completion(completion),
        }
    }

    fn on_accepted(&mut self, completion: Completion) {
        let index = completion.token.slot_index as usize;
        if !completion.more {
            self.listeners[index].state = AcceptState::Paused;
        }
        match completion.accepted {
            Some(socket) => {
                let mark = self.listeners[index]
                    .listener
                    .as_ref()
                    .and_then(|listener| listener.hands_over);
                self.connect(socket, mark)
            }
            None => {
                let error = io::Error::from_raw_os_error(-completion.result);
                if !is_passing(&error) && !self.core.draining {
                    // Resumed when a connection closes, or with the next tick: not at once.
                    return;
                }
            }
        }
        if self.core.draining {
            return self.finish_accepting(index);
        }
        self.update_accepting()
    }

    /// A new client, or somebody else's by the `mark` of its listener.
    fn connect(&mut self, socket: OwnedFd, mark: Option<u8>) {
        if self.core.stopping {
            return;
        }
        if let Some(mark) = mark {
            return self.core.hand_over_unread(socket, mark);
        }
        let connection = self.core.connect();
        // A client beyond the table is closed: more arrived at once than there is room for.
        let Some(index) = self.slots.insert(Client::new(socket, connection)) else {
            return;
        };
        self.advance(index)
    }

    /// Pauses or resumes accepting, by whether there is room.
    fn update_accepting(&mut self) {
        if self.has_room() {
            return self.resume_accepting();
        }
        for index in 0..self.listeners.len() {
            if self.listeners[index].state == AcceptState::Armed {
                self.stop_accepting(index);
            }
        }
    }

    fn resume_accepting(&mut self) {
        if self.core.draining || !self.has_room() {
            return;
        }
        for index in 0..self.listeners.len() {
            let accepting = &mut self.listeners[index];
            if let (Some(listener), AcceptState::Paused) = (&accepting.listener, accepting.state) {
                accepting.state = AcceptState::Armed;
                let listener = listener.socket.as_raw_fd();
                self.kernel
                    .push(accept_token(index), Operation::Accept { listener });
            }
        }
    }

    fn stop_accepting(&mut self, index: usize) {
        self.listeners[index].state = AcceptState::Stopping;
        let target = accept_token(index);
        let token = Token {
            kind: Kind::Cancel,
            ..target
        };
        self.kernel.push(token, Operation::Cancel { target })
    }

    fn has_room(&self) -> bool {
        self.core.has_room(self.slots.len())
    }

    /// While draining: takes the connections that were complete before, then closes.
    fn finish_accepting(&mut self, index: usize) {
        if !self.core.draining {
            return;
        }
        match self.listeners[index].state {
            AcceptState::Armed => return self.stop_accepting(index),
            AcceptState::Stopping => return,
            AcceptState::Paused => {}
        }
        let Some(listener) = self.listeners[index].listener.take() else {
            return;
        };
        // What waits at an inherited listener is not lost: another process has it too.
        while !listener.inherited
            && let Ok(socket) = self.kernel.accept(listener.socket.as_fd())
        {
            self.connect(socket, listener.hands_over);
        }
    }

    fn on_tick(&mut self) {
        self.core.refresh_clock(self.kernel.time());
        let now = self.core.now();
        let mut next = 0;
        while let Some(index) = self.deadlines.next_due(next, now) {
            next = index + 1;
            self.deadlines.clear(index);
            self.tell(index, WorkerEvent::Deadline);
        }
        self.arm_worker_operations();
        self.resume_accepting()
    }

    fn on_wake(&mut self) {
        let starts_draining = self.core.take_messages();
        self.arm_worker_operations();
        if starts_draining {
            for index in 0..self.listeners.len() {
                self.finish_accepting(index);
            }
            for index in self.slots.indexes() {
                self.tell(index, WorkerEvent::Drain);
            }
        }
        if self.core.stopping {
            for index in self.slots.indexes() {
                self.tell(index, WorkerEvent::CutOff);
            }
        }
    }

    fn arm_worker_operations(&mut self) {
        if !self.tick_armed {
            self.tick_armed = true;
            self.kernel
                .push(Token::of_worker(Kind::Tick), Operation::Tick);
        }
        if !self.wake_armed {
            self.wake_armed = true;
            let event = self.core.inbox.event.as_fd().as_raw_fd();
            self.kernel
                .push(Token::of_worker(Kind::Wake), Operation::Wake { event });
        }
    }
}

fn accept_token(listener_index: usize) -> Token {
    let slot_index = u32::try_from(listener_index).expect("invariant: few listeners");
    Token {
        slot_index,
        generation: OF_LISTENER,
        kind: Kind::Accept,
    }
}

/// The generation in the tokens of listeners.
const OF_LISTENER: u32 = u32::MAX;
