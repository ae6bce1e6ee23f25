//! A worker of this process on a real ring, which tests can hold still, and a count of what its
//! ring went through.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use whitering::internal::reactor::uring::{Engine, Kernel};
use whitering::internal::reactor::{
    Ended, Inbox, Listener, Message, Options, Published, Settings, Time,
};
use whitering::internal::sys::event::Event;
use whitering::internal::sys::socket::{ListenerOptions, listen};
use whitering::internal::sys::uring::{Completion, Features, Operation, Ring, Sizes, Token, probe};

/// A worker in a thread of its own.
pub(crate) struct Worker {
    pub(crate) addresses: Vec<SocketAddr>,
    messages: Sender<Message>,
    event: Arc<Event>,
    gate: Arc<Gate>,
    thread: JoinHandle<Report>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) ended: Ended,
    /// Operations that own memory, and buffers not given back.
    pub(crate) outstanding: (usize, usize),
    /// Receives that ended for want of a buffer.
    pub(crate) starved_count: u64,
    /// Turns before which completions were waiting that their queue had no room for.
    pub(crate) overflow_count: u64,
}

/// Where the worker waits while tests prepare something for it.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    waiting: AtomicBool,
    overflow_count: AtomicU64,
}

impl Worker {
    /// Starts a worker that answers from `published` on `127.0.0.1` and the addresses behind it.
    pub(crate) fn start(
        features: Features,
        sizes: Sizes,
        listener_count: u8,
        published: Published,
    ) -> Self {
        let options = ListenerOptions {
            shared_port: false,
            user_timeout: Duration::from_secs(20),
            backlog: 4_096,
        };
        let sockets: Vec<_> = (1..=listener_count)
            .map(|last| listen(SocketAddr::from(([127, 0, 0, last], 0)), options).unwrap())
            .collect();
        let addresses = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap())
            .collect();
        let (messages, inbox) = unbounded();
        let event = Arc::new(Event::new().unwrap());
        let inbox = Inbox {
            outlet: None,
            messages: inbox,
            event: Arc::clone(&event),
            notices: bounded(1).0,
        };
        let listeners = sockets.into_iter().map(|socket| Listener {
            socket: OwnedFd::from(socket),
            shared: false,
            inherited: false,
            hands_over: None,
        });
        let (listeners, gate) = (listeners.collect(), Arc::new(Gate::default()));
        let worker_gate = Arc::clone(&gate);
        let thread = thread::spawn(move || {
            let ring = Observed {
                ring: Ring::new(&features, sizes).unwrap(),
                starved_count: 0,
            };
            let engine = Engine::new(ring, OPTIONS, inbox, published, listeners);
            serve(engine, &worker_gate)
        });
        Self {
            addresses,
            messages,
            event,
            gate,
            thread,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn tell(&self, message: Message) {
        self.messages.send(message).unwrap();
        self.event.signal();
    }

    /// Holds the worker still while `prepare` runs.
    pub(crate) fn paused<T>(&self, prepare: impl FnOnce() -> T) -> T {
        self.gate.closed.store(true, Ordering::SeqCst);
        while !self.gate.waiting.load(Ordering::SeqCst) {
            assert!(!self.thread.is_finished(), "the worker has ended");
            self.event.signal();
            thread::sleep(Duration::from_millis(1));
        }
        let result = prepare();
        self.gate.closed.store(false, Ordering::SeqCst);
        result
    }

    /// Waits for the end, which has been asked for.
    pub(crate) fn join(self) -> Report {
        eventually("the worker ends", || self.thread.is_finished());
        self.thread.join().unwrap()
    }

    /// Lets everything be answered, then ends.
    #[track_caller]
    pub(crate) fn drain(self) -> Report {
        self.tell(Message::Drain);
        let report = self.join();
        assert_eq!(report.outstanding, (0, 0), "{report:?}");
        assert_eq!(report.ended.panic_count, 0, "{report:?}");
        report
    }
}

fn serve(mut engine: Engine<Observed>, gate: &Gate) -> Report {
    engine.start();
    while !engine.is_over() {
        gate.pass();
        engine.turn().unwrap();
    }
    Report {
        ended: engine.ended(),
        outstanding: engine.kernel().ring.outstanding(),
        starved_count: engine.kernel().starved_count,
        overflow_count: gate.overflow_count.load(Ordering::SeqCst),
    }
}

impl Gate {
    fn pass(&self) {
        if !self.closed.load(Ordering::SeqCst) {
            return;
        }
        self.waiting.store(true, Ordering::SeqCst);
        while self.closed.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_micros(200));
        }
        if has_overflow() {
            self.overflow_count.fetch_add(1, Ordering::SeqCst);
        }
        self.waiting.store(false, Ordering::SeqCst);
    }
}

/// Whether the kernel keeps completions of a ring of this process that its queue had no room
/// for: `/proc/self/fdinfo` lists them.
fn has_overflow() -> bool {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return false;
    };
    entries.flatten().any(|entry| {
        let is_ring =
            fs::read_link(entry.path()).is_ok_and(|name| name.ends_with("anon_inode:[io_uring]"));
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", entry.file_name().display()));
        is_ring && info.is_ok_and(|info| info.contains("CqOverflowList:\n  user_data"))
    })
}

/// The ring, watched.
struct Observed {
    ring: Ring,
    starved_count: u64,
}

impl Kernel for Observed {
    fn time(&self) -> Time {
        Time::read()
    }

    fn push(&mut self, token: Token, operation: Operation) {
        Kernel::push(&mut self.ring, token, operation)
    }

    fn enter(&mut self, wait: bool) -> io::Result<()> {
        Kernel::enter(&mut self.ring, wait)
    }

    fn complete(&mut self) -> Option<Completion> {
        let completion = Kernel::complete(&mut self.ring)?;
        self.starved_count += u64::from(completion.result == -libc::ENOBUFS);
        Some(completion)
    }

    fn received(&self, buffer_id: u16, length: usize) -> &[u8] {
        Kernel::received(&self.ring, buffer_id, length)
    }

    fn recycle(&mut self, buffer_id: u16) {
        Kernel::recycle(&mut self.ring, buffer_id);
    }

    fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        Kernel::send_file(&mut self.ring, socket, file, offset, count)
    }

    fn is_cached(&mut self, file: BorrowedFd<'_>, offset: u64) -> bool {
        Kernel::is_cached(&mut self.ring, file, offset)
    }

    fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        Kernel::accept(&mut self.ring, listener)
    }

    fn finish(&mut self, socket: BorrowedFd<'_>) {
        Kernel::finish(&mut self.ring, socket);
    }

    fn reset_on_close(&mut self, socket: BorrowedFd<'_>) {
        Kernel::reset_on_close(&mut self.ring, socket);
    }
}

/// What this kernel's ring can do, or none, which is said; and the right to be the only test
/// that opens descriptors.
pub(crate) fn ring() -> Option<(Features, MutexGuard<'static, ()>)> {
    let alone = alone();
    match probe() {
        Ok(features) if features.missing().is_none() => Some((features, alone)),
        Ok(features) => skip(&format!("this io_uring lacks {:?}", features.missing())),
        Err(error) => skip(&format!("io_uring is not available here: {error}")),
    }
}

/// The right to be the only test that opens descriptors.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says why a test did not run.
fn skip<T>(reason: &str) -> Option<T> {
    eprintln!("skipped: {reason}");
    None
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(15), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How many descriptors this process has.
pub(crate) fn descriptor_count() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

const OPTIONS: Options = Options {
    settings: Settings {
        over_tls: false,
        hands_over: false,
        prior_knowledge: false,
        head_bytes_max: 16 * 1024,
        target_bytes_max: 8 * 1024,
        body_bytes_max: 64 * 1024,
        head_timeout: Duration::from_secs(20),
        body_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(20),
        cors: true,
    },
    connection_count_max: 10_000,
    file_count_max: 16,
    cpu: None,
};
