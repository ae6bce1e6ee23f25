//! All assets at one moment. Never changes; a reload builds another one.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use foldhash::fast::FixedState;

use super::Asset;

/// An immutable index from URL path to what it names.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Keys are percent-decoded paths with their leading slash. The hash is seeded where files are
    /// loaded; made without, a table is the same in every process, which exact counting needs.
    pub entries: HashMap<Box<[u8]>, Entry, FixedState>,
    /// The assets that entries point at; several entries may share one (`/` and a prefix).
    pub assets: Vec<Asset>,
    /// Answers what is no asset, instead of the built-in 404: `--not-found` or `--spa`.
    pub not_found: Option<NotFound>,
    /// Field lines that every redirect carries, each with its line end.
    pub redirect_fields: Box<str>,
    /// The source directories, opened; descriptor bodies are opened beneath them.
    pub roots: Vec<OwnedFd>,
    /// What was loaded, for the start-up line.
    pub totals: Totals,
}

/// What a URL path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An asset, by its index in [`Snapshot::assets`].
    Asset(u32),
    /// A redirect; the value is the whole `Location` but for the query, already encoded and
    /// relative: `dir/` or `./`.
    Redirect(Box<str>),
}

/// The answer to requests that name nothing, by index in [`Snapshot::assets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// `--not-found FILE`: an asset of its own whose heads say 404, without validators or ranges.
    Page(u32),
    /// `--spa FILE`: the asset itself, 200.
    Spa(u32),
}

/// Sums over a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Published files, variants not counted.
    pub assets: usize,
    /// Variant files beside them.
    pub variants: usize,
    /// Bytes of bodies held in memory.
    pub memory_bytes: u64,
    /// Bytes of bodies left on disk.
    pub disk_bytes: u64,
    /// Bytes of keys, heads and the tables that hold them: all but bodies.
    pub index_bytes: u64,
}

impl Snapshot {
    /// What `path` (percent-decoded, with its leading slash) names.
    pub fn find(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The asset at `index`.
    pub fn asset(&self, index: u32) -> &Asset {
        &self.assets[index as usize]
    }
}
