//! A source file read as one content: its bytes with both hashes, in one pass.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::Md5;
use sha2::{Digest, Sha256};

use super::super::finders::unreadable;
use super::super::fingerprint::Fingerprint;
use super::super::{CollectError, Problem};
use super::work::Fault;
use crate::sys::identity::{self, Identity, ReadError};

/// What names a content: the hash in its published name, and the one in the release's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) fingerprint: Fingerprint,
    pub(super) sha256: [u8; 32],
    /// The length in bytes.
    pub(super) bytes: u64,
}

/// A content in memory.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) digests: Digests,
    /// When its source was modified.
    pub(super) modified: SystemTime,
}

impl Content {
    /// Of a text that was made here from a source of that time.
    pub(super) fn new(bytes: Vec<u8>, modified: SystemTime) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(&bytes);
        Self {
            digests: hasher.finish(),
            bytes,
            modified,
        }
    }

    /// Reads the whole file.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let (identity, bytes) = unchanged(path, |file, identity| {
            let capacity =
                usize::try_from(identity.bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let mut bytes = Vec::new();
            bytes
                .try_reserve_exact(capacity.saturating_add(1))
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        Ok(Self::new(bytes, modified(&identity)))
    }
}

/// Reads the file in pieces, each of which goes to `sink` as well; returns its digests and the
/// time it was modified.
///
/// `restart` empties the sink: it is called before every reading.
pub(super) fn read_through<W: Write>(
    path: &Path,
    mut restart: impl FnMut() -> Result<W, CollectError>,
) -> Result<(Digests, SystemTime, W), Fault> {
    let mut buffer = vec![0; PIECE_BYTES];
    // What the sink refuses is no fault of the source.
    let (identity, result) = unchanged(path, |file, _| {
        let mut sink = match restart() {
            Ok(sink) => sink,
            Err(error) => return Ok(Err(error)),
        };
        let mut hasher = Hasher::default();
        loop {
            let count = match file.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            if count == 0 {
                return Ok(Ok((hasher.finish(), sink)));
            }
            hasher.update(&buffer[..count]);
            if let Err(error) = sink.write_all(&buffer[..count]) {
                return Ok(Err(unwritable(path, error)));
            }
        }
    })?;
    let (digests, sink) = result?;
    Ok((digests, modified(&identity), sink))
}

fn unwritable(path: &Path, cause: io::Error) -> CollectError {
    CollectError::Io {
        action: "nothing was published: cannot write the copy of",
        path: path.to_owned(),
        cause,
    }
}

/// Both hashes of a content on its way.
#[derive(Default)]
struct Hasher {
    md5: Md5,
    sha256: Sha256,
    bytes: u64,
}

impl Hasher {
    fn update(&mut self, piece: &[u8]) {
        // Piece by piece, so that the second hash finds it in the cache.
        for piece in piece.chunks(PIECE_BYTES) {
            self.md5.update(piece);
            self.sha256.update(piece);
        }
        self.bytes += piece.len() as u64;
    }

    fn finish(self) -> Digests {
        Digests {
            fingerprint: Fingerprint::from_md5(self.md5.finalize().into()),
            sha256: self.sha256.finalize().into(),
            bytes: self.bytes,
        }
    }
}

fn unchanged<T>(
    path: &Path,
    consume: impl FnMut(&mut File, &Identity) -> io::Result<T>,
) -> Result<(Identity, T), Problem> {
    // Without O_NONBLOCK, opening a pipe that took the file's place would wait for ever.
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK).open(path)
    };
    identity::unchanged(open, consume).map_err(|error| match error {
        ReadError::Changing => Problem::Changing {
            path: path.to_owned(),
        },
        ReadError::Special => unreadable(path, &io::Error::other("it is not a regular file")),
        ReadError::Io(error) => unreadable(path, &error),
    })
}

fn modified(identity: &Identity) -> SystemTime {
    let nanos = identity.modified_nanos;
    let duration = |nanos: i128| Duration::from_nanos_u128(nanos.unsigned_abs());
    if nanos >= 0 {
        UNIX_EPOCH + duration(nanos)
    } else {
        UNIX_EPOCH - duration(nanos)
    }
}

const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk without room.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("film.mp4");
        std::fs::write(&path, "film").unwrap();
        let result = read_through(&path, || Ok(Full));
        let Err(Fault::Run(CollectError::Io { cause, .. })) = result else {
            panic!("not refused, or the source is blamed");
        };
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
        let gone = read_through(&directory.path().join("gone"), || Ok(io::sink()));
        assert!(matches!(
            gone,
            Err(Fault::Source(Problem::Unreadable { .. }))
        ));
    }
}
