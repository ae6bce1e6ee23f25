//! What happens on the connections: connect, send, receive, and the end of each. The one place
//! where operations are pushed and completions are read.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use whitering::internal::sys::socket;
use whitering::internal::sys::uring::{Completion, Kind, Operation, Returned, SendPayload, Token};

use super::answer::Head;
use super::client::{Client, Receiving};
use super::request::Request;
use super::schedule::Schedule;
use super::tally::Tally;
use super::{Load, source};

impl Load<'_> {
    /// Lets client `index` ask what it may.
    pub(super) fn advance(&mut self, index: usize) {
        let pipeline = u64::from(self.plan.pipeline);
        let client = &mut self.clients[index];
        let count = client.wanted(pipeline, self.schedule.is_none());
        if count == 0 {
            return;
        }
        let Some(socket) = client.descriptor() else {
            return self.connect(index);
        };
        // The connection of a request that was answered has to end first.
        let is_used = self.plan.close && client.is_used;
        if !client.is_connected || is_used {
            return;
        }
        let Some(mut buffer) = client.buffer.take() else {
            return;
        };
        client.is_used = true;
        client.ask(count, &self.requests, &mut buffer);
        if !self.plan.close {
            client.asked_at = self.now;
        }
        self.send(index, socket, buffer, 0);
    }

    /// Goes on with the client that `completion` is for.
    pub(super) fn on_completion(&mut self, mut completion: Completion) {
        let (token, result) = (completion.token, completion.result);
        let index = token.slot_index as usize;
        let is_current = token.generation == self.clients[index].generation;
        match token.kind {
            Kind::Send => {
                let returned = std::mem::replace(&mut completion.returned, Returned::Nothing);
                self.on_sent(index, result, returned);
            }
            Kind::Connect => self.on_connected(index, result),
            Kind::Receive => {
                if is_current {
                    self.on_received(index, &completion);
                }
                if let Some(id) = completion.buffer_id {
                    self.ring.recycle(id);
                }
            }
            Kind::Discard if is_current => self.on_discarded(index, result),
            _ => {}
        }
    }

    fn connect(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let from = if self.plan.close { None } else { source(index) };
        let socket = match socket::client(from) {
            Ok(socket) => socket,
            Err(error) => return self.fail(index, format_args!("no socket: {error}")),
        };
        client.socket = Some(socket);
        client.is_connected = false;
        client.is_used = false;
        client.receiving = Receiving::Nothing;
        client.asked_at = self.now;
        let socket = client.descriptor().expect("invariant: set above");
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.plan.port);
        let token = token(index, client, Kind::Connect);
        self.ring
            .push(token, Operation::Connect { socket, address });
    }

    fn on_connected(&mut self, index: usize, result: i32) {
        if result < 0 {
            return self.fail(index, format_args!("cannot connect: {}", error(result)));
        }
        self.clients[index].is_connected = true;
        self.receive(index);
        self.advance(index)
    }

    fn send(&mut self, index: usize, socket: i32, buffer: Vec<u8>, from: usize) {
        let payload = SendPayload {
            buffer,
            from,
            body: None,
        };
        let operation = Operation::Send {
            socket,
            payload,
            more_follows: false,
            waits: true,
        };
        let token = token(index, &self.clients[index], Kind::Send);
        self.ring.push(token, operation);
    }

    fn on_sent(&mut self, index: usize, result: i32, returned: Returned) {
        let Returned::Sent(mut payload) = returned else {
            unreachable!("invariant: a send gives its payload back");
        };
        payload.from += usize::try_from(result).unwrap_or(0);
        if result < 0 {
            // A failure of a connection that has ended already is not another one.
            if self.clients[index].descriptor().is_some() {
                self.fail(index, format_args!("cannot send: {}", error(result)));
            }
        } else if let (false, Some(socket)) = (payload.is_empty(), self.clients[index].descriptor())
        {
            return self.send(index, socket, payload.buffer, payload.from);
        }
        self.clients[index].buffer = Some(payload.buffer);
        self.advance(index)
    }

    /// Sees to it that something waits for the server.
    fn receive(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let (Receiving::Nothing, Some(socket)) = (client.receiving, client.descriptor()) else {
            return;
        };
        let left = client.body_left();
        let (operation, kind) = if !client.is_large {
            (Operation::Receive { socket }, Kind::Receive)
        } else if left == 0 {
            let bytes_max = HEAD_BYTES;
            (Operation::ReceiveOnce { socket, bytes_max }, Kind::Receive)
        } else {
            let count_max =
                u32::try_from(left).map_or(DISCARD_BYTES, |left| left.min(DISCARD_BYTES));
            (Operation::Discard { socket, count_max }, Kind::Discard)
        };
        client.receiving = if client.is_large {
            Receiving::Once
        } else {
            Receiving::Stream
        };
        let token = token(index, client, kind);
        self.ring.push(token, operation);
    }

    fn on_received(&mut self, index: usize, completion: &Completion) {
        if !completion.more {
            self.clients[index].receiving = Receiving::Nothing;
        }
        if let (Some(id), Ok(length)) = (completion.buffer_id, usize::try_from(completion.result))
            && length > 0
        {
            self.take(index, id, length);
        } else {
            match -completion.result {
                0 => return self.on_end(index),
                // Out of buffers, or cancelled for another way to receive.
                libc::ENOBUFS | libc::ECANCELED => {}
                _ => {
                    let error = error(completion.result);
                    return self.fail(index, format_args!("cannot receive: {error}"));
                }
            }
        }
        self.receive(index);
        self.advance(index)
    }

    /// Reads the answers in buffer `id`.
    fn take(&mut self, index: usize, id: u16, length: usize) {
        let client = &mut self.clients[index];
        client.heard_at = self.now;
        self.tally.receive(length as u64);
        let bytes = self.ring.received(id, length);
        let schedule = self.schedule.as_ref();
        let mut seen = Seen::of(index, client, &mut self.tally, schedule, self.now);
        let taken = client.take(bytes, &mut self.requests, |place, head, request| {
            seen.answer(place, head, request)
        });
        if let Err(error) = taken {
            return self.fail(index, error);
        }
        if client.body_left() > LARGE_BYTES && !client.is_large {
            client.is_large = true;
            if client.receiving == Receiving::Stream {
                client.receiving = Receiving::Ending;
                let target = token(index, client, Kind::Receive);
                let token = token(index, client, Kind::Cancel);
                self.ring.push(token, Operation::Cancel { target });
            }
        }
    }

    fn on_discarded(&mut self, index: usize, result: i32) {
        let client = &mut self.clients[index];
        client.receiving = Receiving::Nothing;
        let Ok(count) = u64::try_from(result) else {
            return self.fail(index, format_args!("cannot receive: {}", error(result)));
        };
        if count == 0 {
            return self.on_end(index);
        }
        client.heard_at = self.now;
        self.tally.receive(count);
        let schedule = self.schedule.as_ref();
        let mut seen = Seen::of(index, client, &mut self.tally, schedule, self.now);
        client.skip(count, &mut self.requests, |place, head, request| {
            seen.answer(place, head, request)
        });
        self.receive(index);
        self.advance(index)
    }

    /// The server has closed the connection.
    fn on_end(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !(self.plan.close && client.is_used && client.is_answered()) {
            let what = client.ended_early();
            return self.fail(index, what);
        }
        client.socket = None;
        client.generation = client.generation.wrapping_add(1);
        self.advance(index)
    }

    /// Counts an error of client `index`, which ends it.
    fn fail(&mut self, index: usize, what: impl std::fmt::Display) {
        let client = &mut self.clients[index];
        if client.has_failed {
            return;
        }
        client.has_failed = true;
        client.generation = client.generation.wrapping_add(1);
        self.tally.error(&client.request(&self.requests).name, what);
        let asks = index < self.plan.connections as usize;
        self.alive_count -= usize::from(asks);
    }
}

/// Judges the answers of one client.
struct Seen<'a> {
    tally: &'a mut Tally,
    schedule: Option<&'a Schedule>,
    now: Instant,
    index: usize,
    asked_at: Instant,
    set_up_count: u64,
}

impl<'a> Seen<'a> {
    fn of(
        index: usize,
        client: &Client,
        tally: &'a mut Tally,
        schedule: Option<&'a Schedule>,
        now: Instant,
    ) -> Self {
        Self {
            tally,
            schedule,
            now,
            index,
            asked_at: client.asked_at,
            set_up_count: client.set_up_count,
        }
    }

    /// Answer `place` of the client, `head`, has come to its end.
    fn answer(&mut self, place: u64, head: Head, request: &mut Request) {
        let body_bytes = *request.body_bytes.get_or_insert(head.body_bytes);
        if head.status != request.status {
            let what = format_args!("status {}, not {}", head.status, request.status);
            return self.tally.error(&request.name, what);
        }
        if head.body_bytes != body_bytes {
            let what = format_args!("{} bytes, after {body_bytes}", head.body_bytes);
            return self.tally.error(&request.name, what);
        }
        let asked_at = match (self.schedule, place.checked_sub(self.set_up_count)) {
            (Some(schedule), Some(place)) => schedule.due(self.index, place),
            _ => self.asked_at,
        };
        self.tally
            .answer(self.now.saturating_duration_since(asked_at));
    }
}

fn token(index: usize, client: &Client, kind: Kind) -> Token {
    Token {
        slot_index: u32::try_from(index).expect("invariant: connections are counted in u32"),
        generation: client.generation,
        kind,
    }
}

fn error(result: i32) -> io::Error {
    io::Error::from_raw_os_error(-result)
}

/// A body of which so much is still to come is not copied. Below that, a buffer more costs less
/// than an operation more.
const LARGE_BYTES: u64 = 32 * 1_024;

/// How much is received at once where a head comes and then a large body.
const HEAD_BYTES: u32 = 2 * 1_024;

/// How much is discarded at once; sockets rarely hold more.
const DISCARD_BYTES: u32 = 1 << 20;
