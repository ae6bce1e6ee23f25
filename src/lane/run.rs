//! The thread of a lane: its runtime, and the loop that takes what arrives until it may end.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use super::arrivals::{Inbox, Mail};
use super::client;
use super::state::State;
use super::{Ended, Message, OnEnd, Options};
use crate::sys::cpus;

/// Starts the thread; returns when it has a runtime.
///
/// # Errors
/// No thread, or no runtime.
pub(super) fn start(
    index: usize,
    options: Options,
    inbox: Inbox,
    on_end: OnEnd,
) -> io::Result<JoinHandle<()>> {
    let (report, started) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name(format!("lane-{index}"))
        .spawn(move || {
            if let Some(cpu) = options.cpu {
                // A CPU that is not there any more: the scheduler chooses.
                let _ = cpus::pin(cpu);
            }
            let runtime = match Runtime::new(options.uses_uring) {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = report.send(Err(error));
                    return;
                }
            };
            let _ = report.send(Ok(()));
            let ended = catch_unwind(AssertUnwindSafe(|| runtime.run(options, inbox)));
            on_end(ended.map_err(|_| io::Error::other("the lane has panicked")));
        })?;
    match started.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("the lane did not start")),
    }
}

/// What drives the futures of a lane.
enum Runtime {
    Uring(tokio_uring::Runtime),
    Tokio(tokio::runtime::Runtime),
}

impl Runtime {
    fn new(uses_uring: bool) -> io::Result<Self> {
        if uses_uring {
            let mut builder = tokio_uring::builder();
            builder.entries(RING_ENTRY_COUNT);
            // Where no ring can be made, for want of memory or permission, one is not needed.
            if let Ok(runtime) = tokio_uring::Runtime::new(&builder) {
                return Ok(Self::Uring(runtime));
            }
        }
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map(Self::Tokio)
    }

    fn run(self, options: Options, inbox: Inbox) -> Ended {
        let uses_uring = matches!(self, Self::Uring(_));
        let lane = async move {
            let state = State::new(options, uses_uring);
            take_arrivals(&state, &inbox).await
        };
        match self {
            Self::Uring(runtime) => runtime.block_on(lane),
            Self::Tokio(runtime) => LocalSet::new().block_on(&runtime, lane),
        }
    }
}

/// Takes what arrives until the lane may end, or must.
async fn take_arrivals(state: &Rc<State>, inbox: &Inbox) -> Ended {
    let mut closed = false;
    let mut last_look = Instant::now();
    loop {
        while let Some(mail) = inbox.take() {
            match mail {
                Mail::Arrival(arrival, place) => {
                    tokio::task::spawn_local(client::serve(Rc::clone(state), *arrival, place));
                }
                Mail::Message(Message::Publish(published)) => state.publish(published),
                Mail::Message(Message::Drain) => state.drain(),
                Mail::Message(Message::Close) => closed = true,
                Mail::Message(Message::Stop) => return ended(state, inbox),
            }
        }
        if closed && inbox.connection_count() == 0 {
            return ended(state, inbox);
        }
        // Counted from its arrival: what was spawned just now is not among the connections yet.
        if inbox.connection_count() == 0 {
            inbox.rung().await;
        } else {
            let until = last_look + LOOK_INTERVAL;
            let _ = tokio::time::timeout_at(until, inbox.rung()).await;
        }
        // However many arrive, all connections are looked at no more often than that.
        if last_look.elapsed() < LOOK_INTERVAL {
            continue;
        }
        last_look = Instant::now();
        state.clock.refresh();
        let settings = &state.options.settings;
        let draining = state.is_draining();
        state
            .connections
            .look(state.clock.now(), settings, draining);
    }
}

/// How it ends now: what is in the middle of something is cut off, and so are streams that have
/// switched protocols, which are not among the connections any more.
fn ended(state: &State, inbox: &Inbox) -> Ended {
    let (busy_count, known_count) = state.connections.counts();
    let panic_count = state.panic_count().get();
    if panic_count > 0 {
        tracing::error!(panics = panic_count, "a lane has ended");
    }
    Ended {
        cut_count: busy_count + inbox.connection_count().saturating_sub(known_count),
    }
}

/// Counts a panic of the task that owns it, which the runtime keeps from others.
pub(super) struct PanicGuard(Rc<Cell<u64>>);

impl PanicGuard {
    pub(super) fn new(count: &Rc<Cell<u64>>) -> Self {
        Self(Rc::clone(count))
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set(self.0.get() + 1);
        }
    }
}

/// Only reads of files that are not in the page cache are under way there.
const RING_ENTRY_COUNT: u32 = 64;

/// How often is looked for clients that have been waited for long enough.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
