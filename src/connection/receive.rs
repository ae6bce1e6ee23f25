//! Request bytes that were received and not yet answered. Holds them; does not look at them.

use super::BufferPool;

/// Bytes left over between reads. An idle connection has none, and owns no memory here.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    bytes: Vec<u8>,
    /// Everything before has been answered. Invariant: `start <= bytes.len()`.
    start: usize,
    /// How many bytes behind `start` were searched for the end of a head.
    scanned: usize,
}

impl ReceiveBuffer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was not answered.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Keeps `received` behind what is there.
    pub(super) fn push(&mut self, received: &[u8], pool: &mut BufferPool) {
        if self.bytes.capacity() == 0 {
            self.bytes = pool.take();
        } else if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start > 0 && self.bytes.len() + received.len() > self.bytes.capacity() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(received);
    }

    /// Lends all bytes out; [`Self::put_back`] ends that.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize, usize) {
        (std::mem::take(&mut self.bytes), self.start, self.scanned)
    }

    /// Takes back what [`Self::take`] lent, all before `start` answered.
    pub(super) fn put_back(
        &mut self,
        bytes: Vec<u8>,
        start: usize,
        scanned: usize,
        pool: &mut BufferPool,
    ) {
        assert!(self.bytes.capacity() == 0 && start <= bytes.len());
        if start == bytes.len() {
            pool.give(bytes);
            *self = Self::default();
        } else {
            *self = Self {
                bytes,
                start,
                scanned,
            };
        }
    }

    /// Takes all bytes, without the room around them.
    pub(super) fn take_copy(&mut self) -> Vec<u8> {
        let copy = self.bytes().to_vec();
        self.start = self.bytes.len();
        copy
    }

    /// Forgets the first `count` bytes, which have been answered.
    pub(super) fn drop_front(&mut self, count: usize, pool: &mut BufferPool) {
        self.start += count;
        self.scanned = 0;
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Notes that `scanned` of the bytes were searched.
    pub(super) fn set_scanned(&mut self, scanned: usize) {
        self.scanned = scanned;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, pool: &mut BufferPool) {
        pool.give(std::mem::take(&mut self.bytes));
        *self = Self::default();
    }
}
