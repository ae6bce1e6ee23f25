//! What one connection still has to send: heads and small bodies in a buffer, and behind it at
//! most one body that is too large to be copied. Knows bytes, not requests.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::text::Persistence;
use super::{BufferPool, SEND_BUFFER_BYTES};
use crate::assets::{Body, FileBody, Snapshot, Variant};
use crate::http::multipart::{part_end, part_head};
use crate::http::range::Ranges;

/// A worker's own handle on the snapshot. Cloning it counts in the worker's memory only, so
/// that no response touches a counter that other cores touch.
pub type Held = Rc<Published>;

/// A snapshot as all workers share it.
pub type Published = Arc<Snapshot>;

/// Which variant a body belongs to, and the snapshot that keeps it.
#[derive(Clone)]
pub struct Source {
    held: Held,
    asset_index: u32,
    variant_index: u8,
}

/// A part of a body that is still to be sent.
#[derive(Debug, Clone)]
pub struct BodyPart {
    source: Source,
    range: Range<u64>,
}

/// The parts of a `multipart/byteranges` answer that are still to be written.
#[derive(Debug)]
pub(super) struct Parts {
    source: Source,
    ranges: Ranges,
    next: usize,
}

/// The bytes under way to the client.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    buffer: Vec<u8>,
    /// How much of the buffer has been sent.
    sent: usize,
    /// What follows the buffer.
    tail: Option<BodyPart>,
    /// What follows the tail.
    parts: Option<Box<Parts>>,
    /// Where in the buffer the head begins whose body is the tail.
    tail_head: usize,
    /// What that head says.
    tail_persistence: Persistence,
    /// Whether the file of the tail still has to be opened.
    unopened: bool,
}

/// Bytes lent to whoever sends them; the buffer comes back with
/// [`super::Connection::on_sent`].
#[derive(Debug)]
pub struct Loan {
    /// Send this buffer from [`Self::from`] on.
    pub buffer: Vec<u8>,
    /// Everything before was sent already.
    pub from: usize,
    /// Then this, if there is something.
    pub body: Option<BodyPart>,
    /// Whether more follows at once, so that the last segment may wait for it.
    pub more_follows: bool,
}

/// What is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    OpenFile,
    Bytes,
    File,
}

impl Source {
    pub(super) const fn new(held: Held, asset_index: u32, variant_index: u8) -> Self {
        Self {
            held,
            asset_index,
            variant_index,
        }
    }

    /// The snapshot that keeps the body.
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// The variant as part of `snapshot`, which must be the one behind [`Self::held`].
    fn variant_in<'s>(&self, snapshot: &'s Snapshot) -> &'s Variant {
        &snapshot.asset(self.asset_index).variants[usize::from(self.variant_index)]
    }

    fn variant(&self) -> &Variant {
        self.variant_in(&self.held)
    }

    /// The file of the body, if it is on disk.
    pub fn file(&self) -> Option<&FileBody> {
        match &self.variant().body {
            Body::Memory(_) => None,
            Body::File(file) => Some(file),
        }
    }

    /// Names the body within its snapshot.
    pub const fn key(&self) -> (u32, u8) {
        (self.asset_index, self.variant_index)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Source({}, {})",
            self.asset_index, self.variant_index
        )
    }
}

impl BodyPart {
    /// Where the body comes from.
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// What is left to send, in bytes from the start of the body.
    pub const fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// The bytes within `snapshot`, which must be the one behind [`Source::held`]; none if they
    /// are in a file.
    pub fn bytes_in<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s [u8]> {
        match &self.source.variant_in(snapshot).body {
            Body::Memory(bytes) => Some(&bytes[index(self.range.start)..index(self.range.end)]),
            Body::File(_) => None,
        }
    }

    /// The bytes; none if they are in a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes_in(&self.source.held)
    }

    fn bytes_left(&self) -> u64 {
        self.range.end - self.range.start
    }
}

impl Outgoing {
    /// What has to be done next to send everything.
    pub(super) fn next(&self) -> Next {
        match &self.tail {
            Some(_) if self.unopened => Next::OpenFile,
            _ if self.sent < self.buffer.len() => Next::Bytes,
            Some(tail) if tail.source.file().is_some() => Next::File,
            Some(_) => Next::Bytes,
            None => Next::Nothing,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.tail.is_none()
    }

    /// Whether another answer may be put behind those that are there.
    pub(super) fn has_room(&self) -> bool {
        self.tail.is_none() && self.parts.is_none() && self.buffer.len() < SEND_BUFFER_BYTES / 2
    }

    /// The buffer to write into, taken from `pool` if there was none.
    pub(super) fn buffer(&mut self, pool: &mut BufferPool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        &mut self.buffer
    }

    /// The body that is pushed next belongs to the head that begins at `head_start` in the
    /// buffer and says `persistence`.
    pub(super) fn begin_body(&mut self, head_start: usize, persistence: Persistence) {
        self.tail_head = head_start;
        self.tail_persistence = persistence;
    }

    /// Sends `range` of a body behind what is there: copied if it is small, else as the tail.
    pub(super) fn push_body(&mut self, source: Source, range: Range<u64>) {
        assert!(
            self.tail.is_none(),
            "invariant: nothing is put behind a tail"
        );
        let part = BodyPart { source, range };
        match part.bytes() {
            Some(bytes) if bytes.len() <= COPY_BYTES_MAX => self.buffer.extend_from_slice(bytes),
            bytes => {
                self.unopened = bytes.is_none() && part.bytes_left() > 0;
                self.tail = (part.bytes_left() > 0).then_some(part);
            }
        }
    }

    /// Sends `ranges` as the parts of a multipart body (RFC 9110 §14.6).
    pub(super) fn push_parts(&mut self, source: Source, ranges: Ranges) {
        self.parts = Some(Box::new(Parts {
            source,
            ranges,
            next: 0,
        }));
        self.write_parts();
    }

    /// Writes parts until one is too large to be copied, or all are written.
    fn write_parts(&mut self) {
        while self.tail.is_none()
            && let Some(mut parts) = self.parts.take()
        {
            let length = parts.source.variant().body.bytes();
            match parts.ranges.as_slice().get(parts.next).cloned() {
                Some(range) => {
                    part_head(
                        &mut self.buffer,
                        &parts.source.variant().heads,
                        &range,
                        length,
                    );
                    parts.next += 1;
                    let source = parts.source.clone();
                    self.parts = Some(parts);
                    self.push_body(source, range);
                }
                None => part_end(&mut self.buffer, &parts.source.variant().heads),
            }
        }
    }

    /// Takes the answer back whose body is the tail; returns what its head said.
    pub(super) fn retract_tail(&mut self) -> Persistence {
        self.buffer.truncate(self.tail_head);
        self.tail = None;
        self.parts = None;
        self.unopened = false;
        self.tail_persistence
    }

    /// The part of a file that is sent next.
    pub(super) fn tail(&self) -> Option<&BodyPart> {
        self.tail.as_ref()
    }

    /// The file of the tail, and of all parts behind it, is open.
    pub(super) fn set_opened(&mut self) {
        self.unopened = false;
    }

    /// Lends out what is sent next.
    pub(super) fn lend(&mut self) -> Loan {
        let is_file = self
            .tail
            .as_ref()
            .is_some_and(|tail| tail.source.file().is_some());
        Loan {
            buffer: std::mem::take(&mut self.buffer),
            from: self.sent,
            body: if is_file { None } else { self.tail.clone() },
            more_follows: is_file || self.parts.is_some(),
        }
    }

    /// Takes the buffer back; `count` more bytes were sent.
    pub(super) fn on_sent(&mut self, buffer: Vec<u8>, count: usize) {
        assert!(
            self.buffer.capacity() == 0,
            "invariant: only what was lent comes back"
        );
        self.buffer = buffer;
        let from_buffer = count.min(self.buffer.len() - self.sent);
        self.sent += from_buffer;
        self.advance_tail(count - from_buffer);
    }

    /// `count` bytes of the tail were sent from its file.
    pub(super) fn on_file_sent(&mut self, count: usize) {
        self.advance_tail(count);
    }

    fn advance_tail(&mut self, count: usize) {
        if let Some(tail) = &mut self.tail {
            assert!(
                count as u64 <= tail.bytes_left(),
                "invariant: no more is sent than there is"
            );
            tail.range.start += count as u64;
            if tail.bytes_left() > 0 {
                return;
            }
            self.tail = None;
        }
        if self.tail.is_none() && self.parts.is_some() && self.sent == self.buffer.len() {
            self.buffer.clear();
            self.sent = 0;
            // The file stays open for the parts that follow.
            let opened = !self.unopened;
            self.write_parts();
            self.unopened &= !opened;
        }
    }

    /// Gives the memory back and forgets what was not sent.
    pub(super) fn clear(&mut self, pool: &mut BufferPool) {
        pool.give(std::mem::take(&mut self.buffer));
        self.sent = 0;
        self.tail = None;
        self.parts = None;
        self.unopened = false;
    }
}

/// An offset into memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("invariant: a body in memory is addressable")
}

/// Larger bodies are sent from where they are.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// Room for the largest copied body behind a buffer that still took it.
const _: () = assert!(SEND_BUFFER_BYTES / 2 + COPY_BYTES_MAX < SEND_BUFFER_BYTES);
