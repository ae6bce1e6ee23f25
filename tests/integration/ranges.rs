//! Partial answers: single and multiple ranges, If-Range, and what is not a range (RFC 9110 §14).

use crate::support::response::Response;
use crate::support::server::{Serve, Server};
use crate::support::site::{CSS_BROTLI, DIGITS, Site, css, pattern};

/// Both places that bodies come from.
const PLACES: [&[&str]; 2] = [&[], &["--memory-budget", "0"]];

fn ask(server: &Server, target: &str, range: &str) -> Response {
    server.fetch("GET", target, &[("Range", range)])
}

reactor_test!(answers_single_ranges, |engine| {
    let site = Site::small();
    for flags in PLACES {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let check = |range: &str, first: usize, last: usize| {
            let part = ask(&server, "/digits.txt", range).expect(206);
            let content_range = format!("bytes {first}-{last}/1000");
            assert_eq!(
                part.field("Content-Range"),
                Some(content_range.as_str()),
                "{range}"
            );
            assert_eq!(part.body, &DIGITS[first..=last], "{range}");
            assert_eq!(
                part.field("Content-Type"),
                Some("text/plain; charset=utf-8"),
                "{range}"
            );
            part.etag();
        };
        check("bytes=0-0", 0, 0);
        check("bytes=4-7", 4, 7);
        check("BYTES=4-7", 4, 7);
        check("bytes=990-", 990, 999);
        check("bytes=-3", 997, 999);
        check("bytes=-5000", 0, 999);
        check("bytes=0-", 0, 999);
        check("bytes=999-99999999999999999999999999", 999, 999);
        check("bytes=500-501,500-599", 500, 599);
        check("bytes=2000-,4-7", 4, 7);
        check("bytes= 4-7 ,", 4, 7);
    }
});

reactor_test!(refuses_ranges_that_select_nothing, |engine| {
    let site = Site::small();
    for flags in PLACES {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        for range in [
            "bytes=1000-",
            "bytes=1000-1001",
            "bytes=-0",
            "bytes=2000-,-0",
        ] {
            let refused = ask(&server, "/digits.txt", range).expect(416);
            assert_eq!(
                refused.field("Content-Range"),
                Some("bytes */1000"),
                "{range}"
            );
        }
        let refused = ask(&server, "/empty.txt", "bytes=0-").expect(416);
        assert_eq!(refused.field("Content-Range"), Some("bytes */0"));
    }
});

reactor_test!(ignores_what_is_no_range, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    for range in [
        "bytes=5-2",
        "bytes=--5",
        "bytes=+0-5",
        "bytes=1_0-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes 0-5",
        "bytes=0 - 5",
        "bytes=0-5;6-7",
        "lines=0-5",
        "bytes=0x0-5",
        "0-5",
    ] {
        let whole = ask(&server, "/digits.txt", range).expect(200);
        assert_eq!(whole.body, DIGITS, "{range}");
        assert_eq!(whole.field("Content-Range"), None, "{range}");
    }
    // RFC 9110 §14.2: defined for GET only.
    let head = server
        .fetch("HEAD", "/digits.txt", &[("Range", "bytes=0-1")])
        .expect(200);
    assert_eq!(head.field("Content-Length"), Some("1000"));
});

reactor_test!(answers_several_ranges, |engine| {
    let site = Site::small();
    let large = pattern(2, 600_000);
    site.file("large.bin", &large);
    for flags in PLACES {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let answer = ask(&server, "/large.bin", "bytes=0-9,300000-399999,-5").expect(206);
        assert_eq!(answer.field("Content-Range"), None);
        let parts = parts(&answer);
        let expected = [(0, 9), (300_000, 399_999), (599_995, 599_999)];
        assert_eq!(parts.len(), expected.len());
        for ((content_range, body), (first, last)) in parts.iter().zip(expected) {
            assert_eq!(content_range, &format!("bytes {first}-{last}/600000"));
            assert!(body == &large[first..=last], "{content_range}");
        }
        // Requested order is kept (RFC 9110 §15.3.7.2 allows either; clients rely on it).
        let parts = self::parts(&ask(&server, "/large.bin", "bytes=-5,0-9").expect(206));
        assert_eq!(parts[0].0, "bytes 599995-599999/600000");
    }
});

reactor_test!(never_sends_more_than_twice_the_file, |engine| {
    let site = Site::small();
    site.file("large.bin", pattern(3, 300_000));
    let server = Serve::new(engine, site.root()).start();
    let many = |step: usize, count: usize| {
        let list: Vec<String> = (0..count)
            .map(|index| format!("{0}-{0}", index * step))
            .collect();
        format!("bytes={}", list.join(","))
    };
    for range in [
        many(2, 300),
        many(90, 11),
        many(900, 300),
        "bytes=0-,0-,0-,0-,0-,0-,0-,0-".to_owned(),
        "bytes=0-,1-,2-,3-,4-,5-,6-,-1,-2".to_owned(),
        "bytes=500-999,0-499,200-700".to_owned(),
    ] {
        for (target, bytes) in [("/digits.txt", 1000), ("/large.bin", 300_000)] {
            let answer = ask(&server, target, &range);
            assert!(matches!(answer.status, 200 | 206), "{range}");
            assert!(
                answer.body.len() <= 2 * bytes,
                "{range}: {} bytes",
                answer.body.len()
            );
        }
    }
});

reactor_test!(honours_if_range, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let whole = server.get("/digits.txt");
    let (etag, modified) = (whole.etag(), whole.field("Last-Modified").unwrap());
    let check = |if_range: &str, status: u16| {
        let fields = [("Range", "bytes=4-7"), ("If-Range", if_range)];
        server.fetch("GET", "/digits.txt", &fields).expect(status);
    };
    check(etag, 206);
    check(modified, 206);
    check(&format!("W/{etag}"), 200);
    check("\"other\"", 200);
    check("Sun, 06 Nov 1994 08:49:37 GMT", 200);
    check("Fri, 01 Jan 2100 00:00:00 GMT", 200);
    check("nonsense", 200);
    check("*", 200);
});

reactor_test!(takes_ranges_of_the_chosen_variant, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let fields = [("Accept-Encoding", "br"), ("Range", "bytes=3-9")];
    let part = server.fetch("GET", "/css/site.css", &fields).expect(206);
    assert_eq!(part.body, &CSS_BROTLI[3..=9]);
    assert_eq!(part.field("Content-Encoding"), Some("br"));
    let content_range = format!("bytes 3-9/{}", CSS_BROTLI.len());
    assert_eq!(part.field("Content-Range"), Some(content_range.as_str()));
    assert_eq!(part.field("Vary"), Some("Accept-Encoding"));
    let plain = ask(&server, "/css/site.css", "bytes=3-9").expect(206);
    assert_eq!(plain.text(), css()[3..=9]);
});

/// `Content-Range` and content of every part of a `multipart/byteranges` (RFC 9110 §14.6).
fn parts(answer: &Response) -> Vec<(String, Vec<u8>)> {
    let media_type = answer.field("Content-Type").unwrap();
    let boundary = media_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let delimiter = format!("\r\n--{}", boundary.trim_matches('"'));
    let find = |bytes: &[u8], what: &str| {
        bytes
            .windows(what.len())
            .position(|window| window == what.as_bytes())
    };
    // The first delimiter may lack the line end that belongs to it.
    let mut rest = [b"\r\n", answer.body.as_slice()].concat();
    let start = find(&rest, &delimiter).unwrap();
    assert!(start <= 2, "text before the first part");
    rest.drain(..start + delimiter.len());
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head_bytes = find(part, "\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&part[..head_bytes]).unwrap();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        assert!(field("Content-Type: ").is_some(), "{head}");
        let content_range = field("Content-Range: ").unwrap().to_owned();
        let body = &part[head_bytes + 4..];
        let end = find(body, &delimiter).unwrap();
        parts.push((content_range, body[..end].to_vec()));
        rest = body[end + delimiter.len()..].to_vec();
    }
    assert!(
        rest == b"--\r\n" || rest == b"--",
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
    parts
}
