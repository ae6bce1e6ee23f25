//! One pinned thread with an engine of its own, and the ends of its queues.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::engine::Chosen;
use crate::lane;
use crate::reactor::{
    Ended, Inbox, Listener, Message, Notice, Options, Outlet, Published, epoll, uring,
};
use crate::sys::cpus;
use crate::sys::event::Event;
use crate::sys::uring::{Features, Ring, Sizes};

/// A worker, as others see it.
pub(super) struct Worker {
    messages: Sender<Message>,
    event: Arc<Event>,
    thread: Option<JoinHandle<()>>,
}

/// A thread that serves has ended; an error is a broken one.
#[derive(Debug)]
pub(super) enum End {
    /// A worker.
    Worker {
        index: usize,
        result: io::Result<Ended>,
    },
    /// A lane.
    Lane {
        index: usize,
        result: io::Result<lane::Ended>,
    },
}

/// What all workers are started with.
pub(super) struct Setup {
    pub(super) chosen: Chosen,
    pub(super) options: Options,
    pub(super) published: Published,
    pub(super) notices: Sender<Notice>,
    pub(super) ends: Sender<End>,
}

impl Worker {
    /// Starts worker `index` on `cpu`; returns when it serves.
    pub(super) fn start(
        index: usize,
        cpu: Option<usize>,
        listeners: Vec<Listener>,
        outlet: Option<Box<dyn Outlet>>,
        setup: &Setup,
    ) -> io::Result<Self> {
        let (messages, inbox_messages) = unbounded();
        let event = Arc::new(Event::new()?);
        let inbox = Inbox {
            messages: inbox_messages,
            event: Arc::clone(&event),
            notices: setup.notices.clone(),
            outlet,
        };
        let options = Options {
            cpu,
            ..setup.options.clone()
        };
        let chosen = setup.chosen.clone();
        let (published, ends) = (Arc::clone(&setup.published), setup.ends.clone());
        let (ready, started) = bounded(1);
        let thread = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let run = || serve(chosen, options, inbox, published, listeners, &ready);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
                    .unwrap_or_else(|_| Err(io::Error::other("an invariant is broken")));
                // Nobody listens any more only when the process is ending.
                let _ = ends.send(End::Worker { index, result });
            })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Self {
                messages,
                event,
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the worker ended before it began")),
        }
    }

    /// Tells the worker something.
    pub(super) fn tell(&self, message: Message) {
        // A worker that has ended need not be told.
        let _ = self.messages.send(message);
        self.event.signal();
    }

    /// Waits for the thread's end.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Its result has been sent; a panic has been caught.
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    /// Nothing goes on serving behind a server that is gone.
    fn drop(&mut self) {
        self.tell(Message::Stop);
        self.join();
    }
}

/// Where a worker reports that it serves, or why it cannot.
type Ready = Sender<io::Result<()>>;

fn serve(
    chosen: Chosen,
    options: Options,
    inbox: Inbox,
    published: Published,
    listeners: Vec<Listener>,
    ready: &Ready,
) -> io::Result<Ended> {
    if let Some(cpu) = options.cpu {
        cpus::pin(cpu).unwrap_or_else(|error| {
            tracing::warn!("cannot pin a worker to CPU {cpu}: {error}");
        });
    }
    match chosen {
        Chosen::Epoll { .. } => serve_on_epoll(options, inbox, published, listeners, ready),
        Chosen::Uring {
            features,
            may_fall_back,
        } => match make_ring(&features, options.cpu) {
            Err(error) if may_fall_back && is_memory_short(&error) => {
                tracing::warn!(
                    "io_uring gets no memory for this worker, which runs on epoll; \
                     raise RLIMIT_MEMLOCK (ulimit -l)"
                );
                serve_on_epoll(options, inbox, published, listeners, ready)
            }
            ring => {
                let ring = report(ring, ready)?;
                uring::Engine::new(ring, options, inbox, published, listeners).run()
            }
        },
    }
}

fn serve_on_epoll(
    options: Options,
    inbox: Inbox,
    published: Published,
    listeners: Vec<Listener>,
    ready: &Ready,
) -> io::Result<Ended> {
    report(
        epoll::Engine::new(options, inbox, published, listeners),
        ready,
    )?
    .run()
}

fn is_memory_short(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOMEM)
}

/// Tells the starter; on failure the error goes there, and a copy of its kind here.
fn report<T>(result: io::Result<T>, ready: &Ready) -> io::Result<T> {
    match result {
        Ok(value) => {
            let _ = ready.send(Ok(()));
            Ok(value)
        }
        Err(error) => {
            let copy = error.raw_os_error().map_or_else(
                || io::Error::from(error.kind()),
                io::Error::from_raw_os_error,
            );
            let _ = ready.send(Err(error));
            Err(copy)
        }
    }
}

/// The largest ring the limits allow (RLIMIT_MEMLOCK counts ring memory on some kernels).
fn make_ring(features: &Features, cpu: Option<usize>) -> io::Result<Ring> {
    let mut last = io::Error::from(io::ErrorKind::OutOfMemory);
    for sizes in RING_SIZES {
        match Ring::new(features, sizes) {
            Ok(ring) => {
                // Without bounds there are more threads, nothing else.
                if let Err(error) = ring.bound_threads(cpu, RING_THREAD_COUNT) {
                    tracing::debug!("io_uring's threads are not bounded: {error}");
                }
                return Ok(ring);
            }
            Err(error) if is_memory_short(&error) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// The buffers of the first fit an L2 cache.
pub const RING_SIZES: [Sizes; 3] = [
    Sizes {
        entry_count: 2_048,
        buffer_count: 512,
        buffer_bytes: 2_048,
    },
    Sizes {
        entry_count: 256,
        buffer_count: 128,
        buffer_bytes: 2_048,
    },
    Sizes {
        entry_count: 32,
        buffer_count: 16,
        buffer_bytes: 2_048,
    },
];

/// Threads for files that cannot be read or opened without waiting.
pub const RING_THREAD_COUNT: u32 = 4;

/// A queue for what workers say: one place, because saying it once is enough.
pub(super) fn notice_queue() -> (Sender<Notice>, Receiver<Notice>) {
    bounded(1)
}
