//! What of a response has not arrived when its head is sent on: read from the application's server
//! as the client takes it.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::super::exchange::Lane;
use super::super::failure::Failure;
use super::super::upstream::Lease;

/// The part of a response body that has not arrived. Given up before its end, the connection to
/// the server is closed.
pub struct Rest {
    lease: Option<Lease>,
    bytes_left: u64,
    is_last: bool,
    lane: Rc<Lane>,
    /// For the next part.
    deadline: Option<Instant>,
}

impl Rest {
    /// The `bytes_left` that come over `lease`, if there are any. Over it comes nothing more after
    /// them if the response `is_last`.
    pub(super) fn of(
        lease: Lease,
        lane: &Rc<Lane>,
        bytes_left: u64,
        is_last: bool,
    ) -> Option<Self> {
        let mut rest = Self {
            lease: Some(lease),
            bytes_left,
            is_last,
            lane: Rc::clone(lane),
            deadline: None,
        };
        rest.finish_if_done();
        rest.lease.is_some().then_some(rest)
    }

    /// How much there is.
    pub fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    /// Reads more of it, and no more than it has, into `buffer`.
    ///
    /// # Errors
    /// It breaks off, or does not come in time: the answer must not look complete.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(lease) = &mut self.lease else {
            return Poll::Ready(Ok(()));
        };
        let bytes_max = usize::try_from(self.bytes_left).unwrap_or(usize::MAX);
        let mut part = buffer.take(bytes_max);
        let read = lease.link().poll_read(context, &mut part);
        let count = part.filled().len();
        if read.is_pending() {
            let timeout = self.lane.timeout;
            let deadline = *self
                .deadline
                .get_or_insert_with(|| Instant::now() + timeout);
            let is_late = lease.link().poll_alarm(context, deadline);
            return if is_late {
                Poll::Ready(self.fail())
            } else {
                Poll::Pending
            };
        }
        if count == 0 || ready!(read).is_err() {
            return Poll::Ready(self.fail());
        }
        buffer.advance(count);
        self.deadline = None;
        self.bytes_left -= count as u64;
        self.finish_if_done();
        Poll::Ready(Ok(()))
    }

    /// Gives the connection back, or closes it.
    fn finish_if_done(&mut self) {
        if self.bytes_left > 0 {
            return;
        }
        if let Some(lease) = self.lease.take()
            && self.is_last
        {
            lease.close();
        }
    }

    fn fail(&mut self) -> io::Result<()> {
        if let Some(lease) = self.lease.take() {
            lease.upstream().notice(Failure::Body);
            lease.close();
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        // What follows on the connection is the rest of this response.
        if let Some(lease) = self.lease.take() {
            lease.close();
        }
    }
}
