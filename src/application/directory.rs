//! A directory that only this user can look into, for the socket of an application.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

/// The directory; removed, with what is in it, when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes one below the first of the user's runtime directory, the temporary one and `/tmp`
    /// that allows it.
    pub(super) fn make() -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = [runtime, Some(std::env::temp_dir()), Some("/tmp".into())];
        let absolute = |place: &PathBuf| place.is_absolute();
        Self::make_below(places.into_iter().flatten().filter(absolute))
    }

    /// Makes one below the first of `places` that allows it.
    pub(super) fn make_below(places: impl Iterator<Item = PathBuf>) -> io::Result<Self> {
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for place in places {
            match make_below(&place) {
                Ok(path) => return Ok(Self(path)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// The path of the socket in it.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!("{} is left behind: {error}", self.0.display());
        }
    }
}

fn make_below(place: &Path) -> io::Result<PathBuf> {
    let id = process::id();
    for attempt in 0..ATTEMPT_COUNT_MAX {
        let path = place.join(format!("whitering-{id}-{attempt}"));
        if bytes(path.join(SOCKET).as_os_str()) > SOCKET_PATH_BYTES_MAX {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        // The mode counts from the start, and what is there already is somebody else's.
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|()| path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn bytes(path: &OsStr) -> usize {
    path.as_bytes().len()
}

const SOCKET: &str = "application.sock";

/// `sun_path` holds 108 bytes with its end (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Numbers of processes come back, and a killed one leaves its directory behind.
const ATTEMPT_COUNT_MAX: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_its_user_can_look_into_it_and_nothing_is_left() {
        let place = tempfile::tempdir().unwrap();
        let make = || Directory::make_below([place.path().to_owned()].into_iter()).unwrap();
        let (first, second) = (make(), make());
        assert_ne!(first.0, second.0);
        let mode = fs::metadata(&first.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(first.socket(), "").unwrap();
        drop((first, second));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn takes_the_first_place_that_can_hold_it() {
        let place = tempfile::tempdir().unwrap();
        let too_long = place.path().join("x".repeat(100));
        fs::create_dir(&too_long).unwrap();
        let places = ["/proc/nowhere".into(), too_long, place.path().to_owned()];
        let directory = Directory::make_below(places.into_iter()).unwrap();
        assert_eq!(directory.0.parent(), Some(place.path()));
        assert!(Directory::make_below(["/proc/nowhere".into()].into_iter()).is_err());
    }
}
