//! The files of a row, loaded as the package's server loads them, and its limits.

use std::io;
use std::sync::Arc;

use whitering::Config;
use whitering::SystemLimits;
use whitering::internal::assets;
use whitering::internal::reactor::{Published, Settings};
use whitering::internal::server::{asset_options, settings};

use super::Options;

/// Which bodies are held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    /// Those the server would hold there.
    AsServed,
    /// All.
    InMemory,
}

/// Loads what `options` name.
pub(super) fn load(options: &Options, bodies: Bodies) -> io::Result<Published> {
    let config = Config::for_directory(&options.root);
    let mut loading = asset_options(&config, &SystemLimits::read()?);
    if bodies == Bodies::InMemory {
        loading.memory_budget_bytes = u64::MAX;
        loading.file_memory_bytes_max = u64::MAX;
    }
    let loaded = assets::load(&loading).map_err(io::Error::other)?;
    Ok(Arc::new(loaded.snapshot))
}

/// What the server holds its connections to.
pub(super) fn limits(options: &Options) -> Settings {
    settings(&Config::for_directory(&options.root))
}
