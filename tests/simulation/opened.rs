//! The files that were opened for the ring engine: how many of them are still open.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::RawFd;

use crate::site::sites;

#[derive(Default)]
pub(crate) struct OpenedFiles {
    /// Numbers that were a file's at some time.
    descriptors: BTreeSet<RawFd>,
    /// How many the engine may keep for later use.
    pub(crate) kept_count_max: usize,
}

impl OpenedFiles {
    pub(crate) fn add(&mut self, descriptor: RawFd) {
        self.descriptors.insert(descriptor);
    }

    /// Invariant: beyond those that are kept, files are open for transfers only.
    pub(crate) fn check(&self, transfer_count: usize) {
        let count = self.open_count();
        assert!(
            count <= self.kept_count_max + transfer_count,
            "{count} files are open for {transfer_count} transfers"
        );
    }

    pub(crate) fn open_count(&self) -> usize {
        let is_open = |descriptor: &&RawFd| {
            let target = fs::read_link(format!("/proc/self/fd/{descriptor}"));
            target.is_ok_and(|target| sites().iter().any(|site| site.holds(&target)))
        };
        self.descriptors.iter().filter(is_open).count()
    }
}
