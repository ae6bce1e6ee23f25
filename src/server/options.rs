//! From the operator's configuration and the system's limits to what each part is told.

use std::io;

use super::StartError;
use crate::assets;
use crate::config::{self, Config};
use crate::reactor::{self, SLOT_COUNT_MAX, Settings};
use crate::sys::limits::{self, SystemLimits};

const _: () = assert!(SLOT_COUNT_MAX == config::CONNECTION_COUNT_MAX);

/// What assets are loaded with.
pub fn assets(config: &Config, limits: &SystemLimits) -> assets::Options {
    let responses = &config.responses;
    assets::Options {
        sources: config
            .sources
            .iter()
            .map(|source| assets::SourceDirectory {
                prefix: source.prefix.clone(),
                directory: source.directory.clone(),
            })
            .collect(),
        packed: Vec::new(),
        memory_budget_bytes: config.memory_budget_bytes.unwrap_or_else(|| {
            let available = limits
                .usable_memory_bytes()
                .unwrap_or(MEMORY_BUDGET_BYTES_MAX);
            (available / 4).min(MEMORY_BUDGET_BYTES_MAX)
        }),
        file_memory_bytes_max: FILE_MEMORY_BYTES_MAX,
        max_age_seconds: responses.max_age_seconds,
        cors: responses.cors,
        media_types: assets::MediaTypes::new(&responses.charset, &responses.mime),
        header_rules: responses
            .header_rules
            .iter()
            .map(|rule| assets::HeaderRule {
                glob: rule.glob.clone(),
                name: rule.name.clone(),
                value: rule.value.clone(),
            })
            .collect(),
        index_file: responses.index_file.clone(),
        immutable: responses.immutable.clone(),
        not_found: responses.not_found.as_ref().map(|file| match file {
            config::NotFoundFile::Page(name) => assets::NotFoundFile::Page(name.clone()),
            config::NotFoundFile::Spa(name) => assets::NotFoundFile::Spa(name.clone()),
        }),
    }
}

/// What workers are started with, given how many there are.
pub(super) fn reactor(
    config: &Config,
    worker_count: usize,
    has_lanes: bool,
) -> Result<reactor::Options, StartError> {
    let descriptors = limits::raise_descriptors().map_err(StartError::Limits)?;
    let total = descriptors.soft.unwrap_or(u64::MAX);
    let workers = worker_count as u64;
    let share = total.saturating_sub(DESCRIPTORS_OF_PROCESS) / workers;
    let share = share.saturating_sub(DESCRIPTORS_OF_WORKER);
    // A connection that was handed over has another one upstream, or a file open.
    let share = if has_lanes { share / 2 } else { share };
    let files = (share / 8).clamp(1, FILE_COUNT_MAX);
    let possible = share.saturating_sub(files);
    if possible < CONNECTION_COUNT_MIN {
        let each = (CONNECTION_COUNT_MIN + 2) * if has_lanes { 2 } else { 1 };
        let needed = (each + DESCRIPTORS_OF_WORKER) * workers + DESCRIPTORS_OF_PROCESS;
        return Err(StartError::TooFewDescriptors {
            limit: total,
            needed,
        });
    }
    let connections = possible.min(u64::from(config.limits.connection_count_max));
    Ok(reactor::Options {
        settings: settings(config),
        connection_count_max: u32::try_from(connections).unwrap_or(SLOT_COUNT_MAX),
        file_count_max: usize::try_from(files).unwrap_or(1),
        cpu: None,
    })
}

/// What connections are held to.
pub fn settings(config: &Config) -> Settings {
    let limits = &config.limits;
    Settings {
        head_bytes_max: limits.head_bytes_max,
        target_bytes_max: limits.target_bytes_max,
        body_bytes_max: limits.body_bytes_max,
        head_timeout: limits.head_timeout,
        body_timeout: limits.body_timeout,
        idle_timeout: limits.idle_timeout,
        write_timeout: limits.write_timeout,
        cors: config.responses.cors,
        hands_over: config.has_fallback(),
        over_tls: false,
        prior_knowledge: config.http2.prior_knowledge,
    }
}

/// The CPU of each worker: those the process may use, in turn.
pub(super) fn cpus(config: &Config, limits: &SystemLimits) -> Vec<Option<usize>> {
    let count = config
        .worker_count
        .map_or_else(|| limits.usable_cpu_count(), usize::from);
    let cpus = &limits.cpus;
    // A worker that shares its CPU with another is better left to the scheduler.
    let pin = config.pin && count <= cpus.len();
    (0..count)
        .map(|index| if pin { cpus.get(index).copied() } else { None })
        .collect()
}

/// The limits of the system.
pub(super) fn system_limits() -> Result<SystemLimits, StartError> {
    SystemLimits::read().map_err(|error: io::Error| StartError::Limits(error))
}

/// A quarter of the memory is used for bodies, but no more than this.
const MEMORY_BUDGET_BYTES_MAX: u64 = 1 << 30;

/// Larger bodies go from the page cache to the socket without passing through here.
const FILE_MEMORY_BYTES_MAX: u64 = 256 << 10;

/// Standard streams, roots, a file being loaded for each thread, and some room.
const DESCRIPTORS_OF_PROCESS: u64 = 24;

/// A ring or poller, an event, listeners, files being opened.
const DESCRIPTORS_OF_WORKER: u64 = 8;

const FILE_COUNT_MAX: u64 = 1_024;

const CONNECTION_COUNT_MIN: u64 = 8;
