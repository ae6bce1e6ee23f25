//! One original and its variants: read, compressed, written where they are not there already.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::compress::{Compressor, Encoder, Encodings};
use super::super::{Coding, CollectError};
use super::io_error;
use super::place::{self, Temporary};

/// What became of one original.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Its length.
    pub(super) bytes: u64,
    /// Each encoding that was tried.
    pub(super) variants: Vec<(Coding, Variant)>,
}

/// What became of one encoding.
#[derive(Debug)]
pub(super) enum Variant {
    /// It stands beside its original.
    Stands {
        bytes: u64,
        written: bool,
        /// Whether nothing had to be compressed for it.
        is_hit: bool,
    },
    /// It is not worth it; the path is that of a variant that was removed.
    NotEffective { removed: Option<PathBuf> },
}

/// Brings the variants of `path` up to date.
pub(super) fn compress(encoder: &Encoder, path: &Path) -> Result<Outcome, CollectError> {
    for _ in 0..READ_COUNT_MAX {
        let mut original = Original::open(path)?;
        let variants = if Compressor::streams(original.metadata.len()) {
            original.compress_stream(encoder)?
        } else {
            original.compress_whole(encoder)?
        };
        if let Some(variants) = variants {
            return Ok(Outcome {
                bytes: original.metadata.len(),
                variants,
            });
        }
    }
    let cause = io::Error::other("it changes all the time; compress it when it is finished");
    Err(io_error("cannot read", path, cause))
}

/// An original that is being read.
pub(super) struct Original<'a> {
    pub(super) path: &'a Path,
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// None if the original changed meanwhile.
pub(super) type Variants = Option<Vec<(Coding, Variant)>>;

impl<'a> Original<'a> {
    fn open(path: &'a Path) -> Result<Self, CollectError> {
        // A pipe that has taken the file's place would wait for its other end.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path);
        let opened = file.and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|cause| io_error("cannot read", path, cause))?;
        Ok(Self {
            path,
            file,
            metadata,
        })
    }

    fn compress_whole(&mut self, encoder: &Encoder) -> Result<Variants, CollectError> {
        let length = self.metadata.len();
        let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let read = (&self.file).take(length + 1).read_to_end(&mut content);
        read.map_err(|cause| self.cannot_read(cause))?;
        if content.len() as u64 != length || self.has_changed()? {
            return Ok(None);
        }
        let sha256 = match encoder.cache {
            Some(_) => Sha256::digest(&content).into(),
            None => [0; 32],
        };
        let encodings = encoder.encodings(&content, &sha256);
        let encodings = encodings.map_err(|cause| self.cannot_compress(cause))?;
        drop(content);
        self.place_all(&encoder.compressor, &encodings).map(Some)
    }

    fn place_all(
        &self,
        compressor: &Compressor,
        encodings: &Encodings,
    ) -> Result<Vec<(Coding, Variant)>, CollectError> {
        let mut variants = Vec::new();
        for coding in compressor.codings() {
            let encoded = encodings
                .encoded
                .iter()
                .find(|encoded| encoded.coding == *coding);
            let variant = match encoded {
                Some(encoded) => Variant::Stands {
                    bytes: encoded.bytes.len() as u64,
                    written: self.place(*coding, &encoded.bytes)?,
                    is_hit: encodings.hits.contains(coding),
                },
                None => self.remove(*coding)?,
            };
            variants.push((*coding, variant));
        }
        Ok(tried(variants))
    }

    /// Writes a variant unless it is there; returns whether it was written.
    fn place(&self, coding: Coding, bytes: &[u8]) -> Result<bool, CollectError> {
        let path = self.variant_path(coding);
        if place::stands(&path, bytes, &self.metadata) {
            return Ok(false);
        }
        let write = || {
            let temporary = Temporary::beside(&path)?;
            temporary.file().write_all(bytes)?;
            temporary.place(&path, &self.metadata)
        };
        write().map_err(|cause| io_error("cannot write", &path, cause))?;
        Ok(true)
    }

    pub(super) fn remove(&self, coding: Coding) -> Result<Variant, CollectError> {
        let path = self.variant_path(coding);
        let removed = place::remove_if_stale(&path, &self.metadata)
            .map_err(|cause| io_error("cannot remove the old", &path, cause))?;
        Ok(Variant::NotEffective {
            removed: removed.then_some(path),
        })
    }

    pub(super) fn has_changed(&self) -> Result<bool, CollectError> {
        let now = self
            .file
            .metadata()
            .map_err(|cause| self.cannot_read(cause))?;
        Ok(
            now.len() != self.metadata.len()
                || now.modified().ok() != self.metadata.modified().ok(),
        )
    }

    pub(super) fn variant_path(&self, coding: Coding) -> PathBuf {
        place::variant_path(self.path, coding.extension().unwrap_or_default())
    }

    pub(super) fn cannot_read(&self, cause: io::Error) -> CollectError {
        io_error("cannot read", self.path, cause)
    }

    pub(super) fn cannot_compress(&self, cause: io::Error) -> CollectError {
        io_error("cannot compress", self.path, cause)
    }
}

/// Without what was not even tried: all that comes after a brotli that is not worth it.
pub(super) fn tried(mut variants: Vec<(Coding, Variant)>) -> Vec<(Coding, Variant)> {
    let is_in_vain = |(coding, variant): &(Coding, Variant)| {
        *coding == Coding::Brotli && matches!(variant, Variant::NotEffective { .. })
    };
    if let Some(index) = variants.iter().position(is_in_vain) {
        let mut position = 0;
        // A stale variant that was removed is worth a word in any case.
        variants.retain(|(_, variant)| {
            position += 1;
            position <= index + 1 || matches!(variant, Variant::NotEffective { removed: Some(_) })
        });
    }
    variants
}

/// A file that is another one after each reading is given up.
const READ_COUNT_MAX: usize = 3;
