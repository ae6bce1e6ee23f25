//! Which encoding of a file a client gets, and that each has validators of its own.

use std::io::Read;

use crate::support::response::Response;
use crate::support::server::{Serve, Server};
use crate::support::site::{CSS_BROTLI, DIGITS, Site, css, gzip, hour_ago, zstd};

fn ask(server: &Server, target: &str, accept: &str) -> Response {
    server
        .fetch("GET", target, &[("Accept-Encoding", accept)])
        .expect(200)
}

/// The original, whatever the encoding.
fn decoded(response: &Response) -> Vec<u8> {
    let body = response.body.as_slice();
    let mut content = Vec::new();
    match response.field("Content-Encoding") {
        None => content.extend_from_slice(body),
        Some("gzip") => drop(
            flate2::read::MultiGzDecoder::new(body)
                .read_to_end(&mut content)
                .unwrap(),
        ),
        Some("zstd") => content = zstd::decode_all(body).unwrap(),
        Some("br") => {
            let mut decoder = brotli_decompressor::Decompressor::new(body, 4096);
            decoder.read_to_end(&mut content).unwrap();
        }
        Some(other) => panic!("{other}"),
    }
    content
}

/// The codings of `/css/site.css`, smallest first.
fn by_size() -> [&'static str; 3] {
    let content = css();
    let mut sizes = [
        (CSS_BROTLI.len(), "br"),
        (zstd(content.as_bytes()).len(), "zstd"),
        (gzip(content.as_bytes()).len(), "gzip"),
    ];
    sizes.sort_unstable();
    assert!(
        sizes[0].0 < sizes[1].0 && sizes[1].0 < sizes[2].0,
        "the test needs three sizes"
    );
    sizes.map(|(_, coding)| coding)
}

reactor_test!(the_smallest_acceptable_wins, |engine| {
    let site = Site::small();
    let [smallest, middle, largest] = by_size();
    for flags in [&[][..], &["--memory-budget", "0"]] {
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let check = |accept: &str, coding: Option<&str>| {
            let response = ask(&server, "/css/site.css", accept);
            assert_eq!(response.field("Content-Encoding"), coding, "{accept:?}");
            assert_eq!(
                response.field("Vary"),
                Some("Accept-Encoding"),
                "{accept:?}"
            );
            let media_type = response.field("Content-Type");
            assert_eq!(media_type, Some("text/css; charset=utf-8"), "{accept:?}");
            assert!(decoded(&response) == css().as_bytes(), "{accept:?}");
        };
        check("gzip, deflate, br, zstd", Some(smallest));
        check(&format!("{largest}, {middle}"), Some(middle));
        check(&largest.to_uppercase(), Some(largest));
        check("x-gzip", Some("gzip"));
        check("*", Some(smallest));
        check(&format!("*, {smallest};q=0"), Some(middle));
        check("gzip;q=1.0, *;q=0", Some("gzip"));
        check("br;q=0.001, gzip;q=0.002", Some("gzip"));
        check("br;q=0, gzip;q=0, zstd;q=0", None);
        check("gzip ; q=0.5 , br;Q=0.9", Some("br"));
        check("identity", None);
        check("identity;q=1, gzip;q=0.5", None);
        check("deflate", None);
        check("", None);
        // Nothing is left; a plain answer is more use than a 406 (RFC 9110 §12.5.3 allows it).
        check("identity;q=0", None);
        check("*;q=0", None);
        check("identity;q=0, gzip", Some("gzip"));
        check(&format!("{smallest};q=nonsense, {largest}"), Some(largest));
    }
});

reactor_test!(field_lines_are_one_list, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let fields = [("Accept-Encoding", "deflate"), ("Accept-Encoding", "gzip")];
    let response = server.fetch("GET", "/css/site.css", &fields);
    assert_eq!(response.field("Content-Encoding"), Some("gzip"));
    assert_eq!(server.get("/css/site.css").field("Content-Encoding"), None);
});

reactor_test!(every_variant_has_its_validators, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let variants = ["identity", "gzip", "br", "zstd"].map(|coding| {
        let response = ask(&server, "/css/site.css", coding);
        (coding, response.etag().to_owned())
    });
    for ((coding, etag), suffix) in variants.iter().zip(["\"", "-gz\"", "-br\"", "-zst\""]) {
        assert!(etag.ends_with(suffix), "{coding}: {etag}");
        for (accepted, _) in &variants {
            let fields = [
                ("Accept-Encoding", *accepted),
                ("If-None-Match", etag.as_str()),
            ];
            let response = server.fetch("GET", "/css/site.css", &fields);
            let expected = if coding == accepted { 304 } else { 200 };
            assert_eq!(
                response.status, expected,
                "{accepted} with the tag of {coding}"
            );
            assert_eq!(response.field("Vary"), Some("Accept-Encoding"));
        }
    }
    assert_eq!(ask(&server, "/digits.txt", "gzip").field("Vary"), None);
});

reactor_test!(variants_must_decode_to_their_original, |engine| {
    let site = Site::small();
    let content = "body { margin: 0 }\n".repeat(50);
    site.file("stale.css", &content);
    site.file("stale.css.gz", gzip(content.replace('0', "1").as_bytes()));
    site.file("broken.css", &content);
    site.file("broken.css.gz", &gzip(content.as_bytes())[..20]);
    site.file("trailing.css", &content);
    site.file(
        "trailing.css.zst",
        [zstd(content.as_bytes()), b"more".to_vec()].concat(),
    );
    site.file("alone.css.gz", gzip(content.as_bytes()));
    // The proof is the content: copies and clones do not keep times.
    let original_time = hour_ago();
    site.file_at("older.css", &content, original_time);
    site.file_at(
        "older.css.gz",
        gzip(content.as_bytes()),
        original_time - std::time::Duration::from_secs(60),
    );

    let server = Serve::new(engine, site.root()).start();
    for name in ["stale.css", "broken.css", "trailing.css"] {
        let response = ask(&server, &format!("/{name}"), "gzip, br, zstd");
        assert_eq!(response.field("Content-Encoding"), None, "{name}");
        assert_eq!(response.text(), content, "{name}");
        let suffix = if name == "trailing.css" { "zst" } else { "gz" };
        server.get(&format!("/{name}.{suffix}")).expect(404);
        let warned = server.stderr();
        assert!(
            warned.contains(&format!("{name}.{suffix}")),
            "no warning of {name}: {warned}"
        );
    }
    let alone = ask(&server, "/alone.css.gz", "gzip");
    assert_eq!(alone.field("Content-Encoding"), None);
    assert_eq!(alone.field("Content-Type"), Some("application/gzip"));
    let older = ask(&server, "/older.css", "gzip");
    assert_eq!(older.field("Content-Encoding"), Some("gzip"));
    assert_eq!(ask(&server, "/digits.txt", "gzip").body, DIGITS);
});
