//! What HTTP goes over: a socket as it is, or TLS on it. Over TLS, what is written is collected
//! until it is flushed, so that a head and its body make one record where they fit.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::rewind::Rewound;
use super::socket::Socket;

/// A stream of bytes to and from a client.
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<Encrypted>),
}

impl Transport {
    /// Whether there is more of the client than was read, or its end.
    pub(super) fn has_input(&self) -> bool {
        let is_decrypted = match self {
            Self::Plain(socket) => !socket.received().is_empty(),
            Self::Tls(encrypted) => encrypted.has_decrypted(),
        };
        is_decrypted || self.socket().has_input()
    }

    /// What it goes over.
    pub(super) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(encrypted) => encrypted.socket(),
        }
    }

    /// Lets `received`, which was read, be read again.
    pub(super) fn rewind(&mut self, received: Vec<u8>) {
        match self {
            Self::Plain(socket) => socket.rewind(received),
            Self::Tls(encrypted) => encrypted.received.put_before(received),
        }
    }
}

/// TLS on a socket.
pub(super) struct Encrypted {
    stream: TlsStream<Socket>,
    /// Decrypted before, and not read yet.
    received: Rewound,
}

impl Encrypted {
    pub(super) fn new(stream: TlsStream<Socket>) -> Self {
        Self {
            stream,
            received: Rewound::default(),
        }
    }

    /// Whether the client wants HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.stream.get_ref().1.alpn_protocol() == Some(b"h2")
    }

    fn socket(&self) -> &Socket {
        self.stream.get_ref().0
    }

    /// Whether there is something to read that needs nothing from the socket.
    fn has_decrypted(&self) -> bool {
        !self.received.bytes().is_empty() || !self.stream.get_ref().1.wants_read()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.read(buffer) {
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            // HTTP has its own lengths; many clients close without saying so (RFC 8446 §6.1).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

impl AsyncWrite for Encrypted {
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
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        loop {
            let count = self.stream.get_mut().1.writer().write_vectored(slices)?;
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            // It is full.
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls(encrypted) => Pin::new(&mut **encrypted).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(encrypted) => Pin::new(&mut **encrypted).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Self::Tls(encrypted) => Pin::new(&mut **encrypted).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(encrypted) => Pin::new(&mut **encrypted).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(encrypted) => Pin::new(&mut **encrypted).poll_shutdown(context),
        }
    }
}
