//! `whitering.json`: what it says of files that nobody touched since is sent, and nothing that it
//! says of others.

use std::time::{Duration, SystemTime};

use crate::support::server::Serve;
use crate::support::site::{DIGITS, Site, hour_ago};

reactor_test!(answers_with_recorded_digests, |engine| {
    for flags in [&[][..], &["--memory-budget", "0"]] {
        let site = Site::empty();
        site.file("app.css", DIGITS);
        site.file("app.1.css", DIGITS);
        site.file("new.css", DIGITS);
        // No file has this digest: an answer that holds it was not computed.
        let file = |immutable| {
            format!(
                "{{\"sha256\": \"{}\", \"bytes\": {}, \"media_type\": \"text/css\", \
                 \"immutable\": {immutable}}}",
                "5a".repeat(32),
                DIGITS.len(),
            )
        };
        let record = format!(
            "{{\"version\": 1, \"settings\": \"\", \"files\": \
             {{\"app.css\": {}, \"app.1.css\": {}}}}}",
            file(false),
            file(true),
        );
        site.file_at(
            "whitering.json",
            record,
            hour_ago() + Duration::from_secs(1),
        );
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let recorded = format!("\"{}\"", "5a".repeat(16));
        let hashed = server.get("/app.1.css").expect(200);
        assert_eq!(hashed.body, DIGITS);
        assert_eq!(hashed.etag(), recorded);
        let cached = hashed.field("cache-control").unwrap();
        assert!(cached.contains("immutable"), "{cached}");
        let plain = server.get("/app.css").expect(200);
        assert_eq!(plain.etag(), recorded);
        let cached = plain.field("cache-control").unwrap();
        assert!(!cached.contains("immutable"), "{cached}");
        assert_ne!(server.get("/new.css").expect(200).etag(), recorded);

        // The same length, but written to: now only the content counts.
        let changed = DIGITS.iter().rev().copied().collect::<Vec<u8>>();
        site.file_at("app.css", &changed, SystemTime::now());
        server.reload();
        let plain = server.get("/app.css").expect(200);
        assert_eq!(plain.body, changed);
        assert_ne!(plain.etag(), recorded);
        server.get("/whitering.json").expect(200);
    }
});
