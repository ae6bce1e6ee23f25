//! Content codings: the encodings a variant can have, with their HTTP and file names.

/// One content coding (RFC 9110 §8.4.1) that whitering pairs, chooses and sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// No coding: the file as it is.
    Identity,
    /// gzip, RFC 1952; files end in `.gz`.
    Gzip,
    /// Brotli, RFC 7932; files end in `.br`.
    Brotli,
    /// Zstandard, RFC 8878 with the window limit of RFC 9659; files end in `.zst`.
    Zstd,
}

impl Coding {
    /// Every coding that a variant file can have beside its original.
    pub const COMPRESSED: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The token used in `Accept-Encoding` and `Content-Encoding`.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The extension of variant files, without the dot; none for the original.
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gz"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zst"),
        }
    }
}
