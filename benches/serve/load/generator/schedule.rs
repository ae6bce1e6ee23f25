//! When requests are due at a fixed rate: evenly spread over time and, in turn, over the
//! connections. What a slow server does changes nothing here.

use std::time::{Duration, Instant};

/// The due times of all requests.
pub(super) struct Schedule {
    start: Instant,
    /// Requests per second over all connections.
    rate: f64,
    connection_count: u64,
    /// How many requests were due so far.
    due_count: u64,
}

impl Schedule {
    /// Due times from `start` on. The rate is positive.
    pub(super) const fn new(start: Instant, rate: f64, connection_count: u64) -> Self {
        Self {
            start,
            rate,
            connection_count,
            due_count: 0,
        }
    }

    /// The connection whose request has become due by `now`, one with each call.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<usize> {
        if self.next() > now {
            return None;
        }
        let connection = self.due_count % self.connection_count;
        self.due_count += 1;
        Some(usize::try_from(connection).expect("invariant: connections are counted in u32"))
    }

    /// When the next request becomes due.
    pub(super) fn next(&self) -> Instant {
        self.at(self.due_count)
    }

    /// When request `index` of `connection` is due.
    pub(super) fn due(&self, connection: usize, index: u64) -> Instant {
        self.at(connection as u64 + index * self.connection_count)
    }

    fn at(&self, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(index as f64 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_requests_evenly() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 1_000.0, 3);
        let millis = |count| start + Duration::from_millis(count);
        assert_eq!(schedule.take_due(millis(0)), Some(0));
        assert_eq!(schedule.take_due(millis(0)), None);
        assert_eq!(schedule.next(), millis(1));
        let due: Vec<_> = std::iter::from_fn(|| schedule.take_due(millis(5))).collect();
        assert_eq!(due, [1, 2, 0, 1, 2]);
        assert_eq!(schedule.next(), millis(6));
        for (connection, index, expected) in [(0, 0, 0), (2, 0, 2), (0, 1, 3), (1, 2, 7)] {
            assert_eq!(schedule.due(connection, index), millis(expected));
        }
    }

    #[test]
    fn does_not_drift() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 30_000.0, 7);
        let late = schedule.at(30_000 * 60).duration_since(start);
        assert!(late.abs_diff(Duration::from_secs(60)) < Duration::from_nanos(2));
    }
}
