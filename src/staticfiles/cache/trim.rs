//! Keeps a cache directory within its limit. Removes files only whose names are those of entries:
//! whoever names a directory of their own as the cache loses nothing.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{PARENT_DIGITS, TEMPORARY_ENDING};

/// Removes the entries that were unused for longest beyond `bytes_max`, and what killed processes
/// left.
pub(super) fn trim(directory: &Path, bytes_max: u64, now: SystemTime) -> io::Result<()> {
    let mut entries = Vec::new();
    for parent in fs::read_dir(directory)? {
        let parent = parent?;
        if is_hexadecimal(&parent.file_name(), PARENT_DIGITS) && parent.file_type()?.is_dir() {
            read_parent(&parent.path(), now, &mut entries)?;
        }
    }
    let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    entries.sort_unstable_by_key(|entry| entry.used);
    for entry in entries {
        if bytes <= bytes_max {
            break;
        }
        if_present(fs::remove_file(&entry.path))?;
        bytes -= entry.bytes;
    }
    Ok(())
}

struct Kept {
    path: PathBuf,
    used: SystemTime,
    /// On the disk, not in the file: a thousand files of one byte are not a kilobyte.
    bytes: u64,
}

fn read_parent(directory: &Path, now: SystemTime, entries: &mut Vec<Kept>) -> io::Result<()> {
    for file in fs::read_dir(directory)? {
        let file = file?;
        let Some(metadata) = if_present(file.metadata())? else {
            continue;
        };
        let used = metadata.modified()?;
        if !metadata.is_file() {
            continue;
        }
        if is_hexadecimal(&file.file_name(), NAME_DIGITS) {
            let bytes = metadata.len().next_multiple_of(BLOCK_BYTES);
            entries.push(Kept {
                path: file.path(),
                used,
                bytes,
            });
        } else if is_temporary(&file) && age(used, now) > TEMPORARY_AGE_MAX {
            if_present(fs::remove_file(file.path()))?;
        }
    }
    Ok(())
}

/// Another process may have removed it first.
fn if_present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn age(used: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(used).unwrap_or_default()
}

fn is_temporary(file: &DirEntry) -> bool {
    let name = file.file_name();
    let stem = name
        .as_encoded_bytes()
        .strip_suffix(TEMPORARY_ENDING.as_bytes());
    stem.is_some_and(|stem| {
        stem.iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'-')
    })
}

fn is_hexadecimal(name: &OsStr, digit_count: usize) -> bool {
    let name = name.as_encoded_bytes();
    name.len() == digit_count && name.iter().all(u8::is_ascii_hexdigit)
}

/// The other digits of a SHA-256.
const NAME_DIGITS: usize = 64 - PARENT_DIGITS;

/// The usual unit of file systems.
const BLOCK_BYTES: u64 = 4096;

/// Nobody writes one file for so long.
const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(60 * 60);
