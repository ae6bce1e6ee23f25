//! A socket as hyper sees it that comes to an exchange under way: the request was sent and a part
//! of the response received without it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::Socket;

/// A connection to an application server, of which some was received before.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    /// Read first.
    received: Bytes,
    sending: Sending,
    /// Who waits to read until the request is written: what is there before is no response to it.
    reader: Option<Waker>,
}

/// What becomes of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// It is sent.
    On,
    /// It was sent before: a request, which is to be written.
    Before,
    /// It was, and is being written.
    Dropping,
}

impl Wire {
    /// Nothing was sent.
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            received: Bytes::new(),
            sending: Sending::On,
            reader: None,
        }
    }

    /// The request that is written first was sent already, and `received` after that.
    pub(super) fn under_way(socket: Socket, received: Bytes) -> Self {
        Self {
            socket,
            received,
            sending: Sending::Before,
            reader: None,
        }
    }

    /// The socket.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sending != Sending::On {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if self.received.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let count = buffer.remaining().min(self.received.len());
        buffer.put_slice(&self.received[..count]);
        self.received.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.sending == Sending::On {
            return Pin::new(&mut self.socket).poll_write(context, bytes);
        }
        self.sending = Sending::Dropping;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.sending == Sending::On {
            return Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        }
        self.sending = Sending::Dropping;
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Hyper flushes when it has written a request, which without a body is done then.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sending == Sending::Dropping {
            self.sending = Sending::On;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
