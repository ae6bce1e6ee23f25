//! One turn of one server: the load, and what the server used meanwhile.

pub(crate) mod cpu;
pub(crate) mod memory;

use std::path::Path;

use super::load::{self, Outcome, Plan, Tool};
use super::results::Round;
use super::servers::Running;

/// Loads `server` as `plan` says. An error is the row's, in words.
pub(crate) fn round(
    server: &Running,
    plan: &Plan,
    tool: Tool,
    folder: &Path,
) -> Result<Round, String> {
    let before = cpu::Reading::of(&server.process.tree());
    let load_before = cpu::ended_children_seconds();
    let outcome = load::carry_out(plan, tool, folder).map_err(|error| error.to_string())?;
    let load_cpu_seconds = cpu::ended_children_seconds() - load_before;
    let tree = server.process.tree();
    let server_cpu_seconds = cpu::Reading::of(&tree).seconds_since(&before);
    refuse_errors(&outcome)?;
    if server_cpu_seconds < outcome.seconds * BUSY_MIN && plan.rate.is_none() {
        return Err(format!(
            "{server_cpu_seconds:.3} s of CPU time for {} requests: not the process that serves",
            outcome.request_count
        ));
    }
    Ok(Round {
        request_count: outcome.request_count,
        seconds: outcome.seconds,
        server_cpu_seconds,
        load_cpu_seconds,
        received_bytes: outcome.received_bytes,
        latency: outcome.latency,
        memory_bytes: memory::proportional_bytes(&tree),
        extra: Vec::new(),
    })
}

/// A turn with one wrong answer says nothing about speed.
fn refuse_errors(outcome: &Outcome) -> Result<(), String> {
    if outcome.error_count > 0 {
        let first = outcome.first_error.as_deref().unwrap_or("unknown");
        return Err(format!(
            "{} errors under load, the first: {first}",
            outcome.error_count
        ));
    }
    if outcome.request_count == 0 {
        return Err("no request was answered".to_owned());
    }
    Ok(())
}

/// Below this share of a CPU, what was watched did not answer the requests.
const BUSY_MIN: f64 = 0.01;
