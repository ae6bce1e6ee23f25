//! The benchmark harness, tested: its own unit tests run here, without measuring anything.
#![allow(dead_code, reason = "nothing is measured here")]
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

#[path = "../benches/serve/mod.rs"]
mod serve;
