//! Published directories whose files say, line by line, which file of which version they are.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use whitering::internal::assets::{self, MediaTypes, Options, SourceDirectory};
use whitering::internal::reactor::Published;

/// One version of the same files, loaded.
pub(crate) struct Site {
    pub(crate) published: Published,
    version: usize,
    _directory: TempDir,
}

impl Site {
    /// With the files that every client may ask for at once.
    pub(crate) fn new(version: usize) -> Self {
        Self::with(version, &NAMES)
    }

    /// Also with the one that no socket buffer holds.
    pub(crate) fn with_huge(version: usize) -> Self {
        Self::with(version, &FILES.map(|(name, _)| name))
    }

    fn with(version: usize, names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            let path = directory.path().join(name);
            std::fs::write(&path, content(version, name)).unwrap();
            // Nothing but the content tells the versions apart.
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(modified).unwrap();
        }
        let loaded = assets::load(&Options {
            sources: vec![SourceDirectory {
                prefix: "/".into(),
                directory: directory.path().into(),
            }],
            memory_budget_bytes: 16 << 20,
            file_memory_bytes_max: MEMORY_BYTES_MAX as u64,
            max_age_seconds: Some(60),
            cors: true,
            media_types: MediaTypes::new("utf-8", &[]),
            header_rules: Vec::new(),
            index_file: None,
            immutable: None,
            not_found: None,
            packed: Vec::new(),
        })
        .unwrap();
        Self {
            published: Arc::new(loaded.snapshot),
            version,
            _directory: directory,
        }
    }

    /// What the file `name` holds.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        content(self.version, name)
    }
}

/// What `name` holds in `version`.
pub(crate) fn content(version: usize, name: &str) -> Vec<u8> {
    let (_, bytes) = FILES.iter().find(|(other, _)| *other == name).unwrap();
    let mut text = Vec::with_capacity(bytes + 64);
    let mut line = 0;
    while text.len() < (*bytes).min(BLOCK_BYTES) {
        text.extend_from_slice(format!("{version:04} {name} {line}\n").as_bytes());
        line += 1;
    }
    while text.len() < *bytes {
        text.extend_from_within(..);
    }
    text.truncate(*bytes);
    text
}

/// Copied, sent from memory, sent from disk; and one that no socket buffer holds.
pub(crate) const FILES: [(&str, usize); 9] = [
    ("small-0", 1_000),
    ("small-1", 1_001),
    ("small-2", 20),
    ("medium-0", 30_000),
    ("medium-1", 31_001),
    ("medium-2", 60_000),
    ("disk-0", 70_000),
    ("disk-1", 80_001),
    ("huge", 12 << 20),
];

/// The files that every client may ask for at once.
pub(crate) const NAMES: [&str; 8] = [
    "small-0", "small-1", "small-2", "medium-0", "medium-1", "medium-2", "disk-0", "disk-1",
];

/// What a large file repeats.
const BLOCK_BYTES: usize = 100_000;

const MEMORY_BYTES_MAX: usize = 64_000;
