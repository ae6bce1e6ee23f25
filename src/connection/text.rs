//! The text of answers: prepared heads completed by copying, and the lines of partial answers.

use std::ops::Range;

use crate::http::head::{DATE_BYTES, Heads};
use crate::http::range::Ranges;

/// The `Connection` field an answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Persistence {
    /// HTTP/1.1 without a field: the connection persists.
    #[default]
    Implied,
    /// HTTP/1.0 asked for `keep-alive`.
    KeepAlive,
    /// This is the last answer.
    Close,
}

/// Copies a head that ends with its empty line, with the date and `persistence` filled in.
pub(super) fn push_head(
    buffer: &mut Vec<u8>,
    head: &[u8],
    date_offset: usize,
    date: &[u8; DATE_BYTES],
    persistence: Persistence,
) {
    let start = buffer.len();
    buffer.extend_from_slice(head);
    buffer[start + date_offset..][..DATE_BYTES].copy_from_slice(date);
    let field: &[u8] = match persistence {
        Persistence::Implied => return,
        Persistence::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Persistence::Close => b"Connection: close\r\n\r\n",
    };
    buffer.truncate(buffer.len() - b"\r\n".len());
    buffer.extend_from_slice(field);
}

/// The head of one part of a multipart body.
pub(super) fn part_head(buffer: &mut Vec<u8>, heads: &Heads, range: &Range<u64>, length: u64) {
    buffer.extend_from_slice(b"\r\n--");
    buffer.extend_from_slice(boundary(heads));
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(heads.content_type_line());
    content_range(buffer, range, length);
    buffer.extend_from_slice(b"\r\n");
}

/// What ends a multipart body.
pub(super) fn part_end(buffer: &mut Vec<u8>, heads: &Heads) {
    buffer.extend_from_slice(b"\r\n--");
    buffer.extend_from_slice(boundary(heads));
    buffer.extend_from_slice(b"--\r\n");
}

/// The length of the multipart body that [`super::outgoing::Outgoing::push_parts`] writes.
pub(super) fn parts_bytes(heads: &Heads, ranges: &Ranges, length: u64) -> u64 {
    let mut text = Vec::with_capacity(256);
    let mut bytes = 0;
    for range in ranges.as_slice() {
        text.clear();
        part_head(&mut text, heads, range, length);
        bytes += text.len() as u64 + (range.end - range.start);
    }
    text.clear();
    part_end(&mut text, heads);
    bytes + text.len() as u64
}

/// A boundary (RFC 2046 §5.1.1) that is not in the body: it is the digest of the body.
pub(super) fn boundary(heads: &Heads) -> &[u8] {
    match heads.etag() {
        [b'"', tag @ .., b'"'] => tag,
        _ => b"whitering-7e83ac1d",
    }
}

/// A `Content-Range` line (RFC 9110 §14.4).
pub(super) fn content_range(buffer: &mut Vec<u8>, range: &Range<u64>, length: u64) {
    buffer.extend_from_slice(b"Content-Range: bytes ");
    push_number(buffer, range.start);
    buffer.push(b'-');
    push_number(buffer, range.end - 1);
    buffer.push(b'/');
    push_number(buffer, length);
    buffer.extend_from_slice(b"\r\n");
}

/// A decimal number.
pub(super) fn push_number(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
