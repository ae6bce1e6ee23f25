//! File names and contents as cases spell them. scripts/oracles/tree.py reads the same.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use sha2::{Digest, Sha256};

/// A file name in bytes. Its JSON has a lone surrogate, U+DC80…U+DCFF, for each byte that is not
/// UTF-8, as Python has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) Vec<u8>);

/// What is in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    /// Itself.
    Text(String),
    /// Bytes in hexadecimal.
    Hex { hex: String },
    /// A text, several times.
    Repeat { repeat: String, times: usize },
    /// So many bytes that no encoder can shorten.
    Noise { noise: usize },
    /// No file but a symbolic link.
    Link { link: String },
    /// Too long to be written down.
    Digest { sha256: String, bytes: usize },
}

impl Content {
    /// The bytes; none of a link or a digest.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.as_bytes().to_vec()),
            Self::Hex { hex } => Some(from_hexadecimal(hex)),
            Self::Repeat { repeat, times } => Some(repeat.repeat(*times).into_bytes()),
            Self::Noise { noise: count } => Some(noise(*count)),
            Self::Link { .. } | Self::Digest { .. } => None,
        }
    }

    /// Whether a file with these bytes is as expected.
    pub(crate) fn is(&self, found: &[u8]) -> bool {
        match self {
            Self::Digest { sha256, bytes } => {
                found.len() == *bytes && hexadecimal(&Sha256::digest(found)) == *sha256
            }
            _ => self.bytes().is_some_and(|expected| expected == found),
        }
    }
}

/// Short enough to be read in a list of differences.
impl fmt::Display for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes() {
            Some(bytes) => write!(formatter, "{}", shown(&bytes)),
            None => write!(formatter, "{self:?}"),
        }
    }
}

pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 400;
    let end = bytes.len().min(SHOWN_BYTES_MAX);
    let rest = bytes.len() - end;
    let more = if rest > 0 {
        format!("… and {rest} bytes")
    } else {
        String::new()
    };
    format!("\"{}\"{more}", bytes[..end].escape_ascii())
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a file name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        Ok(Name(text.as_bytes().to_vec()))
    }

    /// With a lone surrogate, which comes as ED B2 80…ED B3 BF for the bytes 80…FF.
    fn visit_bytes<E>(self, text: &[u8]) -> Result<Name, E> {
        let mut name = Vec::new();
        let mut rest = text;
        while let [first, tail @ ..] = rest {
            if let [0xED, 0xB2 | 0xB3, third, tail @ ..] = rest {
                name.push((rest[1] & 1) << 6 | (third & 0x3F) | 0x80);
                rest = tail;
            } else {
                name.push(*first);
                rest = tail;
            }
        }
        Ok(Name(name))
    }
}

/// The upper bytes of a linear congruential generator.
fn noise(count: usize) -> Vec<u8> {
    let mut state: u64 = 1;
    let next = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        (state >> 16 & 0xFF) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn from_hexadecimal(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
