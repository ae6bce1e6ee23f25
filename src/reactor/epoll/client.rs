//! One client on epoll: its socket, its connection, and what it waits for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{Engine, RECEIVE_BUFFER_BYTES};
use crate::connection::{Connection, OpenError, Want};
use crate::reactor::core::WorkerEvent;
use crate::reactor::files::OpenFile;
use crate::reactor::transfer::{self, Outcome, Plan};
use crate::sys::epoll::{Interest, Ready};
use crate::sys::{beneath, socket};

/// A connected client.
pub(super) struct Client {
    socket: OwnedFd,
    connection: Connection,
    /// The file that is being sent.
    file: Option<OpenFile>,
    /// Whether it is among those who wait for their turn to send from files.
    waits_for_turn: bool,
    /// Whether there was no room to send.
    blocked: bool,
    /// What epoll was last told to watch for.
    interest: Interest,
}

impl Client {
    pub(super) fn new(socket: OwnedFd, connection: Connection) -> Self {
        let interest = Interest {
            readable: true,
            writable: false,
            exclusive: false,
        };
        Self {
            socket,
            connection,
            file: None,
            waits_for_turn: false,
            blocked: false,
            interest,
        }
    }
}

impl Engine {
    /// Watches a new client.
    pub(super) fn watch(&mut self, index: u32) {
        let key = self.key(index);
        let Some(client) = self.slots.at(index) else {
            return;
        };
        if self
            .poller
            .add(client.socket.as_fd(), key, client.interest)
            .is_err()
        {
            // The kernel has no memory for one more.
            client.connection.on_error();
        }
    }

    pub(super) fn on_client_ready(&mut self, ready: Ready) {
        let index = ready.key as u32;
        if self.slots.at(index).is_none() || self.key(index) != ready.key {
            // Closed earlier in this turn.
            return;
        }
        self.receive(index, ready);
        if let Some(client) = self.slots.at(index)
            && ready.writable
        {
            client.blocked = false;
        }
        self.advance(index)
    }

    /// Reads what is there, a bounded number of times.
    fn receive(&mut self, index: u32, ready: Ready) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        if ready.failed && !client.connection.may_receive() {
            return client.connection.on_error();
        }
        for _ in 0..RECEIVE_COUNT_MAX {
            if !ready.readable || !client.connection.may_receive() {
                return;
            }
            match socket::receive(client.socket.as_fd(), &mut self.receive_buffer) {
                Ok(0) => return client.connection.on_end(),
                Ok(count) => {
                    let bytes = &self.receive_buffer[..count];
                    self.core
                        .report(&mut client.connection, |connection, context| {
                            connection.on_received(bytes, context);
                        });
                    if count < RECEIVE_BUFFER_BYTES {
                        return;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return,
                    _ => return client.connection.on_error(),
                },
            }
        }
    }

    /// Something that concerns a client comes from the worker itself.
    pub(super) fn tell(&mut self, index: u32, event: WorkerEvent) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        self.core.tell(&mut client.connection, event);
        self.advance(index)
    }

    /// Does what the connection wants, until it has to wait for something.
    pub(super) fn advance(&mut self, index: u32) {
        loop {
            let Some(client) = self.slots.at(index) else {
                return;
            };
            let goes_on = match client.connection.want() {
                Want::Close | Want::Abort => return self.close(index),
                Want::HandOver if self.core.can_hand_over() => return self.hand_over(index),
                Want::HandOver => {
                    client.connection.on_error();
                    true
                }
                Want::Receive => false,
                Want::Send => !client.blocked && self.send(index),
                Want::Open => self.open(index),
                Want::SendFile => !client.blocked && self.send_file(index),
                Want::Finish => self.finish(index),
            };
            if !goes_on {
                break;
            }
        }
        // A file is kept open by the bounded cache, not by clients that may come back to it.
        if let Some(client) = self.slots.at(index)
            && client.connection.file_part().is_none()
        {
            client.file = None;
        }
        self.update_interest(index)
    }

    /// Sends what the connection lends; false if there was no room.
    fn send(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.at(index) else {
            return false;
        };
        let loan = client.connection.lend();
        let body = loan
            .body
            .as_ref()
            .and_then(|part| part.bytes())
            .unwrap_or_default();
        let head = &loan.buffer[loan.from..];
        let result = socket::send(client.socket.as_fd(), head, body, loan.more_follows);
        drop(loan.body);
        self.core.report(
            &mut client.connection,
            |connection, context| match &result {
                Ok(count) => connection.on_sent(loan.buffer, *count, context),
                Err(error) if is_blocked(error) => connection.on_sent(loan.buffer, 0, context),
                Err(_) => connection.on_send_failed(loan.buffer),
            },
        );
        client.blocked = result.is_err_and(|error| is_blocked(&error));
        !client.blocked
    }

    fn open(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.at(index) else {
            return false;
        };
        let Some(part) = client.connection.file_part() else {
            return false;
        };
        let source = part.source();
        let opened = match self.core.files.find(source, &self.core.held) {
            Some(file) => Ok(file),
            None => {
                let (root, path) =
                    transfer::place(source).expect("invariant: what is opened is in a file");
                beneath::open(root, path)
                    .map_err(|error| OpenError::of(&error))
                    .and_then(|file| self.core.files.admit(file.into(), source, &self.core.held))
            }
        };
        match opened {
            Ok(file) => {
                client.file = Some(file);
                client.connection.on_opened();
            }
            Err(error) => {
                self.core.notice_open_error(error);
                self.core
                    .report(&mut client.connection, |connection, context| {
                        connection.on_open_failed(error, context);
                    });
            }
        }
        true
    }

    /// Sends from the open file; false if there was no room, or others have their turn.
    fn send_file(&mut self, index: u32) -> bool {
        let mut had_turn = false;
        loop {
            let Some(client) = self.slots.at(index) else {
                return false;
            };
            if client.waits_for_turn {
                return false;
            }
            if had_turn || self.turns.is_used_up() {
                client.waits_for_turn = true;
                self.turns.wait(index);
                return false;
            }
            let (Some(part), Some(file)) = (client.connection.file_part(), &client.file) else {
                return true;
            };
            had_turn = true;
            let result = match transfer::plan(part, file, |_| true) {
                Plan::Send { offset, count } => {
                    socket::send_file(client.socket.as_fd(), file.as_fd(), offset, count)
                }
                Plan::Read { .. } | Plan::GiveUp => Ok(0),
            };
            match transfer::outcome(result) {
                Outcome::Sent(count) => {
                    self.turns.spend(count);
                    self.core
                        .report(&mut client.connection, |connection, context| {
                            connection.on_file_sent(count, context);
                        });
                }
                Outcome::Blocked => {
                    client.blocked = true;
                    return false;
                }
                Outcome::Truncated => {
                    client.connection.on_file_changed();
                    self.core.notice_stale();
                    return true;
                }
                Outcome::Failed => {
                    client.connection.on_error();
                    return true;
                }
            }
            if client.connection.file_part().is_none() {
                client.file = None;
            }
            // Behind this part there may be the head of another (RFC 9110 §14.6).
            if client.connection.want() != Want::SendFile {
                return true;
            }
        }
    }

    /// It is this client's turn to send from its file.
    pub(super) fn on_turn(&mut self, index: u32) {
        if let Some(client) = self.slots.at(index) {
            client.waits_for_turn = false;
            self.advance(index);
        }
    }

    fn finish(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.at(index) else {
            return false;
        };
        socket::finish(client.socket.as_fd());
        self.core
            .report(&mut client.connection, |connection, context| {
                connection.on_finished(context);
            });
        true
    }

    /// Tells epoll what the client waits for now.
    fn update_interest(&mut self, index: u32) {
        let key = self.key(index);
        let Some(client) = self.slots.at(index) else {
            return;
        };
        self.deadlines.set(index, client.connection.deadline());
        let interest = Interest {
            readable: client.connection.may_receive(),
            writable: client.blocked,
            exclusive: false,
        };
        if interest != client.interest {
            client.interest = interest;
            if self
                .poller
                .modify(client.socket.as_fd(), key, interest)
                .is_err()
            {
                client.connection.on_error();
                self.close(index);
            }
        }
    }

    /// Gives the connection up.
    fn hand_over(&mut self, index: u32) {
        self.deadlines.clear(index);
        if let Some(client) = self.slots.remove(index) {
            self.poller.remove(client.socket.as_fd());
            self.core.hand_over(client.socket, client.connection);
        }
    }

    fn close(&mut self, index: u32) {
        self.deadlines.clear(index);
        if let Some(client) = self.slots.remove(index) {
            if client.connection.want() == Want::Abort {
                socket::reset_on_close(client.socket.as_fd());
            }
            self.core.release(client.connection);
        }
        if !self.core.draining {
            self.update_accepting();
        }
    }

    fn key(&self, index: u32) -> u64 {
        u64::from(self.slots.generation(index) & GENERATION_MASK) << 32 | u64::from(index)
    }
}

fn is_blocked(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The bits of a generation that fit a key beside those of listeners.
const GENERATION_MASK: u32 = (1 << 28) - 1;

/// Reads from one client before others have their turn.
const RECEIVE_COUNT_MAX: usize = 4;
