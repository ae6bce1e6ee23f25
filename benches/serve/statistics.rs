//! What measurements say: medians, the intervals that hold them, and ratios within a round. Pure;
//! nothing here is measured or printed.

use super::results::{Round, Row};

/// A median and the interval that very likely holds the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// The middle of what was measured.
    pub(crate) median: f64,
    /// The interval's lower end, itself a measured value.
    pub(crate) low: f64,
    /// The interval's upper end, itself a measured value.
    pub(crate) high: f64,
    /// How many measurements there were.
    pub(crate) count: usize,
}

/// What a round can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The server's CPU time for each request, in microseconds.
    CpuMicroseconds,
    /// Requests per second.
    Rate,
    /// Megabytes (10⁶ bytes) per second, heads included.
    Megabytes,
    /// Half of the answers were no slower; microseconds.
    P50,
    /// Nine of ten answers were no slower; microseconds.
    P90,
    /// 99 of 100 answers were no slower; microseconds.
    P99,
    /// Proportional set size in bytes.
    Memory,
    /// The share of its CPU that the load used; near 1, the load was the limit.
    LoadShare,
    /// One of [`Round::extra`]; less is taken to be better.
    Extra(&'static str),
}

/// What a ratio to the base allows to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Better than the base in the whole interval.
    Ahead,
    /// Worse than the base in the whole interval.
    Behind,
    /// Equal within the spread, or too few rounds to tell.
    Equal,
}

impl Measure {
    /// Its value in `round`; none if the round does not have it.
    pub(crate) fn of(self, round: &Round) -> Option<f64> {
        let count = round.request_count as f64;
        let value = match self {
            Self::CpuMicroseconds => round.server_cpu_seconds * 1e6 / count,
            Self::Rate => count / round.seconds,
            Self::Megabytes => round.received_bytes as f64 / 1e6 / round.seconds,
            Self::P50 => round.latency?.p50,
            Self::P90 => round.latency?.p90,
            Self::P99 => round.latency?.p99,
            Self::Memory => round.memory_bytes as f64,
            Self::LoadShare => round.load_cpu_seconds / round.seconds,
            Self::Extra(name) => round.extra.iter().find(|(key, _)| key == name)?.1,
        };
        value.is_finite().then_some(value)
    }

    /// Whether more of it is better.
    pub(crate) const fn more_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Megabytes)
    }
}

/// What the rounds of `row` say; none if no round has `measure`.
pub(crate) fn estimate(row: &Row, measure: Measure) -> Option<Estimate> {
    let values: Vec<f64> = row.rounds.iter().filter_map(|r| measure.of(r)).collect();
    interval(&values)
}

/// `row` as a multiple of `base`, each round compared with the same round of the base.
pub(crate) fn ratio(row: &Row, base: &Row, measure: Measure) -> Option<Estimate> {
    let pairs = row.rounds.iter().zip(&base.rounds);
    let ratios = pairs.filter_map(|(one, other)| {
        let ratio = measure.of(one)? / measure.of(other)?;
        ratio.is_finite().then_some(ratio)
    });
    interval(&ratios.collect::<Vec<f64>>())
}

/// What `ratio`, of `measure`, allows to be said: nothing unless the whole interval says it.
pub(crate) fn verdict(ratio: Estimate, measure: Measure) -> Verdict {
    if ratio.count < ROUND_COUNT_MIN || (ratio.low <= 1.0 && ratio.high >= 1.0) {
        return Verdict::Equal;
    }
    if (ratio.low > 1.0) == measure.more_is_better() {
        Verdict::Ahead
    } else {
        Verdict::Behind
    }
}

/// The median and the confidence interval of the median by order statistics.
pub(crate) fn interval(values: &[f64]) -> Option<Estimate> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.first()?, sorted.last()?);
    let trim = trim_count(sorted.len());
    Some(Estimate {
        median: middle(&sorted),
        low: *sorted.get(trim).unwrap_or(low),
        high: *sorted.get(sorted.len() - 1 - trim).unwrap_or(high),
        count: sorted.len(),
    })
}

/// The median of `values`, in any order.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    interval(values).map(|estimate| estimate.median)
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    }
}

/// How many values to leave out at each end, so that the interval still holds the median as
/// surely as the range of [`ROUND_COUNT_MIN`] values does. The chance that the median is below
/// the k-th smallest of n values is that of fewer than k heads in n throws of a coin.
fn trim_count(count: usize) -> usize {
    let chance_max = 0.5_f64.powi(ROUND_COUNT_MIN as i32);
    let mut outcomes = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let (mut chance, mut trim) = (outcomes, 0);
    while trim + 1 < count / 2 {
        outcomes *= (count - trim) as f64 / (trim + 1) as f64;
        chance += outcomes;
        if chance > chance_max {
            break;
        }
        trim += 1;
    }
    trim
}

/// With fewer rounds nothing is called ahead or behind.
pub(crate) const ROUND_COUNT_MIN: usize = 5;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn finds_median_and_interval() {
        let check = |values: &[f64], expected: (f64, f64, f64)| {
            let found = interval(values).unwrap();
            assert_eq!((found.median, found.low, found.high), expected);
        };
        check(&[3.0], (3.0, 3.0, 3.0));
        check(&[4.0, 1.0], (2.5, 1.0, 4.0));
        check(&[5.0, 1.0, 4.0, 2.0, 3.0], (3.0, 1.0, 5.0));
        check(&[8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], (4.5, 1.0, 8.0));
        check(
            &[9.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
            (5.0, 2.0, 8.0),
        );
        assert_eq!(interval(&[]), None);
    }

    #[test]
    fn leaves_out_more_of_more() {
        let check = |count, trim| assert_eq!(trim_count(count), trim, "{count}");
        for count in 0..9 {
            check(count, 0);
        }
        check(9, 1);
        check(11, 1);
        check(12, 2);
        check(20, 5);
    }

    #[test]
    fn compares_within_a_round() {
        // The machine slows down by ten from round to round; the ratio stays.
        let base = row(&[10.0, 100.0, 1000.0, 1e4, 1e5]);
        let faster = row(&[8.0, 80.0, 800.0, 8e3, 8e4]);
        let found = ratio(&faster, &base, Measure::CpuMicroseconds).unwrap();
        assert!((found.low - 0.8).abs() < 1e-9 && (found.high - 0.8).abs() < 1e-9);
        assert_eq!(verdict(found, Measure::CpuMicroseconds), Verdict::Ahead);
        assert_eq!(verdict(found, Measure::Rate), Verdict::Behind);
    }

    #[test]
    fn calls_no_spread_a_win() {
        let check = |low, high, count, expected| {
            let estimate = Estimate {
                median: f64::midpoint(low, high),
                low,
                high,
                count,
            };
            assert_eq!(verdict(estimate, Measure::CpuMicroseconds), expected);
        };
        check(0.5, 0.99, 5, Verdict::Ahead);
        check(0.5, 1.0, 5, Verdict::Equal);
        check(0.5, 1.01, 5, Verdict::Equal);
        check(1.01, 1.2, 5, Verdict::Behind);
        check(0.5, 0.6, 4, Verdict::Equal);
    }

    #[test]
    fn what_was_not_measured_is_no_number() {
        let nothing = row(&[]);
        assert_eq!(estimate(&nothing, Measure::Rate), None);
        let mut silent = row(&[1.0]);
        silent.rounds[0].request_count = 0;
        assert_eq!(estimate(&silent, Measure::CpuMicroseconds), None);
        assert_eq!(estimate(&silent, Measure::P99), None);
        assert_eq!(estimate(&silent, Measure::Extra("a")), None);
    }

    fn row(cpu_microseconds: &[f64]) -> Row {
        let round = |cpu: &f64| Round {
            request_count: 1000,
            seconds: 1.0,
            server_cpu_seconds: cpu / 1e3,
            load_cpu_seconds: 0.5,
            received_bytes: 1,
            latency: None,
            memory_bytes: 1,
            extra: Vec::new(),
        };
        Row {
            server: "a".into(),
            failure: None,
            rounds: cpu_microseconds.iter().map(round).collect(),
        }
    }
}
