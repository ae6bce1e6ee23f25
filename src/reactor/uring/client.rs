//! One client on the ring: its socket, its connection, and what is in flight for it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::{Engine, Kernel};
use crate::connection::{Connection, Want};
use crate::reactor::core::WorkerEvent;
use crate::reactor::files::OpenFile;
use crate::sys::uring::{Completion, Kind, Operation, Returned, SendPayload, SharedSlice, Token};

/// A connected client.
pub(super) struct Client {
    pub(super) socket: OwnedFd,
    pub(super) connection: Connection,
    /// The file that is being sent.
    pub(super) file: Option<OpenFile>,
    /// Whether it is among those who wait for their turn to send from files.
    pub(super) waits_for_turn: bool,
    /// Bytes of the file before this offset were read into the page cache for this transfer.
    pub(super) warm_end: u64,
    receiving: Receiving,
    /// Whether a receive was ever armed: the first is a single one.
    has_begun: bool,
    /// Whether a wait for room that goes on has been told to stop.
    wait_stopping: bool,
    /// The operation that everything else waits for.
    pub(super) busy: Option<Kind>,
    /// Operations in flight. The slot is free when there is none.
    pub(super) pending_count: u8,
    pub(super) closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    /// Nothing is armed.
    Off,
    /// Nothing is armed until the first answer has gone out, which may be the only one: what is
    /// not armed has not to be cancelled.
    PutOff,
    /// Completes with every read.
    Armed,
    /// Has been told to stop.
    Stopping,
    /// Nothing is armed, for want of buffers; tried again at the end of the turn.
    Starved,
}

impl Client {
    pub(super) fn new(socket: OwnedFd, connection: Connection) -> Self {
        Self {
            socket,
            connection,
            file: None,
            waits_for_turn: false,
            warm_end: 0,
            receiving: Receiving::Off,
            has_begun: false,
            wait_stopping: false,
            busy: None,
            pending_count: 0,
            closing: false,
        }
    }
}

impl<K: Kernel> Engine<K> {
    /// An operation of a client has completed, or goes on.
    pub(super) fn on_client_completion(&mut self, completion: Completion) {
        let Token {
            slot_index: index,
            generation,
            kind,
        } = completion.token;
        let Some(client) = self.slots.find(index, generation) else {
            panic!("invariant: a slot is not freed while an operation is in flight: {kind:?}")
        };
        if !completion.more {
            client.pending_count -= 1;
            if client.busy == Some(kind) {
                client.busy = None;
            }
        }
        match kind {
            Kind::Receive => self.on_received(index, &completion),
            Kind::Send => self.on_sent(index, completion),
            Kind::Open => self.on_opened(index, completion),
            Kind::Read => self.on_read(completion),
            Kind::Writable => self.on_writable(index, &completion),
            _ => {}
        }
        self.advance(index)
    }

    fn on_received(&mut self, index: u32, completion: &Completion) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        if !completion.more {
            // What is there still has to be received: closing over it would reset the connection.
            client.receiving = if completion.result > 0 && !completion.has_more_to_receive {
                Receiving::PutOff
            } else {
                Receiving::Off
            };
        }
        if let (Some(buffer_id), Ok(length)) =
            (completion.buffer_id, usize::try_from(completion.result))
        {
            let bytes = self.kernel.received(buffer_id, length);
            self.core
                .report(&mut client.connection, |connection, context| match length {
                    0 => connection.on_end(),
                    _ => connection.on_received(bytes, context),
                });
        } else if completion.result == 0 {
            self.core
                .report(&mut client.connection, |connection, _| connection.on_end());
        } else {
            match -completion.result {
                libc::ENOBUFS => {
                    client.receiving = Receiving::Starved;
                    self.starved.push(index);
                }
                libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
                _ => client.connection.on_error(),
            }
        }
        if let Some(buffer_id) = completion.buffer_id {
            self.kernel.recycle(buffer_id);
        }
    }

    fn on_sent(&mut self, index: u32, completion: Completion) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let Returned::Sent(payload) = completion.returned else {
            panic!("invariant: a send gives its payload back")
        };
        if client.receiving == Receiving::PutOff {
            client.receiving = Receiving::Off;
        }
        let count = match completion.result {
            // To a client that has shut down its sending side, io_uring does not wait for room
            // (see `Operation::Writable`): nothing was sent, and nothing is wrong.
            error if error == -libc::EAGAIN || error == -libc::EINTR => Some(0),
            result => usize::try_from(result).ok().filter(|count| *count > 0),
        };
        self.core
            .report(&mut client.connection, |connection, context| match count {
                Some(count) => connection.on_sent(payload.buffer, count, context),
                None => connection.on_send_failed(payload.buffer),
            });
        if count == Some(0) && !client.connection.is_over() {
            self.wait_writable(index);
        }
    }

    /// There may be room to send, or only the old news that the client sends nothing more.
    fn on_writable(&mut self, index: u32, completion: &Completion) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let news = libc::POLLOUT | libc::POLLERR | libc::POLLHUP;
        let is_news = completion.result < 0 || completion.result & i32::from(news) != 0;
        match (completion.more, is_news) {
            // A wait that completes once would complete with old news for ever.
            (false, false) if !client.connection.is_over() => self.wait(index, true),
            (false, _) => client.wait_stopping = false,
            (true, true) if !client.wait_stopping => {
                client.wait_stopping = true;
                self.cancel(index, Kind::Writable);
            }
            (true, _) => {}
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
            if client.closing {
                return self.close_when_quiet(index);
            }
            let want = if client.busy.is_some() && !client.connection.is_over() {
                Want::Receive
            } else {
                client.connection.want()
            };
            match want {
                Want::Receive => break,
                Want::Close | Want::Abort => return self.begin_close(index),
                Want::HandOver if !self.core.can_hand_over() => client.connection.on_error(),
                Want::HandOver if client.pending_count > 0 => break,
                Want::HandOver => return self.hand_over(index),
                Want::Finish => self.finish(index),
                Want::Send => self.send(index),
                Want::Open => {
                    if !self.open(index) {
                        break;
                    }
                }
                Want::SendFile => {
                    if !self.send_file(index) {
                        break;
                    }
                }
            }
        }
        if let Some(client) = self.slots.at(index) {
            self.deadlines.set(index, client.connection.deadline());
            // A file is kept open by the bounded cache, not by clients that may come back to it.
            if client.connection.file_part().is_none() {
                client.file = None;
            }
        }
        self.update_receiving(index)
    }

    /// It is this client's turn to send from its file.
    pub(super) fn on_turn(&mut self, index: u32) {
        if let Some(client) = self.slots.at(index) {
            client.waits_for_turn = false;
            self.advance(index);
        }
    }

    /// Buffers are there again.
    pub(super) fn resume_starved(&mut self, index: u32) {
        if let Some(client) = self.slots.at(index)
            && client.receiving == Receiving::Starved
        {
            client.receiving = Receiving::Off;
        }
        self.update_receiving(index)
    }

    /// Receives as long as the connection can take it.
    fn update_receiving(&mut self, index: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let may_receive = client.connection.may_receive() && !client.closing;
        match (client.receiving, may_receive) {
            (Receiving::PutOff, true) if client.busy == Some(Kind::Send) => {}
            (Receiving::Off | Receiving::PutOff, true) => {
                client.receiving = Receiving::Armed;
                let socket = client.socket.as_raw_fd();
                // One read is enough for a connection that is for one request.
                let operation = match std::mem::replace(&mut client.has_begun, true) {
                    false => Operation::ReceiveOnce {
                        socket,
                        bytes_max: RECEIVE_BYTES_MAX,
                    },
                    true => Operation::Receive { socket },
                };
                self.submit(index, Kind::Receive, operation)
            }
            (Receiving::Armed, false) => {
                client.receiving = Receiving::Stopping;
                self.cancel(index, Kind::Receive)
            }
            _ => {}
        }
    }

    fn finish(&mut self, index: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        self.kernel.finish(client.socket.as_fd());
        self.core
            .report(&mut client.connection, |connection, context| {
                connection.on_finished(context);
            });
    }

    fn send(&mut self, index: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let loan = client.connection.lend();
        let body = loan.body.map(|part| {
            SharedSlice::new(part.source().held().clone(), |snapshot| {
                part.bytes_in(snapshot)
                    .expect("invariant: only bodies in memory are lent")
            })
        });
        let payload = SendPayload {
            buffer: loan.buffer,
            from: loan.from,
            body,
        };
        let socket = client.socket.as_raw_fd();
        let more_follows = loan.more_follows;
        let waits = !client.connection.is_half_closed();
        self.submit(
            index,
            Kind::Send,
            Operation::Send {
                socket,
                payload,
                more_follows,
                waits,
            },
        )
    }

    /// Waits for room to send.
    pub(super) fn wait_writable(&mut self, index: u32) {
        self.wait(index, false);
    }

    fn wait(&mut self, index: u32, goes_on: bool) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let socket = client.socket.as_raw_fd();
        self.submit(
            index,
            Kind::Writable,
            Operation::Writable { socket, goes_on },
        );
    }

    /// Gives the connection up, of which the kernel has nothing any more.
    fn hand_over(&mut self, index: u32) {
        self.deadlines.clear(index);
        if let Some(client) = self.slots.remove(index) {
            self.core.hand_over(client.socket, client.connection);
        }
    }

    fn begin_close(&mut self, index: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        client.closing = true;
        let (receiving, busy) = (client.receiving, client.busy);
        self.deadlines.clear(index);
        if receiving == Receiving::Armed {
            self.cancel(index, Kind::Receive);
        }
        if let Some(kind) = busy {
            self.cancel(index, kind);
        }
        self.close_when_quiet(index)
    }

    /// Frees the slot once the kernel has nothing of it any more.
    fn close_when_quiet(&mut self, index: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        if client.pending_count > 0 {
            return;
        }
        if client.connection.want() == Want::Abort {
            self.kernel.reset_on_close(client.socket.as_fd());
        }
        if let Some(client) = self.slots.remove(index) {
            self.core.release(client.connection);
        }
        self.resume_accepting()
    }

    /// Ends an operation of a client early; it still completes.
    fn cancel(&mut self, index: u32, kind: Kind) {
        let target = self.token(index, kind);
        self.submit(index, Kind::Cancel, Operation::Cancel { target })
    }

    /// Hands an operation of a client over, and counts it. Receiving and cancelling go on beside
    /// others; anything else is what the client is busy with.
    pub(super) fn submit(&mut self, index: u32, kind: Kind, operation: Operation) {
        let token = self.token(index, kind);
        if let Some(client) = self.slots.at(index) {
            client.pending_count += 1;
            if !matches!(kind, Kind::Receive | Kind::Cancel) {
                assert!(client.busy.is_none(), "invariant: one thing at a time");
                client.busy = Some(kind);
            }
        }
        self.kernel.push(token, operation)
    }

    fn token(&self, index: u32, kind: Kind) -> Token {
        Token {
            slot_index: index,
            generation: self.slots.generation(index),
            kind,
        }
    }
}

/// More than a provided buffer holds: the kernel takes the smaller of the two.
const RECEIVE_BYTES_MAX: u32 = i32::MAX as u32;
