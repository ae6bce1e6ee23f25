//! HTTP/2 over a transport whose flushes wait for the end of a turn. What all streams have to say
//! leaves in as few writes as it fits into; h2 alone would flush after every frame.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http_setup::LocalTasks;
use super::site::Site;
use super::transport::Transport;

/// A connection with HTTP/2.
pub(super) struct Http2 {
    connection: http2::Connection<TokioIo<Corked>, Site, LocalTasks>,
    corked: Corked,
    is_over: bool,
}

/// A transport that both hyper and the end of a turn write to.
#[derive(Clone)]
struct Corked(Rc<RefCell<Bottle>>);

struct Bottle {
    transport: Transport,
    /// Whether something was flushed since the last turn.
    is_flushed: bool,
}

impl Http2 {
    /// Has `site` answer what is asked over `transport`.
    pub(super) fn new(
        builder: &http2::Builder<LocalTasks>,
        transport: Transport,
        site: Site,
    ) -> Self {
        let corked = Corked(Rc::new(RefCell::new(Bottle {
            transport,
            is_flushed: false,
        })));
        Self {
            connection: builder.serve_connection(TokioIo::new(corked.clone()), site),
            corked,
            is_over: false,
        }
    }

    /// The transport of a connection that is over.
    pub(super) fn into_transport(self) -> Option<Transport> {
        drop(self.connection);
        let bottle = Rc::into_inner(self.corked.0)?;
        Some(bottle.into_inner().transport)
    }

    /// Ends it after what has been asked.
    pub(super) fn graceful_shutdown(&mut self) {
        Pin::new(&mut self.connection).graceful_shutdown();
    }
}

impl Future for Http2 {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Why it ended is the client's affair: it went away, or was wrong and has been told.
        if !this.is_over && Pin::new(&mut this.connection).poll(context).is_ready() {
            this.is_over = true;
        }
        let flushed = ready!(this.corked.poll_uncorked(context));
        if this.is_over || flushed.is_err() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Corked {
    /// Writes what was flushed.
    fn poll_uncorked(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let bottle = &mut *self.0.borrow_mut();
        if bottle.is_flushed {
            ready!(Pin::new(&mut bottle.transport).poll_flush(context))?;
            bottle.is_flushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Corked {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().transport).poll_read(context, buffer)
    }
}

impl AsyncWrite for Corked {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().transport).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.borrow_mut().transport).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().transport).poll_shutdown(context)
    }
}
