//! The epoll engine: the alternative where io_uring is not to be had, and what the ring engine is
//! measured against. The same connections and the same answers; only the reactor differs.

mod client;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::Listener;
use super::core::{Core, Ended, Inbox, Options, Time, WorkerEvent, is_passing};
use super::deadlines::Deadlines;
use super::slots::{SLOT_COUNT_MAX, Slots};
use super::transfer::Turns;
use crate::connection::{Published, Tick};
use crate::sys::epoll::{Interest, Poller, Ready};
use crate::sys::socket;
use client::Client;

/// A worker on epoll.
pub struct Engine {
    poller: Poller,
    core: Core,
    slots: Slots<Client>,
    deadlines: Deadlines,
    listeners: Vec<Accepting>,
    /// Clients that have more to send from files.
    turns: Turns,
    receive_buffer: Box<[u8]>,
    /// What was said is looked at last in a turn: bytes that have arrived by then count.
    wake_due: bool,
}

struct Accepting {
    listener: Listener,
    watched: bool,
}

impl Engine {
    /// A worker that has not started.
    ///
    /// # Errors
    /// What `epoll_create1(2)` or `epoll_ctl(2)` answered.
    pub fn new(
        options: Options,
        inbox: Inbox,
        published: Published,
        listeners: Vec<Listener>,
    ) -> io::Result<Self> {
        let poller = Poller::new(EVENT_COUNT_MAX)?;
        let interest = Interest {
            readable: true,
            writable: false,
            exclusive: false,
        };
        poller.add(inbox.event.as_fd(), WAKE_KEY, interest)?;
        let unwatched = |listener| Accepting {
            listener,
            watched: false,
        };
        Ok(Self {
            poller,
            core: Core::new(options, inbox, published, Time::read()),
            slots: Slots::new(SLOT_COUNT_MAX),
            deadlines: Deadlines::default(),
            listeners: listeners.into_iter().map(unwatched).collect(),
            turns: Turns::default(),
            receive_buffer: vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice(),
            wake_due: false,
        })
    }

    /// Serves until it is told to end.
    ///
    /// # Errors
    /// epoll failed.
    pub fn run(mut self) -> io::Result<Ended> {
        self.update_accepting();
        while !self.is_over() {
            self.turn()?;
        }
        Ok(self.core.ended())
    }

    fn is_over(&self) -> bool {
        self.core.draining && self.listeners.is_empty() && self.slots.is_empty()
    }

    fn turn(&mut self) -> io::Result<()> {
        let timeout_millis = if self.turns.is_empty() {
            TICK_MILLIS
        } else {
            0
        };
        let count = self.poller.wait(timeout_millis)?;
        self.turns.begin();
        let before = self.core.now();
        self.core.refresh_clock(Time::read());
        for index in 0..count {
            let ready = self.poller.ready(index);
            self.on_ready(ready);
        }
        while let Some(index) = self.turns.next() {
            self.on_turn(index);
        }
        if self.core.now() > before {
            self.on_tick();
        }
        if std::mem::take(&mut self.wake_due) {
            self.on_wake();
        }
        Ok(())
    }

    fn on_ready(&mut self, ready: Ready) {
        if ready.key == WAKE_KEY {
            self.wake_due = true;
            return;
        }
        if let Some(index) = ready.key.checked_sub(LISTENER_KEY) {
            return self.on_acceptable(index);
        }
        self.on_client_ready(ready)
    }

    fn on_acceptable(&mut self, key: u64) {
        let index = usize::try_from(key).expect("invariant: few listeners");
        for _ in 0..ACCEPT_COUNT_MAX {
            let Some(accepting) = self.listeners.get(index) else {
                return;
            };
            if !self.has_room() {
                break;
            }
            match socket::accept(accepting.listener.socket.as_fd()) {
                Ok(socket) => {
                    let mark = accepting.listener.hands_over;
                    self.connect(socket, mark)
                }
                Err(error) if is_passing(&error) => break,
                Err(_) => {
                    // Watched again when a connection closes, or with the next tick.
                    return self.stop_accepting();
                }
            }
        }
        self.update_accepting()
    }

    /// A new client, or somebody else's by the `mark` of its listener.
    fn connect(&mut self, socket: OwnedFd, mark: Option<u8>) {
        if let Some(mark) = mark {
            return self.core.hand_over_unread(socket, mark);
        }
        let connection = self.core.connect();
        if let Some(index) = self.slots.insert(Client::new(socket, connection)) {
            self.watch(index);
            self.advance(index);
        }
    }

    fn has_room(&self) -> bool {
        self.core.has_room(self.slots.len())
    }

    /// Watches the listeners as long as there is room.
    fn update_accepting(&mut self) {
        if !self.has_room() {
            return self.stop_accepting();
        }
        for (index, accepting) in self.listeners.iter_mut().enumerate() {
            if !accepting.watched {
                let exclusive = accepting.listener.shared;
                let interest = Interest {
                    readable: true,
                    writable: false,
                    exclusive,
                };
                let key = LISTENER_KEY + index as u64;
                // Without memory for it, it is tried again with the next tick.
                let added = self
                    .poller
                    .add(accepting.listener.socket.as_fd(), key, interest);
                accepting.watched = added.is_ok();
            }
        }
    }

    fn stop_accepting(&mut self) {
        for accepting in &mut self.listeners {
            if std::mem::take(&mut accepting.watched) {
                self.poller.remove(accepting.listener.socket.as_fd());
            }
        }
    }

    fn on_tick(&mut self) {
        let now: Tick = self.core.now();
        let mut next = 0;
        while let Some(index) = self.deadlines.next_due(next, now) {
            next = index + 1;
            self.deadlines.clear(index);
            self.tell(index, WorkerEvent::Deadline);
        }
        self.update_accepting()
    }

    fn on_wake(&mut self) {
        if self.core.take_messages() {
            self.drain_listeners();
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

    /// Takes the connections that were complete before, then closes.
    fn drain_listeners(&mut self) {
        self.stop_accepting();
        for accepting in std::mem::take(&mut self.listeners) {
            // What waits at an inherited listener is not lost: another process has it too.
            while !accepting.listener.inherited
                && let Ok(socket) = socket::accept(accepting.listener.socket.as_fd())
            {
                self.connect(socket, accepting.listener.hands_over);
            }
        }
    }
}

/// Keys from here on are listeners; clients have slot and generation.
const LISTENER_KEY: u64 = 1 << 62;

const WAKE_KEY: u64 = LISTENER_KEY - 1;

const EVENT_COUNT_MAX: usize = 512;

/// Connections accepted before others have their turn.
const ACCEPT_COUNT_MAX: usize = 64;

const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

const TICK_MILLIS: i32 = 1_000;
