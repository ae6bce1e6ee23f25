//! Numbers that look random and repeat from their seed: SplitMix64 (Steele, Lea, Flood 2014).
//! Not for secrets.

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Seeded {
    state: u64,
}

impl Seeded {
    /// The sequence of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The high half of the product: without a division, and even enough for any `end` here.
        let product = u128::from(self.next()) * end as u128;
        usize::try_from(product >> 64).expect("invariant: the product's high half is below `end`")
    }

    /// A number from 0 to just below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        (self.next() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
    }

    /// Any order is as likely as any other.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// ASCII without a pattern: every byte has six bits of the sequence.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        const PER_NUMBER: usize = (u64::BITS / BITS_PER_BYTE) as usize;
        for chunk in bytes.chunks_mut(PER_NUMBER) {
            let mut number = self.next();
            for byte in chunk {
                *byte = ALPHABET[(number % ALPHABET.len() as u64) as usize];
                number >>= BITS_PER_BYTE;
            }
        }
    }
}

const BITS_PER_BYTE: u32 = 6;
const ALPHABET: &[u8; 1 << BITS_PER_BYTE] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_splitmix64() {
        // The reference values of the published generator for this seed.
        let mut seeded = Seeded::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([(); 3].map(|()| seeded.next()), expected);
    }

    #[test]
    fn stays_in_range_and_reaches_all_of_it() {
        let mut seeded = Seeded::new(1);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[seeded.below(7)] += 1;
            assert!((0.0..1.0).contains(&seeded.fraction()));
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
    }

    #[test]
    fn shuffles_without_loss() {
        let mut items: Vec<u32> = (0..100).collect();
        Seeded::new(2).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn fills_with_ascii_that_repeats_from_the_seed() {
        let fill = |seed| {
            let mut bytes = [0; 1003];
            Seeded::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(fill(3), fill(3));
        assert_ne!(fill(3), fill(4));
        assert!(fill(3).iter().all(|byte| ALPHABET.contains(byte)));
    }
}
