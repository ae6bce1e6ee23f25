//! The lane's clock: ticks for deadlines, and the date.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::connection::{DATE_BYTES, Tick, http_date};

/// The time, as it was when it was last asked for.
pub(super) struct Clock {
    started: Instant,
    now: Cell<Tick>,
    unix_seconds: Cell<u64>,
    date: Cell<[u8; DATE_BYTES]>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let clock = Self {
            started: Instant::now(),
            now: Cell::new(Tick(0)),
            unix_seconds: Cell::new(0),
            date: Cell::new(http_date(0)),
        };
        clock.refresh();
        clock
    }

    /// Asks the system for the time.
    pub(super) fn refresh(&self) {
        let running = self.started.elapsed().as_secs();
        self.now
            .set(Tick(u32::try_from(running).unwrap_or(u32::MAX - 1)));
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        if self.unix_seconds.replace(since_1970) != since_1970 {
            self.date.set(http_date(since_1970));
        }
    }

    /// Seconds since the lane started.
    pub(super) fn now(&self) -> Tick {
        self.now.get()
    }

    /// Seconds since 1970.
    pub(super) fn unix_seconds(&self) -> u64 {
        self.unix_seconds.get()
    }

    /// The value of `Date`.
    pub(super) fn date(&self) -> [u8; DATE_BYTES] {
        self.date.get()
    }
}
