//! What answers to files look like: methods, types, freshness, validators, extra headers. Which
//! URL names which file is in `sources` and `index_files`.

use std::time::{Duration, SystemTime};

use crate::support::Engine;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site, pattern};

fn small(engine: Engine) -> (Site, Server) {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    (site, server)
}

reactor_test!(answers_get_and_head, |engine| {
    let (_site, server) = small(engine);
    let mut client = server.connect();
    for target in [
        "/",
        "/digits.txt",
        "/css/site.css",
        "/empty.txt",
        "/nothing",
        "/guide",
    ] {
        let get = client.get(target);
        client.send_request("HEAD", target, &[]);
        let head = client.response("HEAD");
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(
            head.field("Content-Length"),
            get.field("Content-Length"),
            "{target}"
        );
        let without_date = |fields: &[(String, String)]| {
            fields
                .iter()
                .filter(|(name, _)| name != "Date")
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            without_date(&head.fields),
            without_date(&get.fields),
            "{target}"
        );
    }
    client.finish();
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    assert_eq!(server.get("/empty.txt").expect(200).body, b"");
});

reactor_test!(refuses_other_methods, |engine| {
    let (_site, server) = small(engine);
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        let refused = server.fetch(method, "/digits.txt", &[]).expect(405);
        assert_eq!(refused.field("Allow"), Some("GET, HEAD"), "{method}");
        assert_eq!(
            server.fetch(method, "/nothing", &[]).status,
            404,
            "{method}"
        );
    }
});

reactor_test!(answers_options_and_preflights, |engine| {
    let (site, server) = small(engine);
    let all = server.fetch("OPTIONS", "*", &[]).expect(204);
    assert!(all.field("Allow").unwrap().contains("GET, HEAD"));

    let preflight = [
        ("Origin", "https://example.org"),
        ("Access-Control-Request-Method", "GET"),
    ];
    let answer = server
        .fetch("OPTIONS", "/css/site.css", &preflight)
        .expect(204);
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(
        answer.field("Access-Control-Allow-Methods"),
        Some("GET, HEAD")
    );
    assert_eq!(answer.field("Access-Control-Allow-Headers"), Some("*"));
    let age = answer.field("Access-Control-Max-Age").unwrap();
    assert!(age.parse::<u32>().is_ok(), "{age}");
    server.fetch("OPTIONS", "/nothing", &preflight).expect(404);

    let closed = Serve::new(engine, site.root()).flags(["--no-cors"]).start();
    let answer = closed.fetch("OPTIONS", "/css/site.css", &preflight);
    assert_eq!(answer.field("Access-Control-Allow-Origin"), None);
});

reactor_test!(names_media_types, |engine| {
    let site = Site::empty();
    let table = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.avif", "image/avif"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("plain", "application/octet-stream"),
    ];
    for (name, _) in table {
        site.file(name, name);
    }
    let server = Serve::new(engine, site.root()).start();
    for (name, media_type) in table {
        let response = server.get(&format!("/{name}")).expect(200);
        assert_eq!(response.field("Content-Type"), Some(media_type), "{name}");
        assert_eq!(response.field("Content-Encoding"), None, "{name}");
    }

    let flags = [
        "--charset",
        "iso-8859-1",
        "--mime",
        ".unheard-of=text/x-new",
        "--mime",
        "plain=image/png",
    ];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    for (name, media_type) in [
        ("a.txt", "text/plain; charset=iso-8859-1"),
        ("a.unheard-of", "text/x-new; charset=iso-8859-1"),
        ("plain", "image/png"),
    ] {
        let response = server.get(&format!("/{name}")).expect(200);
        assert_eq!(response.field("Content-Type"), Some(media_type), "{name}");
    }
});

reactor_test!(says_how_long_answers_stay_fresh, |engine| {
    let site = Site::small();
    site.file("app.0123456789ab.js", "1");
    site.file("app.js", "1");
    site.file(
        "staticfiles.json",
        r#"{"paths": {"app.js": "app.0123456789ab.js"}, "version": "1.1", "hash": ""}"#,
    );
    let check = |flags: &[&str], target: &str, expected: Option<&str>| {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let response = server.get(target).expect(200);
        assert_eq!(
            response.field("Cache-Control"),
            expected,
            "{flags:?} {target}"
        );
    };
    let forever = Some("max-age=315360000, public, immutable");
    check(&[], "/digits.txt", Some("max-age=60, public"));
    check(&[], "/app.js", Some("max-age=60, public"));
    check(&[], "/app.0123456789ab.js", forever);
    check(
        &["--max-age", "3600"],
        "/digits.txt",
        Some("max-age=3600, public"),
    );
    check(&["--max-age", "none"], "/digits.txt", None);
    check(
        &["--immutable", r"^/css/.+\.css$"],
        "/css/site.css",
        forever,
    );
    check(
        &["--immutable", r"^/css/.+\.css$"],
        "/digits.txt",
        Some("max-age=60, public"),
    );
});

reactor_test!(sends_validators_made_from_content, |engine| {
    let site = Site::empty();
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    site.file_at("one.txt", "same", past);
    site.file("two.txt", "same");
    site.file("other.txt", "else");
    site.file_at(
        "future.txt",
        "soon",
        SystemTime::now() + Duration::from_secs(86_400),
    );
    let server = Serve::new(engine, site.root()).start();

    let one = server.get("/one.txt").expect(200);
    assert_eq!(
        one.field("Last-Modified"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(one.field("Accept-Ranges"), Some("bytes"));
    assert_eq!(
        one.etag(),
        server.get("/two.txt").etag(),
        "the time is not part of it"
    );
    assert_ne!(one.etag(), server.get("/other.txt").etag());

    // RFC 9110 §8.8.2.1: never later than Date.
    let future = server.get("/future.txt").expect(200);
    if let Some(modified) = future.field("Last-Modified") {
        let modified = httpdate::parse_http_date(modified).unwrap();
        assert!(modified <= httpdate::parse_http_date(future.field("Date").unwrap()).unwrap());
    }
});

reactor_test!(dates_every_answer, |engine| {
    let (_site, server) = small(engine);
    let mut client = server.connect();
    let date = |client: &mut crate::support::client::Client| {
        let text = client.get("/").field("Date").unwrap().to_owned();
        httpdate::parse_http_date(&text).unwrap()
    };
    let first = date(&mut client);
    let apart = SystemTime::now().duration_since(first).unwrap_or_default();
    assert!(apart < Duration::from_secs(5), "{apart:?} slow");
    std::thread::sleep(Duration::from_millis(2_100));
    assert!(date(&mut client) > first, "the date stands still");
});

reactor_test!(adds_headers, |engine| {
    let (site, server) = small(engine);
    let plain = server.get("/digits.txt");
    assert_eq!(plain.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(plain.field("X-Content-Type-Options"), Some("nosniff"));

    let flags = [
        "--no-cors",
        "--header",
        "*.txt: X-Kind: text",
        "--header",
        "/digits.txt: Cache-Control: no-store",
        "--header",
        "/css/**: Content-Type: text/x-css",
    ];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    let digits = server.get("/digits.txt").expect(200);
    assert_eq!(digits.field("Access-Control-Allow-Origin"), None);
    assert_eq!(digits.field("X-Kind"), Some("text"));
    assert_eq!(digits.field("Cache-Control"), Some("no-store"));
    let css = server.get("/css/site.css").expect(200);
    assert_eq!(css.field("X-Kind"), None);
    assert_eq!(css.field("Content-Type"), Some("text/x-css"));
});

reactor_test!(serves_files_from_descriptors, |engine| {
    let site = Site::small();
    let large = pattern(1, 5 * 1024 * 1024 + 17);
    site.file("large.bin", &large);
    let memory = Serve::new(engine, site.root()).start();
    let disk = Serve::new(engine, site.root())
        .flags(["--memory-budget", "0"])
        .start();
    assert!(memory.get("/large.bin").expect(200).body == large);
    for target in ["/", "/digits.txt", "/empty.txt", "/large.bin"] {
        let [mut a, mut b] = [&memory, &disk].map(|server| server.get(target).expect(200));
        assert!(a.body == b.body, "{target}");
        for response in [&mut a, &mut b] {
            response.fields.retain(|(name, _)| name != "Date");
        }
        assert_eq!(
            a.fields, b.fields,
            "{target}: a difference that a client can see"
        );
    }
    let mut client = disk.connect();
    for _ in 0..3 {
        assert!(client.get("/large.bin").expect(200).body == large);
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
    }
    client.finish();
});
