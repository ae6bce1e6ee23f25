//! How a well-formed text becomes a hostile one.

use super::random::Random;

/// A member of `corpus` after some mutations; after none once in a while.
pub(crate) fn hostile(random: &mut Random, corpus: &[&[u8]]) -> Vec<u8> {
    let mut text = random.pick(corpus).to_vec();
    for _ in 0..random.below(5) {
        mutate(random, &mut text, corpus);
    }
    text
}

/// One mutation of `text`.
pub(crate) fn mutate(random: &mut Random, text: &mut Vec<u8>, corpus: &[&[u8]]) {
    match random.below(12) {
        0 => {
            if let Some(at) = place(random, text) {
                text[at] ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(at) = place(random, text) {
                text[at] = byte(random);
            }
        }
        2 | 3 => {
            let inserted = [byte(random)];
            insert(random, text, &inserted);
        }
        4 => {
            let inserted = random.pick(WORDS);
            insert(random, text, inserted);
        }
        5 => {
            let run = vec![byte(random); run_bytes(random)];
            insert(random, text, &run);
        }
        6 => {
            let range = part(random, text);
            text.drain(range);
        }
        7 => {
            let copy = text[part(random, text)].to_vec();
            insert(random, text, &copy);
        }
        8 => {
            let other = random.pick(corpus);
            let spliced = other[part(random, other)].to_vec();
            insert(random, text, &spliced);
        }
        9 => replace_number(random, text),
        10 => {
            let keep = random.below(text.len() + 1);
            text.truncate(keep);
        }
        _ => change_case(random, text),
    }
}

/// A byte that parsers trip over, or any.
fn byte(random: &mut Random) -> u8 {
    const ODD: &[u8] = b"\r\n\0 \t\x7f\x80\xff\x0b\x0c\x1b,:;\"'%/.\\-=*()[]{}<>@?#&+_0a";
    if random.once_in(6) {
        random.number().to_le_bytes()[0]
    } else {
        ODD[random.below(ODD.len())]
    }
}

/// Mostly short, sometimes at the limits of heads, targets and fields.
fn run_bytes(random: &mut Random) -> usize {
    const LIMITS: [usize; 8] = [63, 64, 100, 101, 255, 1_024, 8_192, 16_384];
    match random.below(8) {
        0 => (LIMITS[random.below(LIMITS.len())] + random.below(3)).saturating_sub(1),
        _ => 1 + random.below(20),
    }
}

fn place(random: &mut Random, text: &[u8]) -> Option<usize> {
    (!text.is_empty()).then(|| random.below(text.len()))
}

fn part(random: &mut Random, text: &[u8]) -> std::ops::Range<usize> {
    let start = random.below(text.len() + 1);
    start..start + random.below((text.len() - start).min(40) + 1)
}

fn insert(random: &mut Random, text: &mut Vec<u8>, inserted: &[u8]) {
    let at = random.below(text.len() + 1);
    text.splice(at..at, inserted.iter().copied());
}

/// Puts a number at a limit in the place of one that is there.
fn replace_number(random: &mut Random, text: &mut Vec<u8>) {
    let starts: Vec<usize> = (0..text.len())
        .filter(|&at| text[at].is_ascii_digit() && (at == 0 || !text[at - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[random.below(starts.len())];
    let digits = text[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    let number = random.pick(NUMBERS);
    text.splice(start..end, number.iter().copied());
}

fn change_case(random: &mut Random, text: &mut [u8]) {
    let range = part(random, text);
    for byte in &mut text[range] {
        if byte.is_ascii_alphabetic() && random.once_in(2) {
            *byte ^= 0x20;
        }
    }
}

const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"00",
    b"007",
    b"79",
    b"80",
    b"99",
    b"100",
    b"-1",
    b"+1",
    b"0x10",
    b"1e3",
    b"1.0",
    b"65535",
    b"65536",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"FFFFFFFFFFFFFFFF",
    b"10000000000000000",
    b"",
];

const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nContent-Length: 3",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nHost: b",
    b"\r\nConnection: close",
    b"\r\nExpect: 100-continue",
    b"\r\nRange: bytes=0-1",
    b"chunked",
    b"identity",
    b"0\r\n\r\n",
    b"../",
    b"/..",
    b"/.",
    b"//",
    b"%2e",
    b"%2E%2e",
    b"%2f",
    b"%5c",
    b"%00",
    b"%25",
    b"%",
    b"%%",
    b"%zz",
    b"\\..\\",
    b"http://",
    b"W/",
    b"\"\"",
    b"\"",
    b", ",
    b",,",
    b";q=0",
    b";q=1.001",
    b"; q=0.5",
    b"*",
    b"bytes=",
    b"-",
    b"\xc3\xa9",
    b"\xed\xb2\x80",
    b"\\udc80",
    b"\xef\xbb\xbf",
];
