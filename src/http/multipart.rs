//! The text of partial answers: `Content-Range`, and what stands around the parts of a
//! `multipart/byteranges` body (RFC 9110 §14.4, §14.6). Knows no bytes of bodies.

use std::ops::Range;

use super::head::Heads;
use super::range::Ranges;

/// The head of one part of a multipart body.
pub fn part_head(buffer: &mut Vec<u8>, heads: &Heads, range: &Range<u64>, length: u64) {
    buffer.extend_from_slice(b"\r\n--");
    buffer.extend_from_slice(boundary(heads));
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(heads.content_type_line());
    content_range(buffer, range, length);
    buffer.extend_from_slice(b"\r\n");
}

/// What ends a multipart body.
pub fn part_end(buffer: &mut Vec<u8>, heads: &Heads) {
    buffer.extend_from_slice(b"\r\n--");
    buffer.extend_from_slice(boundary(heads));
    buffer.extend_from_slice(b"--\r\n");
}

/// The length of the whole multipart body that holds `ranges` of `length` bytes.
pub fn parts_bytes(heads: &Heads, ranges: &Ranges, length: u64) -> u64 {
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

/// The `Content-Type` line of a multipart body.
pub fn content_type(buffer: &mut Vec<u8>, heads: &Heads) {
    buffer.extend_from_slice(b"Content-Type: multipart/byteranges; boundary=");
    buffer.extend_from_slice(boundary(heads));
    buffer.extend_from_slice(b"\r\n");
}

/// A `Content-Range` line (RFC 9110 §14.4).
pub fn content_range(buffer: &mut Vec<u8>, range: &Range<u64>, length: u64) {
    buffer.extend_from_slice(b"Content-Range: bytes ");
    push_number(buffer, range.start);
    buffer.push(b'-');
    push_number(buffer, range.end - 1);
    buffer.push(b'/');
    push_number(buffer, length);
    buffer.extend_from_slice(b"\r\n");
}

/// The `Content-Range` line of an answer to ranges that are not in `length` bytes.
pub fn unsatisfied_range(buffer: &mut Vec<u8>, length: u64) {
    buffer.extend_from_slice(b"Content-Range: bytes */");
    push_number(buffer, length);
    buffer.extend_from_slice(b"\r\n");
}

/// A `Content-Length` line.
pub fn content_length(buffer: &mut Vec<u8>, length: u64) {
    buffer.extend_from_slice(b"Content-Length: ");
    push_number(buffer, length);
    buffer.extend_from_slice(b"\r\n");
}

/// A boundary (RFC 2046 §5.1.1) that is not in the body: it is the digest of the body.
fn boundary(heads: &Heads) -> &[u8] {
    match heads.etag() {
        [b'"', tag @ .., b'"'] => tag,
        _ => b"whitering-7e83ac1d",
    }
}

/// A decimal number.
fn push_number(buffer: &mut Vec<u8>, number: u64) {
    buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
