//! An input: files of one or more sources, and the settings they are collected with.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use whitering::staticfiles::{Compat, Options, Source, Storage};

use super::content::{Content, Name};
use super::outcome::Outcome;

/// One file of tests/oracles/cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What is special about it.
    pub(crate) description: String,
    sources: Vec<CaseSource>,
    /// What stands in the output before.
    earlier: Option<BTreeMap<Name, Content>>,
    /// Where we are not as Django.
    #[serde(default)]
    ours: Vec<KeptDifference>,
    #[serde(default = "usual_static_url")]
    static_url: String,
    #[serde(default)]
    storage: CaseStorage,
    #[serde(default)]
    js_modules: bool,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default = "yes")]
    default_ignore: bool,
    #[serde(default = "yes")]
    post_process: bool,
    #[serde(default)]
    keep_only_hashed: bool,
    #[serde(default)]
    clear: bool,
    #[serde(default)]
    link: bool,
    skip_extensions: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseSource {
    #[serde(default)]
    prefix: String,
    files: BTreeMap<Name, Content>,
}

/// A difference from Django that is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptDifference {
    series: Vec<String>,
    pub(crate) reason: String,
    pub(crate) instead: Outcome,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CaseStorage {
    #[default]
    Manifest,
    Plain,
}

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap();
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What is expected instead of Django's outcome.
    pub(crate) fn kept_difference(&self, series: &str) -> Option<&KeptDifference> {
        let is_of = |kept: &&KeptDifference| kept.series.iter().any(|name| name == series);
        self.ours.iter().find(is_of)
    }

    /// Makes the files in `scratch` and says how they are to be collected.
    pub(crate) fn materialise(&self, scratch: &Path, compat: Compat) -> Options {
        let mut options = Options::new(scratch.join("output"));
        for (index, source) in self.sources.iter().enumerate() {
            let directory = scratch.join(format!("source-{index}"));
            write_tree(&directory, &source.files, SOURCE_MODIFIED_SECONDS);
            options.sources.push(Source::Directory {
                prefix: source.prefix.clone(),
                directory,
            });
        }
        if let Some(earlier) = &self.earlier {
            write_tree(&options.output, earlier, 0);
        }
        self.configure(&mut options, compat);
        options
    }

    fn configure(&self, options: &mut Options, compat: Compat) {
        options.compat = compat;
        options.static_url.clone_from(&self.static_url);
        options.storage = match self.storage {
            CaseStorage::Manifest => Storage::Manifest,
            CaseStorage::Plain => Storage::Plain,
        };
        options.js_modules = self.js_modules;
        if !self.default_ignore {
            options.ignore.clear();
        }
        options.ignore.extend(self.ignore.iter().cloned());
        options.post_process = self.post_process;
        options.keep_only_hashed = self.keep_only_hashed;
        options.clear = self.clear;
        options.link = self.link;
        if let (Some(extensions), Some(compression)) =
            (&self.skip_extensions, &mut options.compression)
        {
            compression.skip_extensions.clone_from(extensions);
        }
    }
}

fn write_tree(directory: &Path, files: &BTreeMap<Name, Content>, modified_seconds: u64) {
    fs::create_dir_all(directory).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(modified_seconds);
    for (name, content) in files {
        let path = path_of(directory, name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Content::Link { link } = content {
            symlink(link, &path).unwrap();
            continue;
        }
        fs::write(&path, content.bytes().expect("a case has whole contents")).unwrap();
        File::open(&path).unwrap().set_modified(modified).unwrap();
    }
}

fn path_of(directory: &Path, name: &Name) -> PathBuf {
    directory.join(OsStr::from_bytes(&name.0))
}

fn usual_static_url() -> String {
    "/static/".to_owned()
}

fn yes() -> bool {
    true
}

/// Later than what earlier runs left, so that it is copied.
const SOURCE_MODIFIED_SECONDS: u64 = 1_000_000_000;
