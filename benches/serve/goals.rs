//! The speed that was set as a goal, as data, and whether a run reached it. Nothing is measured
//! here, and a missed goal is no error.

use globset::Glob;

use super::results::{Row, Run, Scenario};
use super::statistics::{Estimate, Measure, estimate, ratio};

/// One number that a kind of work must not exceed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// The work, for people.
    pub(crate) work: &'static str,
    /// Globs of scenario names.
    pub(crate) scenarios: &'static [&'static str],
    /// Whose number.
    pub(crate) server: &'static str,
    /// What is limited.
    pub(crate) measure: Measure,
    /// The server it is a multiple of; without, the number itself is limited.
    pub(crate) base: Option<&'static str>,
    /// The most it may be.
    pub(crate) limit: f64,
}

/// What a run says about one goal in one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    /// Which goal.
    pub(crate) goal: &'static Goal,
    /// [`Scenario::name`]; empty if the run has none that the goal is about.
    pub(crate) scenario: String,
    /// What was found; none if it was not measured.
    pub(crate) found: Option<Estimate>,
}

/// Whether a goal was reached. The median decides; the interval is shown beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reached {
    /// It was, and this much below the limit, as a share of the limit.
    Met(f64),
    /// It was not, and this much above the limit, as a share of the limit.
    Missed(f64),
    /// There is nothing to judge.
    NotMeasured,
}

impl Judgement {
    /// Whether the goal was reached.
    pub(crate) fn reached(&self) -> Reached {
        let Some(found) = self.found else {
            return Reached::NotMeasured;
        };
        let above = found.median / self.goal.limit - 1.0;
        if above <= 0.0 {
            Reached::Met(-above)
        } else {
            Reached::Missed(above)
        }
    }
}

/// Each goal in each scenario it is about, in the order of [`GOALS`].
pub(crate) fn judge(run: &Run) -> Vec<Judgement> {
    GOALS.iter().flat_map(|goal| judge_one(goal, run)).collect()
}

fn judge_one(goal: &'static Goal, run: &Run) -> Vec<Judgement> {
    let concerned = run.scenarios.iter().filter(|scenario| {
        let name = scenario.name.as_str();
        goal.scenarios.iter().any(|glob| matches(glob, name))
    });
    let judge = |scenario: &Scenario| Judgement {
        goal,
        scenario: scenario.name.clone(),
        found: find(goal, scenario),
    };
    let mut judged: Vec<Judgement> = concerned.map(judge).collect();
    if judged.is_empty() {
        judged.push(Judgement {
            goal,
            scenario: String::new(),
            found: None,
        });
    }
    judged
}

fn find(goal: &Goal, scenario: &Scenario) -> Option<Estimate> {
    let row = |name: &str| -> Option<&Row> {
        let rows = scenario.rows.iter();
        rows.filter(|row| row.failure.is_none())
            .find(|row| row.server == name)
    };
    match goal.base {
        Some(base) => ratio(row(goal.server)?, row(base)?, goal.measure),
        None => estimate(row(goal.server)?, goal.measure),
    }
}

/// Whether a scenario's name matches `glob`; an invalid glob matches nothing.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

const fn cpu(
    work: &'static str,
    scenarios: &'static [&'static str],
    base: &'static str,
    limit: f64,
) -> Goal {
    Goal {
        work,
        scenarios,
        server: "ring",
        measure: Measure::CpuMicroseconds,
        base: Some(base),
        limit,
    }
}

const fn extra(
    work: &'static str,
    scenarios: &'static [&'static str],
    name: &'static str,
    limit: f64,
) -> Goal {
    Goal {
        work,
        scenarios,
        server: "ring",
        measure: Measure::Extra(name),
        base: None,
        limit,
    }
}

const SMALL: &[&str] = &["{1k,10k}-c{64,256}"];
const SMALL_WORK: &str = "1 KiB and 10 KiB, 64 and 256 connections";
const NO_BODY: &[&str] = &["{304,head}-c64"];
const NO_BODY_WORK: &str = "304, and HEAD";
const PIPELINED: &[&str] = &["pipeline-c64"];
const PIPELINED_WORK: &str = "16 requests pipelined";
const TWENTY: &[&str] = &["mixed-twenty-c64"];
const TWENTY_WORK: &str = "20 files of 3–300 KiB, br and gzip";
const LARGE: &[&str] = &["{1m,10m}-c16"];
const LARGE_WORK: &str = "1 MiB and 10 MiB files, 16 connections";
const CLOSE: &[&str] = &["close-c64"];
const CLOSE_WORK: &str = "connection per request";
const PROXIED: &[&str] = &["proxy-small"];
const SECURE: &[&str] = &["{tls,h2}-10k"];

/// All goals.
pub(crate) static GOALS: [Goal; 19] = [
    cpu(SMALL_WORK, SMALL, "nginx", 0.55),
    cpu(SMALL_WORK, SMALL, "epoll", 0.90),
    cpu(SMALL_WORK, SMALL, "floor", 1.10),
    cpu(NO_BODY_WORK, NO_BODY, "nginx", 0.55),
    cpu(NO_BODY_WORK, NO_BODY, "epoll", 0.90),
    cpu(NO_BODY_WORK, NO_BODY, "floor", 1.10),
    cpu(PIPELINED_WORK, PIPELINED, "nginx", 0.20),
    cpu(PIPELINED_WORK, PIPELINED, "epoll", 1.0),
    cpu(TWENTY_WORK, TWENTY, "nginx", 0.65),
    cpu(TWENTY_WORK, TWENTY, "epoll", 0.95),
    cpu(LARGE_WORK, LARGE, "nginx", 0.80),
    cpu(LARGE_WORK, LARGE, "epoll", 1.0),
    cpu(CLOSE_WORK, CLOSE, "nginx", 0.80),
    cpu(CLOSE_WORK, CLOSE, "epoll", 1.0),
    cpu("small answers passed on", PROXIED, "nginx", 1.0),
    cpu("10 KiB over TLS, and HTTP/2", SECURE, "nginx", 1.0),
    extra(
        "user memory of an idle connection, bytes",
        &["idle-9000"],
        "idle_connection_bytes",
        256.0,
    ),
    extra(
        "100,000 files indexed, seconds",
        &["start-100k"],
        "start_seconds",
        5.0,
    ),
    extra(
        "memory of each of 100,000 files beside its body, bytes",
        &["start-100k"],
        "index_bytes_per_file",
        1024.0,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_name_the_scenarios_meant() {
        let check = |glob, name, expected| assert_eq!(matches(glob, name), expected, "{name}");
        check(SMALL[0], "1k-c64", true);
        check(SMALL[0], "10k-c256", true);
        check(SMALL[0], "1k-c1024", false);
        check(SMALL[0], "1k-c64-w2", false);
        check(NO_BODY[0], "304-c64", true);
        check(LARGE[0], "10m-c16", true);
        check(SECURE[0], "h2-10k", true);
        check(SECURE[0], "10k-c64", false);
        check("{", "{", false);
    }

    #[test]
    fn the_median_decides() {
        let check = |median: f64, expected: fn(Reached) -> bool| {
            let found = Estimate {
                median,
                low: 0.1,
                high: 2.0,
                count: 5,
            };
            let judgement = Judgement {
                goal: &GOALS[0],
                scenario: "1k-c64".into(),
                found: Some(found),
            };
            assert!(expected(judgement.reached()), "{median}");
        };
        check(0.55, |reached| reached == Reached::Met(0.0));
        check(0.50, |reached| matches!(reached, Reached::Met(_)));
        check(0.56, |reached| matches!(reached, Reached::Missed(_)));
    }
}
