//! A release in the making: a directory beside the target, and how it takes the target's place.
//!
//! Invariant: until the exchange nothing below the target is written to, and files shared with the
//! last release by hard links are never opened for writing, only given further names.

mod carry;
mod directories;
mod exchange;
mod in_place;
mod mounts;
mod name;
mod staging;
mod target;
#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::CollectError;

pub(crate) use name::ancestors;
pub(crate) use staging::Staging;
pub(crate) use target::Target;

/// Whether a file in a release can have this name: it leads to no place outside.
pub(crate) fn is_name(name: &[u8]) -> bool {
    name::checked(name).is_ok()
}

/// What the system refused. Where room is missing, the remedy is named.
fn failure(action: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> CollectError {
    let cause = match cause.kind() {
        kind @ (ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => io::Error::new(
            kind,
            format!("{cause}; nothing was published, make room and run again"),
        ),
        _ => cause,
    };
    CollectError::Io {
        action,
        path: path.into(),
        cause,
    }
}

/// As [`failure`], for use with `map_err`.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CollectError {
    move |cause| failure(action, path, cause)
}
