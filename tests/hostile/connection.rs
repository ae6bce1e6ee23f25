//! A whole connection under mutated request streams: it never panics, answers well, and answers
//! the same however the stream is torn and however slowly it is sent.

use std::rc::Rc;
use std::sync::Arc;

use whitering::internal::assets::{self, MediaTypes, Options, SourceDirectory};
use whitering::internal::connection::{
    BufferPool, Connection, Context, Held, Settings, Tick, Want, http_date,
};

use super::mutation::mutate;
use super::random::{Random, assert_reached, run};
use super::responses::{self, Answer};

#[test]
fn answers_the_same_however_the_stream_is_torn() {
    let site = Site::load();
    let outcome = run(CASE_COUNT, |random| {
        let stream = stream(random);
        let shown = stream[..stream.len().min(3_000)].escape_ascii();
        let (whole, _) = site.converse(&stream, false, |rest| rest, |rest| rest);
        let answers = finals(&whole).unwrap_or_else(|error| panic!("{error} to {shown}"));
        check(&answers, &site.files, &stream);

        let torn = converse_torn(&site, &stream, false, random).0;
        let torn = finals(&torn).unwrap_or_else(|error| panic!("torn: {error} to {shown}"));
        assert_eq!(brief(&torn), brief(&answers), "{shown}");
        assert!(torn == answers, "{shown}");
        answers
            .iter()
            .any(|answer| matches!(answer.status, 200 | 206))
    });
    assert_reached(outcome, 3);
}

/// Whoever goes on gets the rest of the stream from the first request on that names no file, and
/// what comes before is answered as it would be anyway.
#[test]
fn hands_over_the_same_however_the_stream_is_torn() {
    let site = Site::load();
    let outcome = run(CASE_COUNT, |random| {
        let mut stream = stream(random);
        if random.once_in(10) {
            stream.splice(..0, PREFACE.iter().copied());
            mutate(random, &mut stream, CORPUS);
        }
        let shown = stream[..stream.len().min(3_000)].escape_ascii();
        let (alone, _) = site.converse(&stream, false, |rest| rest, |rest| rest);
        let alone = finals(&alone).unwrap_or_else(|error| panic!("alone: {error} to {shown}"));
        let (whole, handed) = site.converse(&stream, true, |rest| rest, |rest| rest);
        let answers = finals(&whole).unwrap_or_else(|error| panic!("{error} to {shown}"));
        match &handed {
            // It could still become one.
            None if PREFACE.starts_with(&stream) => assert!(answers.is_empty(), "{shown}"),
            None => assert_eq!(brief(&answers), brief(&alone), "{shown}"),
            Some(rest) => {
                assert!(stream.ends_with(rest) && !rest.is_empty(), "{shown}");
                let before = &alone[..answers.len()];
                assert_eq!(brief(&answers), brief(before), "{shown}");
            }
        }
        let (torn, torn_handed) = converse_torn(&site, &stream, true, random);
        let torn = finals(&torn).unwrap_or_else(|error| panic!("torn: {error} to {shown}"));
        assert_eq!(brief(&torn), brief(&answers), "{shown}");
        assert!(torn == answers && torn_handed == handed, "{shown}");
        handed.is_some()
    });
    assert_reached(outcome, 5);
}

/// In pieces of any length, as is what is sent.
fn converse_torn(
    site: &Site,
    stream: &[u8],
    hands_over: bool,
    random: &mut Random,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut sizes = random.clone();
    site.converse(
        stream,
        hands_over,
        |rest| 1 + sizes.below(rest.min(if rest < 2_000 { 30 } else { 2_048 })),
        |rest| 1 + random.below(rest),
    )
}

/// A second empty line used to be ignored if it came behind the answer to what was before.
#[test]
fn one_empty_line_is_ignored_however_the_stream_is_torn() {
    let site = Site::load();
    let get = b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    for (empty, expected) in [(&b"\r\n"[..], [200, 200]), (b"\r\n\r\n", [200, 400])] {
        let stream = [&get[..], empty, get].concat();
        for bytes in 1..stream.len() {
            let (received, _) = site.converse(&stream, false, |rest| rest.min(bytes), |rest| rest);
            let answers = finals(&received).unwrap();
            let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            assert_eq!(statuses, expected, "{bytes} bytes at once");
        }
    }
}

/// The site in memory, and what its files hold in every coding.
struct Site {
    held: Held,
    files: Vec<Vec<u8>>,
}

impl Site {
    fn load() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |bytes: usize, seed: usize| -> Vec<u8> {
            (0..bytes)
                .map(|at| b'a' + u8::try_from((at * at / 7 + at + seed) % 26).unwrap())
                .collect()
        };
        let files = [
            ("index.html", 700),
            ("a.txt", 300),
            ("b/index.html", 1),
            ("large.bin", 40_000),
        ];
        let mut contents = vec![Vec::new()];
        for (seed, (name, bytes)) in files.into_iter().enumerate() {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            contents.push(file(bytes, seed));
            std::fs::write(path, contents.last().unwrap()).unwrap();
        }
        std::fs::write(directory.path().join("empty"), "").unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &contents[1]).unwrap();
        contents.push(encoder.finish().unwrap());
        std::fs::write(
            directory.path().join("index.html.gz"),
            contents.last().unwrap(),
        )
        .unwrap();
        let loaded = assets::load(&Options {
            sources: vec![SourceDirectory {
                prefix: "/".into(),
                directory: directory.path().into(),
            }],
            memory_budget_bytes: 1 << 20,
            file_memory_bytes_max: 1 << 20,
            max_age_seconds: Some(60),
            cors: true,
            media_types: MediaTypes::new("utf-8", &[]),
            header_rules: Vec::new(),
            index_file: Some("index.html".into()),
            immutable: None,
            not_found: None,
            packed: Vec::new(),
        })
        .unwrap();
        assert_eq!(loaded.warnings.len(), 0, "{:?}", loaded.warnings);
        let held = Rc::new(Arc::new(loaded.snapshot));
        Self {
            held,
            files: contents,
        }
    }

    /// Everything that a client receives that sends `stream` and then no more, and what is
    /// handed over of that. `read_bytes` and `sent_bytes` say how many bytes of what is there
    /// are taken at once.
    fn converse(
        &self,
        stream: &[u8],
        hands_over: bool,
        mut read_bytes: impl FnMut(usize) -> usize,
        mut sent_bytes: impl FnMut(usize) -> usize,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        let settings = Settings {
            hands_over,
            prior_knowledge: hands_over,
            ..Settings::default()
        };
        let date = http_date(NOW);
        let (mut pool, mut path_scratch) = (BufferPool::new(), Vec::new());
        let mut context = Context {
            held: &self.held,
            settings: &settings,
            now: Tick(1),
            unix_seconds: NOW,
            date: &date,
            draining: false,
            pool: &mut pool,
            path_scratch: &mut path_scratch,
        };
        let mut connection = Connection::new(&context);
        let (mut rest, mut received, mut ended) = (stream, Vec::new(), false);
        for _ in 0..STEP_COUNT_MAX {
            match connection.want() {
                Want::Send => {
                    let loan = connection.lend();
                    let body = loan
                        .body
                        .as_ref()
                        .map_or(&[][..], |body| body.bytes().unwrap());
                    let unsent = [&loan.buffer[loan.from..], body].concat();
                    let count = sent_bytes(unsent.len());
                    received.extend_from_slice(&unsent[..count]);
                    connection.on_sent(loan.buffer, count, &mut context);
                }
                Want::Finish => connection.on_finished(&context),
                want @ (Want::Close | Want::Abort | Want::HandOver) => {
                    let handed = (want == Want::HandOver)
                        .then(|| [&connection.take_received(), rest].concat());
                    connection.release(context.pool);
                    assert_eq!(context.pool.lent_count(), 0);
                    return (received, handed);
                }
                Want::Receive if rest.is_empty() => {
                    assert!(!ended, "open after the end");
                    ended = true;
                    connection.on_end();
                }
                Want::Receive => {
                    assert!(connection.may_receive(), "nothing to do and not listening");
                    let (bytes, after) = rest.split_at(read_bytes(rest.len()));
                    rest = after;
                    connection.on_received(bytes, &mut context);
                }
                want @ (Want::Open | Want::SendFile) => panic!("{want:?}: all is in memory"),
            }
        }
        panic!("no end");
    }
}

/// One to six requests, most of them well-formed, and then some mutations.
fn stream(random: &mut Random) -> Vec<u8> {
    let count = if random.once_in(40) {
        200
    } else {
        1 + random.below(6)
    };
    let mut stream: Vec<u8> = (0..count)
        .flat_map(|_| random.pick(CORPUS).to_vec())
        .collect();
    for _ in 0..random.below(4) {
        mutate(random, &mut stream, CORPUS);
    }
    stream
}

/// The answers without those that only ask for more: whether a client is asked to go on depends
/// on whether it has done so already (RFC 9110 §10.1.1).
fn finals(stream: &[u8]) -> Result<Vec<Answer>, String> {
    let mut answers = responses::split(stream)?;
    answers.retain(|answer| answer.status != 100);
    Ok(answers)
}

fn check(answers: &[Answer], files: &[Vec<u8>], stream: &[u8]) {
    let ends: Vec<bool> = answers.iter().map(Answer::closes).collect();
    let shown = stream[..stream.len().min(3_000)].escape_ascii();
    if let Some((_, before)) = ends.split_last() {
        assert!(
            !before.contains(&true),
            "answers behind the last one: {shown}"
        );
    }
    for answer in answers {
        answer.check_body(files);
    }
    // Even the shortest request has this many bytes; a refusal may come for fewer.
    assert!(answers.len() <= stream.len() / 18 + 1, "{shown}");
}

fn brief(answers: &[Answer]) -> Vec<(u16, usize)> {
    answers
        .iter()
        .map(|answer| (answer.status, answer.body.len()))
        .collect()
}

const CASE_COUNT: u64 = 12_000;
const STEP_COUNT_MAX: usize = 4_000_000;

/// Mon, 01 Jan 2035: later than the files.
const NOW: u64 = 2_051_222_400;

/// How HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const CORPUS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /a.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /index.html?a=b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0.5\r\n\r\n",
    b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-99,30000-39999,-1\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=10-20\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=300-\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n",
    b"GET /empty HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /b?c HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /none/../%2e%2e/a%2Etxt HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /a.txt HTTP/1.0\r\n\r\n",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET http://a/b/ HTTP/1.1\r\nHost: a\r\n\r\n",
];
