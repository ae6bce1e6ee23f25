//! Waking a thread that waits in its reactor: `eventfd(2)`.
#![expect(unsafe_code, reason = "a system call that std does not offer")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// A counter that becomes readable when it is signalled.
#[derive(Debug)]
pub struct Event(File);

impl Event {
    /// A counter nobody has signalled.
    ///
    /// # Errors
    /// What `eventfd(2)` answered: too many open files.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(File::from(unsafe {
            OwnedFd::from_raw_fd(descriptor)
        })))
    }

    /// Makes it readable.
    pub fn signal(&self) {
        // It fails only if the counter is full, and then it is readable already.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Makes it unreadable until the next signal.
    pub fn clear(&self) {
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
