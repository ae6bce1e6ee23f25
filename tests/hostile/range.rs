//! The Range field against a model that marks every byte asked for: exact for small files, and
//! within bounds for any.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::Regex;
use whitering::internal::http::range::{Selection, select};

use super::mutation::hostile;
use super::random::{Random, assert_reached, pattern, run};

/// What the model selects.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Whole,
    Unsatisfiable,
    /// One range is a single part.
    Ranges(Vec<Range<u64>>),
}

#[test]
fn selects_what_the_slow_model_marks() {
    let outcome = run(CASE_COUNT, |random| {
        let value = hostile_value(random);
        let length = [0, 1, 2, 80, 200, 201, 500, 1_500][random.below(8)];
        let found = match select([&value[..]], length) {
            Selection::Whole => Expected::Whole,
            Selection::Unsatisfiable => Expected::Unsatisfiable,
            Selection::Single(range) => Expected::Ranges(vec![range]),
            Selection::Several(several) => Expected::Ranges(several.as_slice().to_vec()),
        };
        let shown = value.escape_ascii();
        assert_eq!(found, model(&value, length), "{shown} of {length}");
        matches!(found, Expected::Ranges(_))
    });
    assert_reached(outcome, 8);
}

#[test]
fn stays_within_any_file() {
    let outcome = run(CASE_COUNT, |random| {
        let value = hostile_value(random);
        let length = random.number() >> random.below(64);
        let length = if random.once_in(8) { u64::MAX } else { length };
        let shown = value.escape_ascii();
        let parts = match select([&value[..]], length) {
            Selection::Whole | Selection::Unsatisfiable => return false,
            Selection::Single(range) => vec![range],
            Selection::Several(several) => several.as_slice().to_vec(),
        };
        for range in &parts {
            assert!(
                range.start < range.end && range.end <= length,
                "{shown} of {length}"
            );
        }
        let sum: u128 = parts
            .iter()
            .map(|range| u128::from(range.end - range.start))
            .sum();
        assert!(
            sum <= u128::from(length),
            "{shown} of {length}: bytes sent twice"
        );
        let cost = sum + 200 * parts.len() as u128;
        assert!(parts.len() <= 16, "{shown} of {length}");
        assert!(
            parts.len() == 1 || cost <= 2 * u128::from(length),
            "{shown} of {length}"
        );
        true
    });
    assert_reached(outcome, 8);
}

#[test]
fn a_repeated_field_is_ignored() {
    run(200, |random| {
        let (one, other) = (hostile_value(random), hostile_value(random));
        assert_eq!(select([&one[..], &other], 1_000), Selection::Whole);
        true
    });
}

/// Sometimes made of many small specs, which the corpus has too few of.
fn hostile_value(random: &mut Random) -> Vec<u8> {
    if !random.once_in(4) {
        return hostile(random, CORPUS);
    }
    let count = 1 + random.below(80);
    let step = 1 + random.below(100);
    let specs: Vec<String> = (0..count)
        .map(|_| {
            let first = random.below(18) * step;
            match random.below(8) {
                0 => format!("-{}", random.below(100)),
                1 => format!("{first}-"),
                _ => format!("{first}-{}", first + random.below(100)),
            }
        })
        .collect();
    format!("bytes={}", specs.join(", ")).into_bytes()
}

fn model(value: &[u8], length: u64) -> Expected {
    let Some(specs) = specs(value).filter(|specs| (1..=64).contains(&specs.len())) else {
        return Expected::Whole;
    };
    let asked: Vec<Range<u64>> = specs
        .iter()
        .filter_map(|(first, last)| within(*first, *last, length))
        .collect();
    if asked.is_empty() {
        return Expected::Unsatisfiable;
    }
    let mut runs = runs(&asked, length);
    // In the order in which the request first touches them.
    runs.sort_by_key(|run| asked.iter().position(|range| run.contains(&range.start)));
    let cost: u64 = runs.iter().map(|run| run.end - run.start + 200).sum();
    if runs.len() > 1 && (runs.len() > 16 || cost > 2 * length) {
        return Expected::Whole;
    }
    Expected::Ranges(runs)
}

/// Each spec as its two numbers; none if one of them is off the grammar.
fn specs(value: &[u8]) -> Option<Vec<(Option<u128>, Option<u128>)>> {
    static FIELD: OnceLock<Regex> = OnceLock::new();
    static SPEC: OnceLock<Regex> = OnceLock::new();
    let field = pattern(&FIELD, r"^(?i:bytes)=([0-9, \t-]*)$").captures(value)?;
    let mut specs = Vec::new();
    for member in field[1].split(|byte| *byte == b',') {
        if member.iter().all(|byte| b" \t".contains(byte)) {
            continue;
        }
        let parts = pattern(&SPEC, r"^[ \t]*([0-9]*)-([0-9]*)[ \t]*$").captures(member)?;
        let (first, last) = (number(&parts[1]), number(&parts[2]));
        if first.is_none() && last.is_none() || first.zip(last).is_some_and(|(a, b)| a > b) {
            return None;
        }
        specs.push((first, last));
    }
    Some(specs)
}

/// What does not fit 64 bits is as good as the largest that does.
fn number(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() {
        return None;
    }
    let significant = digits.iter().skip_while(|digit| **digit == b'0').count();
    let most = u128::from(u64::MAX);
    if significant > 30 {
        return Some(most);
    }
    let text = std::str::from_utf8(digits).unwrap().trim_start_matches('0');
    Some(text.parse().unwrap_or(0).min(most))
}

fn within(first: Option<u128>, last: Option<u128>, length: u64) -> Option<Range<u64>> {
    let length = u128::from(length);
    let (start, end) = match (first, last) {
        (Some(first), last) => (first, last.map_or(length, |last| length.min(last + 1))),
        (None, Some(count)) => (length.saturating_sub(count), length),
        (None, None) => return None,
    };
    (start < end).then(|| u64::try_from(start).unwrap()..u64::try_from(end).unwrap())
}

/// Runs of bytes asked for, gaps of fewer than 80 bytes between them closed.
fn runs(asked: &[Range<u64>], length: u64) -> Vec<Range<u64>> {
    let mut marked = vec![false; usize::try_from(length).unwrap()];
    for range in asked {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        marked[range].fill(true);
    }
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (at, _) in (0..).zip(&marked).filter(|(_, is_marked)| **is_marked) {
        match runs.last_mut() {
            Some(run) if at - run.end < 80 => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

const CASE_COUNT: u64 = 48_000;

const CORPUS: &[&[u8]] = &[
    b"bytes=0-0",
    b"bytes=0-",
    b"bytes=-1",
    b"bytes=-0",
    b"bytes=100-199",
    b"bytes=0-0,-1",
    b"bytes=0-9, 400-409 ,\t900-909,",
    b"bytes=900-,0-0,300-300",
    b"BYTES=0-1,0-1,0-1,0-1",
    b"bytes=0-99999999999999999999999",
    b"bytes=5-2",
    b"bytes=,,,",
    b"items=0-1",
    b"bytes=18446744073709551614-18446744073709551615",
];
