//! One request on its way past hyper, from the first byte that is sent to as much of the response
//! as somebody can judge.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::Socket;
use super::failure::Failure;

/// Why a request got no response past hyper.
pub(super) struct AskError {
    /// The reason.
    pub(super) failure: Failure,
    /// Whether a part of the request was sent.
    pub(super) is_sent: bool,
}

impl AskError {
    pub(super) const fn closed(is_sent: bool) -> Self {
        let failure = Failure::Closed;
        Self { failure, is_sent }
    }
}

/// A request on its way, without hyper.
pub(super) struct Asking<'a> {
    unsent: &'a [u8],
    is_sent: bool,
    received: Vec<u8>,
}

impl<'a> Asking<'a> {
    pub(super) const fn new(request: &'a [u8]) -> Self {
        Self {
            unsent: request,
            is_sent: false,
            received: Vec::new(),
        }
    }

    /// Sends what it can over `socket`, then reads into `room` until `judge` makes something of
    /// all that was received.
    pub(super) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        socket: &mut Socket,
        room: &mut [u8],
        judge: &mut impl FnMut(&[u8]) -> Option<T>,
    ) -> Poll<Result<T, AskError>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut *socket).poll_write(context, self.unsent)) {
                Ok(count) if count > 0 => {
                    self.unsent = &self.unsent[count..];
                    self.is_sent = true;
                }
                Ok(_) | Err(_) => return Poll::Ready(Err(AskError::closed(self.is_sent))),
            }
        }
        loop {
            let mut buffer = ReadBuf::new(room);
            let result = ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer));
            let fresh = buffer.filled();
            if result.is_err() || fresh.is_empty() {
                return Poll::Ready(Err(AskError::closed(self.is_sent)));
            }
            let judgement = if self.received.is_empty() {
                judge(fresh)
            } else {
                self.received.extend_from_slice(fresh);
                judge(&self.received)
            };
            if let Some(judgement) = judgement {
                return Poll::Ready(Ok(judgement));
            }
            if self.received.is_empty() {
                self.received.extend_from_slice(fresh);
            }
        }
    }
}
