//! Sending a part of a file: in bounded steps, each checked against what was announced.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::files::OpenFile;
use crate::connection::{BodyPart, Source};

/// What to do for the next bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Send them.
    Send {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        count: usize,
    },
    /// Read them first: they are on a disk that must not be waited for here.
    Read {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        count: u32,
    },
    /// Give up: the file is no longer what was announced.
    GiveUp,
}

/// What sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// This many bytes were sent.
    Sent(usize),
    /// There is no room in the socket.
    Blocked,
    /// The file ends before the length that was announced.
    Truncated,
    /// The connection is gone.
    Failed,
}

/// Plans the next bytes of `part`. `is_at_hand` tells whether the byte at an
/// offset can be sent without waiting for the disk.
pub(super) fn plan(
    part: &BodyPart,
    file: &OpenFile,
    mut is_at_hand: impl FnMut(u64) -> bool,
) -> Plan {
    let range = part.range();
    let count = (range.end - range.start).min(WINDOW_BYTES);
    let (offset, last) = (range.start, range.start + count - 1);
    // Nothing is sent from a file that has been written to since it was hashed.
    if !file.is_unchanged(part.source()) {
        return Plan::GiveUp;
    }
    let fits = "invariant: at most a window";
    if is_at_hand(offset) && is_at_hand(last) {
        Plan::Send {
            offset,
            count: usize::try_from(count).expect(fits),
        }
    } else {
        Plan::Read {
            offset,
            count: u32::try_from(count).expect(fits),
        }
    }
}

/// Sorts what `sendfile(2)` answered.
pub(super) fn outcome(result: io::Result<usize>) -> Outcome {
    match result {
        Ok(0) => Outcome::Truncated,
        Ok(count) => Outcome::Sent(count),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Outcome::Blocked,
            _ => Outcome::Failed,
        },
    }
}

/// Where the file of `source` is: its root, and the path beneath it.
pub(super) fn place(source: &Source) -> Option<(BorrowedFd<'_>, &CStr)> {
    let body = source.file()?;
    let root = source.held().roots.get(usize::from(body.root_index))?;
    Some((root.as_fd(), &body.path))
}

/// Whose turn it is to send from files. A turn of the loop sends so much and no more, so that
/// clients of small files never wait for long.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: VecDeque<u32>,
    bytes_left: usize,
}

impl Turns {
    /// A new turn of the loop begins.
    pub(super) fn begin(&mut self) {
        self.bytes_left = TURN_BYTES_MAX;
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing more is sent in this turn.
    pub(super) fn is_used_up(&self) -> bool {
        self.bytes_left == 0
    }

    /// Counts what was sent, or read to be sent.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
    }

    /// Lets a client wait behind all others.
    pub(super) fn wait(&mut self, slot_index: u32) {
        self.waiting.push_back(slot_index);
    }

    /// The client that has waited longest, if it can go on in this turn.
    pub(super) fn next(&mut self) -> Option<u32> {
        if self.is_used_up() {
            None
        } else {
            self.waiting.pop_front()
        }
    }
}

/// How much of a file is looked at, read ahead or sent in one step.
pub(super) const WINDOW_BYTES: u64 = 256 * 1024;

/// How much one turn of the loop sends from files.
const TURN_BYTES_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_and_the_next_goes_on_with_who_has_waited() {
        let mut turns = Turns::default();
        turns.wait(7);
        turns.wait(8);
        assert_eq!(turns.next(), None);
        turns.begin();
        assert_eq!(turns.next(), Some(7));
        turns.spend(TURN_BYTES_MAX + 1);
        turns.wait(7);
        assert!(turns.is_used_up() && turns.next().is_none());
        turns.begin();
        assert_eq!(
            (turns.next(), turns.next(), turns.next()),
            (Some(8), Some(7), None)
        );
        assert!(turns.is_empty());
    }
}
