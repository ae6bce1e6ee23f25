//! Where the first engine stands against each other server: how often ahead, and plainly where not.

use super::super::results::Run;
use super::super::statistics::{Estimate, Verdict};
use super::figures;

/// The first engine against one other server, over all scenarios.
pub(crate) struct Standings<'a> {
    pub(crate) opponent: &'a str,
    pub(crate) ahead_count: usize,
    /// Where it is not ahead, and by how much.
    pub(crate) others: Vec<Other<'a>>,
}

/// A scenario where the engine is not ahead.
pub(crate) struct Other<'a> {
    pub(crate) title: &'a str,
    pub(crate) ratio: Estimate,
    pub(crate) verdict: Verdict,
}

impl Standings<'_> {
    /// How often it was this.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let others = self.others.iter();
        let same = others.filter(|other| other.verdict == verdict).count();
        same + if verdict == Verdict::Ahead {
            self.ahead_count
        } else {
            0
        }
    }
}

/// The engine that is spoken of: the first of the run.
pub(crate) fn engine(run: &Run) -> Option<&str> {
    let mut servers = run.servers.iter();
    let engine = servers.find(|server| figures::is_engine(server) && server.missing.is_none())?;
    Some(&engine.name)
}

/// Against every server that was compared, in the order of the run. The floor is no server, so
/// nobody is compared with it here.
pub(crate) fn standings(run: &Run) -> Vec<Standings<'_>> {
    let Some(engine) = engine(run) else {
        return Vec::new();
    };
    let names = run.servers.iter().map(|server| server.name.as_str());
    let opponents = names.filter(|name| *name != engine && *name != FLOOR);
    opponents
        .map(|opponent| against(run, engine, opponent))
        .filter(|standings| standings.ahead_count + standings.others.len() > 0)
        .collect()
}

fn against<'a>(run: &'a Run, engine: &str, opponent: &'a str) -> Standings<'a> {
    let mut standings = Standings {
        opponent,
        ahead_count: 0,
        others: Vec::new(),
    };
    for scenario in &run.scenarios {
        let rows = (
            figures::row_of(scenario, engine),
            figures::row_of(scenario, opponent),
        );
        let (Some(row), Some(base)) = rows else {
            continue;
        };
        match figures::compare(row, base) {
            None => {}
            Some((_, Verdict::Ahead)) => standings.ahead_count += 1,
            Some((ratio, verdict)) => standings.others.push(Other {
                title: &scenario.title,
                ratio,
                verdict,
            }),
        }
    }
    standings
}

/// The row that no server can beat.
const FLOOR: &str = "floor";
