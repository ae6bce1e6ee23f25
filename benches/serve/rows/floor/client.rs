//! One client of the floor: what is in flight for it, and how many answers it is owed.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use whitering::internal::connection::SEND_BUFFER_BYTES;
use whitering::internal::sys::socket;
use whitering::internal::sys::uring::{
    Completion, Kind, Operation, Returned, SendPayload, SharedSlice, Token,
};

use super::Floor;
use super::boundary::Seam;
use super::canned::Body;

/// A connected client.
pub(super) struct Client {
    socket: OwnedFd,
    seam: Seam,
    /// Requests that were not answered.
    owed: usize,
    /// How much of the shared body is sent, if the send is a vectored one.
    body_sent: usize,
    /// What is left of the file.
    file_left: u64,
    sending: bool,
    receiving: bool,
    /// The client will send nothing more, or is not to.
    ended: bool,
    closing: bool,
    /// Operations in flight. The slot is free when there is none.
    pending_count: u8,
}

impl Client {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            seam: Seam::default(),
            owed: 0,
            body_sent: 0,
            file_left: 0,
            sending: false,
            receiving: false,
            ended: false,
            closing: false,
            pending_count: 0,
        }
    }
}

impl Floor {
    pub(super) fn on_client_completion(&mut self, completion: Completion) {
        let index = completion.token.slot_index;
        let Some(client) = self.client(index) else {
            return;
        };
        if !completion.more {
            client.pending_count -= 1;
        }
        match completion.token.kind {
            Kind::Receive => self.on_received(index, &completion),
            Kind::Send => self.on_sent(index, completion),
            Kind::Writable => self.turns.push_back(index),
            _ => {}
        }
        self.advance(index);
    }

    fn on_received(&mut self, index: u32, completion: &Completion) {
        let Some(client) = slot(&mut self.slots, index) else {
            return;
        };
        client.receiving = completion.more;
        if let (Some(buffer_id), Ok(length)) =
            (completion.buffer_id, usize::try_from(completion.result))
        {
            let bytes = self.ring.received(buffer_id, length);
            client.owed += self.boundaries.count(bytes, &mut client.seam);
            client.ended |= length == 0;
            self.burn();
        } else if completion.result == -libc::ENOBUFS {
            self.starved.push(index);
        } else {
            client.ended = true;
        }
        if let Some(buffer_id) = completion.buffer_id {
            self.ring.recycle(buffer_id);
        }
        if completion.result != -libc::ENOBUFS {
            self.receive(index);
        }
    }

    fn on_sent(&mut self, index: u32, completion: Completion) {
        let Returned::Sent(payload) = completion.returned else {
            return;
        };
        let Some(client) = slot(&mut self.slots, index) else {
            return;
        };
        match usize::try_from(completion.result) {
            Ok(count) if count < payload.len() => return self.send_rest(index, payload, count),
            Ok(_) => {}
            Err(_) => {
                client.file_left = 0;
                client.owed = 0;
                client.ended = true;
            }
        }
        self.surroundings.pool().give(payload.buffer);
        if client.file_left == 0 {
            client.sending = false;
        } else {
            self.turns.push_back(index);
        }
    }

    /// Sends what there was no room for.
    fn send_rest(&mut self, index: u32, mut payload: SendPayload, count: usize) {
        let of_buffer = count.min(payload.buffer.len() - payload.from);
        payload.from += of_buffer;
        if let (Body::Memory(body), Some(client)) =
            (&self.canned.body, slot(&mut self.slots, index))
        {
            client.body_sent += count - of_buffer;
            payload.body = Some(rest(body, client.body_sent));
        }
        self.push_send(index, payload, false);
    }

    /// Sends, closes, or waits.
    fn advance(&mut self, index: u32) {
        let Some(client) = self.client(index) else {
            return;
        };
        if client.closing {
            if client.pending_count == 0 {
                self.slots[index as usize].client = None;
                self.free.push(index);
            }
        } else if client.sending {
            // Its completion brings us back here.
        } else if client.owed > 0 {
            self.send(index);
        } else if client.ended {
            self.close(index);
        }
    }

    /// Answers as many requests as the engine would with one send.
    fn send(&mut self, index: u32) {
        let mut buffer = self.surroundings.pool().take();
        let Some(client) = slot(&mut self.slots, index) else {
            return;
        };
        client.sending = true;
        let (body, more_follows, count_max) = match &self.canned.body {
            Body::None => (None, false, client.owed),
            Body::Memory(body) => (Some(rest(body, 0)), false, 1),
            Body::File { length, .. } => {
                client.file_left = *length;
                (None, true, 1)
            }
        };
        client.body_sent = 0;
        let mut count = 0;
        while count < count_max && buffer.len() < SEND_BUFFER_BYTES / 2 {
            buffer.extend_from_slice(&self.canned.bytes);
            count += 1;
        }
        client.owed -= count;
        if self.canned.closes {
            client.owed = 0;
            client.ended = true;
        }
        let payload = SendPayload {
            buffer,
            from: 0,
            body,
        };
        self.push_send(index, payload, more_follows);
    }

    fn push_send(&mut self, index: u32, payload: SendPayload, more_follows: bool) {
        let Some(client) = self.client(index) else {
            return;
        };
        let socket = client.socket.as_raw_fd();
        let operation = Operation::Send {
            socket,
            payload,
            more_follows,
            waits: true,
        };
        self.submit(index, Kind::Send, operation);
    }

    /// Sends a window of the file; returns how much that was.
    pub(super) fn send_file(&mut self, index: u32) -> usize {
        let (Some(client), Body::File { file, length }) =
            (slot(&mut self.slots, index), &self.canned.body)
        else {
            return 0;
        };
        let count = usize::try_from(client.file_left.min(WINDOW_BYTES)).unwrap_or(0);
        let offset = length - client.file_left;
        let sent = socket::send_file(client.socket.as_fd(), file.as_fd(), offset, count);
        match sent {
            Ok(count @ 1..) => {
                client.file_left -= count as u64;
                if client.file_left > 0 {
                    self.turns.push_back(index);
                } else {
                    client.sending = false;
                    self.advance(index);
                }
                count
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let socket = client.socket.as_raw_fd();
                let goes_on = false;
                self.submit(
                    index,
                    Kind::Writable,
                    Operation::Writable { socket, goes_on },
                );
                0
            }
            Ok(0) | Err(_) => {
                (client.owed, client.ended, client.sending) = (0, true, false);
                self.advance(index);
                0
            }
        }
    }

    /// Receives until there is an end to it.
    pub(super) fn receive(&mut self, index: u32) {
        let Some(client) = self.client(index) else {
            return;
        };
        if !client.receiving && !client.ended {
            client.receiving = true;
            let socket = client.socket.as_raw_fd();
            self.submit(index, Kind::Receive, Operation::Receive { socket });
        }
    }

    fn close(&mut self, index: u32) {
        let target = self.token(index, Kind::Receive);
        let Some(client) = self.client(index) else {
            return;
        };
        client.closing = true;
        if client.receiving {
            self.submit(index, Kind::Cancel, Operation::Cancel { target });
        } else {
            self.advance(index);
        }
    }

    fn submit(&mut self, index: u32, kind: Kind, operation: Operation) {
        let token = self.token(index, kind);
        if let Some(client) = self.client(index) {
            client.pending_count += 1;
        }
        self.ring.push(token, operation);
    }

    fn token(&self, slot_index: u32, kind: Kind) -> Token {
        Token {
            slot_index,
            generation: self.slots[slot_index as usize].generation,
            kind,
        }
    }

    fn client(&mut self, index: u32) -> Option<&mut Client> {
        slot(&mut self.slots, index)
    }
}

/// The client at `index`. Late completions find none: a slot is freed when nothing is in flight.
fn slot(slots: &mut [super::Slot], index: u32) -> Option<&mut Client> {
    slots[index as usize].client.as_mut()
}

/// What is left of a shared body.
fn rest(body: &Rc<bytes::Bytes>, sent: usize) -> SharedSlice {
    SharedSlice::new(Rc::clone(body), |bytes| &bytes[sent..])
}

/// As much as the engine sends from a file at once.
const WINDOW_BYTES: u64 = 256 * 1024;
