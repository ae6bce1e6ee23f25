//! The manifest `staticfiles.json`: logical name → published name, as Django writes it, and
//! `whitering.json` beside it. Text only; finding and opening the files is the caller's work.

mod name;
pub mod release;

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde::Deserialize;

use name::{Name, code_points};

/// The names of one published directory.
///
/// ```
/// let text = br#"{"paths": {"css/app.css": "css/app.6d0ea5f66de1.css"}, "version": "1.1"}"#;
/// let manifest = whitering::Manifest::parse(text)?;
/// assert_eq!(manifest.published(b"css/app.css"), Some(&b"css/app.6d0ea5f66de1.css"[..]));
/// # Ok::<(), whitering::ManifestError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    paths: BTreeMap<Name, Name>,
}

/// Why a manifest cannot be used. The operator must publish again.
///
/// ```
/// use whitering::{Manifest, ManifestError};
///
/// let error = Manifest::parse(br#"{"paths": {}, "version": "2"}"#).unwrap_err();
/// assert!(matches!(error, ManifestError::Version { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON, or not of the form that Django writes.
    #[error("it is not a manifest ({0})")]
    Malformed(#[from] serde_json::Error),
    /// It has the right form but a version of unknown meaning.
    #[error("its version is {found}; {understood} understood")]
    Version {
        /// Its version, as JSON.
        found: String,
        /// Which would be.
        understood: &'static str,
    },
}

impl Manifest {
    /// Reads the text of a manifest, of version 1.0 or 1.1.
    ///
    /// # Errors
    /// It is no manifest, or of another version.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let file: ManifestFile = serde_json::from_slice(text)?;
        if !VERSIONS.contains(&file.version.as_str()) {
            return Err(ManifestError::Version {
                found: format!("{:?}", file.version),
                understood: "1.0 and 1.1 are",
            });
        }
        Ok(Self { paths: file.paths })
    }

    /// The manifest of these pairs of logical and published name.
    pub fn from_paths(paths: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let pairs = paths.into_iter();
        let paths = pairs.map(|(logical, published)| (Name(logical), Name(published)));
        Self {
            paths: paths.collect(),
        }
    }

    /// The text as Django 6.0 and 6.1 write it, byte for byte: version 1.1, paths in order.
    pub fn to_text(&self) -> String {
        let mut paths: Vec<(&Name, &Name)> = self.paths.iter().collect();
        // In the order of bytes but for names that are not UTF-8, so there is little to do.
        paths.sort_by(|(one, _), (other, _)| code_points(&one.0).cmp(code_points(&other.0)));
        let mut text = String::from("{\"paths\": {");
        for (index, (logical, published)) in paths.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            name::write_json(&logical.0, &mut text);
            text.push_str(": ");
            name::write_json(&published.0, &mut text);
        }
        text.push_str("}, \"version\": \"1.1\", \"hash\": \"");
        text.push_str(&hash(&paths));
        text.push_str("\"}");
        text
    }

    /// The published name of `logical`.
    pub fn published(&self, logical: &[u8]) -> Option<&[u8]> {
        self.paths.get(logical).map(|published| &*published.0)
    }

    /// All pairs of logical and published name.
    pub fn paths(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let paths = self.paths.iter();
        paths.map(|(logical, published)| (&*logical.0, &*published.0))
    }

    /// The published names that differ from their logical ones: their content never changes.
    pub fn hashed(&self) -> impl Iterator<Item = &[u8]> {
        self.paths
            .iter()
            .filter(|(logical, published)| logical != published)
            .map(|(_, published)| published.0.as_slice())
    }
}

#[derive(Deserialize)]
struct ManifestFile {
    paths: BTreeMap<Name, Name>,
    version: String,
}

/// What Django compares to see whether a page was rendered with other names: of the pairs in
/// order, as JSON.
fn hash(paths: &[(&Name, &Name)]) -> String {
    let mut hasher = Md5::new();
    let mut text = String::from("[");
    for (index, (logical, published)) in paths.iter().enumerate() {
        text.push_str(if index == 0 { "[" } else { ", [" });
        name::write_json(&logical.0, &mut text);
        text.push_str(", ");
        name::write_json(&published.0, &mut text);
        text.push(']');
        hasher.update(&text);
        text.clear();
    }
    text.push(']');
    hasher.update(&text);
    let digest = hasher.finalize();
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The file's name at the root of a published directory.
pub const FILE_NAME: &str = "staticfiles.json";

const VERSIONS: [&str; 2] = ["1.0", "1.1"];

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&[&[u8]], &str>) {
        match (Manifest::parse(text.as_bytes()), expected) {
            (Ok(manifest), Ok(hashed)) => {
                assert_eq!(manifest.hashed().collect::<Vec<_>>(), hashed, "{text}");
            }
            (Err(error), Err(message)) => {
                assert!(error.to_string().contains(message), "{text}: {error}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn reads_the_versions_that_django_writes() {
        check(
            r#"{"paths": {"a.css": "a.1.css", "b": "b"}, "version": "1.1", "hash": "x"}"#,
            Ok(&[b"a.1.css"]),
        );
        check(r#"{"paths": {}, "version": "1.0"}"#, Ok(&[]));
        check(r#"{"paths": {}, "version": "2.0"}"#, Err("\"2.0\""));
        check(r#"{"paths": {}}"#, Err("version"));
        check(r#"{"paths": {"a": 1}, "version": "1.1"}"#, Err("line 1"));
        check("{", Err("line 1"));
        check("", Err("line 1"));
    }

    #[test]
    fn keeps_bytes_that_python_wrote_as_surrogates() {
        check(
            r#"{"paths": {"\udcff": "\udc80\u00e9.\udcfe"}, "version": "1.1"}"#,
            Ok(&[b"\x80\xc3\xa9.\xfe"]),
        );
        let text = br#"{"paths": {"\udcff": "x"}, "version": "1.1"}"#;
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.published(b"\xff"), Some(&b"x"[..]));
        assert_eq!(manifest.published(b"x"), None);
    }

    #[track_caller]
    fn check_text(paths: &[(&[u8], &[u8])], expected: &str) {
        let owned = paths
            .iter()
            .map(|(logical, published)| (logical.to_vec(), published.to_vec()));
        let manifest = Manifest::from_paths(owned);
        let text = manifest.to_text();
        assert_eq!(text, expected);
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
    }

    /// What Python gives for `json.dumps`, and the first digits of MD5.
    #[test]
    fn writes_what_django_writes() {
        check_text(
            &[],
            r#"{"paths": {}, "version": "1.1", "hash": "d75171398898"}"#,
        );
        check_text(
            &[
                (b"b.css", b"b.1.css"),
                (b"a", b"a"),
                ("é\"\\.js".as_bytes(), "é\"\\.2.js".as_bytes()),
                ("\u{d7ff}".as_bytes(), b"1"),
                (b"\x80", b"2"),
                ("\u{e000}".as_bytes(), b"3"),
                ("😀\n".as_bytes(), b"\x7f"),
            ],
            concat!(
                r#"{"paths": {"a": "a", "b.css": "b.1.css", "\u00e9\"\\.js": "\u00e9\"\\.2.js", "#,
                r#""\ud7ff": "1", "\udc80": "2", "\ue000": "3", "\ud83d\ude00\n": "\u007f"}, "#,
                r#""version": "1.1", "hash": "75ef1c74e6f1"}"#,
            ),
        );
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(
            paths in btree_map(any::<Vec<u8>>(), any::<Vec<u8>>(), 0..8)
        ) {
            let manifest = Manifest::from_paths(paths);
            let text = manifest.to_text();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        }
    }
}
