//! Signals that are waited for instead of handled: `pthread_sigmask(3)`, `sigwait(3)`.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::marker::PhantomData;
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
    /// USR2: to an application server, be replaced.
    Replace,
    /// WINCH: to an application server, end its workers.
    Window,
    /// TTIN: to an application server, one worker more.
    More,
    /// TTOU: to an application server, one worker less.
    Fewer,
}

impl Signal {
    /// The number by which it is sent.
    pub const fn number(self) -> i32 {
        match self {
            Self::End => libc::SIGTERM,
            Self::Reload => libc::SIGHUP,
            Self::Reopen => libc::SIGUSR1,
            Self::Replace => libc::SIGUSR2,
            Self::Window => libc::SIGWINCH,
            Self::More => libc::SIGTTIN,
            Self::Fewer => libc::SIGTTOU,
        }
    }

    const fn of(number: i32) -> Self {
        match number {
            libc::SIGHUP => Self::Reload,
            libc::SIGUSR1 => Self::Reopen,
            libc::SIGUSR2 => Self::Replace,
            libc::SIGWINCH => Self::Window,
            libc::SIGTTIN => Self::More,
            libc::SIGTTOU => Self::Fewer,
            _ => Self::End,
        }
    }
}

/// Keeps the signals of an operator for [`wait`], in this thread and those it starts.
pub fn block() {
    let set = operator_signals();
    // SAFETY: the set is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Blocks the signals of an operator in this thread until it is dropped. Threads that are started
/// meanwhile never see them, so that they interrupt none of their calls.
#[derive(Debug)]
pub struct Blocked {
    /// The mask to restore. Invariant: belongs to the thread that this stays in.
    before: libc::sigset_t,
    not_send: PhantomData<*const ()>,
}

impl Blocked {
    /// Blocks them.
    pub fn in_this_thread() -> Self {
        let set = operator_signals();
        // SAFETY: a signal set is made of integers, for which zeroes are valid.
        let mut before: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: the set is initialised, and the old mask is ours to write.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self {
            before,
            not_send: PhantomData,
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is what the same call has written; the old mask is not asked for.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            )
        };
    }
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
    Ok(Signal::of(number))
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
        libc::SIGUSR2,
        libc::SIGWINCH,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ] {
        // SAFETY: the set is ours, and the number is a signal's.
        unsafe { libc::sigaddset(&raw mut set, number) };
    }
    set
}
