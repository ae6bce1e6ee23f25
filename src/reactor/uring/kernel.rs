//! What the ring engine asks of the kernel, so that a simulated one can stand in.

use std::io;
use std::os::fd::BorrowedFd;

use crate::reactor::Time;
use crate::sys::uring::{Completion, Operation, Ring, Token};
use crate::sys::{file, socket};

/// A ring, and the few calls that do not wait and so need none.
pub trait Kernel {
    /// Hands an operation over with the next [`Self::enter`].
    fn push(&mut self, token: Token, operation: Operation);

    /// Submits what was pushed; waits for a completion if `wait` says so.
    ///
    /// # Errors
    /// The ring is broken.
    fn enter(&mut self, wait: bool) -> io::Result<()>;

    /// The next completion, if there is one.
    fn complete(&mut self) -> Option<Completion>;

    /// What was received into a provided buffer.
    fn received(&self, buffer_id: u16, length: usize) -> &[u8];

    /// Gives a provided buffer back.
    fn recycle(&mut self, buffer_id: u16);

    /// As [`socket::send_file`].
    ///
    /// # Errors
    /// `WouldBlock` if there is no room.
    fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize>;

    /// As [`file::is_cached`].
    fn is_cached(&mut self, file: BorrowedFd<'_>, offset: u64) -> bool;

    /// As [`socket::accept`].
    ///
    /// # Errors
    /// `WouldBlock` if no connection waits.
    fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<std::os::fd::OwnedFd>;

    /// As [`socket::finish`].
    fn finish(&mut self, socket: BorrowedFd<'_>);

    /// As [`socket::reset_on_close`].
    fn reset_on_close(&mut self, socket: BorrowedFd<'_>);

    /// As [`Time::read`].
    fn time(&self) -> Time;
}

impl Kernel for Ring {
    fn push(&mut self, token: Token, operation: Operation) {
        Self::push(self, token, operation);
    }

    fn enter(&mut self, wait: bool) -> io::Result<()> {
        Self::enter(self, wait)
    }

    fn complete(&mut self) -> Option<Completion> {
        Self::complete(self)
    }

    fn received(&self, buffer_id: u16, length: usize) -> &[u8] {
        Self::received(self, buffer_id, length)
    }

    fn recycle(&mut self, buffer_id: u16) {
        Self::recycle(self, buffer_id);
    }

    fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        socket::send_file(socket, file, offset, count)
    }

    fn is_cached(&mut self, file: BorrowedFd<'_>, offset: u64) -> bool {
        file::is_cached(file, offset)
    }

    fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<std::os::fd::OwnedFd> {
        socket::accept(listener)
    }

    fn finish(&mut self, socket: BorrowedFd<'_>) {
        socket::finish(socket);
    }

    fn reset_on_close(&mut self, socket: BorrowedFd<'_>) {
        socket::reset_on_close(socket);
    }

    fn time(&self) -> Time {
        Time::read()
    }
}
