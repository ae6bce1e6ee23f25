//! Style sheets and scripts are read first: what they refer to decides whether anything can be
//! published, and in what order files are rewritten.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::Run;
use super::content::Content;
use super::memory::Memory;
use super::resolve::{self, Scan};
use super::work::WORK_BYTES_MAX;
use crate::staticfiles::Problem;
use crate::staticfiles::fingerprint::Fingerprint;
use crate::staticfiles::references::{MissingReference, hashed_name, line_and_column};
use crate::staticfiles::suggest::Suggestions;

/// The files that refer to others, and contents that were read for it.
#[derive(Default)]
pub(super) struct Texts {
    /// The files to rewrite, in groups that refer only to earlier ones.
    pub(super) groups: Vec<Vec<usize>>,
    /// Contents that found room in memory.
    pub(super) contents: HashMap<usize, Content>,
}

/// What one file turned out to be.
struct Scanned {
    index: usize,
    content: Option<Content>,
    /// The files whose names it needs; none if there is nothing to rewrite.
    needs: Option<BTreeSet<usize>>,
}

impl Run<'_> {
    /// Reads all files that may be rewritten and notes what is wrong with them.
    pub(super) fn scan(&self) -> Texts {
        if !self.hashes() {
            return Texts::default();
        }
        self.try_names();
        let room = AtomicU64::new(TEXT_MEMORY_BYTES_MAX);
        let suggestions = OnceLock::new();
        let files = self.files().par_iter().enumerate();
        let memory = Memory::new(WORK_BYTES_MAX - TEXT_MEMORY_BYTES_MAX);
        let scanned: Vec<Scanned> = files
            .filter(|(_, found)| self.rules.is_adjustable(&found.name))
            .filter_map(|(index, found)| {
                // The text, and what it is rewritten to.
                let bytes = found.bytes.saturating_mul(2);
                memory.hold(bytes, || self.scan_one(index, &room, &suggestions))
            })
            .collect();
        let mut texts = Texts::default();
        let mut needs = HashMap::new();
        for one in scanned {
            texts
                .contents
                .extend(one.content.map(|content| (one.index, content)));
            needs.extend(
                one.needs
                    .map(|needs| (one.index, needs.into_iter().collect())),
            );
        }
        match resolve::order(&needs) {
            Ok(groups) => texts.groups = groups,
            Err(circles) => circles
                .into_iter()
                .for_each(|circle| self.add_circle(&circle)),
        }
        texts
    }

    /// Some names cannot take a hash: Django reads them as URLs, and has slashes for backslashes in
    /// manifests, but not in the files they name.
    fn try_names(&self) {
        for found in self.files() {
            let hashed = hashed_name(&found.name, &Fingerprint::UNKNOWN);
            if hashed.is_none() || found.name.contains(&b'\\') {
                let file = lossy(&found.name);
                self.add_problem(Problem::Name { file });
            }
        }
    }

    fn scan_one<'s>(
        &'s self,
        index: usize,
        room: &AtomicU64,
        suggestions: &OnceLock<Suggestions<'s>>,
    ) -> Option<Scanned> {
        let found = &self.files()[index];
        let content = Content::read(&found.path)
            .map_err(|problem| self.add_problem(problem))
            .ok()?;
        self.names.on_read(index, content.digests);
        let needs = match std::str::from_utf8(&content.bytes) {
            Ok(text) => self.needs(index, text, suggestions),
            Err(error) => {
                self.note(Problem::NotUtf8 {
                    file: lossy(self.names.name(index)),
                    offset: error.valid_up_to(),
                });
                None
            }
        };
        let bytes = content.digests.bytes;
        let take = |left: u64| left.checked_sub(bytes);
        let fits = room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok();
        Some(Scanned {
            index,
            content: fits.then_some(content),
            needs,
        })
    }

    /// The files that `text` needs the names of; none if rewriting leaves it as it is.
    fn needs<'s>(
        &'s self,
        index: usize,
        text: &str,
        suggestions: &OnceLock<Suggestions<'s>>,
    ) -> Option<BTreeSet<usize>> {
        let mut scan = Scan::new(&self.names);
        let rewritten = self.rules.rewrite(self.names.name(index), text, &mut scan);
        for missing in &rewritten.missing {
            let names = || self.names.all().iter().map(Vec::as_slice);
            let suggestions = suggestions.get_or_init(|| Suggestions::of(names()));
            self.note(self.missing(index, text, missing, suggestions));
        }
        let changes = scan.refers || !scan.needs.is_empty() || rewritten.text != text;
        changes.then_some(scan.needs)
    }

    fn missing(
        &self,
        index: usize,
        text: &str,
        missing: &MissingReference,
        suggestions: &Suggestions<'_>,
    ) -> Problem {
        let (line, column) = line_and_column(text, missing.offset);
        Problem::Missing {
            file: lossy(self.names.name(index)),
            line,
            column,
            reference: missing.matched.clone(),
            target: lossy(&missing.target),
            suggestion: suggestions
                .nearest(&missing.target)
                .map(|near| lossy(&near)),
        }
    }

    /// Notes references that lead to nothing, in a file that was scanned before.
    pub(super) fn add_missing(&self, index: usize, text: &str, all: &[MissingReference]) {
        let nothing = Suggestions::of(std::iter::empty());
        for missing in all {
            self.add_problem(self.missing(index, text, missing, &nothing));
        }
    }

    /// A fault of the sources, or with `--no-strict` only a warning.
    fn note(&self, problem: Problem) {
        if self.options.strict {
            self.add_problem(problem);
        } else {
            self.warn(problem);
        }
    }

    fn add_circle(&self, circle: &[usize]) {
        let name = |index: &usize| lossy(self.names.name(*index));
        self.add_problem(Problem::Cycle {
            files: circle.iter().map(name).collect(),
        });
    }
}

pub(super) fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Texts beyond this are read again when their turn comes.
const TEXT_MEMORY_BYTES_MAX: u64 = 16 << 20;
