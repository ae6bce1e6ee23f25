//! How a variant comes to stand beside its original: written under another name, given the
//! original's times, renamed. Nobody ever reads half of one.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A file that is removed unless it is put in its place.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    is_placed: bool,
}

impl Temporary {
    /// Creates an empty file in the directory of `path`.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{BEGINNING}{}-{number}{ENDING}", process::id());
        let path = path.with_file_name(name);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            is_placed: false,
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes it `path`, as old as `original`.
    pub(super) fn place(mut self, path: &Path, original: &Metadata) -> io::Result<()> {
        let times = FileTimes::new().set_accessed(original.accessed()?);
        self.file
            .set_times(times.set_modified(original.modified()?))?;
        fs::rename(&self.path, path)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The variant of `path` with this extension.
pub(super) fn variant_path(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Opens the variant at `path` if it is a regular file as old as `original`.
pub(super) fn open_if_current(path: &Path, original: &Metadata) -> Option<File> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let is_current = metadata.is_file() && metadata.modified().ok()? == original.modified().ok()?;
    is_current.then(|| File::open(path).ok()).flatten()
}

/// Whether the variant at `path` has these bytes and the age of `original`.
pub(super) fn stands(path: &Path, bytes: &[u8], original: &Metadata) -> bool {
    let Some(file) = open_if_current(path, original) else {
        return false;
    };
    let mut found = Vec::with_capacity(bytes.len() + 1);
    let read = file.take(bytes.len() as u64 + 1).read_to_end(&mut found);
    read.is_ok() && found == bytes
}

/// Removes the variant at `path` if it is older or newer than `original`: it is another content's.
/// Returns whether there was one.
pub(super) fn remove_if_stale(path: &Path, original: &Metadata) -> io::Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?,
    };
    if !metadata.is_file() || metadata.modified()? == original.modified()? {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

/// Whether a file of this name is one of ours that was not finished.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes().strip_prefix(BEGINNING.as_bytes());
    let numbers = name.and_then(|name| name.strip_suffix(ENDING.as_bytes()));
    numbers.is_some_and(|text| {
        text.iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'-')
    })
}

/// Removes what a killed run left, but not what another one is writing.
pub(super) fn remove_if_orphaned(path: &Path) {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > AGE_MAX) {
        let _ = fs::remove_file(path);
    }
}

static NEXT: AtomicU64 = AtomicU64::new(0);

const BEGINNING: &str = ".whitering-";
const ENDING: &str = ".tmp";

/// A file that is being written is touched more often than this.
const AGE_MAX: Duration = Duration::from_secs(60 * 60);
