//! Reads HTTP/1.1 requests as the grammar has them and not otherwise: no bare line ends, no folded
//! lines, one framing. What comes is compared with what was sent while it is read.

use std::io;

use super::{Stream, is_gone};

/// A connection and the bytes not yet taken from it.
pub(super) struct Reader<S> {
    pub(super) stream: S,
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
}

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case.
    pub(super) fields: Vec<(String, String)>,
}

/// Why there is nothing more to read.
#[derive(Debug)]
pub(super) enum Ending {
    /// The connection ended where it may.
    Clean,
    /// It ended within something.
    Cut,
    /// What came is wrong.
    Wrong(String),
}

impl Head {
    /// The value of a field that may occur once.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let named = fields.find(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// How its content is framed (RFC 9112 §6.3): a length, or none if it is chunked.
    pub(super) fn framing(&self) -> Result<Option<usize>, String> {
        let codings: Vec<&str> = self.all("transfer-encoding").collect();
        let lengths: Vec<&str> = self.all("content-length").collect();
        match (&codings[..], &lengths[..]) {
            ([], []) => Ok(Some(0)),
            (["chunked"], []) => Ok(None),
            ([], [digits]) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map(Some).map_err(|_| "a length".to_owned())
            }
            _ => Err(format!("framed by {codings:?} and {lengths:?}")),
        }
    }
}

impl<S: Stream> Reader<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// The next head.
    pub(super) fn head(&mut self) -> Result<Head, Ending> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some(at) = rest.windows(4).position(|end| end == b"\r\n\r\n") {
                let head = parse(&rest[..at + 2]).map_err(Ending::Wrong)?;
                self.taken += at + 4;
                return Ok(head);
            }
            if rest.len() > HEAD_BYTES_MAX {
                return Err(Ending::Wrong("an endless head".to_owned()));
            }
            let is_between = rest.is_empty();
            self.fill().map_err(|ending| match ending {
                Ending::Cut if is_between => Ending::Clean,
                ending => ending,
            })?;
        }
    }

    /// Takes the content behind `head`, which has to be `expected`.
    pub(super) fn content(&mut self, head: &Head, expected: &[u8]) -> Result<(), Ending> {
        match head.framing().map_err(Ending::Wrong)? {
            Some(length) if length != expected.len() => {
                let sent = expected.len();
                Err(Ending::Wrong(format!("{length} bytes announced of {sent}")))
            }
            Some(_) => self.compare(expected),
            None => self.chunks(expected),
        }
    }

    /// What has come and belongs to no request, shown.
    pub(super) fn surplus(&mut self) -> Option<String> {
        self.stream.set_nonblocking(true);
        let filled = self.fill();
        self.stream.set_nonblocking(false);
        drop(filled);
        let rest = &self.buffer[self.taken..];
        let shown = &rest[..rest.len().min(200)];
        (!rest.is_empty()).then(|| shown.escape_ascii().to_string())
    }

    /// Takes whatever comes until the end, so that no reset overtakes what was sent.
    pub(super) fn drain(&mut self) {
        let mut total = 0;
        while total < DRAINED_BYTES_MAX && self.fill().is_ok() {
            total += self.buffer.len();
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// More bytes than have been read so far, as they come, for who frames them otherwise.
    pub(super) fn parts(&mut self) -> (&mut S, Vec<u8>) {
        let rest = self.buffer.split_off(self.taken);
        (&mut self.stream, rest)
    }

    /// RFC 9112 §7.1, without extensions, which nobody sends.
    fn chunks(&mut self, expected: &[u8]) -> Result<(), Ending> {
        let mut rest = expected;
        loop {
            let line = self.line()?;
            let is_hex = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = usize::from_str_radix(&line, 16).ok().filter(|_| is_hex);
            let Some(size) = size else {
                return Err(Ending::Wrong(format!("a chunk of {line:?}")));
            };
            if size > rest.len() {
                return Err(Ending::Wrong("more content than was sent".to_owned()));
            }
            if size == 0 {
                break;
            }
            let (chunk, behind) = rest.split_at(size);
            self.compare(chunk)?;
            rest = behind;
            self.expect_empty_line()?;
        }
        if !rest.is_empty() {
            return Err(Ending::Wrong(format!("{} bytes are missing", rest.len())));
        }
        self.expect_empty_line()
    }

    fn expect_empty_line(&mut self) -> Result<(), Ending> {
        match self.line()? {
            line if line.is_empty() => Ok(()),
            line => Err(Ending::Wrong(format!("{line:?} where nothing may be"))),
        }
    }

    /// A short line, without its end.
    fn line(&mut self) -> Result<String, Ending> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some(at) = rest.windows(2).position(|end| end == b"\r\n") {
                let line = String::from_utf8_lossy(&rest[..at]).into_owned();
                self.taken += at + 2;
                return Ok(line);
            }
            if rest.len() > LINE_BYTES_MAX {
                let shown = rest[..40].escape_ascii();
                return Err(Ending::Wrong(format!("an endless line: {shown}")));
            }
            self.fill()?;
        }
    }

    /// Takes as many bytes as `expected` has, which they have to be.
    fn compare(&mut self, expected: &[u8]) -> Result<(), Ending> {
        let mut at = 0;
        while at < expected.len() {
            if self.taken == self.buffer.len() {
                self.fill()?;
            }
            let count = (expected.len() - at).min(self.buffer.len() - self.taken);
            if self.buffer[self.taken..self.taken + count] != expected[at..at + count] {
                return Err(Ending::Wrong(format!("other content within {at}+{count}")));
            }
            at += count;
            self.taken += count;
        }
        Ok(())
    }

    /// Reads once.
    fn fill(&mut self) -> Result<(), Ending> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let mut chunk = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Ending::Cut),
                Ok(count) => break self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Err(Ending::Cut),
                Err(error) => return Err(Ending::Wrong(error.to_string())),
            }
        }
        Ok(())
    }
}

/// A head without its empty line.
fn parse(head: &[u8]) -> Result<Head, String> {
    let wrong = |what: &str| Err(format!("{what}: {}", head.escape_ascii()));
    let Ok(text) = std::str::from_utf8(head) else {
        return wrong("not UTF-8, which nobody sends");
    };
    let mut lines = text.split_terminator("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else {
        return wrong("a bad request line");
    };
    let mut fields = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if is_token(name) && !value.contains(char::is_control) => {
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => return wrong("a bad field line"),
        }
    }
    if method.is_empty() || target.contains(char::is_control) || text.contains("\n\n") {
        return wrong("a bad head");
    }
    Ok(Head {
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
    })
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

const HEAD_BYTES_MAX: usize = 64 * 1024;
const LINE_BYTES_MAX: usize = 256;
const DRAINED_BYTES_MAX: usize = 64 << 20;
