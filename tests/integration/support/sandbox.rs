//! The system calls that tests need and the standard library lacks: signals, limits, socket
//! buffers and seccomp filters. The only unsafe code of the tests.
#![expect(unsafe_code, reason = "thin wrappers over Linux calls")]

use std::io;
use std::mem::size_of;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Sends `signal` (such as `libc::SIGTERM`) to the process `pid`, a child of this one.
pub(crate) fn signal(pid: u32, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(pid).unwrap();
    // SAFETY: the call takes two integers and touches no memory of this process.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0, "kill: {}", io::Error::last_os_error());
}

/// Makes the receive buffer of `stream` small, so that a peer that sends soon has to wait.
pub(crate) fn shrink_receive_buffer(stream: &TcpStream, bytes: libc::c_int) {
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap();
    // SAFETY: the descriptor is open while borrowed, and the kernel reads `length` bytes of
    // `bytes`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            length,
        )
    };
    assert_eq!(result, 0, "SO_RCVBUF: {}", io::Error::last_os_error());
}

/// Raises this process's soft limit of descriptors to the hard one; returns it.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is ours to write until the call returns.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(read, 0, "getrlimit: {}", io::Error::last_os_error());
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` lives until the call returns, which only reads it.
    let written = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(written, 0, "setrlimit: {}", io::Error::last_os_error());
    limit.rlim_cur
}

/// Whether this process runs as root, for whom file permissions do not count.
pub(crate) fn is_root() -> bool {
    // SAFETY: the call takes nothing, always succeeds and touches no memory.
    let uid = unsafe { libc::geteuid() };
    uid == 0
}

/// Makes `io_uring_setup` answer `errno` in the process that `command` starts.
///
/// Starting it fails where filters cannot be installed.
pub(crate) fn refuse_io_uring(command: &mut Command, errno: libc::c_int) {
    let answer = libc::SECCOMP_RET_ERRNO | libc::c_uint::try_from(errno).unwrap();
    let filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K),
            jt: 0,
            jf: 1,
            k: u32::try_from(libc::SYS_io_uring_setup).unwrap(),
        },
        statement(libc::BPF_RET | libc::BPF_K, answer),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    // SAFETY: `install` only makes two system calls on memory the closure owns; it neither
    // allocates nor takes a lock, as the time between fork and exec demands.
    unsafe { command.pre_exec(move || install(&filter)) };
}

/// Installs a seccomp filter on the calling process.
fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as libc::c_ushort,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: an option that takes integers only.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if unprivileged != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` and the filter it points to live until the call returns; the kernel
    // copies both and writes neither.
    let filtered = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match filtered {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A filter instruction that does not jump.
fn statement(instruction: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code(instruction),
        jt: 0,
        jf: 0,
        k,
    }
}

/// The code of an instruction in the width that filters use.
fn code(instruction: u32) -> u16 {
    u16::try_from(instruction).unwrap()
}
