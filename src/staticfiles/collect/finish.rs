//! The end of a run: manifests, what is carried over from the last release, and publishing.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::Run;
use super::last::{LastRelease, read_regular};
use super::output::{Finished, variant_name};
use crate::http::Coding;
use crate::manifest::release::{self, Release, ReleaseFile};
use crate::manifest::{self, Manifest};
use crate::staticfiles::publish::{Staging, Target, ancestors};
use crate::staticfiles::{CollectError, Event, Observer, Report};

impl Run<'_> {
    /// Completes the release and puts it in place, if it is another than the last.
    pub(super) fn finish(self, last: &LastRelease, settings: &str) -> Result<Report, CollectError> {
        self.warn_of_dangling(|name| self.output.has(name));
        let manifest = self.hashes().then(|| self.manifest().to_text());
        let mut report = self.report();
        let (target, observer) = (self.output.target, self.observer);
        let mut closing = Closing {
            clear: self.options.clear,
            dropped: self.dropped(),
            last,
            manifest,
            settings: settings.to_owned(),
            finished: self.output.finish(),
        };
        report.variants = std::mem::take(&mut closing.finished.totals);
        if let Some(cache) = closing
            .finished
            .encoder
            .take()
            .and_then(|encoder| encoder.cache)
        {
            cache.trim();
            report.cache_trouble = cache.warning();
        }
        if let Some(target) = target {
            report.deleted_count = closing.publish(target, observer, &mut report.published)?;
        }
        Ok(report)
    }

    fn manifest(&self) -> Manifest {
        let pairs = (0..self.files().len()).map(|index| {
            let published = self.names.published(index);
            let published = published.expect("invariant: every file was published");
            (self.names.name(index).to_vec(), published.to_vec())
        });
        Manifest::from_paths(pairs)
    }

    /// Names of the last release that this run's options do away with.
    fn dropped(&self) -> HashSet<Vec<u8>> {
        if !self.hashes() || !self.options.keep_only_hashed {
            return HashSet::new();
        }
        let names = self.files().iter().map(|found| found.name.clone());
        names.filter(|name| !self.output.has(name)).collect()
    }

    fn report(&self) -> Report {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings = warnings.clone();
        warnings.sort();
        Report {
            output: self.options.output.clone(),
            file_count: self.files().len(),
            bytes: self.files().iter().map(|found| found.bytes).sum(),
            modified_count: self
                .counts
                .modified
                .load(std::sync::atomic::Ordering::Relaxed),
            unmodified_count: self
                .counts
                .unmodified
                .load(std::sync::atomic::Ordering::Relaxed),
            post_processed_count: self
                .counts
                .post_processed
                .load(std::sync::atomic::Ordering::Relaxed),
            skipped_count: self.findings.shadowed.len(),
            warnings,
            ..Report::default()
        }
    }
}

/// A release that is complete but for its manifests and what it takes over from the last.
struct Closing<'a> {
    clear: bool,
    dropped: HashSet<Vec<u8>>,
    last: &'a LastRelease,
    manifest: Option<String>,
    settings: String,
    finished: Finished,
}

impl Closing<'_> {
    /// Puts the release in place unless it stands there already; returns how many files of the
    /// last one are gone.
    fn publish(
        mut self,
        target: &Target,
        observer: &dyn Observer,
        published: &mut bool,
    ) -> Result<usize, CollectError> {
        let record = self.record().to_text();
        let staging = match self.finished.staging.take() {
            Some(staging) => staging,
            None if !self.clear && self.stands(target.path(), &record) => return Ok(0),
            None => Arc::new(target.stage()?),
        };
        let staging = Arc::into_inner(staging).expect("invariant: all work on it has ended");
        observer.on_event(Event::Publishing);
        let deleted_count = self.carry(&staging, observer)?;
        let now = SystemTime::now();
        if let Some(manifest) = &self.manifest {
            staging.write(manifest::FILE_NAME.as_bytes(), manifest.as_bytes(), now)?;
        }
        // Last, and youngest: files that are younger than it are not believed to be unchanged.
        staging.write(
            release::FILE_NAME.as_bytes(),
            record.as_bytes(),
            SystemTime::now(),
        )?;
        staging.publish()?;
        *published = true;
        Ok(deleted_count)
    }

    /// Whether the last release, of which everything was found in place, has the same records.
    fn stands(&self, output: &Path, record: &str) -> bool {
        let is = |name: &str, text: &str| {
            read_regular(&output.join(name)).is_ok_and(|(bytes, _)| bytes == text.as_bytes())
        };
        let manifest = self.manifest.as_ref();
        is(release::FILE_NAME, record)
            && manifest.is_none_or(|manifest| is(manifest::FILE_NAME, manifest))
    }

    /// The record of everything the new release is known to hold.
    fn record(&self) -> Release {
        let names = &self.finished.names;
        let directories: HashSet<&[u8]> = names.iter().flat_map(|name| ancestors(name)).collect();
        // What is in the way of this run's files is not carried over.
        let is_free = |name: &[u8]| {
            let mut above = ancestors(name);
            !names.contains(name)
                && !directories.contains(name)
                && !above.any(|directory| names.contains(directory))
        };
        let carried = self
            .last
            .files()
            .filter(|(name, _)| is_free(name) && self.keeps(name));
        let intact = carried.filter_map(|(name, _)| Some((name, self.last.intact(name)?)));
        let carried = intact.map(|(name, file)| {
            let mut file = file.clone();
            file.other_settings |= self.last.settings() != self.settings;
            file.variants
                .retain(|extension, _| is_free(&variant_name(name, extension)));
            (name.to_vec(), file)
        });
        let mut files: BTreeMap<Vec<u8>, ReleaseFile> = carried.collect();
        files.extend(self.finished.record.clone());
        // What became a variant is no file of its own.
        let variants: Vec<Vec<u8>> = variants_of(&files).collect();
        for variant in variants {
            files.remove(&variant);
        }
        Release {
            settings: self.settings.clone(),
            files,
        }
    }

    fn carry(&self, staging: &Staging, observer: &dyn Observer) -> Result<usize, CollectError> {
        let mut deleted_count = 0;
        staging.carry_rest(&mut |name| self.keeps(name), &mut |name| {
            if !self.is_rewritten(name) {
                deleted_count += 1;
                observer.on_event(Event::Deleted { name });
            }
        })?;
        Ok(deleted_count)
    }

    /// Whether a file of the last release that was not made anew stays.
    fn keeps(&self, name: &[u8]) -> bool {
        if self.is_rewritten(name) || self.dropped.contains(name) {
            return false;
        }
        self.finished.names.contains(name) || !(self.clear || self.is_stale_variant(name))
    }

    /// The manifests are written at the end of every run.
    fn is_rewritten(&self, name: &[u8]) -> bool {
        name == release::FILE_NAME.as_bytes()
            || (name == manifest::FILE_NAME.as_bytes() && self.manifest.is_some())
    }

    /// Whether it is called like a variant that a file of this run does not have, or one of a
    /// file that goes.
    fn is_stale_variant(&self, name: &[u8]) -> bool {
        let stems = Coding::COMPRESSED.iter().filter_map(|coding| {
            name.strip_suffix(coding.extension()?.as_bytes())?
                .strip_suffix(b".")
        });
        let mut stems = stems.filter(|stem| {
            self.finished.record.contains_key(*stem) || self.dropped.contains(*stem)
        });
        stems.next().is_some()
    }
}

fn variants_of(files: &BTreeMap<Vec<u8>, ReleaseFile>) -> impl Iterator<Item = Vec<u8>> {
    files.iter().flat_map(|(name, file)| {
        let extensions = file.variants.keys();
        extensions.map(|extension| variant_name(name, extension))
    })
}

/// Names the settings that decide about variants.
pub(super) fn settings_digest(settings: &str) -> String {
    let digest = Sha256::digest(settings.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
