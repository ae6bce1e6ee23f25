//! Writes an upstream's answers, whole or torn, at once or with pauses.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::{Stop, is_gone};
use crate::ledger::Ledger;
use crate::plan::{Frame, Plan, Reply};
use crate::prng::Prng;

impl Reply {
    /// Whether the connection ends behind it.
    pub(super) fn closes_connection(&self) -> bool {
        self.closes || self.is_early || self.frame == Frame::Close
    }
}

/// Answers `plan` with `reply`.
pub(super) fn send(stream: &mut impl Write, plan: &Plan, reply: &Reply) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    if reply.has_hints {
        bytes.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    }
    bytes.extend_from_slice(head(plan, reply).as_bytes());
    if plan.method != "HEAD" {
        frame(&mut bytes, &plan.reply_content(), reply.frame, plan.id);
    }
    let mut prng = Prng::new(plan.id);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let count = match reply.is_slow {
            true => prng.piece(rest.len()).max(rest.len() / 6),
            false => prng.piece(rest.len()).max(rest.len() / 40),
        };
        write(stream, &rest[..count])?;
        rest = &rest[count..];
        if reply.is_slow {
            thread::sleep(Duration::from_millis(prng.below(8) as u64));
        }
    }
    Ok(())
}

/// Sends events, each when the client has seen those before.
pub(super) fn send_events(
    stream: &mut impl Write,
    plan: &Plan,
    count: usize,
    ledger: &Ledger,
) -> Result<(), Stop> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nX-Answer: {}\r\nContent-Type: text/event-stream\r\n\
         Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n",
        plan.id
    );
    write(stream, head.as_bytes())?;
    let mut sent_bytes = 0;
    for index in 0..count {
        if !ledger.wait_for_sight(plan.id, sent_bytes)? {
            return Err(Stop::Gone);
        }
        let event = plan.event(index);
        let mut chunk = Vec::new();
        push_chunk(&mut chunk, &event);
        write(stream, &chunk)?;
        sent_bytes += event.len();
    }
    write(stream, b"0\r\n\r\n")
}

/// Asks for the content of a request.
pub(super) fn send_continue(stream: &mut impl Write) -> Result<(), Stop> {
    write(stream, b"HTTP/1.1 100 Continue\r\n\r\n")
}

pub(super) fn write(stream: &mut impl Write, bytes: &[u8]) -> Result<(), Stop> {
    let written = stream.write_all(bytes).and_then(|()| stream.flush());
    written.map_err(|error: io::Error| match is_gone(&error) {
        true => Stop::Gone,
        false => Stop::Fault(format!("nobody takes the answer: {error}")),
    })
}

fn head(plan: &Plan, reply: &Reply) -> String {
    let mut head = format!("HTTP/1.1 {} Something\r\n", reply.status);
    let mut field = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
    field("X-Answer", &plan.id.to_string());
    field("Set-Cookie", &format!("a={}", plan.id));
    field("Set-Cookie", "b=2; Path=/");
    field("Server", "checking");
    field("X-Hop", "secret");
    field("Keep-Alive", "timeout=5");
    match reply.closes_connection() {
        true => field("Connection", "close, X-Hop"),
        false => field("Connection", "keep-alive, X-Hop"),
    }
    if reply.status == 304 {
        field("ETag", "\"of-the-application\"");
    }
    match reply.frame {
        Frame::Length => field("Content-Length", &reply.bytes.to_string()),
        Frame::Chunked => field("Transfer-Encoding", "chunked"),
        Frame::ChunkedWithTrailers => {
            field("Transfer-Encoding", "chunked");
            field("Trailer", "X-Trailer");
        }
        Frame::Nothing | Frame::Close => {}
    }
    head.push_str("\r\n");
    head
}

fn frame(bytes: &mut Vec<u8>, content: &[u8], frame: Frame, id: u64) {
    match frame {
        Frame::Nothing => {}
        Frame::Length | Frame::Close => bytes.extend_from_slice(content),
        Frame::Chunked | Frame::ChunkedWithTrailers => {
            let mut prng = Prng::new(!id);
            let mut rest = content;
            while !rest.is_empty() {
                let count = prng.piece(rest.len()).max(rest.len() / 100);
                push_chunk(bytes, &rest[..count]);
                rest = &rest[count..];
            }
            bytes.extend_from_slice(b"0\r\n");
            if frame == Frame::ChunkedWithTrailers {
                bytes.extend_from_slice(format!("X-Trailer: {id}\r\n").as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

fn push_chunk(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend_from_slice(format!("{:x}\r\n", content.len()).as_bytes());
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(b"\r\n");
}
