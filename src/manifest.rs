//! The manifest `staticfiles.json`: logical name → published name, as Django writes it. Reading
//! only; finding and opening the file is the caller's work.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The names of one published directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    paths: BTreeMap<Name, Name>,
}

/// Why a manifest cannot be used. The operator must publish again.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON, or not of the form that Django writes.
    #[error("it is not a manifest ({0})")]
    Malformed(#[from] serde_json::Error),
    /// It has the right form but a version of unknown meaning.
    #[error("its version is {0:?}; 1.0 and 1.1 are understood")]
    Version(String),
}

impl Manifest {
    /// Reads the text of a manifest, of version 1.0 or 1.1.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let file: ManifestFile = serde_json::from_slice(text)?;
        if !VERSIONS.contains(&file.version.as_str()) {
            return Err(ManifestError::Version(file.version));
        }
        Ok(Self { paths: file.paths })
    }

    /// The published name of `logical`.
    pub fn published(&self, logical: &[u8]) -> Option<&[u8]> {
        let published = self.paths.get(&Name(logical.to_vec()))?;
        Some(&published.0)
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

/// A file name in bytes.
///
/// Python holds a byte that is not UTF-8 as the lone surrogate U+DC80 + byte, and JSON writes it
/// so; a `String` could not take it and the whole manifest would be lost for one odd name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a file name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        Ok(Name(text.as_bytes().to_vec()))
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Name, E> {
        Ok(Name(without_surrogates(text)))
    }
}

/// Turns U+DC80…U+DCFF, which serde_json hands over in the bytes ED B2 80…ED B3 BF, into the
/// bytes 80…FF that Python meant by them. In UTF-8 proper nothing begins with ED B2 or ED B3.
fn without_surrogates(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if let [0xED, second @ (0xB2 | 0xB3), third @ 0x80..=0xBF, tail @ ..] = rest {
            bytes.push((second & 1) << 6 | (third & 0x3F) | 0x80);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

/// The file's name at the root of a published directory.
pub const FILE_NAME: &str = "staticfiles.json";

const VERSIONS: [&str; 2] = ["1.0", "1.1"];

#[cfg(test)]
mod tests {
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
}
