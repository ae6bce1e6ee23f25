//! TLS: the same answers as without, certificates by name and exchanged, and what is said to
//! clients that come to the wrong door.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::client::Client;
use crate::support::response::Response;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::tls::{Certificates, TlsStream};
use crate::support::upstream::Upstream;
use crate::support::{Engine, SOON, eventually};

fn start(engine: Engine, site: &Site, certificates: &Certificates, flags: &[&str]) -> Server {
    Serve::new(engine, site.root())
        .flags(certificates.flags("test"))
        .flags(flags)
        .start()
}

fn said(mut response: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    response.fields.retain(|(name, _)| name != "Date");
    (response.status, response.fields, response.body)
}

/// The certificate that the server has shown.
fn shown(client: &Client<TlsStream>) -> Vec<u8> {
    client.stream.conn.peer_certificates().unwrap()[0].to_vec()
}

reactor_test!(answers_as_without, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    site.file("large.bin", pattern(3, 3_000_000));
    let server = start(engine, &site, &certificates, &[]);
    let mut plain = server.connect();
    let mut client = certificates.connect(server.tls_address(), "test");
    let no: &[(&str, &str)] = &[];
    for (method, target, fields) in [
        ("GET", "/", no),
        ("GET", "/digits.txt", no),
        ("HEAD", "/digits.txt", no),
        ("GET", "/large.bin", no),
        ("GET", "/css/site.css", &[("Accept-Encoding", "br")]),
        ("GET", "/digits.txt", &[("Range", "bytes=0-9,20-29")]),
        ("GET", "/large.bin", &[("Range", "bytes=1000000-1999999")]),
        ("GET", "/guide", no),
        ("GET", "/none", no),
        ("POST", "/digits.txt", &[("Content-Length", "0")]),
        ("OPTIONS", "*", no),
    ] {
        plain.send_request(method, target, fields);
        client.send_request(method, target, fields);
        let (plain, client) = (plain.response(method), client.response(method));
        assert_eq!(said(client), said(plain), "{method} {target} {fields:?}");
    }
});

reactor_test!(passes_on_what_names_no_file, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let upstream = Upstream::echo();
    let flags = ["--upstream", &upstream.address];
    let server = start(engine, &site, &certificates, &flags);
    let mut client = certificates.connect(server.tls_address(), "test");
    client.send(
        "GET /digits.txt HTTP/1.1\r\nHost: test\r\n\r\n\
         POST /app HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi\
         GET /digits.txt HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    assert_eq!(client.response("GET").expect(200).body, DIGITS);
    assert_eq!(client.response("POST").expect(200).text(), "POST /app\nhi");
    assert_eq!(client.response("GET").expect(200).body, DIGITS);
    assert_eq!(upstream.only().all("x-forwarded-proto"), ["https"]);
});

reactor_test!(insists_on_tls_over_tls_only, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let upstream = Upstream::echo();
    let flags = ["--hsts", "600", "--https-redirect"];
    let server = Serve::new(engine, site.root())
        .flags(certificates.flags("test"))
        .flags(flags)
        .flags(["--upstream", &upstream.address])
        .start();
    let name = "Strict-Transport-Security";
    for target in ["/digits.txt", "/app", "/"] {
        let mut client = certificates.connect(server.tls_address(), "test");
        for target in ["/digits.txt", target, "/digits.txt"] {
            let answer = client.get(target).expect(200);
            assert_eq!(answer.field(name), Some("max-age=600"), "{target}");
        }
        assert_eq!(server.get(target).expect(308).field(name), None);
    }
});

reactor_test!(redirects_to_it, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let server = start(engine, &site, &certificates, &["--https-redirect"]);
    let port = server.tls_address().port();
    let mut client = server.connect();
    for (method, target, host, expected) in [
        (
            "GET",
            "/digits.txt?a=b",
            "test",
            "https://test:PORT/digits.txt?a=b",
        ),
        (
            "GET",
            "/digits.txt",
            "test:80",
            "https://test:PORT/digits.txt",
        ),
        (
            "HEAD",
            "/none",
            "TEST.example",
            "https://TEST.example:PORT/none",
        ),
        ("POST", "/app", "[::1]:8080", "https://[::1]:PORT/app"),
        (
            "GET",
            "//elsewhere.example/",
            "test",
            "https://test:PORT//elsewhere.example/",
        ),
    ] {
        let fields = [("Host", host), ("Content-Length", "0")];
        let count = if method == "POST" { 2 } else { 1 };
        client.send_request(method, target, &fields[..count]);
        let answer = client.response(method).expect(308);
        let expected = expected.replace("PORT", &port.to_string());
        assert_eq!(answer.field("Location"), Some(&expected[..]));
    }
    for host in ["a b", "a/b", "user@test", "test:port", "te\"st", "a\\b"] {
        let mut client = server.connect();
        client.send_request("GET", "/", &[("Host", host)]);
        client.response("GET").expect(400);
        client.expect_close();
    }
});

reactor_test!(shows_the_certificate_for_the_name, |engine| {
    let site = Site::small();
    let mut certificates = Certificates::new(&[]);
    let first = certificates.make("first", "first.test");
    let second = certificates.make("second", "second.test");
    let mut flags = certificates.flags("first");
    flags.extend(["--tls-cert".into(), certificates.chain("second")]);
    flags.extend(["--tls-key".into(), certificates.key("second")]);
    let server = Serve::new(engine, site.root()).flags(flags).start();
    for (name, expected) in [("first.test", &first), ("second.test", &second)] {
        let mut client = certificates.connect(server.tls_address(), name);
        assert_eq!(&shown(&client), expected, "{name}");
        client.get("/digits.txt").expect(200);
    }
    let unknown = certificates.stream(server.tls_address(), "third.test", &[]);
    assert!(
        unknown.is_err(),
        "the first is shown, which is not trusted for it"
    );
});

reactor_test!(certificates_are_exchanged, |engine| {
    let site = Site::small();
    let mut certificates = Certificates::new(&[]);
    let first = certificates.make("test", "test");
    let server = start(engine, &site, &certificates, &[]);
    let mut old = certificates.connect(server.tls_address(), "test");
    assert_eq!(shown(&old), first);
    old.get("/digits.txt").expect(200);
    let second = certificates.make("test", "test");
    server.reload();
    eventually("the new certificate", SOON, || {
        shown(&certificates.connect(server.tls_address(), "test")) == second
    });
    old.get("/digits.txt").expect(200);
    fs::write(certificates.chain("test"), "no certificate").unwrap();
    server.reload();
    let client = certificates.connect(server.tls_address(), "test");
    assert_eq!(shown(&client), second, "{}", server.stderr());
});

reactor_test!(other_protocols_end_at_the_door, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let server = start(engine, &site, &certificates, &[]);
    let to_tls = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.tls_address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| crate::support::client::is_gone(&error)),
            "still open"
        );
        assert!(
            !received.starts_with(b"HTTP"),
            "{:?}",
            received.escape_ascii().to_string()
        );
    };
    to_tls(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    to_tls(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    to_tls(&pattern(9, 20_000));
    assert!(certificates.stream(server.address(), "test", &[]).is_err());
    let mut client = certificates.connect(server.tls_address(), "test");
    client.get("/digits.txt").expect(200);
});

reactor_test!(slow_handshakes_are_let_go, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let server = start(engine, &site, &certificates, &["--head-timeout", "1s"]);
    let mut stream = TcpStream::connect(server.tls_address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(&[22, 3, 1]).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "it is spoken to");
});

reactor_test!(a_drain_finishes_transfers, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let content = pattern(5, 8_000_000);
    site.file("large.bin", &content);
    let mut server = start(engine, &site, &certificates, &[]);
    let mut idle = certificates.connect(server.tls_address(), "test");
    idle.get("/digits.txt").expect(200);
    let mut client = certificates.connect(server.tls_address(), "test");
    client.send_request("GET", "/large.bin", &[]);
    client.receive_at_least(1000);
    server.signal(libc::SIGTERM);
    assert_eq!(client.response("GET").expect(200).body, content);
    client.expect_close();
    idle.expect_close();
    drop((client, idle));
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
});
