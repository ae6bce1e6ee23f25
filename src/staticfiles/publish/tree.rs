//! Whole directory trees: what is in one, and removing one. Follows no symbolic link.

use std::fs::{self, FileType, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{mounts, name};

/// Something in a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its path below the root.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
}

/// What something in a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Symlink,
    Directory,
    /// A FIFO, socket or device.
    Special,
}

/// Everything below `root` but what `skip` names, sorted by name: directories come before what
/// they hold. An error comes with the path it is about.
pub(super) fn list(
    root: &Path,
    skip: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Vec<Entry>, (PathBuf, io::Error)> {
    let mut entries = Vec::new();
    // Level by level: recursion would need as much stack as somebody's directories are deep.
    let mut level = vec![Vec::new()];
    while !level.is_empty() {
        let lists: Result<Vec<_>, _> = level
            .par_iter()
            .map(|directory| list_one(root, directory, skip))
            .collect();
        let first_new = entries.len();
        entries.extend(lists?.into_iter().flatten());
        let directories = entries[first_new..].iter();
        level = directories
            .filter(|entry| entry.kind == Kind::Directory)
            .map(|entry| entry.name.clone())
            .collect();
    }
    entries.par_sort_unstable();
    Ok(entries)
}

/// Removes the directory `root` and all it holds, unless something is mounted there.
pub(super) fn remove(root: &Path) -> io::Result<()> {
    if !mounts::below(root).is_empty() {
        return Err(ErrorKind::ResourceBusy.into());
    }
    match remove_all(root) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(root);
            remove_all(root)
        }
        result => result,
    }
}

/// The directories in `root` first, several at once, then the rest. std follows no link even if
/// somebody puts one there meanwhile.
fn remove_all(root: &Path) -> io::Result<()> {
    let entries = fs::read_dir(root)?.flatten();
    let directories: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    directories.par_iter().for_each(|directory| {
        // What is refused is refused below as well, and told.
        let _ = fs::remove_dir_all(directory);
    });
    fs::remove_dir_all(root)
}

fn list_one(
    root: &Path,
    directory: &[u8],
    skip: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Vec<Entry>, (PathBuf, io::Error)> {
    let path = root.join(name::path(directory));
    let read = || {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let name = joined(directory, entry.file_name().as_bytes());
            if !skip(&name) {
                let kind = Kind::of(entry.file_type()?);
                entries.push(Entry { name, kind });
            }
        }
        Ok(entries)
    };
    read().map_err(|error| (path.clone(), error))
}

impl Kind {
    pub(super) fn of(file_type: FileType) -> Self {
        if file_type.is_file() {
            Self::File
        } else if file_type.is_symlink() {
            Self::Symlink
        } else if file_type.is_dir() {
            Self::Directory
        } else {
            Self::Special
        }
    }
}

fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return name.to_vec();
    }
    [directory, b"/", name].concat()
}

/// Lets the owner remove what is in directories that nobody may write to.
fn open_up(root: &Path) {
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        // What cannot be changed shows when it is removed.
        let _ = fs::set_permissions(&directory, Permissions::from_mode(0o700));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        pending.extend(inner.map(|entry| entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn lists_and_removes_without_following_links() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(parent.path().join("kept/d")).unwrap();
        fs::write(root.join("a/f"), "").unwrap();
        fs::write(root.join("a-f"), "").unwrap();
        fs::write(root.join("skipped"), "").unwrap();
        symlink("../kept", root.join("l")).unwrap();
        let entries = list(&root, &|name| name == b"skipped").unwrap();
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.as_slice(), entry.kind))
            .collect();
        let expected: [(&[u8], _); 5] = [
            (b"a", Kind::Directory),
            (b"a-f", Kind::File),
            (b"a/b", Kind::Directory),
            (b"a/f", Kind::File),
            (b"l", Kind::Symlink),
        ];
        assert_eq!(entries, expected);

        fs::set_permissions(root.join("a"), Permissions::from_mode(0o555)).unwrap();
        remove(&root).unwrap();
        assert!(!root.exists() && parent.path().join("kept/d").exists());
        let (path, error) = list(&root, &|_| false).unwrap_err();
        assert_eq!((path, error.kind()), (root, ErrorKind::NotFound));
    }
}
