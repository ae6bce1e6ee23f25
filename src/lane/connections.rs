//! Who is connected and what each is waited for. Looked at once in a while for all, so that no
//! connection and no request has a timer of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ::http::StatusCode;
use slab::Slab;

use super::socket::Traffic;
use super::stalls::Stalls;
use crate::connection::{Settings, Tick};

/// The connections of a lane.
#[derive(Default)]
pub(super) struct Connections {
    list: RefCell<Slab<Rc<Control>>>,
}

/// What the lane knows of one connection.
pub(super) struct Control {
    traffic: Arc<Traffic>,
    /// Whose turn it is when something is due.
    waker: RefCell<Option<Waker>>,
    phase: Cell<Phase>,
    /// Requests that are being answered.
    request_count: Cell<usize>,
    has_begun: Cell<bool>,
    /// When the last answer ended, or the connection began.
    rests_since: Cell<Tick>,
    /// What had been sent when it was last found to go on.
    sent_then: Cell<u64>,
    /// When a part of a head was first seen.
    head_since: Cell<Option<Tick>>,
    stalls: Stalls,
    /// Whether an answer has ended since the last look.
    has_answered: Cell<bool>,
    /// Whether it was told to end shortly behind an answer, or before one.
    is_ending_busy: Cell<bool>,
    is_ending: Cell<bool>,
    is_due: Cell<bool>,
    /// Whether it was ended because its time was over.
    is_cut: Cell<bool>,
}

/// What a connection is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has been asked yet: the time for a handshake and a head.
    Opening,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, in which frames come between requests that mean nothing.
    Http2,
    /// It has a deadline of its own, and may be in the middle of something.
    Own { deadline: Tick, is_idle: bool },
    /// It is closing.
    Closing,
}

/// A connection among the others, until it is dropped.
pub(super) struct Registered {
    connections: Rc<Connections>,
    index: usize,
    control: Rc<Control>,
}

/// A request that is being answered, until it is dropped.
pub(super) struct InFlight(Rc<Control>);

impl Connections {
    /// Adds one whose bytes are counted in `traffic`.
    pub(super) fn add(self: &Rc<Self>, traffic: Arc<Traffic>, now: Tick) -> Registered {
        let control = Rc::new(Control {
            traffic,
            waker: RefCell::default(),
            phase: Cell::new(Phase::Opening),
            request_count: Cell::new(0),
            has_begun: Cell::new(false),
            rests_since: Cell::new(now),
            sent_then: Cell::new(0),
            head_since: Cell::new(None),
            stalls: Stalls::default(),
            has_answered: Cell::new(false),
            is_ending_busy: Cell::new(false),
            is_ending: Cell::new(false),
            is_due: Cell::new(false),
            is_cut: Cell::new(false),
        });
        let index = self.list.borrow_mut().insert(Rc::clone(&control));
        Registered {
            connections: Rc::clone(self),
            index,
            control,
        }
    }

    /// Wakes those whose time is over.
    pub(super) fn look(&self, now: Tick, settings: &Settings, draining: bool) {
        for (_, control) in &*self.list.borrow() {
            if control.is_over(now, settings, draining) {
                control.is_due.set(true);
                control.wake();
            }
        }
    }

    /// Wakes all.
    pub(super) fn wake(&self) {
        for (_, control) in &*self.list.borrow() {
            control.wake();
        }
    }

    /// How many are in the middle of something, and how many there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        let list = self.list.borrow();
        let busy = list.iter().filter(|(_, control)| control.is_busy());
        (busy.count(), list.len())
    }
}

impl Registered {
    pub(super) fn control(&self) -> &Rc<Control> {
        &self.control
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.list.borrow_mut().remove(self.index);
    }
}

impl Control {
    /// What it is held to from `now` on.
    pub(super) fn enter(&self, phase: Phase, now: Tick) {
        self.phase.set(phase);
        self.stalls.begin(&self.traffic);
        self.rest(now);
    }

    /// Puts off, or brings forward, a deadline of its own.
    pub(super) fn set_deadline(&self, deadline: Tick, is_idle: bool) {
        self.phase.set(Phase::Own { deadline, is_idle });
    }

    /// Will wake the task of `context`.
    pub(super) fn watch(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            waker => *waker = Some(context.waker().clone()),
        }
    }

    /// Whether its time is over; asking again after that has to wait for the next look.
    pub(super) fn take_due(&self) -> bool {
        self.is_due.replace(false)
    }

    /// Its time is over, and so is it.
    pub(super) fn cut(&self) {
        self.is_cut.set(true);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// A request has arrived whole, but for its body.
    pub(super) fn begin(self: &Rc<Self>) -> InFlight {
        self.request_count.set(self.request_count.get() + 1);
        self.has_begun.set(true);
        self.stalls.on_request();
        self.head_since.set(None);
        InFlight(Rc::clone(self))
    }

    /// It is told to end when all that has come is answered.
    pub(super) fn end(&self, now: Tick) {
        self.traffic.end();
        self.is_ending.set(true);
        // A look may have been taken at it since its last answer, which is on its way all the same.
        let rests_shortly = now < after(self.rests_since.get(), DELIVERY_TIME);
        self.is_ending_busy
            .set(self.has_answered.get() || rests_shortly);
    }

    /// Whether its last answer may still be on the way to a client that asks on: closed now, the
    /// socket would be reset, and that be lost.
    pub(super) fn is_ending_busy(&self) -> bool {
        self.is_ending_busy.get()
    }

    /// What the request that has arrived is to be refused with, for what hyper did not see.
    pub(super) fn refusal(&self) -> Option<StatusCode> {
        self.traffic.refusal()
    }

    /// What went through the socket, and what is to.
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Whether anything has been asked by HTTP that hyper reads.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// What shows whether the client goes on.
    pub(super) fn stalls(&self) -> &Stalls {
        &self.stalls
    }

    fn rest(&self, now: Tick) {
        self.rests_since.set(now);
        self.head_since.set(None);
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn is_busy(&self) -> bool {
        match self.phase.get() {
            Phase::Own { is_idle, .. } => !is_idle,
            Phase::Closing => false,
            Phase::Opening | Phase::Http1 | Phase::Http2 => {
                self.request_count.get() > 0 || self.traffic.is_blocked()
            }
        }
    }

    fn is_over(&self, now: Tick, settings: &Settings, draining: bool) -> bool {
        if let Phase::Own { deadline, .. } = self.phase.get() {
            return now >= deadline;
        }
        if self.stalls.look(&self.traffic, now, settings) {
            return true;
        }
        if self.request_count.get() > 0 || self.traffic.is_blocked() || self.has_answered.take() {
            // Its time begins when the last answer is out.
            self.rests_since.set(now);
            return false;
        }
        let since = self.rests_since.get();
        let idle = if draining {
            settings.idle_timeout.min(DRAIN_GRACE)
        } else {
            settings.idle_timeout
        };
        match self.phase.get() {
            Phase::Opening => now >= after(since, settings.head_timeout),
            Phase::Http1 if self.traffic.is_in_head() => self.is_late(now, settings),
            Phase::Http1 if !self.has_begun.get() => {
                now >= after(since, settings.head_timeout.min(idle))
            }
            Phase::Http2 if self.has_sent_on(now) => false,
            Phase::Http1 | Phase::Http2 => now >= after(since, idle),
            Phase::Closing | Phase::Own { .. } => now >= after(since, LINGER_TIMEOUT),
        }
    }
}

impl Control {
    /// Whether a head took too long, and what was said about it was not taken either.
    fn is_late(&self, now: Tick, settings: &Settings) -> bool {
        let since = self.head_since.get().unwrap_or(now);
        self.head_since.set(Some(since));
        if now >= after(since, settings.head_timeout) && !self.traffic.is_late() {
            // Who frames the requests has it refused, and the connection ends.
            self.traffic.note_late();
            self.wake();
        }
        now >= after(since, settings.head_timeout + LINGER_TIMEOUT)
    }

    /// Whether much was sent since an answer was made: HTTP/2 keeps the last part of each itself.
    fn has_sent_on(&self, now: Tick) -> bool {
        let sent = self.traffic.sent_bytes();
        let has_sent_on = sent - self.sent_then.get() >= SENT_ON_BYTES;
        if has_sent_on {
            self.sent_then.set(sent);
            self.rests_since.set(now);
        }
        has_sent_on
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let control = &self.0;
        control.request_count.set(control.request_count.get() - 1);
        if control.request_count.get() == 0 {
            control.traffic.end_request();
            control.is_ending_busy.set(control.is_ending.get());
            // The next look at it sets the time.
            control.has_answered.set(true);
        }
    }
}

impl InFlight {
    /// What shows whether its client goes on.
    pub(super) fn stalls(&self) -> &Stalls {
        &self.0.stalls
    }

    /// What follows on the connection is another protocol.
    pub(super) fn switch_protocol(&self) {
        self.0.traffic.switch_protocol();
    }
}

/// The first tick at which at least `wait` has passed since `tick`, which may have been old.
pub(super) fn after(tick: Tick, wait: Duration) -> Tick {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0) + 1;
    Tick(
        tick.0
            .saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX)),
    )
}

/// What a client that was accepted while draining has for a request that is on its way.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// How long an answer may be on its way after the kernel has taken it.
const DELIVERY_TIME: Duration = Duration::from_secs(1);

/// More than acknowledgements come to between two looks.
const SENT_ON_BYTES: u64 = 16 * 1024;

/// How long a client may take to read its last answer and close.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
