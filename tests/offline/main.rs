//! Offline commands from outside: the library and the real binary, on real directories.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod properties;
mod releases;
