//! A turn that is a start: how long until the first answer, and what the server then holds in
//! memory. Servers that index files pay here; those that do not pay later.

use std::fs;
use std::path::Path;

use super::super::check;
use super::super::measure::{cpu, memory};
use super::super::results::{Round, ServerKind};
use super::super::scenarios::{Definition, MANY_FILE_COUNT, Prepared};
use super::Bench;
use super::lane::Lane;

pub(super) fn turn(
    bench: &Bench<'_>,
    definition: &Definition,
    prepared: &Prepared,
    lane: &mut Lane,
) -> Result<Round, String> {
    lane.restart(bench, definition, prepared)?;
    let server = lane.running.as_ref().ok_or("it does not run")?;
    let ask = prepared.asks.first().ok_or("there is nothing to ask")?;
    let answer = check::ask(server.port, ask, false).map_err(|error| error.to_string())?;
    let seconds = server.started.elapsed().as_secs_f64();
    if let Some(right) = check::expected_from(&prepared.root, ask)
        && let Some(difference) = answer.difference(ask, &right)
    {
        return Err(difference);
    }
    let tree = server.process.tree();
    let used = cpu::Reading::of(&tree).seconds_since(&cpu::Reading::default());
    let memory_bytes = memory::proportional_bytes(&tree);
    let mut extra = vec![("start_seconds".to_owned(), seconds)];
    // Only this package is known to hold all of these files in memory.
    if lane.candidate.kind() == ServerKind::Engine {
        let bodies = bytes_below(&prepared.root)?;
        let beside = memory_bytes.saturating_sub(bodies + memory_without(bench, definition, lane)?);
        let each = beside as f64 / MANY_FILE_COUNT as f64;
        extra.push(("index_bytes_per_file".to_owned(), each));
    }
    lane.running = None;
    Ok(Round {
        request_count: 1,
        seconds,
        server_cpu_seconds: used,
        load_cpu_seconds: 0.0,
        received_bytes: answer.bytes() as u64,
        latency: None,
        memory_bytes,
        extra,
    })
}

/// The memory of the same server with a handful of files.
fn memory_without(
    bench: &Bench<'_>,
    definition: &Definition,
    lane: &mut Lane,
) -> Result<u64, String> {
    let site = bench.sites.sizes().map_err(|error| error.to_string())?;
    let few = Prepared::new(site.root, Vec::new());
    lane.restart(bench, definition, &few)?;
    let server = lane.running.as_ref().ok_or("it does not run")?;
    Ok(memory::proportional_bytes(&server.process.tree()))
}

/// The bodies of all files.
fn bytes_below(root: &Path) -> Result<u64, String> {
    let (mut sum, mut open) = (0, vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| error.to_string())?;
        for entry in entries.flatten() {
            let metadata = entry.metadata().map_err(|error| error.to_string())?;
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                sum += metadata.len();
            }
        }
    }
    Ok(sum)
}
