//! Loads whole sites from temporary directories and looks at the snapshots.

mod packed;
mod release;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use globset::Glob;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::decode::tests::{BROTLI_A1000, gzip, zstd};
use super::load::load_at;
use super::*;
use crate::http::Coding;
use crate::http::media_type::MediaTypes;
use crate::sys::identity::Identity;

/// A directory with a source `0` at `/`, and what to load from it.
struct Site {
    parent: TempDir,
    options: Options,
}

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let mut site = Self {
            parent,
            options: Options {
                sources: Vec::new(),
                memory_budget_bytes: u64::MAX,
                file_memory_bytes_max: u64::MAX,
                max_age_seconds: Some(60),
                cors: true,
                media_types: MediaTypes::new("utf-8", &[]),
                header_rules: Vec::new(),
                index_file: Some("index.html".to_owned()),
                immutable: None,
                not_found: None,
                packed: Vec::new(),
            },
        };
        site.source("/", files);
        site
    }

    fn source(&mut self, prefix: &str, files: &[(&str, &[u8])]) {
        let directory = self.path(&self.options.sources.len().to_string());
        fs::create_dir(&directory).unwrap();
        for (name, content) in files {
            let path = directory.join(OsStr::from_bytes(name.as_bytes()));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.options.sources.push(SourceDirectory {
            prefix: prefix.to_owned(),
            directory,
        });
    }

    fn path(&self, path: &str) -> PathBuf {
        self.parent.path().join(path)
    }

    fn set_modified(&self, path: &str, time: SystemTime) {
        let file = File::open(self.path(path)).unwrap();
        file.set_modified(time).unwrap();
    }

    /// The snapshot; exactly the given parts of warnings must be given, in order.
    #[track_caller]
    fn load(&self, warned: &[&str]) -> Snapshot {
        let Loaded { snapshot, warnings } = load(&self.options).unwrap();
        assert_eq!(warnings.len(), warned.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(warned) {
            assert!(warning.to_string().contains(part), "{warning}");
        }
        snapshot
    }
}

/// The asset that `path` names.
#[track_caller]
fn asset<'a>(snapshot: &'a Snapshot, path: &str) -> &'a Asset {
    match snapshot.find(path.as_bytes()) {
        Some(Entry::Asset(index)) => snapshot.asset(*index),
        other => panic!("{path}: {other:?}"),
    }
}

/// The codings of `asset`'s variants in their order.
fn codings(asset: &Asset) -> Vec<Coding> {
    asset
        .variants
        .iter()
        .map(|variant| variant.coding)
        .collect()
}

/// The full answer's head of the first variant.
fn head(asset: &Asset) -> &str {
    std::str::from_utf8(asset.variants[0].heads.ok()).unwrap()
}

fn paths(snapshot: &Snapshot) -> Vec<String> {
    let keys = snapshot.entries.keys();
    let mut paths: Vec<String> = keys.map(|key| key.escape_ascii().to_string()).collect();
    paths.sort();
    paths
}

fn sha256_hex(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const A1000: &[u8] = &[b'a'; 1000];

#[test]
fn renders_whole_answers() {
    let site = Site::new(&[("a b.css", b"body {}")]);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_999);
    site.set_modified("0/a b.css", modified);
    let snapshot = site.load(&[]);
    let asset = asset(&snapshot, "/a b.css");
    let digest = sha256_hex(b"body {}");
    let expected = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Content-Type: text/css; charset=utf-8\r\nCache-Control: max-age=60, public\r\n\
         Access-Control-Allow-Origin: *\r\nX-Content-Type-Options: nosniff\r\n\
         Last-Modified: Fri, 02 Jan 1970 00:00:00 GMT\r\nETag: \"{}\"\r\n\
         Accept-Ranges: bytes\r\nContent-Length: 7\r\n\r\n",
        &digest[..32]
    );
    assert_eq!(head(asset), expected);
    assert_eq!(asset.modified_seconds, Some(86_400));
    assert!(matches!(&asset.variants[0].body, Body::Memory(bytes) if bytes == "body {}"));
    assert_eq!((snapshot.totals.assets, snapshot.totals.variants), (1, 0));
    assert_eq!(
        (snapshot.totals.memory_bytes, snapshot.totals.disk_bytes),
        (7, 0)
    );
}

#[test]
fn variants_are_chosen_by_size() {
    let site = Site::new(&[
        ("a", A1000),
        ("a.gz", &gzip(A1000)),
        ("a.br", BROTLI_A1000),
        ("a.zst", &zstd(A1000)),
        ("tiny", b"x"),
        ("tiny.gz", &gzip(b"x")),
    ]);
    let snapshot = site.load(&[]);
    let found = asset(&snapshot, "/a");
    let sizes: Vec<u64> = found
        .variants
        .iter()
        .map(|variant| variant.body.bytes())
        .collect();
    assert!(sizes.is_sorted(), "{sizes:?}");
    assert_eq!(codings(found)[0], Coding::Brotli);
    assert_eq!(codings(found)[3], Coding::Identity);
    for variant in &found.variants {
        let etag = std::str::from_utf8(variant.heads.etag()).unwrap();
        let end = match variant.coding.extension() {
            Some(extension) => format!("-{extension}\""),
            None => "\"".to_owned(),
        };
        let length = 33 + end.len();
        assert!(etag.ends_with(&end) && etag.len() == length, "{etag}");
        let fields = std::str::from_utf8(variant.heads.fields()).unwrap();
        assert!(fields.contains("Vary: Accept-Encoding\r\n"), "{fields}");
    }
    assert_eq!(
        codings(asset(&snapshot, "/tiny")),
        [Coding::Identity, Coding::Gzip]
    );
    assert_eq!(paths(&snapshot), ["/a", "/tiny"]);
    assert_eq!((snapshot.totals.assets, snapshot.totals.variants), (2, 4));
}

#[test]
fn a_stale_variant_is_never_served() {
    for budget in [u64::MAX, 0] {
        let mut site = Site::new(&[
            ("a", A1000),
            ("a.br", BROTLI_A1000),
            ("a.gz", &gzip(b"an earlier version")),
            ("a.zst", b"not at all"),
        ]);
        site.options.memory_budget_bytes = budget;
        let snapshot = site.load(&[
            "a.gz\" is not the gzip form of its original (it decodes to other content)",
            "a.zst\" is not the zstd form of its original (it does not decode",
        ]);
        assert_eq!(
            codings(asset(&snapshot, "/a")),
            [Coding::Brotli, Coding::Identity]
        );
        assert_eq!(paths(&snapshot), ["/a"]);
        let is_memory = |variant: &Variant| matches!(variant.body, Body::Memory(_));
        assert_eq!(
            asset(&snapshot, "/a").variants.iter().any(is_memory),
            budget > 0
        );
    }
}

/// Git and container layers keep no file times: a variant is judged by its content alone.
#[test]
fn an_older_variant_of_the_same_content_is_served() {
    let site = Site::new(&[("a", A1000), ("a.gz", &gzip(A1000))]);
    site.set_modified("0/a.gz", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    let snapshot = site.load(&[]);
    assert_eq!(
        codings(asset(&snapshot, "/a")),
        [Coding::Gzip, Coding::Identity]
    );
}

#[test]
fn a_variant_that_leaves_the_root_is_not_read() {
    let site = Site::new(&[("a", A1000)]);
    fs::write(site.path("outside.gz"), gzip(A1000)).unwrap();
    symlink("../outside.gz", site.path("0/a.gz")).unwrap();
    let snapshot = site.load(&["out of its source"]);
    assert_eq!(codings(asset(&snapshot, "/a")), [Coding::Identity]);
}

#[test]
fn warnings_are_in_the_order_of_paths() {
    let site = Site::new(&[("a", A1000), ("a.gz", b""), ("c", A1000), ("c.gz", b"")]);
    symlink("nothing", site.path("0/b")).unwrap();
    site.load(&["a.gz\"", "b\"", "c.gz\""]);
}

#[test]
fn keys_are_bytes() {
    let site = Site::new(&[]);
    fs::write(site.path("0").join(OsStr::from_bytes(b"\xff %41.css")), "x").unwrap();
    let snapshot = site.load(&[]);
    let Some(Entry::Asset(0)) = snapshot.find(b"/\xff %41.css") else {
        panic!("{:?}", paths(&snapshot));
    };
    assert!(head(snapshot.asset(0)).contains("Content-Type: text/css"));
}

#[test]
fn the_first_source_wins_below_any_prefix() {
    let mut site = Site::new(&[("p/both", b"first"), ("one", b"1")]);
    site.source(
        "/p/",
        &[("both", b"second"), ("two", b"2"), ("index.html", b"i")],
    );
    let snapshot = site.load(&[]);
    let expected = ["/one", "/p", "/p/", "/p/both", "/p/index.html", "/p/two"];
    assert_eq!(paths(&snapshot), expected);
    let body = &asset(&snapshot, "/p/both").variants[0].body;
    assert!(matches!(body, Body::Memory(bytes) if bytes == "first"));
    assert_eq!(snapshot.find(b"/p"), Some(&Entry::Redirect("p/".into())));
    assert_eq!(snapshot.roots.len(), 2);
}

#[test]
fn manifests_say_what_never_changes() {
    let manifest = br#"{"paths": {"a.css": "a.1f.css", "b": "b"}, "version": "1.1"}"#;
    let mut site = Site::new(&[("a.1f.css", b"")]);
    site.source(
        "/s/",
        &[
            ("staticfiles.json", manifest),
            ("a.css", b""),
            ("a.1f.css", b""),
            ("b", b""),
        ],
    );
    let snapshot = site.load(&[]);
    let check = |path, immutable| {
        let head = head(asset(&snapshot, path));
        assert_eq!(head.contains("immutable"), immutable, "{path}");
    };
    check("/s/a.1f.css", true);
    check("/s/a.css", false);
    check("/s/b", false);
    check("/a.1f.css", false);
}

#[test]
fn a_corrupt_manifest_is_no_reason_to_stop() {
    let site = Site::new(&[("staticfiles.json", b"{\"paths\""), ("a", b"")]);
    let snapshot = site.load(&["until the files are collected again"]);
    assert_eq!(paths(&snapshot), ["/a", "/staticfiles.json"]);
}

#[test]
fn a_page_answers_what_is_not_found() {
    let files: &[(&str, &[u8])] = &[("404.html", A1000), ("404.html.gz", &gzip(A1000))];
    let check = |prefix, name: &str, budget| {
        let mut site = Site::new(&[]);
        site.source(prefix, files);
        site.options.memory_budget_bytes = budget;
        site.options.not_found = Some(NotFoundFile::Page(name.to_owned()));
        let snapshot = site.load(&[]);
        let Some(NotFound::Page(index)) = snapshot.not_found else {
            panic!("{:?}", snapshot.not_found);
        };
        let page = snapshot.asset(index);
        assert_eq!(codings(page), [Coding::Gzip, Coding::Identity]);
        let head = head(page);
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
        assert!(head.contains("Cache-Control: no-cache\r\n"), "{head}");
        assert!(head.contains("Vary: Accept-Encoding\r\n"), "{head}");
        assert!(
            !head.contains("ETag") && !head.contains("Last-Modified"),
            "{head}"
        );
        assert!(!head.contains("Accept-Ranges"), "{head}");
        assert_eq!(snapshot.totals.assets, 1);
    };
    check("/", "404.html", u64::MAX);
    check("/", "/404.html", 0);
    check("/p/", "404.html", 0);
    check("/p/", "p/404.html", u64::MAX);
}

#[test]
fn a_single_page_answers_with_itself() {
    let manifest = br#"{"paths": {"app.html": "app.1.html"}, "version": "1.1"}"#;
    let mut site = Site::new(&[
        ("index.html", b"i"),
        ("app.1.html", b"a"),
        ("staticfiles.json", manifest),
    ]);
    let mut check = |name: &str, path| {
        site.options.not_found = Some(NotFoundFile::Spa(name.to_owned()));
        let snapshot = site.load(&[]);
        let Some(Entry::Asset(index)) = snapshot.find(path) else {
            panic!("{name}");
        };
        assert_eq!(snapshot.not_found, Some(NotFound::Spa(*index)));
    };
    check("index.html", b"/");
    check("app.html", b"/app.1.html");
    site.options.not_found = Some(NotFoundFile::Spa("no.html".to_owned()));
    let error = load(&site.options).unwrap_err().to_string();
    assert!(error.starts_with("--spa \"no.html\" names none"), "{error}");
}

#[test]
fn large_files_stay_on_disk() {
    let mut site = Site::new(&[("large", &[b'x'; 300]), ("small", b"12345"), ("empty", b"")]);
    site.options.memory_budget_bytes = 100;
    let snapshot = site.load(&[]);
    let body = |path| &asset(&snapshot, path).variants[0].body;
    assert!(matches!(body("/small"), Body::Memory(_)));
    assert!(matches!(body("/empty"), Body::Memory(_)));
    let Body::File(file) = body("/large") else {
        panic!("in memory");
    };
    assert_eq!((file.root_index, file.path.as_c_str()), (0, c"large"));
    assert_eq!(
        file.identity,
        Identity::of(&fs::metadata(site.path("0/large")).unwrap())
    );
    let digest = sha256_hex(&[b'x'; 300]);
    assert!(head(asset(&snapshot, "/large")).contains(&digest[..32]));
    assert_eq!(
        (snapshot.totals.memory_bytes, snapshot.totals.disk_bytes),
        (5, 300)
    );
}

#[test]
fn times_without_meaning_are_not_sent() {
    let check = |modified: SystemTime, expected| {
        let site = Site::new(&[("a", b"")]);
        site.set_modified("0/a", modified);
        let snapshot = site.load(&[]);
        let asset = asset(&snapshot, "/a");
        assert_eq!(asset.modified_seconds, expected);
        assert_eq!(head(asset).contains("Last-Modified"), expected.is_some());
    };
    let epoch = SystemTime::UNIX_EPOCH;
    check(epoch, None);
    check(epoch + Duration::from_millis(999), None);
    check(epoch + Duration::from_secs(1), Some(1));
    check(epoch - Duration::from_secs(1), None);
    check(SystemTime::now() + Duration::from_secs(3600), None);
}

#[test]
fn rules_reach_the_heads() {
    let mut site = Site::new(&[("a.css", b""), ("b.js", b"")]);
    let mut rule = |name: &str, value: &str| {
        site.options.header_rules.push(HeaderRule {
            glob: Glob::new("*.css").unwrap().compile_matcher(),
            name: name.to_owned(),
            value: value.to_owned(),
        });
    };
    rule("Link", "<b.js>; rel=preload");
    rule("Content-Length", "5");
    let snapshot = site.load(&["\"Content-Length\" is ignored"]);
    assert!(head(asset(&snapshot, "/a.css")).contains("Link: <b.js>; rel=preload\r\n"));
    assert!(!head(asset(&snapshot, "/b.js")).contains("Link"));
    site.options.header_rules[0].value = "x".repeat(70_000);
    let snapshot = site.load(&["\"Content-Length\"", "longer than 64 KiB"]);
    assert_eq!(paths(&snapshot), ["/b.js"]);
}

#[test]
fn unreadable_files_are_left_out() {
    let site = Site::new(&[("a", b""), ("secret", b"")]);
    let secret = site.path("0/secret");
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    if File::open(&secret).is_ok() {
        skip("this user may read every file");
        return;
    }
    let snapshot = site.load(&["secret\" cannot be read"]);
    assert_eq!(paths(&snapshot), ["/a"]);
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// Everything that a client could see of a snapshot.
fn dump(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (path, entry) in &snapshot.entries {
        let path = path.escape_ascii();
        match entry {
            Entry::Redirect(location) => lines.push(format!("{path} {location}")),
            Entry::Asset(index) => {
                for variant in &snapshot.asset(*index).variants {
                    let place = matches!(variant.body, Body::Memory(_));
                    let head = variant.heads.ok().escape_ascii();
                    lines.push(format!("{path} {index} {place} {head}"));
                }
            }
        }
    }
    lines.sort();
    lines
}

/// Also the figure of memory that the index may take.
#[test]
fn many_files_load_alike_with_any_number_of_threads() {
    let mut site = Site::new(&[]);
    write_many(&site.path("0"), 2000);
    site.options.memory_budget_bytes = 50_000;
    let one = load_at(&site.options, 2_000_000_000, 1).unwrap();
    let many = load_at(&site.options, 2_000_000_000, 8).unwrap();
    assert_eq!(dump(&one.snapshot), dump(&many.snapshot));
    assert!(one.warnings.is_empty(), "{:?}", one.warnings);
    let totals = one.snapshot.totals;
    assert_eq!((totals.assets, totals.variants), (2000, 500));
    assert_eq!(totals, many.snapshot.totals);
    assert!(
        totals.memory_bytes <= 50_000 && totals.disk_bytes > 0,
        "{totals:?}"
    );
    assert!(totals.index_bytes / 2500 <= 1024, "{totals:?}");
}

fn write_many(directory: &Path, count: usize) {
    for index in 0..count {
        let directory = directory.join(format!("directory-{}", index / 500));
        fs::create_dir_all(&directory).unwrap();
        let text = format!("content {index} ").repeat(1 + index % 8);
        let path = directory.join(format!("file-{index}.css"));
        fs::write(&path, &text).unwrap();
        if index % 4 == 0 {
            fs::write(path.with_extension("css.gz"), gzip(text.as_bytes())).unwrap();
        }
    }
}
