//! Registered rings: a thread enters its own ring by an index, which saves a look-up each time.
#![expect(unsafe_code, reason = "a system call with a structure")]

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::IoUring;

/// Registers the ring with its own thread (`IORING_REGISTER_RING_FDS`, Linux 5.18). A thread has
/// places for 16, each of which keeps its ring until it is unregistered.
pub(super) fn register_ring(ring: &IoUring) -> io::Result<RawFd> {
    let data = u64::try_from(ring.as_raw_fd()).expect("invariant: descriptors are not negative");
    let mut update = ResourceUpdate {
        offset: u32::MAX,
        reserved: 0,
        data,
    };
    update_registered(ring, REGISTER_RING_FDS, &mut update)?;
    Ok(RawFd::try_from(update.offset).expect("invariant: a small index"))
}

/// Frees the place that [`register_ring`] has found.
pub(super) fn unregister_ring(ring: &IoUring, index: RawFd) -> io::Result<()> {
    let mut update = ResourceUpdate {
        offset: u32::try_from(index).expect("invariant: an index is not negative"),
        reserved: 0,
        data: 0,
    };
    update_registered(ring, UNREGISTER_RING_FDS, &mut update)
}

/// `struct io_uring_rsrc_update` of `linux/io_uring.h`.
#[repr(C)]
struct ResourceUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

fn update_registered(ring: &IoUring, code: u32, update: &mut ResourceUpdate) -> io::Result<()> {
    // SAFETY: the structure has the layout the call expects, and outlives it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring.as_raw_fd(),
            code,
            &raw mut *update,
            1_u32,
        )
    };
    if result == 1 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `IORING_REGISTER_RING_FDS` of `linux/io_uring.h`.
const REGISTER_RING_FDS: u32 = 20;

/// `IORING_UNREGISTER_RING_FDS` of `linux/io_uring.h`.
const UNREGISTER_RING_FDS: u32 = 21;
