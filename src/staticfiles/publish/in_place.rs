//! Where the target cannot be exchanged: its files are replaced one by one, the manifests after all
//! others, and what is left of the last release goes last.
//!
//! Each file is whole at any moment; killed in between, the release is not.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::carry::copy;
use super::target::{Place, key};
use super::tree::{Entry, Kind};
use super::{CollectError, failure, name, tree};
use crate::manifest;
use crate::sys::rename::syncfs;

/// Moves what is in `scratch` to the place and removes what else is there.
pub(super) fn move_in(place: &Place, scratch: &Path) -> Result<(), CollectError> {
    let staged = tree::list(scratch, &|_| false)
        .map_err(|(path, cause)| failure("cannot read", path, cause))?;
    let (manifests, others): (Vec<_>, Vec<_>) =
        staged.iter().partition(|entry| is_manifest(&entry.name));
    // Directories come before what they hold.
    for entry in others.into_iter().chain(manifests) {
        let from = scratch.join(name::path(&entry.name));
        let to = place.directory.join(name::path(&entry.name));
        let moved = match entry.kind {
            Kind::Directory => make_directory(&to),
            _ => move_file(&from, &to),
        };
        moved.map_err(|cause| partly("cannot replace", place, &entry.name, &cause))?;
    }
    remove_rest(place, &staged)?;
    // What was to be lasting is in place; a system that cannot promise it changes nothing.
    let _ = File::open(&place.directory).and_then(|directory| syncfs(&directory));
    Ok(())
}

/// A file of the last release goes if it is in the way.
fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if fs::symlink_metadata(path)?.is_dir() {
                return Ok(());
            }
            fs::remove_file(path)?;
            fs::create_dir(path)
        }
        result => result,
    }
}

/// What was carried over may be the same file by two names. Then rename(2) does nothing, except in
/// overlays, where it can fail.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    use ErrorKind::{CrossesDevices, StaleNetworkFileHandle};
    if is_same_file(from, to)? {
        return Ok(());
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            tree::remove(to)?;
            fs::rename(from, to)
        }
        // The second: overlays that lose track of hard links.
        Err(error) if matches!(error.kind(), CrossesDevices | StaleNetworkFileHandle) => {
            copy_in(from, to)
        }
        result => result,
    }
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let one = fs::symlink_metadata(one)?;
    // What is not there is not the same either.
    let other = fs::symlink_metadata(other);
    Ok(other.is_ok_and(|other| key(&one) == key(&other)))
}

/// Into a file system that is mounted in the target: copied first, so that it appears whole.
fn copy_in(from: &Path, to: &Path) -> io::Result<()> {
    let parent = to.parent().ok_or(ErrorKind::InvalidInput)?;
    let beside = name::inside(parent);
    let result = copy(from, &beside).and_then(|()| fs::rename(&beside, to));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}

/// Removes what the new release does not have, deepest first.
fn remove_rest(place: &Place, staged: &[Entry]) -> Result<(), CollectError> {
    let staged: HashSet<&[u8]> = staged.iter().map(|entry| entry.name.as_slice()).collect();
    let present = place.list()?;
    let rest = present
        .iter()
        .rev()
        .filter(|entry| !staged.contains(entry.name.as_slice()));
    let mut failed = None;
    for entry in rest {
        let path = place.directory.join(name::path(&entry.name));
        let result = match entry.kind {
            // It stays if something is mounted in it.
            Kind::Directory => fs::remove_dir(path).or(Ok(())),
            _ => fs::remove_file(path),
        };
        if let Err(cause) = result {
            failed.get_or_insert((entry, cause));
        }
    }
    match failed {
        Some((entry, cause)) => Err(partly("cannot remove", place, &entry.name, &cause)),
        None => Ok(()),
    }
}

/// Unlike all other failures, this one leaves something behind.
fn partly(action: &'static str, place: &Place, name: &[u8], cause: &io::Error) -> CollectError {
    let text = format!("{cause}; files of two releases are in the output now, run again");
    let cause = io::Error::new(cause.kind(), text);
    CollectError::Io {
        action,
        path: place.shown(name),
        cause,
    }
}

fn is_manifest(name: &[u8]) -> bool {
    [manifest::FILE_NAME, manifest::release::FILE_NAME]
        .map(str::as_bytes)
        .contains(&name)
}
