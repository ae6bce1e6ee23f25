//! What all connections of a lane have in common. Belongs to one thread.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

use ::http::HeaderValue;
use ::http::request::Parts;

use super::Options;
use super::clock::Clock;
use super::connections::Connections;
use super::http_setup::{self, Servers};
use super::sendfile::{self, Root};
use crate::assets::{FileBody, OpenError, Policy};
use crate::connection::{BufferPool, Context, Held, Published, Settings, Source};
use crate::fallback::Service;
use crate::fallback::proxy::Passage;
use crate::service::{Answer, Answerer};

/// The state of a lane.
pub(super) struct State {
    pub(super) options: Options,
    pub(super) connections: Rc<Connections>,
    pub(super) clock: Clock,
    pub(super) fallback: Option<Rc<dyn Service>>,
    /// The short way through it.
    pub(super) passage: Option<Passage>,
    pub(super) servers: Servers,
    pub(super) sendfile_roots: Rc<[Root]>,
    /// The value of `Strict-Transport-Security`.
    pub(super) hsts: Option<HeaderValue>,
    /// Whether files are read through the ring.
    pub(super) uses_uring: bool,
    /// Where what has just been received is looked at.
    pub(super) receive_buffer: RefCell<Box<[u8]>>,
    /// What connections over TLS are held to.
    tls_settings: Settings,
    held: RefCell<Held>,
    answerer: RefCell<Answerer>,
    work: RefCell<Work>,
    draining: Cell<bool>,
    panic_count: Rc<Cell<u64>>,
}

/// What is used while an event is handled, and by nobody in between.
#[derive(Default)]
struct Work {
    pool: BufferPool,
    path_scratch: Vec<u8>,
}

impl State {
    pub(super) fn new(options: Options, uses_uring: bool) -> Rc<Self> {
        let panic_count = Rc::new(Cell::new(0));
        let fallback = options.fallback.as_ref().map(|fallback| fallback.make());
        Rc::new(Self {
            connections: Rc::default(),
            clock: Clock::start(),
            passage: fallback.as_ref().and_then(|fallback| fallback.passage()),
            fallback,
            sendfile_roots: sendfile::open_roots(&options.sendfile_roots),
            servers: http_setup::servers(&options, &panic_count),
            hsts: options
                .hsts_seconds
                .and_then(|seconds| HeaderValue::try_from(format!("max-age={seconds}")).ok()),
            uses_uring,
            receive_buffer: RefCell::new(vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice()),
            answerer: RefCell::new(Answerer::new(
                Arc::clone(&options.published),
                options.settings.target_bytes_max,
            )),
            tls_settings: Settings {
                over_tls: true,
                ..options.settings.clone()
            },
            held: RefCell::new(Rc::new(options.published.clone())),
            work: RefCell::default(),
            draining: Cell::new(false),
            panic_count,
            options,
        })
    }

    /// The snapshot that new requests are answered from.
    pub(super) fn held(&self) -> Held {
        Rc::clone(&self.held.borrow())
    }

    pub(super) fn publish(&self, published: Published) {
        self.answerer.borrow_mut().publish(Arc::clone(&published));
        *self.held.borrow_mut() = Rc::new(published);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.connections.wake();
    }

    /// Panics that cost a connection, or a stream of one, each.
    pub(super) fn panic_count(&self) -> &Rc<Cell<u64>> {
        &self.panic_count
    }

    /// Answers `request` from the snapshot, if it names a file or nothing else could.
    pub(super) fn answer(&self, request: &Parts) -> Answer {
        let policy = Policy {
            cors: self.options.settings.cors,
            has_fallback: self.fallback.is_some(),
            unix_seconds: self.clock.unix_seconds(),
        };
        let answer = self.answerer.borrow_mut().answer(request, policy);
        self.notice_stale();
        answer
    }

    /// Opens the file that is `source`, or finds it open.
    pub(super) fn open(&self, source: &Source, body: &FileBody) -> Result<Arc<File>, OpenError> {
        let is_current = Rc::ptr_eq(source.held(), &*self.held.borrow());
        if !is_current {
            return source.held().open(body).map(Arc::new);
        }
        let result = self.answerer.borrow_mut().open(source.key(), body);
        self.notice_stale();
        result
    }

    fn notice_stale(&self) {
        if self.answerer.borrow_mut().take_stale() {
            (self.options.on_stale)();
        }
    }

    /// What a connection over TLS, or none, is held to.
    pub(super) fn settings(&self, is_tls: bool) -> &Settings {
        if is_tls {
            &self.tls_settings
        } else {
            &self.options.settings
        }
    }

    /// Lets `event` happen to a connection that is held to `settings`.
    pub(super) fn with_context<T>(
        &self,
        settings: &Settings,
        event: impl FnOnce(&mut Context<'_>) -> T,
    ) -> T {
        self.clock.refresh();
        let held = self.held();
        let date = self.clock.date();
        let work = &mut *self.work.borrow_mut();
        event(&mut Context {
            held: &held,
            settings,
            now: self.clock.now(),
            unix_seconds: self.clock.unix_seconds(),
            date: &date,
            draining: self.draining.get(),
            pool: &mut work.pool,
            path_scratch: &mut work.path_scratch,
        })
    }

    /// Lends the pool of buffers.
    pub(super) fn with_pool<T>(&self, use_pool: impl FnOnce(&mut BufferPool) -> T) -> T {
        use_pool(&mut self.work.borrow_mut().pool)
    }
}

/// As much as one record of TLS holds.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024;
