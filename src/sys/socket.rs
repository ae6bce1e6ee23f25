//! Stream sockets: making listeners, and the calls on connections that neither std nor a ring
//! offers.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::ffi::c_int;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// How a TCP listener is made. Accepted connections inherit the options.
#[derive(Debug, Clone, Copy)]
pub struct ListenerOptions {
    /// Whether several listeners share the address, each with its own queue (`SO_REUSEPORT`).
    pub shared_port: bool,
    /// How long sent bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub user_timeout: Duration,
    /// Connections the kernel completes before they are accepted; it caps this at `somaxconn`.
    pub backlog: i32,
}

/// Listens on `address`.
///
/// # Errors
/// What `socket(2)`, `bind(2)` or `listen(2)` answered.
pub fn listen(address: SocketAddr, options: ListenerOptions) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let flags = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let descriptor = check(unsafe { libc::socket(domain, flags, 0) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if options.shared_port {
        set(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    if address.is_ipv6() {
        // [::] serves IPv4 clients too, whatever net.ipv6.bindv6only says; a v6 address proper
        // is not affected.
        set(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
    }
    set(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    // A client is accepted with its first bytes, or, silent, after so many seconds (tcp(7)).
    // Until then it is the kernel's alone: it takes no slot, and hears nothing of an end.
    set(&socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1)?;
    let timeout_millis = c_int::try_from(options.user_timeout.as_millis()).unwrap_or(c_int::MAX);
    set(
        &socket,
        libc::IPPROTO_TCP,
        libc::TCP_USER_TIMEOUT,
        timeout_millis,
    )?;
    // Handed down to who is accepted: a client that is gone without a word is noticed also where
    // nothing is sent, as after a switch of protocols. The time above ends the probes.
    set(&socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    for (name, seconds) in [
        (libc::TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS),
        (libc::TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS),
    ] {
        set(&socket, libc::IPPROTO_TCP, name, seconds)?;
    }
    bind(&socket, address)?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), options.backlog) })?;
    Ok(TcpListener::from(socket))
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let descriptor = socket.as_raw_fd();
    let result = match address {
        SocketAddr::V4(address) => {
            let raw = raw_v4(address);
            let length = mem::size_of_val(&raw) as libc::socklen_t;
            // SAFETY: the address outlives the call and has the length passed with it.
            unsafe { libc::bind(descriptor, (&raw const raw).cast(), length) }
        }
        SocketAddr::V6(address) => {
            // SAFETY: the structure is made of integers, for which zeroes are valid.
            let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = address.port().to_be();
            raw.sin6_addr.s6_addr = address.ip().octets();
            raw.sin6_scope_id = address.scope_id();
            let length = mem::size_of_val(&raw) as libc::socklen_t;
            // SAFETY: as above.
            unsafe { libc::bind(descriptor, (&raw const raw).cast(), length) }
        }
    };
    check(result).map(drop)
}

/// The address as the kernel reads it.
pub(super) fn raw_v4(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}

/// A socket to connect with, which sends without delay. One that is bound to `source` gets a
/// port of that address when it connects, so that each address has a range of ports of its own
/// (`IP_BIND_ADDRESS_NO_PORT`, Linux 4.2).
///
/// # Errors
/// What `socket(2)`, `setsockopt(2)` or `bind(2)` answered.
pub fn client(source: Option<Ipv4Addr>) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let descriptor = check(unsafe { libc::socket(libc::AF_INET, flags, 0) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    set(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    if let Some(source) = source {
        set(&socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
        bind(&socket, SocketAddr::from((source, 0)))?;
    }
    Ok(socket)
}

/// Whether somebody listens on the Unix socket at `path`; it does not wait where the queue of
/// connections is full, as std does (`connect(2)`).
pub fn is_listening(path: &Path) -> bool {
    // SAFETY: the structure is made of integers, for which zeroes are valid.
    let mut raw: libc::sockaddr_un = unsafe { mem::zeroed() };
    raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.len() >= raw.sun_path.len() {
        return false;
    }
    for (place, byte) in raw.sun_path.iter_mut().zip(bytes) {
        *place = byte.cast_signed() as libc::c_char;
    }
    let flags = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let Ok(descriptor) = check(unsafe { libc::socket(libc::AF_UNIX, flags, 0) }) else {
        return false;
    };
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let length = mem::size_of_val(&raw) as libc::socklen_t;
    let pointer = (&raw const raw).cast();
    // SAFETY: the address outlives the call and has the length passed with it.
    let connected = check(unsafe { libc::connect(socket.as_raw_fd(), pointer, length) });
    connected.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true)
}

/// The next connection that waits on `listener`; it does not block (`accept4(2)`).
///
/// # Errors
/// `WouldBlock` if none waits; else what the call answered.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let null = std::ptr::null_mut();
    // SAFETY: null pointers say that the address is not wanted.
    let result = unsafe { libc::accept4(listener.as_raw_fd(), null, null.cast(), flags) };
    // SAFETY: an accepted descriptor is new and nobody else's.
    check(result).map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Receives what is there, without waiting (`recv(2)`).
///
/// # Errors
/// `WouldBlock` if nothing is there; else what the call answered.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (pointer, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the buffer is writable for `length` bytes while it is borrowed.
    let result = unsafe { libc::recv(socket.as_raw_fd(), pointer, length, libc::MSG_DONTWAIT) };
    count(result)
}

/// Sends `head` and then `body`, as much as there is room for, without waiting (`sendmsg(2)`).
///
/// # Errors
/// `WouldBlock` if there is no room; else what the call answered.
pub fn send(
    socket: BorrowedFd<'_>,
    head: &[u8],
    body: &[u8],
    more_follows: bool,
) -> io::Result<usize> {
    let mut flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    if more_follows {
        flags |= libc::MSG_MORE;
    }
    if body.is_empty() {
        let (pointer, length) = (head.as_ptr().cast(), head.len());
        // SAFETY: the slice is readable for its length while it is borrowed.
        return count(unsafe { libc::send(socket.as_raw_fd(), pointer, length, flags) });
    }
    let vector = |slice: &[u8]| libc::iovec {
        iov_base: slice.as_ptr().cast_mut().cast(),
        iov_len: slice.len(),
    };
    let mut vectors = [vector(head), vector(body)];
    // SAFETY: a message header is made of integers and pointers, for which zeroes are valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len();
    // SAFETY: header, vectors and slices outlive the call, which writes to none of them.
    count(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) })
}

/// Sends up to `count` bytes of `file` from `offset`, without copying them through this process
/// (`sendfile(2)`). Does not wait for a non-blocking socket, but does for the disk.
///
/// # Errors
/// `WouldBlock` if there is no room; else what the call answered.
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    count_max: usize,
) -> io::Result<usize> {
    let mut offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (to, from) = (socket.as_raw_fd(), file.as_raw_fd());
    // SAFETY: `offset` is ours to write until the call returns; no other memory is passed.
    count(unsafe { libc::sendfile(to, from, &raw mut offset, count_max) })
}

/// Shuts down the sending side (`shutdown(2)` with `SHUT_WR`).
pub fn finish(socket: BorrowedFd<'_>) {
    // SAFETY: no memory is passed. A failure means that the peer is gone, which receiving tells.
    let _ = unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) };
}

/// Makes the coming close a reset, so that the kernel forgets what the peer does not read
/// (`SO_LINGER` of zero).
pub fn reset_on_close(socket: BorrowedFd<'_>) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let length = mem::size_of_val(&linger) as libc::socklen_t;
    let pointer = (&raw const linger).cast();
    // SAFETY: the structure outlives the call and has the length passed with it. Where this
    // fails (Unix sockets), the close is an ordinary one.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            pointer,
            length,
        )
    };
}

fn set(socket: &OwnedFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let length = mem::size_of_val(&value) as libc::socklen_t;
    let pointer = (&raw const value).cast();
    // SAFETY: the value outlives the call and has the length passed with it.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, pointer, length) }).map(drop)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Keeps `descriptor`, which the process was started with, from the processes that it starts: a
/// listener that lives on in one of them takes connections that nobody answers.
///
/// # Errors
/// What `fcntl(2)` answered.
pub fn keep_from_children(descriptor: i32) -> io::Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// Takes over listening socket `descriptor`, which the process was started with.
///
/// # Errors
/// `InvalidInput` if it is no listening socket; else what `fcntl(2)` answered.
pub fn inherit(descriptor: i32) -> io::Result<OwnedFd> {
    let mut listening: c_int = 0;
    let mut length = mem::size_of_val(&listening) as libc::socklen_t;
    let (pointer, name) = ((&raw mut listening).cast(), libc::SO_ACCEPTCONN);
    // SAFETY: the value is ours to write and has the length passed with it.
    let result =
        unsafe { libc::getsockopt(descriptor, libc::SOL_SOCKET, name, pointer, &raw mut length) };
    if result < 0 || listening == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the descriptor is open, as the call before has shown, and the duplicate is new.
    let copy = check(unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the duplicate is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(copy) };
    // SAFETY: no memory is passed.
    check(unsafe { libc::fcntl(copy, libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok(socket)
}

/// Before a silent client is asked whether it is still there, and between two such questions.
const KEEPALIVE_IDLE_SECONDS: c_int = 30;
const KEEPALIVE_INTERVAL_SECONDS: c_int = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;

    #[test]
    fn who_is_accepted_is_asked_whether_it_is_still_there() {
        let options = ListenerOptions {
            shared_port: false,
            user_timeout: Duration::from_secs(60),
            backlog: 8,
        };
        let listener = listen("127.0.0.1:0".parse().unwrap(), options).unwrap();
        listener.set_nonblocking(false).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"x").unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let check = |level, name, expected: c_int| {
            let mut value: c_int = 0;
            let mut length = mem::size_of_val(&value) as libc::socklen_t;
            let (descriptor, pointer) = (accepted.as_raw_fd(), (&raw mut value).cast());
            // SAFETY: the value is ours to write and has the length passed with it.
            let result =
                unsafe { libc::getsockopt(descriptor, level, name, pointer, &raw mut length) };
            assert_eq!((result, value), (0, expected), "{name}");
        };
        check(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
        check(
            libc::IPPROTO_TCP,
            libc::TCP_KEEPIDLE,
            KEEPALIVE_IDLE_SECONDS,
        );
        check(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 60_000);
    }
}
