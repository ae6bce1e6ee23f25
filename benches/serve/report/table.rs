//! A run as text for a terminal of 120 columns; also kept as `summary.txt`.

use super::super::goals::{self, Judgement, Reached};
use super::super::results::{Run, Scenario};
use super::super::statistics::{Estimate, Verdict};
use super::figures::{self, Board, Figures, Line, Measured, Standing};
use super::number;
use super::standings::{self, Standings};

/// Everything a run says: each scenario, then where the engine stands, then the goals.
pub(crate) fn table(run: &Run) -> String {
    let figures = Figures::new(run);
    let mut text = heading(run);
    for board in &figures.scenarios {
        text += &scenario(board, figures.base);
    }
    text += &standing(run);
    text += &goals(run);
    text += &notes(run);
    text
}

fn heading(run: &Run) -> String {
    let machine = &run.machine;
    format!(
        "whitering {} · {} · {}, {} CPUs · {}\n{}\n",
        run.revision, run.started, machine.cpu, machine.cpu_count, machine.kernel, run.command
    )
}

fn scenario(board: &Board<'_>, base: &str) -> String {
    let names = board.shown().map(|line| line.server.name.chars().count());
    let width = names.max().unwrap_or(0).max("server".len());
    let Scenario { name, title, .. } = board.scenario;
    let mut text = format!("\n{name}: {title} ({})\n", conditions(board));
    if board.has_requests() {
        text += &headings(width, base);
    }
    for line in board.shown() {
        if board.has_requests() || line.measured().is_none() {
            text += &server(line, width, base);
        }
    }
    text + &extras(board, width)
}

/// Load, connections, workers and rounds in words.
pub(crate) fn conditions(board: &Board<'_>) -> String {
    let scenario = board.scenario;
    let rounds = board.measured().map(|(_, measured)| measured.round_count);
    let mut parts = vec![
        format!("load {}", scenario.load),
        counted(scenario.connections as usize, "connection"),
        counted(scenario.workers as usize, "worker"),
        counted(rounds.max().unwrap_or(0), "round"),
    ];
    if let Some(rate) = scenario.rate {
        parts.push(format!("{} requests/s asked for", number::figure(rate)));
    }
    parts.join(", ")
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number::plain(count as f64))
}

fn headings(width: usize, base: &str) -> String {
    let ratio = format!("CPU to {base}");
    format!(
        "{:<width$} {:>13} {:>11} {:>6} {:>6} {:>6} {:>6} {:>5} {ratio:<17} verdict\n",
        "server", "requests/s", "CPU µs/req", "p50 ms", "p90 ms", "p99 ms", "MB/s", "MiB"
    )
}

fn server(line: &Line<'_>, width: usize, base: &str) -> String {
    let name = &line.server.name;
    let verdict = line.verdict(base);
    match &line.standing {
        Standing::Measured(measured) => {
            let text = format!("{name:<width$} {} {verdict}", values(measured));
            format!("{}\n", text.trim_end())
        }
        Standing::Failed(_) | Standing::Missing(_) | Standing::Skipped => {
            format!("{name:<width$} {verdict}\n")
        }
    }
}

fn values(measured: &Measured) -> String {
    let ratio = measured.ratio.map(|(ratio, _)| ratio);
    format!(
        "{:>13} {:>11} {:>6} {:>6} {:>6} {:>6} {:>5} {:<17}",
        with_spread(measured.requests_per_second),
        with_spread(measured.cpu_microseconds),
        median(measured.p50, 1e3),
        median(measured.p90, 1e3),
        median(measured.p99, 1e3),
        median(measured.megabytes_per_second, 1.0),
        median(measured.memory_bytes, MEBIBYTE),
        ratio.map_or_else(String::new, number::ratio_interval),
    )
}

fn with_spread(found: Option<Estimate>) -> String {
    found.map_or_else(
        || NOTHING.to_owned(),
        |found| {
            format!(
                "{}{:>6}",
                number::figure(found.median),
                number::spread(found)
            )
        },
    )
}

fn median(found: Option<Estimate>, unit: f64) -> String {
    found.map_or_else(
        || NOTHING.to_owned(),
        |found| number::figure(found.median / unit),
    )
}

fn extras(board: &Board<'_>, width: usize) -> String {
    let mut text = String::new();
    for (server, measured) in board.measured() {
        let mut values: Vec<String> = measured.extra.iter().map(extra).collect();
        if let Some(memory) = measured.memory_bytes.filter(|_| !board.has_requests()) {
            values.push(format!("memory {}", number::bytes(memory.median)));
        }
        if !values.is_empty() {
            text += &format!("{:<width$} {}\n", server.name, values.join(" · "));
        }
    }
    text
}

fn extra((name, found): &(String, Estimate)) -> String {
    let write = |value| number::extra_value(name, value);
    let (median, low, high) = (write(found.median), write(found.low), write(found.high));
    let label = number::extra_label(name).to_lowercase();
    format!("{label} {median} ({low}–{high})")
}

fn standing(run: &Run) -> String {
    let Some(engine) = standings::engine(run) else {
        return String::new();
    };
    let mut text = format!("\nThe {engine} engine against\n");
    for standings in standings::standings(run) {
        text += &against(&standings);
    }
    text
}

fn against(standings: &Standings<'_>) -> String {
    let mut text = format!(
        "  {:<18} ahead {}, equal within the spread {}, behind {}\n",
        standings.opponent,
        standings.count(Verdict::Ahead),
        standings.count(Verdict::Equal),
        standings.count(Verdict::Behind),
    );
    for other in &standings.others {
        let words = figures::verdict_words(other.verdict);
        let ratio = number::ratio_interval(other.ratio);
        text += &format!("    {words} at {}: {ratio}\n", other.title);
    }
    text
}

fn goals(run: &Run) -> String {
    let mut text = format!(
        "\n{:<56} {:<10} {:>9}  {:<20}  result\n",
        "goal", "against", "limit", "measured"
    );
    for judgement in goals::judge(run) {
        text += &goal(&judgement);
    }
    text
}

fn goal(judgement: &Judgement) -> String {
    let goal = judgement.goal;
    let scenario = match judgement.scenario.as_str() {
        "" => String::new(),
        name => format!(" [{name}]"),
    };
    // The work gives way to the scenario's name, so that the columns stay.
    let width = 56 - scenario.chars().count();
    let work: String = goal.work.chars().take(width).collect();
    let measured = judgement
        .found
        .map_or_else(|| NOTHING.to_owned(), measured_goal);
    format!(
        "{:<56} {:<10} {:>9}  {measured:<20}  {}\n",
        work + &scenario,
        goal.base.unwrap_or(""),
        format!("≤ {}", number::ratio(goal.limit)),
        reached(judgement.reached()),
    )
}

/// A goal's measurement with its interval.
pub(crate) fn measured_goal(found: Estimate) -> String {
    number::ratio_interval(found)
}

/// Whether a goal was reached, in words.
pub(crate) fn reached(reached: Reached) -> String {
    match reached {
        Reached::Met(_) => "met".to_owned(),
        Reached::Missed(above) => format!("missed by {:.0} %", (above * 100.0).ceil()),
        Reached::NotMeasured => "not measured".to_owned(),
    }
}

fn notes(run: &Run) -> String {
    let mut text = String::new();
    for count in &run.instructions {
        let instructions = number::figure(count.per_request);
        text += &format!("\n{}: {instructions} instructions per request", count.name);
    }
    for note in &run.notes {
        text += &format!("\nNote: {note}");
    }
    if text.is_empty() { text } else { text + "\n" }
}

const NOTHING: &str = "–";
const MEBIBYTE: f64 = 1024.0 * 1024.0;
