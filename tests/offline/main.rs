//! Offline commands from outside: the library and the real binary, on real directories.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod collect_cli;
mod compress;
mod disturbed;
mod kill;
mod probe;
mod properties;
mod published;
mod releases;
