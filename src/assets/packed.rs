//! A release packed as a tar file within the program: its files where they lie, without a copy.

use std::collections::HashMap;
use std::io::Cursor;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use super::Body;
use super::read::Content;
use super::recorded::Recorded;
use super::walk::is_public;
use crate::sys::identity::Identity;

/// A release in memory, as `tar cf release.tar -C public .` packs one. Made by
/// [`embed!`](crate::embed) at compile time, or by [`Self::parse`].
///
/// Files are served from where they lie in the archive. Precompressed variants beside their
/// originals count, and so do `staticfiles.json` and `whitering.json`, as in a directory: with the
/// latter, nothing is hashed at start.
///
/// ```
/// let release = whitering::embed!(concat!(
///     env!("CARGO_MANIFEST_DIR"),
///     "/tests/embedded/release.tar"
/// ))?;
/// assert!(release.file_count() > 0);
/// # Ok::<(), whitering::PackedError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Packed {
    pub(super) files: Vec<PackedFile>,
}

/// Where a packed release appears.
#[derive(Debug, Clone)]
pub struct PackedSource {
    /// `/`, or a path with a slash on both ends.
    pub prefix: String,
    /// The release.
    pub release: Packed,
}

/// A file of a packed release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackedFile {
    pub(super) name: Vec<u8>,
    pub(super) content: PackedContent,
}

/// What a packed file holds, and when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackedContent {
    pub(super) bytes: Bytes,
    pub(super) modified_nanos: i128,
}

/// Why bytes are no packed release.
///
/// ```
/// use whitering::{Packed, PackedError};
///
/// let compressed = Packed::parse(&[0x1f, 0x8b, 8, 0]);
/// assert!(matches!(compressed, Err(PackedError::Compressed)));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum PackedError {
    /// Not a tar file, or a part of one.
    #[error("the packed release is damaged ({0}); pack it again: tar cf release.tar -C public .")]
    Damaged(std::io::Error),
    /// Something that cannot be served from memory.
    #[error(
        "{0:?} in the packed release is neither a file nor a directory; pack with tar --dereference"
    )]
    Special(String),
    /// The archive itself is compressed.
    #[error("the packed release is compressed; pack it without -z: its files can be compressed")]
    Compressed,
}

impl Packed {
    /// Finds the files of `archive`, a tar file. Reads headers only.
    ///
    /// ```
    /// let release = whitering::Packed::parse(&[0; 1024])?;
    /// assert_eq!(release.file_count(), 0);
    /// # Ok::<(), whitering::PackedError>(())
    /// ```
    ///
    /// # Errors
    /// [`PackedError`], for whoever packed it.
    pub fn parse(archive: &'static [u8]) -> Result<Self, PackedError> {
        if archive.starts_with(GZIP_MAGIC) || archive.starts_with(ZSTD_MAGIC) {
            return Err(PackedError::Compressed);
        }
        let archive = Bytes::from_static(archive);
        let mut files: HashMap<Vec<u8>, PackedContent> = HashMap::new();
        let mut reader = Archive::new(Cursor::new(archive.clone()));
        for entry in reader.entries_with_seek().map_err(PackedError::Damaged)? {
            let entry = entry.map_err(PackedError::Damaged)?;
            let name = name(&entry.path_bytes());
            let content = match entry.header().entry_type() {
                EntryType::Directory => continue,
                EntryType::Regular | EntryType::Continuous => content(&archive, &entry)?,
                // A hard link: the other name came before.
                EntryType::Link => {
                    let target = entry.link_name_bytes().map(|target| self::name(&target));
                    let target = target.and_then(|target| files.get(&target).cloned());
                    target.ok_or_else(|| special(&name))?
                }
                _ => return Err(special(&name)),
            };
            files.insert(name, content);
        }
        let files = files.into_iter().filter(|(name, _)| is_public(name));
        Ok(Self {
            files: files
                .map(|(name, content)| PackedFile { name, content })
                .collect(),
        })
    }

    /// How many files it holds, variants and manifests counted.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }
}

impl PackedContent {
    /// What reading the file would bring; its digest is that which its release `recorded`, if it
    /// is that file.
    pub(super) fn read(&self, recorded: Option<&Recorded>) -> Content {
        let identity = Identity {
            device: 0,
            inode: 0,
            bytes: self.bytes.len() as u64,
            modified_nanos: self.modified_nanos,
            changed_nanos: self.modified_nanos,
        };
        let known = recorded.filter(|recorded| recorded.is(&identity));
        let known = known.map(|recorded| recorded.sha256);
        Content {
            identity,
            sha256: known.unwrap_or_else(|| Sha256::digest(&self.bytes).into()),
            body: Body::Memory(self.bytes.clone()),
        }
    }
}

/// The bytes of `entry` where they lie.
fn content(
    archive: &Bytes,
    entry: &Entry<'_, Cursor<Bytes>>,
) -> Result<PackedContent, PackedError> {
    let damaged = || PackedError::Damaged(std::io::ErrorKind::UnexpectedEof.into());
    let start = usize::try_from(entry.raw_file_position()).map_err(|_| damaged())?;
    let length = usize::try_from(entry.size()).map_err(|_| damaged())?;
    let end = start.checked_add(length).ok_or_else(damaged)?;
    if end > archive.len() {
        return Err(damaged());
    }
    let modified_seconds = entry.header().mtime().map_err(PackedError::Damaged)?;
    Ok(PackedContent {
        bytes: archive.slice(start..end),
        modified_nanos: i128::from(modified_seconds) * 1_000_000_000,
    })
}

/// The path below the root of the release: `./a/b` as `a/b`.
fn name(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|&byte| byte == b'/');
    let named = segments.filter(|segment| !matches!(*segment, b"" | b"."));
    named.collect::<Vec<_>>().join(&b'/')
}

fn special(name: &[u8]) -> PackedError {
    PackedError::Special(String::from_utf8_lossy(name).into_owned())
}

/// RFC 1952 §2.3.1, RFC 8878 §3.1.1.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
