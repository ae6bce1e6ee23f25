//! Signals that are waited for instead of handled: `pthread_sigmask(3)`, `sigwait(3)`.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::mem;

/// The signals an operator sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// TERM, INT or QUIT: come to an end.
    End,
    /// HUP: load again.
    Reload,
    /// USR1: reopen logs, of which there are none yet.
    Reopen,
}

/// Keeps the signals of an operator for [`wait`], in this thread and those it starts.
pub fn block() {
    let set = operator_signals();
    // SAFETY: the set is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits for the next signal. [`block`] must have been called before.
///
/// # Errors
/// What `sigwait(3)` answered.
pub fn wait() -> io::Result<Signal> {
    let set = operator_signals();
    let mut number = 0;
    // SAFETY: the set is initialised, and `number` is ours to write.
    let result = unsafe { libc::sigwait(&raw const set, &raw mut number) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    Ok(match number {
        libc::SIGHUP => Signal::Reload,
        libc::SIGUSR1 => Signal::Reopen,
        _ => Signal::End,
    })
}

fn operator_signals() -> libc::sigset_t {
    // SAFETY: a signal set is made of integers, for which zeroes are valid.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    for number in [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGHUP,
        libc::SIGUSR1,
    ] {
        // SAFETY: the set is ours, and the number is a signal's.
        unsafe { libc::sigaddset(&raw mut set, number) };
    }
    set
}
