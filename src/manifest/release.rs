//! `whitering.json`: what a release holds, beside what Django records. Text ↔ types only.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ManifestError;
use super::name::{Name, write_json};

/// The record of one release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Digest of the settings that its variants were made by, in hexadecimal.
    pub settings: String,
    /// Its files by published name. Variants are part of their original's record.
    pub files: BTreeMap<Vec<u8>, ReleaseFile>,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReleaseFile {
    /// SHA-256 of its bytes.
    #[serde(deserialize_with = "digest")]
    pub sha256: [u8; 32],
    /// Its length.
    pub bytes: u64,
    /// Its media type, without parameters.
    pub media_type: String,
    /// Whether its name changes with its content.
    pub immutable: bool,
    /// Whether its variants were made by other settings than [`Release::settings`]: it was taken
    /// over from an earlier release.
    #[serde(default)]
    pub other_settings: bool,
    /// Its compressed variants, by the extension they add: `br`, `gz`, `zst`.
    #[serde(default)]
    pub variants: BTreeMap<String, VariantFile>,
}

/// A compressed variant of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VariantFile {
    /// SHA-256 of the compressed bytes.
    #[serde(deserialize_with = "digest")]
    pub sha256: [u8; 32],
    /// Their length.
    pub bytes: u64,
}

impl Release {
    /// Reads the text of a `whitering.json`.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut files = BTreeMap::new();
        let settings = Self::read(text, &mut |name, file| {
            files.insert(name, file);
        })?;
        Ok(Self { settings, files })
    }

    /// Reads the text of a `whitering.json` and gives its files to `on_file`, one by one: a million
    /// of them need not be held at once. Returns [`Self::settings`]. After an error the files that
    /// came before it mean nothing.
    pub fn read(
        text: &[u8],
        on_file: &mut dyn FnMut(Vec<u8>, ReleaseFile),
    ) -> Result<String, ManifestError> {
        // First of all: another version may look otherwise.
        let Version { version } = serde_json::from_slice(text)?;
        if version != VERSION {
            return Err(ManifestError::Version {
                found: version.to_string(),
                understood: "1 is",
            });
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let settings = deserializer.deserialize_map(RecordVisitor { on_file })?;
        deserializer.end()?;
        Ok(settings)
    }

    /// The text, the same for the same release. Each file has a line of its own, so that two
    /// releases can be compared by line.
    pub fn to_text(&self) -> String {
        let mut text = format!("{{\n\"version\": {VERSION},\n\"settings\": ");
        write_json(self.settings.as_bytes(), &mut text);
        text.push_str(",\n\"files\": {");
        let mut separator = "\n";
        for (name, file) in &self.files {
            text.push_str(separator);
            write_json(name, &mut text);
            text.push_str(": ");
            write_file(file, &mut text);
            separator = ",\n";
        }
        text.push_str("\n}\n}\n");
        text
    }
}

fn write_file(file: &ReleaseFile, text: &mut String) {
    write_content(&file.sha256, file.bytes, text);
    text.push_str(", \"media_type\": ");
    write_json(file.media_type.as_bytes(), text);
    text.push_str(", \"immutable\": ");
    text.push_str(if file.immutable { "true" } else { "false" });
    if file.other_settings {
        text.push_str(", \"other_settings\": true");
    }
    text.push_str(", \"variants\": {");
    let mut separator = "";
    for (extension, variant) in &file.variants {
        text.push_str(separator);
        write_json(extension.as_bytes(), text);
        text.push_str(": ");
        write_content(&variant.sha256, variant.bytes, text);
        text.push('}');
        separator = ", ";
    }
    text.push_str("}}");
}

fn write_content(sha256: &[u8; 32], bytes: u64, text: &mut String) {
    text.push_str("{\"sha256\": \"");
    for byte in sha256 {
        write!(text, "{byte:02x}").expect("invariant: a string takes everything");
    }
    write!(text, "\", \"bytes\": {bytes}").expect("invariant: a string takes everything");
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Reads the whole record and returns its settings.
struct RecordVisitor<'f> {
    on_file: &'f mut dyn FnMut(Vec<u8>, ReleaseFile),
}

impl<'de> Visitor<'de> for RecordVisitor<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the record of a release")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<String, M::Error> {
        let mut settings = None;
        let mut has_files = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "settings" => settings = Some(map.next_value()?),
                "files" if has_files => return Err(M::Error::duplicate_field("files")),
                "files" => {
                    let on_file = &mut *self.on_file;
                    map.next_value_seed(FilesVisitor { on_file })?;
                    has_files = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !has_files {
            return Err(M::Error::missing_field("files"));
        }
        settings.ok_or_else(|| M::Error::missing_field("settings"))
    }
}

/// Reads the files of a record.
struct FilesVisitor<'f> {
    on_file: &'f mut dyn FnMut(Vec<u8>, ReleaseFile),
}

impl<'de> DeserializeSeed<'de> for FilesVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FilesVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("files by name")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((Name(name), file)) = map.next_entry()? {
            (self.on_file)(name, file);
        }
        Ok(())
    }
}

/// Reads a SHA-256 of 64 hexadecimal digits.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
    let digits = text.as_bytes();
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return Err(D::Error::custom("a SHA-256 has 64 digits"));
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else {
            return Err(D::Error::custom("a SHA-256 has hexadecimal digits"));
        };
        *byte = u8::try_from(high << 4 | low).expect("invariant: two digits are a byte");
    }
    Ok(digest)
}

/// The file's name at the root of a release.
pub const FILE_NAME: &str = "whitering.json";

const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn file(digest: u8, bytes: u64, variants: &[(&str, u8, u64)]) -> ReleaseFile {
        let variants = variants.iter().map(|(extension, digest, bytes)| {
            let sha256 = [*digest; 32];
            let bytes = *bytes;
            ((*extension).to_owned(), VariantFile { sha256, bytes })
        });
        ReleaseFile {
            sha256: [digest; 32],
            bytes,
            media_type: "text/css".to_owned(),
            immutable: digest > 9,
            other_settings: false,
            variants: variants.collect(),
        }
    }

    #[test]
    fn writes_a_line_for_each_file() {
        let empty = Release::default();
        let expected = "{\n\"version\": 1,\n\"settings\": \"\",\n\"files\": {\n}\n}\n";
        assert_eq!(empty.to_text(), expected);

        let mut release = Release {
            settings: "ab".to_owned(),
            ..Release::default()
        };
        let variants = [("gz", 2, 20), ("br", 1, 10)];
        release
            .files
            .insert(b"b\xff\n".to_vec(), file(0xfe, 30, &variants));
        release.files.insert(b"a".to_vec(), file(0, u64::MAX, &[]));
        let digest = |byte: &str| byte.repeat(32);
        let expected = format!(
            "{{\n\"version\": 1,\n\"settings\": \"ab\",\n\"files\": {{\n\
             \"a\": {{\"sha256\": \"{}\", \"bytes\": 18446744073709551615, \
             \"media_type\": \"text/css\", \"immutable\": false, \"variants\": {{}}}},\n\
             \"b\\udcff\\n\": {{\"sha256\": \"{}\", \"bytes\": 30, \
             \"media_type\": \"text/css\", \"immutable\": true, \"variants\": {{\
             \"br\": {{\"sha256\": \"{}\", \"bytes\": 10}}, \
             \"gz\": {{\"sha256\": \"{}\", \"bytes\": 20}}}}}}\n}}\n}}\n",
            digest("00"),
            digest("fe"),
            digest("01"),
            digest("02"),
        );
        assert_eq!(release.to_text(), expected);
        assert_eq!(Release::parse(expected.as_bytes()).unwrap(), release);
    }

    #[track_caller]
    fn check_error(text: &str, part: &str) {
        let error = Release::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_error("", "line 1");
        check_error("[]", "line 1");
        check_error("{\"settings\": \"\"}", "version");
        // Of another version nothing else is asked.
        check_error("{\"version\": 2}", "its version is 2; 1 is understood");
        check_error("{\"version\": \"1\"}", "line 1");
        check_error("{\"version\": 1, \"settings\": \"\"}", "files");
        check_error("{\"version\": 1, \"files\": {}}", "settings");
        check_error(
            "{\"version\": 1, \"files\": {}, \"files\": {}}",
            "duplicate",
        );
        check_error(
            "{\"version\": 1, \"settings\": \"\", \"files\": {}} x",
            "line 1",
        );
        let with = |sha256: &str, bytes: &str| {
            format!(
                "{{\"version\": 1, \"settings\": \"\", \"files\": {{\"a\": {{\"sha256\": \"{sha256}\", \
                 \"bytes\": {bytes}, \"media_type\": \"\", \"immutable\": true}}}}}}"
            )
        };
        let digest = "0".repeat(64);
        assert!(Release::parse(with(&digest, "0").as_bytes()).is_ok());
        check_error(&with(&digest, "-1"), "line 1");
        check_error(&with(&digest[1..], "1"), "64 digits");
        check_error(&with(&"é".repeat(32), "1"), "hexadecimal");
        check_error(&with(&"\\u0030".repeat(63), "1"), "64 digits");
    }

    #[test]
    fn passes_over_what_it_does_not_know() {
        let text = "{\"version\": 1, \"settings\": \"\", \"files\": {}, \"later\": [{}]}";
        assert_eq!(Release::parse(text.as_bytes()).unwrap(), Release::default());
    }

    fn any_file() -> impl Strategy<Value = ReleaseFile> {
        let variant = any::<([u8; 32], u64)>();
        let variants = btree_map(any::<String>(), variant, 0..4);
        let content = any::<([u8; 32], u64, String, [bool; 2])>();
        (content, variants).prop_map(|((sha256, bytes, media_type, flags), variants)| {
            let variants = variants.into_iter();
            let variant = |(sha256, bytes)| VariantFile { sha256, bytes };
            ReleaseFile {
                sha256,
                bytes,
                media_type,
                immutable: flags[0],
                other_settings: flags[1],
                variants: variants.map(|(key, value)| (key, variant(value))).collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(
            settings in any::<String>(),
            files in btree_map(vec(any::<u8>(), 0..20), any_file(), 0..5),
        ) {
            let release = Release { settings, files };
            let text = release.to_text();
            prop_assert_eq!(Release::parse(text.as_bytes()).unwrap(), release);
        }
    }
}
