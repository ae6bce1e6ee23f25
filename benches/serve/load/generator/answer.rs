//! Where answers begin and end (RFC 9112 §6): status and `Content-Length`, nothing else. Bodies
//! are counted, not looked at.

/// The answer that is coming in on one connection.
#[derive(Default)]
pub(super) struct Answer {
    /// The beginning of a head whose end has not come yet.
    torn: Vec<u8>,
    /// What the head has said; none before its end.
    head: Option<Head>,
    /// Bytes of the body still to come.
    body_left: u64,
}

/// What counts of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// Bytes of the body behind it.
    pub(super) body_bytes: u64,
}

/// Why the next answer cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The first line is no status line of HTTP/1.
    #[error("the answer does not begin with a status line")]
    StatusLine,
    /// `Transfer-Encoding`, which is not followed here.
    #[error("the answer is chunked")]
    Chunked,
    /// No `Content-Length`, or none that is a number, where there is a body.
    #[error("the answer has no Content-Length")]
    Length,
    /// A head that does not end.
    #[error("the head of the answer does not end")]
    HeadTooLarge,
}

impl Answer {
    /// Takes bytes of one answer off `bytes`; returns its head once it has ended. `is_head` says
    /// that the request was HEAD.
    pub(super) fn take(&mut self, bytes: &mut &[u8], is_head: bool) -> Result<Option<Head>, Fault> {
        if self.head.is_none() {
            let Some(head) = self.take_head(bytes, is_head)? else {
                return Ok(None);
            };
            self.body_left = head.body_bytes;
            self.head = Some(head);
        }
        let count =
            usize::try_from(self.body_left).map_or(bytes.len(), |left| left.min(bytes.len()));
        *bytes = &bytes[count..];
        Ok(self.skip(count as u64))
    }

    /// Counts `count` bytes of the body that were received elsewhere; returns the head if they
    /// were the last.
    pub(super) fn skip(&mut self, count: u64) -> Option<Head> {
        self.body_left -= count;
        if self.body_left == 0 {
            self.head.take()
        } else {
            None
        }
    }

    /// How much of the body is still to come.
    pub(super) const fn body_left(&self) -> u64 {
        self.body_left
    }

    /// Whether a part of an answer has come, and not all of it.
    pub(super) const fn is_begun(&self) -> bool {
        self.head.is_some() || !self.torn.is_empty()
    }

    fn take_head(&mut self, bytes: &mut &[u8], is_head: bool) -> Result<Option<Head>, Fault> {
        if self.torn.is_empty() {
            if let Some((head, head_bytes)) = read_head(bytes, is_head)? {
                *bytes = &bytes[head_bytes..];
                return Ok(Some(head));
            }
            self.torn.extend_from_slice(bytes);
            *bytes = &[];
        } else {
            // Torn heads are rare: reading the beginning again does not matter.
            let before = self.torn.len();
            self.torn.extend_from_slice(bytes);
            if let Some((head, head_bytes)) = read_head(&self.torn, is_head)? {
                *bytes = &bytes[head_bytes - before..];
                self.torn.clear();
                return Ok(Some(head));
            }
            *bytes = &[];
        }
        if self.torn.len() > HEAD_BYTES_MAX {
            return Err(Fault::HeadTooLarge);
        }
        Ok(None)
    }
}

/// The head at the beginning of `bytes` and its length, if all of it is there.
fn read_head(bytes: &[u8], is_head: bool) -> Result<Option<(Head, usize)>, Fault> {
    let mut ends = memchr::memchr_iter(b'\n', bytes);
    let Some(mut line_start) = ends.next().map(|end| end + 1) else {
        return Ok(None);
    };
    let status = status(&bytes[..line_start]).ok_or(Fault::StatusLine)?;
    let (mut length, mut chunked) = (None, false);
    for end in ends {
        let line = bytes[line_start..end].trim_ascii_end();
        line_start = end + 1;
        if line.is_empty() {
            let bodyless = is_head || status < 200 || matches!(status, 204 | 304);
            let body_bytes = match length {
                _ if bodyless => 0,
                _ if chunked => return Err(Fault::Chunked),
                length => length.ok_or(Fault::Length)?,
            };
            return Ok(Some((Head { status, body_bytes }, line_start)));
        }
        match line[0] {
            b'C' | b'c' => length = value(line, b"content-length:").or(length),
            b'T' | b't' => chunked |= starts_with(line, b"transfer-encoding:"),
            _ => {}
        }
    }
    Ok(None)
}

/// The number of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest[1] == b' ')?;
    Some(number(digits)? as u16)
}

fn value(line: &[u8], name: &[u8]) -> Option<u64> {
    starts_with(line, name).then(|| number(line[name.len()..].trim_ascii()))?
}

fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

const HEAD_BYTES_MAX: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` whole, and torn in two at every place and into single bytes.
    fn check(text: &str, is_head: bool, expected: &Result<Vec<(u16, u64)>, Fault>) {
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(
                &heads([first, second], is_head),
                expected,
                "{text:?} cut at {cut}"
            );
        }
        assert_eq!(
            &heads(bytes.chunks(1), is_head),
            expected,
            "{text:?} in bytes"
        );
    }

    fn heads<'a>(
        parts: impl IntoIterator<Item = &'a [u8]>,
        is_head: bool,
    ) -> Result<Vec<(u16, u64)>, Fault> {
        let (mut answer, mut heads) = (Answer::default(), Vec::new());
        for mut part in parts {
            while !part.is_empty() {
                let head = answer.take(&mut part, is_head)?;
                heads.extend(head.map(|head| (head.status, head.body_bytes)));
            }
        }
        assert_eq!(answer.body_left() > 0, answer.head.is_some());
        Ok(heads)
    }

    #[test]
    fn finds_where_answers_end() {
        let one = "HTTP/1.1 200 OK\r\ncontent-LENGTH: 3 \r\nContent-Type: a\r\n\r\nabc";
        check(one, false, &Ok(vec![(200, 3)]));
        check(&one.repeat(3), false, &Ok(vec![(200, 3); 3]));
        check(&one[..one.len() - 1], false, &Ok(vec![]));
        check(&one[..one.len() - 4], false, &Ok(vec![]));
        check(&one[..one.len() - 3], true, &Ok(vec![(200, 0)]));
        let head_only = "HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\n\r\n";
        check(&head_only.repeat(2), false, &Ok(vec![(304, 0); 2]));
        let mixed = format!("{head_only}HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n{one}");
        check(&mixed, false, &Ok(vec![(304, 0), (404, 0), (200, 3)]));
        // A body that looks like the end of a head.
        let odd = "HTTP/1.1 206 P\r\nContent-Length: 5\r\n\r\n\r\n\r\n!";
        check(&odd.repeat(2), false, &Ok(vec![(206, 5); 2]));
    }

    #[test]
    fn refuses_what_it_cannot_count() {
        let check = |text, fault| check(text, false, &Err(fault));
        check("HTTP/2 200\r\n\r\n", Fault::StatusLine);
        check("HTTP/1.1 2x0 OK\r\n\r\n", Fault::StatusLine);
        check("abc\n", Fault::StatusLine);
        check("HTTP/1.1 200 OK\r\n\r\n", Fault::Length);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            Fault::Length,
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Fault::Length,
        );
        let chunked = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(chunked, Fault::Chunked);
    }

    #[test]
    fn ends_a_head_that_does_not() {
        let mut answer = Answer::default();
        let head = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(20_000));
        assert_eq!(
            answer.take(&mut head.as_bytes(), false),
            Err(Fault::HeadTooLarge)
        );
    }

    #[test]
    fn counts_what_was_received_elsewhere() {
        let mut answer = Answer::default();
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
        assert_eq!(answer.take(&mut head.as_bytes(), false), Ok(None));
        assert!(answer.is_begun() && answer.body_left() == 97);
        assert_eq!(answer.skip(90), None);
        assert_eq!(answer.skip(7).map(|head| head.body_bytes), Some(100));
        assert!(!answer.is_begun());
    }
}
