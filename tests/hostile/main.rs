//! Hostile input for the pure parts: mutated requests against slow models of the same rules.
//!
//! Every case follows from a seed. `WHITERING_FUZZ_CASES=N` runs N cases of each target instead
//! of the usual few thousand; a failure prints the `WHITERING_SEED` that repeats it.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
#![allow(clippy::print_stderr, reason = "a failing case says how to repeat it")]

mod body;
mod conditional;
mod connection;
mod encoding;
mod head;
mod head_model;
mod manifest;
mod mutation;
mod path;
mod random;
mod range;
mod responses;
