//! What a worker has besides its connections, with a clock that goes when it is told to.

use std::rc::Rc;
use std::sync::Arc;

use whitering::internal::connection::{BufferPool, Context, Held, Settings, Tick};
use whitering::internal::http::date;

use crate::site::Site;
use crate::watchdog::settings;

/// What a worker has besides the connection.
pub(crate) struct World {
    pub(crate) held: Held,
    pub(crate) now: Tick,
    pub(crate) draining: bool,
    pub(crate) pool: BufferPool,
    pub(crate) settings: &'static Settings,
    path_scratch: Vec<u8>,
}

impl World {
    pub(crate) fn new(site: &Site) -> Self {
        Self {
            held: hold(site),
            now: Tick(0),
            draining: false,
            pool: BufferPool::new(),
            settings: settings(),
            path_scratch: Vec::new(),
        }
    }

    /// Lets `event` have what belongs to a worker.
    pub(crate) fn with<T>(&mut self, event: impl FnOnce(&mut Context<'_>) -> T) -> T {
        event(&mut Context {
            held: &self.held,
            settings: self.settings,
            now: self.now,
            unix_seconds: UNIX_SECONDS,
            date: &date::format(UNIX_SECONDS),
            draining: self.draining,
            pool: &mut self.pool,
            path_scratch: &mut self.path_scratch,
        })
    }
}

pub(crate) fn hold(site: &Site) -> Held {
    Rc::new(Arc::clone(&site.published))
}

const UNIX_SECONDS: u64 = 1_800_000_000;
