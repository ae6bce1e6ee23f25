//! HTTP/2, over TLS and with prior knowledge: the same files, and the same application behind.

use crate::support::Engine;
use crate::support::client::Client;
use crate::support::http2::Http2;
use crate::support::response::Response;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::tls::Certificates;
use crate::support::upstream::Upstream;

fn start(engine: Engine, site: &Site, certificates: &Certificates, flags: &[&str]) -> Server {
    Serve::new(engine, site.root())
        .flags(certificates.flags("test"))
        .flags(flags)
        .start()
}

/// What an answer says, whatever the order and the time, and of whatever version.
fn said(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let mut fields: Vec<_> = response.fields.iter().map(lower).collect();
    fields.retain(|(name, _)| name != "date" && name != "connection");
    fields.sort();
    (response.status, fields, response.body.clone())
}

fn clients(server: &Server, certificates: &Certificates) -> [Http2; 2] {
    let config = certificates.client(&["h2"]);
    [
        Http2::connect(server.address()),
        Http2::connect_tls(server.tls_address(), config, "test"),
    ]
}

reactor_test!(answers_files_as_http_1_does, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    site.file("large.bin", pattern(3, 3_000_000));
    let server = start(engine, &site, &certificates, &["--h2c"]);
    let tag = server.get("/digits.txt").etag().to_owned();
    let no: &[(&str, &str)] = &[];
    let cached: &[(&str, &str)] = &[("if-none-match", &tag)];
    for mut client in clients(&server, &certificates) {
        for (method, target, fields) in [
            ("GET", "/", no),
            ("GET", "/digits.txt", no),
            ("HEAD", "/digits.txt", no),
            ("GET", "/empty.txt", no),
            ("GET", "/large.bin", no),
            ("GET", "/digits.txt", cached),
            ("GET", "/css/site.css", &[("accept-encoding", "br, gzip")]),
            ("GET", "/css/site.css", &[("accept-encoding", "gzip")]),
            ("GET", "/digits.txt", &[("range", "bytes=0-9")]),
            ("GET", "/digits.txt", &[("range", "bytes=0-9,20-29")]),
            ("GET", "/digits.txt", &[("range", "bytes=2000-")]),
            ("GET", "/large.bin", &[("range", "bytes=1000000-1999999")]),
            ("GET", "/guide?a", no),
            ("GET", "/none", no),
            ("GET", "/.secret", no),
            ("DELETE", "/digits.txt", no),
        ] {
            let mut fresh: Client = server.connect();
            fresh.send_request(method, target, fields);
            let expected = fresh.response(method);
            let answer = client.ask(method, target, fields, b"");
            assert_eq!(
                said(&answer),
                said(&expected),
                "{method} {target} {fields:?}"
            );
            assert!(answer.field("date").is_some());
        }
    }
});

reactor_test!(passes_on_what_names_no_file, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let upstream = Upstream::echo();
    let flags = ["--h2c", "--upstream", &upstream.address];
    let server = start(engine, &site, &certificates, &flags);
    let content = pattern(4, 500_000);
    for (mut client, scheme) in clients(&server, &certificates)
        .into_iter()
        .zip(["http", "https"])
    {
        let fields = [("cookie", "a=1"), ("cookie", "b=2"), ("x-own", "kept")];
        let answer = client.ask("GET", "/app?a=b", &fields, b"").expect(200);
        assert_eq!(answer.text(), "GET /app?a=b\n");
        let arrived = upstream.arrived().pop().unwrap();
        // RFC 9113 §8.2.3.
        assert_eq!(arrived.all("cookie"), ["a=1; b=2"]);
        assert_eq!(arrived.all("host"), ["test"]);
        assert_eq!(arrived.all("x-own"), ["kept"]);
        assert_eq!(arrived.all("x-forwarded-proto"), [scheme]);
        assert!(!arrived.fields.iter().any(|(name, _)| name.starts_with(':')));
        let answer = client.ask("POST", "/app", &[], &content).expect(200);
        assert_eq!(&answer.body[b"POST /app\n".len()..], content);
        assert_eq!(client.ask("GET", "/digits.txt", &[], b"").body, DIGITS);
    }
});

reactor_test!(is_spoken_only_where_it_is_offered, |engine| {
    let (site, certificates) = (Site::small(), Certificates::new(&["test"]));
    let server = start(engine, &site, &certificates, &["--no-http2"]);
    let offered = |server: &Server, protocols: &[&str]| {
        let stream = certificates.stream(server.tls_address(), "test", protocols);
        stream.map(|stream| stream.conn.alpn_protocol().map(<[u8]>::to_vec))
    };
    let both = ["h2", "http/1.1"];
    assert_eq!(offered(&server, &both).unwrap(), Some(b"http/1.1".to_vec()));
    assert!(offered(&server, &["h2"]).is_err(), "RFC 7301 §3.2");
    let mut client = server.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let answer = client.response("GET");
    assert!([400, 505].contains(&answer.status), "{answer:?}");

    let server = start(engine, &site, &certificates, &[]);
    assert_eq!(offered(&server, &both).unwrap(), Some(b"h2".to_vec()));
    assert_eq!(offered(&server, &[]).unwrap(), None);
    let mut client = certificates.connect(server.tls_address(), "test");
    client.get("/digits.txt").expect(200);
});
