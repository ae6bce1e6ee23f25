//! What the new release takes over from the last one: files by further names, directories anew.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;

use rayon::prelude::*;

use super::tree::{Entry, Kind};
use super::{CollectError, Staging, failed, failure, name, tree};

impl Staging {
    /// Takes the file `name` of the last release over, by a hard link or a copy.
    #[cfg(test)]
    pub(crate) fn carry(&self, name: &[u8]) -> Result<(), CollectError> {
        let from = self
            .place
            .directory
            .join(name::checked(name).map_err(failed(CARRY, name::path(name)))?);
        let kind = fs::symlink_metadata(&from).map(|metadata| Kind::of(metadata.file_type()));
        match kind.map_err(failed(CARRY, &self.place.shown(name)))? {
            Kind::File | Kind::Symlink => self.add(name, CARRY, |to| link_or_copy(&from, to)),
            Kind::Directory | Kind::Special => {
                let cause = io::Error::new(ErrorKind::InvalidInput, "it is not a file");
                Err(failure(CARRY, self.place.shown(name), cause))
            }
        }
    }

    /// Carries over every file of the last release whose name is not staged and that `keep`
    /// accepts, and all directories; calls `on_deleted` with the names of the files it refuses,
    /// of those that are in the way of staged ones, and of what is no file at all.
    pub(crate) fn carry_rest(
        &self,
        keep: &mut dyn FnMut(&[u8]) -> bool,
        on_deleted: &mut dyn FnMut(&[u8]),
    ) -> Result<(), CollectError> {
        let last = self.place.list()?;
        let staged = tree::list(&self.scratch, &|_| false)
            .map_err(|(path, cause)| failure("cannot read", path, cause))?;
        let staged = staged
            .iter()
            .map(|entry| (entry.name.as_slice(), entry.kind))
            .collect();
        let mut carried = Vec::new();
        for entry in &last {
            match fate(entry, &staged) {
                Fate::Replaced => {}
                Fate::Free if entry.kind == Kind::Directory || keep(&entry.name) => {
                    carried.push(entry);
                }
                Fate::Free | Fate::Lost => on_deleted(&entry.name),
            }
        }
        self.carry_all(carried)
    }

    /// Directory by directory, several at once: links into one directory wait for each other.
    fn carry_all(&self, mut entries: Vec<&Entry>) -> Result<(), CollectError> {
        entries.par_sort_by_key(|entry| (name::parent(&entry.name), entry.name.as_slice()));
        let groups: Vec<_> = entries
            .chunk_by(|one, other| name::parent(&one.name) == name::parent(&other.name))
            .collect();
        groups.par_iter().try_for_each(|group| {
            for entry in *group {
                self.carry_one(entry)
                    .map_err(failed(CARRY, &self.place.shown(&entry.name)))?;
            }
            Ok(())
        })
    }

    fn carry_one(&self, entry: &Entry) -> io::Result<()> {
        if entry.kind == Kind::Directory {
            return self.directories.make(&entry.name);
        }
        self.directories.hold(&entry.name)?;
        let path = name::path(&entry.name);
        link_or_copy(&self.place.directory.join(path), &self.scratch.join(path))
    }
}

/// What becomes of something in the last release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The new release has its name.
    Replaced,
    /// The new release leaves room for it.
    Free,
    /// It cannot be taken over.
    Lost,
}

fn fate(entry: &Entry, staged: &HashMap<&[u8], Kind>) -> Fate {
    let is_directory = entry.kind == Kind::Directory;
    let is_blocked = name::ancestors(&entry.name).any(|name| {
        staged
            .get(name)
            .is_some_and(|kind| *kind != Kind::Directory)
    });
    match staged.get(entry.name.as_slice()) {
        // Directories are counted by their files.
        _ if is_blocked && is_directory => Fate::Replaced,
        _ if is_blocked => Fate::Lost,
        Some(Kind::Directory) if !is_directory => Fate::Lost,
        Some(_) => Fate::Replaced,
        None if entry.kind == Kind::Special => Fate::Lost,
        None => Fate::Free,
    }
}

/// Gives the file or symbolic link `from` the further name `to`; makes `to` a copy where the
/// system refuses that: between file systems, for files of others, beyond the number of links.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            copy(from, to)
        }
        result => result,
    }
}

/// Makes `to` a file or symbolic link like `from`.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_permissions(metadata.permissions())?;
    target.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

const CARRY: &str = "cannot carry over";
