//! All sources together: their files under the URLs they get, and what their manifests say.

use std::collections::HashSet;

use super::pair::File;
use super::problem::{Cause, LoadError, MANIFEST_BYTES_MAX, Warning};
use super::read::{Buffer, Place};
use super::root::Root;
use super::walk::Found;
use super::{Body, SourceDirectory};
use crate::manifest::{self, Manifest};
use crate::sys::identity::ReadError;

/// The opened sources.
pub(super) struct Sources<'a> {
    pub(super) roots: Vec<Root>,
    directories: &'a [SourceDirectory],
    /// One for each source; empty where there is none.
    manifests: Vec<Manifest>,
}

impl<'a> Sources<'a> {
    /// Opens `directories` and finds all their files.
    pub(super) fn walk(
        directories: &'a [SourceDirectory],
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Vec<File>), LoadError> {
        if directories.len() > usize::from(u16::MAX) {
            return Err(LoadError::TooManySources(directories.len()));
        }
        let mut sources = Self {
            roots: Vec::new(),
            directories,
            manifests: Vec::new(),
        };
        let mut files = Vec::new();
        for (root_index, source) in (0..).zip(directories) {
            let root = Root::open(&source.directory)?;
            let found = root.walk(ENTRY_COUNT_MAX, warnings)?;
            sources.roots.push(root);
            sources.add_manifest(&found, root_index, warnings);
            files.extend(found.into_iter().map(|found| File {
                key: key(source, &found.name),
                place: place(found, root_index, false),
            }));
        }
        Ok((sources, files))
    }

    /// The URLs, each with its source, whose content never changes because a manifest says that
    /// their names were made from it.
    pub(super) fn hashed(&self) -> HashSet<(u16, Vec<u8>)> {
        let manifests = (0..).zip(self.directories).zip(&self.manifests);
        manifests
            .flat_map(|((root_index, source), manifest)| {
                let hashed = manifest.hashed();
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
        let file = found
            .iter()
            .find(|found| found.name == manifest::FILE_NAME.as_bytes());
        let manifest = match file.map(|found| self.read_manifest(found, root_index)) {
            None => Manifest::default(),
            Some(Ok(manifest)) => manifest,
            Some(Err(cause)) => {
                let path = self.roots[usize::from(root_index)]
                    .directory
                    .join(manifest::FILE_NAME);
                warnings.push(Warning::file(path, cause));
                Manifest::default()
            }
        };
        self.manifests.push(manifest);
    }

    fn read_manifest(&self, found: &Found, root_index: u16) -> Result<Manifest, Cause> {
        if found.bytes > MANIFEST_BYTES_MAX {
            return Err(Cause::ManifestTooLarge);
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
            Body::Memory(text) => Manifest::parse(&text).map_err(Cause::Manifest),
            Body::File(_) => Err(Cause::Changing),
        }
    }
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
    }
}

/// Files and directories of one source. More come of links that multiply a tree, not of sites.
const ENTRY_COUNT_MAX: usize = 8_000_000;
