//! Connections to application servers: names, TCP and Unix sockets.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::Address;

/// A connection to an application server. Once that reads no more, what is written is dropped:
/// its answer, which may say why, is still to be read, and whether it is whole shows there.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    is_deaf: bool,
}

#[derive(Debug)]
enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Connects to one address, and remembers what its name stands for until that fails.
#[derive(Debug)]
pub(super) struct Connector {
    address: Address,
    resolved: RefCell<Option<Rc<[SocketAddr]>>>,
}

impl Connector {
    /// Connects to `address`.
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            resolved: RefCell::new(None),
        }
    }

    /// Where it connects to.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// A new connection, to whichever address of a name takes it first, in the order given.
    pub(super) async fn connect(&self) -> io::Result<Socket> {
        let (host, port) = match &self.address {
            Address::Unix(path) => return Ok(UnixStream::connect(path).await?.into()),
            Address::Tcp(host, port) => (host, *port),
        };
        let mut result = Err(io::ErrorKind::NotFound.into());
        for address in self.resolve(host, port).await?.iter() {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream.into());
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// Forgets what the name stands for: it may have moved.
    pub(super) fn forget(&self) {
        self.resolved.take();
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Rc<[SocketAddr]>> {
        if let Some(addresses) = &*self.resolved.borrow() {
            return Ok(Rc::clone(addresses));
        }
        let addresses: Rc<[SocketAddr]> = match host.parse::<IpAddr>() {
            Ok(address) => Rc::new([SocketAddr::new(address, port)]),
            Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
        };
        self.resolved.replace(Some(Rc::clone(&addresses)));
        Ok(addresses)
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Tcp(stream),
            is_deaf: false,
        }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self {
            stream: Stream::Unix(stream),
            is_deaf: false,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.is_deaf {
            let result = ready!(match &mut self.stream {
                Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, parts),
                Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            });
            match result {
                Err(error) if reads_no_more(&error) => self.is_deaf = true,
                result => return Poll::Ready(result),
            }
        }
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

fn reads_no_more(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
