//! The hash that Django puts into names: the first twelve hexadecimal digits of MD5.

#[cfg(test)]
use md5::{Digest, Md5};

/// The content's part of a hashed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fingerprint([u8; 12]);

impl Fingerprint {
    /// What stands in for a fingerprint that is not known yet.
    pub(crate) const UNKNOWN: Self = Self(*b"000000000000");

    /// Of a whole content.
    #[cfg(test)]
    pub(crate) fn of(content: &[u8]) -> Self {
        Self::from_md5(Md5::digest(content).into())
    }

    /// Of a content whose MD5 is known.
    pub(crate) fn from_md5(md5: [u8; 16]) -> Self {
        let mut digits = [0; 12];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(md5) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xF)];
        }
        Self(digits)
    }

    /// Reads twelve lower-case digits.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; 12] = text.try_into().ok()?;
        digits
            .iter()
            .all(|digit| DIGITS.contains(digit))
            .then_some(Self(digits))
    }

    /// The twelve digits.
    pub(crate) fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_beginning_of_md5() {
        assert_eq!(Fingerprint::of(b"").as_bytes(), b"d41d8cd98f00");
        assert_eq!(Fingerprint::of(b"whitering").as_bytes(), b"79a6d95c0db6");
        assert_eq!(
            Fingerprint::from_md5([0xAF; 16]).as_bytes(),
            b"afafafafafaf"
        );
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let fingerprint = Fingerprint::of(b"a");
        assert_eq!(
            Fingerprint::parse(fingerprint.as_bytes()),
            Some(fingerprint)
        );
        for text in [
            "",
            "d41d8cd98f0",
            "d41d8cd98f000",
            "D41D8CD98F00",
            "d41d8cd98f0g",
        ] {
            assert_eq!(Fingerprint::parse(text.as_bytes()), None, "{text}");
        }
    }
}
