//! One content in several encodings, and which of them are worth keeping.

mod brotli;
mod encoder;
mod gzip;
mod stream;
mod zstd;

use std::io::{self, Read, Write};

use super::{Coding, Compression, Level};
use crate::sys::memory;

pub(crate) use encoder::{Encoder, Encodings};

/// Compresses contents by one set of settings.
#[derive(Debug, Clone)]
pub(crate) struct Compressor {
    /// In the order in which they are tried: brotli first.
    codings: Vec<Coding>,
    level: Level,
    /// Endings of names, dot included.
    skipped: Vec<String>,
}

/// One encoding of a content that is small enough to be worth it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) coding: Coding,
    pub(crate) bytes: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(compression: &Compression) -> Self {
        let asked = |coding: &Coding| compression.codings.contains(coding);
        let skipped = compression.skip_extensions.iter();
        Self {
            codings: ORDER.into_iter().filter(asked).collect(),
            level: compression.level,
            skipped: skipped.map(|extension| format!(".{extension}")).collect(),
        }
    }

    /// Names the settings and the libraries' versions: what else than the content decides about
    /// the result of `coding`. Part of cache keys.
    pub(crate) fn settings(&self, coding: Coding) -> String {
        match coding {
            Coding::Brotli => brotli::settings(self.level),
            Coding::Gzip => gzip::settings(self.level),
            Coding::Zstd => zstd::settings(self.level),
            Coding::Identity => String::new(),
        }
    }

    /// The encodings, in the order in which they are tried.
    pub(crate) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// Whether the extension of `name` is worth trying (WhiteNoise's `should_compress`).
    pub(crate) fn accepts(&self, name: &[u8]) -> bool {
        // The `$` of Python's expressions stands before a closing line feed as well.
        let name = name.strip_suffix(b"\n").unwrap_or(name);
        let ends_with = |ending: &String| {
            let start = name.len().checked_sub(ending.len());
            start.is_some_and(|start| name[start..].eq_ignore_ascii_case(ending.as_bytes()))
        };
        !self.skipped.iter().any(ends_with)
    }

    /// The encodings of `content` that are at most 0.95 of it, by WhiteNoise's rules: where brotli
    /// is asked for and not worth it, nothing else is tried.
    ///
    /// # Errors
    /// Memory has run out.
    #[cfg(test)]
    pub(crate) fn compress(&self, content: &[u8]) -> io::Result<Vec<Encoded>> {
        let encode = |coding| self.encode(content, coding);
        self.select(encode)
    }

    /// As `compress`, for a content that is too large for memory: reads it once, writes each
    /// encoding into the file that `create` makes, and returns the lengths of those worth keeping.
    ///
    /// # Errors
    /// Reading, creating or writing failed, or memory has run out.
    pub(crate) fn compress_stream<W: Write>(
        &self,
        content: &mut dyn Read,
        create: &mut dyn FnMut(Coding) -> io::Result<W>,
    ) -> io::Result<Vec<(Coding, u64)>> {
        let kept = stream::compress(&self.codings, self.level, content, create);
        memory::release_free();
        kept
    }

    /// About what the tables come to for a content of this length, whole or as a stream, which
    /// goes through all encoders at once.
    pub(crate) fn table_bytes(&self, bytes: u64, is_stream: bool) -> u64 {
        let codings = self.codings.iter();
        let tables = codings.map(|coding| {
            let most = match (coding, self.level, is_stream) {
                (Coding::Brotli | Coding::Zstd, Level::Max, _) => 160 << 20,
                (Coding::Brotli, ..) => 64 << 20,
                (Coding::Zstd, _, true) => 32 << 20,
                (Coding::Zstd, _, false) => 88 << 20,
                (Coding::Gzip | Coding::Identity, ..) => 0,
            };
            bytes.saturating_mul(16).min(most)
        });
        if is_stream {
            tables.sum()
        } else {
            tables.max().unwrap_or(0)
        }
    }

    /// Whether contents of this length go through [`Self::compress_stream`].
    pub(crate) const fn streams(bytes: u64) -> bool {
        bytes > WHOLE_BYTES_MAX
    }

    /// One encoding, if it is worth it.
    fn encode(&self, content: &[u8], coding: Coding) -> io::Result<Option<Encoded>> {
        if content.is_empty() {
            return Ok(None);
        }
        let bytes = match coding {
            Coding::Brotli => brotli::compress(content, self.level)?,
            Coding::Gzip => gzip::compress(content, self.level)?,
            Coding::Zstd => zstd::compress(content, self.level)?,
            Coding::Identity => return Ok(None),
        };
        // Otherwise the allocator keeps each thread's tables.
        if content.len() > KEPT_BYTES_MAX {
            memory::release_free();
        }
        let is_worth_it = is_worth_it(bytes.len() as u64, content.len() as u64);
        Ok(is_worth_it.then_some(Encoded { coding, bytes }))
    }

    /// What `encode` makes of each coding; ends where brotli comes to nothing.
    fn select<T>(
        &self,
        mut encode: impl FnMut(Coding) -> io::Result<Option<T>>,
    ) -> io::Result<Vec<T>> {
        let mut selected = Vec::new();
        for coding in &self.codings {
            match encode(*coding)? {
                Some(encoded) => selected.push(encoded),
                None if *coding == Coding::Brotli => break,
                None => {}
            }
        }
        Ok(selected)
    }
}

/// WhiteNoise's rule, in its own arithmetic.
#[expect(clippy::cast_precision_loss, reason = "Python divides so, too")]
fn is_worth_it(compressed_bytes: u64, bytes: u64) -> bool {
    bytes > 0 && compressed_bytes as f64 / bytes as f64 <= RATIO_MAX
}

const ORDER: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Zstd];

const RATIO_MAX: f64 = 0.95;

/// The tables for contents up to this may stay with the allocator: the next one needs them again.
const KEPT_BYTES_MAX: usize = 512 << 10;

/// Longer contents are not held in memory. The encoder itself takes some 65 MiB for them, and each
/// thread has one.
const WHOLE_BYTES_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests;
