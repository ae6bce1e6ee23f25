//! Connections on which something is asked that names no file: they move to where that is
//! answered, and nobody who looks from outside can tell.

use std::net::Shutdown;
use std::time::Duration;

use crate::support::client::{Client, request};
use crate::support::response::Response;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::{Engine, SOON, eventually};

/// What moves a connection.
const AWAY: &str = "GET /app HTTP/1.1\r\nHost: test\r\n\r\n";

fn start(engine: Engine, site: &Site, upstream: &Upstream) -> Server {
    Serve::new(engine, site.root())
        .flags(["--upstream", &upstream.address])
        .start()
}

/// A connection that has been handed over.
fn handed_over(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(AWAY);
    client.response("GET").expect(200);
    client
}

/// What an answer says, whatever the order and the time.
fn said(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let mut fields: Vec<_> = response.fields.iter().map(lower).collect();
    fields.retain(|(name, _)| name != "date");
    fields.sort();
    (response.status, fields, response.body.clone())
}

reactor_test!(answers_in_order_around_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    let asked = [
        ("GET", "/digits.txt", ""),
        ("HEAD", "/digits.txt", ""),
        ("GET", "/app?1", ""),
        ("GET", "/digits.txt", ""),
        ("POST", "/app?2", "content"),
        ("HEAD", "/digits.txt", ""),
        ("GET", "/missing", ""),
        ("GET", "/guide/", ""),
    ];
    let text: Vec<String> = asked
        .iter()
        .map(|(method, target, body)| {
            let length = body.len();
            let framing = match length {
                0 => String::new(),
                _ => format!("Content-Length: {length}\r\n"),
            };
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{framing}\r\n{body}")
        })
        .collect();
    let text = text.concat();
    for cut in [text.len(), 1, 60, 130, 200, text.len() - 1] {
        let mut client = server.connect();
        client.send(&text[..cut]);
        if cut < text.len() {
            std::thread::sleep(Duration::from_millis(30));
            client.send(&text[cut..]);
        }
        for (method, target, body) in asked {
            let answer = client.response(method).expect(200);
            let expected = match (method, target) {
                ("HEAD", _) => Vec::new(),
                (_, "/digits.txt") => DIGITS.to_vec(),
                (_, "/guide/") => crate::support::site::GUIDE.into(),
                _ => format!("{method} {target}\n{body}").into_bytes(),
            };
            assert_eq!(answer.body, expected, "{method} {target}, cut at {cut}");
        }
        client.finish();
    }
});

reactor_test!(files_are_answered_the_same_behind_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    let tag = server.get("/digits.txt").etag().to_owned();
    let check = |method: &str, target: &str, fields: &[(&str, &str)]| {
        let mut fresh = server.connect();
        fresh.send_request(method, target, fields);
        let mut moved = handed_over(&server);
        moved.send_request(method, target, fields);
        let (fresh, moved) = (fresh.response(method), moved.response(method));
        assert_eq!(said(&moved), said(&fresh), "{method} {target} {fields:?}");
    };
    for method in ["GET", "HEAD"] {
        for target in [
            "/",
            "/digits.txt",
            "/digits.txt?q",
            "/empty.txt",
            "/a%20b.txt",
        ] {
            check(method, target, &[]);
        }
        for redirect in ["/guide", "/guide?a=b", "/guide/index.html"] {
            check(method, redirect, &[]);
        }
        for codings in [
            "br",
            "gzip",
            "zstd, gzip",
            "br;q=0, gzip",
            "identity;q=0",
            "*",
        ] {
            check(method, "/css/site.css", &[("Accept-Encoding", codings)]);
        }
    }
    for range in [
        "bytes=0-9",
        "bytes=-5",
        "bytes=990-",
        "bytes=2000-",
        "bytes=0-0,5-9",
        "x=1",
    ] {
        check("GET", "/digits.txt", &[("Range", range)]);
        check(
            "GET",
            "/digits.txt",
            &[("Range", range), ("If-Range", &tag)],
        );
    }
    for name in ["If-None-Match", "If-Match"] {
        for value in [&tag[..], "\"other\"", "*"] {
            check("GET", "/digits.txt", &[(name, value)]);
        }
    }
    check("GET", "/digits.txt", &[("Origin", "https://a.example")]);
    let preflight = [
        ("Origin", "https://a.example"),
        ("Access-Control-Request-Method", "GET"),
    ];
    check("OPTIONS", "/digits.txt", &preflight);
    check("OPTIONS", "*", &[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        check(method, "/digits.txt", &[]);
    }
    let length = [("Content-Length", "0")];
    check("POST", "/digits.txt", &length);
});

reactor_test!(bodies_may_come_behind_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    let content = "0123456789".repeat(10_000);
    let check = |head: &str, body: &str| {
        for cut in [
            head.len() - 2,
            head.len(),
            head.len() + 1,
            head.len() + 50_000,
        ] {
            let text = format!("{head}{body}{AWAY}");
            let mut client = server.connect();
            client.send(&text[..cut]);
            std::thread::sleep(Duration::from_millis(30));
            client.send(&text[cut..]);
            let answer = client.response("POST").expect(200);
            assert_eq!(answer.text(), format!("POST /app\n{content}"), "{cut}");
            assert_eq!(client.response("GET").text(), "GET /app\n");
            client.finish();
        }
    };
    let head = "POST /app HTTP/1.1\r\nHost: test\r\n";
    let length = format!("{head}Content-Length: {}\r\n\r\n", content.len());
    check(&length, &content);
    let (first, second) = content.split_at(33_333);
    let chunked = format!(
        "{:x}\r\n{first}\r\n{:X};ext=1\r\n{second}\r\n0\r\nX-Trailer: a\r\n\r\n",
        first.len(),
        second.len()
    );
    check(
        &format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
        &chunked,
    );
});

reactor_test!(a_body_waits_for_100, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    for mut client in [server.connect(), handed_over(&server)] {
        let fields = [("Content-Length", "4"), ("Expect", "100-continue")];
        client.send_request("POST", "/app", &fields);
        assert_eq!(client.response("POST").status, 100);
        client.send("body");
        assert_eq!(
            client.response("POST").expect(200).text(),
            "POST /app\nbody"
        );
        client.finish();
    }
});

reactor_test!(a_half_closed_client_is_answered, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    for count in [1, 3] {
        let mut client = server.connect();
        client.send(AWAY.repeat(count) + "GET /digits.txt HTTP/1.1\r\nHost: test\r\n\r\n");
        client.stream.shutdown(Shutdown::Write).unwrap();
        for _ in 0..count {
            assert_eq!(client.response("GET").expect(200).text(), "GET /app\n");
        }
        assert_eq!(client.response("GET").expect(200).body, DIGITS);
        client.expect_close();
    }
});

/// Heads that two parsers could read differently, or that name two lengths. `SMUGGLED` is what a
/// second parser could take for a request.
const AMBIGUOUS: [&str; 22] = [
    "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
    "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nbody",
    "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nbody",
    "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nbody",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "POST /app HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /app HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
    "GET /app HTTP/1.1\nHost: a\n\n",
    "GET /app HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "GET /app HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "GET /app HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /app HTTP/1.1\r\n\r\n",
    "GET /app HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET /app HTTP/3.0\r\nHost: a\r\n\r\n",
    "GET  /app HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// Who answers it has been smuggled to.
const SMUGGLED: &str = "GET /app/smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n";

reactor_test!(what_is_ambiguous_reaches_nobody, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    for raw in AMBIGUOUS {
        let mut statuses = Vec::new();
        for mut client in [server.connect(), handed_over(&server)] {
            client.send(format!("{raw}{SMUGGLED}"));
            let answer = client.response("GET");
            assert!(answer.closes(), "{raw:?}: {answer:?}");
            client.expect_close();
            statuses.push(answer.status);
        }
        assert!((400..=505).contains(&statuses[0]), "{raw:?}: {statuses:?}");
        assert_eq!(statuses[0], statuses[1], "{raw:?}");
    }
    let arrived = upstream.arrived();
    assert!(
        arrived
            .iter()
            .all(|request| request.target == "/app" && request.body.is_empty()),
        "{arrived:?}"
    );
    assert_eq!(arrived.len(), AMBIGUOUS.len(), "one handed each over");
});

/// Chunks that two parsers could read differently.
const BAD_CHUNKS: [&str; 14] = [
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "5,5\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n",
    "5\r\nhello\r\n0\r\n X: a\r\n\r\n",
];

reactor_test!(bad_chunks_are_no_request, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    for chunks in BAD_CHUNKS {
        let head = "POST /app/bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for mut client in [server.connect(), handed_over(&server)] {
            client.send(format!("{head}{chunks}{SMUGGLED}"));
            match client.try_response("POST") {
                Ok(answer) => {
                    assert!(
                        (400..=502).contains(&answer.status),
                        "{chunks:?}: {answer:?}"
                    );
                    client.expect_close();
                }
                Err(error) => assert!(error.is_closed(), "{chunks:?}: {error:?}"),
            }
        }
    }
    let arrived = upstream.arrived();
    assert!(
        arrived.iter().all(|request| request.target == "/app"),
        "{arrived:?}"
    );
});

reactor_test!(limits_are_kept_behind_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    for (target, bytes, status) in [
        ("/app".to_owned(), 20_000, 431),
        ("/app".to_owned(), 100_000, 431),
        (format!("/app?{}", "a".repeat(9_000)), 1, 414),
        (format!("/app?{}", "a".repeat(60_000)), 1, 414),
    ] {
        for mut client in [server.connect(), handed_over(&server)] {
            client.send(request("GET", &target, &[("X", &"a".repeat(bytes))]));
            let answer = client.response("GET").expect(status);
            assert!(answer.closes());
            client.expect_close();
        }
    }
});

reactor_test!(a_reload_shows_behind_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream);
    let mut client = handed_over(&server);
    assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
    site.replace("digits.txt", "new");
    site.file("fresh.txt", "fresh");
    assert_eq!(client.get("/fresh.txt").text(), "GET /fresh.txt\n");
    server.reload();
    eventually("the new files", SOON, || {
        client.get("/digits.txt").expect(200).text() == "new"
    });
    assert_eq!(client.get("/fresh.txt").expect(200).text(), "fresh");
    client.finish();
});

reactor_test!(counts_towards_the_connections, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = Serve::new(engine, site.root())
        .workers(1)
        .flags(["--max-connections", "10", "--upstream", &upstream.address])
        .start();
    let mut clients: Vec<Client> = (0..10).map(|_| handed_over(&server)).collect();
    let mut waiting = server.connect();
    waiting.send(AWAY);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(!waiting.has_input(), "one more connection is served");
    clients.pop().unwrap().finish();
    assert_eq!(waiting.response("GET").expect(200).text(), "GET /app\n");
    for mut client in clients {
        client.get("/digits.txt").expect(200);
    }
});

reactor_test!(what_was_asked_before_a_drain_is_answered, |engine| {
    let site = Site::small();
    let upstream = Upstream::start(|request| {
        std::thread::sleep(Duration::from_millis(700));
        Reply::Keep(ok(request.target.as_bytes()))
    });
    let mut server = start(engine, &site, &upstream);
    let mut idle = handed_over(&server);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /app/1 HTTP/1.1\r\nHost: test\r\n\r\n");
        client.send("GET /digits.txt HTTP/1.1\r\nHost: test\r\n\r\n");
        client.send("GET /app/2 HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    std::thread::sleep(Duration::from_millis(300));
    server.signal(libc::SIGTERM);
    for client in &mut clients {
        assert_eq!(client.response("GET").expect(200).text(), "/app/1");
        assert_eq!(client.response("GET").expect(200).body, DIGITS);
        assert_eq!(client.response("GET").expect(200).text(), "/app/2");
        client.expect_close();
    }
    idle.expect_close();
    drop((clients, idle));
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
});

reactor_test!(slow_clients_are_let_go_behind_it, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let limits = [
        "--head-timeout",
        "1s",
        "--idle-timeout",
        "1s",
        "--body-timeout",
        "1s",
    ];
    let server = Serve::new(engine, site.root())
        .flags(["--upstream", &upstream.address])
        .flags(limits)
        .start();
    let idle = handed_over(&server);
    let mut head = handed_over(&server);
    head.send("GET /app HTTP/1.1\r\nX: ");
    let mut body = handed_over(&server);
    body.send("POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1");
    for (name, client) in [("idle", &idle), ("head", &head), ("body", &body)] {
        eventually(name, SOON, || client.has_input());
    }
    assert!(
        upstream
            .arrived()
            .iter()
            .all(|request| request.body.is_empty())
    );
});
