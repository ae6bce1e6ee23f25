//! The snapshot that is served now: swapped whole, read without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;

/// Where a load publishes its snapshot and workers fetch it from.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
}

impl Live {
    /// Starts with `snapshot`.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot: ArcSwap::new(snapshot),
        }
    }

    /// Makes `snapshot` the current one. Whoever holds the previous one keeps it.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
    }

    /// The snapshot published last.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_took() {
        let first = Arc::new(Snapshot::default());
        let second = Arc::new(Snapshot::default());
        let live = Live::new(Arc::clone(&first));
        let taken = live.current();
        live.publish(Arc::clone(&second));
        assert!(Arc::ptr_eq(&taken, &first));
        assert!(Arc::ptr_eq(&live.current(), &second));
    }
}
