//! One connection that asks: what it has asked, what was answered, and what comes next. It moves
//! no bytes itself.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use super::answer::{Answer, Fault, Head};
use super::request::Request;

/// One client of the server.
pub(super) struct Client {
    /// The connection, or one that is being made.
    pub(super) socket: Option<OwnedFd>,
    /// How many connections this client has had before.
    pub(super) generation: u32,
    /// Whether the connection is there.
    pub(super) is_connected: bool,
    /// Whether something was asked on this connection.
    pub(super) is_used: bool,
    /// Whether it had an error, after which it does nothing more.
    pub(super) has_failed: bool,
    /// How the next bytes come.
    pub(super) receiving: Receiving,
    /// Whether answers are so long that their bodies are not worth copying.
    pub(super) is_large: bool,
    /// Where requests are put together; the kernel's while they are sent.
    pub(super) buffer: Option<Vec<u8>>,
    /// How many requests it may have asked by now.
    pub(super) allowed_count: u64,
    /// Requests of the set-up, before those that are due.
    pub(super) set_up_count: u64,
    /// When the requests on their way were asked.
    pub(super) asked_at: Instant,
    /// When bytes came last.
    pub(super) heard_at: Instant,
    /// Invariant: `answered_count <= asked_count <= allowed_count`.
    asked_count: u64,
    answered_count: u64,
    /// Which request it asks first.
    first: usize,
    answer: Answer,
}

/// Which operation waits for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    /// None.
    Nothing,
    /// One that fills buffers until it is cancelled.
    Stream,
    /// The same, which was cancelled and has not ended yet.
    Ending,
    /// One that fills a buffer or discards a body, once.
    Once,
}

impl Client {
    /// A client that begins with request `first`.
    pub(super) fn new(first: usize, now: Instant) -> Self {
        Self {
            socket: None,
            generation: 0,
            is_connected: false,
            is_used: false,
            has_failed: false,
            receiving: Receiving::Nothing,
            is_large: false,
            buffer: Some(Vec::new()),
            allowed_count: 0,
            set_up_count: 0,
            asked_at: now,
            heard_at: now,
            asked_count: 0,
            answered_count: 0,
            first,
            answer: Answer::default(),
        }
    }

    /// The connection's descriptor, unless it is not to be used any more. The connection of a
    /// failed client stays open: operations that were not handed over yet name its number.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        let socket = self.socket.as_ref().filter(|_| !self.has_failed);
        socket.map(AsRawFd::as_raw_fd)
    }

    /// How many requests to send now. In a batch the next ones wait for all answers.
    pub(super) fn wanted(&self, pipeline: u64, in_batches: bool) -> u64 {
        let on_the_way = self.asked_count - self.answered_count;
        if self.has_failed || self.buffer.is_none() || (in_batches && on_the_way > 0) {
            return 0;
        }
        (self.allowed_count - self.asked_count).min(pipeline - on_the_way)
    }

    /// Puts the next `count` requests into `buffer`.
    pub(super) fn ask(&mut self, count: u64, requests: &[Request], buffer: &mut Vec<u8>) {
        buffer.clear();
        for _ in 0..count {
            let request = self.place(self.asked_count, requests);
            buffer.extend_from_slice(&requests[request].bytes);
            self.asked_count += 1;
        }
    }

    /// Takes bytes from the server; calls `on_answer` with each answer that ends in them: its
    /// place among the answers of this client, and that of its request.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        requests: &mut [Request],
        mut on_answer: impl FnMut(u64, Head, &mut Request),
    ) -> Result<(), AnswerError> {
        while !bytes.is_empty() {
            if self.answered_count == self.asked_count {
                return Err(AnswerError::Unasked);
            }
            let place = self.place(self.answered_count, requests);
            let request = &mut requests[place];
            if let Some(head) = self.answer.take(&mut bytes, request.is_head)? {
                on_answer(self.answered_count, head, request);
                self.answered_count += 1;
            }
        }
        Ok(())
    }

    /// As [`Self::take`], for `count` bytes of a body that nobody looks at.
    pub(super) fn skip(
        &mut self,
        count: u64,
        requests: &mut [Request],
        mut on_answer: impl FnMut(u64, Head, &mut Request),
    ) {
        if let Some(head) = self.answer.skip(count) {
            let place = self.place(self.answered_count, requests);
            on_answer(self.answered_count, head, &mut requests[place]);
            self.answered_count += 1;
        }
    }

    /// How much of the body that is coming in is still to come.
    pub(super) const fn body_left(&self) -> u64 {
        self.answer.body_left()
    }

    /// Whether it is the server's turn.
    pub(super) const fn is_waiting(&self) -> bool {
        let is_asked = !self.is_answered() || (self.socket.is_some() && !self.is_connected);
        is_asked && !self.has_failed
    }

    /// Whether everything that was asked is answered.
    pub(super) const fn is_answered(&self) -> bool {
        self.asked_count == self.answered_count
    }

    /// How many answers came.
    pub(super) const fn answered_count(&self) -> u64 {
        self.answered_count
    }

    /// What it means that the server ends the connection now.
    pub(super) fn ended_early(&self) -> &'static str {
        if self.answer.is_begun() {
            "the server closed the connection within an answer"
        } else if self.is_answered() {
            "the server closed a connection that was to stay"
        } else {
            "the server closed the connection without an answer"
        }
    }

    /// The request that the answer to come is for.
    pub(super) fn request<'a>(&self, requests: &'a [Request]) -> &'a Request {
        &requests[self.place(self.answered_count, requests)]
    }

    fn place(&self, index: u64, requests: &[Request]) -> usize {
        let count = requests.len() as u64;
        ((self.first as u64 + index) % count) as usize
    }
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    /// It cannot be told where it ends.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Nobody asked: the answer before was longer than it said.
    #[error("bytes behind the end of the last answer")]
    Unasked,
}
