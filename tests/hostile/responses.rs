//! Splits a stream of answers and checks every one: grammar, framing, and that a body is a whole
//! file, a part of one, or the text of a status.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::bytes::Regex;

use super::random::pattern;

/// One answer, as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// Splits `stream`, which holds whole answers only.
///
/// Which request an answer belongs to is not known, so a body may be missing as in an answer to
/// HEAD: no body of the site begins like an answer.
pub(crate) fn split(mut stream: &[u8]) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    while !stream.is_empty() {
        let end = stream.windows(4).position(|part| part == b"\r\n\r\n");
        let Some(end) = end else {
            return Err(format!("half a head: {}", stream.escape_ascii()));
        };
        let (head, rest) = stream.split_at(end + 4);
        let (status, fields) = parse_head(head)?;
        let length = body_bytes(status, &fields)?;
        let is_left_out = rest.is_empty() || rest.starts_with(b"HTTP/1.1 ");
        let length = if is_left_out { 0 } else { length };
        if rest.len() < length {
            return Err(format!("half a body: {}", head.escape_ascii()));
        }
        let (body, rest) = rest.split_at(length);
        answers.push(Answer {
            status,
            head: head.to_vec(),
            body: body.to_vec(),
        });
        stream = rest;
    }
    Ok(answers)
}

impl Answer {
    pub(crate) fn closes(&self) -> bool {
        let line = b"\r\nConnection: close\r\n";
        self.head.windows(line.len()).any(|part| part == line)
    }

    /// Fails unless the body is what `files` and the head say.
    pub(crate) fn check_body(&self, files: &[Vec<u8>]) {
        let shown = self.head.escape_ascii();
        if self.body.is_empty() {
            return;
        }
        let largest = files.iter().map(Vec::len).max().unwrap();
        let known = match self.status {
            200 => files.contains(&self.body),
            206 if self
                .head
                .windows(20)
                .any(|part| part == b"multipart/byteranges") =>
            {
                true
            }
            206 => {
                let is_part =
                    |file: &Vec<u8>| file.windows(self.body.len()).any(|part| part == self.body);
                files.iter().any(is_part)
            }
            100..=399 => false,
            _ => self.body.starts_with(self.status.to_string().as_bytes()),
        };
        assert!(known, "{shown} {}", self.body.escape_ascii());
        assert!(self.body.len() <= 2 * largest.max(100), "{shown}");
    }
}

/// Status and fields; names in lower case, none of them twice.
fn parse_head(head: &[u8]) -> Result<(u16, BTreeMap<String, String>), String> {
    static LINE: OnceLock<Regex> = OnceLock::new();
    static FIELD: OnceLock<Regex> = OnceLock::new();
    let error = |what: &str| format!("{what}: {}", head.escape_ascii());
    let mut room = [httparse::EMPTY_HEADER; 64];
    let parsed = httparse::Response::new(&mut room).parse(head);
    if parsed != Ok(httparse::Status::Complete(head.len())) {
        return Err(error("httparse does not take it"));
    }
    let text = std::str::from_utf8(head).map_err(|_| error("not text"))?;
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let line = pattern(&LINE, r"^HTTP/1\.1 ([1-5][0-9]{2}) [A-Za-z ]+$");
    let first = lines.next().unwrap_or_default();
    let parts = line
        .captures(first.as_bytes())
        .ok_or_else(|| error("no status line"))?;
    let status = std::str::from_utf8(&parts[1]).unwrap().parse().unwrap();
    let mut fields = BTreeMap::new();
    for text in lines {
        let field = pattern(&FIELD, r"^([A-Za-z-]+): ([!-~](?:[ -~]*[!-~])?)$");
        if !field.is_match(text.as_bytes()) {
            return Err(error("a bad field line"));
        }
        let (name, value) = text.split_once(": ").unwrap();
        if fields
            .insert(name.to_ascii_lowercase(), value.to_owned())
            .is_some()
        {
            return Err(error("a field twice"));
        }
    }
    if status != 100 && !fields.contains_key("date") {
        return Err(error("no Date"));
    }
    Ok((status, fields))
}

/// RFC 9112 §6.3.
fn body_bytes(status: u16, fields: &BTreeMap<String, String>) -> Result<usize, String> {
    let length = fields.get("content-length").map(|text| text.parse());
    match (status, length) {
        (100 | 204 | 304, None) => Ok(0),
        (100 | 204 | 304, Some(_)) => Err(format!("{status} with a length: {fields:?}")),
        (_, Some(Ok(length))) => Ok(length),
        (_, _) => Err(format!("no length: {status} {fields:?}")),
    }
}
