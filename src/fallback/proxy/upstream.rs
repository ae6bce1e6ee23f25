//! One application server, as one lane knows it: its idle connections, and how many are in use.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::connect::Connector;
use super::failure::Failure;
use super::health::{Health, Notices};
use super::link::Link;
use super::queue::Queue;
use super::{Address, Options};

/// One application server.
pub(super) struct Upstream {
    /// Its place in the list.
    pub(super) index: usize,
    /// Whether it takes connections, and answers.
    pub(super) health: Health,
    connector: Connector,
    connect_timeout: Duration,
    timeout: Duration,
    /// The one used last is at the end, and taken first. In use and idle together are at most
    /// `connection_count_max`: a new one is made only where none is idle.
    #[expect(
        clippy::vec_box,
        reason = "it moves between here and leases without being copied"
    )]
    idle: RefCell<Vec<Box<Link>>>,
    used_count: Cell<usize>,
    connection_count_max: usize,
    queue: Rc<Queue>,
    notices: Notices,
}

/// The right to use one connection.
pub(super) struct Slot {
    /// Of this server.
    pub(super) upstream: Rc<Upstream>,
}

/// A connection in use. When it is given up it is idle again, or closed.
pub(super) struct Lease {
    link: Option<Box<Link>>,
    slot: Slot,
}

impl Upstream {
    /// The server at `address`, not connected to yet.
    pub(super) fn new(index: usize, address: Address, options: &Options, queue: Rc<Queue>) -> Self {
        Self {
            index,
            health: Health::default(),
            connector: Connector::new(address),
            connect_timeout: options.connect_timeout,
            timeout: options.timeout,
            idle: RefCell::default(),
            used_count: Cell::new(0),
            connection_count_max: options.connection_count_max,
            queue,
            notices: Notices::default(),
        }
    }

    /// Whether one more connection may be used.
    pub(super) fn has_room(&self) -> bool {
        self.used_count.get() < self.connection_count_max
    }

    /// Whether it has connections, used or not.
    pub(super) fn is_connected(&self) -> bool {
        self.used_count.get() > 0 || !self.idle.borrow().is_empty()
    }

    /// An idle connection.
    pub(super) fn take_idle(&self) -> Option<Box<Link>> {
        self.idle.borrow_mut().pop()
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`Failure::Connect`] or [`Failure::ConnectTimeout`]; it is left out for a time then.
    pub(super) async fn connect(&self) -> Result<Box<Link>, Failure> {
        let connecting = tokio::time::timeout(self.connect_timeout, self.connector.connect());
        let result = match connecting.await {
            Ok(Ok(socket)) => Ok(Box::new(Link::new(socket, self.timeout))),
            Ok(Err(_)) => Err(Failure::Connect),
            Err(_) => Err(Failure::ConnectTimeout),
        };
        if result.is_err() {
            self.health.on_failure();
            self.connector.forget();
        }
        result
    }

    /// Closes the connections that have been idle for too long, or were closed over there.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut links = self.idle.take();
        links.retain_mut(|link| now - link.idle_since < IDLE_TIMEOUT && link.poll_idle());
        self.idle.replace(links);
    }

    /// Logs `failure`, at most once a second.
    pub(super) fn notice(&self, failure: Failure) {
        if self.notices.is_due(failure) {
            tracing::warn!("upstream {}: {failure}", self.connector.address());
        }
    }
}

impl Slot {
    /// Takes one connection of `upstream`, which has room.
    pub(super) fn new(upstream: Rc<Upstream>) -> Self {
        upstream.used_count.set(upstream.used_count.get() + 1);
        Self { upstream }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let used_count = &self.upstream.used_count;
        used_count.set(used_count.get() - 1);
        self.upstream.queue.wake();
    }
}

impl Lease {
    /// The use of `link`.
    pub(super) fn new(link: Box<Link>, slot: Slot) -> Self {
        let link = Some(link);
        Self { link, slot }
    }

    /// The connection.
    pub(super) fn link(&mut self) -> &mut Link {
        self.link
            .as_mut()
            .expect("invariant: only `into_parts` and `drop` take the link, and both end the lease")
    }

    /// Its server.
    pub(super) fn upstream(&self) -> &Upstream {
        &self.slot.upstream
    }

    /// Closes the connection, whatever its state.
    pub(super) fn close(mut self) {
        self.link = None;
    }

    /// Takes the connection out; the returned lease goes on to count it.
    pub(super) fn take_link(&mut self) -> Option<Box<Link>> {
        self.link.take()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        if link.poll_idle() {
            link.idle_since = Instant::now();
            self.slot.upstream.idle.borrow_mut().push(link);
        }
    }
}

const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
