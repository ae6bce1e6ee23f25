//! Field lines as they were rendered when assets were loaded, as maps; and the maps of answers
//! that were given lately, so that most requests only copy one.

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;

use crate::assets::{Asset, Chosen};
use crate::http::head::Heads;

/// The status and fields of prepared answers, each at the one place it can be at.
#[derive(Debug, Default)]
pub(super) struct Cache {
    places: Vec<Option<Box<Place>>>,
}

#[derive(Debug)]
struct Place {
    key: usize,
    prepared: Prepared,
}

/// A status and its fields.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
}

/// Which of a variant's heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The full answer.
    Ok,
    /// RFC 9110 §15.4.5.
    NotModified,
}

impl Cache {
    /// What `chosen` is answered with.
    pub(super) fn prepared(&mut self, chosen: &Chosen<'_>, kind: Kind) -> Prepared {
        let key = (chosen.asset_index as usize * Asset::VARIANT_COUNT_MAX
            + usize::from(chosen.variant_index))
            * 2
            + usize::from(kind == Kind::NotModified);
        if self.places.is_empty() {
            self.places.resize_with(PLACE_COUNT, || None);
        }
        let place = &mut self.places[key % PLACE_COUNT];
        match place {
            Some(place) if place.key == key => place.prepared.clone(),
            _ => {
                let prepared = Prepared::parse(&chosen.variant.heads, kind);
                *place = Some(Box::new(Place {
                    key,
                    prepared: prepared.clone(),
                }));
                prepared
            }
        }
    }
}

impl Prepared {
    /// Takes a rendered head apart.
    pub(super) fn parse(heads: &Heads, kind: Kind) -> Self {
        let head = match kind {
            Kind::Ok => heads.ok(),
            Kind::NotModified => heads.not_modified(),
        };
        let status = head.get(STATUS_CODE).map(StatusCode::from_bytes);
        let mut lines = head.split_inclusive(|&byte| byte == b'\n');
        // The status line and `Date`, which whoever writes the answer fills in.
        let skipped: usize = lines.by_ref().take(2).map(<[u8]>::len).sum();
        Self {
            status: status
                .and_then(Result::ok)
                .expect("invariant: a head starts with its status"),
            fields: parse(Bytes::copy_from_slice(&head[skipped..])),
        }
    }
}

/// The fields of `lines`, each with its line end. Values share its memory.
pub(super) fn parse(lines: Bytes) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(FIELD_COUNT_USUAL);
    append(&mut fields, lines);
    fields
}

/// Appends `lines` to `fields`.
pub(super) fn append(fields: &mut HeaderMap, lines: Bytes) {
    let mut start = 0;
    while let Some(length) = memchr::memchr(b'\n', &lines[start..]) {
        let line = start..(start + length).saturating_sub(1);
        start += length + 1;
        let Some(colon) = memchr::memchr(b':', &lines[line.clone()]) else {
            continue;
        };
        let name = HeaderName::from_bytes(&lines[line.start..line.start + colon]);
        let value = lines.slice(line.start + colon + 2..line.end);
        // Lines were checked where they were configured; one that was not cannot be sent.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value)) {
            fields.append(name, value);
        }
    }
}

/// Where the status is in a head.
const STATUS_CODE: std::ops::Range<usize> = "HTTP/1.1 ".len().."HTTP/1.1 200".len();

/// As many answers are kept; with some 1.5 KB each.
const PLACE_COUNT: usize = 4096;

/// Room for the fields of most answers, and for those that are added when they are sent.
const FIELD_COUNT_USUAL: usize = 16;
