//! A compressor with a memory: compresses only what the cache does not have.

use std::io;

use super::super::cache::{Cache, Key};
use super::{Coding, Compressor, Encoded};

/// Compresses contents, with or without a cache.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) compressor: Compressor,
    pub(crate) cache: Option<Cache>,
}

/// What became of one content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encodings {
    /// The encodings worth keeping.
    pub(crate) encoded: Vec<Encoded>,
    /// Those of them that came from the cache.
    pub(crate) hits: Vec<Coding>,
}

impl Encoder {
    /// The same as [`Compressor`], with less work where the cache knows the content by
    /// its SHA-256.
    ///
    /// # Errors
    /// Memory has run out. The cache is never a reason.
    pub(crate) fn encodings(&self, content: &[u8], sha256: &[u8; 32]) -> io::Result<Encodings> {
        let mut hits = Vec::new();
        let encoded = self.compressor.select(|coding| {
            let Some(cache) = &self.cache else {
                return self.compressor.encode(content, coding);
            };
            let key = Key::new(sha256, coding, &self.compressor.settings(coding));
            if let Some(known) = cache.lookup(&key) {
                hits.extend(known.as_ref().map(|_| coding));
                return Ok(known.map(|bytes| Encoded { coding, bytes }));
            }
            let encoded = self.compressor.encode(content, coding)?;
            cache.store(
                &key,
                encoded.as_ref().map(|encoded| encoded.bytes.as_slice()),
            );
            Ok(encoded)
        })?;
        Ok(Encodings { encoded, hits })
    }
}
