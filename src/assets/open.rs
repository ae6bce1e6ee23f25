//! Opens the files of bodies that are not in memory, and says what it means if one cannot be.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use super::{FileBody, Snapshot};
use crate::http::status::Status;
use crate::sys::beneath;

/// Why a file that is in the snapshot cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It is not there any more, or may not be read.
    Missing,
    /// There is another file in its place.
    Changed,
    /// The system is short of something, which passes.
    Unavailable,
}

impl OpenError {
    /// What an open that failed means for the client: a file that is not there, or may not be
    /// read, is not found, never an error of the server; anything else is a shortage that passes.
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(
                libc::ENOENT
                | libc::ENOTDIR
                | libc::ELOOP
                | libc::ENAMETOOLONG
                | libc::ENXIO
                | libc::EACCES
                | libc::EPERM
                | libc::EXDEV,
            ) => Self::Missing,
            _ => Self::Unavailable,
        }
    }

    /// What is answered instead.
    pub const fn status(self) -> Status {
        match self {
            Self::Missing => Status::NotFound,
            Self::Changed | Self::Unavailable => Status::ServiceUnavailable,
        }
    }
}

impl Snapshot {
    /// Opens the file of `body`, which must be of this snapshot.
    ///
    /// # Errors
    /// It is gone or another one, or the system is short of descriptors.
    pub fn open(&self, body: &FileBody) -> Result<File, OpenError> {
        let root = &self.roots[usize::from(body.root_index)];
        let file =
            beneath::open(root.as_fd(), &body.path).map_err(|error| OpenError::of(&error))?;
        match file.metadata() {
            Ok(metadata) if metadata.is_file() && body.is(&metadata) => Ok(file),
            Ok(_) => Err(OpenError::Changed),
            Err(_) => Err(OpenError::Unavailable),
        }
    }
}
