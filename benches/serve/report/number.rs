//! Numbers as people read them: three significant figures, a unit, a spread. No measuring here.

use super::super::statistics::Estimate;

/// Three significant figures; whole with thousands separators from 1,000.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        return thousands(value);
    }
    let decimals = match size {
        _ if size == 0.0 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// A round number, such as a tick: no more decimals than it has.
pub(crate) fn plain(value: f64) -> String {
    if value >= 999.5 {
        return thousands(value);
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A ratio: two decimals, one from 10, three below 0.1.
pub(crate) fn ratio(value: f64) -> String {
    let decimals = match value {
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ if value >= 0.0995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// A ratio and where its median may lie: `0.53 (0.52–0.55)`.
pub(crate) fn ratio_interval(interval: Estimate) -> String {
    let (low, high) = (ratio(interval.low), ratio(interval.high));
    format!("{} ({low}–{high})", ratio(interval.median))
}

/// Half the width of an interval, beside its median: `±1.2%`.
pub(crate) fn spread(interval: Estimate) -> String {
    if interval.median == 0.0 {
        return String::new();
    }
    let percent = (interval.high - interval.low) / 2.0 / interval.median.abs() * 100.0;
    let decimals = usize::from(percent < 9.95);
    format!("±{percent:.decimals$}%")
}

/// A time given in microseconds, in the unit that suits it.
pub(crate) fn microseconds(value: f64) -> String {
    match value {
        _ if value < 999.5 => format!("{} µs", figure(value)),
        _ if value < 999_500.0 => format!("{} ms", figure(value / 1e3)),
        _ => format!("{} s", figure(value / 1e6)),
    }
}

/// An amount of memory, in powers of 1,024.
pub(crate) fn bytes(value: f64) -> String {
    let mut left = value;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if left < 1023.5 {
            break;
        }
        left /= 1024.0;
        unit = larger;
    }
    format!("{} {unit}", figure(left))
}

/// A length of time as people say it: `87 min`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 90.0 => format!("{seconds:.0} s"),
        _ if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// What a further measurement is called: its name without the unit.
pub(crate) fn extra_label(name: &str) -> String {
    let unit = extra_unit(name);
    let words = name
        .split('_')
        .filter(|word| *word != unit || unit == "ratio");
    capitalised(&words.collect::<Vec<&str>>().join(" "))
}

/// The text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A further measurement with the unit of its name.
pub(crate) fn extra_value(name: &str, value: f64) -> String {
    match extra_unit(name) {
        "seconds" => microseconds(value * 1e6),
        "milliseconds" => microseconds(value * 1e3),
        "microseconds" => microseconds(value),
        "bytes" => bytes(value),
        "ratio" => ratio(value),
        _ => figure(value),
    }
}

/// The word of a name that is a unit: `bytes` of `index_bytes_per_file`.
fn extra_unit(name: &str) -> &str {
    name.split('_')
        .find(|word| UNITS.contains(word))
        .unwrap_or("")
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

const UNITS: [&str; 5] = ["seconds", "milliseconds", "microseconds", "bytes", "ratio"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: String, expected: &str) {
        assert_eq!(text, expected);
    }

    #[test]
    fn writes_numbers() {
        check(figure(0.0), "0");
        check(figure(0.0234), "0.023");
        check(figure(6.714), "6.71");
        check(figure(9.996), "10.0");
        check(figure(99.96), "100");
        check(figure(999.6), "1,000");
        check(figure(1_234_567.2), "1,234,567");
        check(figure(-1234.0), "-1,234");
        check(plain(0.2), "0.2");
        check(plain(500.0), "500");
        check(plain(20_000.0), "20,000");
        check(duration(75.2), "75 s");
        check(duration(5231.0), "87 min");
        check(duration(9000.0), "2.5 h");
        check(ratio(0.0512), "0.051");
        check(ratio(0.5349), "0.53");
        check(ratio(12.44), "12.4");
        check(microseconds(430.2), "430 µs");
        check(microseconds(999.7), "1.00 ms");
        check(microseconds(2_345_678.0), "2.35 s");
        check(bytes(200.0), "200 B");
        check(bytes(1024.0 * 1023.9), "1.00 MiB");
        check(bytes(12.34 * 1024.0 * 1024.0), "12.3 MiB");
    }

    #[test]
    fn writes_intervals() {
        let interval = |low, median, high| Estimate {
            median,
            low,
            high,
            count: 5,
        };
        check(
            ratio_interval(interval(0.52, 0.534, 0.549)),
            "0.53 (0.52–0.55)",
        );
        check(spread(interval(99.0, 100.0, 101.4)), "±1.2%");
        check(spread(interval(80.0, 100.0, 120.0)), "±20%");
        check(spread(interval(0.0, 0.0, 0.0)), "");
    }

    #[test]
    fn writes_further_measurements() {
        check(extra_label("idle_connection_bytes"), "Idle connection");
        check(extra_label("index_bytes_per_file"), "Index per file");
        check(extra_label("hot_p99_ratio"), "Hot p99 ratio");
        check(extra_label("files"), "Files");
        check(extra_value("start_seconds", 0.31), "310 ms");
        check(extra_value("idle_connection_bytes", 2048.0), "2.00 KiB");
        check(extra_value("hot_p99_microseconds", 812.0), "812 µs");
        check(extra_value("files", 100_000.0), "100,000");
    }
}
