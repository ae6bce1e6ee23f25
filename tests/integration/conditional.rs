//! Preconditions in the order of RFC 9110 §13.2.2, and what a 304 and a 412 look like.

use crate::support::server::Serve;
use crate::support::site::{DIGITS, Site};

const PAST: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

reactor_test!(evaluates_preconditions_in_order, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let whole = server.get("/digits.txt");
    let (own, exactly) = (whole.etag(), whole.field("Last-Modified").unwrap());
    let weak = &format!("W/{own}");
    let listed = &format!("\"a,b\", {own} , \"c\"");
    let other = "\"00000000000000000000000000000000\"";
    let check = |fields: &[(&str, &str)], status: u16| {
        for method in ["GET", "HEAD"] {
            let answer = server.fetch(method, "/digits.txt", fields);
            assert_eq!(answer.status, status, "{method} {fields:?}");
            match status {
                200 => assert_eq!(answer.body, if method == "GET" { &DIGITS[..] } else { b"" }),
                304 => assert_eq!(answer.body, b""),
                _ => {}
            }
        }
    };

    // One alone.
    check(&[("If-Match", own)], 200);
    check(&[("If-Match", "*")], 200);
    check(&[("If-Match", listed)], 200);
    check(&[("If-Match", weak)], 412);
    check(&[("If-Match", other)], 412);
    check(&[("If-None-Match", own)], 304);
    check(&[("If-None-Match", weak)], 304);
    check(&[("If-None-Match", listed)], 304);
    check(&[("If-None-Match", "*")], 304);
    check(&[("If-None-Match", other)], 200);
    check(&[("If-None-Match", other), ("If-None-Match", own)], 304);
    check(&[("If-None-Match", own.trim_matches('"'))], 200);
    check(&[("If-Modified-Since", exactly)], 304);
    check(&[("If-Modified-Since", FUTURE)], 304);
    check(&[("If-Modified-Since", PAST)], 200);
    check(&[("If-Modified-Since", "yesterday")], 200);
    check(&[("If-Unmodified-Since", exactly)], 200);
    check(&[("If-Unmodified-Since", FUTURE)], 200);
    check(&[("If-Unmodified-Since", PAST)], 412);
    check(&[("If-Unmodified-Since", "yesterday")], 200);

    // A tag goes before its date.
    check(&[("If-Match", own), ("If-Unmodified-Since", PAST)], 200);
    check(&[("If-Match", other), ("If-Unmodified-Since", FUTURE)], 412);
    check(
        &[("If-None-Match", other), ("If-Modified-Since", FUTURE)],
        200,
    );
    check(&[("If-None-Match", own), ("If-Modified-Since", PAST)], 304);

    // A failed precondition goes before a successful "not modified".
    check(&[("If-None-Match", own), ("If-Match", other)], 412);
    check(&[("If-None-Match", own), ("If-Match", own)], 304);
    check(
        &[("If-Modified-Since", FUTURE), ("If-Unmodified-Since", PAST)],
        412,
    );
    check(&[("If-Modified-Since", FUTURE), ("If-Match", own)], 304);
});

reactor_test!(ranges_come_after_preconditions, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let own = server.get("/digits.txt").etag().to_owned();
    let range = ("Range", "bytes=0-3");
    let check = |field: (&str, &str), status: u16| {
        server
            .fetch("GET", "/digits.txt", &[range, field])
            .expect(status);
    };
    check(("If-None-Match", &own), 304);
    check(("If-None-Match", "\"x\""), 206);
    check(("If-Match", "\"x\""), 412);
    check(("If-Match", &own), 206);
    let unsatisfiable = [("Range", "bytes=5000-"), ("If-None-Match", own.as_str())];
    server
        .fetch("GET", "/digits.txt", &unsatisfiable)
        .expect(304);
});

reactor_test!(not_modified_keeps_its_fields, |engine| {
    let site = Site::small();
    let flags = ["--header", "**: Expires: Fri, 01 Jan 2100 00:00:00 GMT"];
    let server = Serve::new(engine, site.root()).flags(flags).start();
    let whole = server.get("/css/site.css").expect(200);
    let fields = [("If-None-Match", whole.etag())];
    let unchanged = server.fetch("GET", "/css/site.css", &fields).expect(304);
    for name in ["Cache-Control", "ETag", "Vary", "Expires"] {
        assert!(whole.field(name).is_some(), "{name}");
        assert_eq!(unchanged.field(name), whole.field(name), "{name}");
    }
    for name in ["Content-Type", "Content-Encoding", "Content-Range"] {
        assert_eq!(unchanged.field(name), None, "{name}");
    }
});

reactor_test!(preconditions_need_a_representation, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for field in [
        ("If-None-Match", "*"),
        ("If-Match", "*"),
        ("If-Unmodified-Since", PAST),
    ] {
        server.fetch("GET", "/nothing", &[field]).expect(404);
        server.fetch("POST", "/digits.txt", &[field]).expect(405);
        server.fetch("GET", "/guide", &[field]).expect(302);
    }
});
