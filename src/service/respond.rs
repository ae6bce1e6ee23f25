//! One choice as a response. What `connection` writes as bytes, with the same fields in the same
//! order.

use std::ops::Range;
use std::sync::Arc;

use ::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;

use super::content::{Content, FilePart, Part};
use super::fields::{Cache, Kind, Prepared, append, parse};
use super::files::OpenFiles;
use crate::assets::{Body, Choice, Chosen, OPTIONS_FIELDS, OpenError, PREFLIGHT_FIELDS, Snapshot};
use crate::http::multipart::{
    content_length, content_range, content_type, part_end, part_head, parts_bytes,
    unsatisfied_range,
};
use crate::http::path;
use crate::http::range::Ranges;
use crate::http::request::{Request, Target};
use crate::http::status::Status;

/// Makes one response.
pub(super) struct Responder<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Whether the body is left out (RFC 9110 §9.3.2).
    pub(super) head_only: bool,
    pub(super) cache: Option<&'a mut Cache>,
    /// Files that are open already.
    pub(super) files: Option<&'a mut OpenFiles>,
}

impl Responder<'_> {
    /// The response to `request` that was chosen.
    pub(super) fn response(
        &mut self,
        request: &Request<'_>,
        choice: Choice<'_>,
    ) -> Response<Content> {
        match choice {
            Choice::Whole(chosen) => self.whole(&chosen),
            Choice::NotModified(chosen) => {
                let prepared = self.prepared(&chosen, Kind::NotModified);
                respond(prepared.status, prepared.fields, Content::default())
            }
            Choice::Partial(chosen, range) => self.partial(&chosen, range),
            Choice::Multipart(chosen, ranges) => self.multipart(&chosen, &ranges),
            Choice::Unsatisfiable { length } => {
                let mut lines = Vec::with_capacity(LINES_BYTES);
                unsatisfied_range(&mut lines, length);
                self.text(Status::RangeNotSatisfiable, parse(lines.into()))
            }
            Choice::Redirect { location, fields } => redirect(request, location, fields),
            Choice::Options => no_content(OPTIONS_FIELDS),
            Choice::Preflight => no_content(PREFLIGHT_FIELDS),
            Choice::Refusal(status) => self.refusal(status),
            Choice::Fallback => unreachable!("invariant: somebody else answers such a request"),
        }
    }

    /// A status with its own small text.
    pub(super) fn refusal(&mut self, status: Status) -> Response<Content> {
        let fields = parse(Bytes::from_static(status.fields().as_bytes()));
        self.text(status, fields)
    }

    fn whole(&mut self, chosen: &Chosen<'_>) -> Response<Content> {
        let mut content = Content::default();
        if !self.head_only {
            match self.source(chosen) {
                Ok(source) => source.push(&mut content, 0..chosen.variant.body.bytes()),
                Err(error) => return self.refusal(error.status()),
            }
        }
        let prepared = self.prepared(chosen, Kind::Ok);
        respond(prepared.status, prepared.fields, content)
    }

    fn partial(&mut self, chosen: &Chosen<'_>, range: Range<u64>) -> Response<Content> {
        let source = match self.source(chosen) {
            Ok(source) => source,
            Err(error) => return self.refusal(error.status()),
        };
        let mut lines = Vec::with_capacity(LINES_BYTES);
        lines.extend_from_slice(chosen.variant.heads.fields());
        content_range(&mut lines, &range, chosen.variant.body.bytes());
        content_length(&mut lines, range.end - range.start);
        let mut content = Content::default();
        source.push(&mut content, range);
        respond(StatusCode::PARTIAL_CONTENT, parse(lines.into()), content)
    }

    fn multipart(&mut self, chosen: &Chosen<'_>, ranges: &Ranges) -> Response<Content> {
        let source = match self.source(chosen) {
            Ok(source) => source,
            Err(error) => return self.refusal(error.status()),
        };
        let (heads, length) = (&chosen.variant.heads, chosen.variant.body.bytes());
        let mut lines = Vec::with_capacity(LINES_BYTES);
        content_type(&mut lines, heads);
        lines.extend_from_slice(heads.fields_after_type());
        content_length(&mut lines, parts_bytes(heads, ranges, length));
        let mut content = Content::default();
        for range in ranges.as_slice() {
            let mut text = Vec::with_capacity(LINES_BYTES);
            part_head(&mut text, heads, range, length);
            content.parts.push_back(Part::Bytes(text.into()));
            source.push(&mut content, range.clone());
        }
        let mut text = Vec::with_capacity(LINES_BYTES);
        part_end(&mut text, heads);
        content.parts.push_back(Part::Bytes(text.into()));
        respond(StatusCode::PARTIAL_CONTENT, parse(lines.into()), content)
    }

    /// The rest of the fields and the body of a plain-text answer.
    fn text(&self, status: Status, mut fields: HeaderMap) -> Response<Content> {
        let text = Bytes::from_static(status.body().as_bytes());
        let plain = b"Content-Type: text/plain; charset=utf-8\r\n";
        append(&mut fields, Bytes::from_static(plain));
        append_length(&mut fields, text.len() as u64);
        let mut content = Content::default();
        if !self.head_only {
            content.parts.push_back(Part::Bytes(text));
        }
        respond(code(status), fields, content)
    }

    fn prepared(&mut self, chosen: &Chosen<'_>, kind: Kind) -> Prepared {
        match &mut self.cache {
            Some(cache) => cache.prepared(chosen, kind),
            None => Prepared::parse(&chosen.variant.heads, kind),
        }
    }

    fn source(&mut self, chosen: &Chosen<'_>) -> Result<Source, OpenError> {
        Ok(match &chosen.variant.body {
            Body::Memory(bytes) => Source::Memory(bytes.clone()),
            Body::File(file) if file.identity.bytes == 0 => Source::Memory(Bytes::new()),
            Body::File(file) => {
                let key = (chosen.asset_index, chosen.variant_index);
                Source::File(match &mut self.files {
                    Some(files) => files.open(key, file, self.snapshot)?,
                    None => Arc::new(self.snapshot.open(file)?),
                })
            }
        })
    }
}

/// Where the bytes of a body come from.
enum Source {
    Memory(Bytes),
    File(Arc<std::fs::File>),
}

impl Source {
    fn push(&self, content: &mut Content, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        content.parts.push_back(match self {
            Self::Memory(bytes) => Part::Bytes(bytes.slice(index(range.start)..index(range.end))),
            Self::File(file) => Part::File(FilePart {
                file: Arc::clone(file),
                range,
            }),
        });
    }
}

/// A relative redirect (RFC 9110 §10.2.2) keeps the query of the request.
fn redirect(request: &Request<'_>, location: &str, fields: &str) -> Response<Content> {
    let mut lines = Vec::with_capacity(LINES_BYTES);
    lines.extend_from_slice(b"Location: ");
    lines.extend_from_slice(location.as_bytes());
    if let Target::Path {
        query: Some(query), ..
    } = request.target
    {
        lines.push(b'?');
        path::encode_query(query, &mut lines);
    }
    lines.extend_from_slice(b"\r\n");
    lines.extend_from_slice(fields.as_bytes());
    content_length(&mut lines, 0);
    respond(code(Status::Found), parse(lines.into()), Content::default())
}

/// RFC 9110 §15.3.5.
fn no_content(fields: &'static str) -> Response<Content> {
    let fields = parse(Bytes::from_static(fields.as_bytes()));
    respond(code(Status::NoContent), fields, Content::default())
}

fn append_length(fields: &mut HeaderMap, length: u64) {
    let mut line = Vec::with_capacity("Content-Length: 12345\r\n".len());
    content_length(&mut line, length);
    append(fields, line.into());
}

fn respond(status: StatusCode, fields: HeaderMap, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

fn code(status: Status) -> StatusCode {
    StatusCode::from_u16(status.code()).expect("invariant: every status has three digits")
}

/// An offset into memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("invariant: a body in memory is addressable")
}

/// Room for the lines of most answers.
const LINES_BYTES: usize = 512;
