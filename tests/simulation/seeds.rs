//! Which seeds are run, and how to run a failed one again.

use std::collections::BTreeSet;
use std::env;
use std::panic::catch_unwind;

/// Runs `simulation` for `count` seeds, or as the environment says: `WHITERING_SEED` for one,
/// `WHITERING_SEEDS` for another number of all. Every status in `expected` must be seen, if
/// there are seeds enough.
pub(crate) fn run(count: u64, simulation: fn(u64) -> Vec<u16>, expected: &[u16]) {
    if let Some(seed) = variable("WHITERING_SEED") {
        simulation(seed);
        return;
    }
    let wanted = variable("WHITERING_SEEDS").map_or(count, |all| all * count / SEED_COUNT);
    let mut seen = BTreeSet::new();
    for seed in 0..wanted {
        let Ok(statuses) = catch_unwind(|| simulation(seed)) else {
            panic!(
                "seed {seed:#x} (repeat with WHITERING_SEED={seed:#x} cargo test --test simulation)"
            )
        };
        seen.extend(statuses);
    }
    let missed = expected.iter().find(|status| !seen.contains(status));
    assert!(wanted < count || missed.is_none(), "never seen: {missed:?}");
}

/// Shows that `simulation` can fail: each of `count` seeds has to.
pub(crate) fn fail(count: u64, simulation: fn(u64) -> Vec<u16>) {
    for seed in 0..count {
        assert!(
            catch_unwind(|| simulation(seed)).is_err(),
            "seed {seed:#x} passed"
        );
    }
}

/// A number, decimal or hexadecimal.
fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {value:?}")))
}

/// All seeds of all simulations.
const SEED_COUNT: u64 = 40_000;
