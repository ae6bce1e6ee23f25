//! The harness tested with servers whose faults are known: a slower one must be found slower, an
//! equal one equal, and wrong answers must end a row.

use super::bench::Bench;
use super::load::{self, Ask, Plan, Tool, Wire};
use super::results::{Row, Scenario};
use super::scenarios::SCENARIOS;
use super::servers::{CANDIDATES, Candidate, Setting};
use super::statistics::{Measure, Verdict, ratio, verdict};

/// Measures them all at once; returns what was as it has to be.
///
/// # Errors
/// The first thing that was not.
pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<String>, String> {
    let named = |candidate: &&Candidate| NAMES.contains(&candidate.name);
    let candidates: Vec<Candidate> = CANDIDATES.iter().filter(named).copied().collect();
    let scenario = bench
        .scenario(&SCENARIOS[0], &candidates)
        .map_err(|error| error.to_string())?;
    let mut found = judge(&scenario)?;
    for tool in [Tool::Wrk, Tool::Ring] {
        found.push(finds_errors_under_load(bench, tool)?);
    }
    Ok(found)
}

fn judge(scenario: &Scenario) -> Result<Vec<String>, String> {
    let row = |name: &str| -> Result<&Row, String> {
        let mut rows = scenario.rows.iter();
        let row = rows.find(|row| row.server == name);
        row.ok_or_else(|| format!("{name} has no row"))
    };
    let floor = row("floor")?;
    if let Some(failure) = &floor.failure {
        return Err(format!("the floor failed: {failure}"));
    }
    let mut found = vec![is_near(row("twin")?, floor)?];
    for measure in [Measure::CpuMicroseconds, Measure::Rate, Measure::P50] {
        found.push(is_behind(row("slow")?, floor, measure)?);
    }
    for (name, words) in [("corrupt", "wrong bytes"), ("failing", "wrong status")] {
        found.push(has_failed(row(name)?, words)?);
    }
    Ok(found)
}

fn is_behind(row: &Row, base: &Row, measure: Measure) -> Result<String, String> {
    let ratio = ratio(row, base, measure).ok_or_else(|| format!("{} has no rounds", row.server))?;
    let said = format!("{} at {:.2} of {measure:?}", row.server, ratio.median);
    match verdict(ratio, measure) {
        Verdict::Behind => Ok(format!("{said} is behind")),
        other => Err(format!("{said} is called {other:?}, not Behind")),
    }
}

/// Two of the same may be told apart by chance, but not by much.
fn is_near(row: &Row, base: &Row) -> Result<String, String> {
    let ratio = ratio(row, base, Measure::CpuMicroseconds);
    let ratio = ratio.ok_or_else(|| format!("{} has no rounds", row.server))?;
    let said = format!("{} at {:.2} of the same", row.server, ratio.median);
    if NEAR.contains(&ratio.median) {
        Ok(format!("{said} is near"))
    } else {
        Err(format!("{said} is not near"))
    }
}

fn has_failed(row: &Row, words: &str) -> Result<String, String> {
    match &row.failure {
        Some(failure) if failure.contains(words) => Ok(format!("{}: {failure}", row.server)),
        other => Err(format!("{}: {other:?} instead of {words}", row.server)),
    }
}

/// Loads the failing server as if nobody had checked its answers.
fn finds_errors_under_load(bench: &Bench<'_>, tool: Tool) -> Result<String, String> {
    let mut candidates = CANDIDATES.iter();
    let failing = candidates.find(|candidate| candidate.name == "failing");
    let failing = failing.ok_or("there is no failing server")?;
    let site = bench.sites.sizes().map_err(|error| error.to_string())?;
    let setting = Setting {
        root: &site.root,
        workers: 1,
        folder: &bench.folder.join(failing.name),
        canned: Some(TARGET),
        wire: Wire::Plain,
        upstream: None,
        certificate: &bench.certificate,
        before: None,
    };
    let server = failing.start(setting, "0");
    let server = server.map_err(|error| error.to_string())?;
    let outcome = load::carry_out(&plan(server.port), tool, &bench.folder);
    let outcome = outcome.map_err(|error| error.to_string())?;
    let (errors, answers) = (outcome.error_count, outcome.request_count);
    if errors > 0 && answers == 0 {
        return Ok(format!("{} counts {errors} errors", tool.name()));
    }
    Err(format!(
        "{} counts {errors} errors and {answers} answers of a server that fails",
        tool.name()
    ))
}

fn plan(port: u16) -> Plan {
    Plan {
        port,
        wire: Wire::Plain,
        requests: vec![Ask {
            method: "GET".to_owned(),
            target: TARGET.to_owned(),
            fields: Vec::new(),
            status: 200,
        }],
        connections: 4,
        pipeline: 1,
        close: false,
        rate: None,
        idle_connections: 0,
        seconds: 1.0,
        warm_up_seconds: 0.0,
    }
}

const NAMES: [&str; 5] = ["floor", "twin", "slow", "corrupt", "failing"];
const NEAR: std::ops::RangeInclusive<f64> = 0.6..=1.6;
const TARGET: &str = "/1k.bin";
