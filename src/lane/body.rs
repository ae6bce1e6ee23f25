//! The bodies of a lane's answers: those of assets, read as they are sent, and those of whatever
//! is behind the files.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::connections::InFlight;
use super::{OnStale, files};
use crate::fallback::{BoxError, LocalFuture, ResponseBody};
use crate::service::{Content, FilePart, Part};

/// The body of an answer. The request counts as being answered until it is dropped.
pub(super) struct Body {
    kind: Kind,
    /// Whether the client has to take what there is before more is asked for.
    is_held_back: bool,
    in_flight: InFlight,
}

enum Kind {
    Empty,
    Content(ContentBody),
    Fallback(ResponseBody),
}

/// A body that is made of memory and of files.
struct ContentBody {
    content: Content,
    bytes_left: u64,
    uses_uring: bool,
    /// Whom to tell that an asset is not what the snapshot says.
    on_stale: Option<OnStale>,
    /// What the file at the front was when it was first read.
    opened: Option<Metadata>,
    reading: Option<LocalFuture<(io::Result<usize>, Vec<u8>)>>,
}

impl Body {
    pub(super) fn empty(in_flight: InFlight) -> Self {
        Self {
            kind: Kind::Empty,
            is_held_back: false,
            in_flight,
        }
    }

    pub(super) fn content(
        content: Content,
        uses_uring: bool,
        on_stale: Option<OnStale>,
        in_flight: InFlight,
    ) -> Self {
        Self {
            kind: Kind::Content(ContentBody {
                bytes_left: content.bytes(),
                content,
                uses_uring,
                on_stale,
                opened: None,
                reading: None,
            }),
            is_held_back: false,
            in_flight,
        }
    }

    pub(super) fn fallback(body: ResponseBody, in_flight: InFlight) -> Self {
        Self {
            kind: Kind::Fallback(body),
            is_held_back: false,
            in_flight,
        }
    }
}

impl Body {
    fn hold_back(&mut self, is_held_back: bool) {
        if self.is_held_back != is_held_back {
            self.is_held_back = is_held_back;
            self.in_flight.stalls().hold_back(is_held_back);
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.hold_back(false);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let part_bytes_max = self.in_flight.stalls().part_bytes_max();
        let result = match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Content(body) => body
                .poll_bytes(part_bytes_max, context)
                .map(|next| next.map(|bytes| bytes.map(Frame::data).map_err(Into::into))),
            Kind::Fallback(body) => Pin::new(body).poll_frame(context),
        };
        self.hold_back(result.is_ready());
        result
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Content(body) => body.bytes_left == 0,
            Kind::Fallback(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Content(body) => SizeHint::with_exact(body.bytes_left),
            Kind::Fallback(body) => body.size_hint(),
        }
    }
}

impl ContentBody {
    fn poll_bytes(
        &mut self,
        part_bytes_max: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let result = match self.content.parts.front_mut() {
            None => return Poll::Ready(None),
            // Taken in steps, it shows whether the client goes on.
            Some(Part::Bytes(bytes)) if bytes.len() > MEMORY_STEP_BYTES => {
                Ok(bytes.split_to(MEMORY_STEP_BYTES))
            }
            Some(Part::Bytes(bytes)) => {
                let bytes = std::mem::take(bytes);
                self.content.parts.pop_front();
                Ok(bytes)
            }
            Some(Part::File(_)) => ready!(self.poll_file(part_bytes_max, context)),
        };
        match (&result, &self.on_stale) {
            (Ok(bytes), _) => self.bytes_left -= bytes.len() as u64,
            (Err(_), Some(on_stale)) => on_stale(),
            (Err(_), None) => {}
        }
        Poll::Ready(Some(result))
    }

    fn poll_file(
        &mut self,
        part_bytes_max: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        let Some(Part::File(part)) = self.content.parts.front_mut() else {
            return Poll::Ready(Ok(Bytes::new()));
        };
        if self.reading.is_none() {
            if !is_unchanged(&part.file, &mut self.opened)? {
                return Poll::Ready(Err(changed()));
            }
            self.reading = Some(Box::pin(read(
                part.clone(),
                part_bytes_max,
                self.uses_uring,
            )));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Pending;
        };
        let (result, buffer) = ready!(reading.as_mut().poll(context));
        self.reading = None;
        let count = result?;
        if count == 0 {
            return Poll::Ready(Err(changed()));
        }
        part.range.start += count as u64;
        if part.range.is_empty() {
            self.content.parts.pop_front();
            self.opened = None;
        }
        Poll::Ready(Ok(Bytes::from(buffer)))
    }
}

async fn read(part: FilePart, count_max: usize, uses_uring: bool) -> (io::Result<usize>, Vec<u8>) {
    let file: &Arc<File> = &part.file;
    let left = part.range.end - part.range.start;
    let count_max = usize::try_from(left).map_or(count_max, |left| left.min(count_max));
    let buffer = Vec::with_capacity(count_max);
    files::read(file, part.range.start, count_max, buffer, uses_uring).await
}

/// Whether `file` was not written to since it was first looked at.
fn is_unchanged(file: &File, opened: &mut Option<Metadata>) -> io::Result<bool> {
    let now = file.metadata()?;
    let facts = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    match opened {
        Some(then) => Ok(facts(then) == facts(&now)),
        None => {
            *opened = Some(now);
            Ok(true)
        }
    }
}

/// The client must see that its answer is not complete.
fn changed() -> io::Error {
    io::Error::other("the file has changed while it was sent")
}

/// How much of what is in memory is given at once; it is shared, not copied.
const MEMORY_STEP_BYTES: usize = 4 * files::CHUNK_BYTES;
