//! Moves bytes between sockets, files and connections. Knows no HTTP: what is received goes to a
//! connection, and what that wants is done.
//!
//! Two engines do the same in different ways; a difference that a client can see is a bug.

mod core;
mod deadlines;
pub mod epoll;
mod files;
mod hand_over;
mod slots;
mod transfer;
pub mod uring;

use std::os::fd::OwnedFd;

pub use self::core::{Ended, Inbox, Message, Notice, Options, Time};
pub use hand_over::{Handed, Outlet};
pub use slots::SLOT_COUNT_MAX;

pub use crate::connection::{Published, Settings};

/// A listening socket, as one worker has it.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: OwnedFd,
    /// Whether other workers accept from the same socket.
    pub shared: bool,
    /// Whether the process was given the socket by another one, which may have it still.
    pub inherited: bool,
    /// Whether its connections are handed over unread, and under which mark.
    pub hands_over: Option<u8>,
}
