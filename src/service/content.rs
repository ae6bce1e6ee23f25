//! The body of an answer, as a list of what it is made of.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// What a body is made of, in order. Empty for an answer without one.
#[derive(Debug, Default)]
pub struct Content {
    /// What is still to be sent.
    pub parts: VecDeque<Part>,
}

/// One piece of a body.
#[derive(Debug)]
pub enum Part {
    /// Bytes, shared with the snapshot where they are of an asset in memory.
    Bytes(Bytes),
    /// A range of an open file.
    File(FilePart),
}

/// A range of an open file.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file that was hashed, open.
    pub file: Arc<File>,
    /// What is left to be sent, in bytes from its start.
    pub range: Range<u64>,
}

impl Content {
    /// The length in bytes.
    pub fn bytes(&self) -> u64 {
        let bytes = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File(part) => part.range.end - part.range.start,
        };
        self.parts.iter().map(bytes).sum()
    }
}
