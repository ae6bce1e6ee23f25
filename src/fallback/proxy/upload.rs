//! The body of a request on its way to an application server: counted, and limited.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::failure::Failure;
use crate::fallback::{BoxError, RequestBody};

/// A request body, or none.
pub(super) struct Upload(Option<Counted>);

/// How a request body gets on.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Whether a part was taken since this was last looked at.
    has_moved: Cell<bool>,
    /// Whether it is the client who is waited for.
    awaits_client: Cell<bool>,
    failure: Cell<Option<Failure>>,
}

struct Counted {
    body: RequestBody,
    bytes_left: u64,
    progress: Rc<Progress>,
}

impl Upload {
    /// No body.
    pub(super) const NONE: Self = Self(None);

    /// `body`, of which at most `bytes_max` are passed on.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], if that is known from the start.
    pub(super) fn new(body: RequestBody, bytes_max: u64) -> Result<Self, Failure> {
        if body.is_end_stream() {
            return Ok(Self::NONE);
        }
        if body.size_hint().lower() > bytes_max {
            return Err(Failure::TooLarge);
        }
        let progress = Rc::default();
        Ok(Self(Some(Counted {
            body,
            bytes_left: bytes_max,
            progress,
        })))
    }

    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// How it gets on.
    pub(super) fn progress(&self) -> Option<Rc<Progress>> {
        let counted = self.0.as_ref()?;
        Some(Rc::clone(&counted.progress))
    }
}

impl Progress {
    /// Whether a part was taken since this was last asked.
    pub(super) fn take_moved(&self) -> bool {
        self.has_moved.take()
    }

    /// Whether it is the client who is waited for.
    pub(super) fn awaits_client(&self) -> bool {
        self.awaits_client.get()
    }

    /// Why the body ended early, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }
}

impl Counted {
    fn fail(&self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.progress.failure.set(Some(failure));
        Poll::Ready(Some(Err(failure.into())))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.progress.awaits_client.set(true);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.progress.awaits_client.set(false);
        self.progress.has_moved.set(true);
        let frame = match frame {
            None => return Poll::Ready(None),
            // What else fails than hyper is the wait for a client that stalls.
            Some(Err(error)) if error.is::<hyper::Error>() => {
                return self.fail(Failure::ClientGone);
            }
            Some(Err(_)) => return self.fail(Failure::ClientSlow),
            Some(Ok(frame)) => frame,
        };
        // Trailers may be discarded (RFC 9110 §6.5.1), and are: no application expects them.
        let Ok(data) = frame.into_data() else {
            return Poll::Ready(None);
        };
        match self.bytes_left.checked_sub(data.len() as u64) {
            Some(bytes_left) => self.bytes_left = bytes_left,
            None => return self.fail(Failure::TooLarge),
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(counted) => counted.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|counted| counted.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(counted) => counted.body.size_hint(),
        }
    }
}
