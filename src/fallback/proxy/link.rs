//! One connection to an application server. It is driven by whoever uses it, in their own task:
//! a task of its own would cost every request two wake-ups.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};

use super::asking::{AskError, Asking};
use super::connect::Socket;
use super::failure::Failure;
use super::upload::{Progress, Upload};
use super::wire::Wire;

/// A connection over which one request at a time is sent.
pub(super) struct Link {
    state: State,
    /// Fires at some time before the deadline that counts, and is then set to that. So a request
    /// does not touch the timers of the runtime.
    alarm: Pin<Box<Sleep>>,
    /// When its last response ended.
    pub(super) idle_since: Instant,
}

#[expect(
    clippy::large_enum_variant,
    reason = "most are open, and a link is boxed as a whole"
)]
enum State {
    /// Hyper was not needed yet.
    Bare(Socket),
    Open(SendRequest<Upload>, Connection<TokioIo<Wire>, Upload>),
    /// The socket, and what was read of it behind the last response.
    Ended(Option<(Socket, Bytes)>),
}

/// Why a request got no response over a link.
pub(super) struct LinkError {
    /// The reason.
    pub(super) failure: Failure,
    /// The request, if not a byte of it was sent.
    pub(super) unsent: Option<Request<Upload>>,
}

impl Link {
    /// Speaks HTTP/1.1 over `socket`.
    pub(super) fn new(socket: Socket, timeout: Duration) -> Self {
        Self {
            state: State::Bare(socket),
            alarm: Box::pin(tokio::time::sleep(timeout)),
            idle_since: Instant::now(),
        }
    }

    /// Does without hyper from now on, if it is idle.
    fn make_bare(&mut self) -> bool {
        if !self.poll_idle() {
            return false;
        }
        if matches!(self.state, State::Open(..))
            && let State::Open(_, connection) =
                std::mem::replace(&mut self.state, State::Ended(None))
        {
            let parts = connection.into_parts();
            let socket = parts.io.into_inner().into_socket();
            self.state = State::Bare(socket);
        }
        matches!(self.state, State::Bare(_))
    }

    /// Sends `request`, and reads into `room` until `judge` makes something of all that was
    /// received.
    ///
    /// # Errors
    /// [`AskError`].
    pub(super) async fn ask<T>(
        &mut self,
        request: &[u8],
        timeout: Duration,
        room: &RefCell<Box<[u8]>>,
        mut judge: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<T, AskError> {
        if !self.make_bare() {
            return Err(AskError::closed(false));
        }
        let deadline = Instant::now() + timeout;
        let mut asking = Asking::new(request);
        poll_fn(|context| {
            let State::Bare(socket) = &mut self.state else {
                return Poll::Ready(Err(AskError::closed(false)));
            };
            let result = asking.poll(context, socket, &mut room.borrow_mut(), &mut judge);
            if result.is_ready() {
                return result;
            }
            if self.poll_alarm(context, deadline) {
                let (failure, is_sent) = (Failure::Timeout, true);
                return Poll::Ready(Err(AskError { failure, is_sent }));
            }
            Poll::Pending
        })
        .await
    }

    /// Reads more of a response that [`Self::ask`] has begun; `Ok` without a byte is its end.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Bare(socket) => Pin::new(socket).poll_read(context, buffer),
            State::Open(..) | State::Ended(_) => Poll::Ready(Ok(())),
        }
    }

    /// Lets hyper go on with an exchange of which `received` has come.
    pub(super) async fn open(&mut self, received: Bytes) {
        let State::Bare(socket) = std::mem::replace(&mut self.state, State::Ended(None)) else {
            return;
        };
        let wire = if received.is_empty() {
            Wire::new(socket)
        } else {
            Wire::under_way(socket, received)
        };
        let opened = Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(wire))
            .await;
        // An error leaves it ended.
        if let Ok((sender, connection)) = opened {
            self.state = State::Open(sender, connection);
        }
    }

    /// Sends `request` and waits for the head of its response.
    ///
    /// # Errors
    /// [`LinkError`], with the request if it may be sent again in any case.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, LinkError> {
        if matches!(self.state, State::Bare(_)) {
            self.open(Bytes::new()).await;
        }
        let State::Open(sender, _) = &mut self.state else {
            return Err(LinkError {
                failure: Failure::Closed,
                unsent: Some(request),
            });
        };
        let progress = request.body().progress();
        let mut deadline = Instant::now() + timeout;
        // The response is made by `drive` alone, so its own waker is of no use, and must not be
        // held back by the budget of the task.
        let mut response = pin!(unconstrained(sender.try_send_request(request)));
        poll_fn(|context| {
            self.drive(context);
            match response.as_mut().poll(&mut quiet()) {
                Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
                Poll::Ready(Err(mut error)) => {
                    let unsent = error.take_message();
                    let failure = failure_of(&error.into_error(), progress.as_ref());
                    return Poll::Ready(Err(LinkError { failure, unsent }));
                }
                Poll::Pending => {}
            }
            if progress.as_ref().is_some_and(|it| it.take_moved()) {
                deadline = Instant::now() + timeout;
            }
            if !self.poll_alarm(context, deadline) {
                return Poll::Pending;
            }
            let awaits_client = progress.as_ref().is_some_and(|it| it.awaits_client());
            let failure = if awaits_client {
                Failure::ClientSlow
            } else {
                Failure::Timeout
            };
            Poll::Ready(Err(LinkError {
                failure,
                unsent: None,
            }))
        })
        .await
    }

    /// Reads and writes what can be.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        let State::Open(_, connection) = &mut self.state else {
            return;
        };
        let Poll::Ready(result) = Pin::new(connection).poll(context) else {
            return;
        };
        // Taken apart at once: hyper gives a request it did not send back when it is dropped.
        let ended = std::mem::replace(&mut self.state, State::Ended(None));
        if let (Ok(()), State::Open(_, connection)) = (result, ended) {
            let parts = connection.into_parts();
            let socket = parts.io.into_inner().into_socket();
            self.state = State::Ended(Some((socket, parts.read_buf)));
        }
    }

    /// Whether the time has passed `deadline`; if not, `context` is woken when it has.
    pub(super) fn poll_alarm(&mut self, context: &mut Context<'_>, deadline: Instant) -> bool {
        if self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            if self.alarm.deadline() >= deadline {
                return true;
            }
            self.alarm.as_mut().reset(deadline);
        }
        false
    }

    /// Whether the other side has ended it.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether another request may be sent: the last response was read and the last request
    /// written to its end, and nothing has followed since. Forgets who drove it.
    pub(super) fn poll_idle(&mut self) -> bool {
        self.drive(&mut quiet());
        match &mut self.state {
            State::Bare(socket) => {
                let mut room = [0];
                let mut buffer = ReadBuf::new(&mut room);
                Pin::new(socket)
                    .poll_read(&mut quiet(), &mut buffer)
                    .is_pending()
            }
            State::Open(sender, _) => sender.is_ready(),
            State::Ended(_) => false,
        }
    }

    /// The socket after a switch of protocols, with what was read of the new one.
    pub(super) async fn into_socket(mut self: Box<Self>) -> Option<(Socket, Bytes)> {
        poll_fn(|context| {
            self.drive(context);
            match &mut self.state {
                State::Bare(_) | State::Open(..) => Poll::Pending,
                State::Ended(socket) => Poll::Ready(socket.take()),
            }
        })
        .await
    }
}

/// For what is only ever ready because of [`Link::drive`], which comes before.
pub(super) fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn failure_of(error: &hyper::Error, progress: Option<&Rc<Progress>>) -> Failure {
    let of_body = progress.and_then(|progress| progress.failure());
    if let Some(failure) = of_body {
        failure
    } else if error.is_parse() {
        Failure::Malformed
    } else {
        Failure::Closed
    }
}

/// Of a response head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Of what is read at once, and of what waits to be written.
const BUFFER_BYTES_MAX: usize = 128 << 10;
const _: () = assert!(HEAD_BYTES_MAX <= BUFFER_BYTES_MAX);
