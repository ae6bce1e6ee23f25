//! What both engines have: the clock, the snapshot, the limits, and who speaks to the worker.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};

use super::files::Files;
use super::hand_over::{Handed, Outlet};
use crate::connection::{
    BufferPool, Connection, Context, DATE_BYTES, Held, OpenError, Published, Settings, Tick,
    http_date,
};
use crate::sys::event::Event;

/// What a worker is told.
#[derive(Debug, Clone)]
pub enum Message {
    /// Answer new requests from this snapshot.
    Publish(Published),
    /// Accept nothing more, answer what has been asked, then end.
    Drain,
    /// End now.
    Stop,
}

/// What a worker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A file is no longer what the snapshot says.
    Stale,
}

/// A worker's ends of the queues.
#[derive(Debug)]
pub struct Inbox {
    /// What it is told.
    pub messages: Receiver<Message>,
    /// Signalled with every message.
    pub event: Arc<Event>,
    /// What it says; full when it has been said already.
    pub notices: Sender<Notice>,
    /// Who takes the connections that are handed over; none where none ever is.
    pub outlet: Option<Box<dyn Outlet>>,
}

/// How a worker is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// What connections are held to.
    pub settings: Settings,
    /// Connections at once; then none is accepted.
    pub connection_count_max: u32,
    /// Descriptors kept open for files.
    pub file_count_max: usize,
    /// The CPU the worker runs on.
    pub cpu: Option<usize>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were cut off because it had to end.
    pub cut_count: usize,
    /// Panics that cost a connection each.
    pub panic_count: u64,
}

/// The time, as the system tells it.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Never goes back; deadlines are counted on it.
    pub monotonic: Instant,
    /// What `Date` says.
    pub wall: SystemTime,
}

impl Time {
    /// Asks the system.
    pub fn read() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// The part of a worker that does not depend on the engine.
pub(super) struct Core {
    pub(super) options: Options,
    pub(super) inbox: Inbox,
    pub(super) held: Held,
    pub(super) files: Files,
    pub(super) draining: bool,
    pub(super) stopping: bool,
    panic_count: u64,
    cut_count: usize,
    clock: Clock,
    pool: BufferPool,
    path_scratch: Vec<u8>,
}

/// What a worker has to say to a connection by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerEvent {
    /// Its deadline has passed.
    Deadline,
    /// The worker is draining.
    Drain,
    /// It ends, whatever it is doing.
    CutOff,
}

/// The time, as it was when it was last asked for.
struct Clock {
    started: Instant,
    now: Tick,
    unix_seconds: u64,
    date: [u8; DATE_BYTES],
}

impl Core {
    pub(super) fn new(options: Options, inbox: Inbox, published: Published, time: Time) -> Self {
        Self {
            held: Rc::new(published),
            files: Files::new(options.file_count_max),
            options,
            inbox,
            draining: false,
            stopping: false,
            panic_count: 0,
            cut_count: 0,
            clock: Clock::start(time),
            pool: BufferPool::new(),
            path_scratch: Vec::new(),
        }
    }

    /// A new connection.
    pub(super) fn connect(&mut self) -> Connection {
        Connection::new(&self.context())
    }

    /// Reports an event to a connection. A panic there costs that connection only.
    pub(super) fn report(
        &mut self,
        connection: &mut Connection,
        event: impl FnOnce(&mut Connection, &mut Context<'_>),
    ) {
        let mut context = self.context();
        let outcome = catch_unwind(AssertUnwindSafe(|| event(connection, &mut context)));
        if outcome.is_err() {
            // Whatever state it is in, only this is asked of it from now on.
            connection.on_error();
            self.panic_count += 1;
        }
    }

    /// Says to a connection what comes from the worker itself.
    pub(super) fn tell(&mut self, connection: &mut Connection, event: WorkerEvent) {
        match event {
            WorkerEvent::Deadline => self.report(connection, Connection::on_deadline),
            WorkerEvent::Drain => self.report(connection, |connection, context| {
                connection.on_drain(context);
            }),
            WorkerEvent::CutOff => {
                let is_cut = !connection.is_idle() && !connection.is_over();
                self.cut_count += usize::from(is_cut);
                connection.on_error();
            }
        }
    }

    /// What came of everything.
    pub(super) fn ended(&self) -> Ended {
        Ended {
            cut_count: self.cut_count,
            panic_count: self.panic_count,
        }
    }

    /// Gives back what a connection has that is over.
    pub(super) fn release(&mut self, mut connection: Connection) {
        connection.release(&mut self.pool);
    }

    /// Whether there is somebody to hand connections over to.
    pub(super) fn can_hand_over(&self) -> bool {
        self.inbox.outlet.is_some()
    }

    /// Gives a connection up. Nothing may be in flight for its socket.
    pub(super) fn hand_over(&mut self, socket: OwnedFd, mut connection: Connection) {
        let handed = Handed {
            socket,
            received: connection.take_received(),
            half_closed: connection.is_half_closed(),
            mark: None,
        };
        self.release(connection);
        self.give(handed)
    }

    /// Gives up a connection of which nothing was received; closes it if the worker has to end.
    pub(super) fn hand_over_unread(&mut self, socket: OwnedFd, mark: u8) {
        if self.stopping {
            return;
        }
        self.give(Handed {
            socket,
            received: Vec::new(),
            half_closed: false,
            mark: Some(mark),
        })
    }

    /// A panic of who takes it costs that connection only; without anybody, it is closed.
    fn give(&mut self, handed: Handed) {
        let Some(outlet) = &mut self.inbox.outlet else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| outlet.hand_over(handed))).is_err() {
            self.panic_count += 1;
        }
    }

    /// Whether another connection may be accepted beside the `count` that are served here. Those
    /// that were handed over count as well.
    pub(super) fn has_room(&self, count: usize) -> bool {
        let outlet = self.inbox.outlet.as_ref();
        let handed_count = outlet.map_or(0, |outlet| outlet.connection_count());
        count.saturating_add(handed_count) < self.options.connection_count_max as usize
    }

    pub(super) fn now(&self) -> Tick {
        self.clock.now
    }

    /// A second may have passed.
    pub(super) fn refresh_clock(&mut self, time: Time) {
        self.clock.refresh(time);
    }

    /// Takes all messages; returns whether draining has begun.
    pub(super) fn take_messages(&mut self) -> bool {
        self.inbox.event.clear();
        let was_draining = self.draining;
        while let Ok(message) = self.inbox.messages.try_recv() {
            match message {
                Message::Publish(published) => {
                    self.held = Rc::new(published);
                    self.files.clear();
                }
                Message::Drain => self.draining = true,
                Message::Stop => {
                    self.draining = true;
                    self.stopping = true;
                }
            }
        }
        self.draining && !was_draining
    }

    /// Says that the snapshot is out of date, if a file that cannot be opened shows that.
    pub(super) fn notice_open_error(&self, error: OpenError) {
        match error {
            OpenError::Missing | OpenError::Changed => self.notice_stale(),
            OpenError::Unavailable => {}
        }
    }

    /// Says that the snapshot is out of date.
    pub(super) fn notice_stale(&self) {
        // A full queue says it already.
        let _ = self.inbox.notices.try_send(Notice::Stale);
    }

    fn context(&mut self) -> Context<'_> {
        Context {
            held: &self.held,
            settings: &self.options.settings,
            now: self.clock.now,
            unix_seconds: self.clock.unix_seconds,
            date: &self.clock.date,
            draining: self.draining,
            pool: &mut self.pool,
            path_scratch: &mut self.path_scratch,
        }
    }
}

impl Clock {
    fn start(time: Time) -> Self {
        let mut clock = Self {
            started: time.monotonic,
            now: Tick(0),
            unix_seconds: 0,
            date: http_date(0),
        };
        clock.refresh(time);
        clock
    }

    fn refresh(&mut self, time: Time) {
        let running = time.monotonic.duration_since(self.started);
        self.now = Tick(u32::try_from(running.as_secs()).unwrap_or(u32::MAX - 1));
        let since_1970 = time.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.unix_seconds != since_1970.as_secs() {
            self.unix_seconds = since_1970.as_secs();
            self.date = http_date(self.unix_seconds);
        }
    }
}

/// Whether an accept that failed may be tried again at once (accept(2)): that connection is gone,
/// or accepting was told to stop. Anything else is a shortage, or will not pass by itself.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ECONNABORTED | libc::ECANCELED | libc::EAGAIN | libc::EINTR | libc::EPROTO)
    )
}
