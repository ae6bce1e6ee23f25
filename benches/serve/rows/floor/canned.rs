//! The one answer the floor has: rendered by the package's own connection, once.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;

use bytes::Bytes;
use whitering::internal::assets;
use whitering::internal::connection::{BodyPart, Connection, DATE_BYTES, Want};
use whitering::internal::sys::beneath;

use super::super::clock::Surroundings;

/// An answer, ready to be copied.
#[derive(Debug)]
pub(super) struct Canned {
    /// The head, and the body if it is small.
    pub(super) bytes: Vec<u8>,
    /// The body, if it is not.
    pub(super) body: Body,
    /// Whether the answer says that it is the last one.
    pub(super) closes: bool,
    /// Where the value of `Date` begins.
    date: usize,
}

/// A body that is not copied.
#[derive(Debug)]
pub(super) enum Body {
    /// There is none.
    None,
    /// Sent behind the head at once.
    Memory(Rc<Bytes>),
    /// Sent from the page cache after the head.
    File { file: File, length: u64 },
}

impl Canned {
    /// What the server answers to `canned`; see [`super::super::Options::canned`].
    pub(super) fn render(canned: &str, surroundings: &mut Surroundings) -> io::Result<Self> {
        let context = &mut surroundings.context();
        let mut connection = Connection::new(context);
        connection.on_received(&request(canned), context);
        let file = connection.file_part().cloned();
        if connection.want() == Want::Open {
            connection.on_opened();
        }
        if connection.want() != Want::Send {
            return Err(unusable(canned, "is no whole request"));
        }
        let loan = connection.lend();
        let bytes = loan.buffer[loan.from..].to_vec();
        connection.on_send_failed(loan.buffer);
        connection.release(context.pool);
        Self::check(canned, &bytes)?;
        let body = loan.body.or(file);
        let body = body.map_or(Ok(Body::None), |part| Body::open(&part))?;
        Self::new(bytes, body)
    }

    /// A failure, whatever was asked for.
    pub(super) fn failure(surroundings: &Surroundings) -> io::Result<Self> {
        let text = "500 Internal Server Error\n";
        let mut bytes = b"HTTP/1.1 500 Internal Server Error\r\nDate: ".to_vec();
        bytes.extend_from_slice(&surroundings.date);
        let rest = format!(
            "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        bytes.extend_from_slice(rest.as_bytes());
        Self::new(bytes, Body::None)
    }

    fn new(bytes: Vec<u8>, body: Body) -> io::Result<Self> {
        let head = &bytes[..head_bytes(&bytes)];
        let date = memchr::memmem::find(head, DATE_FIELD)
            .ok_or_else(|| io::Error::other("the canned answer has no Date"))?;
        Ok(Self {
            closes: memchr::memmem::find(head, b"\r\nConnection: close\r\n").is_some(),
            date: date + DATE_FIELD.len(),
            bytes,
            body,
        })
    }

    /// A floor under errors would say nothing.
    fn check(canned: &str, bytes: &[u8]) -> io::Result<()> {
        let head = &bytes[..head_bytes(bytes)];
        if memchr::memmem::find(head, b"multipart/byteranges").is_some() {
            return Err(unusable(canned, "is answered in several parts"));
        }
        match bytes.get("HTTP/1.1 ".len()) {
            Some(b'2' | b'3') => Ok(()),
            _ => Err(unusable(canned, "is answered with an error")),
        }
    }

    /// Fills in the time.
    pub(super) fn set_date(&mut self, date: &[u8; DATE_BYTES]) {
        self.bytes[self.date..][..DATE_BYTES].copy_from_slice(date);
    }

    /// Changes the last byte of the body.
    pub(super) fn corrupt(&mut self) {
        match &mut self.body {
            Body::Memory(bytes) => {
                let mut wrong = bytes.to_vec();
                flip_last(&mut wrong);
                *bytes = Rc::new(wrong.into());
            }
            Body::None => {
                let head_bytes = head_bytes(&self.bytes);
                flip_last(&mut self.bytes[head_bytes..]);
            }
            Body::File { .. } => unreachable!("invariant: what is corrupted was read"),
        }
    }
}

impl Body {
    fn open(part: &BodyPart) -> io::Result<Self> {
        let snapshot = part.source().held();
        let (asset_index, variant_index) = part.source().key();
        let variant = &snapshot.asset(asset_index).variants[usize::from(variant_index)];
        match &variant.body {
            assets::Body::Memory(bytes) => {
                let offset = |offset| usize::try_from(offset).map_err(io::Error::other);
                let range = offset(part.range().start)?..offset(part.range().end)?;
                Ok(Self::Memory(Rc::new(bytes.slice(range))))
            }
            assets::Body::File(body) if part.range().start == 0 => {
                let root = snapshot.roots[usize::from(body.root_index)].as_fd();
                Ok(Self::File {
                    file: beneath::open(root, &body.path)?,
                    length: part.range().end,
                })
            }
            assets::Body::File(_) => Err(io::Error::other(
                "the floor does not send ranges of large files",
            )),
        }
    }
}

/// The request that `canned` stands for, with what wrk sends.
fn request(canned: &str) -> Vec<u8> {
    let mut lines = canned.lines();
    let line = lines.next().unwrap_or_default();
    let method = if line.starts_with('/') { "GET " } else { "" };
    let mut request = format!("{method}{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    for field in lines {
        request.extend([field, "\r\n"]);
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// The length of the head at the start of `bytes`, with its empty line.
fn head_bytes(bytes: &[u8]) -> usize {
    memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4)
}

fn flip_last(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
}

fn unusable(canned: &str, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("the floor cannot answer with {canned:?}: it {why}"),
    )
}

const DATE_FIELD: &[u8] = b"\r\nDate: ";
