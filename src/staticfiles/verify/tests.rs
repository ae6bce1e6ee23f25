//! Releases made by hand, and what is wrong with them after one change.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::symlink;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::manifest::release::VariantFile;

const CSS: &[u8] = b"body { color: navy; background: navy }";

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

fn write(directory: &TempDir, name: &str, content: &[u8]) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// What Django would have left.
fn published() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let manifest = "{\"paths\": {\"d/a.css\": \"d/a.75de69d7c30a.css\", \"b\": \"b\"}, \
                    \"version\": \"1.1\"}";
    write(&directory, "staticfiles.json", manifest.as_bytes());
    for name in ["d/a.css", "d/a.75de69d7c30a.css"] {
        write(&directory, name, CSS);
        write(&directory, &format!("{name}.gz"), &gzip(CSS));
        write(&directory, &format!("{name}.zst"), &zstd(CSS));
    }
    write(&directory, "b", b"b");
    directory
}

/// The same with a record.
fn released() -> TempDir {
    let directory = published();
    let sha256 = |content: &[u8]| Sha256::digest(content).into();
    let variant = |extension: &str, content: &[u8]| {
        let bytes = content.len() as u64;
        let sha256 = sha256(content);
        (extension.to_owned(), VariantFile { sha256, bytes })
    };
    let file = |content: &[u8], variants: &[(String, VariantFile)]| ReleaseFile {
        sha256: sha256(content),
        bytes: content.len() as u64,
        media_type: "text/css".to_owned(),
        immutable: false,
        other_settings: false,
        variants: variants.iter().cloned().collect(),
    };
    let variants = [variant("gz", &gzip(CSS)), variant("zst", &zstd(CSS))];
    let files = [
        ("d/a.css", file(CSS, &variants)),
        ("d/a.75de69d7c30a.css", file(CSS, &variants)),
        ("b", file(b"b", &[])),
    ];
    let files = files.map(|(name, file)| (name.as_bytes().to_vec(), file));
    let release = Release {
        settings: String::new(),
        files: BTreeMap::from(files),
    };
    write(&directory, "whitering.json", release.to_text().as_bytes());
    directory
}

/// Differences as `kind name`, after `change`.
#[track_caller]
fn check(make: fn() -> TempDir, change: impl FnOnce(&TempDir), expected: &[&str]) {
    let directory = make();
    change(&directory);
    let verified = verify(directory.path()).unwrap();
    let kind = |difference: &Difference| match difference {
        Difference::Missing(_) => "missing",
        Difference::Changed(_) => "changed",
        Difference::StaleVariant(_) => "stale",
        Difference::Manifest(_) => "manifest",
        Difference::Unreadable { .. } => "unreadable",
    };
    let differences = verified.differences.iter();
    let differences = differences.map(|found| format!("{} {}", kind(found), found.name()));
    assert_eq!(differences.collect::<Vec<_>>(), expected);
}

fn remove(name: &'static str) -> impl FnOnce(&TempDir) {
    move |directory| fs::remove_file(directory.path().join(name)).unwrap()
}

fn change(name: &'static str, content: &'static [u8]) -> impl FnOnce(&TempDir) {
    move |directory| write(directory, name, content)
}

#[test]
fn counts_what_it_compares() {
    let variants = gzip(CSS).len() + zstd(CSS).len();
    let bytes = (2 * (CSS.len() + variants) + 1) as u64;
    for make in [published, released] {
        let verified = verify(make().path()).unwrap();
        let expected = Verified {
            file_count: 7,
            bytes,
            differences: Vec::new(),
        };
        assert_eq!(verified, expected);
    }
}

#[test]
fn finds_what_differs_from_the_record() {
    let same_length = b"body { color: navy; background: teal }";
    check(released, remove("b"), &["missing b"]);
    check(released, change("b", b""), &["changed b"]);
    check(released, change("b", b"c"), &["changed b"]);
    check(
        released,
        change("d/a.css", same_length),
        &["changed d/a.css"],
    );
    check(
        released,
        change("d/a.css.gz", b"x"),
        &["changed d/a.css.gz"],
    );
    check(released, remove("d/a.css.gz"), &["missing d/a.css.gz"]);
    check(released, change("d/a.css.br", b""), &["stale d/a.css.br"]);
    check(released, change("b.gz", b""), &["stale b.gz"]);
    // Files that nobody recorded are nobody's business.
    check(released, change("other.css", b""), &[]);
    check(released, remove("staticfiles.json"), &[]);
    check(
        released,
        |directory| {
            remove("b")(directory);
            fs::create_dir(directory.path().join("b")).unwrap();
            remove("d/a.css")(directory);
        },
        &["unreadable b", "missing d/a.css"],
    );
    let manifest = b"{\"paths\": {\"c\": \"b\", \"e\": \"other\"}, \"version\": \"1.1\"}";
    check(
        released,
        change("staticfiles.json", manifest),
        &["manifest e"],
    );
}

#[test]
fn finds_what_differs_from_its_name() {
    check(published, remove("b"), &["missing b"]);
    // Its name does not say what it is.
    check(published, change("b", b"c"), &[]);
    let hashed = "d/a.75de69d7c30a.css";
    check(
        published,
        change("d/a.75de69d7c30a.css", b"other"),
        &[
            &format!("changed {hashed}"),
            &format!("stale {hashed}.gz"),
            &format!("stale {hashed}.zst"),
        ],
    );
    check(
        published,
        remove("d/a.75de69d7c30a.css"),
        &[&format!("missing {hashed}")],
    );
    check(published, change("d/a.css.gz", b"x"), &["stale d/a.css.gz"]);
    check(published, change("d/a.css.br", b""), &["stale d/a.css.br"]);
    // WhiteNoise may be told to keep hashed files only.
    check(
        published,
        |directory| {
            for name in ["d/a.css", "d/a.css.gz", "d/a.css.zst"] {
                remove(name)(directory);
            }
        },
        &[],
    );
}

/// A variant that decodes to more than its original is not decoded to its end.
#[test]
fn ends_at_the_length_of_the_original() {
    let bomb = zstd(&[0; 1 << 20]);
    check(
        published,
        |directory| write(directory, "d/a.css.zst", &bomb),
        &["stale d/a.css.zst"],
    );
}

#[test]
fn looks_nowhere_else() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let path = outside.path().to_str().unwrap();
    let manifest =
        format!("{{\"paths\": {{\"a\": \"../x\", \"b\": \"{path}\"}}, \"version\": \"1.1\"}}");
    let rewrite = |directory: &TempDir| write(directory, "staticfiles.json", manifest.as_bytes());
    check(published, rewrite, &["manifest a", "manifest b"]);
    let record = format!(
        "{{\"version\": 1, \"settings\": \"\", \"files\": {{\"a/../..\": {{\"sha256\": \"{}\", \
         \"bytes\": 0, \"media_type\": \"\", \"immutable\": true}}}}}}",
        "0".repeat(64)
    );
    check(
        published,
        |directory| {
            write(directory, "whitering.json", record.as_bytes());
            remove("staticfiles.json")(directory);
        },
        &["manifest a/../.."],
    );
    // With `--link` originals are links to their sources.
    check(
        released,
        |directory| {
            remove("b")(directory);
            write(directory, "source", b"b");
            symlink("source", directory.path().join("b")).unwrap();
        },
        &[],
    );
}

#[test]
fn says_why_nothing_is_compared() {
    let directory = tempfile::tempdir().unwrap();
    let error = |path: &Path| verify(path).unwrap_err().to_string();
    assert!(error(&directory.path().join("none")).contains("No such file"));
    assert!(error(directory.path()).contains("neither whitering.json nor"));
    write(&directory, "whitering.json", b"{\"version\": 7}");
    let message = error(directory.path());
    assert!(
        message.starts_with("its whitering.json is of no use: its version is 7; 1 is understood"),
        "{message}"
    );
}
