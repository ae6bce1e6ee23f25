//! HTTP/1.1 as hyper gets to see it: request by request, each held to the same grammar as in a
//! worker. What follows a request waits here until that is answered, so that nobody but this
//! parser decides where a request ends, and a lane that ends knows what it still owes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Traffic;
use super::transport::Transport;
use crate::connection::Settings;
use crate::http::body::BodyReader;
use crate::http::request::{Fields, Request, RequestError, head_end};
use crate::http::status::Status;

/// A stream of requests.
pub(super) struct Framed {
    transport: Transport,
    traffic: Arc<Traffic>,
    head_bytes_max: usize,
    target_bytes_max: usize,
    over_tls: bool,
    /// Received and not passed on.
    received: BytesMut,
    /// How much of that may be.
    passable_bytes: usize,
    /// How much of that holds no end of a head.
    scanned_bytes: usize,
    stage: Stage,
}

/// What is read.
enum Stage {
    /// The head of the next request.
    Head,
    /// The body of one.
    Body(BodyReader),
    /// Nothing, until the request is answered.
    Answer,
    /// Another protocol.
    Switched,
}

impl Framed {
    pub(super) fn new(transport: Transport, traffic: Arc<Traffic>, settings: &Settings) -> Self {
        Self {
            transport,
            traffic,
            head_bytes_max: settings.head_bytes_max,
            target_bytes_max: settings.target_bytes_max,
            over_tls: settings.over_tls,
            received: BytesMut::new(),
            passable_bytes: 0,
            scanned_bytes: 0,
            stage: Stage::Head,
        }
    }

    /// What it goes over, and whether something was received and is not passed on.
    pub(super) fn into_parts(self) -> (Transport, bool) {
        (self.transport, !self.received.is_empty())
    }

    /// Looks for a head in what was received; whether there is one, or a refusal in its place.
    fn take_head(&mut self) -> bool {
        // RFC 9112 §2.2: an empty line before a request line is ignored.
        if self.scanned_bytes == 0 && self.received.starts_with(b"\r\n") {
            self.received.advance(2);
        }
        if self.received.is_empty() || self.received[..] == *b"\r" {
            return false;
        }
        if self.traffic.is_late() {
            self.refuse(Status::RequestTimeout);
            return true;
        }
        match self.parse() {
            Ok(Some((bytes, body))) => {
                self.passable_bytes = bytes;
                self.stage = Stage::Body(body);
            }
            Ok(None) => {
                self.scanned_bytes = self.received.len();
                self.traffic.note_head(true);
                return false;
            }
            Err(error) => {
                self.refuse(error.status());
                return true;
            }
        }
        self.begin_request();
        true
    }

    fn parse(&self) -> Result<Option<(usize, BodyReader)>, RequestError> {
        let (head_max, target_max) = (self.head_bytes_max, self.target_bytes_max);
        let end = head_end(&self.received, self.scanned_bytes, head_max, target_max)?;
        let Some(end) = end else {
            return Ok(None);
        };
        let mut fields = Fields::new();
        let head = &self.received[..end];
        let request = Request::parse_over(head, &mut fields, target_max, self.over_tls)?;
        Ok(Some((end, BodyReader::streaming(request.body))))
    }

    fn begin_request(&mut self) {
        self.scanned_bytes = 0;
        self.traffic.note_head(false);
        self.traffic.begin_request();
    }

    /// Has hyper ask for a request that the service knows to refuse; nothing follows it.
    fn refuse(&mut self, status: Status) {
        self.traffic.refuse(status.code());
        let is_head = self.received.starts_with(b"HEAD ");
        self.received.clear();
        let stand_in = if is_head { HEAD } else { GET };
        self.received.extend_from_slice(stand_in);
        self.passable_bytes = stand_in.len();
        self.stage = Stage::Answer;
        self.begin_request();
    }

    /// Passes on what may be.
    fn pass(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.passable_bytes.min(buffer.remaining());
        buffer.put_slice(&self.received[..count]);
        self.received.advance(count);
        self.passable_bytes -= count;
    }

    /// Receives more of a head; false at the end.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut room = [std::mem::MaybeUninit::uninit(); RECEIVED_BYTES];
        let mut buffer = ReadBuf::uninit(&mut room);
        match Pin::new(&mut self.transport).poll_read(context, &mut buffer)? {
            Poll::Ready(()) => {
                self.received.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(!buffer.filled().is_empty()))
            }
            Poll::Pending if self.is_over() => Poll::Ready(Ok(false)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether nothing of a request has come, and none is waited for any more.
    fn is_over(&self) -> bool {
        self.traffic.is_ending() && self.received.is_empty() && !self.transport.has_input()
    }

    /// Receives a part of a body where it is wanted; what is behind the body is kept.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Stage::Body(body) = &mut self.stage else {
            unreachable!("invariant: called in this stage only");
        };
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(context, buffer))?;
        let fresh = &buffer.filled()[before..];
        let count = body.read(fresh).map_err(malformed)?;
        self.received.extend_from_slice(&fresh[count..]);
        buffer.set_filled(before + count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Framed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.passable_bytes > 0 {
                this.pass(buffer);
                return Poll::Ready(Ok(()));
            }
            match &mut this.stage {
                Stage::Body(body) if body.is_done() => this.stage = Stage::Answer,
                Stage::Body(_) if this.received.is_empty() => {
                    return this.poll_body(context, buffer);
                }
                Stage::Body(body) => {
                    this.passable_bytes = body.read(&this.received).map_err(malformed)?;
                }
                // Whoever answers polls again when that is done, to read what follows.
                Stage::Answer => match this.traffic.what_follows() {
                    Follows::Nothing => return Poll::Pending,
                    Follows::Request => this.stage = Stage::Head,
                    Follows::OtherProtocol => this.stage = Stage::Switched,
                },
                Stage::Switched if this.received.is_empty() => {
                    return Pin::new(&mut this.transport).poll_read(context, buffer);
                }
                Stage::Switched => this.passable_bytes = this.received.len(),
                Stage::Head => {
                    let is_taken = this.take_head();
                    let is_in_head = !is_taken && this.scanned_bytes > 0;
                    this.traffic.note_head(is_in_head);
                    if !is_taken && !ready!(this.poll_head(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Framed {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}

/// What may be read behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is not answered yet.
    Nothing,
    Request,
    OtherProtocol,
}

/// A body that two parsers could read differently; it is not passed on to its end.
fn malformed(error: RequestError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What hyper reads in the place of a request that is refused.
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: refused\r\n\r\n";

/// What is received at once of heads and what follows them.
const RECEIVED_BYTES: usize = 8 * 1024;
