//! Open files of bodies that are not in memory: a bounded cache for each worker.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use foldhash::fast::RandomState;

use crate::connection::{Held, OpenError, Source};

/// Open files by the variant they hold, for one snapshot.
#[derive(Debug)]
pub(super) struct Files {
    open: HashMap<(u32, u8), Entry, RandomState>,
    count_max: usize,
    /// Counts uses; the file whose last use is longest ago is closed first.
    use_count: u64,
}

#[derive(Debug)]
struct Entry {
    file: OpenFile,
    last_use: u64,
}

/// The file that was hashed, open; its name may mean another one by now.
#[derive(Debug, Clone)]
pub(super) struct OpenFile(Rc<File>);

impl Files {
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            open: HashMap::default(),
            count_max: count_max.max(1),
            use_count: 0,
        }
    }

    /// The file of `source`, if it is open and unchanged. `held` is the worker's snapshot: only
    /// its files are kept.
    pub(super) fn find(&mut self, source: &Source, held: &Held) -> Option<OpenFile> {
        if !Rc::ptr_eq(source.held(), held) {
            return None;
        }
        self.use_count += 1;
        let entry = self.open.get_mut(&source.key())?;
        if entry.file.is_unchanged(source) {
            entry.last_use = self.use_count;
            return Some(entry.file.clone());
        }
        self.open.remove(&source.key());
        None
    }

    /// Checks that `descriptor` is the file of `source`, and keeps it.
    pub(super) fn admit(
        &mut self,
        descriptor: OwnedFd,
        source: &Source,
        held: &Held,
    ) -> Result<OpenFile, OpenError> {
        let file = OpenFile(Rc::new(File::from(descriptor)));
        let is_same = source
            .file()
            .zip(file.metadata())
            .is_some_and(|(body, metadata)| metadata.is_file() && body.is(&metadata));
        if !is_same {
            return Err(OpenError::Changed);
        }
        if Rc::ptr_eq(source.held(), held) {
            self.make_room();
            // No two uses are alike: which file is closed follows from their order alone.
            self.use_count += 1;
            let entry = Entry {
                file: file.clone(),
                last_use: self.use_count,
            };
            self.open.insert(source.key(), entry);
        }
        Ok(file)
    }

    /// Closes everything that no transfer uses.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    fn make_room(&mut self) {
        while self.open.len() >= self.count_max {
            let oldest = self.open.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.open.remove(&key);
        }
    }
}

impl OpenFile {
    /// Whether the file still holds what was announced: same length, not written to.
    pub(super) fn is_unchanged(&self, source: &Source) -> bool {
        source
            .file()
            .zip(self.metadata())
            .is_some_and(|(body, metadata)| body.is_unchanged(&metadata))
    }

    pub(super) fn shared(&self) -> Rc<File> {
        Rc::clone(&self.0)
    }

    fn metadata(&self) -> Option<std::fs::Metadata> {
        self.0.metadata().ok()
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
