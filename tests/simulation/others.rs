//! Who goes on with the connections that the engine gives up: takes them as they come, compares
//! what it gets with what was sent, and closes them in its own time.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use whitering::internal::reactor::{Handed, Outlet};

use crate::kernel::SimulatedKernel;
use crate::prng::Prng;

#[derive(Default)]
pub(crate) struct Others {
    arrivals: Arc<Arrivals>,
    /// Looked at, and not yet closed.
    taken: Vec<Handed>,
}

#[derive(Debug, Default)]
struct Arrivals {
    handed: Mutex<Vec<Handed>>,
    /// Connections that are not closed.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Entrance(Arc<Arrivals>);

impl Outlet for Entrance {
    fn hand_over(&mut self, handed: Handed) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.handed.lock().unwrap().push(handed);
    }

    fn connection_count(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }
}

impl Others {
    /// What the engine gives connections to.
    pub(crate) fn outlet(&self) -> Box<dyn Outlet> {
        Box::new(Entrance(Arc::clone(&self.arrivals)))
    }

    /// Looks at what has come.
    pub(crate) fn take(&mut self, kernel: &mut SimulatedKernel) {
        for handed in self.arrivals.handed.lock().unwrap().drain(..) {
            let client = kernel.network.client(handed.socket.as_raw_fd());
            assert!(kernel.network.is_open(client));
            assert!(!kernel.is_in_flight(client), "the kernel has it still");
            let received = match handed.mark {
                None => Some(&handed.received[..]),
                Some(mark) => {
                    assert!(mark == MARK && handed.received.is_empty() && !handed.half_closed);
                    None
                }
            };
            kernel
                .network
                .on_handed_over(client, received, handed.half_closed);
            self.taken.push(handed);
        }
    }

    /// Closes one now and then.
    pub(crate) fn close_some(&mut self, prng: &mut Prng) {
        if !self.taken.is_empty() && prng.one_in(10) {
            self.taken.swap_remove(prng.below(self.taken.len()));
            self.arrivals.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Closes all.
    pub(crate) fn close(&mut self) {
        self.taken.clear();
    }
}

/// Of the listener whose connections are handed over unread.
pub(crate) const MARK: u8 = 7;
