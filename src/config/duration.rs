//! Durations as people write them: `10`, `10s`, `500ms`, `1m`. Text to time; sets no deadlines.

use std::time::Duration;

/// Parses a whole number with an optional unit: `ms`, `s` (also without a unit), `m` or `h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let digits_end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return Err(DurationError::Number);
    }
    let number: u64 = digits.parse().map_err(|_| DurationError::TooLong)?;
    let milliseconds = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DurationError::Unit),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or(DurationError::TooLong)
}

/// Parses the limit of a wait, which cannot be zero: that would end every connection at once.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, DurationError> {
    parse_duration(text).and_then(|duration| {
        if duration.is_zero() {
            return Err(DurationError::Zero);
        }
        Ok(duration)
    })
}

/// Why a text is no duration; all for the operator to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DurationError {
    /// Does not begin with a digit.
    #[error("a duration is a whole number with an optional unit, such as 10s or 500ms")]
    Number,
    /// Something else than a unit follows the number.
    #[error("unknown unit; use ms, s, m or h")]
    Unit,
    /// A wait without a limit: everything has one.
    #[error("a timeout is longer than 0; to wait longer, raise it (at most 24h)")]
    Zero,
    /// More than a day.
    #[error("a duration is at most 24h")]
    TooLong,
}

const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<u64, DurationError>) {
        assert_eq!(
            parse_duration(text),
            expected.map(Duration::from_millis),
            "{text}"
        );
    }

    #[test]
    fn parses_durations() {
        check("0", Ok(0));
        check("10", Ok(10_000));
        check("10s", Ok(10_000));
        check("10 s", Ok(10_000));
        check("500ms", Ok(500));
        check("1m", Ok(60_000));
        check("2min", Ok(120_000));
        check("24h", Ok(86_400_000));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        check("", Err(DurationError::Number));
        check("s", Err(DurationError::Number));
        check("-1", Err(DurationError::Number));
        check("1.5s", Err(DurationError::Unit));
        check("1d", Err(DurationError::Unit));
        check("25h", Err(DurationError::TooLong));
        check("99999999999999999999", Err(DurationError::TooLong));
        check("9999999999999999999h", Err(DurationError::TooLong));
    }

    #[test]
    fn a_timeout_is_not_zero() {
        assert_eq!(parse_timeout("0"), Err(DurationError::Zero));
        assert_eq!(parse_timeout("0ms"), Err(DurationError::Zero));
        assert_eq!(parse_timeout("1ms"), Ok(Duration::from_millis(1)));
    }
}
