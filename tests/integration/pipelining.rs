//! Many requests on one connection, torn and joined in every way: answered in order, each whole.

use std::thread;
use std::time::Duration;

use crate::support::client::request;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, INDEX, Site, css, pattern};

/// A request and what its answer must be.
struct Exchange {
    method: &'static str,
    bytes: Vec<u8>,
    status: u16,
    body: Option<Vec<u8>>,
}

/// One of each kind of answer; `large` is the content of `/large.bin`.
fn kinds(server: &Server, large: &[u8]) -> Vec<Exchange> {
    let etag = server.get("/digits.txt").etag().to_owned();
    let exchange =
        |method, target, fields: &[(&str, &str)], status, body: Option<&[u8]>| Exchange {
            method,
            bytes: request(method, target, fields),
            status,
            body: body.map(<[u8]>::to_vec),
        };
    let range = [("Range", "bytes=4-11")];
    vec![
        exchange("GET", "/", &[], 200, Some(INDEX.as_bytes())),
        exchange("HEAD", "/digits.txt", &[], 200, Some(b"")),
        exchange(
            "GET",
            "/digits.txt",
            &[("If-None-Match", &etag)],
            304,
            Some(b""),
        ),
        exchange("GET", "/nothing", &[], 404, None),
        exchange("GET", "/digits.txt", &range, 206, Some(&DIGITS[4..12])),
        exchange("GET", "/large.bin", &[], 200, Some(large)),
        exchange("GET", "/large.bin", &range, 206, Some(&large[4..12])),
        exchange("GET", "/large.bin", &[("Range", "bytes=-9,0-4")], 206, None),
        exchange("GET", "/guide", &[], 302, None),
        exchange("HEAD", "/large.bin", &[], 200, Some(b"")),
        exchange("HEAD", "/nothing", &[], 404, Some(b"")),
        exchange("POST", "/digits.txt", &[("Content-Length", "0")], 405, None),
        exchange("GET", "/digits.txt", &[("Range", "bytes=5000-")], 416, None),
        exchange("GET", "/digits.txt", &[("If-Match", "\"x\"")], 412, None),
        exchange("GET", "/css/site.css", &[], 200, Some(css().as_bytes())),
        exchange("OPTIONS", "*", &[], 204, Some(b"")),
    ]
}

#[track_caller]
fn check(
    server: &Server,
    exchanges: &[&Exchange],
    send: impl FnOnce(&mut std::net::TcpStream, Vec<u8>) + Send,
) {
    let mut client = server.connect();
    let bytes = exchanges
        .iter()
        .flat_map(|exchange| exchange.bytes.clone())
        .collect();
    let mut writer = client.stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || send(&mut writer, bytes));
        for (index, exchange) in exchanges.iter().enumerate() {
            let answer = client.response(exchange.method);
            let asked = exchange.bytes.escape_ascii();
            assert_eq!(answer.status, exchange.status, "answer {index} to {asked}");
            if let Some(body) = &exchange.body {
                assert!(
                    answer.body == *body,
                    "the body of answer {index} to {asked}"
                );
            }
        }
    });
    client.finish();
}

reactor_test!(answers_two_hundred_at_once_in_order, |engine| {
    let site = Site::small();
    let large = pattern(4, 400_000);
    site.file("large.bin", &large);
    for flags in [&[][..], &["--memory-budget", "0"]] {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let kinds = kinds(&server, &large);
        let mixed: Vec<&Exchange> = kinds.iter().cycle().step_by(7).take(200).collect();
        check(&server, &mixed, |stream, bytes| {
            std::io::Write::write_all(stream, &bytes).unwrap();
        });
    }
});

reactor_test!(small_answers_in_great_number, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let kinds = kinds(&server, &[0; 16]);
    let same: Vec<&Exchange> = kinds[..1].iter().cycle().take(5_000).collect();
    check(&server, &same, |stream, bytes| {
        std::io::Write::write_all(stream, &bytes).unwrap();
    });
});

reactor_test!(heads_may_be_torn_anywhere, |engine| {
    let site = Site::small();
    let large = pattern(5, 300_000);
    site.file("large.bin", &large);
    let server = Serve::new(engine, site.root()).start();
    let kinds = kinds(&server, &large);
    let all: Vec<&Exchange> = kinds.iter().collect();
    // Byte by byte.
    check(&server, &all, |stream, bytes| {
        for byte in bytes {
            std::io::Write::write_all(stream, &[byte]).unwrap();
        }
    });
    // In pieces whose ends wander through the requests, each given time to arrive alone.
    for size in [37, 61, 199] {
        check(&server, &all, |stream, bytes| {
            for piece in bytes.chunks(size) {
                std::io::Write::write_all(stream, piece).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
    }
});

reactor_test!(bodies_may_be_torn_anywhere, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let chunked = b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n";
    let counted = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    for raw in [&chunked[..], counted] {
        for torn in 1..raw.len() {
            let mut client = server.connect();
            client.send(&raw[..torn]);
            thread::sleep(Duration::from_millis(1));
            client.send(&raw[torn..]);
            assert_eq!(
                client.response("GET").expect(200).text(),
                INDEX,
                "torn at {torn}"
            );
            assert_eq!(
                client.get("/digits.txt").expect(200).body,
                DIGITS,
                "torn at {torn}"
            );
        }
    }
});

reactor_test!(nothing_follows_a_refusal, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let mut client = server.connect();
    let good = request("GET", "/digits.txt", &[]);
    let last = request("GET", "/", &[("Connection", "close")]);
    client.send([good.clone(), last, good.clone()].concat());
    assert_eq!(client.response("GET").expect(200).body, DIGITS);
    let closing = client.response("GET").expect(200);
    assert!(closing.closes());
    client.expect_close();

    let mut client = server.connect();
    client.send([good.clone(), b"BAD\r\n\r\n".to_vec(), good].concat());
    assert_eq!(client.response("GET").expect(200).body, DIGITS);
    client.response("GET").expect(400);
    client.expect_close();
});
