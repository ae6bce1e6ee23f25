//! What was seen: right answers and how long they took while it is measured, errors always.

use std::fmt::Display;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::super::super::results::Latency;
use super::super::Outcome;

/// The counts of one run.
pub(super) struct Tally {
    /// When measuring began; none during the warm-up.
    since: Option<Instant>,
    request_count: u64,
    received_bytes: u64,
    error_count: u64,
    first_error: Option<String>,
    /// In nanoseconds.
    latency: Histogram<u64>,
}

impl Tally {
    /// Nothing seen, and not measuring.
    pub(super) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3)
            .expect("invariant: these bounds are right");
        Self {
            since: None,
            request_count: 0,
            received_bytes: 0,
            error_count: 0,
            first_error: None,
            latency,
        }
    }

    /// The warm-up is over.
    pub(super) const fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Counts a right answer.
    pub(super) fn answer(&mut self, latency: Duration) {
        if self.since.is_some() {
            self.request_count += 1;
            self.wait(latency);
        }
    }

    /// Notes how long a request has waited that was not answered in time.
    pub(super) fn wait(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos.max(1));
    }

    /// Counts received bytes.
    pub(super) const fn receive(&mut self, count: u64) {
        if self.since.is_some() {
            self.received_bytes += count;
        }
    }

    /// Counts an error of `whom`.
    pub(super) fn error(&mut self, whom: impl Display, what: impl Display) {
        self.error_count += 1;
        if self.first_error.is_none() {
            self.first_error = Some(format!("{whom}: {what}"));
        }
    }

    /// All of it, at the end.
    pub(super) fn outcome(self, now: Instant) -> Outcome {
        let seconds = self.since.map_or(Duration::ZERO, |since| now - since);
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let quantile = |quantile| micros(self.latency.value_at_quantile(quantile));
        Outcome {
            request_count: self.request_count,
            error_count: self.error_count,
            received_bytes: self.received_bytes,
            seconds: seconds.as_secs_f64(),
            latency: (!self.latency.is_empty()).then(|| Latency {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                max: micros(self.latency.max()),
            }),
            first_error: self.first_error,
        }
    }
}

/// Longer than any run.
const LATENCY_NANOS_MAX: u64 = 600 * 1_000_000_000;
