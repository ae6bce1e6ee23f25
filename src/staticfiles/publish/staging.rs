//! The new release while it is written: every file new or shared with the last release by a link,
//! nothing of the last one touched.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::carry::link_or_copy;
use super::directories::{Directories, conflict};
use super::target::Place;
use super::{CollectError, exchange, failed, in_place, name, tree};
use crate::sys::rename::syncfs;

/// A new directory beside the target. Dropped without [`Staging::publish`], it is removed.
/// Any number of threads may work with it.
#[derive(Debug)]
pub(crate) struct Staging {
    pub(super) place: Arc<Place>,
    /// Where the release is written; after an exchange, what the last one was.
    pub(super) scratch: PathBuf,
    pub(super) directories: Directories,
}

impl Staging {
    /// A release in the new directory `scratch`.
    pub(super) fn new(place: Arc<Place>, scratch: PathBuf) -> Self {
        let last = place.last.is_some().then(|| place.directory.clone());
        Self {
            directories: Directories::new(scratch.clone(), last),
            place,
            scratch,
        }
    }

    /// Writes a whole file, with its directories, mode 0644 and this modification time.
    pub(crate) fn write(
        &self,
        name: &[u8],
        content: &[u8],
        modified: SystemTime,
    ) -> Result<(), CollectError> {
        let mut file = self.create(name)?;
        file.write_all(content)
            .map_err(failed(WRITE, &self.place.shown(name)))?;
        self.finish(name, file, modified)
    }

    /// Creates a file to be written in pieces; [`Self::finish`] sets its time.
    pub(crate) fn create(&self, name: &[u8]) -> Result<File, CollectError> {
        self.add(name, WRITE, |path| {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(FILE_MODE)
                .open(path)?;
            // The umask must not decide about who can read what is public.
            file.set_permissions(Permissions::from_mode(FILE_MODE))?;
            Ok(file)
        })
    }

    /// Ends what [`Self::create`] began.
    pub(crate) fn finish(
        &self,
        name: &[u8],
        file: File,
        modified: SystemTime,
    ) -> Result<(), CollectError> {
        file.set_times(FileTimes::new().set_modified(modified))
            .map_err(failed("cannot set the time of", &self.place.shown(name)))
    }

    /// Opens a staged file to be read.
    pub(crate) fn open(&self, name: &[u8]) -> Result<File, CollectError> {
        let path = self.staged(name, READ)?;
        File::open(path).map_err(failed(READ, &self.place.shown(name)))
    }

    /// Gives the staged file `name` a second name (a hard link; a copy where the file system has
    /// none).
    pub(crate) fn link(&self, name: &[u8], second: &[u8]) -> Result<(), CollectError> {
        if name == second {
            return Ok(());
        }
        let from = self.staged(name, LINK)?;
        self.add(second, LINK, |to| link_or_copy(&from, to))
    }

    /// Makes `name` a symbolic link to `source`.
    pub(crate) fn symlink(&self, source: &Path, name: &[u8]) -> Result<(), CollectError> {
        self.add(name, LINK, |path| symlink(source, path))
    }

    /// Removes a staged file.
    pub(crate) fn remove(&self, name: &[u8]) -> Result<(), CollectError> {
        const ACTION: &str = "cannot remove";
        let path = self.staged(name, ACTION)?;
        fs::remove_file(path).map_err(failed(ACTION, &self.place.shown(name)))
    }

    /// Puts the release in place of the last one, whole, and removes the last one.
    pub(crate) fn publish(self) -> Result<(), CollectError> {
        const ACTION: &str = "cannot put the new release in place at";
        let Self { place, scratch, .. } = &self;
        self.sync()
            .map_err(failed("cannot write to the disk of", &place.path))?;
        if scratch.starts_with(&place.directory) {
            return in_place::move_in(place, scratch);
        }
        let put = match &place.last {
            Some(_) => place
                .check_last()
                .and_then(|()| exchange::put(scratch, &place.directory)),
            None => exchange::put_first(scratch, &place.directory),
        };
        match put {
            Err(error) if place.last.is_some() && exchange::is_impossible(&error) => {
                return in_place::move_in(place, scratch);
            }
            result => result.map_err(failed(ACTION, &place.path))?,
        }
        place.directory.parent().map(exchange::settle);
        Ok(())
        // Dropping `self` removes what is at `scratch` now: the last release.
    }

    /// Puts something new at `name`, with its directories, instead of a file that was staged
    /// there. That one is not opened: its content may be shared with the last release.
    pub(super) fn add<T>(
        &self,
        name: &[u8],
        action: &'static str,
        make: impl Fn(&Path) -> io::Result<T>,
    ) -> Result<T, CollectError> {
        let path = self.staged(name, action)?;
        let added = self.directories.hold(name).and_then(|()| {
            match make(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result,
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::IsADirectory => Err(conflict(name)),
                result => result.and_then(|()| make(&path)),
            }
        });
        added.map_err(failed(action, &self.place.shown(name)))
    }

    /// The path of `name` in the new release.
    fn staged(&self, name: &[u8], action: &'static str) -> Result<PathBuf, CollectError> {
        let path = name::checked(name).map_err(failed(action, name::path(name)))?;
        Ok(self.scratch.join(path))
    }

    /// After a power failure the new names must not lead to empty files.
    fn sync(&self) -> io::Result<()> {
        syncfs(&File::open(&self.scratch)?)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is left to the next run.
        let _ = tree::remove(&self.scratch);
    }
}

const READ: &str = "cannot read";
const WRITE: &str = "cannot write";
const LINK: &str = "cannot link";

/// Django's `FILE_UPLOAD_PERMISSIONS`.
const FILE_MODE: u32 = 0o644;
