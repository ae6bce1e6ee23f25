//! Snapshots made in memory, the same in every process: no file is read and no thread started,
//! so that instructions can be counted exactly.

use std::rc::Rc;
use std::sync::Arc;

use whitering::internal::assets::{Asset, Body, Entry, Snapshot, Variant};
use whitering::internal::connection::{Held, http_date};
use whitering::internal::http::Coding;
use whitering::internal::http::head::{Heads, Representation};

/// The entity tag of every original.
pub(super) const ETAG: &str = "\"9f86d081884c7d659a2feaa0c55ad015\"";

/// `Last-Modified` of everything.
pub(super) const MODIFIED_SECONDS: u64 = 1_690_000_000;

/// A small site: 1 KiB and 10 KiB, and a file with compressed variants.
pub(super) fn small() -> Held {
    let assets = vec![
        asset(&[(Coding::Identity, 1_024)]),
        asset(&[(Coding::Identity, 10_240)]),
        asset(&[
            (Coding::Brotli, 2_048),
            (Coding::Zstd, 2_300),
            (Coding::Gzip, 2_500),
            (Coding::Identity, 10_240),
        ]),
    ];
    let entry = |(index, path): (u32, &str)| (path.as_bytes().into(), Entry::Asset(index));
    let entries = (0..).zip(["/a.css", "/b.css", "/c.css"]).map(entry);
    Rc::new(Arc::new(Snapshot {
        entries: entries.collect(),
        assets,
        ..Snapshot::default()
    }))
}

/// Paths of files as packages have them.
pub(super) fn paths(count: u32) -> Vec<Box<[u8]>> {
    let path = |number| format!("/static/package-{}/dist/file-{number}.js", number % 97);
    (0..count)
        .map(|number| path(number).into_bytes().into())
        .collect()
}

/// An index of `paths` without the assets behind it.
pub(super) fn index(paths: &[Box<[u8]>]) -> Snapshot {
    let entry = |(index, path): (u32, Box<[u8]>)| (path, Entry::Asset(index));
    Snapshot {
        entries: (0..).zip(paths.iter().cloned()).map(entry).collect(),
        ..Snapshot::default()
    }
}

/// A file with `variants`: coding and length, smallest first.
fn asset(variants: &[(Coding, usize)]) -> Asset {
    let varies = variants.len() > 1;
    let variant = |&(coding, length): &(Coding, usize)| Variant {
        coding,
        heads: heads(coding, varies, length),
        body: Body::Memory(vec![b'x'; length].into()),
    };
    Asset {
        variants: variants.iter().map(variant).collect(),
        modified_seconds: Some(MODIFIED_SECONDS),
    }
}

/// Heads with the fields that are sent by default.
fn heads(coding: Coding, varies: bool, length: usize) -> Heads {
    let etag = match coding.extension() {
        None => ETAG.to_owned(),
        Some(extension) => format!("{}-{extension}\"", ETAG.trim_end_matches('"')),
    };
    let modified = http_date(MODIFIED_SECONDS);
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Heads::render(&Representation {
        status: "200 OK",
        content_type: "text/css; charset=utf-8",
        cache_control: Some("max-age=60, public"),
        etag: Some(&etag),
        last_modified: std::str::from_utf8(&modified).ok(),
        coding,
        varies,
        ranges: true,
        extra: &[
            field("Access-Control-Allow-Origin", "*"),
            field("X-Content-Type-Options", "nosniff"),
        ],
        length: length as u64,
    })
    .expect("invariant: a head this short is rendered")
}
