//! What the report says about a run, derived once for all its forms: each server at each scenario
//! with medians, spread and verdict. How they are made is in `statistics`.

use super::super::results::{Round, Row, Run, Scenario, Server, ServerKind};
use super::super::statistics::{self, Estimate, Measure, Verdict};

/// A run with everything that is derived from it.
pub(crate) struct Figures<'a> {
    pub(crate) run: &'a Run,
    /// The server that ratios refer to.
    pub(crate) base: &'a str,
    pub(crate) scenarios: Vec<Board<'a>>,
}

/// One scenario, with a line for every server of the run.
pub(crate) struct Board<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) lines: Vec<Line<'a>>,
}

/// One server at one scenario.
pub(crate) struct Line<'a> {
    pub(crate) server: &'a Server,
    pub(crate) standing: Standing<'a>,
}

/// How it went.
pub(crate) enum Standing<'a> {
    Measured(Box<Measured>),
    /// It was there and did not do the work.
    Failed(&'a str),
    /// It was not there.
    Missing(&'a str),
    /// It was not asked to.
    Skipped,
}

/// What was measured, each with its interval over the rounds. What the scenario does not have,
/// such as latency, is `None`.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) round_count: usize,
    pub(crate) requests_per_second: Option<Estimate>,
    /// Server CPU per request.
    pub(crate) cpu_microseconds: Option<Estimate>,
    pub(crate) p50: Option<Estimate>,
    pub(crate) p90: Option<Estimate>,
    pub(crate) p99: Option<Estimate>,
    pub(crate) megabytes_per_second: Option<Estimate>,
    pub(crate) memory_bytes: Option<Estimate>,
    pub(crate) extra: Vec<(String, Estimate)>,
    /// CPU per request against the base; none for the base itself.
    pub(crate) ratio: Option<(Estimate, Verdict)>,
}

impl<'a> Figures<'a> {
    /// Derives everything; the order is the run's.
    pub(crate) fn new(run: &'a Run) -> Self {
        let base = base_of(run);
        let board = |scenario| Board::new(run, scenario, base);
        let scenarios = run.scenarios.iter().map(board).collect();
        Self {
            run,
            base,
            scenarios,
        }
    }

    /// The groups in the order they first occur, each with its scenarios.
    pub(crate) fn groups(&self) -> Vec<(&'a str, Vec<&Board<'a>>)> {
        let mut groups: Vec<(&str, Vec<&Board<'a>>)> = Vec::new();
        for board in &self.scenarios {
            let name = board.scenario.group.as_str();
            match groups.iter_mut().find(|(group, _)| *group == name) {
                Some((_, boards)) => boards.push(board),
                None => groups.push((name, vec![board])),
            }
        }
        groups
    }
}

impl<'a> Board<'a> {
    fn new(run: &'a Run, scenario: &'a Scenario, base: &str) -> Self {
        let line = |server: &'a Server| Line {
            server,
            standing: standing(server, scenario, base),
        };
        let lines = run.servers.iter().map(line).collect();
        Self { scenario, lines }
    }

    /// The lines that say something: who was not asked to take part is left out.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Line<'a>> {
        let lines = self.lines.iter();
        lines.filter(|line| !matches!(line.standing, Standing::Skipped))
    }

    /// Whether requests were counted; where only the start is measured there are none.
    pub(crate) fn has_requests(&self) -> bool {
        self.measured()
            .any(|(_, measured)| measured.cpu_microseconds.is_some())
    }

    /// The lines that have a result.
    pub(crate) fn measured(&self) -> impl Iterator<Item = (&'a Server, &Measured)> {
        self.lines
            .iter()
            .filter_map(|line| Some((line.server, line.measured()?)))
    }
}

impl Measured {
    /// The further measurement of that name.
    pub(crate) fn extra(&self, name: &str) -> Option<Estimate> {
        let found = self.extra.iter().find(|(other, _)| other == name);
        found.map(|(_, found)| *found)
    }
}

impl Line<'_> {
    /// What was measured, if it was.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        match &self.standing {
            Standing::Measured(measured) => Some(measured),
            Standing::Failed(_) | Standing::Missing(_) | Standing::Skipped => None,
        }
    }

    /// The verdict in words, or why there is none.
    pub(crate) fn verdict(&self, base: &str) -> String {
        match &self.standing {
            Standing::Failed(why) => format!("failed: {why}"),
            Standing::Missing(why) => (*why).to_owned(),
            Standing::Skipped => "not measured".to_owned(),
            Standing::Measured(measured) => match measured.ratio {
                Some((_, verdict)) => verdict_words(verdict).to_owned(),
                None if self.server.name != base => String::new(),
                None => measured.cpu_microseconds.map_or("", |_| "base").to_owned(),
            },
        }
    }
}

/// What a verdict is called everywhere.
pub(crate) fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ahead => "ahead",
        Verdict::Behind => "behind",
        Verdict::Equal => "equal within the spread",
    }
}

/// What ratios refer to: what was asked for if it is there, else nginx, the epoll engine, or the
/// first server.
fn base_of(run: &Run) -> &str {
    let present = |name: &&str| {
        let mut servers = run.servers.iter();
        servers.any(|server| server.name == *name && server.missing.is_none())
    };
    let first = run.servers.first().map_or("", |server| &server.name);
    let mut bases = std::iter::once(run.base.as_str()).chain(BASES);
    bases.find(present).unwrap_or(first)
}

fn standing<'a>(server: &'a Server, scenario: &'a Scenario, base: &str) -> Standing<'a> {
    if let Some(why) = &server.missing {
        return Standing::Missing(why);
    }
    let Some(row) = row_of(scenario, &server.name) else {
        return Standing::Skipped;
    };
    match &row.failure {
        Some(why) => Standing::Failed(why),
        None if row.rounds.is_empty() => Standing::Skipped,
        None => Standing::Measured(Box::new(measured(row, row_of(scenario, base)))),
    }
}

/// The row of the server that is called `name`.
pub(crate) fn row_of<'a>(scenario: &'a Scenario, name: &str) -> Option<&'a Row> {
    scenario.rows.iter().find(|row| row.server == name)
}

/// The ratio of CPU per request, if both rows have one.
pub(crate) fn compare(row: &Row, base: &Row) -> Option<(Estimate, Verdict)> {
    if row.server == base.server || row.failure.is_some() || base.failure.is_some() {
        return None;
    }
    let ratio = statistics::ratio(row, base, Measure::CpuMicroseconds)?;
    Some((ratio, statistics::verdict(ratio, Measure::CpuMicroseconds)))
}

fn measured(row: &Row, base: Option<&Row>) -> Measured {
    let positive = |measure| statistics::estimate(row, measure).filter(|found| found.high > 0.0);
    Measured {
        round_count: row.rounds.len(),
        requests_per_second: positive(Measure::Rate),
        cpu_microseconds: positive(Measure::CpuMicroseconds),
        p50: positive(Measure::P50),
        p90: positive(Measure::P90),
        p99: positive(Measure::P99),
        megabytes_per_second: positive(Measure::Megabytes),
        memory_bytes: positive(Measure::Memory),
        extra: extra(row),
        ratio: base.and_then(|base| compare(row, base)),
    }
}

fn extra(row: &Row) -> Vec<(String, Estimate)> {
    let Some(first) = row.rounds.first() else {
        return Vec::new();
    };
    let value = |name: &str, round: &Round| {
        let found = round.extra.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| *value)
    };
    let interval = |(name, _): &(String, f64)| {
        let rounds = row.rounds.iter();
        let values: Vec<f64> = rounds.filter_map(|round| value(name, round)).collect();
        Some((name.clone(), statistics::interval(&values)?))
    };
    first.extra.iter().filter_map(interval).collect()
}

/// Whether the server is one of this package's engines.
pub(crate) fn is_engine(server: &Server) -> bool {
    server.kind == ServerKind::Engine
}

/// Unless something else is asked for, the first of these that was measured is what ratios refer to.
const BASES: [&str; 2] = ["nginx", "epoll"];
