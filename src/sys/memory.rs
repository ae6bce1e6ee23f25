//! The allocator's memory, which is the process's even when nobody uses it.

/// Gives what is free back to the kernel (`malloc_trim(3)`, glibc). Takes milliseconds and the
/// allocator's locks: for after a load, not for workers.
#[cfg(target_env = "gnu")]
pub fn release_free() {
    #[expect(unsafe_code, reason = "a call that std does not offer")]
    // SAFETY: may be called by any thread at any time; no memory is passed.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators have no such call.
#[cfg(not(target_env = "gnu"))]
pub fn release_free() {}
