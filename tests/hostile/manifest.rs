//! Manifests: whatever is in the file, reading it gives names or an error, and the same names as
//! a general JSON reader finds.

use serde_json::Value;
use whitering::internal::manifest::Manifest;
use whitering::internal::manifest::release::Release;

use super::mutation::hostile;
use super::random::{assert_reached, run};

#[test]
fn reads_what_a_json_reader_reads() {
    let outcome = run(CASE_COUNT, |random| {
        let text = hostile(random, CORPUS);
        let shown = text.escape_ascii();
        let manifest = Manifest::parse(&text);
        let value = serde_json::from_slice::<Value>(&text);
        if let Err(value_error) = &value {
            // Not JSON; or it holds what only a reader of names takes: surrogates, what is no
            // UTF-8, control characters, and numbers too large, which it does not look at.
            if let Ok(manifest) = manifest {
                let is_text = std::str::from_utf8(&text).is_ok();
                let is_odd = text.contains(&b'\\')
                    || text.iter().any(|byte| *byte < b' ')
                    || value_error.to_string().starts_with("number out of range");
                assert!(!is_text || is_odd, "{shown}");
                assert!(manifest.hashed().count() <= text.len());
            }
            return false;
        }
        let value = value.unwrap();
        let Some(names) = names(&value) else {
            assert!(manifest.is_err(), "{shown}");
            return false;
        };
        let Ok(manifest) = manifest else {
            // The general reader takes a key that comes twice.
            let count = |key: &[u8]| text.windows(key.len()).filter(|part| *part == key).count();
            assert!(
                count(b"paths") > 1 || count(b"version") > 1 || text.contains(&b'\\'),
                "{shown}"
            );
            return false;
        };
        for (logical, published) in &names {
            let found = manifest.published(logical.as_bytes());
            assert_eq!(found, Some(published.as_bytes()), "{logical}: {shown}");
        }
        let changed = names
            .iter()
            .filter(|(logical, published)| logical != published);
        assert_eq!(manifest.hashed().count(), changed.count(), "{shown}");
        true
    });
    assert_reached(outcome, 12);
}

/// Whatever is understood of a record is written so that it is understood alike.
#[test]
fn writes_the_record_that_it_read() {
    let outcome = run(CASE_COUNT, |random| {
        let text = hostile(random, RECORDS);
        let Ok(release) = Release::parse(&text) else {
            return false;
        };
        let written = Release::parse(release.to_text().as_bytes()).unwrap();
        assert_eq!(written, release, "{}", text.escape_ascii());
        true
    });
    assert_reached(outcome, 12);
}

/// The names in a manifest of a version that is understood.
fn names(value: &Value) -> Option<Vec<(&str, &str)>> {
    let version = value.get("version")?.as_str()?;
    if version != "1.0" && version != "1.1" {
        return None;
    }
    let paths = value.get("paths")?.as_object()?.iter();
    paths
        .map(|(logical, published)| Some((logical.as_str(), published.as_str()?)))
        .collect()
}

const CASE_COUNT: u64 = 60_000;

const CORPUS: &[&[u8]] = &[
    br#"{"paths": {"a.css": "a.1234567890ab.css", "b": "b"}, "version": "1.1", "hash": "x"}"#,
    br#"{"version": "1.0", "paths": {}}"#,
    br#"{"paths": {"\u00e9\"\\\/.css": "\ud83d\ude00.css", "\udcff": "\udc80"}, "version": "1.1"}"#,
    "{\"paths\": {\"é/ü.js\": \"é/ü.abc.js\"},\r\n\t\"version\": \"1.1\"}".as_bytes(),
    br#"{"paths": {"a": ["b"]}, "version": "1.1"}"#,
    br#"{"paths": {"a": "b", "a": "c"}, "version": "2.0"}"#,
    br#"[[[[{"paths": null, "version": 1.1}]]]]"#,
    br#"{"other": [1, 2.5e3, -0, true, null, {"deep": [[[]]]}], "paths": {"x": "y"}, "version": "1.1"}"#,
];

const RECORDS: &[&[u8]] = &[
    br#"{"version": 1, "settings": "", "files": {}}"#,
    br#"{"version":1,"settings":"ab","files":{"\udcff\ud83d\ude00\n":{"sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF","bytes":7,"media_type":"text/css","immutable":true,"variants":{"br":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","bytes":18446744073709551615}}}}}"#,
    br#"{"files": {"a": {"sha256": 1}}, "later": [{"deep": [[]]}, null], "settings": "", "version": 1}"#,
    br#"{"version": 2, "files": 7}"#,
];
