//! The body of an answer as a stream of frames; files are read on tokio's blocking threads.

use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::service::{Content, FilePart, Part};

/// The body of a file, a part of it, or a short text. It has a known length, which
/// [`Body::size_hint`] gives exactly.
///
/// Must be polled within a tokio runtime. Ends with an error if the file is changed or cut short
/// while it is sent; the server then breaks off the answer.
///
/// ```
/// use http_body::Body;
///
/// let body = whitering::AssetBody::default();
/// assert_eq!(body.size_hint().exact(), Some(0));
/// ```
#[derive(Debug, Default)]
pub struct AssetBody {
    content: Content,
    bytes_left: u64,
    /// The window that is being read.
    reading: Option<JoinHandle<io::Result<Read>>>,
    /// The state of the file when its first window was read.
    state: Option<State>,
}

/// A window of a file, and what is left of the part it is of.
#[derive(Debug)]
struct Read {
    bytes: Bytes,
    rest: FilePart,
    state: State,
}

/// What changes when a file is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    bytes: u64,
    modified: SystemTime,
}

impl AssetBody {
    pub(super) fn new(content: Content) -> Self {
        Self {
            bytes_left: content.bytes(),
            content,
            reading: None,
            state: None,
        }
    }

    /// Puts back what is left of a part, and gives the window out.
    fn on_read(&mut self, read: Read) -> Frame<Bytes> {
        if !read.rest.range.is_empty() {
            self.content.parts.push_front(Part::File(read.rest));
        }
        self.state = Some(read.state);
        self.frame(read.bytes)
    }

    fn frame(&mut self, bytes: Bytes) -> Frame<Bytes> {
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len() as u64);
        Frame::data(bytes)
    }

    fn fail(&mut self, error: io::Error) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        *self = Self::default();
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for AssetBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let result = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                return match result.unwrap_or_else(|error| Err(io::Error::other(error))) {
                    Ok(read) => Poll::Ready(Some(Ok(self.on_read(read)))),
                    Err(error) => self.fail(error),
                };
            }
            match self.content.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => return Poll::Ready(Some(Ok(self.frame(bytes)))),
                Some(Part::File(part)) => {
                    let state = self.state;
                    let read = move || read(part, state);
                    self.reading = Some(tokio::task::spawn_blocking(read));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes_left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}

/// Reads the next window of `part`, if its file is still in `state`.
fn read(mut part: FilePart, state: Option<State>) -> io::Result<Read> {
    let metadata = part.file.metadata()?;
    let now = State {
        bytes: metadata.len(),
        modified: metadata.modified()?,
    };
    if state.is_some_and(|state| state != now) {
        return Err(io::Error::other("the file has changed while it was sent"));
    }
    let left = usize::try_from(part.range.end - part.range.start).unwrap_or(usize::MAX);
    let mut bytes = vec![0; left.min(WINDOW_BYTES)];
    part.file.read_exact_at(&mut bytes, part.range.start)?;
    part.range.start += bytes.len() as u64;
    Ok(Read {
        bytes: bytes.into(),
        rest: part,
        state: now,
    })
}

/// Read at once; held in memory while it is sent.
const WINDOW_BYTES: usize = 128 * 1024;
