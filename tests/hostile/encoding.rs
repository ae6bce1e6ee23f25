//! Accept-Encoding against a slow model, with hostile members and weights.

use std::sync::OnceLock;

use regex::bytes::Regex;
use whitering::internal::http::Coding;
use whitering::internal::http::negotiate::{Accepted, choose};

use super::mutation::hostile;
use super::random::{Random, assert_reached, pattern, run};

/// What a client said of each coding and of `*`, in thousandths.
#[derive(Debug, Default)]
struct Stated {
    codings: [Option<u32>; 4],
    any: Option<u32>,
}

#[test]
fn chooses_as_the_slow_model_does() {
    let outcome = run(CASE_COUNT, |random| {
        let value = hostile(random, CORPUS);
        let shown = value.escape_ascii();
        let variants = variants(random);
        let (accepted, stated) = (Accepted::parse([&value[..]]), stated(&value));
        for coding in CODINGS {
            let expected = stated.weight(coding);
            assert_eq!(
                u32::from(accepted.weight(coding)),
                expected,
                "{coding:?}: {shown}"
            );
        }
        let chosen = choose(&accepted, variants.iter().copied());
        assert_eq!(chosen, model(&stated, &variants), "{shown} of {variants:?}");
        if let Some(index) = chosen {
            assert_ne!(stated.weight(variants[index]), 0, "{shown} of {variants:?}");
        }
        chosen.is_some_and(|index| variants[index] != Coding::Identity)
    });
    assert_reached(outcome, 6);
}

/// RFC 9110 §5.3: lines of one field mean the same as one line with commas between.
#[test]
fn lines_mean_the_same_joined() {
    run(CASE_COUNT / 4, |random| {
        let lines: Vec<Vec<u8>> = (0..random.below(4))
            .map(|_| hostile(random, CORPUS))
            .collect();
        let parse = || Accepted::parse(lines.iter().map(Vec::as_slice));
        assert_eq!(parse(), parse());
        assert_eq!(
            parse(),
            Accepted::parse([&lines.join(&b", "[..])[..]]),
            "{lines:?}"
        );
        true
    });
}

/// What is written from weights is read as the same weights.
#[test]
fn reads_what_is_written_from_it() {
    run(CASE_COUNT / 4, |random| {
        let value = hostile(random, CORPUS);
        let first = Accepted::parse([&value[..]]);
        let written = CODINGS.map(|coding| {
            let weight = first.weight(coding);
            format!(
                "{};q={}.{:03}",
                coding.token(),
                weight / 1000,
                weight % 1000
            )
        });
        let again = Accepted::parse([written.join(",").as_bytes()]);
        for coding in CODINGS {
            assert_eq!(again.weight(coding), first.weight(coding), "{written:?}");
        }
        true
    });
}

impl Stated {
    /// Identity is acceptable, last of all, unless something else was said of it.
    fn weight(&self, coding: Coding) -> u32 {
        let implied = u32::from(coding == Coding::Identity);
        self.codings[place(coding)].or(self.any).unwrap_or(implied)
    }
}

fn stated(value: &[u8]) -> Stated {
    static MEMBER: OnceLock<Regex> = OnceLock::new();
    let member = pattern(
        &MEMBER,
        r"^[ \t]*([^;]*?)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$",
    );
    let mut stated = Stated::default();
    for text in value.split(|byte| *byte == b',') {
        let Some(parts) = member.captures(text) else {
            continue;
        };
        let weight = parts.get(2).map_or(1.0, |weight| {
            let text = std::str::from_utf8(weight.as_bytes()).unwrap();
            text.parse::<f64>().unwrap()
        });
        let weight = Some(format!("{:.0}", weight * 1000.0).parse().unwrap());
        let name = String::from_utf8_lossy(&parts[1]).to_ascii_lowercase();
        let slot = match &name[..] {
            "*" => &mut stated.any,
            "gzip" | "x-gzip" => &mut stated.codings[place(Coding::Gzip)],
            "br" => &mut stated.codings[place(Coding::Brotli)],
            "zstd" => &mut stated.codings[place(Coding::Zstd)],
            "identity" => &mut stated.codings[place(Coding::Identity)],
            _ => continue,
        };
        *slot = (*slot).max(weight);
    }
    stated
}

/// The best weight wins, of equals the first; nothing larger than an original that is merely
/// not ruled out.
fn model(stated: &Stated, variants: &[Coding]) -> Option<usize> {
    let is_implied = stated.codings[place(Coding::Identity)]
        .or(stated.any)
        .is_none();
    let original = variants
        .iter()
        .position(|coding| *coding == Coding::Identity);
    let count = match original {
        Some(original) if is_implied => original + 1,
        _ => variants.len(),
    };
    let weights = variants[..count]
        .iter()
        .map(|coding| stated.weight(*coding));
    let best = weights.clone().max().filter(|best| *best > 0)?;
    weights.clone().position(|weight| weight == best)
}

/// Some codings in some order.
fn variants(random: &mut Random) -> Vec<Coding> {
    let mut left = CODINGS.to_vec();
    let count = 1 + random.below(4);
    (0..count)
        .map(|_| left.remove(random.below(left.len())))
        .collect()
}

fn place(coding: Coding) -> usize {
    CODINGS.iter().position(|other| *other == coding).unwrap()
}

const CODINGS: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd];

const CASE_COUNT: u64 = 48_000;

const CORPUS: &[&[u8]] = &[
    b"gzip, deflate, br, zstd",
    b"gzip",
    b"",
    b"*",
    b"*;q=0",
    b"identity;q=0",
    b"br;q=1.0, gzip;q=0.8, *;q=0.1",
    b"gzip;q=0, br ; Q=0.001,\tzstd;q=0.",
    b"identity;q=0.5, gzip;q=0.5, x-gzip",
    b"GZIP;q=1.000, BR;q=0.999",
    b"gzip;q=2, br;q=-1, zstd;q=0.1234",
    b"gzip;a=b;q=1, br;q=\"1\"",
    b"*;q=0.2, identity;q=0, br;q=0",
];
