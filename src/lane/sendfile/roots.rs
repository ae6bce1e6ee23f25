//! Where files may be sent from: a path or a URL path that an application names becomes an open
//! file below one of the configured directories, or nothing.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Named;
use crate::assets::OpenError;
use crate::http::path;
use crate::sys::beneath;
use crate::sys::identity::Identity;

/// A directory that files may be sent from.
pub(in crate::lane) struct Root {
    /// What URL paths begin with that mean it, without a slash at the end.
    prefix: String,
    /// What file paths begin with that mean it: as it was configured, and without links.
    directories: [PathBuf; 2],
    descriptor: OwnedFd,
}

/// Opens the directories; those that cannot be opened are left out.
pub(in crate::lane) fn open_roots(roots: &[(String, PathBuf)]) -> Rc<[Root]> {
    let open = |(prefix, directory): &(String, PathBuf)| {
        let descriptor = beneath::open_root(directory).and_then(|descriptor| {
            let resolved = directory.canonicalize()?;
            Ok((descriptor, resolved))
        });
        match descriptor {
            Ok((descriptor, resolved)) => Some(Root {
                prefix: prefix.trim_end_matches('/').to_owned(),
                directories: [directory.clone(), resolved],
                descriptor,
            }),
            Err(error) => {
                let directory = directory.display();
                tracing::error!("nothing is sent from {directory}, it cannot be opened: {error}");
                None
            }
        }
    };
    roots.iter().filter_map(open).collect()
}

/// Opens the file that is `named`, if it is below one of `roots`.
///
/// # Errors
/// It is not there, or may not be opened now.
pub(super) fn open(roots: &[Root], named: &Named) -> Result<(File, Identity), OpenError> {
    let (root, path) = place(roots, named).ok_or(OpenError::Missing)?;
    let refused = |error: io::Error| OpenError::of(&error);
    let file = beneath::open(root.descriptor.as_fd(), &path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if metadata.is_file() {
        Ok((file, Identity::of(&metadata)))
    } else {
        Err(OpenError::Missing)
    }
}

/// The directory and the path below it; the kernel sees to it that it stays below.
fn place<'r>(roots: &'r [Root], named: &Named) -> Option<(&'r Root, CString)> {
    let mut scratch = Vec::new();
    let found = match named {
        Named::Path(value) => {
            let path = Path::new(OsStr::from_bytes(value.as_bytes()));
            let below = |root: &Root| {
                let rest = |directory| path.strip_prefix(directory).ok();
                let rest = root.directories.iter().find_map(rest)?;
                Some(rest.as_os_str().as_bytes().to_vec())
            };
            let each = roots.iter();
            each.filter_map(|root| below(root).map(|rest| (root, rest)))
                .min_by_key(|(_, rest)| rest.len())
        }
        Named::Url(value) => {
            let raw = value.as_bytes().split(|byte| *byte == b'?').next()?;
            let path = path::resolve(raw, &mut scratch).ok()?;
            let below = |root: &Root| {
                let rest = path.strip_prefix(root.prefix.as_bytes())?;
                Some(rest.strip_prefix(b"/")?.to_vec())
            };
            let each = roots.iter();
            each.filter_map(|root| below(root).map(|rest| (root, rest)))
                .min_by_key(|(_, rest)| rest.len())
        }
    };
    let (root, rest) = found?;
    (!rest.is_empty()).then_some((root, CString::new(rest).ok()?))
}
