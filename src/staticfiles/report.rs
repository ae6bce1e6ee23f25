//! What a run tells while it works, and what it has done when it ends.

use std::path::PathBuf;

use super::Problem;
use crate::http::Coding;

/// Hears what happens. Called from several threads, in no promised order.
pub trait Observer: Sync {
    /// Something happened.
    fn on_event(&self, event: Event<'_>);
}

/// An observer that keeps it to itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on_event(&self, _: Event<'_>) {}
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The finders are done.
    Found {
        /// Files to collect.
        file_count: usize,
        /// Their lengths together, in bytes.
        bytes: u64,
    },
    /// A file of a later source has a name that is taken.
    Shadowed {
        /// The name.
        name: &'a [u8],
        /// The file that is not collected.
        path: &'a std::path::Path,
    },
    /// A file's work is done. Every file that was found has one such event.
    Done {
        /// Its logical name.
        name: &'a [u8],
        /// Its length in bytes.
        bytes: u64,
        /// Whether the release differs from the last one by it.
        modified: bool,
    },
    /// A file got its published name.
    PostProcessed {
        /// Its logical name.
        name: &'a [u8],
        /// Its hashed name, or that of a variant.
        published: &'a [u8],
    },
    /// A file of the last release is not carried over.
    Deleted {
        /// Its name.
        name: &'a [u8],
    },
    /// Something the operator should know, that does not end the run.
    Warning(&'a Problem),
    /// Files are ready; the release is being put in place.
    Publishing,
    /// Another run works on the same output; this one waits for it.
    Waiting {
        /// The output.
        output: &'a std::path::Path,
    },
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Where the release is.
    pub output: PathBuf,
    /// Files that were found and not shadowed.
    pub file_count: usize,
    /// Their lengths together, in bytes.
    pub bytes: u64,
    /// Files that were copied (or linked): new, or other than in the last release.
    pub modified_count: usize,
    /// Files that stand in the release already.
    pub unmodified_count: usize,
    /// Hashed names and variants that were written.
    pub post_processed_count: usize,
    /// Files of later sources under a name that is taken.
    pub skipped_count: usize,
    /// Files of the last release that are not carried over.
    pub deleted_count: usize,
    /// What was written for each encoding, in the order of [`super::Compression::codings`].
    pub variants: Vec<VariantTotals>,
    /// Whether a new release was put in place; if not, the old one is up to date.
    pub published: bool,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
    /// Why the cache could not be used to the full; the release is none the worse for it.
    pub cache_trouble: Option<String>,
}

/// The variants of one encoding that the release has for this run's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantTotals {
    /// The encoding.
    pub coding: Coding,
    /// Files that have such a variant.
    pub file_count: usize,
    /// The lengths of their originals together, in bytes.
    pub bytes_in: u64,
    /// The lengths of the variants together, in bytes.
    pub bytes_out: u64,
    /// Variants that came from the cache or the last release.
    pub hit_count: usize,
}
