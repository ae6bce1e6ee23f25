//! The files of a directory as `os.walk` finds them: dot files included, links to files followed,
//! links to directories not. Variants of files that are there are no originals.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::{Coding, CollectError};
use super::{io_error, place};

/// A file that may be compressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// All files below `directory`; `on_error` hears of what cannot be read.
///
/// # Errors
/// `directory` itself cannot be read.
pub(super) fn walk(
    directory: &Path,
    on_error: &mut dyn FnMut(CollectError),
) -> Result<Vec<Found>, CollectError> {
    let mut found = Vec::new();
    let mut waiting = Vec::new();
    read(directory, &mut found, &mut waiting, on_error)?;
    while let Some(directory) = waiting.pop() {
        if let Err(error) = read(&directory, &mut found, &mut waiting, on_error) {
            on_error(error);
        }
    }
    Ok(found)
}

fn read(
    directory: &Path,
    found: &mut Vec<Found>,
    waiting: &mut Vec<PathBuf>,
    on_error: &mut dyn FnMut(CollectError),
) -> Result<(), CollectError> {
    let cannot_read = |cause| io_error("cannot read", directory, cause);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot_read)? {
        let entry = entry.map_err(cannot_read)?;
        match kind(&entry) {
            Ok(Kind::Directory) => waiting.push(entry.path()),
            Ok(Kind::File(bytes)) => files.push((entry.file_name(), bytes)),
            Ok(Kind::Temporary) => place::remove_if_orphaned(&entry.path()),
            Ok(Kind::Other) => {}
            Err(cause) => on_error(io_error("cannot read", &entry.path(), cause)),
        }
    }
    let names: HashSet<OsString> = files.iter().map(|(name, _)| name.clone()).collect();
    files.retain(|(name, _)| !is_variant(name.as_bytes(), &names));
    let files = files.into_iter();
    found.extend(files.map(|(name, bytes)| Found {
        path: directory.join(name),
        bytes,
    }));
    Ok(())
}

enum Kind {
    Directory,
    /// A regular file, or a link to one, and its length.
    File(u64),
    /// What a run of ours writes, or has left.
    Temporary,
    /// A link to a directory, a socket, a pipe.
    Other,
}

fn kind(entry: &DirEntry) -> io::Result<Kind> {
    let file_type = entry.file_type()?;
    if file_type.is_dir() {
        return Ok(Kind::Directory);
    }
    if place::is_temporary(&entry.file_name()) && file_type.is_file() {
        return Ok(Kind::Temporary);
    }
    if !file_type.is_file() && !file_type.is_symlink() {
        return Ok(Kind::Other);
    }
    let metadata = fs::metadata(entry.path())?;
    Ok(if metadata.is_file() {
        Kind::File(metadata.len())
    } else {
        Kind::Other
    })
}

/// Whether a file is a variant of one beside it.
fn is_variant(name: &[u8], names: &HashSet<OsString>) -> bool {
    Coding::COMPRESSED
        .iter()
        .filter_map(|coding| coding.extension())
        .any(|extension| {
            let stem = name
                .strip_suffix(extension.as_bytes())
                .and_then(|stem| stem.strip_suffix(b"."));
            stem.is_some_and(|stem| names.contains(std::ffi::OsStr::from_bytes(stem)))
        })
}
