//! All sources together: their files under the URLs they get, and what their manifests say.

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::packed::PackedFile;
use super::pair::File;
use super::problem::{Cause, LoadError, MANIFEST_BYTES_MAX, RELEASE_BYTES_MAX, Warning};
use super::read::{Buffer, Place};
use super::recorded::Records;
use super::root::Root;
use super::walk::Found;
use super::{Body, Options};
use crate::manifest::release;
use crate::manifest::{self, Manifest};
use crate::sys::identity::ReadError;

/// The opened sources: directories, then packed releases.
pub(super) struct Sources<'a> {
    /// Of the directories.
    pub(super) roots: Vec<Root>,
    /// Where each source appears.
    prefixes: Vec<&'a str>,
    /// One for each source; empty where there is none.
    manifests: Vec<Manifest>,
    /// For each source, the names that change with their content, as its release says.
    immutable: Vec<Vec<Vec<u8>>>,
}

/// A file under the name it has in its source.
struct Named {
    name: Vec<u8>,
    place: Place,
}

impl<'a> Sources<'a> {
    /// Opens the sources of `options` and finds all their files. Releases from after `now_seconds`
    /// are not believed what times would have to prove.
    pub(super) fn walk(
        options: &'a Options,
        now_seconds: u64,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Vec<File>), LoadError> {
        let source_count = options.sources.len() + options.packed.len();
        if source_count > usize::from(u16::MAX) {
            return Err(LoadError::TooManySources(source_count));
        }
        let mut sources = Self {
            roots: Vec::new(),
            prefixes: Vec::new(),
            manifests: Vec::new(),
            immutable: Vec::new(),
        };
        let mut files = Vec::new();
        for (root_index, source) in (0..).zip(&options.sources) {
            let root = Root::open(&source.directory)?;
            let found = root.walk(ENTRY_COUNT_MAX, warnings)?;
            sources.roots.push(root);
            let named = found.into_iter().map(|found| named(found, root_index));
            files.extend(sources.add(&source.prefix, named.collect(), now_seconds, warnings));
        }
        for (root_index, source) in (0..).skip(options.sources.len()).zip(&options.packed) {
            let named = source.release.files.iter();
            let named = named.filter_map(|file| named_packed(file, root_index));
            files.extend(sources.add(&source.prefix, named.collect(), now_seconds, warnings));
        }
        Ok((sources, files))
    }

    /// Takes in the next source, which appears at `prefix` and has the files `named`.
    fn add(
        &mut self,
        prefix: &'a str,
        named: Vec<Named>,
        now_seconds: u64,
        warnings: &mut Vec<Warning>,
    ) -> Vec<File> {
        self.prefixes.push(prefix);
        self.add_manifest(&named, warnings);
        let mut records = self.records(&named, now_seconds, warnings);
        self.immutable.push(mem::take(&mut records.immutable));
        let files = named.into_iter().map(|Named { name, place }| File {
            key: key(prefix, &name),
            place: Place {
                recorded: records.of(&name).map(Box::new),
                ..place
            },
        });
        files.collect()
    }

    /// The URLs, each with its source, whose content never changes because a manifest or a
    /// release says that their names were made from it.
    pub(super) fn hashed(&self) -> HashSet<(u16, Vec<u8>)> {
        let names = self.manifests.iter().zip(&self.immutable);
        let sources = (0..).zip(&self.prefixes).zip(names);
        sources
            .flat_map(|((root_index, prefix), (manifest, immutable))| {
                let hashed = manifest.hashed().chain(immutable.iter().map(Vec::as_slice));
                hashed.map(move |name| (root_index, key(prefix, name)))
            })
            .collect()
    }

    /// The URLs that `name` may mean, likeliest first: itself, a name in a source, a logical name
    /// in a manifest.
    pub(super) fn keys_of(&self, name: &str) -> Vec<Vec<u8>> {
        let name = name.trim_start_matches('/').as_bytes();
        let mut keys = vec![[b"/", name].concat()];
        for (prefix, manifest) in self.prefixes.iter().zip(&self.manifests) {
            keys.push(key(prefix, name));
            keys.extend(manifest.published(name).map(|name| key(prefix, name)));
        }
        keys
    }

    fn add_manifest(&mut self, named: &[Named], warnings: &mut Vec<Warning>) {
        let manifest = find(named, manifest::FILE_NAME).map(|place| {
            let text = self.text(place, MANIFEST_BYTES_MAX);
            let (text, _) = text?.ok_or(Cause::ManifestTooLarge)?;
            Manifest::parse(&text).map_err(Cause::Manifest)
        });
        let manifest = self.warn(manifest, manifest::FILE_NAME, warnings);
        self.manifests.push(manifest);
    }

    fn records(&self, named: &[Named], now_seconds: u64, warnings: &mut Vec<Warning>) -> Records {
        let records = find(named, release::FILE_NAME).map(|place| {
            let text = self.text(place, RELEASE_BYTES_MAX);
            let (text, modified_nanos) = text?.ok_or(Cause::ReleaseTooLarge)?;
            let modified_seconds = modified_nanos.div_euclid(1_000_000_000);
            let is_past = modified_seconds <= i128::from(now_seconds);
            let until_nanos = if is_past { modified_nanos } else { i128::MIN };
            Records::parse(&text, until_nanos).map_err(Cause::Release)
        });
        self.warn(records, release::FILE_NAME, warnings)
    }

    /// What was read of the source added last, or nothing where there is nothing or nothing of use.
    fn warn<T: Default>(
        &self,
        read: Option<Result<T, Cause>>,
        name: &str,
        warnings: &mut Vec<Warning>,
    ) -> T {
        match read {
            None => T::default(),
            Some(Ok(value)) => value,
            Some(Err(cause)) => {
                let root = self.roots.get(self.prefixes.len() - 1);
                let name = name.as_bytes();
                let path = root.map_or_else(|| packed_path(name), |root| root.join(name));
                warnings.push(Warning::file(path, cause));
                T::default()
            }
        }
    }

    /// The text of a file and when it was written, unless it has more than `bytes_max`.
    fn text(&self, place: &Place, bytes_max: u64) -> Result<Option<(Bytes, i128)>, Cause> {
        if place.bytes > bytes_max {
            return Ok(None);
        }
        let place = Place {
            in_memory: true,
            ..place.clone()
        };
        let content = place
            .read(&self.roots, &mut Buffer::new())
            .map_err(|error| match error {
                ReadError::Io(error) => Cause::Unreadable(error),
                ReadError::Changing | ReadError::Special => Cause::Changing,
            })?;
        match content.body {
            Body::Memory(text) => Ok(Some((text, content.identity.modified_nanos))),
            Body::File(_) => Err(Cause::Changing),
        }
    }
}

/// The path of a file in a packed release, for people.
pub(super) fn packed_path(name: &[u8]) -> PathBuf {
    Path::new("(packed release)").join(OsStr::from_bytes(name))
}

fn find<'n>(named: &'n [Named], name: &str) -> Option<&'n Place> {
    let named = named.iter().find(|named| named.name == name.as_bytes());
    named.map(|named| &named.place)
}

fn key(prefix: &str, name: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), name].concat()
}

fn named(found: Found, root_index: u16) -> Named {
    Named {
        name: found.name,
        place: Place {
            root_index,
            path: found.path,
            bytes: found.bytes,
            in_memory: false,
            recorded: None,
            packed: None,
        },
    }
}

/// A name with a NUL is no file's; nothing could ask for it.
fn named_packed(file: &PackedFile, root_index: u16) -> Option<Named> {
    Some(Named {
        name: file.name.clone(),
        place: Place {
            root_index,
            path: CString::new(file.name.clone()).ok()?,
            bytes: file.content.bytes.len() as u64,
            in_memory: true,
            recorded: None,
            packed: Some(Box::new(file.content.clone())),
        },
    })
}

/// Files and directories of one source. More come of links that multiply a tree, not of sites.
const ENTRY_COUNT_MAX: usize = 8_000_000;
