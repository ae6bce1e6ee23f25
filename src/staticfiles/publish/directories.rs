//! The directories of a staged release, made when a file needs them.

use std::collections::HashSet;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::name;

/// Directories that exist below a root, for any number of threads.
#[derive(Debug)]
pub(super) struct Directories {
    root: PathBuf,
    /// Where the same directories may stand in the last release: their modes are kept.
    last: Option<PathBuf>,
    /// Names of those that are known to be real directories.
    known: RwLock<HashSet<Vec<u8>>>,
}

impl Directories {
    pub(super) fn new(root: PathBuf, last: Option<PathBuf>) -> Self {
        Self {
            root,
            last,
            known: RwLock::default(),
        }
    }

    /// Makes the directory that the file `name` is in, and those above it.
    pub(super) fn hold(&self, name: &[u8]) -> io::Result<()> {
        self.make(name::parent(name))
    }

    /// Makes the directory `name` and those above it.
    pub(super) fn make(&self, name: &[u8]) -> io::Result<()> {
        if name.is_empty() || self.is_known(name) {
            return Ok(());
        }
        for name in name::ancestors(name).chain([name]) {
            if !self.is_known(name) {
                self.make_one(name)?;
            }
        }
        Ok(())
    }

    fn make_one(&self, name: &[u8]) -> io::Result<()> {
        let path = self.root.join(name::path(name));
        match fs::create_dir(&path) {
            Ok(()) => self.adopt_last(name, &path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A link to a directory would lead out of the root.
                if !fs::symlink_metadata(&path)?.is_dir() {
                    return Err(conflict(name));
                }
            }
            Err(error) => return Err(error),
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_vec());
        Ok(())
    }

    /// Gives the new directory the mode and the owner that it has in the last release.
    fn adopt_last(&self, name: &[u8], path: &Path) {
        let last = self.last.as_ref().map(|last| last.join(name::path(name)));
        let metadata = last.and_then(|last| fs::symlink_metadata(last).ok());
        if let Some(metadata) = metadata.filter(Metadata::is_dir) {
            adopt(&metadata, path);
        }
    }

    fn is_known(&self, name: &[u8]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(name)
    }
}

/// `name` cannot be both.
pub(super) fn conflict(name: &[u8]) -> io::Error {
    let name = name::path(name).display();
    let text = format!("{name} is a file in one place and a directory in another");
    io::Error::new(ErrorKind::NotADirectory, text)
}

/// Gives the new directory `path` the owner and the mode of `last`, as far as this process may.
/// Its own user can always write to it.
pub(super) fn adopt(last: &Metadata, path: &Path) {
    let Ok(new) = fs::symlink_metadata(path) else {
        return;
    };
    if (new.uid(), new.gid()) != (last.uid(), last.gid())
        && chown(path, Some(last.uid()), Some(last.gid())).is_err()
    {
        // Only root gives files away; to another group of its own anybody may.
        let _ = chown(path, None, Some(last.gid()));
    }
    // After the owner: changing that takes the set-group-id bit away.
    let mode = last.mode() & 0o7777 | 0o700;
    if new.mode() & 0o7777 != mode || new.gid() != last.gid() {
        let _ = fs::set_permissions(path, Permissions::from_mode(mode));
    }
}
