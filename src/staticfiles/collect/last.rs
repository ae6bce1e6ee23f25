//! The release that stands at the output already, as far as it can be trusted without reading it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use super::content::Digests;
use super::output::variant_name;
use crate::http::Coding;
use crate::manifest::release::{self, Release, ReleaseFile};
use crate::staticfiles::publish::{ancestors, is_name};

/// The last release.
#[derive(Debug, Default)]
pub(super) struct LastRelease {
    root: PathBuf,
    release: Release,
    /// When its record was written, after all of its files: what is younger was changed since.
    sealed: Option<SystemTime>,
    /// Directories of the release, and whether nothing leads out of it on the way to them.
    directories: RwLock<HashMap<Vec<u8>, bool>>,
}

impl LastRelease {
    /// What stands at `output`. A release that cannot be understood is none: everything is made
    /// anew.
    pub(super) fn open(output: &Path) -> Self {
        let record = output.join(release::FILE_NAME);
        let read = || {
            let (text, sealed) = read_regular(&record)?;
            let mut release = Release::parse(&text).map_err(io::Error::other)?;
            release.files.retain(|name, file| is_credible(name, file));
            Ok::<_, io::Error>((release, sealed))
        };
        match read() {
            // A record from the future would vouch for changes to come.
            Ok((release, sealed)) if sealed <= SystemTime::now() => Self {
                root: output.to_owned(),
                release,
                sealed: Some(sealed),
                directories: RwLock::default(),
            },
            _ => Self::default(),
        }
    }

    /// The digest of the settings that its variants were made by.
    pub(super) fn settings(&self) -> &str {
        &self.release.settings
    }

    /// All of its records.
    pub(super) fn files(&self) -> impl Iterator<Item = (&[u8], &ReleaseFile)> {
        self.release
            .files
            .iter()
            .map(|(name, file)| (name.as_slice(), file))
    }

    /// The record of `name`, if the file and all of its variants are there, untouched.
    pub(super) fn intact(&self, name: &[u8]) -> Option<&ReleaseFile> {
        let file = self.release.files.get(name)?;
        (self.is_untouched(name, file.bytes) && self.has_variants(name, file)).then_some(file)
    }

    /// As [`Self::intact`], if it has this content, variants by the release's settings, and is a
    /// symbolic link to `link`, or none.
    pub(super) fn holds(
        &self,
        name: &[u8],
        digests: &Digests,
        link: Option<&Path>,
    ) -> Option<&ReleaseFile> {
        let file = self.release.files.get(name)?;
        if file.sha256 != digests.sha256 || file.other_settings {
            return None;
        }
        let stands = match link {
            None => self.is_untouched(name, file.bytes),
            Some(link) => {
                self.is_inside(name) && fs::read_link(self.path(name)).is_ok_and(|to| to == link)
            }
        };
        (stands && self.has_variants(name, file)).then_some(file)
    }

    fn has_variants(&self, name: &[u8], file: &ReleaseFile) -> bool {
        file.variants.iter().all(|(extension, variant)| {
            self.is_untouched(&variant_name(name, extension), variant.bytes)
        })
    }

    /// Whether a file of this name and length was published.
    pub(super) fn has_length(&self, name: &[u8], bytes: u64) -> bool {
        let same = |file: &ReleaseFile| file.bytes == bytes;
        self.release.files.get(name).is_some_and(same)
    }

    /// Whether the file is as it was when the release was sealed.
    fn is_untouched(&self, name: &[u8], bytes: u64) -> bool {
        let metadata = fs::symlink_metadata(self.path(name));
        let is_same = metadata.is_ok_and(|metadata| {
            metadata.is_file() && metadata.len() == bytes && metadata.modified().ok() <= self.sealed
        });
        is_same && self.is_inside(name)
    }

    /// Whether the directories above `name` are no symbolic links: what is behind one is not in
    /// the release, and is not taken over with it.
    fn is_inside(&self, name: &[u8]) -> bool {
        ancestors(name).all(|directory| {
            let known = self.directories.read();
            let known = known.unwrap_or_else(PoisonError::into_inner);
            if let Some(is_real) = known.get(directory) {
                return *is_real;
            }
            drop(known);
            let metadata = fs::symlink_metadata(self.path(directory));
            let is_real = metadata.is_ok_and(|metadata| metadata.is_dir());
            let known = self.directories.write();
            let mut known = known.unwrap_or_else(PoisonError::into_inner);
            known.insert(directory.to_vec(), is_real);
            is_real
        })
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(name))
    }
}

/// The content of a regular file in a release and when it was modified. Neither waits for a pipe
/// nor follows a link: whatever may be called like a manifest.
pub(super) fn read_regular(path: &Path) -> io::Result<(Vec<u8>, SystemTime)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > RECORD_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok((bytes, metadata.modified()?))
}

/// Whether this can be of our making: no name leads out of the release.
fn is_credible(name: &[u8], file: &ReleaseFile) -> bool {
    let mut extensions = file.variants.keys();
    let is_coding = |extension: &String| {
        let mut codings = Coding::COMPRESSED.iter();
        codings.any(|coding| coding.extension() == Some(extension))
    };
    is_name(name) && extensions.all(is_coding)
}

/// Enough for millions of files.
const RECORD_BYTES_MAX: u64 = 2 << 30;
