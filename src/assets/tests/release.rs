//! Sites with a `whitering.json`: what is believed, and what is read as if it were not there.

use std::fs;
use std::time::{Duration, SystemTime};

use super::*;
use crate::manifest::release::{FILE_NAME, Release, ReleaseFile, VariantFile};

/// A site with `a` and its variants, and a record that lies: digests `11…` and `22…`. So the
/// answers tell what was computed.
fn lying_site() -> Site {
    let site = Site::new(&[("a", A1000), ("a.br", BROTLI_A1000), ("a.gz", b"not gzip")]);
    let variant = |bytes| VariantFile {
        sha256: [0x22; 32],
        bytes,
    };
    let variants = [("br", 11), ("gz", 8)];
    let variants = variants.map(|(extension, bytes)| (extension.to_owned(), variant(bytes)));
    let file = ReleaseFile {
        sha256: [0x11; 32],
        bytes: 1000,
        media_type: "text/x-other".to_owned(),
        immutable: false,
        other_settings: false,
        variants: variants.into(),
    };
    site.record(&[("a", file)]);
    site
}

impl Site {
    /// Writes the record a second after everything else.
    fn record(&self, files: &[(&str, ReleaseFile)]) {
        let files = files.iter().cloned();
        let release = Release {
            settings: String::new(),
            files: files
                .map(|(name, file)| (name.as_bytes().to_vec(), file))
                .collect(),
        };
        fs::write(self.path("0").join(FILE_NAME), release.to_text()).unwrap();
        for entry in fs::read_dir(self.path("0")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            self.age(&name, if name == FILE_NAME { 10 } else { 11 });
        }
    }

    fn age(&self, name: &str, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        self.set_modified(&format!("0/{name}"), time);
    }
}

/// Codings and the beginnings of their entity tags.
fn tags(snapshot: &Snapshot, path: &str) -> Vec<String> {
    let variants = asset(snapshot, path).variants.iter();
    let tag = |variant: &Variant| {
        let etag = std::str::from_utf8(variant.heads.etag()).unwrap();
        format!("{} {}", variant.coding.token(), &etag[1..5])
    };
    variants.map(tag).collect()
}

/// The digest of a thousand times `a`, and of its Brotli form.
fn computed() -> (String, String) {
    let tag = |content| sha256_hex(content)[..4].to_owned();
    (tag(A1000), tag(BROTLI_A1000))
}

#[test]
fn what_was_not_touched_is_not_hashed() {
    let mut site = lying_site();
    let expected = ["gzip 2222", "br 2222", "identity 1111"];
    assert_eq!(tags(&site.load(&[]), "/a"), expected);
    site.options.memory_budget_bytes = 0;
    let snapshot = site.load(&[]);
    assert_eq!(tags(&snapshot, "/a"), expected);
    assert!(!head(asset(&snapshot, "/a")).contains("x-other"));
}

/// Each change makes one file another one than the record's.
#[test]
fn what_changed_is_hashed() {
    let (plain, brotli) = computed();
    let check = |change: &dyn Fn(&Site), warned: &[&str], expected: &[&str]| {
        for budget in [u64::MAX, 0] {
            let mut site = lying_site();
            site.options.memory_budget_bytes = budget;
            change(&site);
            assert_eq!(tags(&site.load(warned), "/a"), expected);
        }
    };
    let plain = format!("identity {plain}");
    let brotli = format!("br {brotli}");
    let refused = "a.gz\" is not the gzip form";
    // Of an original that is not the recorded one nothing is known: its variants are decoded.
    check(&|site| site.age("a", 9), &[refused], &["br 2222", &plain]);
    // This one the record would not know, and it is not what the original decodes to either.
    check(
        &|site| site.age("a.gz", 9),
        &[refused],
        &["br 2222", "identity 1111"],
    );
    let different = "a.br\" is not the br form";
    check(
        &|site| site.age("a.br", 9),
        &[different],
        &["gzip 2222", "identity 1111"],
    );
    check(
        &|site| {
            site.age("a", 9);
            site.age("a.br", 9);
        },
        &[refused],
        &[&brotli, &plain],
    );
    check(
        &|site| {
            fs::write(site.path("0/a"), [b'a'; 1001]).unwrap();
            site.age("a", 11);
        },
        &[different, refused],
        &[&format!("identity {}", &sha256_hex(&[b'a'; 1001])[..4])],
    );
}

/// A clock that was wrong, or an archive from elsewhere: everything would be older than it.
#[test]
fn a_record_from_the_future_proves_nothing() {
    let site = lying_site();
    let time = SystemTime::now() + Duration::from_secs(3600);
    site.set_modified("0/whitering.json", time);
    let (plain, brotli) = computed();
    let expected = [format!("br {brotli}"), format!("identity {plain}")];
    let snapshot = site.load(&["a.gz\" is not the gzip form"]);
    assert_eq!(tags(&snapshot, "/a"), expected);
}

/// After a copy that keeps no times everything is hashed, and equal digests spare the decoding.
#[test]
fn recorded_variants_of_recorded_originals_are_not_decoded() {
    let not_gzip = b"not gzip";
    let site = Site::new(&[("a", A1000), ("a.gz", not_gzip)]);
    let variant = VariantFile {
        sha256: Sha256::digest(not_gzip).into(),
        bytes: 8,
    };
    let file = ReleaseFile {
        sha256: Sha256::digest(A1000).into(),
        bytes: 1000,
        media_type: String::new(),
        immutable: false,
        other_settings: false,
        variants: [("gz".to_owned(), variant)].into(),
    };
    site.record(&[("a", file)]);
    site.age("a", 1);
    site.age("a.gz", 1);
    let expected = [Coding::Gzip, Coding::Identity];
    assert_eq!(codings(asset(&site.load(&[]), "/a")), expected);
}

#[test]
fn hashed_names_of_earlier_releases_never_change() {
    let manifest = br#"{"paths": {"a.css": "a.2.css"}, "version": "1.1"}"#;
    let names = ["a.css", "a.1.css", "a.2.css", "other.css"];
    let mut files: Vec<(&str, &[u8])> = names.map(|name| (name, &b""[..])).to_vec();
    files.push(("staticfiles.json", manifest));
    let site = Site::new(&files);
    let file = |immutable| ReleaseFile {
        sha256: Sha256::digest(b"").into(),
        bytes: 0,
        media_type: String::new(),
        immutable,
        other_settings: false,
        variants: [].into(),
    };
    site.record(&[("a.css", file(false)), ("a.1.css", file(true))]);
    let snapshot = site.load(&[]);
    let check = |path, immutable| {
        let head = head(asset(&snapshot, path));
        assert_eq!(head.contains("immutable"), immutable, "{path}");
    };
    check("/a.css", false);
    check("/a.1.css", true);
    check("/a.2.css", true);
    check("/other.css", false);
}

#[test]
fn a_corrupt_record_is_no_reason_to_stop() {
    let (plain, _) = computed();
    for text in ["", "{\"version\": 2}", "{\"version\": 1, \"files\": 1}"] {
        let site = Site::new(&[("a", A1000), (FILE_NAME, text.as_bytes())]);
        let snapshot = site.load(&["whitering.json\" is of no use: "]);
        assert_eq!(tags(&snapshot, "/a"), [format!("identity {plain}")]);
        assert_eq!(paths(&snapshot), ["/a", "/whitering.json"]);
    }
}

/// A record of files that are not there is no reason to stop either.
#[test]
fn a_record_of_what_is_not_there_says_nothing() {
    let site = lying_site();
    fs::remove_file(site.path("0/a")).unwrap();
    let snapshot = site.load(&[]);
    assert_eq!(paths(&snapshot), ["/a.br", "/a.gz", "/whitering.json"]);
}
