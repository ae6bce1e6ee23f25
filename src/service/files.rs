//! Files that answers were opened for, kept open for the next: a bounded number, of one snapshot.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::assets::{FileBody, OpenError, Snapshot};

/// Open files by the asset and variant they hold.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    open: HashMap<(u32, u8), Entry, RandomState>,
    /// Counts uses; the file whose last use is longest ago is closed first.
    use_count: u64,
    /// Whether a file was not what the snapshot says.
    is_stale: bool,
}

#[derive(Debug)]
struct Entry {
    file: Arc<File>,
    last_use: u64,
}

impl OpenFiles {
    /// The file of `body`, which `key` names in `snapshot`, always the same one here.
    ///
    /// # Errors
    /// It cannot be opened, or is another file.
    pub(super) fn open(
        &mut self,
        key: (u32, u8),
        body: &FileBody,
        snapshot: &Snapshot,
    ) -> Result<Arc<File>, OpenError> {
        self.use_count += 1;
        if let Some(entry) = self.open.get_mut(&key) {
            let metadata = entry.file.metadata();
            if metadata.is_ok_and(|metadata| body.is_unchanged(&metadata)) {
                entry.last_use = self.use_count;
                return Ok(Arc::clone(&entry.file));
            }
            self.open.remove(&key);
        }
        let file = snapshot.open(body).inspect_err(|error| match error {
            OpenError::Missing | OpenError::Changed => self.is_stale = true,
            OpenError::Unavailable => {}
        })?;
        let file = Arc::new(file);
        self.make_room();
        let entry = Entry {
            file: Arc::clone(&file),
            last_use: self.use_count,
        };
        self.open.insert(key, entry);
        Ok(file)
    }

    /// Whether a file was not what the snapshot says, since this was last asked.
    pub(super) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.is_stale)
    }

    fn make_room(&mut self) {
        while self.open.len() >= FILE_COUNT_MAX {
            let oldest = self.open.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.open.remove(&key);
        }
    }
}

/// Few, as each lane has its own beside those of its worker.
const FILE_COUNT_MAX: usize = 64;
