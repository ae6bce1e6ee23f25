//! Strictness: what two parsers could read differently is refused and the connection closed, so
//! that nothing behind it is ever taken for a request. And what must not be refused.

use crate::support::exchange::{accepted, refused};
use crate::support::server::Serve;
use crate::support::site::{INDEX, Site};

reactor_test!(refuses_bad_request_lines, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /",
        "GET",
        "/ HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / HTTP/1.",
        "GET / HTTP/11",
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/+1.1",
        "GET / XTTP/1.1",
        "GET / ",
        "GET /a b HTTP/1.1",
        "GET digits.txt HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /a\x01b HTTP/1.1",
        "GET /a\x7f HTTP/1.1",
        "GET /a\rb HTTP/1.1",
        "G\0T / HTTP/1.1",
        "GET /#a HTTP/1.1",
        "CONNECT / HTTP/1.1",
    ] {
        refused(&server, format!("{line}\r\nHost: a\r\n\r\n"), &[400]);
    }
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"] {
        refused(
            &server,
            format!("GET / {version}\r\nHost: a\r\n\r\n"),
            &[505],
        );
    }
    // No tunnel; an answer other than 2xx leaves an ordinary connection (RFC 9110 §9.3.6).
    let refusal = server.fetch("CONNECT", "example.org:443", &[]);
    assert!(matches!(refusal.status, 400..=501), "{refusal:?}");
});

reactor_test!(refuses_bad_line_ends_and_fields, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    refused(&server, "GET / HTTP/1.1\nHost: a\n\n", &[400]);
    refused(&server, "GET / HTTP/1.1\nHost: a\r\n\r\n", &[400]);
    refused(&server, "GET / HTTP/1.1\r\nHost: a\r\n\n", &[400]);
    refused(&server, "\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]);
    for field in [
        "X: a\nY: b",
        "X: a\rY: b",
        "X: a\r\n b",
        "X: a\r\n\tb",
        " X: a",
        "X : a",
        "X\t: a",
        ": a",
        "X",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x0bb",
        "X: a\x7f",
        "X\0: a",
        "X y: a",
        "X(: a",
        "\"X\": a",
        "X\u{e9}: a",
        "X: a\r",
        "X: a\r\r\nY: b",
    ] {
        refused(
            &server,
            format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"),
            &[400],
        );
    }
    refused(
        &server,
        "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n",
        &[400],
    );
});

reactor_test!(refuses_bad_hosts, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host:\r\n",
        "Host: \r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: u@a\r\n",
        "Host: a:b\r\n",
        "Host: a:1:2\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: [::1]x\r\n",
        "Host: http://a\r\n",
        "Host: a\\b\r\n",
        "Host: %zz\r\n",
        "Host: :80\r\n",
        "Host: \"a\"\r\n",
        "Host : a\r\n",
    ] {
        refused(&server, format!("GET / HTTP/1.1\r\n{fields}\r\n"), &[400]);
    }
    refused(&server, "GET http://a/ HTTP/1.1\r\n\r\n", &[400]);
    refused(
        &server,
        "GET / HTTP/1.0\r\nHost: a/b\r\nConnection: keep-alive\r\n\r\n",
        &[400],
    );
});

reactor_test!(refuses_http_2_and_tls_over_clear_text, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for raw in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0",
        b"\r\n\r\n\r\n\r\n",
        b"EHLO example.org\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(raw);
        match client.try_response("GET") {
            Ok(answer) => assert!(matches!(answer.status, 400 | 505), "{}", raw.escape_ascii()),
            Err(error) => assert!(error.is_closed(), "{}: {error:?}", raw.escape_ascii()),
        }
        client.expect_close();
    }
    server.get("/").expect(200);
});

reactor_test!(accepts_what_the_grammar_allows, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for raw in [
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET http://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://other.example HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTP://other.example:8080?q HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?a=b&c=/../%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t \r\nX:\r\nY:\u{e9}\r\nZ: a\tb\r\n!#$%&'*+-.^_`|~: 1\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ] {
        accepted(&server, raw, 200);
    }
    assert_eq!(server.get("/").text(), INDEX);
});
