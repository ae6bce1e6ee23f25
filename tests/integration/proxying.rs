//! What names no file, passed on: what arrives at the application, what comes back of its answers,
//! and what is answered when it cannot.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Engine;
use crate::support::client::Client;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, INDEX, Site, pattern};
use crate::support::upstream::{Reply, Upstream, ok, with_fields};

fn start(engine: Engine, site: &Site, upstream: &Upstream, flags: &[&str]) -> Server {
    Serve::new(engine, site.root())
        .flags(["--upstream", &upstream.address])
        .flags(flags)
        .start()
}

/// What arrives of a request with `fields`.
fn arriving(
    server: &Server,
    upstream: &Upstream,
    fields: &[(&str, &str)],
) -> Vec<(String, String)> {
    let before = upstream.arrived().len();
    server.fetch("GET", "/app", fields).expect(200);
    let mut fields = upstream.arrived()[before].fields.clone();
    fields.sort();
    fields
}

reactor_test!(passes_on_what_was_asked, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream, &[]);
    for (method, target, body) in [
        ("GET", "/app", ""),
        ("GET", "/app?a=b&c=%2F", ""),
        ("GET", "/a//b/%7e;x=y", ""),
        ("GET", "/css/site.css/more", ""),
        ("DELETE", "/app/1", ""),
        ("PROPFIND", "/app", ""),
        ("POST", "/app", "a=b"),
        ("PUT", "/app", "content"),
        ("PATCH", "/é", "content"),
    ] {
        let target = target.replace('é', "%C3%A9");
        let mut client = server.connect();
        let length = body.len().to_string();
        let fields = [("Content-Length", &length[..]), ("X-Own", "kept; a=\"b\"")];
        client.send_request(method, &target, &fields[usize::from(body.is_empty())..]);
        client.send(body);
        let answer = client.response(method).expect(200);
        assert_eq!(answer.text(), format!("{method} {target}\n{body}"));
        let arrived = upstream.arrived().pop().unwrap();
        assert_eq!(arrived.all("x-own"), ["kept; a=\"b\""]);
        assert_eq!(arrived.all("host"), ["test"]);
        client.finish();
    }
});

reactor_test!(keeps_what_is_between_two_hops, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream, &[]);
    let fields = arriving(
        &server,
        &upstream,
        &[
            ("Connection", "x-secret, keep-alive"),
            ("X-Secret", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic secret"),
            ("TE", "gzip"),
            ("Trailer", "X"),
            ("Upgrade", "websocket"),
        ],
    );
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    for hidden in [
        "x-secret",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    ] {
        assert!(!names.contains(&hidden), "{hidden} in {fields:?}");
    }
});

reactor_test!(says_for_whom_it_asks, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let lies = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "elsewhere.example"),
        ("Forwarded", "for=6.6.6.6"),
    ];
    let check = |flags: &[&str], fields: &[(&str, &str)], expected: [&str; 3]| {
        let server = start(engine, &site, &upstream, flags);
        let arrived = arriving(&server, &upstream, fields);
        let value = |name: &str| {
            let mut values = arrived.iter().filter(|(other, _)| other == name);
            let value = values.next().map(|(_, value)| value.clone());
            assert_eq!(values.next(), None, "{name} twice in {arrived:?}");
            value.unwrap_or_default()
        };
        let told = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(value);
        assert_eq!(told, expected, "{flags:?}");
        assert!(value("forwarded").contains("for=127.0.0.1"), "{arrived:?}");
    };
    check(&[], &[], ["127.0.0.1", "http", "test"]);
    check(&[], &lies, ["127.0.0.1", "http", "test"]);
    let trusting = ["--trust-forwarded"];
    check(&trusting, &[], ["127.0.0.1", "http", "test"]);
    let believed = ["6.6.6.6, 127.0.0.1", "https", "elsewhere.example"];
    check(&trusting, &lies, believed);
});

reactor_test!(passes_back_what_was_answered, |engine| {
    let site = Site::small();
    let upstream = Upstream::start(|request| {
        let status = request.target.rsplit('/').next().unwrap_or_default();
        let fields = [
            ("X-Own", "kept"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Connection", "x-hop"),
            ("X-Hop", "secret"),
            ("Keep-Alive", "timeout=1"),
            ("X-Sendfile", "/etc/passwd"),
            ("X-Accel-Redirect", "/secret"),
        ];
        Reply::Keep(with_fields(&format!("{status} Word"), &fields, b"body"))
    });
    let server = start(engine, &site, &upstream, &[]);
    for status in [200, 201, 301, 400, 401, 404, 405, 418, 500, 503, 599] {
        let answer = server.get(&format!("/app/{status}")).expect(status);
        assert_eq!(answer.text(), "body");
        assert_eq!(answer.field("X-Own"), Some("kept"));
        let cookies = answer.fields.iter();
        let cookies = cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        assert_eq!(cookies.count(), 2);
        for hidden in ["X-Hop", "Keep-Alive", "X-Sendfile", "X-Accel-Redirect"] {
            assert_eq!(answer.field(hidden), None, "{hidden}");
        }
    }
});

reactor_test!(refuses_large_uploads, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream, &["--max-upload", "10KiB"]);
    let upload = |fields: &[(&str, &str)], body: &[u8]| {
        let mut client = server.connect();
        client.send_request("POST", "/app", fields);
        // The server may have answered and closed before it has all.
        drop(std::io::Write::write_all(&mut client.stream, body));
        client.response("POST")
    };
    let content = pattern(1, 10 * 1024);
    let whole = upload(&[("Content-Length", "10240")], &content).expect(200);
    assert_eq!(&whole.body[b"POST /app\n".len()..], content);
    assert_eq!(upstream.arrived().len(), 1);
    upload(&[("Content-Length", "10241")], &pattern(1, 10_241)).expect(413);
    upload(&[("Content-Length", "1000000000000")], b"").expect(413);
    let mut chunked = b"2801\r\n".to_vec();
    chunked.extend(pattern(1, 0x2801));
    chunked.extend(b"\r\n0\r\n\r\n");
    upload(&[("Transfer-Encoding", "chunked")], &chunked).expect(413);
    assert_eq!(upstream.arrived().len(), 1, "a part of one is none");
});

reactor_test!(says_that_nobody_answers, |engine| {
    let site = Site::small();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let server = Serve::new(engine, site.root())
        .flags(["--upstream", &nobody])
        .start();
    let mut client = server.connect();
    for _ in 0..3 {
        let answer = client.get("/app");
        assert!([502, 503].contains(&answer.status), "{answer:?}");
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
    }
    assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
    client.finish();
    assert!(server.stderr().contains("upstream"), "{}", server.stderr());
});

reactor_test!(waits_for_an_answer_no_longer_than_told, |engine| {
    let site = Site::small();
    let upstream = Upstream::start(|_| {
        std::thread::sleep(Duration::from_secs(30));
        Reply::Close(Vec::new())
    });
    let server = start(engine, &site, &upstream, &["--upstream-timeout", "1s"]);
    let mut client = server.connect();
    client.get("/app").expect(504);
    assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
    client.finish();
});

reactor_test!(asks_twice_only_what_may_be_asked_twice, |engine| {
    let site = Site::small();
    let upstream = Upstream::start(|_| Reply::Close(Vec::new()));
    let server = start(engine, &site, &upstream, &[]);
    let mut client = server.connect();
    client.send_request("POST", "/app", &[("Content-Length", "1")]);
    client.send("a");
    client.response("POST").expect(502);
    let arrived = upstream.only();
    assert_eq!(
        (&arrived.method[..], &arrived.body[..]),
        ("POST", &b"a"[..])
    );
});

reactor_test!(bad_answers_are_not_passed_back, |engine| {
    let site = Site::small();
    for bad in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nBad Name: a\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "nonsense\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let upstream = Upstream::start(move |_| Reply::Close(bad.as_bytes().to_vec()));
        let server = start(engine, &site, &upstream, &[]);
        let mut client = server.connect();
        client.get("/app").expect(502);
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        client.finish();
    }
});

reactor_test!(an_answer_that_breaks_off_is_seen_to, |engine| {
    let site = Site::small();
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    ] {
        let upstream = Upstream::start(move |_| Reply::Close(broken.as_bytes().to_vec()));
        let server = start(engine, &site, &upstream, &[]);
        let mut client = server.connect();
        client.send_request("GET", "/app", &[]);
        let mut received = Vec::new();
        let ended = std::io::Read::read_to_end(&mut client.stream, &mut received);
        let text = String::from_utf8_lossy(&received);
        let is_whole = text.contains("\r\n0\r\n\r\n")
            || text.starts_with("HTTP/1.1 200")
                && ended.is_ok()
                && text.contains("Content-Length: 4");
        assert!(!is_whole, "{broken:?} became {text:?}");
    }
});

reactor_test!(sends_files_that_the_application_names, |engine| {
    let site = Site::small();
    let private = TempDir::new().unwrap();
    fs::write(private.path().join("report.pdf"), DIGITS).unwrap();
    fs::write(site.path("outside.txt"), "secret").unwrap();
    let root = private.path().to_str().unwrap().to_owned();
    let below = root.clone();
    let upstream = Upstream::start(move |request| {
        let (name, value) = match &request.target[..] {
            "/app/path" => ("X-Sendfile", format!("{below}/report.pdf")),
            "/app/url" => ("X-Accel-Redirect", "/private/report.pdf".to_owned()),
            "/app/missing" => ("X-Accel-Redirect", "/private/none".to_owned()),
            "/app/up" => ("X-Accel-Redirect", "/private/../outside.txt".to_owned()),
            "/app/up-path" => ("X-Sendfile", format!("{below}/../outside.txt")),
            _ => ("X-Sendfile", "/etc/passwd".to_owned()),
        };
        let fields = [
            (name, &value[..]),
            ("Content-Type", "application/pdf"),
            ("X-Own", "kept"),
        ];
        Reply::Keep(with_fields("200 OK", &fields, b"not this"))
    });
    let flag = format!("/private={root}");
    let server = start(engine, &site, &upstream, &["--sendfile-root", &flag]);
    for target in ["/app/path", "/app/url"] {
        let answer = server.get(target).expect(200);
        assert_eq!(answer.body, DIGITS, "{target}");
        assert_eq!(answer.field("Content-Type"), Some("application/pdf"));
        assert_eq!(answer.field("X-Own"), Some("kept"));
        assert_eq!(answer.field("X-Sendfile"), None);
        let part = server
            .fetch("GET", target, &[("Range", "bytes=4-7")])
            .expect(206);
        assert_eq!(part.body, DIGITS[4..8]);
        let head = server.fetch("HEAD", target, &[]).expect(200);
        assert_eq!(head.field("Content-Length"), Some("1000"));
    }
    for target in ["/app/missing", "/app/up", "/app/up-path", "/app/else"] {
        let answer = server.get(target);
        assert!(
            [403, 404, 502].contains(&answer.status),
            "{target}: {answer:?}"
        );
        assert!(!answer.text().contains("secret") && !answer.text().contains("root:"));
    }
});

reactor_test!(files_under_prefixes_come_first, |engine| {
    let (site, other, upstream) = (Site::small(), Site::empty(), Upstream::echo());
    other.file("robots.txt", "robots");
    let server = Serve::sources(engine)
        .flags(["--source", &format!("/static/={}", site.root().display())])
        .flags(["--source", &format!("/={}", other.root().display())])
        .flags(["--upstream", &upstream.address])
        .start();
    assert_eq!(server.get("/static/digits.txt").expect(200).body, DIGITS);
    assert_eq!(server.get("/static/").expect(200).text(), INDEX);
    assert_eq!(server.get("/robots.txt").expect(200).text(), "robots");
    for passed in ["/", "/digits.txt", "/static/none.txt", "/static/.secret"] {
        assert_eq!(server.get(passed).text(), format!("GET {passed}\n"));
    }
});

reactor_test!(answers_what_is_for_nobody_itself, |engine| {
    let (site, upstream) = (Site::small(), Upstream::echo());
    let server = start(engine, &site, &upstream, &[]);
    let mut client = server.connect();
    client.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    let answer = client.response("CONNECT");
    assert!([400, 405, 501].contains(&answer.status), "{answer:?}");
    server.fetch("OPTIONS", "*", &[]).expect(204);
    assert_eq!(upstream.arrived(), []);
});

reactor_test!(takes_upstreams_in_turn, |engine| {
    let site = Site::small();
    let named = |name: &'static str| Upstream::start(move |_| Reply::Keep(ok(name.as_bytes())));
    let upstreams = [named("a"), named("b")];
    let server = Serve::new(engine, site.root())
        .workers(1)
        .flags(["--upstream", &upstreams[0].address])
        .flags(["--upstream", &upstreams[1].address])
        .start();
    let mut client: Client = server.connect();
    let answers: Vec<String> = (0..6).map(|_| client.get("/app").text()).collect();
    for name in ["a", "b"] {
        let count = answers.iter().filter(|&answer| answer == name).count();
        assert_eq!(count, 3, "{answers:?}");
    }
});
