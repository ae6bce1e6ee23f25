//! Preconditions (RFC 9110 §13) of GET and HEAD on a representation that exists. Decides; the
//! answer is somebody else's.

use super::date;

/// What the preconditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answer as if there were none; Range comes next.
    Proceed,
    /// 304: the client has this representation.
    NotModified,
    /// 412: this is not the representation that the client means.
    PreconditionFailed,
}

/// The validators of the selected representation.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The strong entity tag with its quotes; empty if there is none.
    pub etag: &'a [u8],
    /// `Last-Modified` in seconds since 1970.
    pub modified_seconds: Option<u64>,
}

/// The precondition fields, each as the values of its field lines in the order received.
#[derive(Clone, Debug)]
pub struct Conditions<I> {
    /// §13.1.1.
    pub if_match: I,
    /// §13.1.2.
    pub if_none_match: I,
    /// §13.1.3.
    pub if_modified_since: I,
    /// §13.1.4.
    pub if_unmodified_since: I,
}

/// Evaluates the preconditions in the order of §13.2.2.
pub fn evaluate<'a, I>(conditions: Conditions<I>, validators: &Validators<'_>) -> Outcome
where
    I: IntoIterator<Item = &'a [u8]>,
{
    let (etag, modified) = (validators.etag, validators.modified_seconds);
    match any_tag(conditions.if_match, etag, |tag| tag.equals_strongly(etag)) {
        Some(true) => {}
        Some(false) => return Outcome::PreconditionFailed,
        None => {
            if let (Some(date), Some(modified)) =
                (single_date(conditions.if_unmodified_since), modified)
                && modified > date
            {
                return Outcome::PreconditionFailed;
            }
        }
    }
    match any_tag(conditions.if_none_match, etag, |tag| {
        tag.equals_weakly(etag)
    }) {
        Some(true) => Outcome::NotModified,
        Some(false) => Outcome::Proceed,
        None => match (single_date(conditions.if_modified_since), modified) {
            (Some(date), Some(modified)) if modified <= date => Outcome::NotModified,
            _ => Outcome::Proceed,
        },
    }
}

/// Whether Range applies, by the value of If-Range (§13.1.5).
///
/// An entity tag is compared strongly. A date must be exactly `Last-Modified`, and that must be
/// a strong validator: at least one second in the past (§8.8.2.2), or the file could have
/// changed twice in it. A value that is neither never matches, so a repeated field can be
/// passed as an empty one.
pub fn if_range(value: Option<&[u8]>, validators: &Validators<'_>, now_seconds: u64) -> bool {
    let Some(value) = value else { return true };
    if let Some((tag, [])) = EntityTag::parse(value) {
        return tag.equals_strongly(validators.etag);
    }
    date::parse(value)
        .is_some_and(|date| validators.modified_seconds == Some(date) && date < now_seconds)
}

/// Whether `*` or a tag that `matches` is in the field; none if there is no such field.
///
/// A line counts up to where it leaves the grammar. `etag` is the strong tag that is compared
/// with: alone on a line, as browsers send it back, it always matches.
fn any_tag<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    etag: &[u8],
    matches: impl Fn(EntityTag<'_>) -> bool,
) -> Option<bool> {
    let mut lines = lines.into_iter().peekable();
    lines.peek()?;
    Some(lines.any(|line| {
        let is_alone = !etag.is_empty() && line == etag;
        is_alone || line == b"*" || Tags(line).any(&matches)
    }))
}

/// The date in a field that must have exactly one (§13.1.3, §13.1.4).
fn single_date<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<u64> {
    let mut lines = lines.into_iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => date::parse(value),
        _ => None,
    }
}

/// An entity tag of a request (§8.8.3).
#[derive(Clone, Copy, Debug)]
struct EntityTag<'a> {
    is_weak: bool,
    /// With its quotes.
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// The tag that `text` starts with, and what follows it.
    fn parse(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (is_weak, text) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let inner = text.strip_prefix(b"\"")?;
        // etagc: visible characters but the quote, and obs-text.
        let count = inner
            .iter()
            .position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
        let (opaque, rest) = text.split_at(count + 2);
        (inner[count] == b'"').then_some((Self { is_weak, opaque }, rest))
    }

    /// Strong comparison with a strong tag (§8.8.3.2); an empty one, which is none, has no equal.
    fn equals_strongly(self, etag: &[u8]) -> bool {
        !self.is_weak && self.opaque == etag
    }

    /// Weak comparison.
    fn equals_weakly(self, etag: &[u8]) -> bool {
        self.opaque == etag
    }
}

/// The entity tags of one field line, up to the first member that is none.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = EntityTag<'a>;

    fn next(&mut self) -> Option<EntityTag<'a>> {
        while let [b' ' | b'\t' | b',', rest @ ..] = self.0 {
            self.0 = rest;
        }
        let (tag, rest) = EntityTag::parse(std::mem::take(&mut self.0))?;
        self.0 = rest;
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
        matches!(self.0, [] | [b',', ..]).then_some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{NotModified, PreconditionFailed, Proceed};

    const DAY: u64 = 784_080_000;
    const BEFORE: &str = "Sat, 05 Nov 1994 23:59:59 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 00:00:00 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 00:00:01 GMT";
    const VALIDATORS: Validators<'_> = Validators {
        etag: b"\"a,b\"",
        modified_seconds: Some(DAY),
    };
    const NONE: Validators<'_> = Validators {
        etag: b"",
        modified_seconds: None,
    };

    fn outcome(fields: &[(&str, &str)], validators: &Validators<'_>) -> Outcome {
        let lines = |name: &'static str| {
            let of_name = fields.iter().filter(move |(other, _)| *other == name);
            of_name.map(|(_, value)| value.as_bytes())
        };
        let conditions = Conditions {
            if_match: lines("IM"),
            if_none_match: lines("INM"),
            if_modified_since: lines("IMS"),
            if_unmodified_since: lines("IUS"),
        };
        evaluate(conditions, validators)
    }

    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: Outcome) {
        assert_eq!(outcome(fields, &VALIDATORS), expected, "{fields:?}");
    }

    #[test]
    fn if_none_match_compares_weakly() {
        check(&[], Proceed);
        for line in [
            r#"* | "a,b" | W/"a,b" | "x", "a,b" | "x","a,b" | ,, "x" , ,"a,b","#,
            r#""", "a,b" | "é", "a,b" | "a,b", garbage"#,
        ] {
            for value in line.split(" | ") {
                check(&[("INM", value)], NotModified);
            }
        }
        for line in [
            r#", | a,b | "a" | "b" | "a,b | a,b" | w/"a,b" | W/ "a,b" | 'a,b'"#,
            r#""a,b"x | "x" "a,b" | "a,b" "x" | "A,B" | "a,b"-gzip | "x "a,b" | **"#,
            r#""*" | W/* | garbage, "a,b""#,
        ] {
            for value in line.split(" | ") {
                check(&[("INM", value)], Proceed);
            }
        }
        check(&[("INM", "\"x\"\t,\t\"a,b\"\t")], NotModified);
        check(&[("INM", "")], Proceed);
        check(&[("INM", "\"a,b\"\u{b}")], Proceed);
        check(&[("INM", "\"x\""), ("INM", "\"a,b\"")], NotModified);
        check(&[("INM", "garbage"), ("INM", "\"a,b\"")], NotModified);
    }

    #[test]
    fn if_match_compares_strongly() {
        check(&[("IM", "*")], Proceed);
        check(&[("IM", "\"x\", \"a,b\"")], Proceed);
        check(&[("IM", "\"x\""), ("IM", "\"a,b\"")], Proceed);
        for value in ["", "\"x\"", "W/\"a,b\"", "a,b", "\"a,b"] {
            check(&[("IM", value)], PreconditionFailed);
        }
    }

    #[test]
    fn compares_dates() {
        check(&[("IMS", BEFORE)], Proceed);
        check(&[("IMS", SAME)], NotModified);
        check(&[("IMS", AFTER)], NotModified);
        check(&[("IMS", "Sun Nov  6 00:00:00 1994")], NotModified);
        check(&[("IUS", BEFORE)], PreconditionFailed);
        check(&[("IUS", SAME)], Proceed);
        check(&[("IUS", AFTER)], Proceed);
    }

    #[test]
    fn ignores_what_is_not_one_date() {
        check(&[("IMS", "tomorrow")], Proceed);
        check(&[("IMS", "")], Proceed);
        check(&[("IMS", AFTER), ("IMS", AFTER)], Proceed);
        check(&[("IUS", "yesterday")], Proceed);
        check(&[("IUS", BEFORE), ("IUS", BEFORE)], Proceed);
    }

    #[test]
    fn keeps_the_order_of_precedence() {
        // If-Match makes If-Unmodified-Since moot, If-None-Match If-Modified-Since.
        check(&[("IM", "\"a,b\""), ("IUS", BEFORE)], Proceed);
        check(&[("IM", "\"x\""), ("IUS", AFTER)], PreconditionFailed);
        check(&[("INM", "\"x\""), ("IMS", AFTER)], Proceed);
        check(&[("INM", "\"a,b\""), ("IMS", BEFORE)], NotModified);
        check(&[("INM", ""), ("IMS", AFTER)], Proceed);
        // 412 before 304, and a passed If-Match leaves the rest to decide.
        check(&[("IM", "\"x\""), ("INM", "*")], PreconditionFailed);
        check(&[("IUS", BEFORE), ("INM", "*")], PreconditionFailed);
        check(&[("IUS", BEFORE), ("IMS", AFTER)], PreconditionFailed);
        check(&[("IM", "*"), ("INM", "\"a,b\"")], NotModified);
        check(&[("IUS", SAME), ("IMS", SAME)], NotModified);
    }

    #[test]
    fn nothing_equals_a_missing_validator() {
        let check = |name, value, expected| {
            assert_eq!(
                outcome(&[(name, value)], &NONE),
                expected,
                "{name}: {value}"
            );
        };
        check("IM", "\"\"", PreconditionFailed);
        check("IM", "", PreconditionFailed);
        check("IM", "*", Proceed);
        check("INM", "\"\"", Proceed);
        check("INM", "*", NotModified);
        check("IMS", AFTER, Proceed);
        check("IUS", BEFORE, Proceed);
    }

    #[test]
    fn if_range_needs_a_strong_validator() {
        let check = |value: Option<&str>, now, expected| {
            let value = value.map(str::as_bytes);
            assert_eq!(if_range(value, &VALIDATORS, now), expected, "{value:?}");
            assert_eq!(if_range(value, &NONE, now), value.is_none(), "{value:?}");
        };
        check(None, DAY, true);
        check(Some("\"a,b\""), DAY, true);
        for line in [r#"W/"a,b" | "x" | * |  | "a,b", "x" | "a,b"  | a,b | "" | tomorrow"#] {
            for value in line.split(" | ") {
                check(Some(value), DAY + 60, false);
            }
        }
        check(Some(BEFORE), DAY + 60, false);
        check(Some(AFTER), DAY + 60, false);
        check(Some(SAME), DAY + 60, true);
        check(Some("Sunday, 06-Nov-94 00:00:00 GMT"), DAY + 1, true);
        check(Some(SAME), DAY, false);
        check(Some(SAME), DAY - 1, false);
    }
}
