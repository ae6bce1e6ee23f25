//! Readiness of many descriptors: `epoll(7)`, level-triggered.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A set of descriptors, each watched under a number.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Bytes, connections, or their end.
    pub readable: bool,
    /// Room to send.
    pub writable: bool,
    /// Whether only one of several waiting threads is woken (`EPOLLEXCLUSIVE`, Linux 4.5).
    pub exclusive: bool,
}

/// One descriptor that is ready, or has failed (then it is both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The number it is watched under.
    pub key: u64,
    /// Receiving will not wait.
    pub readable: bool,
    /// Sending will not wait.
    pub writable: bool,
    /// The connection is gone in both directions.
    pub failed: bool,
}

impl Poller {
    /// An empty set that reports up to `event_count_max` descriptors at once.
    ///
    /// # Errors
    /// What `epoll_create1(2)` answered.
    pub fn new(event_count_max: usize) -> io::Result<Self> {
        // SAFETY: no memory is passed.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; event_count_max],
        })
    }

    /// Starts to watch `descriptor` under `key`. It is forgotten when it is closed.
    ///
    /// # Errors
    /// What `epoll_ctl(2)` answered.
    pub fn add(&self, descriptor: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor, key, interest)
    }

    /// Watches `descriptor` for something else.
    ///
    /// # Errors
    /// What `epoll_ctl(2)` answered.
    pub fn modify(
        &self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor, key, interest)
    }

    /// Stops watching `descriptor`.
    pub fn remove(&self, descriptor: BorrowedFd<'_>) {
        let none = Interest {
            readable: false,
            writable: false,
            exclusive: false,
        };
        // It fails only if the descriptor was not watched.
        let _ = self.control(libc::EPOLL_CTL_DEL, descriptor, 0, none);
    }

    fn control(
        &self,
        operation: i32,
        descriptor: BorrowedFd<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let mut events = 0;
        for (wanted, bit) in [
            (interest.readable, libc::EPOLLIN),
            (interest.writable, libc::EPOLLOUT),
            (interest.exclusive, libc::EPOLLEXCLUSIVE),
        ] {
            if wanted {
                events |= bit as u32;
            }
        }
        let mut event = libc::epoll_event { events, u64: key };
        let (epoll, descriptor) = (self.epoll.as_raw_fd(), descriptor.as_raw_fd());
        // SAFETY: the event outlives the call.
        let result = unsafe { libc::epoll_ctl(epoll, operation, descriptor, &raw mut event) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Waits up to `timeout_millis` until something is ready; an interruption counts as nothing.
    ///
    /// # Errors
    /// What `epoll_wait(2)` answered.
    pub fn wait(&mut self, timeout_millis: i32) -> io::Result<usize> {
        let count_max = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        let (epoll, pointer) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        // SAFETY: the events are writable for `count_max` entries.
        let result = unsafe { libc::epoll_wait(epoll, pointer, count_max, timeout_millis) };
        match usize::try_from(result) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    /// What was ready at `index` when [`Self::wait`] returned.
    pub fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let (events, key) = (event.events, event.u64);
        let failed = events & (libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0;
        Ready {
            key,
            readable: failed || events & libc::EPOLLIN as u32 != 0,
            writable: failed || events & libc::EPOLLOUT as u32 != 0,
            failed,
        }
    }
}
