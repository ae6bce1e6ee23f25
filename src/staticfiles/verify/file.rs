//! One file of a release against what is known of it. Reads in pieces; nothing is held whole.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use md5::Md5;
use memchr::memmem;
use sha2::Sha256;
use sha2::digest::{Digest, Output};

use super::decode::decoder;
use super::{Difference, Verified, text};
use crate::http::Coding;
use crate::staticfiles::fingerprint::Fingerprint;

/// The directory of a release.
pub(super) struct Directory<'a>(pub(super) &'a Path);

/// A content without its bytes.
struct Summary<D: Digest> {
    digest: Output<D>,
    bytes: u64,
}

impl<D: Digest> Summary<D> {
    fn is(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.digest == other.digest
    }
}

impl Directory<'_> {
    /// Whether there is anything called `name` that is no directory.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok_and(|metadata| !metadata.is_dir())
    }

    /// Compares the file `name` with its recorded digest and length.
    pub(super) fn compare(
        &self,
        name: &[u8],
        sha256: &[u8; 32],
        bytes: u64,
        verified: &mut Verified,
    ) {
        let summary = self.summary::<Sha256>(name, Some(bytes), verified);
        if let Some(summary) = summary
            && summary.digest[..] != sha256[..]
        {
            verified.add(Difference::Changed, name);
        }
    }

    /// Compares the file that `logical` is published as with the digest in its name, and its
    /// variants with it.
    pub(super) fn check_published(
        &self,
        logical: &[u8],
        published: &[u8],
        verified: &mut Verified,
    ) {
        let Some(summary) = self.summary::<Md5>(published, None, verified) else {
            return;
        };
        let fingerprint = Fingerprint::from_md5(summary.digest.into());
        let part = [b".", &fingerprint.as_bytes()[..]].concat();
        if logical != published && memmem::find(published, &part).is_none() {
            verified.add(Difference::Changed, published);
        }
        self.decode_variants(published, &summary, verified);
    }

    /// Compares the variants of the file `name` with it.
    pub(super) fn check_variants(&self, name: &[u8], verified: &mut Verified) {
        if let Some(summary) = self.summary::<Md5>(name, None, verified) {
            self.decode_variants(name, &summary, verified);
        }
    }

    fn decode_variants(&self, name: &[u8], original: &Summary<Md5>, verified: &mut Verified) {
        for coding in Coding::COMPRESSED {
            let extension = coding.extension().unwrap_or_default();
            let name = [name, b".", extension.as_bytes()].concat();
            let file = match self.open(&name) {
                Ok(file) => file,
                Err(error) => {
                    if !is_absence(&error) {
                        verified.add_unreadable(&name, &error);
                    }
                    continue;
                }
            };
            verified.file_count += 1;
            verified.bytes += file.metadata().map_or(0, |metadata| metadata.len());
            let summary = decoder(coding, BufReader::new(file))
                .and_then(|decoder| summary::<Md5>(decoder, original.bytes));
            // What does not decode is no variant of anything.
            if !summary.is_ok_and(|summary| summary.is(original)) {
                verified.add(Difference::StaleVariant, &name);
            }
        }
    }

    /// Reads the file `name`; nothing if it is not there, or does not have the expected length,
    /// or cannot be read: then that is said.
    fn summary<D: Digest>(
        &self,
        name: &[u8],
        expected_bytes: Option<u64>,
        verified: &mut Verified,
    ) -> Option<Summary<D>> {
        let found = self.open(name).and_then(|file| {
            let length = file.metadata()?.len();
            verified.file_count += 1;
            if expected_bytes.is_some_and(|expected| expected != length) {
                return Ok(None);
            }
            let summary = summary(file, length)?;
            verified.bytes += summary.bytes;
            Ok(Some(summary))
        });
        match found {
            Ok(Some(summary)) => return Some(summary),
            Ok(None) => verified.add(Difference::Changed, name),
            Err(error) if is_absence(&error) => verified.add(Difference::Missing, name),
            Err(error) => verified.add_unreadable(name, &error),
        }
        None
    }

    /// Opens a regular file. Nobody is waited for, should it be a FIFO.
    fn open(&self, name: &[u8]) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = options.open(self.path(name))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(file)
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.0.join(OsStr::from_bytes(name))
    }
}

impl Verified {
    fn add_unreadable(&mut self, name: &[u8], error: &io::Error) {
        self.differences.push(Difference::Unreadable {
            name: text(name),
            cause: error.to_string(),
        });
    }
}

/// Whether `name` stays below the directory that it is looked for in: a record may come from
/// anybody.
pub(super) fn is_plain(name: &[u8]) -> bool {
    let is_odd = |segment: &[u8]| matches!(segment, b"" | b"." | b"..");
    !name.contains(&0) && !name.split(|byte| *byte == b'/').any(is_odd)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads at most one byte more than `bytes`: beyond it is another content, whatever it is.
fn summary<D: Digest>(reader: impl Read, bytes: u64) -> io::Result<Summary<D>> {
    let mut reader = reader.take(bytes.saturating_add(1));
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut hasher = D::new();
    let mut summary_bytes = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if count == 0 {
            let digest = hasher.finalize();
            let bytes = summary_bytes;
            return Ok(Summary { digest, bytes });
        }
        summary_bytes += count as u64;
        hasher.update(&buffer[..count]);
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
