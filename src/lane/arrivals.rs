//! The way into a lane: one queue for connections and messages, and waking who waits for them.
//! Counts connections from the moment they are put there to their end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::Notify;

use super::{Arrival, Message};

/// Where connections for a lane are put.
#[derive(Clone)]
pub struct Arrivals {
    sender: Sender<Mail>,
    bell: Arc<Notify>,
    connection_count: Arc<AtomicUsize>,
}

/// What a lane finds in its queue.
pub(super) enum Mail {
    Arrival(Box<Arrival>, Place),
    Message(Message),
}

/// The lane's end of the queue.
pub(super) struct Inbox {
    receiver: Receiver<Mail>,
    bell: Arc<Notify>,
    connection_count: Arc<AtomicUsize>,
}

/// One connection among those that are counted.
pub(super) struct Place {
    connection_count: Arc<AtomicUsize>,
    bell: Arc<Notify>,
}

/// A queue and both its ends.
pub(super) fn queue() -> (Arrivals, Inbox) {
    let (sender, receiver) = unbounded();
    let bell = Arc::new(Notify::new());
    let arrivals = Arrivals {
        sender,
        bell: Arc::clone(&bell),
        connection_count: Arc::default(),
    };
    let inbox = Inbox {
        receiver,
        bell,
        connection_count: Arc::clone(&arrivals.connection_count),
    };
    (arrivals, inbox)
}

impl Arrivals {
    /// Puts one there. If the lane has ended, the connection is closed.
    pub fn push(&self, arrival: Arrival) {
        self.connection_count.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            connection_count: Arc::clone(&self.connection_count),
            bell: Arc::clone(&self.bell),
        };
        self.send(Mail::Arrival(Box::new(arrival), place));
    }

    /// How many connections the lane has.
    pub fn connection_count(&self) -> usize {
        self.connection_count.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, message: Message) {
        self.send(Mail::Message(message));
    }

    fn send(&self, mail: Mail) {
        // What nobody takes any more is dropped, and with it the socket and its place.
        let _ = self.sender.send(mail);
        self.bell.notify_one();
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Arrivals")
            .field("connection_count", &self.connection_count())
            .finish_non_exhaustive()
    }
}

impl Inbox {
    /// The next in the queue, if there is one.
    pub(super) fn take(&self) -> Option<Mail> {
        self.receiver.try_recv().ok()
    }

    /// How many connections there are, also those still in the queue.
    pub(super) fn connection_count(&self) -> usize {
        self.connection_count.load(Ordering::Relaxed)
    }

    /// Waits until somebody has rung since it was last waited for.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }
}

impl Place {
    /// How many connections there are, this one among them.
    fn count(&self) -> usize {
        self.connection_count.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A lane that waits for its last connection to end must hear of it.
        let is_last = self.count() == 1;
        self.connection_count.fetch_sub(1, Ordering::Relaxed);
        if is_last {
            self.bell.notify_one();
        }
    }
}
