//! How the body of a request comes in: for whoever looks after clients that stall.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};

/// The progress of one request body. Kept by the body and by who looks after it.
#[derive(Debug, Default)]
pub struct Upload {
    received_bytes: AtomicU64,
    is_awaited: AtomicBool,
    is_complete: AtomicBool,
    is_given_up: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Upload {
    /// What has been taken so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Whether somebody waits for the client to send on.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    /// Whether it was taken to its end.
    pub fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Relaxed)
    }

    /// Ends the wait for the client: the body fails.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().map(|mut waker| waker.take());
        if let Ok(Some(waker)) = waker {
            waker.wake();
        }
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }

    pub(super) fn on_received(&self, count: usize) {
        self.is_awaited.store(false, Ordering::Relaxed);
        self.received_bytes
            .fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn on_complete(&self) {
        self.is_awaited.store(false, Ordering::Relaxed);
        self.is_complete.store(true, Ordering::Relaxed);
    }

    pub(super) fn on_wait(&self, context: &Context<'_>) {
        self.is_awaited.store(true, Ordering::Relaxed);
        if let Ok(mut waker) = self.waker.lock() {
            match &mut *waker {
                Some(waker) => waker.clone_from(context.waker()),
                waker => *waker = Some(context.waker().clone()),
            }
        }
    }
}
