//! Where releases go: found, locked against other runs, and rid of what killed runs left.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::Entry;
use super::{CollectError, Staging, directories, failed, failure, mounts, name, tree};

/// Holds the output for one run: others wait until this and its [`Staging`] are dropped, or the
/// process is gone.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) place: Arc<Place>,
}

/// The output and what is known of it.
#[derive(Debug)]
pub(super) struct Place {
    /// As the operator calls it, but absolute.
    pub(super) path: PathBuf,
    /// The directory itself, without symbolic links.
    pub(super) directory: PathBuf,
    /// What it was when it was locked, if it was.
    pub(super) last: Option<Metadata>,
    /// Where other file systems are mounted at and below it.
    pub(super) mounts: Vec<PathBuf>,
    _locks: Vec<File>,
}

impl Target {
    /// Locks `output`, waiting for another run if there is one (`on_wait` hears of it once), and
    /// removes what killed runs left beside and inside it.
    pub(crate) fn lock(output: &Path, on_wait: &mut dyn FnMut()) -> Result<Self, CollectError> {
        let path = std::path::absolute(output).map_err(failed("cannot find", output))?;
        let path: PathBuf = path.components().collect();
        let mut told = false;
        let mut tell = || {
            if !std::mem::replace(&mut told, true) {
                on_wait();
            }
        };
        for _ in 0..ATTEMPT_COUNT_MAX {
            let directory = resolve(&path)?;
            let locks = lock_around(&directory, &mut tell).map_err(failed("cannot lock", &path))?;
            // The run that was waited for has put another directory there.
            if resolve(&path)? == directory && locks.iter().all(Lock::is_current) {
                let place = Arc::new(Place::new(path, directory, locks));
                place.remove_stale();
                return Ok(Self { place });
            }
        }
        let cause = io::Error::new(ErrorKind::ResourceBusy, "it is replaced again and again");
        Err(failure("cannot lock", path, cause))
    }

    /// The output, absolute, otherwise as the operator calls it.
    pub(crate) fn path(&self) -> &Path {
        &self.place.path
    }

    /// Begins a new release.
    pub(crate) fn stage(&self) -> Result<Staging, CollectError> {
        let place = &self.place;
        let beside = match name::beside(&place.directory) {
            Some(beside) if place.mounts.is_empty() => beside,
            _ => return self.stage_inside(),
        };
        match fs::create_dir(&beside) {
            Ok(()) => {
                if let Some(last) = &place.last {
                    directories::adopt(last, &beside);
                }
                Ok(Staging::new(Arc::clone(place), beside))
            }
            Err(error) if place.last.is_some() && is_refused(&error) => self.stage_inside(),
            Err(cause) => Err(failure(
                "cannot create a directory beside",
                &place.path,
                cause,
            )),
        }
    }

    /// Where nothing can be put beside the output, or the output cannot be exchanged.
    fn stage_inside(&self) -> Result<Staging, CollectError> {
        let inside = name::inside(&self.place.directory);
        fs::create_dir(&inside)
            .map_err(failed("cannot create a directory in", &self.place.path))?;
        Ok(Staging::new(Arc::clone(&self.place), inside))
    }
}

impl Place {
    fn new(path: PathBuf, directory: PathBuf, locks: Vec<Lock>) -> Self {
        Self {
            last: fs::symlink_metadata(&directory).ok(),
            mounts: mounts::below(&directory),
            path,
            directory,
            _locks: locks.into_iter().map(|lock| lock.file).collect(),
        }
    }

    /// All that the last release holds; not what is mounted in it, nor what is the file system's
    /// or another run's own.
    pub(super) fn list(&self) -> Result<Vec<Entry>, CollectError> {
        if self.last.is_none() {
            return Ok(Vec::new());
        }
        let is_mount = self.mounts.iter().any(|mount| mount.as_os_str().is_empty());
        let skip = |name: &[u8]| {
            name::is_inside(name)
                || is_mount && name == LOST_AND_FOUND
                || mounts::covers(&self.mounts, name)
        };
        tree::list(&self.directory, &skip)
            .map_err(|(path, cause)| failure("cannot read the last release's", path, cause))
    }

    /// Whether the last release is still the one whose files were carried over. The lock keeps
    /// other runs out, but not other programs, and what they put there must not be removed.
    pub(super) fn check_last(&self) -> io::Result<()> {
        let now = match fs::symlink_metadata(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        if self.last.as_ref().map(key) == Some(key(&now)) {
            return Ok(());
        }
        let text = "another program has replaced it meanwhile; nothing was published, run again";
        Err(io::Error::other(text))
    }

    /// What is called `name` in the output, for messages.
    pub(super) fn shown(&self, name: &[u8]) -> PathBuf {
        self.path.join(name::path(name))
    }

    /// Removes what killed runs left; the lock says that nobody uses it. What cannot be removed
    /// stays for another time.
    fn remove_stale(&self) {
        let is_beside = |name: &[u8]| name::is_beside(&self.directory, name);
        if let Some(parent) = self.directory.parent() {
            remove_directories(parent, &is_beside);
        }
        remove_directories(&self.directory, &name::is_inside);
    }
}

/// A directory that nobody else can lock, as long as the file is open.
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Locks the directory `path`.
    fn take(path: &Path, on_wait: &mut dyn FnMut()) -> io::Result<Self> {
        let file = File::open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                on_wait();
                wait(&file)?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// Whether the path still names what is locked.
    fn is_current(&self) -> bool {
        let named = fs::symlink_metadata(&self.path).map(|named| key(&named));
        let locked = self.file.metadata().map(|locked| key(&locked));
        matches!((named, locked), (Ok(named), Ok(locked)) if named == locked)
    }
}

/// Which file it is, whatever its name.
pub(super) fn key(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn wait(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Locks the directory around `directory`, which stays when `directory` is exchanged, and then
/// `directory` itself, which is all that containers with the same volume have in common.
fn lock_around(directory: &Path, on_wait: &mut dyn FnMut()) -> io::Result<Vec<Lock>> {
    let mut locks = Vec::new();
    let mut refused = None;
    for path in directory.parent().into_iter().chain([directory]) {
        match Lock::take(path, on_wait) {
            Ok(lock) => locks.push(lock),
            Err(error) if error.kind() == ErrorKind::NotFound && path == directory => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if locks.is_empty() => Err(error),
        _ => Ok(locks),
    }
}

/// The directory that `path` names, which may not exist yet; the one it is in does afterwards.
fn resolve(path: &Path) -> Result<PathBuf, CollectError> {
    match fs::symlink_metadata(path) {
        Ok(_) => resolve_existing(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(failure("cannot find", path, error));
            };
            fs::create_dir_all(parent).map_err(failed("cannot create the directory", parent))?;
            let parent = fs::canonicalize(parent).map_err(failed("cannot find", parent))?;
            Ok(parent.join(name))
        }
        Err(error) => Err(failure("cannot look at", path, error)),
    }
}

fn resolve_existing(path: &Path) -> Result<PathBuf, CollectError> {
    const ACTION: &str = "cannot publish to";
    let directory = fs::canonicalize(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => {
            let text = "it is a symbolic link to nothing; create the directory or remove the link";
            failure(ACTION, path, io::Error::new(ErrorKind::NotFound, text))
        }
        _ => failure("cannot find", path, cause),
    })?;
    let metadata = fs::metadata(&directory).map_err(failed("cannot look at", path))?;
    if !metadata.is_dir() {
        let text = "it is not a directory; remove it or choose another output";
        let cause = io::Error::new(ErrorKind::NotADirectory, text);
        return Err(failure(ACTION, path, cause));
    }
    Ok(directory)
}

/// Whether a directory may not be created.
fn is_refused(error: &io::Error) -> bool {
    use ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Removes the directories in `parent` whose names `is_stale` accepts, as far as possible.
fn remove_directories(parent: &Path, is_stale: &dyn Fn(&[u8]) -> bool) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && is_stale(entry.file_name().as_bytes()) {
            let _ = tree::remove(&entry.path());
        }
    }
}

/// How often a target is looked for that another run replaces meanwhile.
const ATTEMPT_COUNT_MAX: u32 = 1000;

/// At the root of ext file systems: what fsck has found.
const LOST_AND_FOUND: &[u8] = b"lost+found";
