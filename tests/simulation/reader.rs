//! The peer's receiving side: a strict parser of responses, each held against what is right.
//! Whatever is not exactly right is a panic.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use crate::model::{self, Answer, Content};
use crate::script::Script;

pub(crate) struct Reader {
    script: Rc<Script>,
    /// Received and not yet understood: never more than a head.
    buffer: Vec<u8>,
    /// Answers received whole.
    pub(crate) answered_count: usize,
    /// The statuses of all answers, with each 100.
    pub(crate) statuses: Vec<u16>,
    /// Bytes received.
    pub(crate) byte_count: usize,
    /// Whether the 100 before the next answer has come.
    pub(crate) is_continued: bool,
    /// The answer whose body is being received, and how much of it has been.
    body: Option<(Cow<'static, [u8]>, usize, bool)>,
    /// The last answer has been received.
    pub(crate) is_over: bool,
    pub(crate) allowed: Allowed,
}

/// What is right besides the answers in the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    /// The server may say that an answer is its last.
    pub(crate) draining: bool,
    /// The server may have waited for too long.
    pub(crate) timeout: bool,
    /// Answers whose files could not be opened, with what is said instead.
    pub(crate) failed_opens: Vec<(usize, u16)>,
    /// Any file may not have been opened.
    pub(crate) failing_opens: bool,
}

impl Reader {
    pub(crate) fn new(script: Rc<Script>) -> Self {
        Self {
            script,
            buffer: Vec::new(),
            answered_count: 0,
            statuses: Vec::new(),
            byte_count: 0,
            is_continued: false,
            body: None,
            is_over: false,
            allowed: Allowed::default(),
        }
    }

    /// `bytes` were received.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.byte_count += bytes.len();
        while !bytes.is_empty() {
            assert!(
                !self.is_over,
                "bytes behind the last answer: {:?}",
                bytes.escape_ascii().to_string()
            );
            bytes = match &mut self.body {
                Some((expected, received, _)) => {
                    let count = bytes.len().min(expected.len() - *received);
                    let (body, rest) = bytes.split_at(count);
                    assert!(
                        expected[*received..][..count] == *body,
                        "wrong bytes in the body of answer {}",
                        self.answered_count
                    );
                    *received += count;
                    rest
                }
                None => self.feed_head(bytes),
            };
            if let Some((expected, received, is_last)) = &self.body
                && expected.len() == *received
            {
                self.is_over = *is_last;
                self.is_continued = false;
                self.answered_count += 1;
                self.body = None;
            }
        }
    }

    /// Whether the stream may end here without anything missing.
    pub(crate) fn is_between_answers(&self) -> bool {
        self.buffer.is_empty() && (self.body.is_none() || self.is_timed_out_head())
    }

    /// Whether this is the 408 to a HEAD request: it has no body, if so much of the request had
    /// arrived that the server could know.
    fn is_timed_out_head(&self) -> bool {
        let request = &self.script.exchanges[self.answered_count].bytes;
        let is_at_start = self
            .body
            .as_ref()
            .is_some_and(|(_, received, _)| *received == 0);
        let is_head = request.trim_ascii_start().starts_with(b"HEAD ");
        is_at_start && is_head && self.statuses.last() == Some(&408)
    }

    /// Takes the bytes of a head from the front of `bytes`.
    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let known = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        let Some(end) = self
            .buffer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            assert!(self.buffer.len() < 4_096, "a head without end");
            return &[];
        };
        let text = String::from_utf8(self.buffer[..end].to_vec()).expect("heads are ASCII here");
        self.buffer.clear();
        self.on_head(&Head::parse(&text));
        &bytes[end + 4 - known..]
    }

    fn on_head(&mut self, head: &Head<'_>) {
        self.statuses.push(head.status);
        let index = self.answered_count;
        let exchange = self
            .script
            .exchanges
            .get(index)
            .expect("an answer to nothing");
        if head.status == 100 {
            assert!(!self.script.is_for_others(index));
            assert!(exchange.may_continue && !self.is_continued && head.fields.is_empty());
            self.is_continued = true;
            return;
        }
        let candidates = self.candidates(index);
        let mut reasons = Vec::new();
        for candidate in &candidates {
            match head.compare(candidate) {
                None => {
                    let body = head.body(candidate);
                    self.body = Some((body, 0, candidate.is_last));
                    return;
                }
                Some(reason) => reasons.push(format!("not {}: {reason}", candidate.status)),
            }
        }
        panic!("answer {index} is wrong: {head:?}: {reasons:?}")
    }

    /// Everything that is a right answer to exchange `index`.
    fn candidates(&self, index: usize) -> Vec<Answer> {
        let mut candidates = match self.script.is_for_others(index) {
            true => Vec::new(),
            false => self.script.exchanges[index].answers.clone(),
        };
        let failed = self
            .allowed
            .failed_opens
            .iter()
            .find(|(of, _)| *of == index);
        if let Some((_, status)) = failed {
            candidates = candidates
                .iter()
                .map(|answer| model::without_file(answer, *status))
                .collect();
        } else if self.allowed.failing_opens {
            for answer in self.script.exchanges[index]
                .answers
                .iter()
                .filter(|answer| answer.from_file)
            {
                candidates.push(model::without_file(answer, 404));
                candidates.push(model::without_file(answer, 503));
            }
        }
        if self.allowed.draining {
            let closing = candidates.clone().into_iter().map(Answer::closing);
            candidates.extend(closing.collect::<Vec<_>>());
        }
        if self.allowed.timeout {
            candidates.push(model::refusal(408, false));
        }
        candidates
    }
}

/// One response head.
#[derive(Debug)]
struct Head<'a> {
    status: u16,
    /// Names in lower case.
    fields: Vec<(String, &'a str)>,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str) -> Self {
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap();
        let (status, reason) = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.split_once(' '))
            .expect(line);
        assert!(status.len() == 3 && !reason.is_empty(), "{line:?}");
        let fields: Vec<(String, &str)> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect(line);
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                assert!(!name.is_empty() && name.bytes().all(is_name), "{line:?}");
                assert!(
                    value.bytes().all(|byte| matches!(byte, 0x20..=0x7E)),
                    "{line:?}"
                );
                (name.to_ascii_lowercase(), value)
            })
            .collect();
        for (index, (name, _)) in fields.iter().enumerate() {
            assert!(
                fields[..index].iter().all(|(other, _)| other != name),
                "{name} twice"
            );
        }
        Self {
            status: status.parse().unwrap(),
            fields,
        }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.fields
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| *value)
    }

    /// Why this is not the head of `answer`.
    fn compare(&self, answer: &Answer) -> Option<String> {
        if self.status != answer.status {
            return Some("status".to_owned());
        }
        assert!(
            self.value("date").is_some_and(|date| date.len() == 29),
            "{self:?}"
        );
        // RFC 9110 §8.6, RFC 9112 §6: never with 204; we leave it out of 304 too.
        let has_length = !matches!(self.status, 204 | 304);
        assert!(
            self.value("content-length").is_some() == has_length,
            "{self:?}"
        );
        assert!(self.value("transfer-encoding").is_none(), "{self:?}");
        let wrong = answer
            .fields
            .iter()
            .find(|(name, value)| self.value(name) != value.as_deref())?;
        Some(format!("{wrong:?}"))
    }

    /// The body that has to follow.
    fn body(&self, answer: &Answer) -> Cow<'static, [u8]> {
        let body = match &answer.body {
            Content::None => return Cow::Borrowed(&[]),
            Content::Bytes(bytes) => bytes.clone(),
            Content::Parts(bytes, ranges, media_type) => {
                let boundary = self
                    .value("content-type")
                    .and_then(|value| value.strip_prefix("multipart/byteranges; boundary="))
                    .expect("parts have a boundary");
                Cow::Owned(parts(bytes, ranges, media_type, boundary))
            }
        };
        assert_eq!(self.value("content-length"), Some(&*body.len().to_string()));
        body
    }
}

/// A multipart body (RFC 9110 §14.6).
fn parts(bytes: &[u8], ranges: &[Range<usize>], media_type: &str, boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for range in ranges {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
            range.start,
            range.end - 1,
            bytes.len()
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&bytes[range.clone()]);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}
