//! Request heads: what is accepted means the same to httparse and to the slow model, and what
//! the model refuses is refused.

use whitering::internal::http::request::{
    BodyFraming, Field, Fields, Method, Request, RequestError, Target, Version, head_end,
};

use super::head_model::{Facts, judge};
use super::mutation::hostile;
use super::random::{assert_reached, run};

#[test]
fn accepts_only_what_others_read_the_same() {
    let outcome = run(CASE_COUNT, |random| {
        let input = hostile(random, CORPUS);
        let Ok(Some(end)) = head_end(&input, 0, HEAD_BYTES_MAX, TARGET_BYTES_MAX) else {
            return false;
        };
        let head = &input[..end];
        let mut room = Fields::new();
        let parsed = Request::parse(head, &mut room, TARGET_BYTES_MAX);
        let facts = judge(head);
        match (&parsed, &facts) {
            (Ok(request), Some(facts)) => {
                check_facts(request, facts, head);
                check_httparse(request, facts, head);
            }
            (Err(RequestError::TargetTooLong), _) | (Err(_), None) => {}
            _ => panic!("{}: {parsed:?}, the model: {facts:?}", head.escape_ascii()),
        }
        parsed.is_ok()
    });
    assert_reached(outcome, 6);
}

/// The answer must not depend on how the peer's bytes were cut into segments.
#[test]
fn judges_the_same_however_it_is_torn() {
    let outcome = run(CASE_COUNT, |random| {
        let input = hostile(random, CORPUS);
        let whole = judge_torn(&input, |_| input.len());
        let step_max = if input.len() < 400 { 3 } else { 900 };
        let torn = judge_torn(&input, |filled| filled + 1 + random.below(step_max));
        let shown = input[..input.len().min(400)].escape_ascii();
        assert_eq!(torn, whole, "{} bytes: {shown}", input.len());
        matches!(whole, Ok(Some(_)))
    });
    assert_reached(outcome, 6);
}

/// A line that was refused when it came in pieces used to be accepted when it came whole.
#[test]
fn a_line_is_too_long_however_it_is_torn() {
    let method = "M".repeat(60);
    let target = "t".repeat(TARGET_BYTES_MAX - 1);
    let head = format!("{method} /{target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let too_long = Err(RequestError::TargetTooLong);
    let input = head.as_bytes();
    assert_eq!(judge_torn(input, |_| input.len()), too_long);
    assert_eq!(judge_torn(input, |filled| filled + 1), too_long);
    let fitting = head.replacen(&method, "M", 1);
    let end = Ok(Some(fitting.len()));
    assert_eq!(judge_torn(fitting.as_bytes(), |_| fitting.len()), end);
    assert_eq!(judge_torn(fitting.as_bytes(), |filled| filled + 1), end);
}

/// What is wrong first decides, and not what comes behind the limit in the same segment.
#[test]
fn a_head_is_refused_for_the_same_reason_however_it_is_torn() {
    for (start, expected) in [
        ("\0", RequestError::Malformed),
        ("GET / HTTP/1.1\r\nA: ", RequestError::HeadTooLarge),
        ("GET /", RequestError::TargetTooLong),
    ] {
        let input = format!("{start}{}\n", "x".repeat(HEAD_BYTES_MAX)).into_bytes();
        assert_eq!(judge_torn(&input, |_| input.len()), Err(expected));
        assert_eq!(judge_torn(&input, |filled| filled + 99), Err(expected));
    }
}

/// Looks for the end as a connection does: again with every segment, from where it stopped.
/// Returns where the head ends if it is accepted.
fn judge_torn(
    input: &[u8],
    mut fill: impl FnMut(usize) -> usize,
) -> Result<Option<usize>, RequestError> {
    let (mut filled, mut scanned) = (0, 0);
    loop {
        filled = fill(filled).min(input.len());
        let found = head_end(&input[..filled], scanned, HEAD_BYTES_MAX, TARGET_BYTES_MAX)?;
        if let Some(end) = found {
            let mut room = Fields::new();
            return Request::parse(&input[..end], &mut room, TARGET_BYTES_MAX).map(|_| found);
        }
        if filled == input.len() {
            return Ok(None);
        }
        scanned = filled;
    }
}

fn check_facts(request: &Request<'_>, facts: &Facts, head: &[u8]) {
    let method = match &facts.method[..] {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"OPTIONS" => Method::Options,
        _ => Method::Other,
    };
    let version = [Version::Http10, Version::Http11][usize::from(facts.minor_version)];
    let path = match request.target {
        Target::Path { path, query } => Some((path.to_vec(), query.map(<[u8]>::to_vec))),
        Target::Asterisk | Target::Authority => None,
    };
    let body = match (facts.chunked, facts.length) {
        (true, _) => BodyFraming::Chunked,
        (false, 0) => BodyFraming::None,
        (false, length) => BodyFraming::Length(length),
    };
    let shown = head.escape_ascii();
    assert_eq!(request.method, method, "{shown}");
    assert_eq!(request.version, version, "{shown}");
    assert_eq!(path, facts.path, "{shown}");
    assert_eq!(request.body, body, "{shown}");
    assert_eq!(request.persistent, facts.persistent, "{shown}");
    assert_eq!(request.expects_continue, facts.expects_continue, "{shown}");
}

/// httparse alone, without what is put in front of it.
fn check_httparse(request: &Request<'_>, facts: &Facts, head: &[u8]) {
    // It knows no version after 1.1, and no target in another character set than UTF-8.
    let end = head.windows(2).position(|pair| pair == b"\r\n").unwrap();
    let mut known = head.to_vec();
    known[end - 1] = b'0' + facts.minor_version;
    for byte in known[..end].iter_mut().filter(|byte| !byte.is_ascii()) {
        *byte = b'x';
    }

    let mut room = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut room);
    let parsed = other.parse(&known);
    let shown = head.escape_ascii();
    assert_eq!(
        parsed,
        Ok(httparse::Status::Complete(head.len())),
        "{shown}"
    );
    assert_eq!(other.method.unwrap().as_bytes(), facts.method, "{shown}");
    for field in FIELDS {
        let name = name(field);
        let theirs: Vec<&[u8]> = other
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
            .collect();
        let ours: Vec<&[u8]> = request.values(field).collect();
        assert_eq!(ours, theirs, "{name} of {shown}");
        assert_eq!(request.has(field), !theirs.is_empty(), "{name} of {shown}");
    }
}

const fn name(field: Field) -> &'static str {
    match field {
        Field::AcceptEncoding => "Accept-Encoding",
        Field::AccessControlRequestMethod => "Access-Control-Request-Method",
        Field::IfMatch => "If-Match",
        Field::IfModifiedSince => "If-Modified-Since",
        Field::IfNoneMatch => "If-None-Match",
        Field::IfRange => "If-Range",
        Field::IfUnmodifiedSince => "If-Unmodified-Since",
        Field::Origin => "Origin",
        Field::Range => "Range",
    }
}

const FIELDS: [Field; 9] = [
    Field::AcceptEncoding,
    Field::AccessControlRequestMethod,
    Field::IfMatch,
    Field::IfModifiedSince,
    Field::IfNoneMatch,
    Field::IfRange,
    Field::IfUnmodifiedSince,
    Field::Origin,
    Field::Range,
];

const CASE_COUNT: u64 = 40_000;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const TARGET_BYTES_MAX: usize = 8 * 1024;

const CORPUS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a/b.css?c=d HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept-Encoding: gzip, br;q=0.5\r\n\
      If-None-Match: \"a\", W/\"b\"\r\nIF-RANGE: \"a\"\r\nRange: bytes=0-1\r\n\r\n",
    b"HEAD /a%20b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    b"PUT / HTTP/1.1\r\nhost:a\r\ntransfer-encoding:chunked\r\nTrailer: X\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\
      Access-Control-Request-Method: GET\r\n\r\n",
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    b"GET http://user.example:80/path?query HTTP/1.1\r\nHost: other\r\n\r\n",
    b"GET http://[2001:db8::1]?q HTTP/1.9\r\nHost: 127.0.0.1\r\n\r\n",
    b"M-SEARCH /\xc3\xa9|{}^ HTTP/1.1\r\nHost: %41\r\nX-Text: \xe4\xf6\r\nEmpty:\r\nBlank: \t \r\n\r\n",
    b"GET /many HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: 7\r\nH: 8\r\n\
      I: 9\r\nJ: 1\r\nK: 2\r\nL: 3\r\nM: 4\r\nN: 5\r\nO: 6\r\nP: 7\r\nQ: 8\r\nR: 9\r\nS: 1\r\nT: 2\r\n\
      U: 3\r\nV: 4\r\nW: 5\r\nX: 6\r\nY: 7\r\nZ: 8\r\na1: 1\r\na2: 2\r\na3: 3\r\na4: 4\r\na5: 5\r\n\
      If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
      If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-Match: *\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];
