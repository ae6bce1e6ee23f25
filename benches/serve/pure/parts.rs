//! The parts of a request one by one: parse, look up, negotiate, conditions, ranges, dates.

use std::hint::black_box;

use whitering::internal::connection::http_date;
use whitering::internal::http::conditional::{self, Conditions, Validators};
use whitering::internal::http::negotiate::{self, Accepted};
use whitering::internal::http::request::{Fields, Request, head_end};
use whitering::internal::http::{Coding, path, range};

use super::requests::{ACCEPT_BROWSER, ACCEPT_CURL, ACCEPT_WEIGHTS, PLAIN, browser};
use super::site::{self, ETAG, MODIFIED_SECONDS};
use super::{Case, Work};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("parse/plain", || parse(PLAIN)),
        Case::new("parse/browser", || parse(&browser("/a.css", ""))),
        Case::new("path/plain", || resolve("/static/a/main.3f2a1b0c.css")),
        Case::new("path/escaped", || resolve("/static/a%20b/../main.css")),
        Case::new("find/hit-1000", || find(1_000, true)),
        Case::new("find/miss-1000", || find(1_000, false)),
        Case::new("find/hit-100000", || find(100_000, true)),
        Case::new("find/miss-100000", || find(100_000, false)),
        Case::new("negotiate/browser", || negotiate(ACCEPT_BROWSER)),
        Case::new("negotiate/curl", || negotiate(ACCEPT_CURL)),
        Case::new("negotiate/weights", || negotiate(ACCEPT_WEIGHTS)),
        Case::new("conditional/match", || conditional(Some(ETAG), None)),
        Case::new("conditional/mismatch", || {
            conditional(Some(ETAG_OTHER), None)
        }),
        Case::new("conditional/date", || conditional(None, Some(modified()))),
        Case::new("range/single", || select("bytes=100-199")),
        Case::new("range/several", || select("bytes=0-99,500-599,-100")),
        Case::new("range/if-range-tag", || if_range(ETAG.to_owned())),
        Case::new("range/if-range-date", || if_range(modified())),
        Case::new("date/format", format),
    ]
}

/// From received bytes to a checked request.
fn parse(head: &str) -> Work {
    let head = head.as_bytes().to_vec();
    Box::new(move || {
        let head = black_box(&head[..]);
        let end = head_end(head, 0, 16_384, 8_192);
        let mut fields = Fields::new();
        let request = Request::parse(head, &mut fields, 8_192);
        black_box((end.is_ok(), request.is_ok()));
    })
}

fn resolve(raw: &'static str) -> Work {
    let mut scratch = Vec::with_capacity(64);
    Box::new(move || {
        let path = path::resolve(black_box(raw.as_bytes()), &mut scratch);
        black_box(path.is_ok());
    })
}

/// Looks up another of `count` paths each time, far from the last in memory.
fn find(count: u32, is_there: bool) -> Work {
    let mut paths = site::paths(count);
    let snapshot = site::index(&paths);
    if !is_there {
        for path in &mut paths {
            path[1] = b'S';
        }
    }
    let mut next = 0;
    Box::new(move || {
        next = (next + STRIDE) % paths.len();
        let entry = snapshot.find(black_box(&paths[next]));
        debug_assert_eq!(entry.is_some(), is_there);
        black_box(entry);
    })
}

fn negotiate(value: &'static str) -> Work {
    let codings = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];
    Box::new(move || {
        let accepted = Accepted::parse([black_box(value.as_bytes())]);
        black_box(negotiate::choose(&accepted, codings));
    })
}

/// If-None-Match and If-Modified-Since.
fn conditional(tag: Option<&'static str>, since: Option<String>) -> Work {
    Box::new(move || {
        let conditions = Conditions {
            if_match: None,
            if_none_match: black_box(tag).map(str::as_bytes),
            if_modified_since: black_box(since.as_deref()).map(str::as_bytes),
            if_unmodified_since: None,
        };
        black_box(conditional::evaluate(conditions, &VALIDATORS));
    })
}

fn select(value: &'static str) -> Work {
    Box::new(move || {
        black_box(range::select([black_box(value.as_bytes())], 10_240));
    })
}

fn if_range(value: String) -> Work {
    Box::new(move || {
        let value = black_box(value.as_bytes());
        black_box(conditional::if_range(
            Some(value),
            &VALIDATORS,
            MODIFIED_SECONDS + 60,
        ));
    })
}

/// What a worker does once a second.
fn format() -> Work {
    Box::new(|| {
        black_box(http_date(black_box(MODIFIED_SECONDS)));
    })
}

fn modified() -> String {
    String::from_utf8_lossy(&http_date(MODIFIED_SECONDS)).into_owned()
}

const VALIDATORS: Validators<'static> = Validators {
    etag: ETAG.as_bytes(),
    modified_seconds: Some(MODIFIED_SECONDS),
};

/// The tag of other content.
const ETAG_OTHER: &str = "\"0123456789abcdef0123456789abcdef\"";

/// A prime that divides none of the counts, so that every path is visited.
const STRIDE: usize = 7_919;
