//! The benchmark harness: starts servers, checks that they answer the same, loads them in turn,
//! and reports ratios with their spread. It measures; it asserts nothing about speed.
//!
//! One rule: every server of a scenario is measured in one interleaved run.

use std::path::{Path, PathBuf};

pub(crate) mod arguments;
pub(crate) mod bench;
pub(crate) mod certificate;
pub(crate) mod check;
pub(crate) mod command;
pub(crate) mod goals;
pub(crate) mod instructions;
pub(crate) mod load;
pub(crate) mod measure;
pub(crate) mod peers;
pub(crate) mod pure;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod rows;
pub(crate) mod scenarios;
pub(crate) mod self_test;
pub(crate) mod servers;
pub(crate) mod site;
pub(crate) mod statistics;

/// Runs the command line.
pub(crate) fn main() -> std::process::ExitCode {
    command::run()
}

/// The harness's folder in the target directory, wherever that is.
pub(crate) fn folder() -> PathBuf {
    // Cargo gives benches and tests `tmp` there.
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}
