//! What became of a case: a failure, or what stands in the output. Recorded or found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::content::{Content, Name, shown};

/// One file of tests/oracles/expected: what each series of Django has made of a case.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recorded(Vec<RecordedOutcome>);

#[derive(Debug, Deserialize)]
struct RecordedOutcome {
    series: Vec<String>,
    outcome: Outcome,
}

/// The end of one run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// Why it failed; the rest is then empty.
    fails: Option<String>,
    /// Published files without variants and manifest.
    #[serde(default)]
    files: BTreeMap<Name, Content>,
    /// By original, the extensions of the variants beside it that decode to it.
    #[serde(default)]
    variants: BTreeMap<Name, BTreeSet<String>>,
    /// The text of staticfiles.json.
    manifest: Option<String>,
    /// Django gives this for some orders of a directory only, or with more passes only.
    #[serde(default, rename = "order_dependent")]
    _order_dependent: bool,
}

impl Recorded {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap();
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn of(&self, series: &str) -> Option<&Outcome> {
        let is_of = |recorded: &&RecordedOutcome| recorded.series.iter().any(|name| name == series);
        Some(&self.0.iter().find(is_of)?.outcome)
    }
}

impl Outcome {
    pub(crate) fn failed(reason: String) -> Self {
        Self {
            fails: Some(reason),
            ..Self::default()
        }
    }

    /// What stands in `output`, which may be absent.
    pub(crate) fn read(output: &Path) -> Self {
        let mut files = files_below(output);
        files.remove(RECORD_NAME);
        let manifest = files.remove(MANIFEST_NAME);
        let variants = take_variants(&mut files);
        let content = |bytes: Vec<u8>| Content::Hex {
            hex: hexadecimal(&bytes),
        };
        Self {
            fails: None,
            files: files
                .into_iter()
                .map(|(name, bytes)| (Name(name), content(bytes)))
                .collect(),
            variants,
            manifest: manifest.map(|text| String::from_utf8(text).unwrap()),
            _order_dependent: false,
        }
    }

    /// How `self`, which was found, differs from what is expected.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        match (&self.fails, &expected.fails) {
            (Some(_), Some(_)) => Vec::new(),
            (Some(found), None) => vec![format!("fails, and should not: {found}")],
            (None, Some(reason)) => vec![format!("does not fail; expected: {reason}")],
            (None, None) => self.differences_of_files(expected),
        }
    }

    fn differences_of_files(&self, expected: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for name in self
            .files
            .keys()
            .chain(expected.files.keys())
            .collect::<BTreeSet<_>>()
        {
            let text = shown(&name.0);
            match (self.files.get(name), expected.files.get(name)) {
                (Some(found), Some(content)) if !content.is(&found.bytes().unwrap()) => {
                    differences.push(format!("{text}: {found}\n    expected {content}"));
                }
                (Some(_), None) => differences.push(format!("{text}: should not be there")),
                (None, Some(_)) => differences.push(format!("{text}: missing")),
                _ => {}
            }
        }
        if self.variants != expected.variants {
            let (found, expected) = (listed(&self.variants), listed(&expected.variants));
            differences.push(format!("variants {found}\n    expected {expected}"));
        }
        if self.manifest != expected.manifest {
            let (found, expected) = (&self.manifest, &expected.manifest);
            differences.push(format!("manifest {found:?}\n    expected {expected:?}"));
        }
        differences
    }
}

/// Variants below `output` that are not as old as their original.
pub(crate) fn variants_with_other_times(output: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    for (name, extensions) in Outcome::read(output).variants {
        let original = output.join(std::ffi::OsStr::from_bytes(&name.0));
        for extension in extensions {
            let mut variant = original.clone().into_os_string();
            variant.push(format!(".{extension}"));
            if modified(Path::new(&variant)) != modified(&original) {
                faults.push(format!(
                    "{}: another time than its original",
                    variant.display()
                ));
            }
        }
    }
    faults
}

fn listed(variants: &BTreeMap<Name, BTreeSet<String>>) -> String {
    let one = |(name, extensions): (&Name, &BTreeSet<String>)| {
        let extensions: Vec<&str> = extensions.iter().map(String::as_str).collect();
        format!("{} {}", shown(&name.0), extensions.join("+"))
    };
    variants.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Takes out what decodes to the file it is named after.
fn take_variants(files: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Name, BTreeSet<String>> {
    let mut found: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
    for (name, bytes) in &*files {
        let Some((original, extension)) = split_variant(name) else {
            continue;
        };
        let is_variant = files
            .get(original)
            .is_some_and(|content| decode(extension, bytes).as_ref() == Some(content));
        if is_variant {
            let variants = found.entry(Name(original.to_vec())).or_default();
            variants.insert(extension.to_owned());
        }
    }
    for (original, extensions) in &found {
        for extension in extensions {
            files.remove(
                [&original.0, b".".as_slice(), extension.as_bytes()]
                    .concat()
                    .as_slice(),
            );
        }
    }
    found
}

fn split_variant(name: &[u8]) -> Option<(&[u8], &'static str)> {
    ["br", "gz", "zst"].into_iter().find_map(|extension| {
        let original = name
            .strip_suffix(extension.as_bytes())?
            .strip_suffix(b".")?;
        Some((original, extension))
    })
}

fn decode(extension: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let result = match extension {
        "br" => brotli_decompressor::Decompressor::new(bytes, 4096).read_to_end(&mut decoded),
        "gz" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut decoded),
        _ => zstd::Decoder::new(bytes).and_then(|mut decoder| decoder.read_to_end(&mut decoded)),
    };
    result.ok().map(|_| decoded)
}

fn files_below(directory: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(parent) = left.pop() {
        let Ok(entries) = fs::read_dir(&parent) else {
            continue;
        };
        for entry in entries {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path
                    .strip_prefix(directory)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const MANIFEST_NAME: &[u8] = b"staticfiles.json";
/// What Django has not.
const RECORD_NAME: &[u8] = b"whitering.json";

#[test]
fn finds_differences() {
    let outcome = |text: &str| serde_json::from_str::<Outcome>(text).unwrap();
    let check = |found: &str, expected: &str, differences: &[&str]| {
        assert_eq!(
            outcome(found).differences(&outcome(expected)),
            differences,
            "{found}"
        );
    };
    let one = r#"{"files": {"a": "1"}, "variants": {"a": ["br"]}, "manifest": "m"}"#;
    check(one, one, &[]);
    check("{}", "{}", &[]);
    check(r#"{"fails": "a"}"#, r#"{"fails": "b"}"#, &[]);
    check(r#"{"fails": "a"}"#, "{}", &["fails, and should not: a"]);
    check("{}", r#"{"fails": "a"}"#, &["does not fail; expected: a"]);
    let (a, b) = (r#"{"files": {"a": "1"}}"#, r#"{"files": {"b": "1"}}"#);
    check(a, b, &["\"a\": should not be there", "\"b\": missing"]);
    let other = r#"{"files": {"a": {"hex": "32"}}}"#;
    check(a, other, &["\"a\": \"1\"\n    expected \"2\""]);
    let digest = r#"{"files": {"a": {"bytes": 1, "sha256":
        "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"}}}"#;
    check(a, digest, &[]);
    assert_eq!(outcome(other).differences(&outcome(digest)).len(), 1);
    let gzip = r#"{"files": {"a": "1"}, "variants": {"a": ["gz"]}, "manifest": "m"}"#;
    check(one, gzip, &["variants \"a\" br\n    expected \"a\" gz"]);
    assert_eq!(outcome(a).differences(&outcome(one)).len(), 2);
}
