//! Where files come from and which never come: names and escapes, several sources, prefixes,
//! links, dot files, special files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site};

reactor_test!(resolves_paths_once, |engine| {
    let site = Site::small();
    site.file("100%25.txt", "percent");
    fs::write(site.root().join(OsStr::from_bytes(b"\xff.txt")), "bytes").unwrap();
    let server = Serve::new(engine, site.root()).start();
    for (target, body) in [
        ("/a%20b.txt", "space"),
        ("/%C3%A9.txt", "letter"),
        ("/%c3%a9.txt", "letter"),
        ("/%FF.txt", "bytes"),
        ("/100%2525.txt", "percent"),
        (
            "/%67uide/page.html?query",
            "<!doctype html><title>Page</title>",
        ),
        ("/./guide/../a%20b.txt", "space"),
        ("/guide/%2e%2E/a%20b.txt", "space"),
        ("/guide%2F..%2fa%20b.txt", "space"),
        ("/../../a%20b.txt", "space"),
    ] {
        assert_eq!(server.get(target).expect(200).text(), body, "{target}");
    }
    for target in [
        "/%",
        "/a%2",
        "/%zz",
        "/a%00.txt",
        "/digits.txt%00",
        "/%00",
        "/%u0041",
    ] {
        server
            .fetch("GET", target, &[("Connection", "close")])
            .expect(400);
    }
    for target in [
        "/100%25.txt",
        "/a+b.txt",
        "/digits.txt/",
        "/digits.txt/x",
        "//digits.txt",
        "/DIGITS.TXT",
        "/a%2520b.txt",
        "/etc/passwd",
        "/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%5c..%5cetc/passwd",
    ] {
        server.get(target).expect(404);
    }
});

reactor_test!(never_serves_what_is_hidden, |engine| {
    let site = Site::small();
    site.file("guide/.hidden/page.html", "hidden");
    site.file("guide/.well-known/x", "hidden");
    site.file(".git/config", "hidden");
    let server = Serve::new(engine, site.root()).start();
    server.get("/.well-known/security.txt").expect(200);
    for target in [
        "/.secret",
        "/%2esecret",
        "/guide/../.secret",
        "/.git/config",
        "/guide/.hidden/page.html",
        "/guide/.well-known/x",
        "/css/site.css.br",
        "/css/site.css.gz",
        "/css/site.css.zst",
        "/.well-known/",
    ] {
        let response = server.get(target).expect(404);
        assert!(!response.text().contains("hidden"), "{target}");
    }
});

reactor_test!(follows_links_inside_the_root_only, |engine| {
    let outside = Site::empty();
    outside.file("passwords", "hidden");
    let site = Site::small();
    site.link("relative.txt", "digits.txt");
    site.link("absolute.txt", site.path("digits.txt"));
    site.link("escape.txt", outside.path("passwords"));
    site.link("escape", outside.root());
    site.link("loop", ".");
    site.link("self", "self");
    site.link("dangling", "nowhere");
    // A variant that is a link out of the root has leaked files elsewhere.
    site.link("digits.txt.gz", outside.path("passwords"));
    let pipe = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status()
        .unwrap();
    assert!(pipe.success());

    let server = Serve::new(engine, site.root()).start();
    assert_eq!(server.get("/relative.txt").expect(200).body, DIGITS);
    assert_eq!(server.get("/absolute.txt").expect(200).body, DIGITS);
    let asked = server
        .fetch("GET", "/digits.txt", &[("Accept-Encoding", "gzip")])
        .expect(200);
    assert_eq!(asked.body, DIGITS);
    for target in [
        "/escape.txt",
        "/escape/passwords",
        "/self",
        "/dangling",
        "/pipe",
        "/digits.txt.gz",
    ] {
        let response = server.get(target).expect(404);
        assert!(!response.text().contains("hidden"), "{target}");
    }
});

reactor_test!(takes_the_first_of_several_sources, |engine| {
    let [first, second, third] = [Site::empty(), Site::empty(), Site::empty()];
    first.file("shared.txt", "first");
    second.file("shared.txt", "second");
    second.file("only.txt", "second");
    third.file("shared.txt", "third");
    third.file("index.html", "third");
    let second_flag = second.root().to_str().unwrap().to_owned();
    let third_flag = format!("/static/={}", third.root().display());
    let flags = ["--source", &second_flag, "--source", &third_flag];
    let check = |server: &Server, target: &str, body: &str| {
        assert_eq!(server.get(target).expect(200).text(), body, "{target}");
    };

    let server = Serve::new(engine, first.root()).flags(flags).start();
    check(&server, "/shared.txt", "first");
    check(&server, "/only.txt", "second");
    check(&server, "/static/shared.txt", "third");
    check(&server, "/static/", "third");
    assert_eq!(
        server.get("/static").expect(302).field("Location"),
        Some("static/")
    );

    let server = Serve::sources(engine).flags(flags).start();
    check(&server, "/shared.txt", "second");

    for prefix in ["/p/", "p", "https://cdn.example.org/p/"] {
        let server = Serve::new(engine, first.root())
            .flags(["--prefix", prefix])
            .start();
        check(&server, "/p/shared.txt", "first");
        server.get("/shared.txt").expect(404);
    }
});

reactor_test!(serves_every_file_of_the_sample_site, |engine| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site");
    if !root.is_dir() {
        return crate::support::skip("there is no tests/site");
    }
    let server = Serve::new(engine, &root).start();
    let mut client = server.connect();
    let mut count = 0;
    for path in files(&root) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let Some(target) = published(&root, name) else {
            client.get(&format!("/{}", escaped(name))).expect(404);
            continue;
        };
        let response = client.get(&target).expect(200);
        assert!(response.body == fs::read(&path).unwrap(), "{target}");
        assert_eq!(
            response.field("X-Content-Type-Options"),
            Some("nosniff"),
            "{target}"
        );
        response.etag();
        count += 1;
    }
    client.finish();
    assert!(count > 10, "only {count} files");
});

/// All files below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let nested = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    nested.collect()
}

/// The URL path of the file `name`, if it is to be served.
fn published(root: &Path, name: &str) -> Option<String> {
    let visible = name.strip_prefix(".well-known/").unwrap_or(name);
    let hidden = visible.split('/').any(|part| part.starts_with('.'));
    let original = [".br", ".gz", ".zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix));
    let variant = original.is_some_and(|original| root.join(original).is_file());
    let directory = match name.strip_suffix("index.html") {
        Some(directory) if directory.is_empty() || directory.ends_with('/') => directory,
        _ => name,
    };
    (!hidden && !variant).then(|| format!("/{}", escaped(directory)))
}

/// `path` with everything escaped that a target may not hold.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let bytes = path.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    bytes.collect()
}
