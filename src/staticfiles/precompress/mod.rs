//! `compress DIR`: variants beside the files of a directory, in place.

mod file;
mod long;
mod place;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::cache::Cache;
use super::compress::{Compressor, Encoder};
use super::{CacheOptions, Coding, CollectError, Compression, VariantTotals};
use file::{Outcome, Variant};
use walk::Found;

/// What to compress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrecompressOptions {
    /// The directory; variants are written beside its files.
    pub directory: PathBuf,
    /// What is compressed and how.
    pub compression: Compression,
    /// Where work is remembered from one run to the next. With it, variants that are up to date
    /// are recognised and left alone.
    pub cache: Option<CacheOptions>,
    /// Threads to work with; one for each CPU if absent.
    pub thread_count: Option<usize>,
}

/// Something that happened to one file.
#[derive(Debug)]
#[non_exhaustive]
pub enum PrecompressEvent<'a> {
    /// A variant stands beside its original.
    Compressed {
        /// The original.
        path: &'a Path,
        /// The encoding.
        coding: Coding,
        /// The original's length in bytes.
        bytes_in: u64,
        /// The variant's length in bytes.
        bytes_out: u64,
        /// Whether it was written; otherwise it was there already.
        written: bool,
    },
    /// An encoding is not worth it; there is no variant.
    NotEffective {
        /// The original.
        path: &'a Path,
        /// The encoding.
        coding: Coding,
    },
    /// A variant of an earlier content was removed, as the new content has none.
    Removed {
        /// The variant.
        path: &'a Path,
    },
    /// A file or a directory was left out.
    Failed {
        /// Why.
        error: &'a CollectError,
    },
}

/// What [`precompress()`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrecompressReport {
    /// Files that were looked at.
    pub file_count: usize,
    /// Their lengths together, in bytes.
    pub bytes: u64,
    /// The variants that there are now, in the order of [`Compression::codings`].
    pub variants: Vec<VariantTotals>,
    /// Variants that were written.
    pub written_count: usize,
    /// Variants of earlier contents that were removed.
    pub removed_count: usize,
    /// Files and directories that were left out.
    pub failed_count: usize,
    /// What the operator should know about the cache.
    pub cache_warning: Option<String>,
}

/// Writes compressed variants beside the files below a directory, as
/// `python -m whitenoise.compress` does. `on_event` is called from several threads.
///
/// # Errors
/// The directory cannot be read. What concerns one file is an event.
///
/// # Examples
/// ```
/// use whitering::staticfiles::{Compression, PrecompressOptions, precompress};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # std::fs::write(directory.path().join("app.css"), "body {}".repeat(100))?;
/// let options = PrecompressOptions {
///     directory: directory.path().to_owned(),
///     compression: Compression::default(),
///     cache: None,
///     thread_count: None,
/// };
/// let report = precompress(&options, &|_| ())?;
/// assert_eq!(report.written_count, 2); // app.css.br and app.css.gz
/// # Ok(())
/// # }
/// ```
pub fn precompress(
    options: &PrecompressOptions,
    on_event: &(dyn Fn(PrecompressEvent<'_>) + Sync),
) -> Result<PrecompressReport, CollectError> {
    let (cache, cache_warning) = options.cache.as_ref().map(open_cache).unwrap_or_default();
    let encoder = Encoder {
        compressor: Compressor::new(&options.compression),
        cache,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.thread_count.unwrap_or(0));
    let pool = pool.build().map_err(|error| {
        let cause = std::io::Error::other(error);
        io_error("cannot start threads for", &options.directory, cause)
    })?;
    let run = Run {
        on_event,
        report: Mutex::new(empty_report(&options.compression)),
    };
    let mut files = walk::walk(&options.directory, &mut |error| run.on_failure(&error))?;
    let cache = cache_within(options);
    files.retain(|found| {
        let is_cache = cache
            .as_ref()
            .is_some_and(|cache| found.path.starts_with(cache));
        let name = found.path.as_os_str().as_encoded_bytes();
        !is_cache && encoder.compressor.accepts(name)
    });
    // The largest first, or one of them might keep a single thread busy at the end.
    files.sort_by(|one, other| (other.bytes, &one.path).cmp(&(one.bytes, &other.path)));
    let next = AtomicUsize::new(0);
    pool.broadcast(|_| {
        while let Some(found) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            run.on_outcome(found, file::compress(&encoder, &found.path));
        }
    });
    let mut report = run
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(cache) = &encoder.cache {
        cache.trim();
    }
    report.cache_warning = cache_warning.or_else(|| encoder.cache?.warning());
    Ok(report)
}

/// What the threads share.
struct Run<'a> {
    on_event: &'a (dyn Fn(PrecompressEvent<'_>) + Sync),
    report: Mutex<PrecompressReport>,
}

impl Run<'_> {
    fn on_outcome(&self, found: &Found, outcome: Result<Outcome, CollectError>) {
        match outcome {
            Ok(outcome) => {
                for (coding, variant) in &outcome.variants {
                    self.on_variant(&found.path, outcome.bytes, *coding, variant);
                }
                let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
                add(&mut report, &outcome);
            }
            Err(error) => self.on_failure(&error),
        }
    }

    fn on_variant(&self, path: &Path, bytes_in: u64, coding: Coding, variant: &Variant) {
        (self.on_event)(match variant {
            Variant::Stands { bytes, written, .. } => {
                let (bytes_out, written) = (*bytes, *written);
                PrecompressEvent::Compressed {
                    path,
                    coding,
                    bytes_in,
                    bytes_out,
                    written,
                }
            }
            Variant::NotEffective { removed } => {
                if let Some(path) = removed {
                    (self.on_event)(PrecompressEvent::Removed { path });
                }
                PrecompressEvent::NotEffective { path, coding }
            }
        });
    }

    fn on_failure(&self, error: &CollectError) {
        (self.on_event)(PrecompressEvent::Failed { error });
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failed_count += 1;
    }
}

/// A cache that cannot be opened is no reason to do without the variants.
fn open_cache(options: &CacheOptions) -> (Option<Cache>, Option<String>) {
    match Cache::open(options) {
        Ok(cache) => (Some(cache), None),
        Err(error) => (None, Some(options.trouble(&error))),
    }
}

/// The cache's path as the walk would find it, if it is in the directory itself.
fn cache_within(options: &PrecompressOptions) -> Option<PathBuf> {
    let cache = options.cache.as_ref()?.directory.canonicalize().ok()?;
    let root = options.directory.canonicalize().ok()?;
    let inner = cache.strip_prefix(root).ok()?;
    // A file is no cache, and the whole directory would leave nothing to do.
    let is_inner = cache.is_dir() && !inner.as_os_str().is_empty();
    is_inner.then(|| options.directory.join(inner))
}

fn empty_report(compression: &Compression) -> PrecompressReport {
    let codings = compression.codings.iter();
    let totals = codings.map(|coding| VariantTotals {
        coding: *coding,
        file_count: 0,
        bytes_in: 0,
        bytes_out: 0,
        hit_count: 0,
    });
    PrecompressReport {
        variants: totals.collect(),
        ..PrecompressReport::default()
    }
}

fn add(report: &mut PrecompressReport, outcome: &Outcome) {
    report.file_count += 1;
    report.bytes += outcome.bytes;
    for (coding, variant) in &outcome.variants {
        match variant {
            Variant::Stands {
                bytes,
                written,
                is_hit,
            } => {
                report.written_count += usize::from(*written);
                let totals = report
                    .variants
                    .iter_mut()
                    .find(|totals| totals.coding == *coding);
                let Some(totals) = totals else { continue };
                totals.file_count += 1;
                totals.bytes_in += outcome.bytes;
                totals.bytes_out += bytes;
                totals.hit_count += usize::from(*is_hit);
            }
            Variant::NotEffective { removed } => {
                report.removed_count += usize::from(removed.is_some());
            }
        }
    }
}

fn io_error(action: &'static str, path: &Path, cause: std::io::Error) -> CollectError {
    CollectError::Io {
        action,
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
mod tests;
