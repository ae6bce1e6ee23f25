//! URLs that name no file themselves: directories with an index, redirects, and misses.

use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, GUIDE, INDEX, Site};

reactor_test!(serves_index_files, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let redirect = |server: &Server, target: &str, location: &str| {
        let response = server.get(target).expect(302);
        assert_eq!(response.field("Location"), Some(location), "{target}");
    };
    assert_eq!(server.get("/").expect(200).text(), INDEX);
    assert_eq!(server.get("/guide/").expect(200).text(), GUIDE);
    redirect(&server, "/index.html", "./");
    redirect(&server, "/guide/index.html", "./");
    redirect(&server, "/guide", "guide/");
    redirect(&server, "/guide?a=b&c=%20d", "guide/?a=b&c=%20d");
    server.get("/css/").expect(404);
    server.get("/css").expect(404);

    let renamed = Serve::new(engine, site.root())
        .flags(["--index-file", "page.html"])
        .start();
    renamed.get("/").expect(404);
    renamed.get("/index.html").expect(200);
    renamed.get("/guide/").expect(200);
    redirect(&renamed, "/guide/page.html", "./");

    let none = Serve::new(engine, site.root())
        .flags(["--no-index-file"])
        .start();
    none.get("/").expect(404);
    none.get("/guide").expect(404);
    assert_eq!(none.get("/guide/index.html").expect(200).text(), GUIDE);
});

reactor_test!(redirects_cannot_be_turned_outwards, |engine| {
    let site = Site::small();
    site.file("a:b/index.html", "odd");
    site.file("evil.example/index.html", "odd");
    let server = Serve::new(engine, site.root()).start();
    let colon = server.get("/a:b").expect(302);
    assert_eq!(
        colon.field("Location"),
        Some("a%3Ab/"),
        "a colon would name a scheme"
    );
    for target in [
        "//evil.example",
        "//evil.example/index.html",
        "/%2Fevil.example",
        "/%5Cevil.example",
        "/\\evil.example",
        "/.//evil.example",
        "/guide?%0d%0aSet-Cookie:%20a=b",
        "/guide?\"<>\\^`{|}",
        "/guide?//evil.example",
        "/guide%0d%0aLocation:%20x",
    ] {
        let response = server.get(target);
        assert_eq!(response.field("Set-Cookie"), None, "{target}");
        let location = response.field("Location").unwrap_or_default();
        assert!(!location.starts_with(['/', '\\']), "{target} → {location}");
        assert!(
            !location.contains(['"', '<', '>', '\\', ' ']),
            "{target} → {location}"
        );
    }
});

reactor_test!(answers_misses, |engine| {
    let site = Site::small();
    site.file("404.html", "not here");
    let built_in = Serve::new(engine, site.root())
        .start()
        .get("/nothing")
        .expect(404);
    assert!(
        (1..2_000).contains(&built_in.body.len()),
        "{}",
        built_in.text()
    );

    let server = Serve::new(engine, site.root())
        .flags(["--not-found", "404.html"])
        .start();
    let page = server.get("/nothing").expect(404);
    assert_eq!(page.text(), "not here");
    assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(
        (page.field("ETag"), page.field("Last-Modified")),
        (None, None)
    );
    let asked = [("Range", "bytes=0-1"), ("If-None-Match", "*")];
    assert_eq!(
        server.fetch("GET", "/nothing", &asked).expect(404).text(),
        "not here"
    );
    server.fetch("HEAD", "/nothing", &[]).expect(404);
    server.get("/404.html").expect(200);

    let server = Serve::new(engine, site.root())
        .flags(["--spa", "index.html"])
        .start();
    assert_eq!(server.get("/any/route").expect(200).text(), INDEX);
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
});
