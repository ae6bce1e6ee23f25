//! The time of a worker, asked for once a second, and what a connection needs besides bytes.

use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use whitering::internal::connection::{
    BufferPool, Context, DATE_BYTES, Held, Settings, Tick, http_date,
};
use whitering::internal::reactor::Published;

/// Everything that the connections of one thread share.
pub(super) struct Surroundings {
    pub(super) held: Held,
    pub(super) date: [u8; DATE_BYTES],
    settings: Settings,
    started: Instant,
    now: Tick,
    unix_seconds: u64,
    pool: BufferPool,
    path_scratch: Vec<u8>,
}

impl Surroundings {
    pub(super) fn new(published: &Published, settings: Settings) -> Self {
        let mut made = Self {
            held: Rc::new(Published::clone(published)),
            date: http_date(0),
            settings,
            started: Instant::now(),
            now: Tick(0),
            unix_seconds: 0,
            pool: BufferPool::new(),
            path_scratch: Vec::new(),
        };
        made.refresh();
        made
    }

    /// A second may have passed.
    pub(super) fn refresh(&mut self) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        self.unix_seconds = since_1970.unwrap_or_default().as_secs();
        self.date = http_date(self.unix_seconds);
        self.now = Tick(u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX));
    }

    /// What an event of a connection may use.
    pub(super) fn context(&mut self) -> Context<'_> {
        Context {
            held: &self.held,
            settings: &self.settings,
            now: self.now,
            unix_seconds: self.unix_seconds,
            date: &self.date,
            draining: false,
            pool: &mut self.pool,
            path_scratch: &mut self.path_scratch,
        }
    }

    /// Where send buffers come from and go back to.
    pub(super) fn pool(&mut self) -> &mut BufferPool {
        &mut self.pool
    }
}
