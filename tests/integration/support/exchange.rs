//! One raw request and what must come of it: a refusal that ends the connection, or an answer
//! behind which the next request is understood.

use super::server::Server;
use super::site::DIGITS;

/// Follows every refused request; whoever answers it has been smuggled to.
pub(crate) const SMUGGLED: &str = "GET /digits.txt HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// Sends `raw` and what must not be answered; the answer has one of `statuses` and is the last.
#[track_caller]
pub(crate) fn refused(server: &Server, raw: impl AsRef<[u8]>, statuses: &[u16]) {
    let raw = raw.as_ref();
    let shown = raw[..raw.len().min(200)].escape_ascii();
    let mut client = server.connect();
    client.send([raw, SMUGGLED.as_bytes()].concat());
    let answer = match client.try_response("GET") {
        Ok(answer) => answer,
        Err(error) => panic!("{shown}: {error:?}"),
    };
    assert!(
        statuses.contains(&answer.status),
        "{}, not {statuses:?}: {shown}",
        answer.status
    );
    assert!(answer.closes(), "no Connection: close: {shown}");
    client.expect_close();
}

/// Sends `raw`, takes the answer with `status`, and asks again on the same connection.
#[track_caller]
pub(crate) fn accepted(server: &Server, raw: impl AsRef<[u8]>, status: u16) {
    let raw = raw.as_ref();
    let mut client = server.connect();
    client.send([raw, SMUGGLED.as_bytes()].concat());
    let answer = client.response("GET");
    assert_eq!(answer.status, status, "{}", raw.escape_ascii());
    let next = client.response("GET");
    assert_eq!(
        (next.status, &next.body[..]),
        (200, &DIGITS[..]),
        "{}",
        raw.escape_ascii()
    );
    client.finish();
}
