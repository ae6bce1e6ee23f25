//! Request bodies: framing that two parsers could read differently is refused, small bodies are
//! dropped, large ones refused, expectations answered.

use crate::support::client::Client;
use crate::support::exchange::{SMUGGLED, accepted, refused};
use crate::support::server::Serve;
use crate::support::site::{DIGITS, INDEX, Site};

reactor_test!(refuses_ambiguous_framing, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let check = |fields: &str, body: &str, statuses: &[u16]| {
        for method in ["GET", "POST"] {
            let raw = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
            refused(&server, raw, statuses);
        }
    };
    check(
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
        &[400],
    );
    check(
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "0\r\n\r\n",
        &[400],
    );
    check("Content-Length: 5\r\nContent-Length: 5", "hello", &[400]);
    check("Content-Length: 5\r\nContent-Length: 6", "hello", &[400]);
    for length in [
        "+5", "-5", "5, 5", "5,6", "0x5", "5 5", "1e1", "5;", "", "\"5\"", "5_0", "\u{0665}",
    ] {
        check(&format!("Content-Length: {length}"), "hello", &[400]);
    }
    check("Content-Length : 5", "hello", &[400]);
    check(
        "Content-Length: 99999999999999999999999",
        "hello",
        &[400, 413],
    );
    check("Content-Length: 18446744073709551616", "hello", &[400, 413]);
    for coding in [
        "gzip",
        "gzip, chunked",
        "identity",
        "xchunked",
        "chunked;a=b",
        "chunked-x",
        "x",
    ] {
        check(
            &format!("Transfer-Encoding: {coding}"),
            "0\r\n\r\n",
            &[400, 501],
        );
    }
    check("Transfer-Encoding: gzip", "0\r\n\r\n", &[501]);
    for coding in [
        "",
        "chunked, chunked",
        "chunked, identity",
        "\x0bchunked",
        "chunked\r\nTransfer-Encoding: x",
        "\"chunked\"",
    ] {
        check(
            &format!("Transfer-Encoding: {coding}"),
            "0\r\n\r\n",
            &[400, 501],
        );
    }
    check("Transfer-Encoding : chunked", "0\r\n\r\n", &[400]);
    check("Transfer-Encoding:\r\n chunked", "0\r\n\r\n", &[400]);
    refused(
        &server,
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    );
});

reactor_test!(refuses_bad_chunks, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5\rX\nhello\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        "0\r\nX: a\nY: b\r\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\n X: a\r\n\r\n",
        "0\r\nX: a\0\r\n\r\n",
        "0\r\nX\r\n\r\n",
        "5,5\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(&server, format!("{head}{body}"), &[400]);
    }
    for size in [
        "10000000000000005",
        "FFFFFFFFFFFFFFFF",
        "FFFFFFFFFFFFFFFFF",
        "7FFFFFFFFFFFFFFF",
    ] {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(
            &server,
            format!("{head}{size}\r\nhello\r\n0\r\n\r\n"),
            &[400, 413],
        );
    }
});

reactor_test!(drops_small_bodies, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let with =
        |fields: &str, body: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
    accepted(&server, with("Content-Length: 0", ""), 200);
    accepted(&server, with("Content-Length: 5", "hello"), 200);
    accepted(&server, with("Content-Length: 5", "GET /"), 200);
    accepted(
        &server,
        with("Content-Length: 65536", &"x".repeat(65_536)),
        200,
    );
    let chunked = "Transfer-Encoding: Chunked";
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "005;name=value;other=\"quoted\"\r\nhello\r\nA\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n",
        "5\r\nhello\r\n0\r\nTrailer: value\r\nOther: value\r\n\r\n",
    ] {
        accepted(&server, with(chunked, body), 200);
    }
    let many = format!("{}0\r\n\r\n", "10\r\n0123456789abcdef\r\n".repeat(1000));
    accepted(&server, with(chunked, &many), 200);
});

reactor_test!(refuses_large_bodies, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root())
        .flags(["--max-body", "1000"])
        .start();
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    refused(&server, head("Content-Length: 1001"), &[413]);
    refused(
        &server,
        head("Content-Length: 1001\r\nExpect: 100-continue"),
        &[413],
    );
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n";
    refused(
        &server,
        head("Transfer-Encoding: chunked") + &chunks.repeat(11),
        &[413],
    );
    accepted(
        &server,
        head("Content-Length: 1000") + &"x".repeat(1000),
        200,
    );

    // The answer arrives although the client is still sending (lingering close).
    let mut client = server.connect();
    client.send(head("Content-Length: 200000"));
    client.send(vec![b'x'; 200_000]);
    client.response("GET").expect(413);
    client.expect_close();
});

reactor_test!(reads_or_closes_behind_other_methods, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for target in ["/digits.txt", "/nothing"] {
        let mut client = server.connect();
        let body = SMUGGLED;
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.response("POST").status >= 404, "{target}");
        match client.try_response("GET") {
            Ok(next) => assert_eq!(next.text(), INDEX, "the body was taken for a request"),
            Err(error) => assert!(error.is_closed(), "{error:?}"),
        }
    }
});

reactor_test!(answers_expectations, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let head = |version: &str, expect: &str| {
        format!(
            "GET / HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 5\r\nExpect: {expect}\r\n\r\n"
        )
    };
    for expect in ["100-continue", "100-Continue"] {
        let mut client = server.connect();
        client.send(head("1.1", expect));
        client.response("GET").expect(100);
        client.send("hello");
        assert_eq!(client.response("GET").expect(200).text(), INDEX);
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        client.finish();
    }
    // RFC 9110 §10.1.1: none is needed when the body has already come, and 1.0 knows none.
    let after = |client: &mut Client| match client.response("GET") {
        first if first.status == 100 => client.response("GET"),
        first => first,
    };
    let mut client = server.connect();
    client.send(head("1.1", "100-continue") + "hello");
    after(&mut client).expect(200);
    client.finish();
    let mut client = server.connect();
    client.send(head("1.0", "100-continue") + "hello");
    client.response("GET").expect(200);
    refused(&server, head("1.1", "something-else"), &[417]);
});
