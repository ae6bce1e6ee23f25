//! Reads files for the snapshot: small ones whole, large ones are hashed in pieces and stay where
//! they are.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::packed::PackedContent;
use super::recorded::Recorded;
use super::root::Root;
use super::{Body, FileBody};
use crate::sys::beneath;
use crate::sys::identity::{Identity, ReadError, unchanged};

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Index of its source.
    pub(super) root_index: u16,
    /// The path below that source's root.
    pub(super) path: CString,
    /// Its length when it was found.
    pub(super) bytes: u64,
    /// Whether it is to be held in memory.
    pub(super) in_memory: bool,
    /// What its release recorded of it.
    pub(super) recorded: Option<Box<Recorded>>,
    /// Its content, if it is in the program itself; there is no root then.
    pub(super) packed: Option<Box<PackedContent>>,
}

/// Where bytes are on their way to a digest. One for many files: thousands of its size, each
/// freed between small allocations that stay, would tear holes into the heap for good.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
}

/// What a file held at one moment.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) identity: Identity,
    pub(super) sha256: [u8; 32],
    pub(super) body: Body,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER_BYTES].into_boxed_slice(),
        }
    }
}

impl Place {
    /// Reads the whole file. What stays on disk passes through `buffer`, unless it is the file
    /// that its release recorded: then nobody needs its bytes now.
    pub(super) fn read(&self, roots: &[Root], buffer: &mut Buffer) -> Result<Content, ReadError> {
        if let Some(packed) = &self.packed {
            return Ok(packed.read(self.recorded.as_deref()));
        }
        let (identity, (sha256, bytes)) = self.read_with(roots, |file, identity| {
            let recorded = self.recorded.as_ref();
            let known = recorded.filter(|recorded| recorded.is(identity));
            let known = known.map(|recorded| recorded.sha256);
            // A file that has grown since the budget was divided stays on disk.
            if self.in_memory && identity.bytes <= self.bytes {
                let bytes = read_whole(file, identity.bytes)?;
                let sha256 = known.unwrap_or_else(|| Sha256::digest(&bytes).into());
                return Ok((sha256, Some(bytes)));
            }
            match known {
                Some(sha256) => Ok((sha256, None)),
                None => Ok((hash(file, identity.bytes, buffer)?, None)),
            }
        })?;
        let body = match bytes {
            Some(bytes) => Body::Memory(bytes),
            None => Body::File(Box::new(FileBody {
                root_index: self.root_index,
                path: self.path.clone(),
                identity,
            })),
        };
        Ok(Content {
            identity,
            sha256,
            body,
        })
    }

    /// What `consume` makes of the file while it does not change.
    pub(super) fn read_with<T>(
        &self,
        roots: &[Root],
        consume: impl FnMut(&mut File, &Identity) -> io::Result<T>,
    ) -> Result<(Identity, T), ReadError> {
        let root = &roots[usize::from(self.root_index)];
        unchanged(
            || beneath::open(root.descriptor.as_fd(), &self.path),
            consume,
        )
    }
}

fn read_whole(file: &mut File, length: u64) -> io::Result<Bytes> {
    let capacity = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::with_capacity(capacity);
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() < capacity {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(bytes.into_boxed_slice()))
}

/// The SHA-256 of `length` bytes of `reader`, which must have exactly as many.
pub(super) fn hash(
    reader: &mut impl Read,
    length: u64,
    buffer: &mut Buffer,
) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut left = length;
    loop {
        let count = match reader.read(&mut buffer.bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if count == 0 && left == 0 {
            return Ok(hasher.finalize().into());
        }
        left = match left.checked_sub(count as u64) {
            Some(left) if count > 0 => left,
            Some(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        };
        hasher.update(&buffer.bytes[..count]);
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn does_not_wait_for_a_fifo() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        let place = Place {
            root_index: 0,
            path: c"fifo".to_owned(),
            bytes: 0,
            in_memory: true,
            recorded: None,
            packed: None,
        };
        let roots = [Root::open(directory.path()).unwrap()];
        assert!(matches!(
            place.read(&roots, &mut Buffer::new()),
            Err(ReadError::Special)
        ));
    }

    #[test]
    fn memory_and_disk_have_the_same_digest() {
        let directory = tempfile::tempdir().unwrap();
        let text = "0123456789".repeat(20_000);
        fs::write(directory.path().join("file"), &text).unwrap();
        let roots = [Root::open(directory.path()).unwrap()];
        let place = |in_memory, bytes| Place {
            root_index: 0,
            path: c"file".to_owned(),
            bytes,
            in_memory,
            recorded: None,
            packed: None,
        };
        let memory = place(true, 200_000)
            .read(&roots, &mut Buffer::new())
            .unwrap();
        let disk = place(false, 200_000)
            .read(&roots, &mut Buffer::new())
            .unwrap();
        let grown = place(true, 199_999)
            .read(&roots, &mut Buffer::new())
            .unwrap();
        assert!(matches!(&memory.body, Body::Memory(bytes) if bytes == text.as_bytes()));
        assert!(matches!(&disk.body, Body::File(file) if file.identity == disk.identity));
        assert!(matches!(&grown.body, Body::File(_)));
        assert_eq!(memory.sha256, disk.sha256);
        assert_eq!(disk.sha256, grown.sha256);
    }

    #[test]
    fn hashes_exactly_the_length() {
        let check = |text: &[u8], length, expected: Option<io::ErrorKind>| {
            let found = hash(&mut &*text, length, &mut Buffer::new())
                .err()
                .map(|error| error.kind());
            assert_eq!(found, expected, "{text:?} {length}");
        };
        check(b"", 0, None);
        check(b"abc", 3, None);
        check(b"abc", 4, Some(io::ErrorKind::UnexpectedEof));
        check(b"abc", 2, Some(io::ErrorKind::FileTooLarge));
    }
}
