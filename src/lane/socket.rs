//! A client's socket: what was received before it came here is read first, and what goes through
//! is counted, for whoever looks after stalled clients.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::task::{Context, Poll};

use ::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::arrivals::Place;
use super::framed::Follows;
use super::rewind::Rewound;
use crate::fallback::Peer;

/// A connected client.
pub(super) struct Socket {
    stream: Stream,
    received: Rewound,
    traffic: Arc<Traffic>,
    /// Given up with the socket, wherever that has moved to.
    _place: Place,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What went through a socket. Written by its own thread only; atomic because a stream that has
/// switched protocols has to be able to move.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    is_blocked: AtomicBool,
    /// Whether a request is with the service; of HTTP/1.1 only.
    is_asked: AtomicBool,
    /// Whether the protocol has been switched.
    is_switched: AtomicBool,
    /// Whether nothing more is waited for when all that has come is answered.
    is_ending: AtomicBool,
    /// Whether a part of a head has come, and not all of it.
    is_in_head: AtomicBool,
    /// Whether the time for that is over.
    is_late: AtomicBool,
    /// The status that the request is to be refused with, or 0.
    refusal: AtomicU16,
}

impl Socket {
    /// Takes over `socket`, of which `received` was read already.
    ///
    /// # Errors
    /// It is gone, or the runtime cannot watch it.
    pub(super) fn new(socket: OwnedFd, received: Vec<u8>, place: Place) -> io::Result<Self> {
        Ok(Self {
            stream: Stream::new(socket)?,
            received: Rewound::new(received),
            traffic: Arc::default(),
            _place: place,
        })
    }

    /// Who is at its ends.
    pub(super) fn peer(&self, is_tls: bool) -> Peer {
        let (address, local) = match &self.stream {
            Stream::Tcp(stream) => (stream.peer_addr().ok(), stream.local_addr().ok()),
            Stream::Unix(_) => (None, None),
        };
        Peer {
            address: address.map(canonical),
            local: local.map(canonical),
            is_tls,
        }
    }

    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Whether the kernel has bytes of the client, or its end, of which the runtime need not have
    /// heard yet.
    pub(super) fn has_input(&self) -> bool {
        let Ok(same) = self.as_fd().try_clone_to_owned() else {
            return false;
        };
        // What is asked of it, sockets of any kind answer.
        StdTcpStream::from(same).peek(&mut [0]).is_ok()
    }

    /// Lets `received`, which was read, be read again.
    pub(super) fn rewind(&mut self, received: Vec<u8>) {
        self.received.put_before(received);
    }

    /// What was received before and is not read yet.
    pub(super) fn received(&self) -> &[u8] {
        self.received.bytes()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Stream {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        let tcp = StdTcpStream::from(socket);
        tcp.set_nonblocking(true)?;
        // Only an internet socket has an address of that kind.
        match tcp.local_addr() {
            Ok(_) => TcpStream::from_std(tcp).map(Self::Tcp),
            Err(_) => {
                let unix = StdUnixStream::from(OwnedFd::from(tcp));
                UnixStream::from_std(unix).map(Self::Unix)
            }
        }
    }
}

/// An IPv4 address that a socket for IPv6 shows is shown as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Traffic {
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Whether there was no room when something was last sent.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// Whether the client is in the middle of a head.
    pub(super) fn is_in_head(&self) -> bool {
        self.is_in_head.load(Ordering::Relaxed)
    }

    pub(super) fn note_head(&self, is_in_head: bool) {
        self.is_in_head.store(is_in_head, Ordering::Relaxed);
    }

    /// Whether the time for a head is over.
    pub(super) fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    pub(super) fn note_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    /// A request goes to the service.
    pub(super) fn begin_request(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
    }

    /// The request is answered.
    pub(super) fn end_request(&self) {
        self.is_asked.store(false, Ordering::Relaxed);
    }

    /// What follows is no HTTP.
    pub(super) fn switch_protocol(&self) {
        self.is_switched.store(true, Ordering::Relaxed);
    }

    /// What may be read behind a request.
    pub(super) fn what_follows(&self) -> Follows {
        if self.is_switched.load(Ordering::Relaxed) {
            Follows::OtherProtocol
        } else if self.is_asked.load(Ordering::Relaxed) {
            Follows::Nothing
        } else {
            Follows::Request
        }
    }

    /// Nothing more is waited for.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// The request that goes to the service stands for one that is refused.
    pub(super) fn refuse(&self, status: u16) {
        self.refusal.store(status, Ordering::Relaxed);
    }

    /// What the request is to be refused with.
    pub(super) fn refusal(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.refusal.load(Ordering::Relaxed)).ok()
    }

    fn on_write(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Ready(Ok(count)) => add(&self.sent_bytes, *count),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        self.is_blocked
            .store(result.is_pending(), Ordering::Relaxed);
    }
}

/// One thread writes: no need to hold the bus.
fn add(counter: &AtomicU64, count: usize) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(count as u64);
    counter.store(sum, Ordering::Relaxed);
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.read(buffer) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        add(&self.traffic.received_bytes, buffer.filled().len() - before);
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.traffic.on_write(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        };
        self.traffic.on_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
