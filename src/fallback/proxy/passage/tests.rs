//! Both ways through the proxy say the same; and where the short one is not taken.

use std::collections::BTreeMap;

use ::http::{HeaderMap, Request, Response, StatusCode};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::forward::{self, Asked, Rules};
use super::super::upload::Upload;
use super::super::{Options, respond};
use super::*;

/// A first line, and the values of every field.
type Message = (String, BTreeMap<String, Vec<String>>);

fn rules(trust_forwarded: bool) -> Rules {
    Rules::new(&Options {
        addresses: Vec::new(),
        connect_timeout: std::time::Duration::ZERO,
        timeout: std::time::Duration::ZERO,
        connection_count_max: 0,
        upload_bytes_max: 0,
        trust_forwarded,
    })
}

fn peer(address: Option<&str>, is_tls: bool) -> Peer {
    Peer {
        address: address.map(|address| address.parse().unwrap()),
        local: None,
        is_tls,
    }
}

fn dress(closes: bool) -> Dress<'static> {
    Dress {
        date: *b"Thu, 01 Jan 1970 00:00:00 GMT",
        hsts: None,
        closes,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn collect(line: String, fields: &HeaderMap) -> Message {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in fields {
        let values = found.entry(name.to_string()).or_default();
        values.push(text(value.as_bytes()));
    }
    (line, found)
}

/// What was written by the short way.
fn read_message(head: &[u8]) -> Message {
    let end = memchr::memchr(b'\n', head).unwrap();
    let mut room = [httparse::EMPTY_HEADER; 100];
    let parsed = httparse::parse_headers(&head[end + 1..], &mut room).unwrap();
    let httparse::Status::Complete((bytes, lines)) = parsed else {
        panic!("no end: {:?}", text(head));
    };
    assert_eq!(end + 1 + bytes, head.len(), "{:?}", text(head));
    (text(&head[..end - 1]), collect_lines(lines))
}

fn collect_lines(lines: &[httparse::Header<'_>]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for line in lines {
        assert!(!line.name.bytes().any(|byte| byte.is_ascii_uppercase()));
        let values = found.entry(line.name.to_owned()).or_default();
        values.push(text(line.value));
    }
    found
}

/// What the way through hyper sends of `head`.
fn over_hyper(head: &str, peer: Peer, rules: &Rules) -> Message {
    let mut room = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut room);
    parsed.parse(head.as_bytes()).unwrap();
    let mut request = Request::builder()
        .method(parsed.method.unwrap())
        .uri(parsed.path.unwrap());
    for field in &*parsed.headers {
        request = request.header(field.name, field.value);
    }
    let (mut parts, ()) = request.extension(peer).body(()).unwrap().into_parts();
    forward::rewrite(&mut parts, &Upload::NONE, rules)
        .unwrap_or_else(|failure| panic!("{head}{failure}"));
    let line = format!("{} {} HTTP/1.1", parts.method, parts.uri);
    collect(line, &parts.headers)
}

fn check_request(head: &str, peer: Peer, trusts: bool) {
    let rules = rules(trusts);
    let prepared = request::prepare(head.as_bytes(), &peer, &rules)
        .unwrap_or_else(|| panic!("not taken: {head}"));
    assert_eq!(prepared.received_bytes(), head.len());
    let expected = over_hyper(head, peer, &rules);
    assert_eq!(read_message(&prepared.head), expected, "{head}");
}

/// Fields of requests that the short way takes, whoever asks.
const REQUEST_FIELDS: &[&str] = &[
    "Accept: text/html, */*;q=0.1",
    "accept: application/json",
    "ACCEPT-ENCODING: br",
    "Cookie: a=b; c=d",
    "Cookie: e=f",
    "Connection: keep-alive",
    "connection: close",
    "Connection: keep-alive, ,Close",
    "Content-Length: 0",
    "Content-Length: 00",
    "Keep-Alive: 5",
    "Proxy-Connection: keep-alive",
    "HTTP2-Settings: AAMAAABk",
    "Trailer: x",
    "Proxy: http://6.6.6.6",
    "X-Sendfile-Type: X-Accel-Redirect",
    "X-Accel-Mapping: /=/",
    "X_Forwarded_For: 6.6.6.6",
    "under_score: 1",
    "X-Real-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6",
    "X-Forwarded-Ssl: on",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "Forwarded: for=6.6.6.6",
    "X-Forwarded-For: 6.6.6.6, 7.7.7.7",
    "Via: 1.0 fred, 1.1 p.example.net",
    "Via: 1.1 another",
    "If-None-Match: \"a\"",
    "Range: bytes=0-1",
    "Authorization: Basic YTpi",
    "X-Empty:",
    "X-Bytes: \u{fc}\u{20ac}",
    "X-Blanks: \t a \t b \t ",
    "Upgrade-Insecure-Requests: 1",
];

const TARGETS: &[&str] = &[
    "/",
    "/a/b?c=d&e=%20",
    "//a",
    "/?",
    "/a;b,c:@!$&'()*+~-._[]",
    "/%zz",
];

const PEERS: &[Option<&str>] = &[
    None,
    Some("192.0.2.1:1"),
    Some("[2001:db8::1]:2"),
    Some("[::ffff:192.0.2.7]:3"),
];

proptest! {
    #[test]
    fn requests_are_the_same_on_either_way(
        method in select(&["GET", "HEAD"][..]),
        target in select(TARGETS),
        host in select(&["a", "a.example:80", "[::1]:8000", "127.0.0.1"][..]),
        fields in subsequence(REQUEST_FIELDS, 0..12).prop_shuffle(),
        at in any::<prop::sample::Index>(),
        address in select(PEERS),
        (is_tls, trusts) in any::<(bool, bool)>(),
    ) {
        let mut fields = fields;
        // One length is no more than one.
        let mut has_length = false;
        fields.retain(|field| {
            !field.starts_with("Content-Length") || !std::mem::replace(&mut has_length, true)
        });
        let host = format!("Host: {host}");
        fields.insert(at.index(fields.len() + 1), &host);
        let head = format!("{method} {target} HTTP/1.1\r\n{}\r\n\r\n", fields.join("\r\n"));
        check_request(&head, peer(address, is_tls), trusts);
    }

    #[test]
    fn whatever_an_application_sends_is_judged(
        start in select(&["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: "][..]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        is_head in any::<bool>(),
    ) {
        let received = [start.as_bytes(), &bytes].concat();
        let mut out = Vec::new();
        match judge(&received, is_head, &dress(true), &mut out) {
            Some(Judgement::Response(framing, there_bytes)) => {
                prop_assert!(there_bytes <= framing.body_bytes);
                prop_assert!(out.starts_with(b"HTTP/1.1 "));
            }
            Some(Judgement::Other(other)) => prop_assert!(other == received && out.is_empty()),
            None => prop_assert!(out.is_empty()),
        }
    }

    #[test]
    fn responses_are_the_same_on_either_way(
        status in select(&[200_u16, 201, 204, 206, 301, 304, 404, 500, 503][..]),
        fields in subsequence(RESPONSE_FIELDS, 0..8).prop_shuffle(),
        body_bytes in 0_usize..40,
        is_head in any::<bool>(),
    ) {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let reason = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\n{fields}Content-Length: {body_bytes}\r\n\r\n"
        );
        check_response(&head, body_bytes, is_head);
    }
}

/// Fields of responses that the short way takes.
const RESPONSE_FIELDS: &[&str] = &[
    "Server: an application",
    "Set-Cookie: a=b; Path=/",
    "SET-COOKIE: c=d",
    "Date: Tue, 24 Nov 2026 00:00:00 GMT",
    "Connection: keep-alive",
    "Connection: close",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "TE: trailers",
    "Content-Type: text/html",
    "Vary: accept-encoding",
    "Vary: cookie",
    "ETag: \"a\"",
    "X-Empty:",
    "X-Bytes: \u{fc}",
    "Location: /a b",
    "Strict-Transport-Security: max-age=1",
];

fn check_response(head: &str, body_bytes: usize, is_head: bool) {
    let body = "x".repeat(body_bytes + 9);
    let received = format!("{head}{body}");
    let mut out = Vec::new();
    let Some(Judgement::Response(framing, there_bytes)) =
        judge(received.as_bytes(), is_head, &dress(false), &mut out)
    else {
        panic!("not taken: {head}");
    };
    assert!(framing.is_last, "what follows was not asked for");
    assert_eq!(
        (framing.head_bytes, framing.body_bytes),
        (head.len(), there_bytes)
    );
    let body_start = out.len() - usize::try_from(there_bytes).unwrap();
    let (line, mut found) = read_message(&out[..body_start]);

    let mut room = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Response::new(&mut room);
    parsed.parse(head.as_bytes()).unwrap();
    let status = StatusCode::from_u16(parsed.code.unwrap()).unwrap();
    let is_bare = is_head || status == 204 || status == 304;
    assert_eq!(
        there_bytes,
        if is_bare { 0 } else { body_bytes as u64 },
        "{head}"
    );
    let mut response = Response::builder().status(status);
    for field in &*parsed.headers {
        response = response.header(field.name, field.value);
    }
    let (mut parts, ()) = response.body(()).unwrap().into_parts();
    let asked = Asked {
        method: if is_head {
            ::http::Method::HEAD
        } else {
            ::http::Method::GET
        },
        is_http1: true,
        takes_trailers: false,
        switch: None,
    };
    respond::rewrite(&mut parts, &asked, Some(there_bytes)).unwrap();
    // Hyper adds the date later.
    if !parts.headers.contains_key("date") {
        assert_eq!(
            found.remove("date").unwrap(),
            ["Thu, 01 Jan 1970 00:00:00 GMT"]
        );
    }
    let reason = status.canonical_reason().unwrap();
    let expected = format!("HTTP/1.1 {} {reason}", status.as_u16());
    assert_eq!((line, found), collect(expected, &parts.headers), "{head}");
}

/// Whether the short way takes a request with this line and these fields.
fn takes(line: &str, fields: &str, trusts: bool) -> bool {
    let head = format!("{line}\r\nHost: a\r\n{fields}\r\n");
    request::prepare(head.as_bytes(), &peer(None, false), &rules(trusts)).is_some()
}

#[test]
fn leaves_what_is_rare_to_hyper() {
    let get = "GET / HTTP/1.1";
    let check = |line: &str, fields: &str, trusts: bool, expected: bool| {
        assert_eq!(
            takes(line, fields, trusts),
            expected,
            "{line:?} {fields:?} {trusts}"
        );
    };
    check(get, "", false, true);
    check("HEAD / HTTP/1.1", "", false, true);
    check("GET / HTTP/1.0", "", false, false);
    check("POST / HTTP/1.1", "", false, false);
    check("OPTIONS * HTTP/1.1", "", false, false);
    check("TRACE / HTTP/1.1", "", false, false);
    check("GET http://a/ HTTP/1.1", "", false, false);
    for byte in ['"', '<', '>', '\\', '^', '`', '{', '|', '}', '#', '\u{fc}'] {
        check(&format!("GET /{byte} HTTP/1.1"), "", false, false);
    }
    check(get, "Upgrade: websocket\r\n", false, false);
    check(get, "Connection: upgrade\r\n", false, false);
    check(get, "Connection: close, X-Mine\r\n", false, false);
    check(get, "TE: trailers\r\n", false, false);
    check(get, "Expect: 100-continue\r\n", false, false);
    check(get, "Max-Forwards: 1\r\n", false, false);
    check(get, "Content-Length: 1\r\n", false, false);
    check(get, "Transfer-Encoding: chunked\r\n", false, false);
    let twice = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n";
    check(get, twice, true, false);
    check(get, twice, false, true);
}

#[test]
fn leaves_what_does_not_say_its_length_to_hyper() {
    let check = |received: &str, is_head: bool, expected: Option<&str>| {
        let mut out = Vec::new();
        let found = match judge(received.as_bytes(), is_head, &dress(false), &mut out) {
            Some(Judgement::Response(framing, there_bytes)) => {
                let end = if framing.is_last { "last" } else { "kept" };
                format!("{there_bytes} of {} {end}", framing.body_bytes)
            }
            Some(Judgement::Other(received_there)) => {
                assert_eq!(
                    (received_there, out),
                    (received.as_bytes().to_vec(), vec![])
                );
                "other".to_owned()
            }
            None => "more".to_owned(),
        };
        assert_eq!(found, expected.unwrap_or("other"), "{received:?}");
    };
    let ok = "HTTP/1.1 200 OK\r\n";
    let length = "Content-Length: 2\r\n\r\n";
    check(&format!("{ok}{length}ab"), false, Some("2 of 2 kept"));
    check(&format!("{ok}{length}a"), false, Some("1 of 2 kept"));
    check(&format!("{ok}{length}abc"), false, Some("2 of 2 last"));
    check(&format!("{ok}{length}"), true, Some("0 of 0 kept"));
    check(&format!("{ok}{length}ab"), true, Some("0 of 0 last"));
    check(
        &format!("{ok}Connection: close\r\n{length}ab"),
        false,
        Some("2 of 2 last"),
    );
    check(
        &format!("{ok}Connection: close, x\r\n{length}ab"),
        false,
        None,
    );
    check(&format!("{ok}\r\nab"), false, None);
    check(&format!("{ok}\r\n"), true, Some("0 of 0 kept"));
    check(
        &format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
        false,
        None,
    );
    check(
        &format!("{ok}Transfer-Encoding: chunked\r\n{length}ab"),
        false,
        None,
    );
    check(&format!("{ok}Content-Length: 2\r\n{length}ab"), false, None);
    for value in ["+2", "2, 2", "-1", "", "99999999999999999999", "0x1"] {
        check(
            &format!("{ok}Content-Length: {value}\r\n\r\nab"),
            false,
            None,
        );
    }
    check(&format!("{ok}X-Sendfile: /a\r\n{length}ab"), false, None);
    check(
        &format!("{ok}X-Accel-Redirect: /a\r\n{length}ab"),
        false,
        None,
    );
    check(&format!("{ok}Trailer: a\r\n{length}ab"), false, None);
    check(&format!("{ok}Upgrade: a\r\n{length}ab"), false, None);
    check(&format!("{ok}A: b\r\n c\r\n{length}ab"), false, None);
    check(&format!("{ok}A : b\r\n{length}ab"), false, None);
    check(&format!("HTTP/1.0 200 OK\r\n{length}ab"), false, None);
    check(
        &format!("HTTP/1.1 200 Fine\r\n{length}ab"),
        false,
        Some("2 of 2 kept"),
    );
    check("HTTP/1.1 100 Continue\r\n\r\n", false, None);
    check("HTTP/1.1 101 Switching Protocols\r\n\r\n", false, None);
    check(
        "HTTP/1.1 204 No Content\r\n\r\n",
        false,
        Some("0 of 0 kept"),
    );
    check(
        "HTTP/1.1 204 No Content\r\n\r\na",
        false,
        Some("0 of 0 last"),
    );
    check(
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        false,
        Some("0 of 0 kept"),
    );
    check("HTTP/1.1 200", false, Some("more"));
    check("ICY 200 OK\r\n\r\n", false, None);
    check(
        &format!("{ok}A: {}", "b".repeat(HEAD_BYTES_MAX)),
        false,
        None,
    );
}
