//! What becomes of each operation on the simulated ring: when it goes on, and how it ends.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use whitering::internal::sys::uring::{Completion, Kind, Operation, Returned, SendPayload, Token};

use crate::kernel::SimulatedKernel;

/// An operation that is not over yet.
pub(crate) struct InFlight {
    pub(crate) token: Token,
    pub(crate) operation: Operation,
    pub(crate) client: Option<usize>,
    /// Bytes sent so far.
    pub(crate) sent: usize,
    /// A wait that goes on has told of the half-close of the peer.
    pub(crate) is_told: bool,
    /// It was told to end, and ends in its own time.
    pub(crate) cancelled: bool,
}

impl SimulatedKernel {
    /// Cancels at once, or tells the operation to end, or comes too late.
    pub(crate) fn cancel(&mut self, token: Token, target: Token) {
        let found = self
            .in_flight
            .iter()
            .position(|flying| flying.token == target);
        let result = match found {
            None => -libc::ENOENT,
            Some(index) if self.prng.one_in(2) => {
                let flying = self.in_flight.remove(index);
                let result = flying.cut_off();
                self.post_end(flying, result);
                0
            }
            Some(index) => {
                self.in_flight[index].cancelled = true;
                -libc::EALREADY
            }
        };
        let completion = complete(token, result, false);
        // Before or behind the completion of what it ended.
        let place = self.posted.len() - usize::from(self.prng.one_in(2) && !self.posted.is_empty());
        self.posted.insert(place, completion);
    }

    /// Lets the first operation go on that can, from a random one on; returns whether one did.
    pub(crate) fn progress_any(&mut self) -> bool {
        let count = self.in_flight.len();
        let start = self.prng.below(count.max(1));
        (start..count)
            .chain(0..start)
            .any(|index| self.progress(index))
    }

    /// Lets one operation go on, if it can; returns whether it did.
    pub(crate) fn progress(&mut self, index: usize) -> bool {
        let cancelled = self.in_flight[index].cancelled;
        if cancelled && self.prng.one_in(2) {
            let flying = self.in_flight.remove(index);
            let result = flying.cut_off();
            self.post_end(flying, result);
            return true;
        }
        match self.in_flight[index].token.kind {
            Kind::Accept => self.progress_accept(index),
            Kind::Receive => self.progress_receive(index),
            Kind::Send => self.progress_send(index),
            Kind::Open => self.progress_open(index),
            Kind::Wake => std::mem::take(&mut self.woken) && self.post_more(index, 1),
            Kind::Tick | Kind::Cancel => false,
            Kind::Connect | Kind::Discard => unreachable!("a client's"),
            Kind::Writable => self.progress_writable(index),
            Kind::Read => {
                let Operation::Read { count, .. } = self.in_flight[index].operation else {
                    unreachable!()
                };
                let failed = self.chance(self.faults.failure);
                self.end(index, if failed { -libc::EIO } else { count as i32 })
            }
        }
    }

    fn progress_accept(&mut self, index: usize) -> bool {
        if !self.network.has_waiting() {
            return false;
        }
        if self.chance(self.faults.emfile) {
            return self.end(index, -libc::EMFILE);
        }
        let socket = self.network.accept();
        let mut completion = self.multishot(index, socket.as_raw_fd());
        completion.accepted = Some(socket);
        self.posted.push_back(completion);
        true
    }

    fn progress_receive(&mut self, index: usize) -> bool {
        let client = self.in_flight[index].client.unwrap();
        if self.chance(self.faults.failure) {
            self.network.fail(client);
            return self.end(index, -libc::ECONNRESET);
        }
        if self.network.has_ended(client) {
            return self.end(index, 0);
        }
        if self.network.sendable(client) == 0 {
            return false;
        }
        let Some(buffer) = self.buffers.choose(&mut self.prng) else {
            return self.end(index, -libc::ENOBUFS);
        };
        let bytes = self
            .network
            .send(client, self.buffers.capacity(), &mut self.prng);
        self.buffers.fill(buffer, &bytes);
        let length = i32::try_from(bytes.len()).unwrap();
        let goes_on = matches!(self.in_flight[index].operation, Operation::Receive { .. });
        let mut completion = if goes_on {
            self.multishot(index, length)
        } else {
            complete(self.in_flight.remove(index).token, length, false)
        };
        completion.buffer_id = Some(buffer);
        completion.has_more_to_receive =
            self.network.sendable(client) > 0 || self.network.has_ended(client);
        self.posted.push_back(completion);
        true
    }

    fn progress_send(&mut self, index: usize) -> bool {
        let client = self.in_flight[index].client.unwrap();
        let failed = self.chance(self.faults.failure) || self.network.is_gone(client);
        if failed {
            self.network.fail(client);
            let result = self.in_flight[index].cut_off();
            return self.end(index, if result > 0 { result } else { -libc::EPIPE });
        }
        let flying = &mut self.in_flight[index];
        let Operation::Send { payload, waits, .. } = &flying.operation else {
            unreachable!()
        };
        let waits = *waits;
        let bytes = read(payload);
        let left = &bytes[flying.sent..];
        let count = self.prng.piece(left.len().min(self.network.window(client)));
        if count == 0 {
            // A poll that completes at once makes a send give up, too.
            let gives_up = !waits || self.network.is_half_closed(client);
            let result = match flying.sent {
                0 => -libc::EAGAIN,
                sent => i32::try_from(sent).unwrap(),
            };
            return gives_up && self.end(index, result);
        }
        self.network.receive(client, &left[..count]);
        flying.sent += count;
        let (sent, is_all) = (flying.sent, flying.sent == bytes.len());
        // Short for no reason that the engine could know.
        if is_all || self.prng.one_in(4) {
            return self.end(index, i32::try_from(sent).unwrap());
        }
        true
    }

    /// Polls report the half-close of the peer whether asked for or not: one that completes once
    /// does so at once, one that goes on says it once.
    fn progress_writable(&mut self, index: usize) -> bool {
        let flying = &mut self.in_flight[index];
        let Operation::Writable { goes_on, .. } = flying.operation else {
            unreachable!()
        };
        let client = flying.client.unwrap();
        let is_old_news = goes_on && flying.is_told;
        let mask = if self.network.can_send(client) {
            i32::from(libc::POLLOUT)
        } else if self.network.is_half_closed(client) && !is_old_news {
            flying.is_told = true;
            i32::from(libc::POLLRDHUP)
        } else {
            return false;
        };
        if goes_on {
            self.post_more(index, mask)
        } else {
            self.end(index, mask)
        }
    }

    fn progress_open(&mut self, index: usize) -> bool {
        if self.chance(self.faults.open_failure) {
            let error = self.prng.pick(&[libc::ENOENT, libc::EMFILE, libc::EACCES]);
            return self.end(index, -error);
        }
        self.end(index, 0)
    }

    /// A completion of a multishot operation, which ends with it or not.
    fn multishot(&mut self, index: usize, result: i32) -> Completion {
        let ends = self.chance(self.faults.multishot_end) || self.in_flight[index].cancelled;
        let token = self.in_flight[index].token;
        if ends {
            self.in_flight.remove(index);
        }
        complete(token, result, !ends)
    }

    pub(crate) fn post_more(&mut self, index: usize, result: i32) -> bool {
        let completion = self.multishot(index, result);
        self.posted.push_back(completion);
        true
    }

    fn end(&mut self, index: usize, result: i32) -> bool {
        let flying = self.in_flight.remove(index);
        self.post_end(flying, result);
        true
    }

    /// Posts the last completion of an operation, with what it owned.
    fn post_end(&mut self, flying: InFlight, result: i32) {
        let mut completion = complete(flying.token, result, false);
        match flying.operation {
            Operation::Send { payload, .. } => completion.returned = Returned::Sent(payload),
            Operation::Read { buffer, .. } => completion.returned = Returned::Read(buffer),
            Operation::Open { root, path } if result >= 0 => {
                let path = format!("/proc/self/fd/{root}/{}", path.to_str().unwrap());
                let file = OwnedFd::from(File::open(path).unwrap());
                completion.result = file.as_raw_fd();
                self.opened.add(file.as_raw_fd());
                completion.returned = Returned::Opened(file);
            }
            _ => {}
        }
        self.posted.push_back(completion);
    }
}

impl InFlight {
    /// What an operation comes to that is ended early.
    fn cut_off(&self) -> i32 {
        if self.sent > 0 {
            i32::try_from(self.sent).unwrap()
        } else {
            -libc::ECANCELED
        }
    }
}

/// A completion that brings nothing.
pub(crate) fn complete(token: Token, result: i32, more: bool) -> Completion {
    Completion {
        token,
        result,
        more,
        buffer_id: None,
        has_more_to_receive: false,
        accepted: None,
        returned: Returned::Nothing,
    }
}

/// What a send has to send.
fn read(payload: &SendPayload) -> Vec<u8> {
    let mut bytes = payload.buffer[payload.from..].to_vec();
    if let Some(body) = &payload.body {
        bytes.extend(body.to_vec());
    }
    bytes
}
