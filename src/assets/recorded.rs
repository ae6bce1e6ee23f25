//! What the record of a release says about its files: digests that need not be computed, and
//! variants that need not be decoded. Reads nothing; whether to believe it is decided per file.

use std::collections::HashMap;

use crate::http::Coding;
use crate::manifest::ManifestError;
use crate::manifest::release::{Release, ReleaseFile, VariantFile};
use crate::sys::identity::Identity;

/// The record of one source. Empty where there is none.
#[derive(Debug, Default)]
pub(super) struct Records {
    by_name: HashMap<Vec<u8>, Recorded>,
    /// The names that change with their content.
    pub(super) immutable: Vec<Vec<u8>>,
}

/// What is recorded of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) sha256: [u8; 32],
    bytes: u64,
    /// When it was recorded, in nanoseconds since 1970.
    until_nanos: i128,
    /// The SHA-256 of what it decodes to, if it is a variant.
    original_sha256: Option<[u8; 32]>,
}

impl Records {
    /// What the text of a record, itself written at `until_nanos`, says.
    pub(super) fn parse(text: &[u8], until_nanos: i128) -> Result<Self, ManifestError> {
        let mut records = Self::default();
        Release::read(text, &mut |name, file| {
            for coding in Coding::COMPRESSED {
                records.add_variant(&name, &file, coding, until_nanos);
            }
            if file.immutable {
                records.immutable.push(name.clone());
            }
            // A variant may be listed as a file of its own as well: as a variant more is known.
            let recorded = Recorded {
                sha256: file.sha256,
                bytes: file.bytes,
                until_nanos,
                original_sha256: None,
            };
            records.by_name.entry(name).or_insert(recorded);
        })?;
        Ok(records)
    }

    /// What is recorded of `name`.
    pub(super) fn of(&self, name: &[u8]) -> Option<Recorded> {
        self.by_name.get(name).copied()
    }

    fn add_variant(&mut self, name: &[u8], file: &ReleaseFile, coding: Coding, until_nanos: i128) {
        let extension = coding.extension().unwrap_or_default();
        let Some(&VariantFile { sha256, bytes }) = file.variants.get(extension) else {
            return;
        };
        let recorded = Recorded {
            sha256,
            bytes,
            until_nanos,
            original_sha256: Some(file.sha256),
        };
        let name = [name, b".", extension.as_bytes()].concat();
        self.by_name.insert(name, recorded);
    }
}

impl Recorded {
    /// Whether a file of this identity is taken for the recorded one: it has its length, and was
    /// not written to since.
    ///
    /// Later times are common (copies that do not keep them) and cost the hashing. What this does
    /// not see is a file of the same length that brought an old time with it, by `mv` say.
    pub(super) fn is(&self, identity: &Identity) -> bool {
        identity.bytes == self.bytes && identity.modified_nanos <= self.until_nanos
    }

    /// Whether a file with this digest was made by compressing the one with `original_sha256`.
    pub(super) fn is_variant_of(&self, sha256: &[u8; 32], original_sha256: &[u8; 32]) -> bool {
        self.sha256 == *sha256 && self.original_sha256.as_ref() == Some(original_sha256)
    }
}
