//! Provided buffers of a simulated ring: each is the kernel's or the engine's, and the kernel
//! writes to its own whenever it likes.

use crate::prng::Prng;

pub(crate) struct Buffers {
    buffers: Vec<Buffer>,
}

struct Buffer {
    owner: Owner,
    bytes: Vec<u8>,
    filled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Kernel,
    /// Filled, in a completion that the engine has not yet seen.
    Completion,
    Engine,
}

impl Buffers {
    pub(crate) fn new(count: usize, bytes: usize) -> Self {
        let buffer = || Buffer {
            owner: Owner::Kernel,
            bytes: vec![POISON; bytes],
            filled: 0,
        };
        Self {
            buffers: (0..count).map(|_| buffer()).collect(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.buffers[0].bytes.len()
    }

    /// A buffer to receive into.
    pub(crate) fn choose(&self, prng: &mut Prng) -> Option<u16> {
        let start = prng.below(self.buffers.len());
        let mut indexes = (start..self.buffers.len()).chain(0..start);
        let index = indexes.find(|index| self.buffers[*index].owner == Owner::Kernel)?;
        u16::try_from(index).ok()
    }

    pub(crate) fn fill(&mut self, id: u16, bytes: &[u8]) {
        let buffer = self.owned_by(id, Owner::Kernel);
        buffer.bytes[..bytes.len()].copy_from_slice(bytes);
        buffer.filled = bytes.len();
        buffer.owner = Owner::Completion;
    }

    pub(crate) fn hand_over(&mut self, id: u16) {
        self.owned_by(id, Owner::Completion).owner = Owner::Engine;
    }

    /// What the engine may see.
    pub(crate) fn filled(&self, id: u16, length: usize) -> &[u8] {
        let buffer = &self.buffers[usize::from(id)];
        assert!(
            buffer.owner == Owner::Engine && length <= buffer.filled,
            "buffer {id} is read"
        );
        &buffer.bytes[..length]
    }

    pub(crate) fn recycle(&mut self, id: u16) {
        let buffer = self.owned_by(id, Owner::Engine);
        buffer.owner = Owner::Kernel;
        buffer.filled = 0;
        buffer.bytes.fill(POISON);
    }

    /// The kernel writes to what is its own.
    pub(crate) fn write_late(&mut self, prng: &mut Prng) {
        let index = prng.below(self.buffers.len());
        let buffer = &mut self.buffers[index];
        if buffer.owner == Owner::Kernel {
            buffer.bytes.fill(prng.next() as u8);
        }
    }

    /// How many the kernel does not have.
    pub(crate) fn missing_count(&self) -> usize {
        self.buffers
            .iter()
            .filter(|buffer| buffer.owner != Owner::Kernel)
            .count()
    }

    fn owned_by(&mut self, id: u16, owner: Owner) -> &mut Buffer {
        let buffer = &mut self.buffers[usize::from(id)];
        assert_eq!(buffer.owner, owner, "buffer {id}");
        buffer
    }
}

/// No request has this byte.
const POISON: u8 = 0xDB;
