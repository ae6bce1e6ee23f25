//! The application servers of a lane: which one is next, and who waits for a free connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Options;
use super::failure::Failure;
use super::upstream::{Slot, Upstream};

/// The servers, taken in turn.
pub(super) struct Upstreams {
    list: Vec<Rc<Upstream>>,
    next: Cell<usize>,
    queue: Rc<Queue>,
    timeout: Duration,
}

/// Requests that wait for a connection, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    notify: Notify,
    /// How many wait, those included that were woken and have not run since.
    waiting_count: Cell<usize>,
}

/// What a choice comes to.
enum Choice {
    Slot(Slot),
    /// All connections of those that could be chosen are in use.
    Full,
    /// None is left to be tried.
    None,
}

struct Waiting<'a>(&'a Queue);

impl Upstreams {
    /// Those of `options`.
    pub(super) fn new(options: &Options) -> Self {
        let queue = Rc::<Queue>::default();
        let addresses = options.addresses.iter().enumerate();
        let upstream = |(index, address): (usize, &super::Address)| {
            Rc::new(Upstream::new(
                index,
                address.clone(),
                options,
                Rc::clone(&queue),
            ))
        };
        Self {
            list: addresses.map(upstream).collect(),
            next: Cell::new(0),
            timeout: options.timeout,
            queue,
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Rc<Upstream>> {
        self.list.iter()
    }

    /// A connection's place at the next server that is not among `tried`; waits for one.
    ///
    /// # Errors
    /// Too many wait, or it took too long, or none is left.
    pub(super) async fn acquire(&self, tried: &[usize]) -> Result<Slot, Failure> {
        // Who comes later must not overtake.
        if self.queue.waiting_count.get() == 0 {
            match self.choose(tried) {
                Choice::Slot(slot) => return Ok(slot),
                Choice::None => return Err(Failure::Nowhere),
                Choice::Full => {}
            }
        }
        if self.queue.waiting_count.get() >= WAITING_COUNT_MAX {
            return Err(Failure::Busy);
        }
        // Apart, so that a timer takes no room in every request.
        Box::pin(self.queue_up(tried)).await
    }

    async fn queue_up(&self, tried: &[usize]) -> Result<Slot, Failure> {
        let result = {
            let _waiting = Waiting::new(&self.queue);
            tokio::time::timeout(self.timeout, self.wait(tried)).await
        };
        if self.list.iter().any(|upstream| upstream.has_room()) {
            self.queue.wake();
        }
        result.unwrap_or(Err(Failure::QueueTimeout))
    }

    async fn wait(&self, tried: &[usize]) -> Result<Slot, Failure> {
        loop {
            self.queue.notify.notified().await;
            match self.choose(tried) {
                Choice::Slot(slot) => return Ok(slot),
                Choice::None => return Err(Failure::Nowhere),
                Choice::Full => {}
            }
        }
    }

    /// The next server with room that is not left out; if all are left out, the next with room.
    fn choose(&self, tried: &[usize]) -> Choice {
        for takes_paused in [false, true] {
            let mut is_full = false;
            for turn in 0..self.list.len() {
                let index = (self.next.get() + turn) % self.list.len();
                let upstream = &self.list[index];
                if tried.contains(&index) || !takes_paused && upstream.health.is_paused() {
                    continue;
                }
                if upstream.has_room() {
                    self.next.set(index + 1);
                    upstream.health.on_try();
                    return Choice::Slot(Slot::new(Rc::clone(upstream)));
                }
                is_full = true;
            }
            if is_full {
                return Choice::Full;
            }
        }
        Choice::None
    }
}

impl Queue {
    /// A connection is free: wakes who has waited longest.
    pub(super) fn wake(&self) {
        if self.waiting_count.get() > 0 {
            self.notify.notify_one();
        }
    }
}

impl<'a> Waiting<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.waiting_count.set(queue.waiting_count.get() + 1);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting_count.set(self.0.waiting_count.get() - 1);
    }
}

/// Of each lane.
const WAITING_COUNT_MAX: usize = 1_024;
