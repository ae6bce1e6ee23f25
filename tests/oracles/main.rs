//! `collect` beside Django: the same input trees, the same names, bytes and manifest.
//!
//! What is expected was recorded from Django and WhiteNoise by scripts/record-oracles; nothing of
//! them runs here. A difference that is kept on purpose stands in its case, with the reason.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod case;
mod content;
mod outcome;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use case::Case;
use outcome::{Outcome, Recorded};
use whitering::staticfiles::{Compat, Event, Observer, collect};

const SERIES: [(&str, Compat); 3] = [
    ("5.2", Compat::V5_2),
    ("6.0", Compat::V6_0),
    ("6.1", Compat::V6_1),
];
const CASE_COUNT_MIN: usize = 60;
/// Set to part of a case's name, it runs only such cases.
const FILTER_VARIABLE: &str = "ORACLES";

#[test]
fn collects_what_django_5_2_collects() {
    check_series("5.2");
}

#[test]
fn collects_what_django_6_0_collects() {
    check_series("6.0");
}

#[test]
fn collects_what_django_6_1_collects() {
    check_series("6.1");
}

#[test]
fn every_case_is_recorded_in_every_series() {
    let names = case_names();
    assert!(names.len() >= CASE_COUNT_MIN, "{} cases", names.len());
    assert_eq!(names, names_in(&data("expected")));
    for name in &names {
        let recorded = Recorded::read(&data("expected").join(format!("{name}.json")));
        for (series, _) in SERIES {
            assert!(recorded.of(series).is_some(), "{name}: no Django {series}");
        }
        let case = Case::read(&data("cases").join(format!("{name}.json")));
        assert!(!case.description.is_empty(), "{name}: no description");
    }
}

/// Runs all cases under one series and reports every difference at once.
fn check_series(series: &str) {
    let (_, compat) = SERIES
        .into_iter()
        .find(|(name, _)| *name == series)
        .unwrap();
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let mut report = String::new();
    let mut different_count = 0;
    for name in case_names().iter().filter(|name| name.contains(&filter)) {
        let differences = check(name, series, compat);
        if !differences.is_empty() {
            different_count += 1;
            report += &format!("\n{name}\n  {}\n", differences.join("\n  "));
        }
    }
    assert!(
        different_count == 0,
        "{different_count} cases are not as Django {series} has them:\n{report}"
    );
}

/// What is different about one case; nothing if all is as expected.
fn check(name: &str, series: &str, compat: Compat) -> Vec<String> {
    let case = Case::read(&data("cases").join(format!("{name}.json")));
    let recorded = Recorded::read(&data("expected").join(format!("{name}.json")));
    let django = recorded.of(series).unwrap();
    let (found, mut faults) = run(&case, compat);
    let Some(kept) = case.kept_difference(series) else {
        faults.extend(found.differences(django));
        return faults;
    };
    faults.extend(found.differences(&kept.instead));
    if kept.instead.differences(django).is_empty() {
        faults.push("the kept difference is none: Django has the same".to_owned());
    }
    if kept.reason.is_empty() {
        faults.push("the kept difference has no reason".to_owned());
    }
    faults
}

/// Collects one case; the second value is what must not be so, whatever Django does.
fn run(case: &Case, compat: Compat) -> (Outcome, Vec<String>) {
    let scratch = tempfile::tempdir().unwrap();
    let options = case.materialise(scratch.path(), compat);
    let before = Outcome::read(&options.output);
    let result = catch_unwind(AssertUnwindSafe(|| collect(&options, &Silent)));
    match result {
        Ok(Ok(_)) => {
            let faults = outcome::variants_with_other_times(&options.output);
            (Outcome::read(&options.output), faults)
        }
        Ok(Err(error)) => {
            let mut faults = Outcome::read(&options.output).differences(&before);
            for fault in &mut faults {
                *fault = format!("a failed run has changed the output: {fault}");
            }
            (Outcome::failed(format!("{error}: {error:?}")), faults)
        }
        Err(_) => (
            Outcome::failed("a panic".to_owned()),
            vec!["a panic".to_owned()],
        ),
    }
}

struct Silent;

impl Observer for Silent {
    fn on_event(&self, _event: Event<'_>) {}
}

fn case_names() -> BTreeSet<String> {
    names_in(&data("cases"))
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").expect(&name).to_owned()
    });
    names.collect()
}

fn data(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracles")
        .join(folder)
}
