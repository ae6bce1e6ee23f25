//! Tables of requests: taken, and refused.

use super::*;

fn parse(head: &[u8]) -> Result<String, RequestError> {
    let end = head_end(head, 0, 16_384, 8_192)?.ok_or(RequestError::Malformed)?;
    let mut fields = Fields::new();
    let request = Request::parse(&head[..end], &mut fields, 8_192)?;
    Ok(format!(
        "{:?} {} {:?}{}",
        request.method,
        match request.target {
            Target::Path { path, query } => format!(
                "{}{}",
                path.escape_ascii(),
                query
                    .map(|query| format!(" ? {}", query.escape_ascii()))
                    .unwrap_or_default()
            ),
            other => format!("{other:?}"),
        },
        request.body,
        if request.persistent {
            " keep"
        } else {
            " close"
        },
    ))
}

#[track_caller]
fn check(head: &str, expected: Result<&str, RequestError>) {
    assert_eq!(
        parse(head.as_bytes()),
        expected.map(str::to_owned),
        "{head:?}"
    );
}

#[test]
fn parses_targets() {
    let with = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let bad = Err(RequestError::Malformed);
    check(&with("GET / HTTP/1.1"), Ok("Get / None keep"));
    check(&with("HEAD /a?b?c HTTP/1.1"), Ok("Head /a ? b?c None keep"));
    check(&with("GET /? HTTP/1.1"), Ok("Get / ?  None keep"));
    check(&with("GET http://a HTTP/1.1"), Ok("Get / None keep"));
    check(&with("GET HTTP://a:80/b HTTP/1.1"), Ok("Get /b None keep"));
    check(&with("GET http://a?b HTTP/1.1"), Ok("Get / ? b None keep"));
    let misdirected = Err(RequestError::Misdirected);
    check(&with("GET https://a/b HTTP/1.1"), misdirected);
    check(&with("GET HTTPS://a:443 HTTP/1.1"), misdirected);
    check(&with("GET http://u@a/ HTTP/1.1"), bad);
    check(&with("GET http:///b HTTP/1.1"), bad);
    check(&with("GET ftp://a/ HTTP/1.1"), bad);
    check(
        &with("OPTIONS * HTTP/1.1"),
        Ok("Options Asterisk None keep"),
    );
    check(
        &with("OPTIONS http://a HTTP/1.1"),
        Ok("Options Asterisk None keep"),
    );
    check(&with("GET * HTTP/1.1"), bad);
    check(&with("GET a HTTP/1.1"), bad);
    check(&with("GET /a#b HTTP/1.1"), bad);
    check(&with("GET /a\u{7f} HTTP/1.1"), bad);
    check(&with("GET /a\tb HTTP/1.1"), bad);
    check(
        &with("GET /\u{e4} HTTP/1.1"),
        Ok("Get /\\xc3\\xa4 None keep"),
    );
    check(
        &with("CONNECT a:1 HTTP/1.1"),
        Ok("Other Authority None keep"),
    );
    check(&with("CONNECT a HTTP/1.1"), bad);
    check(&with("get / HTTP/1.1"), Ok("Other / None keep"));
}

#[test]
fn refuses_what_is_not_the_grammar() {
    for head in [
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        "GET / HTTP/1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nb: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nb: \u{7f}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nb(: c\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n",
    ] {
        check(head, Err(RequestError::Malformed));
    }
}

#[test]
fn knows_versions_and_persistence() {
    let with = |rest: &str| format!("GET / {rest}\r\n\r\n");
    check(&with("HTTP/1.0"), Ok("Get / None close"));
    check(
        &with("HTTP/1.0\r\nConnection: Keep-Alive"),
        Ok("Get / None keep"),
    );
    check(
        &with("HTTP/1.0\r\nConnection: keep-alive, close"),
        Ok("Get / None close"),
    );
    check(
        &with("HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE"),
        Ok("Get / None close"),
    );
    check(&with("HTTP/1.2\r\nHost: a"), Ok("Get / None keep"));
    check(&with("HTTP/2.0\r\nHost: a"), Err(RequestError::Version));
    check(&with("HTTP/0.9\r\nHost: a"), Err(RequestError::Version));
    check(
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Err(RequestError::Version),
    );
}

#[test]
fn frames_bodies_one_way_only() {
    let with = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    let bad = Err(RequestError::Malformed);
    check(&with("Content-Length: 0"), Ok("Get / None keep"));
    check(&with("content-length: 12"), Ok("Get / Length(12) keep"));
    check(
        &with("Transfer-Encoding: Chunked"),
        Ok("Get / Chunked keep"),
    );
    check(&with("Content-Length: 1\r\nContent-Length: 1"), bad);
    check(&with("Content-Length: 1, 1"), bad);
    check(&with("Content-Length: +1"), bad);
    check(&with("Content-Length: -1"), bad);
    check(&with("Content-Length: 0x1"), bad);
    check(&with("Content-Length:"), bad);
    check(
        &with("Content-Length: 99999999999999999999"),
        Err(RequestError::BodyTooLarge),
    );
    check(
        &with("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        bad,
    );
    check(
        &with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        bad,
    );
    check(&with("Transfer-Encoding: chunked, chunked"), bad);
    check(&with("Transfer-Encoding: chunked, identity"), bad);
    check(&with("Transfer-Encoding:"), bad);
    check(
        &with("Transfer-Encoding: gzip, chunked"),
        Err(RequestError::TransferCoding),
    );
    check(
        &with("Transfer-Encoding: identity"),
        Err(RequestError::TransferCoding),
    );
    check(
        &with("Transfer-Encoding: xchunked"),
        Err(RequestError::TransferCoding),
    );
    check("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", bad);
    check(&with("Expect: x"), Err(RequestError::Expectation));
}

#[test]
fn limits_heads_targets_and_fields() {
    let long = "a".repeat(8_192);
    let host = "HTTP/1.1\r\nHost: a\r\n";
    let expected = format!("Get /{} None keep", &long[1..]);
    check(&format!("GET /{} {host}\r\n", &long[1..]), Ok(&expected));
    check(
        &format!("GET /{long} {host}\r\n"),
        Err(RequestError::TargetTooLong),
    );
    check(
        &format!("GET /{long}{long}"),
        Err(RequestError::TargetTooLong),
    );
    let fields = format!("b: {long}\r\nc: {long}\r\n");
    check(
        &format!("GET / {host}{fields}\r\n"),
        Err(RequestError::HeadTooLarge),
    );
    check(
        &format!("GET / {host}{fields}"),
        Err(RequestError::HeadTooLarge),
    );
    let many = |count: usize| "d: e\r\n".repeat(count);
    check(
        &format!("GET / {host}{}\r\n", many(99)),
        Ok("Get / None keep"),
    );
    check(
        &format!("GET / {host}{}\r\n", many(100)),
        Err(RequestError::HeadTooLarge),
    );
}

#[test]
fn finds_the_end_however_the_bytes_arrive() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    for torn in 0..head.len() {
        let found = head_end(&head[..torn], 0, 100, 50).unwrap();
        assert_eq!(found, (torn >= 27).then_some(27), "{torn}");
        assert_eq!(
            head_end(head, torn.min(26), 100, 50).unwrap(),
            Some(27),
            "{torn}"
        );
    }
    assert_eq!(
        head_end(b"\x16\x03\x01", 0, 100, 50),
        Err(RequestError::Malformed)
    );
}

#[test]
fn gives_the_lines_of_a_field() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nIF-match: 1\r\nRange: x\r\nIf-Match: 2\r\n\r\n";
    let mut fields = Fields::new();
    let request = Request::parse(head, &mut fields, 100).unwrap();
    assert!(request.values(Field::IfMatch).eq([b"1", b"2"]));
    assert!(request.has(Field::Range) && request.is_conditional());
    assert!(!request.has(Field::IfRange) && !request.has(Field::IfNoneMatch));
}

#[test]
fn https_targets_are_at_home_over_tls() {
    let head = b"GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n";
    let parse = |over_tls| {
        let mut fields = Fields::new();
        Request::parse_over(head, &mut fields, 8_192, over_tls).map(|request| {
            let is_path = matches!(request.target, Target::Path { path: b"/a", .. });
            assert!(is_path);
        })
    };
    assert_eq!(parse(true), Ok(()));
    assert_eq!(parse(false), Err(RequestError::Misdirected));
}
