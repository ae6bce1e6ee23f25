//! Sizes as people write them: `0`, `4096`, `256MiB`, `1g`. Text to bytes; sets no limits.

/// Parses a number of bytes with an optional unit.
///
/// `k`, `m`, `g` and `KiB`, `MiB`, `GiB` are powers of 1024 in any case; `kB`, `MB`, `GB` are
/// powers of 1000.
///
/// ```
/// assert_eq!(whitering::parse_bytes("16k"), Ok(16_384));
/// assert_eq!(whitering::parse_bytes("1 GB"), Ok(1_000_000_000));
/// ```
///
/// # Errors
/// [`SizeError`]: not a number, not a unit, or more than 64 bits hold.
pub fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let text = text.trim();
    let digits_end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return Err(SizeError::Number);
    }
    let number: u64 = digits.parse().map_err(|_| SizeError::TooLarge)?;
    let unit = unit.trim_start();
    let factor = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, factor)| *factor)
        .ok_or(SizeError::Unit)?;
    number.checked_mul(factor).ok_or(SizeError::TooLarge)
}

/// Why a text is no size; all for the operator to mend.
///
/// ```
/// use whitering::{SizeError, parse_bytes};
///
/// assert_eq!(parse_bytes("much"), Err(SizeError::Number));
/// assert_eq!(parse_bytes("5 apples"), Err(SizeError::Unit));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Does not begin with a digit.
    #[error("a size is a whole number of bytes with an optional unit, such as 256MiB")]
    Number,
    /// Something else than a unit follows the number.
    #[error("unknown unit; use KiB, MiB or GiB (or k, m, g, which mean the same)")]
    Unit,
    /// More than 64 bits.
    #[error("the size is too large")]
    TooLarge,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const UNITS: [(&str, u64); 11] = [
    ("", 1),
    ("b", 1),
    ("k", KIB),
    ("kib", KIB),
    ("kb", 1_000),
    ("m", MIB),
    ("mib", MIB),
    ("mb", 1_000_000),
    ("g", GIB),
    ("gib", GIB),
    ("gb", 1_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, SizeError>) {
        assert_eq!(parse_bytes(text), expected, "{text}");
    }

    #[test]
    fn parses_sizes() {
        check("0", Ok(0));
        check("4096", Ok(4_096));
        check("1b", Ok(1));
        check("16k", Ok(16 << 10));
        check("16KiB", Ok(16 << 10));
        check("16kB", Ok(16_000));
        check("256MiB", Ok(256 << 20));
        check("256 MiB", Ok(256 << 20));
        check("2M", Ok(2 << 20));
        check("1g", Ok(1 << 30));
        check("1GB", Ok(1_000_000_000));
        check("18446744073709551615", Ok(u64::MAX));
    }

    #[test]
    fn refuses_what_is_no_size() {
        check("", Err(SizeError::Number));
        check("MiB", Err(SizeError::Number));
        check("-1", Err(SizeError::Number));
        check("1.5g", Err(SizeError::Unit));
        check("1t", Err(SizeError::Unit));
        check("1 m b", Err(SizeError::Unit));
        check("18446744073709551616", Err(SizeError::TooLarge));
        check("18446744073709551615k", Err(SizeError::TooLarge));
    }
}
