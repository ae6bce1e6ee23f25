//! Compressed contents from earlier runs, by content digest and settings. Never a reason to fail:
//! what it cannot read, it does not have, and what it cannot write, it does not keep.

mod entry;
mod trim;

use std::collections::hash_map::RandomState;
use std::env;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::{CacheOptions, Coding};
use entry::{Entry, RESULT_BYTES_MAX};

/// A directory of results. Several processes may work with the same one.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    bytes_max: u64,
    /// Distinguishes the temporary files of this process.
    file_count: AtomicU64,
    failures: Mutex<Failures>,
}

/// What a result depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

#[derive(Debug, Default)]
struct Failures {
    count: u64,
    first: Option<String>,
}

impl Key {
    /// The result of `coding` with `settings` for the content of this SHA-256.
    pub(crate) fn new(sha256: &[u8; 32], coding: Coding, settings: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(sha256);
        digest.update(coding.token());
        digest.update(b"\0");
        digest.update(settings);
        Self(digest.finalize().into())
    }

    /// The entry's path in the directory: two levels, so that none gets too large.
    fn path(&self) -> PathBuf {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let (parent, name) = digits.split_at(PARENT_DIGITS);
        Path::new(parent).join(name)
    }
}

impl Cache {
    /// Opens the directory, creating it if there is none.
    ///
    /// # Errors
    /// It cannot be created, or is no directory.
    pub(crate) fn open(options: &CacheOptions) -> io::Result<Self> {
        create_private(&options.directory)?;
        fs::read_dir(&options.directory)?;
        Ok(Self {
            directory: options.directory.clone(),
            bytes_max: options.bytes_max,
            // In containers processes of one number may share the directory.
            file_count: AtomicU64::new(RandomState::new().hash_one(process::id())),
            failures: Mutex::default(),
        })
    }

    /// What is known under `key`: a result, or that none was worth keeping.
    #[expect(clippy::option_option, reason = "unknown, not worth it, and a result")]
    pub(crate) fn lookup(&self, key: &Key) -> Option<Option<Vec<u8>>> {
        let path = self.directory.join(key.path());
        match self.read(&path, key) {
            Ok(Some(Entry::Result(bytes))) => Some(Some(bytes)),
            Ok(Some(Entry::NotWorthIt)) => Some(None),
            Ok(None) => {
                // Torn or damaged: it would be a miss forever.
                let _ = fs::remove_file(&path);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.on_failure("read", &path, &error);
                None
            }
        }
    }

    /// Remembers a result, or that none was worth keeping.
    pub(crate) fn store(&self, key: &Key, result: Option<&[u8]>) {
        if result.is_some_and(|result| result.len() as u64 > RESULT_BYTES_MAX) {
            return;
        }
        let path = self.directory.join(key.path());
        if let Err(error) = self.write(&path, result, key) {
            self.on_failure("write", &path, &error);
        }
    }

    /// Removes what was unused for longest, until the rest is within the limit.
    pub(crate) fn trim(&self) {
        if let Err(error) = trim::trim(&self.directory, self.bytes_max, SystemTime::now()) {
            self.on_failure("clean up", &self.directory, &error);
        }
    }

    /// What the operator should know at the end of a run: the cache did not work.
    pub(crate) fn warning(&self) -> Option<String> {
        let failures = self
            .failures
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let first = failures.first.as_ref()?;
        let others = match failures.count - 1 {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        Some(format!("the cache was not used fully: {first}{others}"))
    }

    fn read(&self, path: &Path, key: &Key) -> io::Result<Option<Entry>> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        let entry = Entry::read(&mut file, metadata.len(), key)?;
        if entry.is_some() {
            touch(&file, metadata.modified()?);
        }
        Ok(entry)
    }

    fn write(&self, path: &Path, result: Option<&[u8]>, key: &Key) -> io::Result<()> {
        let parent = path.parent().expect("invariant: every key has two levels");
        create_private(parent)?;
        let number = self.file_count.fetch_add(1, Ordering::Relaxed);
        let temporary = parent.join(format!("{}-{number}{TEMPORARY_ENDING}", process::id()));
        let written =
            write_new(&temporary, result, key).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn on_failure(&self, action: &str, path: &Path, error: &io::Error) {
        let mut failures = self
            .failures
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        failures.count += 1;
        failures
            .first
            .get_or_insert_with(|| format!("cannot {action} {}: {error}", path.display()));
    }
}

impl CacheOptions {
    /// The user's own: `$XDG_CACHE_HOME/whitering`, or `~/.cache/whitering`.
    pub fn default_directory() -> Option<PathBuf> {
        default_directory(
            env::var_os("XDG_CACHE_HOME").map(PathBuf::from),
            env::home_dir(),
        )
    }

    /// The cache in `directory`, with the usual limit.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            bytes_max: BYTES_MAX,
        }
    }

    /// What to tell the operator where it cannot be opened: work goes on without it.
    pub(super) fn trouble(&self, cause: &io::Error) -> String {
        let directory = self.directory.display();
        format!("nothing is remembered: cannot use the cache {directory}: {cause}")
    }
}

/// A relative path is to be ignored, as the XDG Base Directory Specification says.
fn default_directory(cache: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let cache = cache.filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute());
    cache
        .or_else(|| Some(home?.join(".cache")))
        .map(|cache| cache.join("whitering"))
}

/// Other users have no business with what the sources compress to.
fn create_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn write_new(path: &Path, result: Option<&[u8]>, key: &Key) -> io::Result<()> {
    // A process before this one may have had the same number and been killed.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Entry::write(&mut file, result, key)?;
    file.flush()
}

/// Says that an entry is in use. Once a day is enough for its age, and spares the disk.
fn touch(file: &File, modified: SystemTime) {
    let now = SystemTime::now();
    if now
        .duration_since(modified)
        .is_ok_and(|age| age > TOUCH_INTERVAL)
    {
        // One that belongs to somebody else cannot be touched, and is found as well.
        let _ = file.set_times(FileTimes::new().set_modified(now));
    }
}

/// 16 GiB would be a million files of 16 KiB; this is a few releases of a large site.
const BYTES_MAX: u64 = 1 << 30;

const PARENT_DIGITS: usize = 2;

const TEMPORARY_ENDING: &str = ".tmp";

const TOUCH_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests;
