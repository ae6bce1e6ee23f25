//! What to collect, where to, and by which rules.

use std::path::PathBuf;

use crate::http::Coding;

/// One run of [`super::collect()`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Where files come from; of two with the same name the first source's is taken.
    pub sources: Vec<Source>,
    /// The release directory, Django's STATIC_ROOT.
    pub output: PathBuf,
    /// The URL that files are served under, Django's STATIC_URL: `/static/`, or with a host.
    /// Ends with a slash.
    pub static_url: String,
    /// Whether names are hashed and references rewritten.
    pub storage: Storage,
    /// The series of Django whose rewriting is followed.
    pub compat: Compat,
    /// Rewrite JavaScript's imports and exports too (`support_js_module_import_aggregation`).
    pub js_modules: bool,
    /// Globs of names that are passed over, as `collectstatic --ignore` reads them.
    pub ignore: Vec<String>,
    /// Leave nothing of earlier runs.
    pub clear: bool,
    /// Say what would be done and do nothing.
    pub dry_run: bool,
    /// Make the unhashed files symbolic links to their sources.
    pub link: bool,
    /// Hash, rewrite and compress; otherwise only copy.
    pub post_process: bool,
    /// Publish no unhashed names (`WHITENOISE_KEEP_ONLY_HASHED_FILES`).
    pub keep_only_hashed: bool,
    /// Whether a reference to nothing ends the run; otherwise it is left as it is.
    pub strict: bool,
    /// What is compressed and how; nothing if absent.
    pub compression: Option<Compression>,
    /// Where work is remembered from one run to the next.
    pub cache: Option<CacheOptions>,
    /// Threads to work with; one for each CPU if absent.
    pub thread_count: Option<usize>,
}

/// A finder: names and the files behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// All files below a directory.
    Directory {
        /// Put before their names with a slash; may be empty, has no slash at its ends.
        prefix: String,
        /// The directory.
        directory: PathBuf,
    },
    /// Files that somebody else has found, say a project's own finders. Nothing is ignored.
    Listed {
        /// What the finder is called.
        name: String,
        /// In order of precedence.
        files: Vec<ListedFile>,
    },
}

/// A file and the name it is collected under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// The logical name in bytes: segments with slashes between them.
    pub name: Vec<u8>,
    /// The file.
    pub path: PathBuf,
}

/// What becomes of names and references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Hashed names, rewritten references and a manifest.
    Manifest,
    /// Files as they are.
    Plain,
}

/// A series of Django; each rewrites differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Compat {
    /// Django 5.2.
    V5_2,
    /// Django 6.0.
    V6_0,
    /// Django 6.1.
    #[default]
    V6_1,
}

/// What is compressed and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// The encodings to write. [`Coding::Identity`] has no meaning here.
    pub codings: Vec<Coding>,
    /// How much time goes into them.
    pub level: Level,
    /// Extensions without their dot, in any case, of files that are not worth it. If empty,
    /// everything is tried.
    pub skip_extensions: Vec<String>,
}

/// How much time goes into compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// For development: a second instead of a minute.
    Fast,
    /// What WhiteNoise takes: brotli 11, gzip 9.
    #[default]
    Default,
    /// The smallest files, for whatever it takes.
    Max,
}

/// Where work is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Is created if it does not exist.
    pub directory: PathBuf,
    /// What was not used for longest is dropped beyond this.
    pub bytes_max: u64,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            codings: vec![Coding::Brotli, Coding::Gzip],
            level: Level::Default,
            skip_extensions: DEFAULT_SKIP_EXTENSIONS.map(str::to_owned).to_vec(),
        }
    }
}

impl Options {
    /// Django's and WhiteNoise's usual settings, from no source, to `output`.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        Self {
            sources: Vec::new(),
            output: output.into(),
            static_url: "/static/".to_owned(),
            storage: Storage::Manifest,
            compat: Compat::default(),
            js_modules: false,
            ignore: DEFAULT_IGNORE.map(str::to_owned).to_vec(),
            clear: false,
            dry_run: false,
            link: false,
            post_process: true,
            keep_only_hashed: false,
            strict: true,
            compression: Some(Compression::default()),
            cache: None,
            thread_count: None,
        }
    }
}

/// What `collectstatic` passes over.
pub const DEFAULT_IGNORE: [&str; 3] = ["CVS", ".*", "*~"];

/// What WhiteNoise 6.12 does not compress.
pub const DEFAULT_SKIP_EXTENSIONS: [&str; 27] = [
    "jpg", "jpeg", "png", "gif", "webp", "zip", "gz", "tgz", "bz2", "tbz", "xz", "br", "swf",
    "flv", "woff", "woff2", "3gp", "3gpp", "asf", "avi", "m4v", "mov", "mp4", "mpeg", "mpg",
    "webm", "wmv",
];
