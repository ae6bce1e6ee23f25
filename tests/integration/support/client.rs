//! A blocking HTTP/1.1 client that forgives nothing: a wrong frame, a body where none may be, or
//! a byte too many fails the test. Knows only what the server may send, so no chunked bodies.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::response::{Response, body_bytes, parse_head};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection ended where an answer would have begun.
    Closed,
    /// It ended inside an answer; what had come of the body, and what was announced.
    Truncated { body: Vec<u8>, announced: usize },
    /// It was reset, or nothing came in time.
    Failed(io::Error),
    /// What came is not an answer that a server may send.
    Malformed(String),
}

impl ReadError {
    /// Whether the connection is gone, rather than silent. A malformed answer always fails.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Closed | Self::Truncated { .. } => true,
            Self::Failed(error) => is_gone(error),
            Self::Malformed(what) => panic!("malformed: {what}"),
        }
    }
}

/// A connection and the bytes of answers not yet taken.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    received: Vec<u8>,
}

impl Client {
    /// Connects; no read or write waits longer than [`READ_TIMEOUT`].
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("connect")
    }

    /// Like [`Self::connect`], for servers that may be gone.
    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, READ_TIMEOUT)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self::new(stream))
    }

    /// Whether something has come, or the end of the stream, that was not read yet.
    pub(crate) fn has_input(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0; 1]);
        self.stream.set_nonblocking(false).unwrap();
        !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says that no more requests come, and fails if anything but the end of the stream follows.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        // A server that has closed already makes this fail; the stream still has to end clean.
        drop(self.stream.shutdown(Shutdown::Write));
        self.expect_close();
    }
}

impl<S: Read + Write> Client<S> {
    /// Speaks over a stream that is connected already.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends raw bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("send");
    }

    /// Sends a request without a body; `Host` is added unless given.
    #[track_caller]
    pub(crate) fn send_request(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) {
        self.send(request(method, target, fields));
    }

    /// Asks for `target` and takes the answer; the connection stays open.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send_request("GET", target, &[]);
        self.response("GET")
    }

    /// The next answer, to a request with `method`.
    #[track_caller]
    pub(crate) fn response(&mut self, method: &str) -> Response {
        self.try_response(method)
            .unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Like [`Self::response`], for connections that may end.
    pub(crate) fn try_response(&mut self, method: &str) -> Result<Response, ReadError> {
        let head_bytes = self.head_bytes()?;
        let head: Vec<u8> = self.received.drain(..head_bytes).collect();
        let mut response = parse_head(&head).map_err(ReadError::Malformed)?;
        let announced = body_bytes(&response, method).map_err(ReadError::Malformed)?;
        while self.received.len() < announced {
            match self.receive() {
                Ok(0) => return Err(self.truncated(announced)),
                Ok(_) => {}
                Err(error) if is_gone(&error) => return Err(self.truncated(announced)),
                Err(error) => return Err(ReadError::Failed(error)),
            }
        }
        let rest = self.received.split_off(announced);
        response.body = std::mem::replace(&mut self.received, rest);
        Ok(response)
    }

    /// Fails unless the stream ends here; a reset counts as an end.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) {
        let ended = match self.receive() {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        };
        assert!(ended.is_ok(), "still open: {ended:?}");
        let extra = String::from_utf8_lossy(&self.received[..self.received.len().min(400)]);
        assert!(self.received.is_empty(), "more than expected: {extra:?}");
    }

    /// Reads until at least `bytes` of the answer, head included, have come.
    #[track_caller]
    pub(crate) fn receive_at_least(&mut self, bytes: usize) {
        while self.received.len() < bytes {
            assert_ne!(self.receive().expect("receive"), 0, "closed early");
        }
    }

    /// The bytes that have come and belong to no answer yet.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.received
    }

    /// Reads once.
    fn receive(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut chunk) {
                // A read with a time limit is not taken up again by itself, and the kernel
                // interrupts this process when a ring of it is taken apart.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.received.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// Reads until a whole head is there; returns its length.
    fn head_bytes(&mut self) -> Result<usize, ReadError> {
        loop {
            if let Some(at) = self.received.windows(4).position(|end| end == b"\r\n\r\n") {
                return Ok(at + 4);
            }
            if self.received.len() > HEAD_BYTES_MAX {
                return Err(ReadError::Malformed("an endless head".to_owned()));
            }
            match self.receive() {
                Ok(0) if self.received.is_empty() => return Err(ReadError::Closed),
                Ok(0) => {
                    let got = String::from_utf8_lossy(&self.received);
                    return Err(ReadError::Malformed(format!("half a head: {got:?}")));
                }
                Ok(_) => {}
                Err(error) => return Err(ReadError::Failed(error)),
            }
        }
    }

    fn truncated(&mut self, announced: usize) -> ReadError {
        ReadError::Truncated {
            body: std::mem::take(&mut self.received),
            announced,
        }
    }
}

/// The bytes of a request without a body; `Host` is added unless given.
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text.push_str("Host: test\r\n");
    }
    for (name, value) in fields {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Whether the peer has ended the connection.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionReset | BrokenPipe | ConnectionAborted
    )
}

/// How long to wait for a server that should answer at once.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// No answer has a longer head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

mod tests {
    use super::{Client, ReadError};
    use std::io::{self, Cursor, Read, Write};

    /// A peer that has said everything already.
    struct Canned(Cursor<Vec<u8>>);

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read(method: &str, head: &str, body: &str) -> Result<usize, ReadError> {
        let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        let text = head.replace("DATE\r\n", date) + body;
        let mut client = Client::new(Canned(Cursor::new(text.into_bytes())));
        let response = client.try_response(method)?;
        assert_eq!(response.body.len() + client.pending().len(), body.len());
        Ok(response.body.len())
    }

    #[test]
    fn takes_bodies_by_their_frame() {
        let whole = "HTTP/1.1 200 OK\r\nDATE\r\nContent-Length: 2\r\n\r\n";
        assert!(matches!(read("GET", whole, "abc"), Ok(2)));
        assert!(matches!(read("HEAD", whole, "abc"), Ok(0)));
        let announced = read("GET", whole, "a");
        assert!(matches!(
            announced,
            Err(ReadError::Truncated { announced: 2, .. })
        ));
        assert!(matches!(read("GET", "", ""), Err(ReadError::Closed)));
    }

    #[test]
    fn refuses_what_no_server_may_send() {
        for head in [
            "HTTP/1.0 200 OK\r\nDATE\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATE\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nDATE\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATE\r\nContent-Length : 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATE\r\nContent-Length: +0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDATE\r\nContent-Length: 0\r\nX: a\nb\r\n\r\n",
        ] {
            assert!(
                matches!(read("GET", head, ""), Err(ReadError::Malformed(_))),
                "{head:?}"
            );
        }
    }
}
