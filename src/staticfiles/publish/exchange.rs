//! A directory takes the place of another, both whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::sys::rename::{exchange, rename_new};

/// Puts the directory `new` at `place`, where nothing was; an empty directory that somebody has
/// made meanwhile may go, and nothing else.
pub(super) fn put_first(new: &Path, place: &Path) -> io::Result<()> {
    match rename_new(new, place) {
        // The second: the file system cannot look and rename at once. A plain rename never
        // replaces what holds something.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::AlreadyExists | ErrorKind::InvalidInput
            ) =>
        {
            fs::rename(new, place)
        }
        result => result,
    }
}

/// Puts the directory `new` at `place`; what was there, if it still is, is at `new` afterwards.
pub(super) fn put(new: &Path, place: &Path) -> io::Result<()> {
    match exchange(new, place) {
        Err(error) if error.kind() == ErrorKind::NotFound => put_first(new, place),
        result => result,
    }
}

/// Makes names in `directory` outlast a power failure, if the file system can promise that.
pub(super) fn settle(directory: &Path) {
    // The release is in place whatever comes of this.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

/// Whether directories cannot be exchanged here, though single files may be: the file system
/// cannot, layers of a container image or a mount are in the way, or the parent is another user's.
pub(super) fn is_impossible(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, InvalidInput, PermissionDenied, ResourceBusy, Unsupported};
    matches!(
        error.kind(),
        CrossesDevices | InvalidInput | PermissionDenied | ResourceBusy | Unsupported
    )
}
