//! `whitering compress` as an operator meets it: what it prints, its exit codes, its cache.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn compress(root: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whitering"));
    command.env_clear().env("HOME", root).current_dir(root);
    command
        .env("WHITERING_LEVEL", "fast")
        .env("WHITERING_THREADS", "1");
    command.arg("compress").args(flags);
    command.output().unwrap()
}

fn site() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("site")).unwrap();
    fs::write(
        root.path().join("site/a.css"),
        "a { color: red }\n".repeat(200),
    )
    .unwrap();
    fs::write(root.path().join("site/b.txt"), "b").unwrap();
    root
}

fn check(root: &Path, flags: &[&str], code: i32, stdout: &[&str], stderr: &[&str]) {
    let output = compress(root, flags);
    assert_eq!(output.status.code(), Some(code), "{flags:?}: {output:?}");
    for (stream, parts) in [(output.stdout, stdout), (output.stderr, stderr)] {
        let text = String::from_utf8(stream).unwrap();
        for part in parts {
            assert!(text.contains(part), "{flags:?}: no {part:?} in {text:?}");
        }
        assert_eq!(text.is_empty(), parts.is_empty(), "{flags:?}: {text:?}");
    }
}

fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("site")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn tells_what_it_does() {
    let site = site();
    let root = site.path();
    let lines = [
        "Brotli compressed site/a.css (3K -> 0K)\nGzip compressed site/a.css (3K -> 0K)\n",
        "Skipping site/b.txt (Brotli compression not effective)\n",
        "2 files, 3.3 KiB; 2 variants written in ",
    ];
    check(root, &["site"], 0, &lines, &[]);
    assert_eq!(names(root), ["a.css", "a.css.br", "a.css.gz", "b.txt"]);
    let lines = [
        "Brotli unchanged site/a.css",
        "0 variants written in ",
        "1 from the cache",
    ];
    check(root, &["site"], 0, &lines, &[]);
    assert!(root.join(".cache/whitering").is_dir());
    check(root, &["-q", "site"], 0, &[], &[]);
    let json = ["\"encoding\": \"zstd\"", "\"written\": 1"];
    check(
        root,
        &["site", "--format", "json", "--encodings", "br,zstd"],
        0,
        &json,
        &[],
    );
    assert_eq!(
        names(root),
        ["a.css", "a.css.br", "a.css.gz", "a.css.zst", "b.txt"]
    );
}

#[test]
fn takes_whitenoises_arguments() {
    let site = site();
    check(
        site.path(),
        &["-q", "--no-gzip", "site", "txt"],
        0,
        &[],
        &[],
    );
    assert_eq!(names(site.path()), ["a.css", "a.css.br", "b.txt"]);
    check(
        site.path(),
        &["--quiet", "--no-brotli", "site", "png", "txt"],
        0,
        &[],
        &[],
    );
    assert_eq!(
        names(site.path()),
        ["a.css", "a.css.br", "a.css.gz", "b.txt"]
    );
    check(
        site.path(),
        &["-q", "--no-cache", "site", "css"],
        0,
        &[],
        &[],
    );
    assert_eq!(
        names(site.path()),
        ["a.css", "a.css.br", "a.css.gz", "b.txt"]
    );
}

#[test]
fn fails_with_a_reason() {
    let site = site();
    let root = site.path();
    check(
        root,
        &["nowhere"],
        1,
        &[],
        &["cannot read nowhere: No such file"],
    );
    check(
        root,
        &["site", "--no-gzip", "--no-brotli"],
        2,
        &[],
        &["no encoding left"],
    );
    check(
        root,
        &["site", "--threads", "0"],
        2,
        &[],
        &["from 1 to 1024"],
    );
    std::os::unix::fs::symlink("nowhere", root.join("site/broken.css")).unwrap();
    check(
        root,
        &["-q", "site"],
        1,
        &[],
        &["error: cannot read site/broken.css"],
    );
    assert_eq!(
        names(root),
        ["a.css", "a.css.br", "a.css.gz", "b.txt", "broken.css"]
    );
}

#[test]
fn does_without_a_cache_it_cannot_have() {
    let site = site();
    let flags = ["-q", "site", "--cache", "site/b.txt/cache"];
    check(
        site.path(),
        &flags,
        0,
        &[],
        &["warning: nothing is remembered"],
    );
    assert_eq!(
        names(site.path()),
        ["a.css", "a.css.br", "a.css.gz", "b.txt"]
    );
}
