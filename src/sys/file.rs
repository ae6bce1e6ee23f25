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

/// Reads up to `count_max` bytes from `offset` behind what is in `buffer`, and only what can be
/// read without waiting for the disk (`preadv2(2)` with `RWF_NOWAIT`). Returns how many; 0 at the
/// end of the file.
///
/// # Errors
/// `WouldBlock` if the first of them is not in the page cache, or the file system cannot tell.
pub fn read_at_hand(
    file: BorrowedFd<'_>,
    offset: u64,
    count_max: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<usize> {
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    buffer.reserve(count_max);
    let room = &mut buffer.spare_capacity_mut()[..count_max];
    let vector = libc::iovec {
        iov_base: room.as_mut_ptr().cast(),
        iov_len: count_max,
    };
    // SAFETY: the vector names `count_max` bytes of ours, which may be written though they are
    // not initialised; they and the vector outlive the call.
    let result = unsafe {
        libc::preadv2(
            file.as_raw_fd(),
            &raw const vector,
            1,
            offset,
            libc::RWF_NOWAIT,
        )
    };
    let Ok(count) = usize::try_from(result) else {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::EINTR) => io::ErrorKind::WouldBlock.into(),
            _ => error,
        });
    };
    let filled = buffer.len() + count;
    // SAFETY: the kernel has written the `count` bytes behind the former length, and they are
    // within the capacity that was reserved.
    unsafe { buffer.set_len(filled) };
    Ok(count)
}
