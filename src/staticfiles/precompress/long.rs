//! An original that is too long for memory: compressed while it is read. The cache holds digests of
//! its variants, not the variants.

use std::fs::File;
use std::io::{self, Read, Seek};

use sha2::{Digest, Sha256};

use super::super::cache::{Cache, Key};
use super::super::compress::{Compressor, Encoder};
use super::super::{Coding, CollectError};
use super::file::{Original, Variant, Variants, tried};
use super::io_error;
use super::place::{self, Temporary};

impl Original<'_> {
    pub(super) fn compress_stream(&mut self, encoder: &Encoder) -> Result<Variants, CollectError> {
        let compressor = &encoder.compressor;
        let sha256 = digest(&mut self.file).map_err(|cause| self.cannot_read(cause))?;
        let notes = encoder.cache.as_ref().map(|cache| Notes {
            cache,
            compressor,
            sha256,
        });
        if let Some(standing) = notes.as_ref().and_then(|notes| self.standing(notes)) {
            return Ok((!self.has_changed()?).then_some(standing));
        }
        let streamed = self.write_stream(compressor, sha256)?;
        if self.has_changed()? {
            return Ok(None);
        }
        let mut variants = Vec::new();
        for Streamed {
            coding,
            temporary,
            bytes,
        } in streamed
        {
            let variant = match bytes {
                Some(bytes) => self.place_file(coding, temporary, bytes, notes.as_ref())?,
                None => {
                    notes.as_ref().inspect(|notes| notes.store(coding, None));
                    self.remove(coding)?
                }
            };
            variants.push((coding, variant));
        }
        Ok(Some(tried(variants)))
    }

    /// All encodings in files of their own.
    fn write_stream(
        &mut self,
        compressor: &Compressor,
        sha256: [u8; 32],
    ) -> Result<Vec<Streamed>, CollectError> {
        let rewound = self.file.rewind();
        rewound.map_err(|cause| self.cannot_read(cause))?;
        let mut temporaries = Vec::new();
        let mut create = |coding| {
            let temporary = Temporary::beside(self.path)?;
            let file = temporary.file().try_clone()?;
            temporaries.push((coding, temporary));
            Ok(file)
        };
        let mut reader = Digesting::new(&self.file);
        let kept = compressor.compress_stream(&mut reader, &mut create);
        let kept = kept.map_err(|cause| self.cannot_compress(cause))?;
        if reader.finish() != sha256 {
            let cause =
                io::Error::other("it changes while it is read; try again when it is finished");
            return Err(self.cannot_read(cause));
        }
        let streamed = temporaries.into_iter().map(|(coding, temporary)| {
            let kept = kept.iter().find(|(other, _)| *other == coding);
            Streamed {
                coding,
                temporary,
                bytes: kept.map(|(_, bytes)| *bytes),
            }
        });
        Ok(streamed.collect())
    }

    fn place_file(
        &self,
        coding: Coding,
        temporary: Temporary,
        bytes: u64,
        notes: Option<&Notes<'_>>,
    ) -> Result<Variant, CollectError> {
        let path = self.variant_path(coding);
        let place = || {
            let digest = notes
                .map(|_| digest(&mut temporary.file().try_clone()?))
                .transpose()?;
            temporary.place(&path, &self.metadata)?;
            Ok(digest)
        };
        let digest = place().map_err(|cause| io_error("cannot write", &path, cause))?;
        if let (Some(notes), Some(digest)) = (notes, digest) {
            notes.store(coding, Some(digest));
        }
        Ok(Variant::Stands {
            bytes,
            written: true,
            is_hit: false,
        })
    }

    /// The variants, if all of them stand as an earlier run wrote them.
    fn standing(&self, notes: &Notes<'_>) -> Option<Vec<(Coding, Variant)>> {
        let mut variants = Vec::new();
        for coding in notes.compressor.codings() {
            let variant = match notes.lookup(*coding)? {
                None => self.remove(*coding).ok()?,
                Some(expected) => {
                    let path = self.variant_path(*coding);
                    let mut file = place::open_if_current(&path, &self.metadata)?;
                    let is_same = digest(&mut file).ok()?[..] == expected;
                    let bytes = file.metadata().ok()?.len();
                    is_same.then_some(Variant::Stands {
                        bytes,
                        written: false,
                        is_hit: true,
                    })?
                }
            };
            variants.push((*coding, variant));
        }
        Some(tried(variants))
    }
}

/// An encoding in a file of its own.
struct Streamed {
    coding: Coding,
    temporary: Temporary,
    /// Its length, if it is worth keeping.
    bytes: Option<u64>,
}

/// Digests of the variants of a long original; the cache does not hold the variants themselves.
struct Notes<'a> {
    cache: &'a Cache,
    compressor: &'a Compressor,
    sha256: [u8; 32],
}

impl Notes<'_> {
    fn key(&self, coding: Coding) -> Key {
        // Without brotli another encoding may be worth it that is not beside one that is not.
        let codings = self.compressor.codings();
        let settings = self.compressor.settings(coding);
        let settings = format!("digest of a stream, {codings:?}, {settings}");
        Key::new(&self.sha256, coding, &settings)
    }

    #[expect(clippy::option_option, reason = "unknown, not worth it, and a digest")]
    fn lookup(&self, coding: Coding) -> Option<Option<Vec<u8>>> {
        self.cache.lookup(&self.key(coding))
    }

    fn store(&self, coding: Coding, digest: Option<[u8; 32]>) {
        self.cache.store(
            &self.key(coding),
            digest.as_ref().map(|digest| digest.as_slice()),
        );
    }
}

/// The SHA-256 of a file from its beginning.
fn digest(file: &mut File) -> io::Result<[u8; 32]> {
    file.rewind()?;
    let mut reader = Digesting::new(file);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish())
}

/// Digests what is read.
struct Digesting<'a> {
    file: &'a File,
    digest: Sha256,
}

impl<'a> Digesting<'a> {
    fn new(file: &'a File) -> Self {
        Self {
            file,
            digest: Sha256::new(),
        }
    }

    fn finish(self) -> [u8; 32] {
        self.digest.finalize().into()
    }
}

impl Read for Digesting<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(bytes)?;
        self.digest.update(&bytes[..count]);
        Ok(count)
    }
}
