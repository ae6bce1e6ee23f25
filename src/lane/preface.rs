//! How a connection of HTTP/2 begins (RFC 9113 §3.4): with a fixed text and a SETTINGS frame.
//! Hyper takes any frame behind the text, so the first one is looked at before, and given back.

use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::state::State;
use super::transport::Transport;

/// What a client of HTTP/2 sends first, by ALPN or without TLS.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether `received` is the start of a connection with HTTP/2.
pub(super) fn begins_http2(received: &[u8]) -> bool {
    received.len() >= b"PRI ".len() && is_start_of_text(received)
}

/// Receives until it is known whether the first frame is SETTINGS, and lets it be read again. What
/// is no preface at all is hyper's to refuse, and so is the end.
pub(super) async fn begins_with_settings(state: &State, transport: &mut Transport) -> bool {
    let mut received = Vec::new();
    let is_fit = loop {
        if let Some(is_fit) = judge(&received) {
            break is_fit;
        }
        if !receive_more(state, transport, &mut received).await {
            break true;
        }
    };
    transport.rewind(received);
    is_fit
}

/// Says that the connection ends because of that (RFC 9113 §5.4.1). Frames of a server begin with
/// SETTINGS too.
pub(super) async fn refuse(transport: &mut Transport) {
    let mut unsent = REFUSAL;
    std::future::poll_fn(|context| {
        while !unsent.is_empty() {
            match ready!(Pin::new(&mut *transport).poll_write(context, unsent)) {
                Ok(count @ 1..) => unsent = &unsent[count..],
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
        Pin::new(&mut *transport).poll_flush(context).map(drop)
    })
    .await;
}

/// Whether there was more to receive.
async fn receive_more(state: &State, transport: &mut Transport, received: &mut Vec<u8>) -> bool {
    std::future::poll_fn(|context| {
        let mut room = state.receive_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut room);
        let result = ready!(Pin::new(&mut *transport).poll_read(context, &mut buffer));
        received.extend_from_slice(buffer.filled());
        Poll::Ready(result.is_ok() && !buffer.filled().is_empty())
    })
    .await
}

/// Whether what was `received` may go on; none if that is not known yet.
fn judge(received: &[u8]) -> Option<bool> {
    if !is_start_of_text(received) {
        return Some(true);
    }
    received
        .get(FRAME_TYPE_OFFSET)
        .map(|&kind| kind == SETTINGS)
}

fn is_start_of_text(received: &[u8]) -> bool {
    let count = received.len().min(PREFACE.len());
    received[..count] == PREFACE[..count]
}

/// Behind the length of the first frame, which has three bytes (RFC 9113 §4.1).
const FRAME_TYPE_OFFSET: usize = PREFACE.len() + 3;

const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const PROTOCOL_ERROR: u8 = 1;

/// An empty SETTINGS frame; and GOAWAY, which names no stream and says why.
const REFUSAL: &[u8] = &[
    0,
    0,
    0,
    SETTINGS,
    0,
    0,
    0,
    0,
    0, //
    0,
    0,
    8,
    GOAWAY,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    PROTOCOL_ERROR,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_from_the_first_frame_whether_it_is_fit() {
        let check = |frame: &[u8], expected: Option<bool>| {
            let received = [PREFACE, frame].concat();
            for count in 0..received.len() {
                let is_known = count > FRAME_TYPE_OFFSET;
                let judged = judge(&received[..count]);
                assert_eq!(judged, expected.filter(|_| is_known), "{count}");
            }
            assert_eq!(judge(&received), expected);
        };
        check(&[0, 0, 0], None);
        check(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0], Some(true));
        check(&[0, 0, 8, 6, 0, 0, 0, 0, 0], Some(false));
        assert_eq!(judge(b"GET "), Some(true));
        assert!(begins_http2(b"PRI ") && begins_http2(PREFACE));
        assert!(!begins_http2(b"PRI") && !begins_http2(b"PRI /"));
    }
}
