//! Which files are collected: every source's, in order; of two with one name the first. Looks at
//! names only.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ignore::Ignore;
use super::{Options, Problem, Source};

/// A file to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its logical name.
    pub(super) name: Vec<u8>,
    /// The file, symbolic links and all.
    pub(super) path: PathBuf,
    /// Its length when it was found.
    pub(super) bytes: u64,
}

/// What all sources hold together.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The files to collect, by name.
    pub(super) files: Vec<Found>,
    /// Files of later sources whose names are taken.
    pub(super) shadowed: Vec<Found>,
    /// What stands in the way of publishing.
    pub(super) problems: Vec<Problem>,
}

/// Finds the files of all sources of `options`.
pub(super) fn find(options: &Options) -> Findings {
    let ignore = Ignore::new(&options.ignore);
    let mut findings = Findings::default();
    let mut names = HashSet::new();
    for source in &options.sources {
        for found in files_of(source, &ignore, &mut findings.problems) {
            if names.insert(found.name.clone()) {
                findings.files.push(found);
            } else {
                findings.shadowed.push(found);
            }
        }
    }
    findings
        .files
        .sort_by(|one, other| one.name.cmp(&other.name));
    findings
}

fn files_of(source: &Source, ignore: &Ignore, problems: &mut Vec<Problem>) -> Vec<Found> {
    match source {
        Source::Directory { prefix, directory } => {
            let mut walk = Walk {
                ignore,
                prefix,
                found: Vec::new(),
                problems,
                above: Vec::new(),
            };
            walk.start(directory);
            walk.found
        }
        Source::Listed { files, .. } => {
            let found = files.iter().filter_map(|file| {
                look(file.name.clone(), file.path.clone())
                    .map_err(|problem| problems.push(problem))
                    .ok()
            });
            found.collect()
        }
    }
}

/// One source directory being walked, as `django.contrib.staticfiles.utils.get_files` does it.
struct Walk<'a> {
    ignore: &'a Ignore,
    prefix: &'a str,
    found: Vec<Found>,
    problems: &'a mut Vec<Problem>,
    /// Device and inode of the directories above: one that comes again is a circle of links.
    above: Vec<(u64, u64)>,
}

impl Walk<'_> {
    fn start(&mut self, directory: &Path) {
        if !directory.is_dir() {
            let path = directory.to_owned();
            return self.problems.push(Problem::NoDirectory { path });
        }
        // Recursion would need as much stack as somebody's directories are deep.
        let mut levels: Vec<Level> = self.enter(directory, Vec::new()).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.entries.next() else {
                levels.pop();
                self.above.pop();
                continue;
            };
            if let Some((directory, location)) = self.see(&entry, &level.location) {
                levels.extend(self.enter(&directory, location));
            }
        }
    }

    fn enter(&mut self, directory: &Path, location: Vec<u8>) -> Option<Level> {
        let result = fs::metadata(directory).and_then(|metadata| {
            let identity = (metadata.dev(), metadata.ino());
            if self.above.contains(&identity) {
                return Err(io::Error::other(
                    "a symbolic link leads back to a directory above",
                ));
            }
            let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
            Ok((identity, entries))
        });
        match result {
            Ok((identity, mut entries)) => {
                entries.sort_by_key(DirEntry::file_name);
                self.above.push(identity);
                let entries = entries.into_iter();
                Some(Level { location, entries })
            }
            Err(error) => {
                self.problems.push(unreadable(directory, &error));
                None
            }
        }
    }

    /// Patterns are compared with the last segment of every name, and with the whole names of
    /// files only: Django prunes no directory by its path. Returns the path and the location of a
    /// directory to enter.
    fn see(&mut self, entry: &DirEntry, location: &[u8]) -> Option<(PathBuf, Vec<u8>)> {
        let segment = entry.file_name();
        if self.ignore.matches(segment.as_bytes()) {
            return None;
        }
        let name = join(location, segment.as_bytes());
        let path = entry.path();
        if is_directory(entry, &path) {
            return Some((path, name));
        }
        if self.ignore.matches(&name) {
            return None;
        }
        match look(join(self.prefix.as_bytes(), &name), path) {
            Ok(found) => self.found.push(found),
            Err(problem) => self.problems.push(problem),
        }
        None
    }
}

/// A directory that is being walked.
struct Level {
    /// Its name below the source.
    location: Vec<u8>,
    /// What is still to be seen.
    entries: std::vec::IntoIter<DirEntry>,
}

/// Whether it is a directory, or a symbolic link to one.
fn is_directory(entry: &DirEntry, path: &Path) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => path.is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

fn look(name: Vec<u8>, path: PathBuf) -> Result<Found, Problem> {
    let metadata = fs::metadata(&path).map_err(|error| {
        let is_link = path.is_symlink() && error.kind() == io::ErrorKind::NotFound;
        if is_link {
            let error = io::Error::other("it is a symbolic link to nothing");
            unreadable(&path, &error)
        } else {
            unreadable(&path, &error)
        }
    })?;
    if !metadata.is_file() {
        let error = io::Error::other("it is not a regular file");
        return Err(unreadable(&path, &error));
    }
    Ok(Found {
        name,
        path,
        bytes: metadata.len(),
    })
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::Unreadable {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

/// `location/segment`, or the segment alone.
fn join(location: &[u8], segment: &[u8]) -> Vec<u8> {
    if location.is_empty() {
        return segment.to_vec();
    }
    [location, b"/", segment].concat()
}
