//! Answers: head lines checked against the grammar, framing, and what tests ask of them.

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a field that may occur once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self
            .fields
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} is repeated: {self:?}");
        first
    }

    /// The value of `ETag`, which must be strong and look like one of ours.
    pub(crate) fn etag(&self) -> &str {
        let etag = self
            .field("ETag")
            .unwrap_or_else(|| panic!("no ETag: {self:?}"));
        let inner = etag
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let digest = inner.and_then(|inner| inner.get(..32)).unwrap_or_default();
        assert!(
            digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "no strong tag of 32 digits: {etag}"
        );
        etag
    }

    /// Fails unless the status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.fields, self.text());
        self
    }

    /// Whether the server says that it closes after this answer.
    pub(crate) fn closes(&self) -> bool {
        self.field("Connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body as text, for messages and text files.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Status line and fields, checked against the grammar; the body is empty.
pub(crate) fn parse_head(head: &[u8]) -> Result<Response, String> {
    let text = String::from_utf8_lossy(head);
    let error = |what: &str| Err(format!("{what}: {text:?}"));
    let lines: Vec<&str> = text
        .strip_suffix("\r\n\r\n")
        .unwrap_or(&text)
        .split("\r\n")
        .collect();
    let Some(status_text) = lines[0].strip_prefix("HTTP/1.1 ") else {
        return error("no HTTP/1.1 status line");
    };
    let Some((Ok(status @ 100..=599), _)) = status_text
        .split_once(' ')
        .map(|(code, reason)| (code.parse(), reason))
    else {
        return error("no status");
    };
    let mut fields = Vec::new();
    for line in &lines[1..] {
        match line.split_once(": ") {
            Some((name, value)) if is_token(name) && is_value(value) => {
                fields.push((name.to_owned(), value.to_owned()));
            }
            _ => return error("a bad field line"),
        }
    }
    let response = Response {
        status,
        fields,
        body: Vec::new(),
    };
    let dated = response
        .field("Date")
        .is_some_and(|date| httpdate::parse_http_date(date).is_ok());
    if status >= 200 && !dated {
        return error("no valid Date");
    }
    Ok(response)
}

/// How many bytes of body follow the head of an answer to `method` (RFC 9112 §6.3).
pub(crate) fn body_bytes(response: &Response, method: &str) -> Result<usize, String> {
    let error = |what: &str| Err(format!("{what}: {response:?}"));
    if response.field("Transfer-Encoding").is_some() {
        return error("a transfer coding");
    }
    let length = match response.field("Content-Length") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => return error("a bad Content-Length"),
        None => None,
    };
    match (response.status, length) {
        // RFC 9110 §8.6: none in 1xx and 204. A 304 needs none, and one that is sent counts nothing.
        (100..=199 | 204, Some(_)) => error("Content-Length without content"),
        (100..=199 | 204 | 304, _) => Ok(0),
        (_, None) => error("no Content-Length"),
        (_, Some(_)) if method == "HEAD" => Ok(0),
        (_, Some(length)) => Ok(length),
    }
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// RFC 9110 §5.5, without surrounding white space.
fn is_value(value: &str) -> bool {
    value.trim() == value
        && value
            .bytes()
            .all(|byte| byte == b'\t' || !byte.is_ascii_control())
}
