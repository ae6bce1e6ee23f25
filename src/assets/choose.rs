//! Which answer a request gets from a snapshot. Chooses among what was prepared; builds nothing.

use std::ops::Range;

use super::{Asset, Entry, NotFound, Snapshot, Variant};
use crate::http::conditional::{self, Conditions, Outcome, Validators};
use crate::http::negotiate::{self, Accepted};
use crate::http::path;
use crate::http::range::{self, Ranges, Selection};
use crate::http::request::{Field, Method, Request, Target};
use crate::http::status::Status;

/// The answer to one request, as references into the snapshot.
#[derive(Debug)]
pub enum Choice<'s> {
    /// The whole variant.
    Whole(Chosen<'s>),
    /// RFC 9110 §15.4.5.
    NotModified(Chosen<'s>),
    /// One part of the variant (RFC 9110 §15.3.7.1).
    Partial(Chosen<'s>, Range<u64>),
    /// Several parts of the variant (RFC 9110 §15.3.7.2).
    Multipart(Chosen<'s>, Box<Ranges>),
    /// No range that was asked for is in the variant (RFC 9110 §15.5.17).
    Unsatisfiable {
        /// The length of the variant in bytes.
        length: u64,
    },
    /// Elsewhere; the query of the request goes along.
    Redirect {
        /// The value of `Location` but for the query.
        location: &'s str,
        /// Further field lines, each with its line end.
        fields: &'s str,
    },
    /// What this server can do with anything.
    Options,
    /// May a script of another origin ask for this?
    Preflight,
    /// Nothing but a status and its text.
    Refusal(Status),
    /// Whatever is behind the files: this names none.
    Fallback,
}

/// A variant and where it stands in its snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'s> {
    /// The variant.
    pub variant: &'s Variant,
    /// Its asset, in [`Snapshot::assets`].
    pub asset_index: u32,
    /// Which of the asset's variants it is.
    pub variant_index: u8,
}

/// What answers depend on besides the request and the files.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether CORS preflights are answered.
    pub cors: bool,
    /// Whether something else answers what names no file.
    pub has_fallback: bool,
    /// The wall clock, in seconds since 1970.
    pub unix_seconds: u64,
}

/// Chooses the answer to `request`.
pub fn choose<'s>(
    request: &Request<'_>,
    snapshot: &'s Snapshot,
    policy: Policy,
    path_scratch: &mut Vec<u8>,
) -> Choice<'s> {
    let raw_path = match request.target {
        Target::Path { path, .. } => path,
        Target::Asterisk => return Choice::Options,
        Target::Authority => return Choice::Refusal(Status::MethodNotAllowed),
    };
    let Ok(path) = path::resolve(raw_path, path_scratch) else {
        return Choice::Refusal(Status::BadRequest);
    };
    match snapshot.find(path) {
        Some(&Entry::Asset(index)) => choose_asset(request, snapshot, index, policy),
        Some(Entry::Redirect(location)) => match request.method {
            Method::Get | Method::Head => Choice::Redirect {
                location,
                fields: &snapshot.redirect_fields,
            },
            _ => Choice::Refusal(Status::MethodNotAllowed),
        },
        None => choose_missing(request, snapshot, policy),
    }
}

fn choose_asset<'s>(
    request: &Request<'_>,
    snapshot: &'s Snapshot,
    asset_index: u32,
    policy: Policy,
) -> Choice<'s> {
    match request.method {
        Method::Get | Method::Head => {}
        Method::Options if policy.cors && is_preflight(request) => return Choice::Preflight,
        Method::Options | Method::Other => return Choice::Refusal(Status::MethodNotAllowed),
    }
    let asset = snapshot.asset(asset_index);
    let chosen = negotiate(request, asset, asset_index);
    let validators = Validators {
        etag: chosen.variant.heads.etag(),
        modified_seconds: asset.modified_seconds,
    };
    if request.is_conditional() {
        let conditions = Conditions {
            if_match: request.values(Field::IfMatch),
            if_unmodified_since: request.values(Field::IfUnmodifiedSince),
            if_none_match: request.values(Field::IfNoneMatch),
            if_modified_since: request.values(Field::IfModifiedSince),
        };
        match conditional::evaluate(conditions, &validators) {
            Outcome::Proceed => {}
            Outcome::NotModified => return Choice::NotModified(chosen),
            Outcome::PreconditionFailed => return Choice::Refusal(Status::PreconditionFailed),
        }
    }
    if request.method == Method::Get && request.has(Field::Range) {
        return choose_range(request, chosen, &validators, policy);
    }
    Choice::Whole(chosen)
}

/// Ranges are of the chosen representation, after its conditions (RFC 9110 §13.2.2, §14.2).
fn choose_range<'s>(
    request: &Request<'_>,
    chosen: Chosen<'s>,
    validators: &Validators<'_>,
    policy: Policy,
) -> Choice<'s> {
    let mut conditions = request.values(Field::IfRange);
    if let Some(condition) = conditions.next()
        && (conditions.next().is_some()
            || !conditional::if_range(Some(condition), validators, policy.unix_seconds))
    {
        return Choice::Whole(chosen);
    }
    let length = chosen.variant.body.bytes();
    match range::select(request.values(Field::Range), length) {
        Selection::Whole => Choice::Whole(chosen),
        Selection::Single(range) => Choice::Partial(chosen, range),
        Selection::Several(ranges) => Choice::Multipart(chosen, Box::new(ranges)),
        Selection::Unsatisfiable => Choice::Unsatisfiable { length },
    }
}

fn choose_missing<'s>(request: &Request<'_>, snapshot: &'s Snapshot, policy: Policy) -> Choice<'s> {
    if policy.has_fallback {
        return Choice::Fallback;
    }
    match (request.method, snapshot.not_found) {
        (Method::Get | Method::Head, Some(NotFound::Spa(index))) => {
            choose_asset(request, snapshot, index, policy)
        }
        (Method::Get | Method::Head, Some(NotFound::Page(index))) => {
            Choice::Whole(negotiate(request, snapshot.asset(index), index))
        }
        _ => Choice::Refusal(Status::NotFound),
    }
}

/// Proactive negotiation of the content coding (RFC 9110 §12.5.3).
fn negotiate<'s>(request: &Request<'_>, asset: &'s Asset, asset_index: u32) -> Chosen<'s> {
    let chosen = |index: usize| Chosen {
        variant: &asset.variants[index],
        asset_index,
        variant_index: u8::try_from(index).expect("invariant: as many variants as codings"),
    };
    if asset.variants.len() == 1 {
        return chosen(0);
    }
    let codings = || asset.variants.iter().map(|variant| variant.coding);
    let accepted = Accepted::parse(request.values(Field::AcceptEncoding));
    match negotiate::choose(&accepted, codings()) {
        Some(index) => chosen(index),
        None => chosen(asset.identity_index()),
    }
}

/// A CORS preflight, as the Fetch standard's "CORS-preflight request" has it.
fn is_preflight(request: &Request<'_>) -> bool {
    request.has(Field::Origin) && request.has(Field::AccessControlRequestMethod)
}

/// The field lines of [`Choice::Options`], each with its line end.
pub const OPTIONS_FIELDS: &str = "Allow: GET, HEAD, OPTIONS\r\n";

/// The field lines of [`Choice::Preflight`]: every method and field that can succeed here is
/// allowed, for a day.
pub const PREFLIGHT_FIELDS: &str = "Access-Control-Allow-Origin: *\r\n\
    Access-Control-Allow-Methods: GET, HEAD\r\n\
    Access-Control-Allow-Headers: *\r\n\
    Access-Control-Max-Age: 86400\r\n";
