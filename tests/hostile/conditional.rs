//! Preconditions against a slow model of RFC 9110 §13.2.2, with hostile lists and dates.

use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use regex::bytes::Regex;
use whitering::internal::http::conditional::{Conditions, Outcome, Validators, evaluate, if_range};

use super::mutation::hostile;
use super::random::{Random, assert_reached, pattern, run};

#[test]
fn decides_as_the_slow_model_does() {
    let outcome = run(CASE_COUNT, |random| {
        let lines = [
            lines(random, TAGS),
            lines(random, TAGS),
            lines(random, DATES),
            lines(random, DATES),
        ];
        let [
            if_match,
            if_none_match,
            if_modified_since,
            if_unmodified_since,
        ] = lines
            .each_ref()
            .map(|lines| lines.iter().map(Vec::as_slice));
        let validators = validators(random);
        let conditions = Conditions {
            if_match,
            if_none_match,
            if_modified_since,
            if_unmodified_since,
        };
        let found = evaluate(conditions, &validators);
        assert_eq!(
            found,
            model(&lines, &validators),
            "{lines:?} {validators:?}"
        );
        found != Outcome::Proceed
    });
    assert_reached(outcome, 6);
}

#[test]
fn a_range_needs_the_very_same_file() {
    let outcome = run(CASE_COUNT / 2, |random| {
        let corpus = if random.once_in(2) { TAGS } else { DATES };
        let value = hostile(random, corpus);
        let validators = validators(random);
        let now = MODIFIED + random.number() % 3;
        let found = if_range(Some(&value), &validators, now);
        let is_date = date(&value) == validators.modified_seconds
            && validators
                .modified_seconds
                .is_some_and(|modified| modified < now);
        let is_tag = !validators.etag.is_empty() && value == validators.etag;
        assert_eq!(found, is_date || is_tag, "{}", value.escape_ascii());
        assert!(if_range(None, &validators, now));
        found
    });
    assert_reached(outcome, 60);
}

/// None, one or several lines of a field.
fn lines(random: &mut Random, corpus: &[&[u8]]) -> Vec<Vec<u8>> {
    let count = [0, 0, 0, 1, 1, 1, 1, 2][random.below(8)];
    (0..count).map(|_| hostile(random, corpus)).collect()
}

fn validators(random: &mut Random) -> Validators<'static> {
    Validators {
        etag: random.pick(&[b"\"abc\"".as_slice(), b"\"abc\"", b"\"a,b\"", b""]),
        modified_seconds: [Some(MODIFIED), None][usize::from(random.once_in(4))],
    }
}

/// The steps of §13.2.2, one after the other.
fn model(lines: &[Vec<Vec<u8>>; 4], validators: &Validators<'_>) -> Outcome {
    let [
        if_match,
        if_none_match,
        if_modified_since,
        if_unmodified_since,
    ] = lines;
    let single_date = |lines: &[Vec<u8>]| match lines {
        [line] => date(line),
        _ => None,
    };
    let modified = validators.modified_seconds;
    if !if_match.is_empty() {
        if !lists(if_match, validators.etag, false) {
            return Outcome::PreconditionFailed;
        }
    } else if let (Some(limit), Some(modified)) = (single_date(if_unmodified_since), modified)
        && modified > limit
    {
        return Outcome::PreconditionFailed;
    }
    let unchanged = if if_none_match.is_empty() {
        let limit = single_date(if_modified_since);
        limit
            .zip(modified)
            .is_some_and(|(limit, modified)| modified <= limit)
    } else {
        lists(if_none_match, validators.etag, true)
    };
    [Outcome::Proceed, Outcome::NotModified][usize::from(unchanged)]
}

/// Whether the field is `*` or names `etag`, before anything that is no entity tag.
fn lists(lines: &[Vec<u8>], etag: &[u8], weakly: bool) -> bool {
    static MEMBER: OnceLock<Regex> = OnceLock::new();
    let member = pattern(
        &MEMBER,
        r"^[ \t,]*(W/)?(\x22[!\x23-~\x80-\xff]*\x22)[ \t]*(?:,|$)",
    );
    lines.iter().any(|line| {
        let mut rest = &line[..];
        while let Some(parts) = member.captures(rest) {
            let is_weak = parts.get(1).is_some();
            if &parts[2] == etag && (weakly || !is_weak) {
                return true;
            }
            rest = &rest[parts[0].len()..];
        }
        line == b"*"
    })
}

/// Another reader of dates; it lets blanks stand around them, which no field value has.
fn date(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if text.trim() != text {
        return None;
    }
    let time = httpdate::parse_http_date(text).ok()?;
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|time| time.as_secs())
}

const CASE_COUNT: u64 = 48_000;

/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED: u64 = 784_111_777;

const TAGS: &[&[u8]] = &[
    b"\"abc\"",
    b"W/\"abc\"",
    b"*",
    b"\"x\", \"abc\"",
    b"\"a,b\" ,\tW/\"abc\",",
    b", ,\"abc\"",
    b"\"\"",
    b"abc",
    b"\"abc",
    b"w/\"abc\"",
    b"\"x\" \"abc\"",
    b"*, \"x\"",
    b"\"abc\\\"\", \"\xe4\"",
];

const DATES: &[&[u8]] = &[
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sun, 06 Nov 1994 08:49:38 GMT",
    b"Sun, 06 Nov 1994 08:49:36 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b"Thu, 01 Jan 1970 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 GMT",
    b"yesterday",
    b"0",
];
