//! From values to places on an axis, linear or logarithmic, and the ticks of an axis.

/// A logarithmic axis; equal ratios are equally far apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    low: f64,
    high: f64,
    /// Where `low` is drawn.
    from: f64,
    /// Where `high` is drawn.
    to: f64,
}

impl Log {
    /// An axis for all positive `values`, drawn between `from` and `to`, with a little air.
    pub(super) fn over(
        values: impl Iterator<Item = f64> + Clone,
        from: f64,
        to: f64,
    ) -> Option<Self> {
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let low = positive.clone().reduce(f64::min)?;
        let high = positive.reduce(f64::max)?;
        Some(Self {
            low: low / AIR,
            high: high * AIR,
            from,
            to,
        })
    }

    /// Where `value` is drawn.
    pub(super) fn place(self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values: 1, 2, 5, 10, …; only powers of ten where those would be too many.
    pub(super) fn ticks(self, count_max: usize) -> Vec<f64> {
        let all = self.steps(&[1.0, 2.0, 5.0]);
        if all.len() <= count_max {
            all
        } else {
            self.thinned(count_max)
        }
    }

    fn thinned(self, count_max: usize) -> Vec<f64> {
        let some = self.steps(&[1.0, 3.0]);
        if some.len() <= count_max {
            some
        } else {
            self.steps(&[1.0])
        }
    }

    fn steps(self, digits: &[f64]) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let powers = (first as i32..=last as i32).map(|power| 10.0_f64.powi(power));
        powers
            .flat_map(|power| digits.iter().map(move |digit| digit * power))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

/// The end of a linear axis that begins at zero. A value far above the others is cut, so that
/// they can be told apart.
pub(super) fn end(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&middle) = sorted.get(sorted.len() / 2) else {
        return 1.0;
    };
    let within = sorted
        .into_iter()
        .rfind(|value| *value <= middle * CUT_FROM);
    within.filter(|end| *end > 0.0).unwrap_or(1.0)
}

/// Moves places that are closer than `gap` apart, each as little as may be, keeping their order,
/// as far as all fit between `top` and `bottom`.
pub(super) fn spread_out(places: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&one, &other| places[one].total_cmp(&places[other]));
    let sorted = order.iter().map(|&index| places[index]);
    let mut spread = clusters(sorted, gap);
    // The ends of the picture push back.
    let mut free = top;
    for place in &mut spread {
        *place = place.max(free);
        free = *place + gap;
    }
    let mut free = bottom;
    for place in spread.iter_mut().rev() {
        *place = place.min(free);
        free = *place - gap;
    }
    let mut moved = places.to_vec();
    for (place, &index) in spread.into_iter().zip(&order) {
        moved[index] = place;
    }
    moved
}

/// Rising places, those that are too close together spread about their common middle.
fn clusters(places: impl Iterator<Item = f64>, gap: f64) -> Vec<f64> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for middle in places {
        let mut last = Cluster { middle, count: 1.0 };
        while let Some(before) = clusters.pop_if(|before| before.meets(last, gap)) {
            last = before.joined(last);
        }
        clusters.push(last);
    }
    let clusters = clusters.into_iter();
    clusters.flat_map(|cluster| cluster.places(gap)).collect()
}

/// Places in a row that are as close as they may be.
#[derive(Clone, Copy)]
struct Cluster {
    middle: f64,
    count: f64,
}

impl Cluster {
    fn meets(self, next: Self, gap: f64) -> bool {
        next.middle - self.middle < (self.count + next.count) / 2.0 * gap
    }

    fn joined(self, next: Self) -> Self {
        let count = self.count + next.count;
        let middle = (self.middle * self.count + next.middle * next.count) / count;
        Self { middle, count }
    }

    fn places(self, gap: f64) -> impl Iterator<Item = f64> {
        let first = self.middle - (self.count - 1.0) / 2.0 * gap;
        (0..self.count as usize).map(move |index| first + index as f64 * gap)
    }
}

/// How much an axis extends beyond its values, as a factor.
const AIR: f64 = 1.12;
/// Values above this many times the middle one are cut.
const CUT_FROM: f64 = 4.0;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn places_by_ratio() {
        let axis = Log::over([10.0, 1000.0].into_iter(), 0.0, 100.0).unwrap();
        assert!((axis.place(100.0) - 50.0).abs() < 1e-9);
        assert!(axis.place(0.1) >= 0.0 && axis.place(1e9) <= 100.0);
        assert_eq!(
            axis.ticks(9),
            [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
        );
        assert_eq!(axis.ticks(4), [10.0, 100.0, 1000.0]);
        assert!(Log::over([0.0].into_iter(), 0.0, 1.0).is_none());
    }

    #[test]
    fn cuts_what_is_far_above() {
        let check = |values: &[f64], expected: f64| assert_eq!(end(values), expected);
        check(&[], 1.0);
        check(&[6.0, 7.0, 12.0], 12.0);
        check(&[6.0, 7.0, 12.0, 68.0], 12.0);
        check(&[0.0], 1.0);
    }

    #[test]
    fn labels_keep_apart() {
        let check = |places: &[f64], expected: &[f64]| {
            assert_eq!(spread_out(places, 10.0, 0.0, 100.0), expected);
        };
        check(&[50.0, 20.0], &[50.0, 20.0]);
        check(&[20.0, 22.0], &[16.0, 26.0]);
        check(&[50.0, 52.0, 30.0, 45.0], &[49.25, 59.25, 29.25, 39.25]);
        check(&[99.0, 98.0], &[100.0, 90.0]);
    }
}
