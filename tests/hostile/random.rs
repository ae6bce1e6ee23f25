//! Where cases come from: a small generator, and the loop that runs one case for each seed.

use std::env;
use std::sync::OnceLock;

use regex::bytes::Regex;

/// SplitMix64: every seed gives another sequence, and the same one on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % bound as u64).unwrap()
    }

    /// True once in `count` times.
    pub(crate) fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// Runs `case` with `count` seeds, or as many as the environment says, or with its one seed.
/// Returns how many cases returned true, of how many, so that a target can tell that it reaches
/// what it is there for; none where a single seed is repeated.
pub(crate) fn run(count: u64, mut case: impl FnMut(&mut Random) -> bool) -> Option<(u64, u64)> {
    if let Ok(text) = env::var("WHITERING_SEED") {
        let digits = text.trim_start_matches("0x");
        let seed = u64::from_str_radix(digits, 16).expect("WHITERING_SEED is hexadecimal");
        case(&mut Random::new(seed));
        return None;
    }
    let count = match env::var("WHITERING_FUZZ_CASES") {
        Ok(text) => text.parse().expect("WHITERING_FUZZ_CASES is a number"),
        Err(_) => count,
    };
    let mut seeds = Random::new(BASE_SEED);
    let mut hit_count = 0;
    for _ in 0..count {
        let failing = Repeat(seeds.number());
        hit_count += u64::from(case(&mut Random::new(failing.0)));
    }
    Some((hit_count, count))
}

/// Fails if fewer than one case in `rarity` was what the target is about.
#[track_caller]
pub(crate) fn assert_reached(outcome: Option<(u64, u64)>, rarity: u64) {
    if let Some((hit_count, count)) = outcome {
        assert!(
            hit_count * rarity >= count,
            "only {hit_count} of {count} cases say anything"
        );
    }
}

/// A pattern that is compiled once.
pub(crate) fn pattern(cell: &'static OnceLock<Regex>, text: &str) -> &'static Regex {
    cell.get_or_init(|| Regex::new(&format!("(?-u){text}")).unwrap())
}

/// Says how to repeat the case that panics while this is alive.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {0:#x} (repeat with WHITERING_SEED={0:#x} cargo test --test hostile NAME)",
                self.0
            );
        }
    }
}

const BASE_SEED: u64 = 0x7768_6974_6572_696E;
