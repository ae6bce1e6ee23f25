//! Whether an application server takes connections, by what became of the last ones.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;

/// What is known of one server. No connection, or no response over one, leaves it out for a time
/// that doubles with each; its responses, 5xx too, are answers and no failure.
#[derive(Debug, Default)]
pub(super) struct Health {
    failure_count: Cell<u32>,
    paused_until: Cell<Option<Instant>>,
}

/// When each kind of failure was last logged.
#[derive(Debug, Default)]
pub(super) struct Notices([Cell<Option<Instant>>; Failure::COUNT]);

impl Health {
    /// Whether it is left out for now.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_until
            .get()
            .is_some_and(|until| Instant::now() < until)
    }

    /// Somebody connects. After a pause that is a trial: others go elsewhere meanwhile.
    pub(super) fn on_try(&self) {
        if self.failure_count.get() > 0 {
            self.paused_until.set(Some(Instant::now() + self.pause()));
        }
    }

    /// No connection, or no response.
    pub(super) fn on_failure(&self) {
        self.failure_count
            .set(self.failure_count.get().saturating_add(1));
        self.paused_until.set(Some(Instant::now() + self.pause()));
    }

    /// A response began. That it takes connections would prove little: the kernel does that.
    pub(super) fn on_success(&self) {
        self.failure_count.set(0);
        self.paused_until.set(None);
    }

    fn pause(&self) -> Duration {
        let doublings = self.failure_count.get().saturating_sub(1).min(8);
        (PAUSE * (1 << doublings)).min(PAUSE_MAX)
    }
}

impl Notices {
    /// Whether `failure` may be logged now.
    pub(super) fn is_due(&self, failure: Failure) -> bool {
        let last = &self.0[failure as usize];
        let now = Instant::now();
        let is_due = last.get().is_none_or(|last| now - last >= NOTICE_INTERVAL);
        if is_due {
            last.set(Some(now));
        }
        is_due
    }
}

const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);
