//! The body of a response on its way from an application server. Reading it drives the
//! connection, and giving it up gives the connection back or closes it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::failure::Failure;
use super::link::quiet;
use super::upload::Progress;
use super::upstream::Lease;
use crate::fallback::BoxError;

/// A response body of an application server.
pub struct Download {
    // Before the lease, so that it is given up first: then the connection knows that nobody reads.
    incoming: Incoming,
    lease: Option<Lease>,
    /// Between two parts; none for event streams, which may be silent for as long as they like.
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    /// Of the request body, which may still be on its way.
    upload: Option<Rc<Progress>>,
}

impl Download {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        timeout: Option<Duration>,
        upload: Option<Rc<Progress>>,
    ) -> Self {
        Self {
            incoming,
            lease: Some(lease),
            timeout,
            deadline: None,
            upload,
        }
    }

    fn poll_incoming(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.incoming).poll_frame(&mut quiet()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                self.deadline = None;
                Poll::Ready(Some(Ok(frame.map_data(detached))))
            }
            Poll::Ready(Some(Err(_))) => self.fail(),
            Poll::Ready(None) => {
                self.lease = None;
                Poll::Ready(None)
            }
        }
    }

    /// Whether the time for the next part has passed.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let (Some(timeout), Some(lease)) = (self.timeout, &mut self.lease) else {
            return false;
        };
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Instant::now() + timeout);
        lease.link().poll_alarm(context, deadline)
    }

    /// The response is incomplete, and must not look complete to the client.
    fn fail(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let of_client = self.upload.as_ref().and_then(|upload| upload.failure());
        if let Some(lease) = self.lease.take() {
            if of_client.is_none() {
                lease.upstream().notice(Failure::Body);
            }
            lease.close();
        }
        Poll::Ready(Some(Err(Failure::Body.into())))
    }
}

/// A copy of `data` where it is short. The connection reads its next response into the same memory
/// then; what holds on to a part of it costs an allocation of all of it.
fn detached(data: Bytes) -> Bytes {
    if data.len() > COPIED_BYTES_MAX {
        return data;
    }
    Bytes::copy_from_slice(&data)
}

impl Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = this.poll_incoming();
        if frame.is_ready() {
            return frame;
        }
        let Some(lease) = &mut this.lease else {
            return Poll::Ready(None);
        };
        lease.link().drive(context);
        let is_ended = lease.link().is_ended();
        let frame = this.poll_incoming();
        if frame.is_pending() && (is_ended || this.is_late(context)) {
            return this.fail();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Copying that is cheaper than to have hyper allocate its next buffer.
const COPIED_BYTES_MAX: usize = 1024;
