//! An opened source directory: what everything of a source is opened below.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::problem::{LoadError, is_exhaustion};
use crate::sys::beneath;

/// An opened source directory.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) descriptor: OwnedFd,
    /// Its path without links: what the targets of links are compared with.
    pub(super) canonical: PathBuf,
    /// Its path as the operator wrote it, for warnings.
    pub(super) directory: PathBuf,
}

impl Root {
    /// Opens `directory` and makes sure that files can be opened below it.
    pub(super) fn open(directory: &Path) -> Result<Self, LoadError> {
        let canonical = directory
            .canonicalize()
            .map_err(|error| root_error(directory, error))?;
        let descriptor =
            beneath::open_root(&canonical).map_err(|error| root_error(directory, error))?;
        // Says at once whether this kernel can open files the way we do.
        beneath::open_directory(descriptor.as_fd(), c".").map_err(|error| {
            match error.raw_os_error() {
                Some(libc::ENOSYS | libc::EPERM) => LoadError::NoOpenat2(error),
                _ => root_error(directory, error),
            }
        })?;
        Ok(Self {
            descriptor,
            canonical,
            directory: directory.to_owned(),
        })
    }

    /// What `error` means when this directory itself cannot be read.
    pub(super) fn error(&self, error: io::Error) -> LoadError {
        root_error(&self.directory, error)
    }

    /// The path of `name` for people.
    pub(super) fn join(&self, name: &[u8]) -> PathBuf {
        self.directory.join(OsStr::from_bytes(name))
    }
}

fn root_error(directory: &Path, error: io::Error) -> LoadError {
    let path = directory.to_owned();
    match error.raw_os_error() {
        Some(libc::ENOENT) => LoadError::RootMissing(path),
        Some(libc::ENOTDIR) => LoadError::RootNotDirectory(path),
        _ if is_exhaustion(&error) => LoadError::Exhausted(error),
        _ => LoadError::RootUnreadable { path, error },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_root() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("file"), "").unwrap();
        let message = |name| {
            Root::open(&parent.path().join(name))
                .unwrap_err()
                .to_string()
        };
        assert!(message("none").contains("does not exist; create it"));
        assert!(message("file").contains("is not a directory; name"));
        assert!(message("file/below").contains("is not a directory; name"));
    }
}
