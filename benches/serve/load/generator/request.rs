//! Requests as they are sent: rendered once, before anything is measured.

use super::super::Ask;

/// One request, and what an answer to it has to be.
pub(super) struct Request {
    /// The head; there is no body.
    pub(super) bytes: Vec<u8>,
    /// The status that is right.
    pub(super) status: u16,
    /// Whether its answer ends with the head, whatever `Content-Length` says: HEAD.
    pub(super) is_head: bool,
    /// How to name it in an error.
    pub(super) name: String,
    /// The length of the first body it got; every other has to be as long.
    pub(super) body_bytes: Option<u64>,
}

impl Request {
    /// Renders `ask` for the server at `port`.
    pub(super) fn render(ask: &Ask, port: u16, close: bool) -> Self {
        let name = format!("{} {}", ask.method, ask.target);
        let mut text = format!("{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
        for (field, value) in &ask.fields {
            text.push_str(&format!("{field}: {value}\r\n"));
        }
        text.push_str(if close {
            "Connection: close\r\n\r\n"
        } else {
            "\r\n"
        });
        Self {
            bytes: text.into_bytes(),
            status: ask.status,
            is_head: ask.method == "HEAD",
            name,
            body_bytes: None,
        }
    }
}
