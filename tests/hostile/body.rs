//! Chunked bodies: the reader against a model that sees the whole body at once, and the same
//! result wherever the body is torn.

use std::sync::OnceLock;

use regex::bytes::Regex;
use whitering::internal::http::body::BodyReader;
use whitering::internal::http::request::{BodyFraming, RequestError};

use super::mutation::hostile;
use super::random::{Random, assert_reached, pattern, run};

/// What the model says of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Complete(usize),
    Incomplete,
    Refused,
}

#[test]
fn reads_chunks_as_the_slow_model_does() {
    let outcome = run(CASE_COUNT, |random| {
        let input = hostile(random, CORPUS);
        let found = read(random, &input, input.len().max(1));
        let verdict = match found {
            Ok(Some(bytes)) => Verdict::Complete(bytes),
            Ok(None) => Verdict::Incomplete,
            Err(_) => Verdict::Refused,
        };
        assert_eq!(verdict, model(&input), "{}", input.escape_ascii());
        matches!(verdict, Verdict::Complete(_))
    });
    assert_reached(outcome, 6);
}

#[test]
fn reads_the_same_wherever_it_is_torn() {
    let outcome = run(CASE_COUNT / 8, |random| {
        let input = hostile(random, CORPUS);
        let shown = input.escape_ascii();
        let whole = read(random, &input, input.len().max(1));
        let torn = read(random, &input, 4);
        assert_eq!(torn, whole, "{shown}");
        // At every position, unless there are too many.
        for at in (0..=input.len()).take(300) {
            let mut reader = BodyReader::new(BodyFraming::Chunked, BODY_BYTES_MAX).unwrap();
            let halves = [&input[..at], &input[at..]];
            let torn = halves
                .iter()
                .try_fold(0, |sum, half| reader.read(half).map(|bytes| sum + bytes));
            let torn = torn.map(|bytes| reader.is_done().then_some(bytes));
            assert_eq!(torn, whole, "torn at {at}: {shown}");
        }
        matches!(whole, Ok(Some(_)))
    });
    assert_reached(outcome, 6);
}

#[test]
fn a_known_length_is_that_long() {
    let outcome = run(CASE_COUNT / 8, |random| {
        let length = (random.number() >> random.below(64)).max(1);
        let input = vec![b'x'; random.below(200)];
        let reader = BodyReader::new(BodyFraming::Length(length), BODY_BYTES_MAX);
        assert_eq!(reader.is_err(), length > BODY_BYTES_MAX, "{length}");
        let Ok(mut reader) = reader else { return false };
        let mut count = 0;
        for piece in input.chunks(1 + random.below(50)) {
            count += reader.read(piece).unwrap();
        }
        assert_eq!(count as u64, length.min(input.len() as u64));
        assert_eq!(reader.is_done(), count as u64 == length);
        true
    });
    assert_reached(outcome, 20);
}

/// How many bytes of `input` are the body, read in pieces of up to `piece_bytes_max`.
fn read(
    random: &mut Random,
    input: &[u8],
    piece_bytes_max: usize,
) -> Result<Option<usize>, RequestError> {
    let mut reader = BodyReader::new(BodyFraming::Chunked, BODY_BYTES_MAX)?;
    let (mut rest, mut sum) = (input, 0);
    while !rest.is_empty() {
        let bytes = if piece_bytes_max >= input.len() {
            rest.len()
        } else {
            (1 + random.below(piece_bytes_max)).min(rest.len())
        };
        sum += reader.read(&rest[..bytes])?;
        rest = &rest[bytes..];
    }
    Ok(reader.is_done().then_some(sum))
}

/// The same in the plainest words: lines as patterns, data as so many bytes.
fn model(input: &[u8]) -> Verdict {
    static SIZE: OnceLock<Regex> = OnceLock::new();
    static TRAILER: OnceLock<Regex> = OnceLock::new();
    let size = pattern(
        &SIZE,
        &format!("^([0-9A-Fa-f]+)(?:[ \\t]*;[ \\t]*{TOKEN}{TEXT}*)?\r\n"),
    );
    let trailer = pattern(&TRAILER, &format!("^(?:{TOKEN}+:{TEXT}*)?\r\n"));
    let (mut rest, mut content, mut framing) = (input, 0, 0);
    loop {
        let Some(line) = size.captures(rest) else {
            return unfinished(rest, framing, is_size_start);
        };
        framing += line[0].len();
        let count = u64::from_str_radix(std::str::from_utf8(&line[1]).unwrap(), 16);
        let Some(sum) = count.ok().and_then(|count| count.checked_add(content)) else {
            return Verdict::Refused;
        };
        if sum > BODY_BYTES_MAX || framing > FRAMING_BYTES_MAX {
            return Verdict::Refused;
        }
        rest = &rest[line[0].len()..];
        if sum == content && line[1].iter().all(|digit| *digit == b'0') {
            break;
        }
        let count = usize::try_from(sum - content).unwrap();
        content = sum;
        if rest.len() < count {
            return Verdict::Incomplete;
        }
        let Some(after) = rest[count..].strip_prefix(b"\r\n") else {
            return unfinished(&rest[count..], framing, |text| b"\r\n".starts_with(text));
        };
        framing += 2;
        rest = after;
    }
    while let Some(line) = trailer.find(rest) {
        framing += line.len();
        rest = &rest[line.len()..];
        if framing > FRAMING_BYTES_MAX {
            return Verdict::Refused;
        }
        if line.len() == 2 {
            return Verdict::Complete(input.len() - rest.len());
        }
    }
    unfinished(rest, framing, is_trailer_start)
}

/// No whole line is left: it may still become one, within the limit, or never.
fn unfinished(rest: &[u8], framing: usize, is_start: impl Fn(&[u8]) -> bool) -> Verdict {
    if is_start(rest) && framing + rest.len() <= FRAMING_BYTES_MAX {
        Verdict::Incomplete
    } else {
        Verdict::Refused
    }
}

fn is_size_start(text: &[u8]) -> bool {
    static START: OnceLock<Regex> = OnceLock::new();
    static END: OnceLock<Regex> = OnceLock::new();
    let digits = text
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let digits = std::str::from_utf8(&text[..digits]).unwrap();
    let fits = digits.is_empty() || u64::from_str_radix(digits, 16).is_ok();
    let start = format!("^(?:[0-9A-Fa-f]+(?:[ \\t]*(?:;[ \\t]*(?:{TOKEN}{TEXT}*)?)?)?)?$");
    let end = format!("^[0-9A-Fa-f]+(?:[ \\t]*;[ \\t]*{TOKEN}{TEXT}*)?\r$");
    fits && (pattern(&START, &start).is_match(text) || pattern(&END, &end).is_match(text))
}

fn is_trailer_start(text: &[u8]) -> bool {
    static START: OnceLock<Regex> = OnceLock::new();
    let start = format!("^(?:(?:{TOKEN}+(?::{TEXT}*)?)?|(?:{TOKEN}+:{TEXT}*)?\r)$");
    pattern(&START, &start).is_match(text)
}

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]";
const TEXT: &str = r"[\t -~\x80-\xff]";

const CASE_COUNT: u64 = 48_000;
const BODY_BYTES_MAX: u64 = 300;
/// What the reader allows for chunk lines and trailers.
const FRAMING_BYTES_MAX: usize = 16 * 1024;

const CORPUS: &[&[u8]] = &[
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
    b"a;name=value\r\n0123456789\r\n00\r\nTrailer: value\r\nOther:\r\n\r\n",
    b"1 ; a=\"b;c\"\r\nx\r\n1\t;d\r\ny\r\n0;e\r\n\r\n",
    b"000A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
    b"3\r\n\r\n\r\r\n0\r\n\r\n",
    b"12c\r\n",
    b"FFFFFFFFFFFFFFFF\r\n",
    b"1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
];
