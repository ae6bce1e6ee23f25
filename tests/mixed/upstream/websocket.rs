//! The upstream's side of a WebSocket: a handshake as RFC 6455 §4.2 has it, then every message goes
//! back as it came, if it is the right one.

use std::io::{self, Cursor, Read, Write};

use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message, WebSocket};

use super::reader::Reader;
use super::{Stop, Stream, is_gone, reply};
use crate::plan::Plan;

/// Switches protocols and echoes messages of `lengths` bytes.
pub(super) fn echo<S: Stream>(
    reader: &mut Reader<S>,
    plan: &Plan,
    lengths: &[usize],
) -> Result<(), Stop> {
    let accept = derive_accept_key(plan.websocket_key().as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nX-Answer: {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
        plan.id
    );
    let (stream, early) = reader.parts();
    reply::write(stream, head.as_bytes())?;
    let both = Both {
        early: Cursor::new(early),
        stream,
    };
    let mut socket = WebSocket::from_raw_socket(both, Role::Server, None);
    for (index, &bytes) in lengths.iter().enumerate() {
        let message = socket.read().map_err(stop)?;
        if message != Message::binary(plan.message(index, bytes)) {
            return Err(Stop::Fault(format!("another message {index}")));
        }
        socket.send(message).map_err(stop)?;
    }
    match socket.read() {
        Ok(Message::Close(_)) => {}
        Ok(message) => return Err(Stop::Fault(format!("one message more: {message:?}"))),
        Err(error) => return Err(stop(error)),
    }
    // Answers the close, then has nothing more to say.
    while socket.read().is_ok() {}
    Ok(())
}

fn stop(error: Error) -> Stop {
    match error {
        Error::Io(error) if is_gone(&error) => Stop::Gone,
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Stop::Gone
        }
        error => Stop::Fault(format!("WebSocket: {error}")),
    }
}

/// What was read with the head, then the rest.
struct Both<'a, S> {
    early: Cursor<Vec<u8>>,
    stream: &'a mut S,
}

impl<S: Read> Read for Both<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.early.read(buffer)? {
            0 => self.stream.read(buffer),
            count => Ok(count),
        }
    }
}

impl<S: Write> Write for Both<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
