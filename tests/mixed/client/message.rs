//! HTTP/1.1 as a client writes and reads it: requests into bytes, and a parser of answers that
//! forgives nothing.

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::Fault;
use crate::answer::Answer;
use crate::ledger::PATIENCE;
use crate::plan::{Plan, Upload};
use crate::prng::Prng;

/// The head of a request.
pub(super) fn head(plan: &Plan) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", plan.method, plan.target);
    let mut fields = vec![("Host", plan.host)];
    fields.extend(plan.fields.iter().map(|(name, value)| (*name, &value[..])));
    fields.extend(&plan.hop_fields);
    for (name, value) in fields {
        text.extend([name, ": ", value, "\r\n"]);
    }
    match plan.upload {
        Upload::Nothing => {}
        Upload::Length(bytes) => text.push_str(&format!("Content-Length: {bytes}\r\n")),
        Upload::Chunked(_) => text.push_str("Transfer-Encoding: chunked\r\n"),
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The content of a request as it is framed.
pub(super) fn content(plan: &Plan) -> Vec<u8> {
    let content = plan.upload_content();
    let Upload::Chunked(_) = plan.upload else {
        return content;
    };
    let mut prng = Prng::new(plan.id);
    let mut framed = Vec::with_capacity(content.len() + 1000);
    let mut rest = &content[..];
    while !rest.is_empty() {
        let count = prng.piece(rest.len()).max(rest.len() / 50);
        framed.extend_from_slice(format!("{count:X}\r\n").as_bytes());
        framed.extend_from_slice(&rest[..count]);
        framed.extend_from_slice(b"\r\n");
        rest = &rest[count..];
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

/// How much of an answer's content there is (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Bytes(usize),
    Chunks,
    ToTheEnd,
}

/// Reads answers.
pub(super) struct Reader<R> {
    pub(super) stream: R,
    buffer: Vec<u8>,
}

impl<R: tokio::io::AsyncRead + Unpin> Reader<R> {
    pub(super) const fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next head, 1xx included; none if the connection ends before it.
    pub(super) async fn head(&mut self) -> Result<Option<Answer>, Fault> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                return parse(&head[..at]).map(Some);
            }
            if self.fill().await? == 0 {
                let half = self.buffer.escape_ascii().to_string();
                return match half.is_empty() {
                    true => Ok(None),
                    false => Err(format!("half a head: {half}")),
                };
            }
        }
    }

    /// Takes the content of `answer`, telling `see` how much there is so far; false from it ends
    /// the reading early.
    pub(super) async fn content(
        &mut self,
        answer: &mut Answer,
        method: &str,
        mut see: impl FnMut(usize) -> bool,
    ) -> Result<bool, Fault> {
        let extent = extent(answer, method)?;
        if extent == Extent::Bytes(0) {
            return Ok(true);
        }
        if !see(0) {
            return Ok(false);
        }
        loop {
            let wanted = match extent {
                Extent::Bytes(bytes) => bytes - answer.content.len(),
                Extent::ToTheEnd => usize::MAX,
                Extent::Chunks => match self.chunk_bytes(answer).await? {
                    0 => return Ok(true),
                    bytes => bytes,
                },
            };
            let target = answer.content.len().saturating_add(wanted);
            while answer.content.len() < target {
                if self.buffer.is_empty() && self.fill().await? == 0 {
                    return match extent {
                        Extent::ToTheEnd => Ok(true),
                        _ => Err(format!("cut after {} bytes", answer.content.len())),
                    };
                }
                let count = self.buffer.len().min(target - answer.content.len());
                answer.content.extend(self.buffer.drain(..count));
                if !see(answer.content.len()) {
                    return Ok(false);
                }
            }
            match extent {
                Extent::Chunks => self.expect_empty_line().await?,
                _ => return Ok(true),
            }
        }
    }

    /// Fails unless the connection ends here.
    pub(super) async fn end(&mut self) -> Result<(), Fault> {
        while self.buffer.is_empty() {
            match self.fill().await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(fault) if fault.contains("reset") => return Ok(()),
                Err(fault) => return Err(format!("no end: {fault}")),
            }
        }
        let shown = self.buffer[..self.buffer.len().min(300)].escape_ascii();
        Err(format!("behind the last answer: {shown}"))
    }

    /// The bytes that have come and belong to no answer.
    pub(super) fn into_parts(self) -> (R, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// Reads once; 0 at the end.
    async fn fill(&mut self) -> Result<usize, Fault> {
        let mut chunk = vec![0; 64 * 1024];
        match timeout(PATIENCE, self.stream.read(&mut chunk)).await {
            Ok(Ok(count)) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(count)
            }
            Ok(Err(error)) => Err(format!("cannot read: {error}")),
            Err(_) => Err(format!("nothing comes within {PATIENCE:?}")),
        }
    }

    /// The length of the next chunk; the last one takes the trailers with it.
    async fn chunk_bytes(&mut self, answer: &mut Answer) -> Result<usize, Fault> {
        let line = self.line().await?;
        let is_hex = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| is_hex);
        let size = size.ok_or_else(|| format!("a chunk of {line:?}"))?;
        if size == 0 {
            self.trailers(answer).await?;
        }
        Ok(size)
    }

    async fn trailers(&mut self, answer: &mut Answer) -> Result<(), Fault> {
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(());
            }
            answer.trailers.push(field(&line)?);
        }
    }

    async fn expect_empty_line(&mut self) -> Result<(), Fault> {
        match self.line().await? {
            line if line.is_empty() => Ok(()),
            line => Err(format!("{line:?} where nothing may be")),
        }
    }

    async fn line(&mut self) -> Result<String, Fault> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|end| end == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.buffer.len() > 1000 || self.fill().await? == 0 {
                return Err("a line without an end".to_owned());
            }
        }
    }
}

/// How the content of `answer` is framed.
fn extent(answer: &Answer, method: &str) -> Result<Extent, Fault> {
    let coding = answer.field("transfer-encoding");
    let length = answer.field("content-length");
    match (answer.status, coding, length) {
        (100..=199 | 204, None, None) | (304, None, _) => Ok(Extent::Bytes(0)),
        (_, Some("chunked"), None) | (_, None, _) if method == "HEAD" => Ok(Extent::Bytes(0)),
        (200..=599, Some("chunked"), None) if answer.status != 204 => Ok(Extent::Chunks),
        (_, None, Some(digits)) if answer.status != 204 => match digits.parse() {
            Ok(bytes) => Ok(Extent::Bytes(bytes)),
            Err(_) => Err(format!("the length {digits:?}")),
        },
        (_, None, None) => Ok(Extent::ToTheEnd),
        _ => Err(format!("framed by {coding:?} and {length:?}")),
    }
}

fn parse(head: &[u8]) -> Result<Answer, Fault> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| {
        let (digits, _) = rest.split_once(' ')?;
        digits.parse().ok()
    });
    let Some(status @ 100..=599) = status else {
        return Err(format!("no status line: {text:?}"));
    };
    Ok(Answer {
        status,
        fields: lines.map(field).collect::<Result<_, _>>()?,
        ..Answer::default()
    })
}

fn field(line: &str) -> Result<(String, String), Fault> {
    match line.split_once(':') {
        Some((name, value))
            if !name.is_empty()
                && !name.contains([' ', '\t'])
                && !value.contains(char::is_control) =>
        {
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err(format!("a bad field line: {line:?}")),
    }
}
