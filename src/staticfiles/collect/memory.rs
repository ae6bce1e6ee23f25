//! How much memory is in use at once, whatever the number of threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Room, in bytes.
pub(super) struct Memory {
    left: Mutex<u64>,
    bytes_max: u64,
    returned: Condvar,
}

impl Memory {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            left: Mutex::new(bytes_max),
            bytes_max,
            returned: Condvar::new(),
        }
    }

    /// Does `work` once there is room for `bytes`; what is larger than all of it waits for all.
    pub(super) fn hold<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> T {
        let bytes = bytes.min(self.bytes_max);
        let mut left = self.left();
        while *left < bytes {
            left = self
                .returned
                .wait(left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *left -= bytes;
        drop(left);
        let _held = Held {
            memory: self,
            bytes,
        };
        work()
    }

    /// Takes room for good, if there is any.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let mut left = self.left();
        let rest = left.checked_sub(bytes);
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }

    fn left(&self) -> MutexGuard<'_, u64> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that is given back, also where the work ends in a panic: others wait for it.
struct Held<'m> {
    memory: &'m Memory,
    bytes: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.memory.left() += self.bytes;
        self.memory.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    const BYTES_MAX: u64 = 1_000;

    #[test]
    fn never_gives_more_than_there_is() {
        let (memory, held, most) = (Memory::new(BYTES_MAX), AtomicU64::new(0), AtomicU64::new(0));
        let work = |bytes: u64| {
            memory.hold(bytes, || {
                let now =
                    held.fetch_add(bytes.min(BYTES_MAX), Ordering::SeqCst) + bytes.min(BYTES_MAX);
                most.fetch_max(now, Ordering::SeqCst);
                thread::yield_now();
                held.fetch_sub(bytes.min(BYTES_MAX), Ordering::SeqCst);
            });
        };
        thread::scope(|scope| {
            for index in 0..8 {
                scope.spawn(move || {
                    (0..200).for_each(|turn| work(BYTES_MAX / 3 * (index + turn) % 5))
                });
            }
            scope.spawn(|| work(BYTES_MAX * 2));
        });
        assert!(most.into_inner() <= BYTES_MAX);
        assert!(memory.take(BYTES_MAX) && !memory.take(1));
    }
}
