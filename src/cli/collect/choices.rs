//! Values that options can be chosen from, as they are written, and what they mean to the library.

use whitering::staticfiles::{self, Coding};

/// What becomes of names and references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Storage {
    /// Hashed names, rewritten references, staticfiles.json.
    Manifest,
    /// Files as they are.
    Plain,
}

/// A series of Django.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Compat {
    #[value(name = "5.2")]
    V5_2,
    #[value(name = "6.0")]
    V6_0,
    #[value(name = "6.1")]
    V6_1,
}

/// An encoding of variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Encoding {
    Br,
    #[value(alias = "gz")]
    Gzip,
    #[value(alias = "zst")]
    Zstd,
}

/// Time that goes into compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Level {
    /// For development.
    Fast,
    /// What WhiteNoise takes.
    Default,
    /// The smallest files, whatever it takes.
    Max,
}

/// File name extensions without their dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extensions(pub(super) Vec<String>);

impl Storage {
    pub(super) fn meant(self) -> staticfiles::Storage {
        match self {
            Self::Manifest => staticfiles::Storage::Manifest,
            Self::Plain => staticfiles::Storage::Plain,
        }
    }
}

impl Compat {
    pub(super) fn meant(self) -> staticfiles::Compat {
        match self {
            Self::V5_2 => staticfiles::Compat::V5_2,
            Self::V6_0 => staticfiles::Compat::V6_0,
            Self::V6_1 => staticfiles::Compat::V6_1,
        }
    }
}

impl Encoding {
    pub(super) fn meant(self) -> Coding {
        match self {
            Self::Br => Coding::Brotli,
            Self::Gzip => Coding::Gzip,
            Self::Zstd => Coding::Zstd,
        }
    }
}

impl Level {
    pub(super) fn meant(self) -> staticfiles::Level {
        match self {
            Self::Fast => staticfiles::Level::Fast,
            Self::Default => staticfiles::Level::Default,
            Self::Max => staticfiles::Level::Max,
        }
    }
}

impl Extensions {
    /// Reads `jpg,png`, with or without dots; nothing is an empty list.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let extensions = text
            .split(',')
            .map(|part| part.trim().trim_start_matches('.'));
        let extensions: Vec<_> = extensions.filter(|part| !part.is_empty()).collect();
        match extensions.iter().find(|part| part.contains(['/', '*'])) {
            Some(part) => Err(format!("'{part}' is no extension; write jpg,png")),
            None => Ok(Self(extensions.into_iter().map(str::to_owned).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_extensions() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let parsed = Extensions::parse(text).ok();
            let expected = expected.map(|list| list.iter().map(|&each| each.to_owned()).collect());
            assert_eq!(parsed.map(|parsed| parsed.0), expected, "{text}");
        };
        check("", Some(&[]));
        check("jpg,.png, tar.gz", Some(&["jpg", "png", "tar.gz"]));
        check("*.jpg", None);
    }
}
