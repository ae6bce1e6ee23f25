//! Child processes, where std leaves them short: a clean state to start in, an end that is seen
//! before the number is free again, and signals (`prctl(2)`, `waitid(2)`, `kill(2)`).
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use super::limits;

/// Has `command` start in a process group of its own, with no signal blocked and as many open
/// files as this process was started with, and end with TERM when the calling **thread** ends.
pub fn separate(command: &mut Command) {
    command.process_group(0);
    let descriptors = limits::descriptors_at_start();
    let parent = process::id();
    let prepare = move || {
        unblock_signals();
        if let Some(limit) = &descriptors {
            limits::set_descriptors(limit)?;
        }
        end_with_parent(parent)
    };
    // SAFETY: between fork and exec, `prepare` makes system calls only (pthread_sigmask,
    // setrlimit, prctl, getppid), all of them async-signal-safe here: it takes no lock and
    // allocates nothing, its errors are made of a number, and what it captured is plain data.
    unsafe { command.pre_exec(prepare) };
}

/// std hands the mask of the calling thread down.
fn unblock_signals() {
    // SAFETY: a signal set is made of integers, for which zeroes are valid.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: the set is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
}

fn end_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no memory is passed.
    let now = unsafe { libc::getppid() };
    if u32::try_from(now) != Ok(parent) {
        // It ended before it was asked for.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Waits until the child process `id` has ended, and leaves it to be waited for: until then its
/// number is not given to another process.
///
/// # Errors
/// What `waitid(2)` answered: there is no such child.
pub fn await_end(id: u32) -> io::Result<()> {
    loop {
        // SAFETY: the structure is made of integers, for which zeroes are valid.
        let mut information: libc::siginfo_t = unsafe { mem::zeroed() };
        let options = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: the structure is ours to write until the call returns.
        let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut information, options) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Sends signal `number` to process `id`, a child that has not been waited for.
///
/// # Errors
/// What `kill(2)` answered.
pub fn send(id: u32, number: i32) -> io::Result<()> {
    kill(raw(id)?, number)
}

/// Sends signal `number` to the process group of `id`.
///
/// # Errors
/// What `kill(2)` answered: nobody is left in it.
pub fn send_group(id: u32, number: i32) -> io::Result<()> {
    kill(-raw(id)?, number)
}

/// Forgets the children in the process group of `id` that have ended. Those it has left behind
/// are this process's own if that is the first one of a container.
pub fn forget_group(id: u32) {
    let Ok(id) = raw(id) else { return };
    // SAFETY: a null pointer says that the status is not wanted.
    while unsafe { libc::waitpid(-id, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// 0 and 1 mean others than a child: this group, and with a sign everybody.
fn raw(id: u32) -> io::Result<libc::pid_t> {
    let id = libc::pid_t::try_from(id).ok().filter(|id| *id > 1);
    id.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn kill(id: libc::pid_t, number: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    match unsafe { libc::kill(id, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The signal nobody can refuse.
pub const KILL: i32 = libc::SIGKILL;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    fn output(script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        separate(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn starts_without_blocked_signals_in_a_group_of_its_own() {
        super::super::signal::block();
        let status = output("cat /proc/self/status");
        assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
        let ids = output("echo $$; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat");
        let mut ids = ids.split_whitespace();
        assert_eq!(ids.next(), ids.next());
    }

    #[test]
    fn has_as_many_files_as_this_process_at_its_start() {
        let before = limits::descriptors().unwrap().soft;
        limits::raise_descriptors().unwrap();
        let expected = limits::descriptors_at_start().map(|limit| limit.rlim_cur);
        let text = output("ulimit -n");
        let shown = text.trim().parse().ok();
        assert_eq!(shown, expected.or(before), "{text}");
    }

    #[test]
    fn ends_with_the_thread_that_started_it() {
        let start = || {
            let mut command = Command::new("sleep");
            command.arg("600");
            separate(&mut command);
            command.spawn().unwrap()
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        await_end(child.id()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn an_end_is_seen_before_the_number_is_free() {
        let mut command = Command::new("sleep");
        command.arg("600");
        separate(&mut command);
        let mut child = command.spawn().unwrap();
        send_group(child.id(), KILL).unwrap();
        await_end(child.id()).unwrap();
        await_end(child.id()).unwrap();
        assert!(send(child.id(), 0).is_ok(), "still there");
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert!(await_end(child.id()).is_err());
    }

    #[test]
    fn never_signals_more_than_a_child() {
        assert!(send(0, 0).is_err() && send_group(0, 0).is_err());
        assert!(send(1, 0).is_err() && send_group(1, 0).is_err());
        assert!(send(u32::MAX, 0).is_err());
    }
}
