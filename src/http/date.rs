//! HTTP dates (RFC 9110 §5.6.7) ↔ seconds since 1970. Reads no clock: the time is passed in.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

use super::head::DATE_BYTES;

/// Formats a time as IMF-fixdate. A time after the year 9999 is shown as the end of that year,
/// because a file may carry any modification time.
pub fn format(seconds_since_1970: u64) -> [u8; DATE_BYTES] {
    let seconds = seconds_since_1970.min(SECONDS_MAX);
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds));
    let mut text = [0; DATE_BYTES];
    write!(&mut text[..], "{date}").expect("invariant: an IMF-fixdate has 29 bytes");
    text
}

/// Parses any of the three forms: IMF-fixdate, RFC 850, asctime. Two-digit years from 70 on are
/// of the last century. What is no date, or one before 1970, is none.
pub fn parse(value: &[u8]) -> Option<u64> {
    // The library trims the text; surrounding white space is not part of any of the forms.
    if !value.first()?.is_ascii_alphabetic() || !value.last()?.is_ascii_alphanumeric() {
        return None;
    }
    let date: HttpDate = std::str::from_utf8(value).ok()?.parse().ok()?;
    let since_1970 = SystemTime::from(date).duration_since(UNIX_EPOCH).ok()?;
    Some(since_1970.as_secs())
}

/// The last second that has a four-digit year.
const SECONDS_MAX: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<u64>) {
        assert_eq!(parse(value.as_bytes()), expected, "{value:?}");
    }

    #[test]
    fn parses_the_three_forms() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("Wed Nov 16 08:49:37 1994", Some(784_975_777));
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000));
        check("Thursday, 01-Jan-70 00:00:01 GMT", Some(1));
        check("Tuesday, 31-Dec-69 00:00:00 GMT", Some(3_155_673_600));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(SECONDS_MAX));
    }

    #[test]
    fn refuses_what_is_no_date() {
        check("", None);
        check("0", None);
        check("784111777", None);
        check("yesterday", None);
        check("Sun, 06 Nov 1994 08:49:37", None);
        check("Sun, 06 Nov 1994 08:49:37 UTC", None);
        check("Sun, 06 Nov 1994 08:49:37 +0000", None);
        check("sun, 06 nov 1994 08:49:37 gmt", None);
        check("Sun, 6 Nov 1994 08:49:37 GMT", None);
        check("Mon, 06 Nov 1994 08:49:37 GMT", None); // It was a Sunday.
        check("Wed, 30 Feb 1994 08:49:37 GMT", None);
        check("Sun, 06 Nov 1994 24:00:00 GMT", None);
        check("Sun, 06 Nov 1994 08:49:60 GMT", None);
        check("Sun, 06 Nov 1960 08:49:37 GMT", None);
        check(" Sun, 06 Nov 1994 08:49:37 GMT", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT\u{b}", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT, x", None);
        check("Sün, 06 Nov 1994 08:49:37 GMT", None);
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GM\xff"), None);
    }

    #[test]
    fn formats_imf_fixdate() {
        assert_eq!(&format(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&format(1_709_208_000), b"Thu, 29 Feb 2024 12:00:00 GMT");
    }

    #[test]
    fn far_future_times_do_not_panic() {
        assert_eq!(&format(SECONDS_MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(&format(SECONDS_MAX + 1), b"Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(&format(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn reads_what_it_writes() {
        for day in 0..100_000 {
            let seconds = day * 86_400 + day % 86_400;
            assert_eq!(parse(&format(seconds)), Some(seconds));
        }
    }
}
