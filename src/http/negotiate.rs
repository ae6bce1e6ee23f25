//! Accept-Encoding (RFC 9110 §12.5.3): which codings a client takes, and the choice among the
//! variants of an asset. Never a reason to refuse: there is no 406.

use super::Coding;

/// What a client accepts: a weight per coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// By coding, in thousandths; 0 is not acceptable.
    weights: [u16; CODING_COUNT],
    /// Whether the client said nothing of identity, neither by name nor with `*`.
    is_identity_implied: bool,
}

impl Accepted {
    /// What a client accepts that sends no field, or an empty one: only the file as it is.
    pub const IDENTITY_ONLY: Self = Self {
        weights: WEIGHTS_IMPLIED,
        is_identity_implied: true,
    };

    /// Reads the lines of the field. Members off the grammar are skipped.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut named: [Option<u16>; CODING_COUNT] = [None; CODING_COUNT];
        let mut any = None;
        for line in lines {
            for member in line.split(|byte| *byte == b',') {
                let Some((token, weight)) = parse_member(member) else {
                    continue;
                };
                // Of a coding named twice, such as `gzip, x-gzip;q=0`, the better is meant.
                if let Some(coding) = coding(token) {
                    let slot = &mut named[coding as usize];
                    *slot = (*slot).max(Some(weight));
                } else if token == b"*" {
                    any = any.max(Some(weight));
                }
            }
        }
        let mut accepted = Self::IDENTITY_ONLY;
        for (weight, named) in accepted.weights.iter_mut().zip(named) {
            if let Some(stated) = named.or(any) {
                *weight = stated;
            }
        }
        accepted.is_identity_implied = named[Coding::Identity as usize].or(any).is_none();
        accepted
    }

    /// The weight of `coding` in thousandths; 0 is not acceptable. Identity that is not
    /// mentioned is acceptable with the lowest weight there is.
    pub const fn weight(&self, coding: Coding) -> u16 {
        self.weights[coding as usize]
    }
}

/// Chooses among the codings of the variants, which come smallest first; returns the index.
///
/// The smallest acceptable variant wins; a client that gives different weights gets what it
/// prefers. Where it says nothing of identity, variants that come after the original, not
/// smaller than it, are never chosen. None means that nothing is acceptable: the caller answers
/// with identity all the same, as §12.5.3 allows.
pub fn choose(accepted: &Accepted, codings: impl IntoIterator<Item = Coding>) -> Option<usize> {
    let mut best = None;
    let mut best_weight = 0;
    for (index, coding) in codings.into_iter().enumerate() {
        let weight = accepted.weight(coding);
        if weight > best_weight {
            best = Some(index);
            best_weight = weight;
        }
        if coding == Coding::Identity && accepted.is_identity_implied {
            break;
        }
    }
    best
}

/// The token and the weight of one list member, or none if it is empty or off the grammar.
fn parse_member(member: &[u8]) -> Option<(&[u8], u16)> {
    let member = trim(member);
    let Some(semicolon) = member.iter().position(|byte| *byte == b';') else {
        return Some((member, WEIGHT_MAX));
    };
    let [b'q' | b'Q', b'=', value @ ..] = trim(&member[semicolon + 1..]) else {
        return None;
    };
    Some((trim(&member[..semicolon]), parse_weight(value)?))
}

/// A qvalue (§12.4.2) in thousandths.
fn parse_weight(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = match value {
        [whole @ (b'0' | b'1')] => (whole, [].as_slice()),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0') * WEIGHT_MAX;
    for (digit, scale) in fraction.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return None;
        }
        weight += u16::from(digit - b'0') * scale;
    }
    (weight <= WEIGHT_MAX).then_some(weight)
}

/// The coding that a token names; tokens are case-insensitive and `x-gzip` is gzip (§8.4.1).
fn coding(token: &[u8]) -> Option<Coding> {
    let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
    match token.len() {
        2 if is("br") => Some(Coding::Brotli),
        4 if is("gzip") => Some(Coding::Gzip),
        4 if is("zstd") => Some(Coding::Zstd),
        6 if is("x-gzip") => Some(Coding::Gzip),
        8 if is("identity") => Some(Coding::Identity),
        _ => None,
    }
}

/// Without the optional white space around (§5.6.3).
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The weight of a coding that is named without one.
const WEIGHT_MAX: u16 = 1000;

/// The weight of identity that is not mentioned.
const WEIGHT_MIN: u16 = 1;

const CODING_COUNT: usize = 4;

/// What is accepted where nothing is said.
const WEIGHTS_IMPLIED: [u16; CODING_COUNT] = {
    let mut weights = [0; CODING_COUNT];
    weights[Coding::Identity as usize] = WEIGHT_MIN;
    weights
};

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip, Identity, Zstd};

    const ALL: [Coding; 4] = [Brotli, Zstd, Gzip, Identity];

    #[track_caller]
    fn check(value: &str, codings: &[Coding], expected: Option<Coding>) {
        let accepted = Accepted::parse([value.as_bytes()]);
        let chosen = choose(&accepted, codings.iter().copied());
        assert_eq!(chosen.map(|index| codings[index]), expected, "{value:?}");
    }

    #[track_caller]
    fn check_weights(lines: &[&str], expected: [u16; 4]) {
        let accepted = Accepted::parse(lines.iter().map(|line| line.as_bytes()));
        assert_eq!(
            ALL.map(|coding| accepted.weight(coding)),
            expected,
            "{lines:?}"
        );
    }

    #[test]
    fn smallest_acceptable_wins() {
        check("gzip, deflate, br, zstd", &ALL, Some(Brotli));
        check(
            "gzip, deflate, br, zstd",
            &[Zstd, Brotli, Identity],
            Some(Zstd),
        );
        check("gzip, deflate", &ALL, Some(Gzip));
        check("deflate", &ALL, Some(Identity));
        check("*", &ALL, Some(Brotli));
        check("gzip, identity", &[Identity, Gzip], Some(Identity));
        check("identity, gzip", &[Gzip, Identity], Some(Gzip));
        check("", &ALL, Some(Identity));
        check("br", &[], None);
    }

    #[test]
    fn respects_weights() {
        check("gzip;q=1.0, br;q=0.9", &ALL, Some(Gzip));
        check("br;q=0.5, gzip;q=0.5", &ALL, Some(Brotli));
        check("gzip;q=0.001", &ALL, Some(Gzip));
        check("gzip;q=0, *", &ALL, Some(Brotli));
        check("gzip;q=0", &ALL, Some(Identity));
        check("identity, *;q=0.5", &ALL, Some(Identity));
        check("br;q=0.1, identity;q=0.5", &ALL, Some(Identity));
        check("zstd, *;q=0", &ALL, Some(Zstd));
    }

    #[test]
    fn identity_can_be_refused() {
        check("identity;q=0", &[Identity], None);
        check("*;q=0", &ALL, None);
        check("gzip, identity;q=0", &[Identity, Gzip], Some(Gzip));
        check("gzip, *;q=0", &[Identity, Gzip], Some(Gzip));
        check("*;q=0, identity;q=0.001", &ALL, Some(Identity));
    }

    #[test]
    fn sends_no_variant_that_is_larger_than_the_original() {
        check("gzip", &[Identity, Gzip], Some(Identity));
        check("gzip, br;q=0.5", &[Brotli, Identity, Gzip], Some(Brotli));
        check("gzip, identity;q=0.5", &[Identity, Gzip], Some(Gzip));
    }

    #[test]
    fn parses_weights() {
        check_weights(&[], [0, 0, 0, 1]);
        check_weights(&[""], [0, 0, 0, 1]);
        check_weights(
            &["GZip, BR;Q=0.25 ,, \tZSTD ; q=0.5\t,"],
            [250, 500, 1000, 1],
        );
        check_weights(&["x-gzip;q=0.3"], [0, 0, 300, 1]);
        check_weights(&["br", "gzip;q=0.1", "*;q=0.01"], [1000, 10, 100, 10]);
        check_weights(&["*;q=0"], [0, 0, 0, 0]);
        check_weights(&["gzip, x-gzip;q=0"], [0, 0, 1000, 1]);
        check_weights(&["br;q=0, br;q=0.2"], [200, 0, 0, 1]);
        check_weights(&["br;q=1.000,gzip;q=0.123,zstd;q=0."], [1000, 0, 123, 1]);
    }

    #[test]
    fn skips_what_is_off_the_grammar() {
        for weight in [
            "",
            "q",
            "q=",
            "q=2",
            "q=1.001",
            "q=1.5",
            "q=0.1234",
            "q=.5",
            "q=-1",
            "q=0,5",
            "q=0.a",
            "q = 0.5",
            "q= 1",
            "q=1;x=1",
            "x=1",
            "q=\"1\"",
            "level=9;q=0.5",
        ] {
            let line = format!("br;{weight}, gzip");
            check_weights(&[&line], [0, 0, 1000, 1]);
        }
        check_weights(
            &["gzip-foo, brotli, gzip br, b r, identity;q"],
            [0, 0, 0, 1],
        );
    }
}
