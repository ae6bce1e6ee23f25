//! One client connection as a pure state machine: received bytes and the time go in, answers
//! come out. Does no I/O, reads no clock, knows no socket.
//!
//! The owner of the socket reports what happened (`on_…`) and asks [`Connection::want`] what to
//! do next.

mod answer;
mod buffers;
mod outgoing;
mod receive;
mod requests;
mod settings;
mod text;

use std::time::Duration;

use answer::Answer;
pub use buffers::{BufferPool, SEND_BUFFER_BYTES};
pub use outgoing::{BodyPart, Held, Loan, Published, Source};
use outgoing::{Next, Outgoing};
use receive::ReceiveBuffer;
use requests::is_head;
pub use settings::{Context, Settings, Tick};
use text::Persistence;

pub use crate::assets::OpenError;
use crate::http::body::BodyReader;
pub use crate::http::date::format as http_date;
pub use crate::http::head::DATE_BYTES;
use crate::http::status::Status;

/// One client, from its first byte to its last.
#[derive(Debug)]
pub struct Connection {
    state: State,
    /// Received and not yet answered.
    received: ReceiveBuffer,
    /// Answered and not yet sent.
    outgoing: Outgoing,
    deadline: Tick,
    /// Bytes sent since the write deadline was last put off.
    sent_bytes: u32,
    /// Whether anything has been answered or ignored, so that no preface can follow.
    has_begun: bool,
    /// The client will send nothing more.
    half_closed: bool,
    /// Whether a client that may ask on has had an answer while the server is shutting down, or
    /// shortly before: closed at once, the socket would be reset by what it asks, and the answer
    /// be lost.
    ends_busy: bool,
}

/// What a connection is doing. Data that exists in one state only lives there.
#[derive(Debug)]
enum State {
    /// Nothing of the next request has arrived.
    Idle,
    /// A part of a head has arrived.
    Head,
    /// A body is read and dropped.
    Body(Box<PendingRequest>),
    /// Answers are being sent.
    Responding(Then),
    /// Somebody else goes on, with everything that was received and not answered.
    HandingOver,
    /// The last answer is sent, and the sending side has to be shut down.
    Finishing,
    /// What the client still sends is dropped, so that it gets to read the last answer
    /// (RFC 9112 §9.6).
    Lingering { bytes_left: u32 },
    /// Over.
    Closed { aborted: bool },
}

/// What follows when all answers are sent.
#[derive(Debug)]
enum Then {
    /// The next request.
    Continue,
    /// The body of a request that waited for 100.
    ReadBody(Box<PendingRequest>),
    /// What was received is somebody else's.
    HandOver,
    /// Nothing: the client wanted it so.
    Close,
    /// Nothing, but the client may still be sending.
    Finish,
}

/// A request whose body is being read; it is answered after that.
#[derive(Debug)]
struct PendingRequest {
    head: Box<[u8]>,
    body: BodyReader,
}

/// What the owner of the socket should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing but wait for bytes.
    Receive,
    /// Open the file of [`Connection::file_part`], then report [`Connection::on_opened`] or
    /// [`Connection::on_open_failed`].
    Open,
    /// Send what [`Connection::lend`] gives, then report [`Connection::on_sent`].
    Send,
    /// Send from the opened file, then report [`Connection::on_file_sent`].
    SendFile,
    /// Shut down the sending side, then report [`Connection::on_finished`].
    Finish,
    /// Close.
    Close,
    /// Close and let the kernel forget what is not yet delivered.
    Abort,
    /// Receive nothing more; when nothing is in flight, give the socket and
    /// [`Connection::take_received`] to somebody else.
    HandOver,
}

impl Connection {
    /// A connection on which nothing has happened yet.
    pub fn new(context: &Context<'_>) -> Self {
        let first_request = context.after(context.settings.head_timeout);
        Self {
            state: State::Idle,
            received: ReceiveBuffer::default(),
            outgoing: Outgoing::default(),
            deadline: if context.draining {
                context.after(DRAIN_GRACE)
            } else {
                first_request
            },
            sent_bytes: 0,
            has_begun: false,
            half_closed: false,
            ends_busy: false,
        }
    }

    /// What to do next; asking changes nothing.
    pub fn want(&self) -> Want {
        match &self.state {
            State::Idle | State::Head | State::Body(_) | State::Lingering { .. } => Want::Receive,
            State::Responding(_) => match self.outgoing.next() {
                Next::OpenFile => Want::Open,
                Next::Bytes => Want::Send,
                Next::File => Want::SendFile,
                // Never so, and not worth a worker if it were.
                Next::Nothing => Want::Abort,
            },
            State::HandingOver => Want::HandOver,
            State::Finishing => Want::Finish,
            State::Closed { aborted: false } => Want::Close,
            State::Closed { aborted: true } => Want::Abort,
        }
    }

    /// Whether bytes may be received now. False for a client that sends requests without
    /// reading the answers; after it has said that nothing more comes; and once the rest is for
    /// somebody else to receive.
    pub fn may_receive(&self) -> bool {
        let is_full = self.received.len() >= RECEIVED_BYTES_MAX;
        let is_ending = matches!(
            self.state,
            State::Closed { .. } | State::HandingOver | State::Responding(Then::HandOver)
        );
        !self.half_closed && !is_full && !is_ending
    }

    /// Takes what was received and not answered, from the first byte of a request; for
    /// [`Want::HandOver`].
    pub fn take_received(&mut self) -> Vec<u8> {
        self.received.take_copy()
    }

    /// What was received and not answered; for [`Want::HandOver`].
    pub fn received(&self) -> &[u8] {
        self.received.bytes()
    }

    /// The request that what was received begins with, of `request_bytes`, was answered by somebody
    /// else after all, who told the client whether the connection ends; for [`Want::HandOver`].
    pub fn on_answered(&mut self, request_bytes: usize, closes: bool, context: &mut Context<'_>) {
        self.received.drop_front(request_bytes, context.pool);
        self.has_begun = true;
        self.state = State::Responding(if closes { Then::Finish } else { Then::Continue });
        self.on_all_sent(context)
    }

    /// When [`Self::on_deadline`] is due.
    pub const fn deadline(&self) -> Tick {
        self.deadline
    }

    /// Whether nothing of a request is here, so that nobody misses a close.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the client has shut down its sending side.
    pub const fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Whether nothing is left to do but close.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// `bytes` were received.
    pub fn on_received(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        match &mut self.state {
            State::Closed { .. } => {}
            State::Finishing => {}
            State::Lingering { bytes_left } => {
                match u32::try_from(bytes.len())
                    .ok()
                    .and_then(|count| bytes_left.checked_sub(count))
                {
                    Some(left) => *bytes_left = left,
                    None => self.close(),
                }
            }
            State::Responding(Then::Close | Then::Finish) => {
                // Nothing more is answered, but the client must be let finish.
                self.state = State::Responding(Then::Finish);
            }
            State::Responding(_) | State::HandingOver => self.received.push(bytes, context.pool),
            State::Idle | State::Head | State::Body(_) if self.received.is_empty() => {
                let (answered, scanned) = self.process(bytes, 0, context);
                if answered < bytes.len() {
                    self.received.push(&bytes[answered..], context.pool);
                    self.received.set_scanned(scanned);
                }
            }
            State::Idle | State::Head | State::Body(_) => {
                self.received.push(bytes, context.pool);
                self.process_received(context);
            }
        }
    }

    /// The client has shut down its sending side; it may still read.
    pub fn on_end(&mut self) {
        self.half_closed = true;
        match self.state {
            State::Responding(_) | State::HandingOver | State::Finishing | State::Closed { .. } => {
            }
            _ => self.close(),
        }
    }

    /// The socket failed.
    pub fn on_error(&mut self) {
        self.state = State::Closed { aborted: true };
    }

    /// Takes the bytes that have to be sent next; for [`Want::Send`].
    pub fn lend(&mut self) -> Loan {
        self.outgoing.lend()
    }

    /// `count` bytes of a loan were sent; its buffer comes back.
    pub fn on_sent(&mut self, buffer: Vec<u8>, count: usize, context: &mut Context<'_>) {
        self.outgoing.on_sent(buffer, count);
        self.on_progress(count, context);
    }

    /// A loan was not sent, its buffer comes back, and the connection is of no more use.
    pub fn on_send_failed(&mut self, buffer: Vec<u8>) {
        self.outgoing.on_sent(buffer, 0);
        self.on_error();
    }

    /// What has to be sent from a file; for [`Want::Open`] and [`Want::SendFile`].
    pub fn file_part(&self) -> Option<&BodyPart> {
        self.outgoing.tail()
    }

    /// The file is open.
    pub fn on_opened(&mut self) {
        self.outgoing.set_opened();
    }

    /// The file cannot be sent; the answer says so instead.
    pub fn on_open_failed(&mut self, error: OpenError, context: &mut Context<'_>) {
        let persistence = self.outgoing.retract_tail();
        self.answer(persistence, false, context)
            .refusal(error.status());
    }

    /// `count` bytes were sent from the file.
    pub fn on_file_sent(&mut self, count: usize, context: &mut Context<'_>) {
        self.outgoing.on_file_sent(count);
        self.on_progress(count, context);
    }

    /// The file no longer holds what was announced: the client must see that its answer is not
    /// complete.
    pub fn on_file_changed(&mut self) {
        self.state = State::Closed { aborted: true };
    }

    /// The sending side is shut down.
    pub fn on_finished(&mut self, context: &Context<'_>) {
        if self.half_closed {
            return self.close();
        }
        self.state = State::Lingering {
            bytes_left: LINGER_BYTES_MAX,
        };
        self.deadline = context.after(LINGER_TIMEOUT);
    }

    /// The deadline has passed.
    pub fn on_deadline(&mut self, context: &mut Context<'_>) {
        match self.state {
            State::Head | State::Body(_) => {
                let head_only = match &self.state {
                    State::Body(pending) => is_head(&pending.head),
                    _ => is_head(self.received.bytes()),
                };
                // RFC 9110 §15.5.9: the client may repeat the request.
                self.refuse(Status::RequestTimeout, head_only, context);
                self.state = State::Responding(Then::Finish);
                self.deadline = context.after(context.settings.write_timeout);
            }
            State::Responding(_) => self.state = State::Closed { aborted: true },
            State::HandingOver | State::Closed { .. } => {}
            State::Idle if self.ends_busy => {
                self.received.clear(context.pool);
                self.state = State::Finishing;
            }
            _ => self.close(),
        }
    }

    /// The server is shutting down. A request that is on its way is still answered.
    pub fn on_drain(&mut self, context: &Context<'_>) {
        if self.is_idle() {
            self.deadline = self.deadline.min(context.now);
        }
    }

    /// Like [`Self::on_drain`], where the end does not wait for the next look at the deadlines: the
    /// last answer may still be on its way.
    pub fn on_drain_at_once(&mut self, context: &Context<'_>) {
        // The deadline of an idle connection was set when that was sent.
        let from_now = context.after(context.settings.idle_timeout);
        let seconds = from_now.0.saturating_sub(self.deadline.0);
        self.ends_busy |= self.is_idle() && self.has_begun && seconds <= DELIVERY_SECONDS;
        self.on_drain(context);
    }

    /// Gives the memory back that a connection needs only while something is under way.
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.outgoing.clear(pool);
        self.received.clear(pool);
    }

    fn close(&mut self) {
        self.state = State::Closed { aborted: false };
    }

    /// Some of the answers were sent.
    fn on_progress(&mut self, count: usize, context: &mut Context<'_>) {
        if !matches!(self.state, State::Responding(_)) {
            return;
        }
        if self.outgoing.next() == Next::Nothing {
            return self.on_all_sent(context);
        }
        self.sent_bytes = self
            .sent_bytes
            .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.sent_bytes >= WRITE_PROGRESS_BYTES {
            self.sent_bytes = 0;
            self.deadline = context.after(context.settings.write_timeout);
        }
    }

    fn on_all_sent(&mut self, context: &mut Context<'_>) {
        self.outgoing.clear(context.pool);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Responding(Then::Continue) => {
                self.deadline = context.after(context.settings.idle_timeout);
                if context.draining {
                    self.deadline = context.now;
                    self.ends_busy = true;
                }
            }
            State::Responding(Then::ReadBody(pending)) => {
                self.state = State::Body(pending);
                self.deadline = context.after(context.settings.body_timeout);
            }
            State::Responding(Then::HandOver) => return self.begin_hand_over(),
            State::Responding(Then::Close) => return self.close(),
            _ => {
                self.received.clear(context.pool);
                self.state = State::Finishing;
                return;
            }
        }
        if !self.received.is_empty() {
            self.process_received(context);
        }
        if self.half_closed && !matches!(self.state, State::Responding(_) | State::HandingOver) {
            self.close();
        }
    }

    /// Nothing is waited for any more but that nothing is in flight: that takes no client, and
    /// no deadline.
    fn begin_hand_over(&mut self) {
        self.state = State::HandingOver;
        self.deadline = Tick::NEVER;
    }

    fn answer<'a>(
        &'a mut self,
        persistence: Persistence,
        head_only: bool,
        context: &'a mut Context<'_>,
    ) -> Answer<'a> {
        Answer {
            outgoing: &mut self.outgoing,
            pool: context.pool,
            date: context.date,
            held: context.held,
            persistence,
            head_only,
        }
    }
}

/// Unanswered bytes beyond which a client is not read from. What has been received by the time
/// that reading stops is kept as well: a turn's worth of receive buffers at most.
const RECEIVED_BYTES_MAX: usize = 32 * 1024;

/// How much must get through within each write timeout.
pub const WRITE_PROGRESS_BYTES: u32 = 64 * 1024;

/// What a client that was accepted while draining has for a request that is on its way.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// How long an answer may be on its way after the kernel has taken it.
const DELIVERY_SECONDS: u32 = 1;

/// What is dropped from a client that sends on after its last answer.
const LINGER_BYTES_MAX: u32 = 1024 * 1024;

/// How long a client may take to read its last answer and close.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
