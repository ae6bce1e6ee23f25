//! The text of answers: prepared heads completed by copying.

use crate::http::head::DATE_BYTES;

/// The `Connection` field an answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Persistence {
    /// HTTP/1.1 without a field: the connection persists.
    #[default]
    Implied,
    /// HTTP/1.0 asked for `keep-alive`.
    KeepAlive,
    /// This is the last answer.
    Close,
}

/// Copies a head that ends with its empty line, with the date and `persistence` filled in.
pub(super) fn push_head(
    buffer: &mut Vec<u8>,
    head: &[u8],
    date_offset: usize,
    date: &[u8; DATE_BYTES],
    persistence: Persistence,
) {
    let start = buffer.len();
    buffer.extend_from_slice(head);
    buffer[start + date_offset..][..DATE_BYTES].copy_from_slice(date);
    let field: &[u8] = match persistence {
        Persistence::Implied => return,
        Persistence::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Persistence::Close => b"Connection: close\r\n\r\n",
    };
    buffer.truncate(buffer.len() - b"\r\n".len());
    buffer.extend_from_slice(field);
}
