//! All sources together: their files under the URLs they get, and what their manifests say.

use std::collections::HashSet;
use std::mem;

use bytes::Bytes;

use super::pair::File;
use super::problem::{Cause, LoadError, MANIFEST_BYTES_MAX, RELEASE_BYTES_MAX, Warning};
use super::read::{Buffer, Place};
use super::recorded::Records;
use super::root::Root;
use super::walk::Found;
use super::{Body, SourceDirectory};
use crate::manifest::release;
use crate::manifest::{self, Manifest};
use crate::sys::identity::ReadError;

/// The opened sources.
pub(super) struct Sources<'a> {
    pub(super) roots: Vec<Root>,
    directories: &'a [SourceDirectory],
    /// One for each source; empty where there is none.
    manifests: Vec<Manifest>,
    /// For each source, the names that change with their content, as its release says.
    immutable: Vec<Vec<Vec<u8>>>,
}

impl<'a> Sources<'a> {
    /// Opens `directories` and finds all their files. Releases from after `now_seconds` are not
    /// believed what times would have to prove.
    pub(super) fn walk(
        directories: &'a [SourceDirectory],
        now_seconds: u64,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Vec<File>), LoadError> {
        if directories.len() > usize::from(u16::MAX) {
            return Err(LoadError::TooManySources(directories.len()));
        }
        let mut sources = Self {
            roots: Vec::new(),
            directories,
            manifests: Vec::new(),
            immutable: Vec::new(),
        };
        let mut files = Vec::new();
        for (root_index, source) in (0..).zip(directories) {
            let root = Root::open(&source.directory)?;
            let found = root.walk(ENTRY_COUNT_MAX, warnings)?;
            sources.roots.push(root);
            sources.add_manifest(&found, root_index, warnings);
            let mut records = sources.records(&found, root_index, now_seconds, warnings);
            sources.immutable.push(mem::take(&mut records.immutable));
            files.extend(found.into_iter().map(|found| File {
                key: key(source, &found.name),
                place: Place {
                    recorded: records.of(&found.name).map(Box::new),
                    ..place(found, root_index, false)
                },
            }));
        }
        Ok((sources, files))
    }

    /// The URLs, each with its source, whose content never changes because a manifest or a
    /// release says that their names were made from it.
    pub(super) fn hashed(&self) -> HashSet<(u16, Vec<u8>)> {
        let names = self.manifests.iter().zip(&self.immutable);
        let sources = (0..).zip(self.directories).zip(names);
        sources
            .flat_map(|((root_index, source), (manifest, immutable))| {
                let hashed = manifest.hashed().chain(immutable.iter().map(Vec::as_slice));
                hashed.map(move |name| (root_index, key(source, name)))
            })
            .collect()
    }

    /// The URLs that `name` may mean, likeliest first: itself, a name in a source, a logical name
    /// in a manifest.
    pub(super) fn keys_of(&self, name: &str) -> Vec<Vec<u8>> {
        let name = name.trim_start_matches('/').as_bytes();
        let mut keys = vec![[b"/", name].concat()];
        for (source, manifest) in self.directories.iter().zip(&self.manifests) {
            keys.push(key(source, name));
            keys.extend(manifest.published(name).map(|name| key(source, name)));
        }
        keys
    }

    fn add_manifest(&mut self, found: &[Found], root_index: u16, warnings: &mut Vec<Warning>) {
        let manifest = find(found, manifest::FILE_NAME).map(|found| {
            let text = self.text(found, root_index, MANIFEST_BYTES_MAX);
            let (text, _) = text?.ok_or(Cause::ManifestTooLarge)?;
            Manifest::parse(&text).map_err(Cause::Manifest)
        });
        let manifest = self.warn(manifest, root_index, manifest::FILE_NAME, warnings);
        self.manifests.push(manifest);
    }

    fn records(
        &self,
        found: &[Found],
        root_index: u16,
        now_seconds: u64,
        warnings: &mut Vec<Warning>,
    ) -> Records {
        let records = find(found, release::FILE_NAME).map(|found| {
            let text = self.text(found, root_index, RELEASE_BYTES_MAX);
            let (text, modified_nanos) = text?.ok_or(Cause::ReleaseTooLarge)?;
            let modified_seconds = modified_nanos.div_euclid(1_000_000_000);
            let is_past = modified_seconds <= i128::from(now_seconds);
            let until_nanos = if is_past { modified_nanos } else { i128::MIN };
            Records::parse(&text, until_nanos).map_err(Cause::Release)
        });
        self.warn(records, root_index, release::FILE_NAME, warnings)
    }

    /// What was read, or nothing where there is nothing or nothing of use.
    fn warn<T: Default>(
        &self,
        read: Option<Result<T, Cause>>,
        root_index: u16,
        name: &str,
        warnings: &mut Vec<Warning>,
    ) -> T {
        match read {
            None => T::default(),
            Some(Ok(value)) => value,
            Some(Err(cause)) => {
                let path = self.roots[usize::from(root_index)].directory.join(name);
                warnings.push(Warning::file(path, cause));
                T::default()
            }
        }
    }

    /// The text of a file and when it was written, unless it has more than `bytes_max`.
    fn text(
        &self,
        found: &Found,
        root_index: u16,
        bytes_max: u64,
    ) -> Result<Option<(Bytes, i128)>, Cause> {
        if found.bytes > bytes_max {
            return Ok(None);
        }
        let found = Found {
            name: Vec::new(),
            path: found.path.clone(),
            bytes: found.bytes,
        };
        let content = place(found, root_index, true)
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

fn find<'a>(found: &'a [Found], name: &str) -> Option<&'a Found> {
    found.iter().find(|found| found.name == name.as_bytes())
}

fn key(source: &SourceDirectory, name: &[u8]) -> Vec<u8> {
    [source.prefix.as_bytes(), name].concat()
}

fn place(found: Found, root_index: u16, in_memory: bool) -> Place {
    Place {
        root_index,
        path: found.path,
        bytes: found.bytes,
        in_memory,
        recorded: None,
    }
}

/// Files and directories of one source. More come of links that multiply a tree, not of sites.
const ENTRY_COUNT_MAX: usize = 8_000_000;
