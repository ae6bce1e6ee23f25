//! One run: find, read and hash, resolve, rewrite, compress, publish. Everything that can be wrong
//! with the sources is found before anything is compressed.

mod content;
mod finish;
mod last;
mod memory;
mod output;
mod resolve;
mod scan;
mod work;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::cache::Cache;
use super::compress::{Compressor, Encoder};
use super::finders::{self, Findings, Found};
use super::publish::Target;
use super::references::Rules;
use super::{CollectError, Event, Observer, Options, Problem, Report, Source, Storage};
use last::LastRelease;
use output::Output;
use resolve::Names;

/// Collects the files of `options.sources` into a release at `options.output`.
///
/// Where `observer` is called from several threads, it is from those of this run.
///
/// # Errors
/// Whatever it is, the last release is as it was.
///
/// # Examples
/// ```
/// use whitering::staticfiles::{Options, Silent, Source, collect};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let source = directory.path().join("assets");
/// # std::fs::create_dir(&source)?;
/// # std::fs::write(source.join("app.css"), "body {}")?;
/// let mut options = Options::new(directory.path().join("static"));
/// options.sources.push(Source::Directory {
///     prefix: String::new(),
///     directory: source,
/// });
/// let report = collect(&options, &Silent)?;
/// assert_eq!(report.modified_count, 1);
/// # Ok(())
/// # }
/// ```
pub fn collect(options: &Options, observer: &dyn Observer) -> Result<Report, CollectError> {
    check_nesting(options)?;
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(options.thread_count.unwrap_or(0))
        .thread_name(|index| format!("collect-{index}"))
        .build()
        .map_err(|error| CollectError::Io {
            action: "cannot start the threads for",
            path: options.output.clone(),
            cause: io::Error::other(error),
        })?;
    threads.install(|| run(options, observer))
}

fn run(options: &Options, observer: &dyn Observer) -> Result<Report, CollectError> {
    let findings = finders::find(options);
    tell(&findings, observer);
    let target = lock(options, observer)?;
    let last = LastRelease::open(&options.output);
    let (encoder, compression, cache_trouble) = encoder(options);
    let run = Run {
        names: Names::of(&findings.files),
        rules: Rules::new(options.compat, options.js_modules, &options.static_url),
        output: Output::new(
            target.as_ref(),
            &last,
            encoder,
            last.settings() == compression,
            options
                .compression
                .as_ref()
                .map_or(&[], |compression| &compression.codings),
        ),
        problems: Mutex::new(findings.problems.clone()),
        warnings: Mutex::new(Vec::new()),
        counts: work::Counts::default(),
        findings: &findings,
        options,
        observer,
    };
    let texts = run.scan();
    run.check()?;
    run.work(texts)?;
    let report = run.finish(&last, &compression)?;
    Ok(Report {
        cache_trouble: cache_trouble.or(report.cache_trouble),
        ..report
    })
}

/// What all parts of a run look at.
struct Run<'a> {
    options: &'a Options,
    observer: &'a dyn Observer,
    findings: &'a Findings,
    names: Names,
    rules: Rules,
    output: Output<'a>,
    counts: work::Counts,
    problems: Mutex<Vec<Problem>>,
    warnings: Mutex<Vec<Problem>>,
}

impl<'a> Run<'a> {
    fn files(&self) -> &'a [Found] {
        &self.findings.files
    }

    /// Whether names are hashed and references rewritten.
    fn hashes(&self) -> bool {
        self.options.storage == Storage::Manifest && self.options.post_process
    }

    fn add_problem(&self, problem: Problem) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.push(problem);
    }

    fn warn(&self, problem: Problem) {
        self.observer.on_event(Event::Warning(&problem));
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(problem);
    }

    /// Ends the run if the sources are not fit to be published, with all that is wrong.
    fn check(&self) -> Result<(), CollectError> {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        Err(CollectError::Problems(std::mem::take(&mut problems)))
    }
}

fn tell(findings: &Findings, observer: &dyn Observer) {
    observer.on_event(Event::Found {
        file_count: findings.files.len(),
        bytes: findings.files.iter().map(|found| found.bytes).sum(),
    });
    for Found { name, path, .. } in &findings.shadowed {
        observer.on_event(Event::Shadowed { name, path });
    }
}

/// Keeps other runs away from the output; a dry run touches nothing and needs no lock.
fn lock(options: &Options, observer: &dyn Observer) -> Result<Option<Target>, CollectError> {
    if options.dry_run {
        return Ok(None);
    }
    let output = &options.output;
    let mut on_wait = || observer.on_event(Event::Waiting { output });
    Target::lock(output, &mut on_wait).map(Some)
}

/// What compresses, and a digest of everything but the content that decides about its results.
fn encoder(options: &Options) -> (Option<Encoder>, String, Option<String>) {
    let Some(compression) = options
        .compression
        .as_ref()
        .filter(|_| options.post_process)
    else {
        return (None, finish::settings_digest(""), None);
    };
    let compressor = Compressor::new(compression);
    let codings = compressor.codings().iter();
    let settings = codings.map(|coding| compressor.settings(*coding));
    let skipped = compression.skip_extensions.iter();
    // In whatever order somebody writes them.
    let skipped: BTreeSet<String> = skipped.map(|extension| extension.to_lowercase()).collect();
    let settings: Vec<String> = settings.chain(skipped).collect();
    let cache = options
        .cache
        .as_ref()
        .filter(|_| !options.dry_run)
        .map(Cache::open);
    let (cache, trouble) = match cache.transpose() {
        Ok(cache) => (cache, None),
        Err(error) => (
            None,
            options.cache.as_ref().map(|cache| cache.trouble(&error)),
        ),
    };
    let encoder = Encoder { compressor, cache };
    (
        Some(encoder),
        finish::settings_digest(&settings.join("\n")),
        trouble,
    )
}

/// An output inside a source would be collected by the next run, a source inside the output
/// deleted by this one.
fn check_nesting(options: &Options) -> Result<(), CollectError> {
    let output = resolved(&options.output);
    for source in &options.sources {
        let nested = match source {
            Source::Directory { directory, .. } => Some(resolved(directory))
                .filter(|source| output.starts_with(source) || source.starts_with(&output)),
            // What else is in a file's directory is not collected with it.
            Source::Listed { files, .. } => {
                let directories = files.iter().filter_map(|file| file.path.parent());
                let directories: BTreeSet<&Path> = directories.collect();
                let mut directories = directories.into_iter().map(resolved);
                directories.find(|directory| directory.starts_with(&output))
            }
        };
        if let Some(source_directory) = nested {
            return Err(CollectError::Nested {
                output,
                source_directory,
            });
        }
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> std::path::PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                existing = parent;
            }
            _ => return absolute,
        }
    }
}
