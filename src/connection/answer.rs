//! Writes the chosen answer behind what is already to be sent.

use super::BufferPool;
use super::outgoing::{Held, Outgoing, Source};
use super::text::{Persistence, push_head};
use crate::assets::{Choice, Chosen, OPTIONS_FIELDS, PREFLIGHT_FIELDS};
use crate::http::head::{DATE_BYTES, date_offset};
use crate::http::multipart::{
    content_length, content_range, content_type, parts_bytes, unsatisfied_range,
};
use crate::http::path;
use crate::http::request::{Method, Request, Target, Version};
use crate::http::status::Status;

/// Writes one answer; borrowed from the connection for as long as that takes.
pub(super) struct Answer<'a> {
    pub(super) outgoing: &'a mut Outgoing,
    pub(super) pool: &'a mut BufferPool,
    pub(super) date: &'a [u8; DATE_BYTES],
    pub(super) held: &'a Held,
    pub(super) persistence: Persistence,
    /// Whether the body is left out (RFC 9110 §9.3.2).
    pub(super) head_only: bool,
}

impl Answer<'_> {
    /// Writes `choice`, the answer to `request`.
    pub(super) fn write(mut self, request: &Request<'_>, choice: Choice<'_>) {
        match choice {
            Choice::Whole(chosen) => self.whole(chosen),
            Choice::NotModified(chosen) => self.not_modified(chosen),
            Choice::Partial(chosen, range) => {
                let start = self.start(Status::PartialContent);
                let length = chosen.variant.body.bytes();
                let buffer = self.outgoing.buffer(self.pool);
                buffer.extend_from_slice(chosen.variant.heads.fields());
                content_range(buffer, &range, length);
                self.end(range.end - range.start);
                self.outgoing.begin_body(start, self.persistence);
                self.outgoing.push_body(source(self.held, chosen), range);
            }
            Choice::Multipart(chosen, ranges) => {
                let start = self.start(Status::PartialContent);
                let heads = &chosen.variant.heads;
                let length = parts_bytes(heads, &ranges, chosen.variant.body.bytes());
                let buffer = self.outgoing.buffer(self.pool);
                content_type(buffer, heads);
                buffer.extend_from_slice(heads.fields_after_type());
                self.end(length);
                self.outgoing.begin_body(start, self.persistence);
                self.outgoing.push_parts(source(self.held, chosen), *ranges);
            }
            Choice::Unsatisfiable { length } => {
                self.start(Status::RangeNotSatisfiable);
                unsatisfied_range(self.outgoing.buffer(self.pool), length);
                self.text(Status::RangeNotSatisfiable);
            }
            Choice::Redirect { location, fields } => self.redirect(request, location, fields),
            Choice::Options => {
                self.start(Status::NoContent);
                self.fields(OPTIONS_FIELDS.as_bytes());
                self.last_line();
            }
            Choice::Preflight => {
                self.start(Status::NoContent);
                self.fields(PREFLIGHT_FIELDS.as_bytes());
                self.last_line();
            }
            Choice::Refusal(status) => self.refusal(status),
            // Of an asset that went away while its body was read, which nobody gets any more.
            Choice::Fallback => self.refusal(Status::NotFound),
        }
    }

    fn whole(self, chosen: Chosen<'_>) {
        let heads = &chosen.variant.heads;
        let buffer = self.outgoing.buffer(self.pool);
        let start = buffer.len();
        push_head(
            buffer,
            heads.ok(),
            heads.date_offset(),
            self.date,
            self.persistence,
        );
        if !self.head_only {
            let range = 0..chosen.variant.body.bytes();
            self.outgoing.begin_body(start, self.persistence);
            self.outgoing.push_body(source(self.held, chosen), range);
        }
    }

    fn not_modified(self, chosen: Chosen<'_>) {
        const DATE_OFFSET: usize = date_offset("HTTP/1.1 304 Not Modified");
        let head = chosen.variant.heads.not_modified();
        let buffer = self.outgoing.buffer(self.pool);
        push_head(buffer, head, DATE_OFFSET, self.date, self.persistence);
    }

    /// A relative redirect (RFC 9110 §10.2.2) keeps the query of the request.
    fn redirect(mut self, request: &Request<'_>, location: &str, fields: &str) {
        self.start(Status::Found);
        let buffer = self.outgoing.buffer(self.pool);
        buffer.extend_from_slice(b"Location: ");
        buffer.extend_from_slice(location.as_bytes());
        if let Target::Path {
            query: Some(query), ..
        } = request.target
        {
            buffer.push(b'?');
            path::encode_query(query, buffer);
        }
        buffer.extend_from_slice(b"\r\n");
        buffer.extend_from_slice(fields.as_bytes());
        self.end(0);
    }

    /// A status with its own small text.
    pub(super) fn refusal(mut self, status: Status) {
        self.start(status);
        self.fields(status.fields().as_bytes());
        self.text(status);
    }

    /// Starts a head that is written at request; returns where.
    fn start(&mut self, status: Status) -> usize {
        let buffer = self.outgoing.buffer(self.pool);
        let start = buffer.len();
        buffer.extend_from_slice(status.line().as_bytes());
        buffer.extend_from_slice(b"\r\nDate: ");
        buffer.extend_from_slice(self.date);
        buffer.extend_from_slice(b"\r\n");
        start
    }

    fn fields(&mut self, lines: &[u8]) {
        self.outgoing.buffer(self.pool).extend_from_slice(lines);
    }

    /// The rest of the head and the body of a plain-text answer.
    fn text(&mut self, status: Status) {
        let text = status.body();
        self.fields(b"Content-Type: text/plain; charset=utf-8\r\n");
        self.end(text.len() as u64);
        if !self.head_only {
            self.fields(text.as_bytes());
        }
    }

    /// Ends a head whose body has `length` bytes.
    fn end(&mut self, length: u64) {
        content_length(self.outgoing.buffer(self.pool), length);
        self.last_line();
    }

    fn last_line(&mut self) {
        let lines: &[u8] = match self.persistence {
            Persistence::Implied => b"\r\n",
            Persistence::KeepAlive => b"Connection: keep-alive\r\n\r\n",
            Persistence::Close => b"Connection: close\r\n\r\n",
        };
        self.fields(lines);
    }
}

fn source(held: &Held, chosen: Chosen<'_>) -> Source {
    Source::new(held.clone(), chosen.asset_index, chosen.variant_index)
}

/// How the connection goes on after the answer to `request`, unless we are `closing` it.
pub(super) const fn persistence(request: &Request<'_>, closing: bool) -> Persistence {
    match (request.persistent && !closing, request.version) {
        (false, _) => Persistence::Close,
        (true, Version::Http11) => Persistence::Implied,
        (true, Version::Http10) => Persistence::KeepAlive,
    }
}

/// Whether the answer to `request` has no body.
pub(super) fn is_head_only(request: &Request<'_>) -> bool {
    request.method == Method::Head
}
