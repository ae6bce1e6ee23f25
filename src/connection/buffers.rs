//! Send buffers that wait for their next use, so that sending allocates nothing.

/// A stack of empty buffers; the last one used is the first to be used again, and still cached.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: Vec<Vec<u8>>,
    /// Buffers taken and not given back.
    lent_count: usize,
}

impl BufferPool {
    /// A pool without buffers.
    pub const fn new() -> Self {
        Self {
            free: Vec::new(),
            lent_count: 0,
        }
    }

    /// An empty buffer of at least [`SEND_BUFFER_BYTES`].
    pub fn take(&mut self) -> Vec<u8> {
        self.lent_count += 1;
        self.free
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(SEND_BUFFER_BYTES))
    }

    /// How many buffers were taken and not given back.
    pub const fn lent_count(&self) -> usize {
        self.lent_count
    }

    /// Keeps `buffer` for the next use, unless it has grown or enough are waiting.
    ///
    /// A buffer without memory was never taken: it stands where one was moved from.
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 {
            self.lent_count = self.lent_count.saturating_sub(1);
        }
        if buffer.capacity() == SEND_BUFFER_BYTES && self.free.len() < FREE_COUNT_MAX {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}

/// Room for heads and small bodies of the answers to one read.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Buffers kept while nobody uses them.
const FREE_COUNT_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_same_buffer_again_but_none_that_has_grown() {
        let mut pool = BufferPool::new();
        let mut buffer = pool.take();
        buffer.push(1);
        let address = buffer.as_ptr();
        pool.give(buffer);
        let mut again = pool.take();
        assert!(again.as_ptr() == address && again.is_empty());
        again.resize(SEND_BUFFER_BYTES + 1, 0);
        pool.give(again);
        assert!(pool.free.is_empty());
        pool.give(Vec::new());
        assert!(pool.free.is_empty() && pool.lent_count() == 0);
    }
}
