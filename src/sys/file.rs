//! Regular files: whether a part of one is in the page cache.
#![expect(unsafe_code, reason = "a system call that std does not offer")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether the byte at `offset` can be read without waiting for the disk (`preadv2(2)` with
/// `RWF_NOWAIT`, Linux 4.14). File systems that cannot tell count as cached.
pub fn is_cached(file: BorrowedFd<'_>, offset: u64) -> bool {
    let Ok(offset) = i64::try_from(offset) else {
        return true;
    };
    let mut byte = 0_u8;
    let vector = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: the vector names one writable byte; both outlive the call.
    let result = unsafe {
        libc::preadv2(
            file.as_raw_fd(),
            &raw const vector,
            1,
            offset,
            libc::RWF_NOWAIT,
        )
    };
    result >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
}
