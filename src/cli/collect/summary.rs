//! What a run has done, for people: a table, and the line that `collectstatic` ends with.

use std::time::Duration;

use whitering::staticfiles::{Options, Report, VariantTotals};

use super::text;

/// The table and the closing line.
pub(super) fn summary(options: &Options, report: &Report, time: Duration) -> String {
    let table = table(options, report, time);
    format!("{table}\n{}\n", closing_line(options, report))
}

/// What the counts do not say.
fn outcome(options: &Options, report: &Report) -> &'static str {
    match (options.dry_run, report.published) {
        (true, _) => "; a dry run, nothing was written",
        (false, true) => "",
        (false, false) => "; nothing has changed",
    }
}

fn table(options: &Options, report: &Report, time: Duration) -> String {
    // A dry run compresses nothing; it would look as if nothing were worth it.
    let is_shown = |totals: &&VariantTotals| totals.file_count > 0 || !options.dry_run;
    let variants: Vec<_> = report.variants.iter().filter(is_shown).collect();
    let mut rows = vec![
        ["", "files", "bytes in", "bytes out", "ratio", "reused"].map(str::to_owned),
        [
            "collected".to_owned(),
            report.file_count.to_string(),
            text::bytes(report.bytes),
            String::new(),
            String::new(),
            String::new(),
        ],
    ];
    if variants.is_empty() {
        // The columns of variants would be empty.
        rows[0][3..].fill(String::new());
    }
    rows.extend(variants.into_iter().map(row));
    let lines: Vec<_> = rows.iter().map(line).collect();
    let outcome = outcome(options, report);
    format!("{}in {}{outcome}\n", lines.concat(), text::duration(time))
}

fn row(totals: &VariantTotals) -> [String; COLUMN_COUNT] {
    [
        totals.coding.token().to_owned(),
        totals.file_count.to_string(),
        text::bytes(totals.bytes_in),
        text::bytes(totals.bytes_out),
        ratio(totals),
        totals.hit_count.to_string(),
    ]
}

/// Of no files there is none.
fn ratio(totals: &VariantTotals) -> String {
    match totals.file_count {
        0 => String::new(),
        _ => text::percent(totals.bytes_out, totals.bytes_in),
    }
}

fn line(row: &[String; COLUMN_COUNT]) -> String {
    let [name, files, bytes_in, bytes_out, ratio, reused] = row;
    let line =
        format!("{name:<9} {files:>9} {bytes_in:>10} {bytes_out:>10} {ratio:>6} {reused:>8}");
    format!("{}\n", line.trim_end())
}

/// Django's words, since scripts look for them.
fn closing_line(options: &Options, report: &Report) -> String {
    let mut line = String::new();
    if report.deleted_count > 0 {
        let deleted = text::count(report.deleted_count, "static file");
        line.push_str(&format!("{deleted} deleted, "));
    }
    let copied = text::count(report.modified_count, "static file");
    let verb = if options.link { "symlinked" } else { "copied" };
    let output = text::name(options.output.as_os_str().as_encoded_bytes());
    line.push_str(&format!("{copied} {verb} to '{output}'"));
    let parts = [
        (report.unmodified_count, "unmodified"),
        (report.post_processed_count, "post-processed"),
        (report.skipped_count, "skipped due to conflict"),
    ];
    for (count, what) in parts {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line.push('.');
    line
}

const COLUMN_COUNT: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use whitering::staticfiles::Coding;

    fn check(change: fn(&mut Options, &mut Report), expected: &str) {
        let mut options = Options::new("/srv/static");
        let mut report = Report {
            modified_count: 2,
            ..Report::default()
        };
        change(&mut options, &mut report);
        assert_eq!(closing_line(&options, &report), expected);
    }

    #[test]
    fn ends_as_collectstatic_does() {
        check(|_, _| (), "2 static files copied to '/srv/static'.");
        check(
            |options, report| {
                options.link = true;
                report.modified_count = 1;
                report.unmodified_count = 3;
            },
            "1 static file symlinked to '/srv/static', 3 unmodified.",
        );
        check(
            |_, report| {
                report.deleted_count = 1;
                report.modified_count = 0;
                report.post_processed_count = 4;
                report.skipped_count = 5;
            },
            "1 static file deleted, 0 static files copied to '/srv/static', 4 post-processed, \
             5 skipped due to conflict.",
        );
    }

    #[test]
    fn has_a_table() {
        let totals = |coding, bytes_out| VariantTotals {
            coding,
            file_count: 240,
            bytes_in: 1_150_000,
            bytes_out,
            hit_count: 12,
        };
        let mut report = Report {
            file_count: 131,
            bytes: 1_250_000,
            published: true,
            variants: vec![totals(Coding::Brotli, 215_000), totals(Coding::Gzip, 0)],
            ..Report::default()
        };
        let mut options = Options::new("/out");
        assert_eq!(
            table(&options, &report, Duration::from_millis(1_234)),
            "              files   bytes in  bytes out  ratio   reused
collected       131    1.2 MiB
br              240    1.1 MiB    210 KiB   19 %       12
gzip            240    1.1 MiB    0 bytes    0 %       12
in 1.2 s
"
        );
        report.variants.clear();
        report.published = false;
        assert_eq!(
            table(&options, &report, Duration::from_millis(4)),
            "              files   bytes in\n\
             collected       131    1.2 MiB\n\
             in 4 ms; nothing has changed\n"
        );
        options.dry_run = true;
        report.variants = vec![VariantTotals {
            file_count: 0,
            ..totals(Coding::Gzip, 0)
        }];
        assert_eq!(
            table(&options, &report, Duration::from_millis(4)),
            "              files   bytes in\n\
             collected       131    1.2 MiB\n\
             in 4 ms; a dry run, nothing was written\n"
        );
    }
}
