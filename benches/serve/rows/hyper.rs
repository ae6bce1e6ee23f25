//! hyper on tokio: the same index, the same fields and bodies, chosen by the same rules.
//!
//! All bodies are in memory, the large ones too, since hyper sends those without copying them.
//! Several ranges at once are answered with everything, as RFC 9110 §14.2 allows.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    LOCATION, RANGE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use whitering::internal::assets::{Asset, Body, Entry, Variant};
use whitering::internal::http::conditional::{self, Conditions, Outcome, Validators};
use whitering::internal::http::negotiate::{self, Accepted};
use whitering::internal::http::range::{self, Selection};
use whitering::internal::http::{path, status::Status};
use whitering::internal::reactor::Published;

use super::Options;
use super::site::{self, Bodies};
use super::worker::{self, Worker};

/// Serves until the process is ended.
pub(super) fn serve(options: &Options) -> io::Result<()> {
    worker::run(options, &site::load(options, Bodies::InMemory)?, |worker| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(accept(worker))
    })
}

async fn accept(worker: Worker) -> io::Result<()> {
    let site = Arc::new(Site::new(worker.published));
    let listener = tokio::net::TcpListener::from_std(worker.listener)?;
    let mut server = http1::Builder::new();
    server.pipeline_flush(true).header_read_timeout(None);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client is gone already.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let site = Arc::clone(&site);
        let service = service_fn(move |request: Request<Incoming>| {
            ready(Ok::<_, Infallible>(site.answer(&request)))
        });
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

/// The snapshot, and its heads in hyper's form; each thread has its own.
struct Site {
    published: Published,
    fields: Vec<Box<[Prepared]>>,
}

/// The fields of one variant, made when they are first needed.
#[derive(Default)]
struct Prepared {
    ok: OnceLock<Box<HeaderMap>>,
    not_modified: OnceLock<Box<HeaderMap>>,
}

/// What a request has chosen.
#[derive(Clone, Copy)]
struct Chosen<'s> {
    asset: &'s Asset,
    variant: &'s Variant,
    prepared: &'s Prepared,
}

type Answer = Response<Full<Bytes>>;

impl Site {
    fn new(published: Published) -> Self {
        let prepared = |asset: &Asset| asset.variants.iter().map(|_| Prepared::default()).collect();
        Self {
            fields: published.assets.iter().map(prepared).collect(),
            published,
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let mut scratch = Vec::new();
        let Ok(path) = path::resolve(request.uri().path().as_bytes(), &mut scratch) else {
            return refusal(Status::BadRequest);
        };
        match self.published.find(path) {
            None => refusal(Status::NotFound),
            Some(_) if !is_read => refusal(Status::MethodNotAllowed),
            Some(Entry::Redirect(location)) => self.redirect(request, location),
            Some(&Entry::Asset(index)) => answer_asset(request, self.choose(request, index)),
        }
    }

    fn choose(&self, request: &Request<Incoming>, index: u32) -> Chosen<'_> {
        let asset = self.published.asset(index);
        let accepted = || Accepted::parse(values(request.headers(), &ACCEPT_ENCODING));
        let codings = || asset.variants.iter().map(|variant| variant.coding);
        let chosen = match asset.variants.len() {
            1 => 0,
            _ => {
                negotiate::choose(&accepted(), codings()).unwrap_or_else(|| asset.identity_index())
            }
        };
        Chosen {
            asset,
            variant: &asset.variants[chosen],
            prepared: &self.fields[index as usize][chosen],
        }
    }

    fn redirect(&self, request: &Request<Incoming>, location: &str) -> Answer {
        let mut answer = Answer::default();
        *answer.status_mut() = StatusCode::FOUND;
        let query = request.uri().query();
        let location = query.map_or_else(
            || location.to_owned(),
            |query| format!("{location}?{query}"),
        );
        *answer.headers_mut() = parse(self.published.redirect_fields.as_bytes());
        answer
            .headers_mut()
            .insert(LOCATION, value(location.into_bytes()));
        answer
    }
}

fn answer_asset(request: &Request<Incoming>, chosen: Chosen<'_>) -> Answer {
    let fields = request.headers();
    let validators = Validators {
        etag: chosen.variant.heads.etag(),
        modified_seconds: chosen.asset.modified_seconds,
    };
    let conditions = Conditions {
        if_match: values(fields, &IF_MATCH),
        if_none_match: values(fields, &IF_NONE_MATCH),
        if_modified_since: values(fields, &IF_MODIFIED_SINCE),
        if_unmodified_since: values(fields, &IF_UNMODIFIED_SINCE),
    };
    match conditional::evaluate(conditions, &validators) {
        Outcome::Proceed => {}
        Outcome::NotModified => return chosen.not_modified(),
        Outcome::PreconditionFailed => return refusal(Status::PreconditionFailed),
    }
    if request.method() != Method::GET || !fields.contains_key(RANGE) {
        return chosen.whole();
    }
    let if_range = fields.get(IF_RANGE).map(HeaderValue::as_bytes);
    // Files of a benchmark are older than a second.
    if !conditional::if_range(if_range, &validators, u64::MAX) {
        return chosen.whole();
    }
    match range::select(values(fields, &RANGE), chosen.variant.body.bytes()) {
        Selection::Whole | Selection::Several(_) => chosen.whole(),
        Selection::Single(range) => chosen.partial(&range),
        Selection::Unsatisfiable => {
            let mut answer = refusal(Status::RangeNotSatisfiable);
            let length = format!("bytes */{}", chosen.variant.body.bytes());
            let fields = answer.headers_mut();
            fields.insert(CONTENT_RANGE, value(length.into_bytes()));
            answer
        }
    }
}

impl Chosen<'_> {
    fn whole(&self) -> Answer {
        let fields = self.prepared.ok.get_or_init(|| {
            let mut fields = parse(self.variant.heads.fields());
            fields.insert(CONTENT_LENGTH, self.variant.body.bytes().into());
            Box::new(fields)
        });
        let mut answer = Response::new(Full::new(self.bytes().clone()));
        answer.headers_mut().clone_from(fields);
        answer
    }

    fn partial(&self, range: &Range<u64>) -> Answer {
        let mut answer = self.whole();
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        let (start, end) = (offset(range.start), offset(range.end));
        *answer.body_mut() = Full::new(self.bytes().slice(start..end));
        let (last, length) = (range.end - 1, self.variant.body.bytes());
        let content_range = format!("bytes {}-{last}/{length}", range.start);
        let fields = answer.headers_mut();
        fields.insert(CONTENT_LENGTH, (range.end - range.start).into());
        fields.insert(CONTENT_RANGE, value(content_range.into_bytes()));
        answer
    }

    fn not_modified(&self) -> Answer {
        let fields = self.prepared.not_modified.get_or_init(|| {
            let mut fields = parse(self.variant.heads.not_modified());
            // hyper writes its own.
            fields.remove(http::header::DATE);
            Box::new(fields)
        });
        let mut answer = Answer::default();
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().clone_from(fields);
        answer
    }

    fn bytes(&self) -> &Bytes {
        match &self.variant.body {
            Body::Memory(bytes) => bytes,
            Body::File(_) => unreachable!("invariant: everything was loaded"),
        }
    }
}

/// A status with its own small text.
fn refusal(status: Status) -> Answer {
    let text = status.body();
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::from_u16(status.code()).unwrap_or_default();
    let fields = answer.headers_mut();
    let text_type = HeaderValue::from_static("text/plain; charset=utf-8");
    fields.insert(CONTENT_TYPE, text_type);
    fields.insert(CONTENT_LENGTH, text.len().into());
    if status == Status::MethodNotAllowed {
        fields.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    answer
}

/// Reads rendered field lines; a status line before them has no colon where a name ends.
fn parse(lines: &[u8]) -> HeaderMap {
    let lines = lines.split(|byte| *byte == b'\n');
    let pair = |line: &[u8]| {
        let colon = memchr::memmem::find(line, b": ")?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let text = line[colon + 2..].trim_ascii_end();
        Some((name, HeaderValue::from_bytes(text).ok()?))
    };
    let mut fields = HeaderMap::new();
    for (name, value) in lines.filter_map(pair) {
        fields.append(name, value);
    }
    fields
}

/// The values of every line of the field `name`.
fn values<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    fields.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

fn value(text: Vec<u8>) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn offset(bytes: u64) -> usize {
    usize::try_from(bytes).expect("invariant: a body in memory is addressable")
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
