//! Clients that stall in the middle of a request: those that do not read, those that do not send
//! the body they have announced, and those that send what means nothing.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::connections::after;
use super::files::CHUNK_BYTES;
use super::socket::Traffic;
use crate::connection::{Settings, Tick, WRITE_PROGRESS_BYTES};
use crate::fallback::Upload;

/// What is remembered of one connection, to tell at the next look whether it goes on.
#[derive(Default)]
pub(super) struct Stalls {
    /// Since when sending makes no progress, and what had been sent then.
    blocked_since: Cell<Option<(Tick, u64)>>,
    /// Answers of which a part was taken, and nothing was asked for after that.
    held_back_count: Cell<usize>,
    /// Bodies of requests, and since when they make no progress.
    uploads: RefCell<Vec<Watched>>,
    /// Bytes of bodies that have been read to their end, or given up.
    uploaded_bytes: Cell<u64>,
    /// What had been received when all this began to be counted.
    received_before: Cell<u64>,
    /// Requests begun.
    request_count: Cell<u64>,
    /// Whether a body was left unread.
    has_unread: Cell<bool>,
}

struct Watched {
    upload: Arc<Upload>,
    since: Tick,
    received_then: u64,
}

impl Stalls {
    /// Counts from here on.
    pub(super) fn begin(&self, traffic: &Traffic) {
        self.received_before.set(traffic.received_bytes());
    }

    pub(super) fn on_request(&self) {
        self.request_count.set(self.request_count.get() + 1);
    }

    /// Looks after a request body.
    pub(super) fn watch(&self, upload: &Arc<Upload>, now: Tick) {
        self.uploads.borrow_mut().push(Watched {
            upload: Arc::clone(upload),
            since: now,
            received_then: 0,
        });
    }

    /// Something of an answer was taken, and the next is not asked for yet; or it is.
    pub(super) fn hold_back(&self, is_held_back: bool) {
        let count = self.held_back_count.get();
        self.held_back_count.set(if is_held_back {
            count + 1
        } else {
            count.saturating_sub(1)
        });
    }

    /// How much of an answer is made at once: less the more of them nobody takes, as HTTP/2 asks
    /// for the first part before the client has room for it.
    pub(super) fn part_bytes_max(&self) -> usize {
        let part = HELD_BACK_BYTES / (self.held_back_count.get() + 1);
        part.clamp(PART_BYTES_MIN, CHUNK_BYTES)
    }

    /// The rest of a request is not read.
    pub(super) fn leave_unread(&self) {
        self.has_unread.set(true);
    }

    /// Whether the client may still be sending a body that nobody reads.
    pub(super) fn has_unread(&self) -> bool {
        let is_unread = |watched: &Watched| !watched.upload.is_complete();
        self.has_unread.get() || self.uploads.borrow().iter().any(is_unread)
    }

    /// Whether the connection has to end; bodies that stall are given up alone.
    pub(super) fn look(&self, traffic: &Traffic, now: Tick, settings: &Settings) -> bool {
        self.look_at_uploads(now, settings);
        self.does_not_read(traffic, now, settings) || self.is_flooding(traffic)
    }

    fn look_at_uploads(&self, now: Tick, settings: &Settings) {
        self.uploads.borrow_mut().retain_mut(|watched| {
            let received = watched.upload.received_bytes();
            if Arc::strong_count(&watched.upload) == 1 {
                self.uploaded_bytes
                    .set(self.uploaded_bytes.get() + received);
                self.has_unread
                    .set(self.has_unread.get() || !watched.upload.is_complete());
                return false;
            }
            let progress = received - watched.received_then;
            if !watched.upload.is_awaited() || progress >= u64::from(WRITE_PROGRESS_BYTES) {
                watched.since = now;
                watched.received_then = received;
            } else if now >= after(watched.since, settings.body_timeout) {
                watched.upload.give_up();
            }
            true
        });
    }

    fn does_not_read(&self, traffic: &Traffic, now: Tick, settings: &Settings) -> bool {
        if !traffic.is_blocked() && self.held_back_count.get() == 0 {
            self.blocked_since.set(None);
            return false;
        }
        let sent = traffic.sent_bytes();
        match self.blocked_since.get() {
            Some((since, sent_then))
                if sent.wrapping_sub(sent_then) < u64::from(WRITE_PROGRESS_BYTES) =>
            {
                now >= after(since, settings.write_timeout)
            }
            _ => {
                self.blocked_since.set(Some((now, sent)));
                false
            }
        }
    }

    /// Whether much more is received than requests, bodies and what acknowledges answers take.
    fn is_flooding(&self, traffic: &Traffic) -> bool {
        let uploads = self.uploads.borrow();
        let uploading: u64 = uploads
            .iter()
            .map(|watched| watched.upload.received_bytes())
            .sum();
        let requests = self.request_count.get().saturating_mul(REQUEST_BYTES);
        let bodies = (self.uploaded_bytes.get() + uploading).saturating_mul(2);
        let explained = FLOOD_BYTES_MAX + requests + bodies + traffic.sent_bytes() / 4;
        traffic.received_bytes() - self.received_before.get() > explained
    }
}

/// What answers that nobody takes keep in memory without being made smaller.
const HELD_BACK_BYTES: usize = 4 * CHUNK_BYTES;

/// A frame of HTTP/2 (RFC 9113 §4.2).
const PART_BYTES_MIN: usize = 16 * 1024;

/// What may be received without any use.
const FLOOD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a request may take, in the long run.
const REQUEST_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand answers that nobody took kept as many whole parts.
    #[test]
    fn parts_become_smaller_the_more_of_them_nobody_takes() {
        let stalls = Stalls::default();
        let mut kept = 0;
        for _ in 0..100 {
            kept += stalls.part_bytes_max();
            stalls.hold_back(true);
        }
        assert!(kept < 32 * CHUNK_BYTES, "{kept}");
        for _ in 0..100 {
            stalls.hold_back(false);
        }
        assert_eq!(stalls.part_bytes_max(), CHUNK_BYTES);
    }
}
