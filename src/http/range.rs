//! The Range field (RFC 9110 §14): which bytes of a representation are asked for, merged and
//! bounded so that an answer stays cheap. Knows nothing of parts and bodies.

use std::ops::Range;

/// What the Range field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one request, which must not allocate"
)]
pub enum Selection {
    /// The whole representation: there is no field, or it is to be ignored.
    Whole,
    /// One range, not empty and inside the representation.
    Single(Range<u64>),
    /// Several ranges, for `multipart/byteranges`.
    Several(Ranges),
    /// No byte of the representation is asked for: 416.
    Unsatisfiable,
}

/// Two to [`RANGE_COUNT_MAX`] ranges in the order of the request, none near another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    ranges: [Range<u64>; RANGE_COUNT_MAX],
    count: usize,
}

impl Ranges {
    /// The ranges, each not empty and inside the representation.
    pub fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges[..self.count]
    }
}

/// Reads the lines of the Range field for a representation of `length` bytes.
///
/// A field that is repeated, in another unit, off the grammar or wasteful is ignored (§14.2).
pub fn select<'a>(lines: impl IntoIterator<Item = &'a [u8]>, length: u64) -> Selection {
    let mut lines = lines.into_iter();
    let (Some(value), None) = (lines.next(), lines.next()) else {
        return Selection::Whole;
    };
    let Some(set) = byte_range_set(value) else {
        return Selection::Whole;
    };
    let mut merged = Merged {
        ranges: [const { 0..0 }; SPEC_COUNT_MAX],
        count: 0,
    };
    let mut spec_count = 0;
    // Empty list members are tolerated (§5.6.1.2).
    for member in set
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|member| !member.is_empty())
    {
        let (Some(spec), true) = (Spec::parse(member), spec_count < SPEC_COUNT_MAX) else {
            return Selection::Whole;
        };
        spec_count += 1;
        if let Some(range) = spec.range(length) {
            merged.add(range);
        }
    }
    if spec_count == 0 {
        return Selection::Whole;
    }
    merged.selection(length)
}

/// What follows `bytes=`; the unit is a case-insensitive token (§14.1).
fn byte_range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// Without the optional white space around a list member (§5.6.3).
fn trim(mut member: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = member {
        member = rest;
    }
    member
}

/// One range-spec (§14.1.1) as it is written, whatever the length of the representation.
enum Spec {
    /// `first-` or `first-last`, both inclusive.
    From { first: u64, last: u64 },
    /// `-count`: the last bytes.
    Suffix { count: u64 },
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = spec.iter().position(|byte| *byte == b'-')?;
        match (&spec[..dash], &spec[dash + 1..]) {
            (b"", count) => number(count).map(|count| Self::Suffix { count }),
            (first, b"") => number(first).map(|first| Self::From {
                first,
                last: u64::MAX,
            }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From { first, last })
            }
        }
    }

    /// The bytes that exist of what is asked for; none if it cannot be satisfied (§14.1.2).
    fn range(&self, length: u64) -> Option<Range<u64>> {
        let range = match *self {
            Self::From { first, last } => first..last.saturating_add(1).min(length),
            Self::Suffix { count } => length.saturating_sub(count)..length,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// 1*DIGIT; what does not fit is as good as the largest number, no file is that long.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    })
}

/// The ranges asked for so far, none near another, in the order of the request.
struct Merged {
    ranges: [Range<u64>; SPEC_COUNT_MAX],
    count: usize,
}

impl Merged {
    /// Adds a range. Those that overlap it or are near become one with it, in the place of the
    /// earliest (§14.2, §15.3.7.2). One pass is enough: what is near neither of two ranges that
    /// are near each other is not near their union.
    fn add(&mut self, mut range: Range<u64>) {
        let mut place = self.count;
        let mut index = 0;
        while index < self.count {
            let other = &self.ranges[index];
            if !are_near(other, &range) {
                index += 1;
                continue;
            }
            range = range.start.min(other.start)..range.end.max(other.end);
            self.ranges[index..self.count].rotate_left(1);
            self.count -= 1;
            place = place.min(index);
        }
        self.ranges[self.count] = range;
        self.ranges[place..=self.count].rotate_right(1);
        self.count += 1;
    }

    /// The answer, unless several parts are too many or would cost more than twice the whole.
    fn selection(&self, length: u64) -> Selection {
        let ranges = &self.ranges[..self.count];
        match ranges {
            [] => return Selection::Unsatisfiable,
            [range] => return Selection::Single(range.clone()),
            _ => {}
        }
        let parts_bytes = ranges
            .iter()
            .map(|range| (range.end - range.start).saturating_add(PART_HEAD_BYTES))
            .fold(0, u64::saturating_add);
        if self.count > RANGE_COUNT_MAX || parts_bytes > length.saturating_mul(2) {
            return Selection::Whole;
        }
        let mut several = Ranges {
            ranges: [const { 0..0 }; RANGE_COUNT_MAX],
            count: self.count,
        };
        several.ranges[..self.count].clone_from_slice(ranges);
        Selection::Several(several)
    }
}

/// Whether two ranges overlap or the gap between them is cheaper to send than a part's head.
fn are_near(one: &Range<u64>, other: &Range<u64>) -> bool {
    let gap = one
        .start
        .max(other.start)
        .saturating_sub(one.end.min(other.end));
    gap < GAP_BYTES_MIN
}

/// The most parts one answer has.
pub const RANGE_COUNT_MAX: usize = 16;

/// The most ranges one request may name before they are merged.
const SPEC_COUNT_MAX: usize = 64;

/// Ranges with fewer bytes between them are merged (RFC 9110 §15.3.7.2 names 80).
const GAP_BYTES_MIN: u64 = 80;

/// What the boundary and the fields of one part cost, about.
const PART_HEAD_BYTES: u64 = 200;

const _: () = assert!(RANGE_COUNT_MAX <= SPEC_COUNT_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected`: the ranges, `none` for 416, `whole` for a field that is ignored.
    #[track_caller]
    fn check(value: &str, length: u64, expected: &str) {
        let found = match select([value.as_bytes()], length) {
            Selection::Whole => "whole".to_owned(),
            Selection::Single(range) => format!("{range:?}"),
            Selection::Several(several) => join(several.as_slice()),
            Selection::Unsatisfiable => "none".to_owned(),
        };
        assert_eq!(found, expected, "{value:?} of {length}");
    }

    fn join(ranges: &[Range<u64>]) -> String {
        let texts: Vec<String> = ranges.iter().map(|range| format!("{range:?}")).collect();
        texts.join(" ")
    }

    #[test]
    fn reads_single_ranges() {
        check("bytes=0-0", 10, "0..1");
        check("bytes=9-9", 10, "9..10");
        check("bytes=5-5", 10, "5..6");
        check("bytes=0-", 10, "0..10");
        check("bytes=3-100", 10, "3..10");
        check("bytes=-3", 10, "7..10");
        check("bytes=-1", 1, "0..1");
        check("bytes=-100", 10, "0..10");
        check("bytes=007-08", 10, "7..9");
        check("BYTES=1-2", 10, "1..3");
        check("Bytes=,, 1-2 \t,", 10, "1..3");
        check("bytes=0-99999999999999999999999", 10, "0..10");
        check("bytes=-99999999999999999999999", 10, "0..10");
        check(
            "bytes=0-18446744073709551615",
            u64::MAX,
            "0..18446744073709551615",
        );
    }

    #[test]
    fn says_what_cannot_be_satisfied() {
        check("bytes=10-", 10, "none");
        check("bytes=10-20", 10, "none");
        check("bytes=-0", 10, "none");
        check("bytes=-0, 10-11", 10, "none");
        check("bytes=99999999999999999999999-", 10, "none");
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"] {
            check(value, 0, "none");
        }
        check("bytes=-0, 2-3, 10-", 10, "2..4");
    }

    #[test]
    fn ignores_what_it_does_not_understand() {
        for spec in [
            "", ",", " ,\t,", "-", "1", "5-2", "0-1,5-2", "5-2,99-", "--5", "0--5", "+0-5", "0-+5",
            "1_0-2", "0 - 5", " 0 -5", "0- 5", "0x1-2", "a-b", "0-1;2-3", "0-1 2-3", "0-1\0",
        ] {
            check(&format!("bytes={spec}"), 10_000, "whole");
        }
        for value in "|bytes|bytes =0-1| bytes=0-1|items=0-1|bytes:0-1|byte=0-10|none=".split('|') {
            check(value, 10_000, "whole");
        }
        check("bytes=١-٢", 10_000, "whole");
        check("bytes=5-2", 0, "whole");
        assert_eq!(select([], 10), Selection::Whole);
        let twice = [b"bytes=0-1".as_slice(), b"bytes=0-1"];
        assert_eq!(select(twice, 10), Selection::Whole);
    }

    #[test]
    fn keeps_the_order_of_the_request() {
        check("bytes=500-599,0-99", 1_000, "500..600 0..100");
        check("bytes=-1 ,\t0-0", 1_000, "999..1000 0..1");
    }

    #[test]
    fn merges_near_ranges() {
        check("bytes=0-9,5-14", 1_000, "0..15");
        check("bytes=0-9,10-19", 1_000, "0..20");
        check("bytes=0-9,0-9,0-9", 1_000, "0..10");
        check("bytes=0-9,89-99", 1_000, "0..100");
        check("bytes=0-9,90-99", 1_000, "0..10 90..100");
        check("bytes=89-99,0-9", 1_000, "0..100");
        // The last one bridges the others, into the place of the earliest.
        check(
            "bytes=900-909,0-9,700-709,150-159,80-89",
            1_000,
            "900..910 0..160 700..710",
        );
        check("bytes=150-159,900-909,0-9,80-89", 1_000, "0..160 900..910");
    }

    #[test]
    fn bounds_the_number_of_ranges() {
        let value = |count: u64| {
            let specs: Vec<String> = (0..count).map(|i| format!("{0}-{0}", i * 1_000)).collect();
            format!("bytes={}", specs.join(","))
        };
        let ranges: Vec<_> = (0..16).map(|i| i * 1_000..i * 1_000 + 1).collect();
        check(&value(16), 100_000, &join(&ranges));
        check(&value(17), 100_000, "whole");
        check(&format!("{},0-99999", value(17)), 100_000, "0..100000");
        check(&format!("bytes=0-0{}", ",0-0".repeat(63)), 10, "0..1");
        check(&format!("bytes=0-0{}", ",0-0".repeat(64)), 10, "whole");
        check(&format!("bytes=0-0{}", ",99-".repeat(64)), 10, "whole");
    }

    #[test]
    fn never_sends_more_than_twice_the_file() {
        check("bytes=0-0,-1", 201, "0..1 200..201");
        check("bytes=0-0,-1", 200, "whole");
        check(
            "bytes=0-0,-1",
            u64::MAX,
            "0..1 18446744073709551614..18446744073709551615",
        );
    }
}
