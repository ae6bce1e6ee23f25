//! One published file: its variants, each ready to answer with.

use std::ffi::CString;
use std::fs::Metadata;

use bytes::Bytes;

use crate::http::{Coding, head::Heads};
use crate::sys::identity::Identity;

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
    /// One for each coding.
    pub const VARIANT_COUNT_MAX: usize = 4;

    /// Which variant is the file as it is.
    pub fn identity_index(&self) -> usize {
        let is_identity = |variant: &Variant| variant.coding == Coding::Identity;
        self.variants
            .iter()
            .position(is_identity)
            .expect("invariant: every asset has one")
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
