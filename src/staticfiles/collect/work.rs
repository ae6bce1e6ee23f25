//! The work on each file: hashing, rewriting, compressing, and putting it into the release.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::Run;
use super::content::{self, Content, Digests};
use super::memory::Memory;
use super::output::{Name, Put};
use super::resolve::Final;
use super::scan::{Texts, lossy};
use crate::http::Coding;
use crate::manifest::{self, release};
use crate::staticfiles::fingerprint::Fingerprint;
use crate::staticfiles::references::hashed_name;
use crate::staticfiles::{CollectError, Event, Problem};

/// What was done so far.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) modified: AtomicUsize,
    pub(super) unmodified: AtomicUsize,
    pub(super) post_processed: AtomicUsize,
    /// Published names that were put into texts without a look at who publishes them, each with
    /// the file it was put into.
    pub(super) unchecked: Mutex<Vec<(usize, Vec<u8>)>>,
}

/// Why one file could not be published.
pub(super) enum Fault {
    /// Its source is at fault; the others are looked at all the same.
    Source(Problem),
    /// Nothing can be written.
    Run(CollectError),
}

/// A file and what it is rewritten to. Without them both are made again.
struct Pair {
    source: Content,
    text: Content,
}

impl Run<'_> {
    /// Puts all files into the release.
    pub(super) fn work(&self, texts: Texts) -> Result<(), CollectError> {
        let Texts { groups, contents } = texts;
        let contents = Mutex::new(contents);
        let mut opaque: HashSet<usize> = (0..self.files().len()).collect();
        groups
            .iter()
            .flatten()
            .for_each(|index| _ = opaque.remove(index));
        let (later, first): (Vec<_>, _) =
            opaque.into_iter().partition(|index| self.gives_way(*index));
        let memory_for = |index| self.memory_for(index);
        self.each(first, memory_for, |index| {
            self.publish_opaque(index, take(&contents, index))
        })?;
        if !groups.is_empty() {
            self.each(later.clone(), |_| 0, |index| self.name_ahead(index))?;
        }
        self.check()?;
        let pairs = Mutex::new(self.rewrite(&groups, &contents)?);
        let rewritten = groups.into_iter().flatten().collect();
        self.each(
            rewritten,
            |index| self.memory_for_both(index),
            |index| self.publish_rewritten(index, take(&pairs, index)),
        )?;
        // What is called like a variant gives way to it, as it does in WhiteNoise.
        self.each(later, memory_for, |index| {
            self.publish_opaque(index, take(&contents, index))
        })?;
        self.check()
    }

    /// Does `work` for files in parallel, the largest first, so that no long one is left over.
    fn each(
        &self,
        mut indexes: Vec<usize>,
        memory_for: impl Fn(usize) -> u64 + Sync,
        work: impl Fn(usize) -> Result<(), Fault> + Sync,
    ) -> Result<(), CollectError> {
        let bytes = |index: usize| self.files()[index].bytes;
        indexes.sort_by_key(|index| (std::cmp::Reverse(bytes(*index)), *index));
        let memory = Memory::new(WORK_BYTES_MAX);
        indexes
            .into_par_iter()
            .with_max_len(1)
            .try_for_each(
                |index| match memory.hold(memory_for(index), || work(index)) {
                    Err(Fault::Run(error)) => Err(error),
                    Err(Fault::Source(problem)) => {
                        self.add_problem(problem);
                        Ok(())
                    }
                    Ok(()) => Ok(()),
                },
            )
    }

    /// What the work on a file takes that stays as it is: its content, and the compressors' tables.
    fn memory_for(&self, index: usize) -> u64 {
        let found = &self.files()[index];
        let bytes = found.bytes.min(MEMORY_FILE_BYTES_MAX);
        let is_stream = found.bytes > MEMORY_FILE_BYTES_MAX;
        bytes + self.output.table_bytes(&found.name, bytes, is_stream)
    }

    /// As [`Self::memory_for`], for a file that is rewritten: both contents are in memory, however
    /// long they are.
    fn memory_for_both(&self, index: usize) -> u64 {
        let found = &self.files()[index];
        let tables = self.output.table_bytes(&found.name, found.bytes, false);
        found.bytes.saturating_mul(2).saturating_add(tables)
    }

    /// Finds the published name of a file that others refer to before its turn comes.
    fn name_ahead(&self, index: usize) -> Result<(), Fault> {
        let path = &self.files()[index].path;
        let digests = match self.names.digests(index) {
            Some(digests) => *digests,
            None => content::read_through(path, || Ok(io::sink()))?.0,
        };
        self.names.on_read(index, digests);
        let hashed = self.hashed_name(index, &digests);
        self.names.on_published(index, hashed.name);
        Ok(())
    }

    /// Publishes a file whose content stays as it is.
    fn publish_opaque(&self, index: usize, content: Option<Content>) -> Result<(), Fault> {
        let found = &self.files()[index];
        if content.is_none() && found.bytes > MEMORY_FILE_BYTES_MAX {
            return self.publish_large(index);
        }
        let content = content.map_or_else(|| self.read(index), Ok)?;
        let names = self.names_of(index, &content.digests);
        let put = self.output.put(&content, &names)?;
        self.on_put(index, &names, &put);
        Ok(())
    }

    /// As `publish_opaque`, for a file that memory has no room for: it goes through in pieces.
    fn publish_large(&self, index: usize) -> Result<(), Fault> {
        let path = &self.files()[index].path;
        // What may stand in the last release is only looked at first.
        let may_stand = self.options.keep_only_hashed || self.output.may_hold(&self.files()[index]);
        if self.output.is_dry() || may_stand {
            let (digests, ..) = content::read_through(path, || Ok(io::sink()))?;
            self.check_unchanged(index, &digests)?;
            let names = self.names_of(index, &digests);
            let pretend = || self.output.pretend(&digests, &names);
            let held = self.output.put_held(&digests, &names);
            if let Some(put) = held.or_else(|| self.output.is_dry().then(pretend)) {
                self.on_put(index, &names, &put);
                return Ok(());
            }
        }
        let staging = self
            .output
            .staging()?
            .expect("invariant: a dry run has returned");
        let part = self
            .names
            .unused(format!(".whitering-part-{index}").into_bytes());
        let restart = || staging.create(&part);
        let (digests, modified, file) = content::read_through(path, restart)?;
        self.check_unchanged(index, &digests)?;
        staging.finish(&part, file, modified)?;
        let names = self.names_of(index, &digests);
        let put = self.output.put_staged(&part, &digests, modified, &names)?;
        self.on_put(index, &names, &put);
        Ok(())
    }

    /// Rewrites files group by group; returns what there was room for.
    fn rewrite(
        &self,
        groups: &[Vec<usize>],
        contents: &Mutex<HashMap<usize, Content>>,
    ) -> Result<HashMap<usize, Pair>, CollectError> {
        let pairs = Mutex::new(HashMap::new());
        let memory = Memory::new(REWRITTEN_BYTES_MAX);
        for group in groups {
            let memory_for = |index: usize| self.files()[index].bytes.saturating_mul(2);
            self.each(group.clone(), memory_for, |index| {
                let source = take(contents, index).map_or_else(|| self.read(index), Ok)?;
                let pair = self.rewrite_one(index, source);
                let hashed = self.hashed_name(index, &pair.text.digests);
                self.names.on_published(index, hashed.name.clone());
                if memory.take(pair.source.digests.bytes + pair.text.digests.bytes) {
                    pairs
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(index, pair);
                }
                Ok(())
            })?;
            self.check()?;
        }
        Ok(pairs.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn rewrite_one(&self, index: usize, source: Content) -> Pair {
        let text =
            std::str::from_utf8(&source.bytes).expect("invariant: it was when it was scanned");
        let mut targets = Final::new(&self.names);
        let rewritten = self
            .rules
            .rewrite(self.names.name(index), text, &mut targets);
        if self.options.strict {
            // All references led somewhere when they were scanned: to a name with a hash, which is
            // known only now.
            self.add_missing(index, text, &rewritten.missing);
        }
        let bytes = rewritten.text.into_owned().into_bytes();
        let unchecked = targets.unchecked.into_iter().map(|name| (index, name));
        let mut list = self
            .counts
            .unchecked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.extend(unchecked);
        drop(list);
        let text = Content::new(bytes, source.modified);
        Pair { source, text }
    }

    fn publish_rewritten(&self, index: usize, pair: Option<Pair>) -> Result<(), Fault> {
        let pair = match pair {
            Some(pair) => pair,
            None => self.rewrite_one(index, self.read(index)?),
        };
        let hashed = [self.hashed_name(index, &pair.text.digests)];
        let mut put = self.output.put(&pair.source, &self.plain_names(index))?;
        let text = self.output.put(&pair.text, &hashed)?;
        put.modified |= text.modified;
        put.variants.extend(text.variants);
        self.on_put(index, &hashed, &put);
        Ok(())
    }

    /// Reads a file, which has to be what it was if it was read before.
    fn read(&self, index: usize) -> Result<Content, Fault> {
        let path = &self.files()[index].path;
        let content = Content::read(path)?;
        self.check_unchanged(index, &content.digests)?;
        Ok(content)
    }

    /// A file that is read a second time has to be what it was at first.
    fn check_unchanged(&self, index: usize, digests: &Digests) -> Result<(), Fault> {
        let before = self.names.digests(index);
        if before.is_some_and(|before| before != digests) {
            let path = self.files()[index].path.clone();
            return Err(Fault::Source(Problem::Changing { path }));
        }
        Ok(())
    }

    /// The names of a file whose content stays as it is.
    fn names_of(&self, index: usize, digests: &Digests) -> Vec<Name> {
        self.names.on_read(index, *digests);
        let mut names = self.plain_names(index);
        if self.hashes() {
            let hashed = self.hashed_name(index, digests);
            let published = hashed.name.clone();
            // Where a source has a file of that name already, it is left as it is.
            if !self.names.has(&published) {
                names.push(hashed);
            }
            self.names.on_published(index, published);
        }
        names
    }

    /// The unhashed name, if there is to be one. The manifests are ours to write, whatever a
    /// source has under their names.
    fn plain_names(&self, index: usize) -> Vec<Name> {
        let found = &self.files()[index];
        let is_manifest = found.name == release::FILE_NAME.as_bytes()
            || (self.hashes() && found.name == manifest::FILE_NAME.as_bytes());
        let is_dropped = self.hashes() && self.options.keep_only_hashed;
        // Unless it is what another file's hashed name leads to.
        if is_manifest || (is_dropped && !self.is_published_name(&found.name)) {
            return Vec::new();
        }
        vec![Name {
            name: found.name.clone(),
            immutable: false,
            link: self.options.link.then(|| found.path.clone()),
        }]
    }

    fn hashed_name(&self, index: usize, digests: &Digests) -> Name {
        let name = hashed_name(&self.files()[index].name, &digests.fingerprint);
        Name {
            name: name.expect("invariant: the name was tried before"),
            immutable: true,
            link: None,
        }
    }

    /// Whether it is called like a variant or a hashed file that this run may write.
    fn gives_way(&self, index: usize) -> bool {
        let name = &self.files()[index].name;
        if unhashed(name).is_some_and(|plain| self.names.has(&plain)) {
            return true;
        }
        let extensions = Coding::COMPRESSED
            .iter()
            .filter_map(|coding| coding.extension());
        let mut stems = extensions
            .filter_map(|extension| name.strip_suffix(extension.as_bytes())?.strip_suffix(b"."));
        stems.any(|stem| self.names.has(stem))
    }

    /// Whether another file has been published under `name`.
    fn is_published_name(&self, name: &[u8]) -> bool {
        let index = unhashed(name).and_then(|plain| self.names.index(&plain));
        index.is_some_and(|index| self.names.published(index) == Some(name))
    }

    fn on_put(&self, index: usize, names: &[Name], put: &Put) {
        let found = &self.files()[index];
        let count = if put.modified {
            &self.counts.modified
        } else {
            &self.counts.unmodified
        };
        count.fetch_add(1, Ordering::Relaxed);
        let hashed = names
            .iter()
            .filter(|name| name.immutable)
            .map(|name| &name.name);
        if put.modified {
            for published in hashed.chain(&put.variants) {
                self.counts.post_processed.fetch_add(1, Ordering::Relaxed);
                let name = &found.name;
                self.observer
                    .on_event(Event::PostProcessed { name, published });
            }
        }
        self.observer.on_event(Event::Done {
            name: &found.name,
            bytes: found.bytes,
            modified: put.modified,
        });
    }

    /// Tells of references that lead to names nobody publishes.
    pub(super) fn warn_of_dangling(&self, is_published: impl Fn(&[u8]) -> bool) {
        let mut list = self
            .counts
            .unchecked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.sort();
        list.dedup();
        for (index, name) in list.drain(..).filter(|(_, name)| !is_published(name)) {
            self.warn(Problem::Dangling {
                file: lossy(self.names.name(index)),
                target: lossy(&name),
            });
        }
    }
}

/// The name without what looks like a hash in it.
fn unhashed(name: &[u8]) -> Option<Vec<u8>> {
    let start = name
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    let mut parts: Vec<&[u8]> = name[start..].split(|byte| *byte == b'.').collect();
    let is_hash = |part: &&[u8]| Fingerprint::parse(part).is_some();
    let at = parts
        .iter()
        .rposition(is_hash)
        .filter(|at| *at > 0 && *at + 2 >= parts.len())?;
    parts.remove(at);
    Some([&name[..start], &parts.join(&b"."[..])].concat())
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Source(problem)
    }
}

impl From<CollectError> for Fault {
    fn from(error: CollectError) -> Self {
        Self::Run(error)
    }
}

fn take<T>(map: &Mutex<HashMap<usize, T>>, index: usize) -> Option<T> {
    map.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&index)
}

/// Larger files go through in pieces.
const MEMORY_FILE_BYTES_MAX: u64 = 16 << 20;

/// For the work on all files at once: by the usual settings two of any length have room.
pub(super) const WORK_BYTES_MAX: u64 = 160 << 20;

/// For rewritten files that wait to be published; those beyond are rewritten again.
const REWRITTEN_BYTES_MAX: u64 = 16 << 20;
