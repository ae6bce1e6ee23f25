//! HTTP/1.1 over TLS by the same pure connection that workers run, so that the same bytes answer
//! the same request. Ends with the connection, or when a request names no file.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::{Control, after};
use super::files;
use super::state::State;
use super::transport::Encrypted;
use crate::assets::FileBody;
use crate::connection::{Connection, Loan, Want};
use crate::sys::socket;

/// What follows.
pub(super) enum Then {
    /// Nothing.
    End,
    /// Somebody else answers what was received.
    HandOver { received: Vec<u8> },
}

/// A client over TLS that asks for files.
struct Direct<'a> {
    state: &'a State,
    control: &'a Control,
    stream: &'a mut Encrypted,
    connection: Connection,
    /// The file that is being sent.
    file: Option<Arc<File>>,
    is_told_to_drain: bool,
}

/// Serves `stream` as long as its requests name files.
pub(super) async fn serve(state: &State, control: &Control, stream: &mut Encrypted) -> Then {
    let connection = state.with_context(|context| Connection::new(context));
    let mut direct = Direct {
        state,
        control,
        stream,
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
                    socket::reset_on_close(self.stream.socket().as_fd());
                    return Then::End;
                }
                Want::HandOver => {
                    let received = self.connection.take_received();
                    return Then::HandOver { received };
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
            if let Poll::Ready(Err(_)) = Pin::new(&mut *self.stream).poll_flush(context) {
                self.connection.on_error();
                return Poll::Ready(());
            }
            let received = self.poll_receive(context);
            // What was sent before is answered, whether it is decrypted yet or not.
            if received.is_pending() && is_due && !self.stream.socket().has_input() {
                return self.end_wait();
            }
            received
        })
        .await;
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut room = self.state.receive_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut room);
        match ready!(Pin::new(&mut *self.stream).poll_read(context, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => self.connection.on_end(),
            Ok(()) => self.state.with_context(|context| {
                self.connection.on_received(buffer.filled(), context);
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
        self.state
            .with_context(|context| self.connection.on_drain_at_once(context));
        self.connection.is_idle()
    }

    /// The time for what is waited for is over.
    fn end_wait(&mut self) -> Poll<()> {
        self.state
            .with_context(|context| self.connection.on_deadline(context));
        Poll::Ready(())
    }

    /// Encrypts what the connection lends; it is sent when there is enough, or nothing more.
    async fn send(&mut self) {
        let loan = self.connection.lend();
        let result = self.write(&loan).await;
        let Loan { buffer, body, .. } = loan;
        drop(body);
        match result {
            Some(Ok(count)) => self
                .state
                .with_context(|context| self.connection.on_sent(buffer, count, context)),
            Some(Err(_)) => self.connection.on_send_failed(buffer),
            None => self.state.with_context(|context| {
                self.connection.on_sent(buffer, 0, context);
                self.connection.on_deadline(context);
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
            Pin::new(&mut *self.stream)
                .poll_write_vectored(context, &slices)
                .map(Some)
        })
        .await
    }

    fn open(&mut self) {
        let Some(part) = self.connection.file_part() else {
            return;
        };
        let source = part.source();
        let body = source
            .file()
            .expect("invariant: what is opened is in a file");
        match self.state.open(source, body) {
            Ok(file) => {
                self.file = Some(file);
                self.connection.on_opened();
            }
            Err(error) => self.state.with_context(|context| {
                self.connection.on_open_failed(error, context);
            }),
        }
    }

    /// Sends the next bytes of the file.
    async fn send_file(&mut self) {
        let (Some(part), Some(file)) = (self.connection.file_part(), &self.file) else {
            return self.connection.on_error();
        };
        let range = part.range();
        let is_unchanged = |body: &FileBody| {
            let metadata = file.metadata();
            metadata.is_ok_and(|metadata| body.is_unchanged(&metadata))
        };
        if !part.source().file().is_some_and(is_unchanged) {
            (self.state.options.on_stale)();
            return self.connection.on_file_changed();
        }
        let count_max = usize::try_from(range.end - range.start)
            .map_or(files::CHUNK_BYTES, |left| left.min(files::CHUNK_BYTES));
        let buffer = self.state.with_pool(|pool| pool.take());
        let uses_uring = self.state.uses_uring;
        let (result, buffer) = files::read(file, range.start, count_max, buffer, uses_uring).await;
        match result {
            Ok(0) => self.connection.on_file_changed(),
            Ok(_) => self.write_file(&buffer).await,
            Err(_) => self.connection.on_error(),
        }
        self.state.with_pool(|pool| pool.give(buffer));
    }

    /// Writes all of `bytes`, which were read from the file.
    async fn write_file(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = std::future::poll_fn(|context| {
                self.control.watch(context);
                if self.control.take_due() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut *self.stream)
                    .poll_write(context, bytes)
                    .map(Some)
            });
            match written.await {
                Some(Ok(count)) => {
                    bytes = &bytes[count..];
                    self.state.with_context(|context| {
                        self.connection.on_file_sent(count, context);
                    });
                    let deadline = self.connection.deadline();
                    self.control.set_deadline(deadline, false);
                }
                Some(Err(_)) => return self.connection.on_error(),
                None => {
                    return self
                        .state
                        .with_context(|context| self.connection.on_deadline(context));
                }
            }
        }
    }

    /// Says that nothing more is sent, over TLS and below.
    async fn finish(&mut self) {
        self.close().await;
        self.state
            .with_context(|context| self.connection.on_finished(context));
    }

    /// Sends what is written and the end of TLS, unless the client takes too long to read it.
    async fn close(&mut self) {
        // The connection counts as sent what still waits here for room in the socket.
        let deadline = after(
            self.state.clock.now(),
            self.state.tls_settings.write_timeout,
        );
        self.control.set_deadline(deadline, false);
        self.control.take_due();
        let closing = std::future::poll_fn(|context| {
            self.control.watch(context);
            if self.control.take_due() {
                return Poll::Ready(());
            }
            Pin::new(&mut *self.stream).poll_shutdown(context).map(drop)
        });
        closing.await;
    }
}
