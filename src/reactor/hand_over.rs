//! How a connection leaves its worker: the socket and what was received and not answered. Who
//! goes on with it, the reactor does not know.

use std::fmt;
use std::os::fd::OwnedFd;

/// A connection that another part goes on with.
#[derive(Debug)]
pub struct Handed {
    /// The socket; nothing is in flight for it any more. It is closed on exec, and does not
    /// block (`O_NONBLOCK`): both engines accept that way.
    pub socket: OwnedFd,
    /// What was received and not answered, from the first byte of a request.
    pub received: Vec<u8>,
    /// Whether the client has shut down its sending side.
    pub half_closed: bool,
    /// The mark of the listener whose connections are handed over unread; none for a connection
    /// that was served here before.
    pub mark: Option<u8>,
}

/// Takes the connections that a worker gives up.
pub trait Outlet: Send + fmt::Debug {
    /// Takes one.
    fn hand_over(&mut self, handed: Handed);

    /// How many it has. They count as the worker's when it comes to accepting more.
    fn connection_count(&self) -> usize;
}
