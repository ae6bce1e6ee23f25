//! Files that the application has sent: it names one with `X-Sendfile` or `X-Accel-Redirect`, and
//! the lane sends that instead of the application's body. Only from below configured directories.

mod roots;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

pub(super) use roots::{Root, open_roots};

use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, response};

use crate::assets::OpenError;
use crate::http::conditional::{self, Conditions, Outcome, Validators};
use crate::http::date;
use crate::http::range::{self, Selection};
use crate::service::{Content, FilePart, Part};
use crate::sys::identity::Identity;

/// What of a request matters when the application names a file.
pub(super) struct Sendfile {
    roots: Rc<[Root]>,
    method: Method,
    fields: HeaderMap,
}

/// The file that an application names.
#[derive(Debug)]
pub(super) enum Named {
    /// By its path in the file system.
    Path(HeaderValue),
    /// By a URL path.
    Url(HeaderValue),
}

/// Takes both fields out of `fields`: they reach nobody.
pub(super) fn take_fields(fields: &mut HeaderMap) -> Option<Named> {
    let path = fields.remove(X_SENDFILE).map(Named::Path);
    let url = fields.remove(X_ACCEL_REDIRECT).map(Named::Url);
    path.or(url)
}

impl Sendfile {
    /// Keeps what matters of a request; nothing if no file may be named.
    pub(super) fn for_request(parts: &Parts, roots: &Rc<[Root]>) -> Option<Self> {
        if roots.is_empty() {
            return None;
        }
        let mut fields = HeaderMap::new();
        for name in REQUEST_FIELDS {
            for value in parts.headers.get_all(&name) {
                fields.append(&name, value.clone());
            }
        }
        Some(Self {
            roots: Rc::clone(roots),
            method: parts.method.clone(),
            fields,
        })
    }

    /// Answers with the file that is `named`, and the other fields of `app`, the application's
    /// own answer.
    pub(super) fn answer(
        &self,
        named: &Named,
        app: response::Parts,
        now_seconds: u64,
    ) -> Response<Content> {
        match roots::open(&self.roots, named) {
            Ok(file) => self.send(file, app, now_seconds),
            Err(OpenError::Missing) => refusal(StatusCode::NOT_FOUND),
            Err(OpenError::Changed | OpenError::Unavailable) => {
                refusal(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    fn send(
        &self,
        (file, identity): (File, Identity),
        app: response::Parts,
        now_seconds: u64,
    ) -> Response<Content> {
        let mut fields = app.headers;
        for name in REPLACED_FIELDS {
            fields.remove(name);
        }
        fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        add_validators(&mut fields, &identity, now_seconds);
        let whole = 0..identity.bytes;
        let (status, range) = if app.status == StatusCode::OK {
            self.choose(&fields, identity.bytes, now_seconds)
        } else {
            (app.status, whole)
        };
        match status {
            StatusCode::NOT_MODIFIED => {
                fields.remove(header::CONTENT_TYPE);
                return respond(status, fields, Content::default());
            }
            StatusCode::PRECONDITION_FAILED => return refusal(status),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let mut response = refusal(status);
                let value = format!("bytes */{}", identity.bytes);
                set(response.headers_mut(), header::CONTENT_RANGE, &value);
                return response;
            }
            StatusCode::PARTIAL_CONTENT => {
                let last = range.end - 1;
                let value = format!("bytes {}-{last}/{}", range.start, identity.bytes);
                set(&mut fields, header::CONTENT_RANGE, &value);
            }
            _ => {}
        }
        set(
            &mut fields,
            header::CONTENT_LENGTH,
            &(range.end - range.start).to_string(),
        );
        let mut content = Content::default();
        if self.method != Method::HEAD && !range.is_empty() {
            let file = Arc::new(file);
            content
                .parts
                .push_back(Part::File(FilePart { file, range }));
        }
        respond(status, fields, content)
    }

    /// The status, and what of the file is sent (RFC 9110 §13.2.2, §14.2). Several ranges are
    /// answered with the whole file.
    fn choose(
        &self,
        fields: &HeaderMap,
        length: u64,
        now_seconds: u64,
    ) -> (StatusCode, std::ops::Range<u64>) {
        let whole = 0..length;
        if self.method != Method::GET && self.method != Method::HEAD {
            return (StatusCode::OK, whole);
        }
        let tag = fields
            .get(header::ETAG)
            .map_or(&b""[..], |tag| tag.as_bytes());
        // A weak tag can tell that nothing has changed, and nothing else (§8.8.3.2).
        let (strong, any) = match tag.strip_prefix(b"W/") {
            Some(opaque) => (&b""[..], opaque),
            None => (tag, tag),
        };
        let modified = fields.get(header::LAST_MODIFIED);
        let modified_seconds = modified.and_then(|value| date::parse(value.as_bytes()));
        let validators = |etag| Validators {
            etag,
            modified_seconds,
        };
        match conditional::evaluate(self.conditions(true), &validators(strong)) {
            Outcome::PreconditionFailed => return (StatusCode::PRECONDITION_FAILED, whole),
            Outcome::NotModified => return (StatusCode::NOT_MODIFIED, whole),
            Outcome::Proceed => {}
        }
        if conditional::evaluate(self.conditions(false), &validators(any)) == Outcome::NotModified {
            return (StatusCode::NOT_MODIFIED, whole);
        }
        let if_range = self
            .fields
            .get(header::IF_RANGE)
            .map(|value| value.as_bytes());
        if self.method != Method::GET
            || !conditional::if_range(if_range, &validators(strong), now_seconds)
        {
            return (StatusCode::OK, whole);
        }
        match range::select(self.lines(&header::RANGE), length) {
            Selection::Whole | Selection::Several(_) => (StatusCode::OK, whole),
            Selection::Single(range) => (StatusCode::PARTIAL_CONTENT, range),
            Selection::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, whole),
        }
    }

    /// All conditions; or only whether the client has it already.
    fn conditions(&self, all: bool) -> Conditions<Vec<&[u8]>> {
        let lines = |name, is_wanted| {
            let lines = self.lines(name);
            lines.filter(|_| is_wanted).collect()
        };
        Conditions {
            if_match: lines(&header::IF_MATCH, all),
            if_none_match: lines(&header::IF_NONE_MATCH, true),
            if_modified_since: lines(&header::IF_MODIFIED_SINCE, true),
            if_unmodified_since: lines(&header::IF_UNMODIFIED_SINCE, all),
        }
    }

    fn lines<'s>(&'s self, name: &HeaderName) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let values = self.fields.get_all(name).into_iter();
        values.map(HeaderValue::as_bytes)
    }
}

/// What tells one content from another, unless the application has said it.
fn add_validators(fields: &mut HeaderMap, identity: &Identity, now_seconds: u64) {
    let seconds = u64::try_from(identity.modified_nanos / NANOS).unwrap_or_default();
    if !fields.contains_key(header::LAST_MODIFIED) && seconds > 0 {
        let date = date::format(seconds.min(now_seconds));
        if let Ok(value) = HeaderValue::from_bytes(&date) {
            fields.insert(header::LAST_MODIFIED, value);
        }
    }
    // A file that was written just now may be written again within the grain of its time.
    let is_settled = identity.changed_nanos / NANOS + 2 <= i128::from(now_seconds);
    if !fields.contains_key(header::ETAG) && is_settled {
        let tag = format!(
            "\"{:x}-{:x}-{:x}\"",
            identity.inode, identity.changed_nanos, identity.bytes
        );
        set(fields, header::ETAG, &tag);
    }
}

fn respond(status: StatusCode, fields: HeaderMap, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

/// A status with nothing of what the application said.
fn refusal(status: StatusCode) -> Response<Content> {
    respond(status, HeaderMap::new(), Content::default())
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

const X_SENDFILE: &str = "x-sendfile";
const X_ACCEL_REDIRECT: &str = "x-accel-redirect";

const REQUEST_FIELDS: [HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// They are about the application's body, or its connection.
const REPLACED_FIELDS: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONTENT_RANGE,
    header::CONNECTION,
    header::TRAILER,
    header::UPGRADE,
];

const NANOS: i128 = 1_000_000_000;
