//! Numbers as people read them: counts with their noun, bytes and times with their unit.

use std::time::Duration;

/// `1 file`, `27 files`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `412 KiB`, `1.5 GiB`: at most three digits, or four below the next unit.
pub(super) fn bytes(bytes: u64) -> String {
    let mut unit_index = 0;
    // Exact up to 2^53, far beyond the three digits that are shown.
    let mut value = bytes as f64;
    while value >= 1_023.5 && unit_index + 1 < UNITS.len() {
        value /= 1_024.0;
        unit_index += 1;
    }
    let decimals = usize::from(unit_index > 0 && value < 9.95);
    let number = format!("{value:.decimals$}");
    format!(
        "{} {}",
        number.strip_suffix(".0").unwrap_or(&number),
        UNITS[unit_index]
    )
}

/// `19 %`: `part` of `whole`, which may be nothing.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "0 %".to_owned(),
        whole => format!("{:.0} %", part as f64 / whole as f64 * 100.0),
    }
}

/// A file name for a terminal: what is no text and what would steer it is escaped.
pub(super) fn name(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => shown.extend(character.escape_default()),
                false => shown.push(character),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// `4 ms`, `1.2 s`.
pub(super) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds < 1_000 {
        return format!("{milliseconds} ms");
    }
    format!("{:.1} s", duration.as_secs_f64())
}

/// A limit that may be absent.
pub(super) fn or_unlimited(limit: Option<u64>, text: impl FnOnce(u64) -> String) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), text)
}

/// `1.5 CPUs`, from thousandths of one.
pub(super) fn cpus(millis: u64) -> String {
    let number = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} CPU{}", if millis == 1_000 { "" } else { "s" })
}

/// `0-3,6`, from numbers in ascending order.
pub(super) fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let texts = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    texts.collect::<Vec<_>>().join(",")
}

const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shown: &str, expected: &str) {
        assert_eq!(shown, expected);
    }

    #[test]
    fn shows_counts() {
        check(&count(0, "file"), "0 files");
        check(&count(1, "file"), "1 file");
        check(&count(2, "worker"), "2 workers");
    }

    #[test]
    fn shows_bytes() {
        check(&bytes(0), "0 bytes");
        check(&bytes(1_023), "1023 bytes");
        check(&bytes(1_024), "1 KiB");
        check(&bytes(1_536), "1.5 KiB");
        check(&bytes(421_888), "412 KiB");
        check(&bytes(1_048_575), "1 MiB");
        check(&bytes(8 << 20), "8 MiB");
        check(&bytes(u64::MAX), "16777216 TiB");
    }

    #[test]
    fn shows_percentages() {
        check(&percent(0, 0), "0 %");
        check(&percent(1, 3), "33 %");
        check(&percent(u64::MAX, 1), "1844674407370955161600 %");
    }

    #[test]
    fn shows_names_without_harm() {
        check(&name("d/ünï 'a'.css".as_bytes()), "d/ünï 'a'.css");
        check(&name(b"a\xff\xc3"), r"a\xff\xc3");
        check(&name(b"\x1b[2J\n"), r"\u{1b}[2J\n");
    }

    #[test]
    fn shows_cpus() {
        check(&cpus(1_000), "1 CPU");
        check(&cpus(1_500), "1.5 CPUs");
        check(&cpus(250), "0.25 CPUs");
        check(&cpus(10_000), "10 CPUs");
        check(&ranges(&[]), "");
        check(&ranges(&[5]), "5");
        check(&ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    }

    #[test]
    fn shows_durations() {
        check(&duration(Duration::from_micros(900)), "0 ms");
        check(&duration(Duration::from_millis(999)), "999 ms");
        check(&duration(Duration::from_millis(1_234)), "1.2 s");
    }
}
