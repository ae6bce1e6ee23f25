//! The only source of chance: what follows from a seed, always and everywhere. Not for secrets.

use std::ops::Range;

/// SplitMix64: any seed is a good one.
pub(crate) struct Prng(u64);

impl Prng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is not 0.
    pub(crate) const fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub(crate) const fn range(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }

    pub(crate) const fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// How much of `count` goes through at once: all, nearly nothing, or anything between.
    /// 0 only if `count` is.
    pub(crate) fn piece(&mut self, count: usize) -> usize {
        match self.below(4) {
            _ if count == 0 => 0,
            0 => self.range(1..count.min(3) + 1),
            1 => self.range(1..count + 1),
            _ => count,
        }
    }
}
