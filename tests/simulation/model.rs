//! What the answer to a request has to be: slow, obvious, from the RFCs and the description of
//! the site alone. Asks nothing of the code under test.

use std::borrow::Cow;
use std::ops::Range;

use crate::request::{RangeSpec, Request};
use crate::site::{Page, Representation, Site};

/// One answer, as exactly as it is determined.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Fields that have to be there with this value, or have not to be there.
    pub(crate) fields: Vec<(&'static str, Option<String>)>,
    pub(crate) body: Content,
    /// The connection ends behind it.
    pub(crate) is_last: bool,
    /// The file it comes from has to be opened first.
    pub(crate) from_file: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// No body, whatever `Content-Length` says.
    None,
    Bytes(Cow<'static, [u8]>),
    /// Ranges of these bytes of this type, as `multipart/byteranges`.
    Parts(&'static [u8], Vec<Range<usize>>, &'static str),
}

impl Answer {
    /// The same, as the last on its connection.
    pub(crate) fn closing(mut self) -> Self {
        self.fields.retain(|(name, _)| *name != "connection");
        self.fields.push(("connection", Some("close".to_owned())));
        self.is_last = true;
        self
    }
}

/// The answer to a request that is framed as it should be.
pub(crate) fn answer(request: &Request, site: &'static Site) -> Answer {
    let mut answer = choose(request, site);
    let options = request.connection.unwrap_or_default().to_ascii_lowercase();
    let (close, keep) = (options.contains("close"), options.contains("keep-alive"));
    // RFC 9112 §9.3.
    answer.is_last = close || (request.is_http10 && !keep);
    let connection = match (answer.is_last, request.is_http10) {
        (true, _) => Some("close"),
        (false, true) => Some("keep-alive"),
        (false, false) => None,
    };
    answer
        .fields
        .push(("connection", connection.map(str::to_owned)));
    if request.method == "HEAD" {
        answer.body = Content::None;
        answer.from_file = false;
    }
    answer
}

/// The last answer on a connection: the request behind it was refused.
pub(crate) fn refusal(status: u16, to_head: bool) -> Answer {
    let mut answer = text(status).closing();
    if to_head {
        answer.body = Content::None;
    }
    answer
}

/// What is sent instead if the file of `answer` cannot be opened.
pub(crate) fn without_file(answer: &Answer, status: u16) -> Answer {
    let connection = answer
        .fields
        .iter()
        .filter(|(name, _)| *name == "connection");
    let mut instead = text(status);
    instead.fields.extend(connection.cloned());
    instead.is_last = answer.is_last;
    instead
}

fn choose(request: &Request, site: &'static Site) -> Answer {
    let is_read = matches!(request.method, "GET" | "HEAD");
    match request.path {
        "*" => return empty(204, &[("allow", "GET, HEAD, OPTIONS")]),
        "/%zz" => return text(400),
        "/d" | "/index.html" | "/d/index.html" if is_read => {
            let location = if request.path == "/d" { "d/" } else { "./" };
            let query = request
                .query
                .map_or(String::new(), |query| format!("?{query}"));
            let fields = [
                ("location", &*(location.to_owned() + &query)),
                ("content-length", "0"),
            ];
            return empty(302, &fields);
        }
        "/d" | "/index.html" | "/d/index.html" => return text(405),
        _ => {}
    }
    let Some(page) = site.page(request.path) else {
        return text(404);
    };
    if request.is_preflight {
        return empty(204, &[("access-control-allow-origin", "*")]);
    }
    if !is_read {
        return text(405);
    }
    let chosen = negotiate(request, page);
    if let Some((name, tags)) = &request.condition {
        let matches = tags.contains(&chosen.etag);
        match (*name, matches) {
            ("If-Match", false) => return text(412),
            ("If-None-Match", true) => return not_modified(chosen),
            _ => {}
        }
    }
    // RFC 9110 §14.2: only for GET.
    if request.method == "GET" && !request.ranges.is_empty() {
        return ranges(request, chosen);
    }
    whole(chosen)
}

fn negotiate(request: &Request, page: &'static Page) -> &'static Representation {
    let groups = request.accept.map_or(&[][..], |(_, groups)| groups);
    for group in groups {
        let accepted = page
            .representations
            .iter()
            .filter(|one| group.contains(&one.coding));
        if let Some(smallest) = accepted.min_by_key(|one| one.bytes.len()) {
            return smallest;
        }
    }
    &page.representations[0]
}

fn ranges(request: &Request, chosen: &'static Representation) -> Answer {
    let length = chosen.bytes.len();
    let satisfiable = |spec: &RangeSpec| {
        let range = match *spec {
            RangeSpec::From(first, last) => first..length.min(last + 1),
            RangeSpec::Open(first) => first..length,
            RangeSpec::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    };
    let ranges: Vec<Range<usize>> = request.ranges.iter().filter_map(satisfiable).collect();
    match &ranges[..] {
        [] => {
            let mut answer = text(416);
            answer
                .fields
                .push(("content-range", Some(format!("bytes */{length}"))));
            answer
        }
        [range] => {
            let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let bytes = &chosen.bytes[range.clone()];
            let mut answer = of(206, chosen, bytes.len());
            answer.fields.push(("content-range", Some(content_range)));
            answer.body = Content::Bytes(Cow::Borrowed(bytes));
            answer
        }
        _ => {
            let mut answer = of(206, chosen, 0);
            answer.fields.retain(|(name, _)| *name != "content-length");
            answer.fields.push(("content-range", None));
            answer.body = Content::Parts(&chosen.bytes, ranges, chosen.media_type);
            answer.from_file = chosen.on_disk;
            answer
        }
    }
}

fn whole(chosen: &'static Representation) -> Answer {
    let mut answer = of(200, chosen, chosen.bytes.len());
    answer.fields.push(("content-range", None));
    answer.body = Content::Bytes(Cow::Borrowed(&chosen.bytes));
    answer
}

/// An answer with (a part of) a representation.
fn of(status: u16, chosen: &Representation, length: usize) -> Answer {
    let coding = (chosen.coding != "identity").then(|| chosen.coding.to_owned());
    let mut answer = empty(
        status,
        &[
            ("etag", &chosen.etag),
            ("content-length", &length.to_string()),
        ],
    );
    answer.fields.push(("content-encoding", coding));
    answer.from_file = chosen.on_disk && length > 0;
    answer
}

/// RFC 9110 §15.4.5: no body, and no fields about one.
fn not_modified(chosen: &Representation) -> Answer {
    let mut answer = empty(304, &[("etag", &chosen.etag)]);
    answer.fields.push(("content-encoding", None));
    answer
}

fn empty(status: u16, fields: &[(&'static str, &str)]) -> Answer {
    let fields = fields
        .iter()
        .map(|(name, value)| (*name, Some((*value).to_owned())));
    Answer {
        status,
        fields: fields.collect(),
        body: Content::None,
        is_last: false,
        from_file: false,
    }
}

/// A status with its own small text.
fn text(status: u16) -> Answer {
    let (_, reason) = REASONS.iter().find(|(code, _)| *code == status).unwrap();
    let body = format!("{status} {reason}\n");
    let mut answer = empty(status, &[("content-length", &body.len().to_string())]);
    match status {
        405 => answer.fields.push(("allow", Some("GET, HEAD".to_owned()))),
        503 => answer.fields.push(("retry-after", Some("1".to_owned()))),
        _ => {}
    }
    answer.body = Content::Bytes(Cow::Owned(body.into_bytes()));
    answer
}

/// RFC 9110 §15, and RFC 6585 for 431.
const REASONS: [(u16, &str); 13] = [
    (400, "Bad Request"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (412, "Precondition Failed"),
    (413, "Content Too Large"),
    (414, "URI Too Long"),
    (416, "Range Not Satisfiable"),
    (417, "Expectation Failed"),
    (431, "Request Header Fields Too Large"),
    (501, "Not Implemented"),
    (503, "Service Unavailable"),
    (505, "HTTP Version Not Supported"),
];
