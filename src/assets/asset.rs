//! One published file: its variants, each ready to answer with.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;

use crate::http::{Coding, head::Heads};

/// What a URL names: one file in one or several encodings.
#[derive(Debug)]
pub struct Asset {
    /// The variants in the order of choice: smallest first, of equals the plainest.
    ///
    /// Invariant: never empty, and exactly one is [`Coding::Identity`].
    pub variants: Box<[Variant]>,
    /// Modification time of the original, in seconds since 1970; none if it means nothing (0).
    pub modified_seconds: Option<u64>,
}

/// One encoding of an asset.
#[derive(Debug)]
pub struct Variant {
    /// How the bytes are encoded.
    pub coding: Coding,
    /// The heads of its answers.
    pub heads: Heads,
    /// Where its bytes are.
    pub body: Body,
}

/// The bytes of one variant. Clones share them.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory since the snapshot was loaded.
    Memory(Bytes),
    /// In a file that is opened when it is asked for.
    File(Box<FileBody>),
}

/// A body that stays on disk.
#[derive(Debug, Clone)]
pub struct FileBody {
    /// Index of the source directory in [`super::Snapshot::roots`].
    pub root_index: u16,
    /// The path below that directory.
    pub path: CString,
    /// What the file was when it was hashed.
    pub identity: Identity,
}

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Device and inode number: another pair is another file.
    pub device: u64,
    /// See [`Self::device`].
    pub inode: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Time of the last change of content, in nanoseconds since 1970.
    pub modified_nanos: i128,
    /// Time of the last change of content or inode, in nanoseconds since 1970.
    pub changed_nanos: i128,
}

impl FileBody {
    /// Whether `metadata` is of the very file that was hashed.
    pub fn is(&self, metadata: &Metadata) -> bool {
        Identity::of(metadata) == self.identity
    }

    /// Whether the file behind `metadata` was not written to since it was hashed. Its name may
    /// be gone: then the change time differs, the content does not.
    pub fn is_unchanged(&self, metadata: &Metadata) -> bool {
        let Identity {
            bytes,
            modified_nanos,
            ..
        } = Identity::of(metadata);
        (bytes, modified_nanos) == (self.identity.bytes, self.identity.modified_nanos)
    }
}

impl Asset {
    /// Which variant is the file as it is.
    pub fn identity_index(&self) -> usize {
        let is_identity = |variant: &Variant| variant.coding == Coding::Identity;
        self.variants
            .iter()
            .position(is_identity)
            .expect("invariant: every asset has one")
    }
}

impl Identity {
    /// The identity that `fstat` tells.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Body {
    /// The length in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.identity.bytes,
        }
    }
}

fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
}
