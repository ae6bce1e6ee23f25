//! HTTP/1.1 by the same pure connection that workers run, so that the same bytes answer the same
//! request, and past hyper to the application where that is simple. Ends with the connection, or
//! when a request is for hyper.

mod files;
mod passing;

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::{Control, after};
use super::state::State;
use super::transport::Transport;
use crate::connection::{self, Connection, Loan, Settings, Want};
use crate::fallback::Peer;
use crate::fallback::proxy::Begun;
use crate::sys::socket;

/// What follows.
pub(super) enum Then {
    /// Nothing.
    End,
    /// Somebody else answers what was received.
    HandOver {
        /// From the first byte of a request.
        received: Vec<u8>,
        /// The response to that, if it has begun.
        begun: Option<Begun>,
    },
}

/// A client, and its connection.
struct Direct<'a> {
    state: &'a State,
    settings: &'a Settings,
    control: &'a Control,
    transport: &'a mut Transport,
    peer: Peer,
    connection: Connection,
    /// The file that is being sent.
    file: Option<Arc<File>>,
    is_told_to_drain: bool,
}

/// Serves the client of `transport` as long as its requests need no hyper.
pub(super) async fn serve(
    state: &State,
    control: &Control,
    transport: &mut Transport,
    peer: Peer,
) -> Then {
    let settings = state.settings(peer.is_tls);
    let connection = state.with_context(settings, |context| Connection::new(context));
    let mut direct = Direct {
        state,
        settings,
        control,
        transport,
        peer,
        connection,
        file: None,
        // Who comes after that has a while for a request that is on its way.
        is_told_to_drain: state.is_draining(),
    };
    let then = direct.run().await;
    state.with_pool(|pool| direct.connection.release(pool));
    then
}

impl Direct<'_> {
    /// Does what the connection wants, until it is over.
    async fn run(&mut self) -> Then {
        loop {
            let deadline = self.connection.deadline();
            self.control
                .set_deadline(deadline, self.connection.is_idle());
            match self.connection.want() {
                Want::Receive => self.receive().await,
                Want::Send => self.send().await,
                Want::Open => self.open(),
                Want::SendFile => self.send_file().await,
                Want::Finish => self.finish().await,
                Want::Close => {
                    self.close().await;
                    return Then::End;
                }
                Want::Abort => {
                    socket::reset_on_close(self.transport.socket().as_fd());
                    return Then::End;
                }
                Want::HandOver => {
                    if let Some(begun) = self.pass_on().await {
                        let received = self.connection.take_received();
                        return Then::HandOver { received, begun };
                    }
                }
            }
            if self.connection.file_part().is_none() {
                self.file = None;
            }
        }
    }

    /// Sends what is written, and waits for bytes.
    async fn receive(&mut self) {
        std::future::poll_fn(|context| {
            self.control.watch(context);
            let is_due = self.hear_of_drain() | self.control.take_due();
            let is_ending = self.is_told_to_drain && self.connection.is_idle();
            if is_due && !is_ending {
                return self.end_wait();
            }
            if let Poll::Ready(Err(_)) = Pin::new(&mut *self.transport).poll_flush(context) {
                self.connection.on_error();
                return Poll::Ready(());
            }
            let received = self.poll_receive(context);
            // What was sent before is answered, whether it is decrypted yet or not.
            if received.is_pending() && is_due && !self.transport.has_input() {
                return self.end_wait();
            }
            received
        })
        .await;
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let state = self.state;
        let mut room = state.receive_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut room);
        match ready!(Pin::new(&mut *self.transport).poll_read(context, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => self.connection.on_end(),
            Ok(()) => self.with_context(|connection, context| {
                connection.on_received(buffer.filled(), context);
            }),
            Err(_) => self.connection.on_error(),
        }
        Poll::Ready(())
    }

    /// Tells the connection once that the server drains; whether it may be over with that.
    fn hear_of_drain(&mut self) -> bool {
        if !self.state.is_draining() || self.is_told_to_drain {
            return false;
        }
        self.is_told_to_drain = true;
        self.with_context(|connection, context| connection.on_drain_at_once(context));
        self.connection.is_idle()
    }

    /// The time for what is waited for is over.
    fn end_wait(&mut self) -> Poll<()> {
        self.with_context(|connection, context| connection.on_deadline(context));
        Poll::Ready(())
    }

    /// Writes what the connection lends; over TLS, it is sent when there is enough, or nothing more.
    async fn send(&mut self) {
        let loan = self.connection.lend();
        let result = self.write(&loan).await;
        let Loan { buffer, body, .. } = loan;
        drop(body);
        match result {
            Some(Ok(count)) => {
                self.with_context(|connection, context| connection.on_sent(buffer, count, context))
            }
            Some(Err(_)) => self.connection.on_send_failed(buffer),
            None => self.with_context(|connection, context| {
                connection.on_sent(buffer, 0, context);
                connection.on_deadline(context);
            }),
        }
    }

    /// Writes what it can of a loan; none if the time for it is over.
    async fn write(&mut self, loan: &Loan) -> Option<io::Result<usize>> {
        let head = &loan.buffer[loan.from..];
        let body = loan
            .body
            .as_ref()
            .and_then(|part| part.bytes())
            .unwrap_or_default();
        let slices = [IoSlice::new(head), IoSlice::new(body)];
        std::future::poll_fn(|context| {
            self.control.watch(context);
            if self.control.take_due() {
                return Poll::Ready(None);
            }
            Pin::new(&mut *self.transport)
                .poll_write_vectored(context, &slices)
                .map(Some)
        })
        .await
    }

    /// Says that nothing more is sent, over TLS and below.
    async fn finish(&mut self) {
        self.close().await;
        self.with_context(|connection, context| connection.on_finished(context));
    }

    /// Sends what is written and the end of TLS, unless the client takes too long to read it.
    async fn close(&mut self) {
        // The connection counts as sent what still waits here for room in the socket.
        self.begin_write();
        let closing = std::future::poll_fn(|context| {
            self.control.watch(context);
            if self.control.take_due() {
                return Poll::Ready(());
            }
            Pin::new(&mut *self.transport)
                .poll_shutdown(context)
                .map(drop)
        });
        closing.await;
    }

    /// The client has a while from now to take what is written.
    fn begin_write(&self) {
        let deadline = after(self.state.clock.now(), self.settings.write_timeout);
        self.control.set_deadline(deadline, false);
        self.control.take_due();
    }

    /// Lets `event` happen to the connection.
    fn with_context(&mut self, event: impl FnOnce(&mut Connection, &mut connection::Context<'_>)) {
        let connection = &mut self.connection;
        self.state
            .with_context(self.settings, |context| event(connection, context));
    }
}
