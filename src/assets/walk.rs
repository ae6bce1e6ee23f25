//! One walk of a source directory: which files it has and where each is opened. Reads no content.

use std::ffi::{CString, OsStr};
use std::fs::{File, FileType, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::rc::Rc;

use super::problem::{Cause, LoadError, Warning, is_exhaustion};
use super::root::Root;
use crate::sys::beneath;

/// A regular file below a root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path below the root as URLs spell it.
    pub(super) name: Vec<u8>,
    /// The path to open below the root: without links.
    pub(super) path: CString,
    /// Its length in bytes when it was found.
    pub(super) bytes: u64,
}

impl Root {
    /// All regular files below this root that may be served, in no particular order.
    pub(super) fn walk(
        &self,
        entry_count_max: usize,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Found>, LoadError> {
        let mut walk = Walk {
            root: self,
            found: Vec::new(),
            pending: vec![Directory::default()],
            directory_count: 1,
            warnings,
        };
        while let Some(directory) = walk.pending.pop() {
            walk.directory(&directory)?;
            if walk.found.len() + walk.directory_count > entry_count_max {
                return Err(LoadError::TooManyFiles {
                    path: self.directory.clone(),
                    count_max: entry_count_max,
                });
            }
        }
        Ok(walk.found)
    }
}

/// The state of one walk.
struct Walk<'a> {
    root: &'a Root,
    found: Vec<Found>,
    pending: Vec<Directory>,
    directory_count: usize,
    warnings: &'a mut Vec<Warning>,
}

/// A directory still to be listed.
#[derive(Default)]
struct Directory {
    /// Its path as URLs spell it; empty for the root.
    name: Vec<u8>,
    /// The path to open; empty for the root.
    path: Vec<u8>,
    ancestors: Option<Rc<Ancestor>>,
}

/// The directories that lead to one, each by device and inode number.
struct Ancestor {
    place: (u64, u64),
    parent: Option<Rc<Self>>,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Directory) -> Result<(), LoadError> {
        let listed = self.list(directory);
        let (opened, place, mut names) = match listed {
            Ok(listed) => listed,
            Err(error) if directory.name.is_empty() => return Err(self.root.error(error)),
            Err(error) => return self.warn_unreadable(&directory.name, error),
        };
        let ancestors = directory.ancestors.as_ref();
        if std::iter::successors(ancestors, |ancestor| ancestor.parent.as_ref())
            .any(|ancestor| ancestor.place == place)
        {
            self.warn(&directory.name, Cause::LinkLoop);
            return Ok(());
        }
        let ancestors = Rc::new(Ancestor {
            place,
            parent: directory.ancestors.clone(),
        });
        names.sort_unstable();
        for name in names {
            if !is_hidden(directory, name.as_bytes()) {
                self.entry(&opened, directory, &name, &ancestors)?;
            }
        }
        Ok(())
    }

    fn list(&self, directory: &Directory) -> io::Result<(File, (u64, u64), Vec<CString>)> {
        let path = c_path(&directory.path)?;
        let opened = beneath::open_directory(self.root.descriptor.as_fd(), &path)?;
        let metadata = opened.metadata()?;
        let names = beneath::names(&opened)?;
        Ok((opened, (metadata.dev(), metadata.ino()), names))
    }

    fn entry(
        &mut self,
        opened: &File,
        directory: &Directory,
        file_name: &CString,
        ancestors: &Rc<Ancestor>,
    ) -> Result<(), LoadError> {
        let name = join(&directory.name, file_name.as_bytes());
        let path = join(&directory.path, file_name.as_bytes());
        let metadata =
            beneath::open_place(opened.as_fd(), file_name).and_then(|place| place.metadata());
        match metadata {
            Ok(metadata) if metadata.is_symlink() => match self.follow(&path) {
                Ok((path, metadata)) => self.take(name, path, &metadata, ancestors),
                Err(Cause::Unreadable(error)) => return self.warn_unreadable(&name, error),
                Err(cause) => self.warn(&name, cause),
            },
            Ok(metadata) => self.take(name, path, &metadata, ancestors),
            Err(error) => return self.warn_unreadable(&name, error),
        }
        Ok(())
    }

    /// Where the link at `path` leads, if that is below the root.
    ///
    /// The kernel refuses absolute links beneath a directory even if they lead back into it, so
    /// links are resolved here; what they lead to is opened beneath the root like any other
    /// file. A target in a dot directory is fine: Kubernetes mounts volumes that way, and the
    /// operator has given it a name of its own.
    fn follow(&self, path: &[u8]) -> Result<(Vec<u8>, Metadata), Cause> {
        let link = self.root.canonical.join(OsStr::from_bytes(path));
        let target = link
            .canonicalize()
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => Cause::LinkDangling,
                Some(libc::ELOOP) => Cause::LinkLoop,
                _ => Cause::Unreadable(error),
            })?;
        let target = target
            .strip_prefix(&self.root.canonical)
            .map_err(|_| Cause::LinkOutside)?;
        let target = target.as_os_str().as_bytes().to_vec();
        let metadata = c_path(&target)
            .and_then(|path| beneath::open_place(self.root.descriptor.as_fd(), &path))
            .and_then(|place| place.metadata())
            .map_err(Cause::Unreadable)?;
        Ok((target, metadata))
    }

    fn take(
        &mut self,
        name: Vec<u8>,
        path: Vec<u8>,
        metadata: &Metadata,
        ancestors: &Rc<Ancestor>,
    ) {
        if metadata.is_dir() {
            self.directory_count += 1;
            self.pending.push(Directory {
                name,
                path,
                ancestors: Some(Rc::clone(ancestors)),
            });
        } else if !metadata.is_file() {
            self.warn(&name, Cause::Special(kind(metadata.file_type())));
        } else if name != WELL_KNOWN {
            self.found.push(Found {
                name,
                path: CString::new(path).expect("invariant: parts of paths have no NUL"),
                bytes: metadata.len(),
            });
        }
    }

    fn warn(&mut self, name: &[u8], cause: Cause) {
        self.warnings
            .push(Warning::file(self.root.join(name), cause));
    }

    fn warn_unreadable(&mut self, name: &[u8], error: io::Error) -> Result<(), LoadError> {
        if is_exhaustion(&error) {
            return Err(LoadError::Exhausted(error));
        }
        self.warn(name, Cause::Unreadable(error));
        Ok(())
    }
}

/// Whether the file called `name` may be served, by the names that lead to it.
pub(super) fn is_public(name: &[u8]) -> bool {
    let mut segments = name.split(|&byte| byte == b'/');
    let first = segments.next().unwrap_or_default();
    let is_dot = |segment: &[u8]| segment.starts_with(b".");
    (!is_dot(first) || first == WELL_KNOWN) && !segments.any(is_dot) && !name.is_empty()
}

/// Whether dot files stay private here. Only the directory of RFC 8615, and only at the root,
/// is meant for the public; dot files within it are not.
fn is_hidden(directory: &Directory, file_name: &[u8]) -> bool {
    let well_known = directory.name.is_empty() && file_name == WELL_KNOWN;
    file_name.starts_with(b".") && !well_known
}

fn join(directory: &[u8], file_name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return file_name.to_vec();
    }
    [directory, file_name].join(&b'/')
}

fn c_path(path: &[u8]) -> io::Result<CString> {
    let path = if path.is_empty() { b"." } else { path };
    Ok(CString::new(path)?)
}

fn kind(file_type: FileType) -> &'static str {
    if file_type.is_fifo() {
        "FIFO"
    } else if file_type.is_socket() {
        "socket"
    } else if file_type.is_block_device() || file_type.is_char_device() {
        "device"
    } else {
        "special file"
    }
}

/// RFC 8615 §3.
const WELL_KNOWN: &[u8] = b".well-known";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Walks what `make` has made of an empty directory within another; says what is found and
    /// what is warned of.
    #[track_caller]
    fn check(make: impl FnOnce(&Path), found: &[&str], warned: &[(&str, &str)]) {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("root");
        fs::create_dir(&directory).unwrap();
        make(&directory);
        let mut warnings = Vec::new();
        let root = Root::open(&directory).unwrap();
        let mut names: Vec<String> = root
            .walk(1000, &mut warnings)
            .unwrap()
            .iter()
            .map(|found| String::from_utf8_lossy(&found.name).into_owned())
            .collect();
        names.sort();
        assert_eq!(names, found);
        let mut texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        texts.sort();
        assert_eq!(texts.len(), warned.len(), "{texts:?}");
        for (text, (name, part)) in texts.iter().zip(warned) {
            let path = format!("{:?}", directory.join(name));
            assert!(text.starts_with(&path) && text.contains(part), "{text}");
        }
    }

    fn touch(path: impl AsRef<Path>) {
        fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn finds_files_by_their_bytes() {
        check(
            |root| {
                touch(root.join("a b/c%d"));
                touch(root.join(OsStr::from_bytes(b"\xff.css")));
            },
            &["a b/c%d", "\u{fffd}.css"],
            &[],
        );
    }

    #[test]
    fn hides_dot_files() {
        check(
            |root| {
                touch(root.join(".env"));
                touch(root.join(".git/config"));
                touch(root.join("d/.hidden/file"));
                touch(root.join("d/.well-known/file"));
                touch(root.join(".well-known/security.txt"));
                touch(root.join(".well-known/.env"));
                touch(root.join("..."));
            },
            &[".well-known/security.txt"],
            &[],
        );
        check(|root| touch(root.join(".well-known")), &[], &[]);
    }

    #[test]
    fn follows_links_inside_only() {
        check(
            |root| {
                touch(root.join("d/file"));
                touch(root.with_file_name("secret"));
                touch(root.with_file_name("root_x").join("sibling"));
                symlink("d/file", root.join("relative")).unwrap();
                symlink(root.join("d/file"), root.join("absolute")).unwrap();
                symlink("../root/d/file", root.join("out-and-in")).unwrap();
                symlink("d", root.join("e")).unwrap();
                symlink("../secret", root.join("out")).unwrap();
                symlink("/etc/hostname", root.join("out-absolute")).unwrap();
                symlink("../root_x", root.join("out-directory")).unwrap();
                symlink("nothing", root.join("dangling")).unwrap();
                symlink("self", root.join("self")).unwrap();
            },
            &["absolute", "d/file", "e/file", "out-and-in", "relative"],
            &[
                ("dangling", "to nothing"),
                ("out", "out of its source"),
                ("out-absolute", "out of its source"),
                ("out-directory", "out of its source"),
                ("self", "back to itself"),
            ],
        );
    }

    #[test]
    fn opens_what_a_link_leads_to() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path().join("..data/file"));
        symlink("..data/file", root.path().join("file")).unwrap();
        let found = Root::open(root.path()).unwrap().walk(9, &mut Vec::new());
        let expected = Found {
            name: b"file".to_vec(),
            path: c"..data/file".to_owned(),
            bytes: 1,
        };
        assert_eq!(found.unwrap(), [expected]);
    }

    #[test]
    fn leaves_directory_loops() {
        check(
            |root| {
                touch(root.join("a/file"));
                symlink("..", root.join("a/up")).unwrap();
                symlink(".", root.join("here")).unwrap();
            },
            &["a/file"],
            &[("a/up", "back to itself"), ("here", "back to itself")],
        );
    }

    #[test]
    fn leaves_special_files() {
        check(
            |root| {
                let fifo = root.join("fifo");
                assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
                UnixListener::bind(root.join("socket")).unwrap();
                symlink("fifo", root.join("link")).unwrap();
            },
            &[],
            &[
                ("fifo", "a FIFO"),
                ("link", "a FIFO"),
                ("socket", "a socket"),
            ],
        );
    }

    #[test]
    fn ends_at_its_limit() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/1", "b/2", "c/3"] {
            touch(root.path().join(name));
        }
        let root = Root::open(root.path()).unwrap();
        assert_eq!(root.walk(7, &mut Vec::new()).unwrap().len(), 3);
        let error = root.walk(6, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("more than 6 files"), "{error}");
    }
}
