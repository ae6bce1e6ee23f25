//! What a snapshot is loaded from: the settings that decide about its answers.

use std::path::PathBuf;

use globset::GlobMatcher;
use regex::bytes::Regex;

use super::PackedSource;
use crate::http::media_type::MediaTypes;

/// Everything that loading needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where files come from; of two with the same URL the first source's is served.
    pub sources: Vec<SourceDirectory>,
    /// Releases within the program; they come after the directories.
    pub packed: Vec<PackedSource>,
    /// Bytes of bodies that may stay in memory; small files come first.
    pub memory_budget_bytes: u64,
    /// Larger bodies stay on disk whatever the budget is.
    pub file_memory_bytes_max: u64,
    /// Freshness of files whose name does not change with their content.
    pub max_age_seconds: Option<u32>,
    /// Whether every origin may read the files: `Access-Control-Allow-Origin: *`.
    pub cors: bool,
    /// File name → `Content-Type`.
    pub media_types: MediaTypes,
    /// Further fields, and other values for the usual ones; of equal names the last rule wins.
    pub header_rules: Vec<HeaderRule>,
    /// The file that stands for its directory.
    pub index_file: Option<String>,
    /// What it is found in, among percent-decoded URL paths, never changes.
    pub immutable: Option<Regex>,
    /// The answer to what is no asset.
    pub not_found: Option<NotFoundFile>,
}

/// A directory and where its files appear.
#[derive(Debug, Clone)]
pub struct SourceDirectory {
    /// `/`, or a path with a slash on both ends.
    pub prefix: String,
    /// The directory.
    pub directory: PathBuf,
}

/// A field for all files whose URL path matches, with or without its leading slash.
#[derive(Debug, Clone)]
pub struct HeaderRule {
    /// Matched against the percent-decoded URL path.
    pub glob: GlobMatcher,
    /// The field name.
    pub name: String,
    /// The field value.
    pub value: String,
}

/// A file that answers requests which name nothing: a URL path, or a name in the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFoundFile {
    /// Sent with status 404.
    Page(String),
    /// Sent as itself, so that a script in it can show what was asked for.
    Spa(String),
}
