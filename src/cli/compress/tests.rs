//! What the arguments mean, and how results are told.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(flags: &[&str]) -> Result<PrecompressOptions, clap::Error> {
    let line = CommandLine::try_parse_from(["compress", "site"].iter().chain(flags));
    Ok(line?.arguments.options())
}

#[test]
fn chooses_encodings() {
    let check = |flags: &[&str], expected: &[Coding]| {
        assert_eq!(
            parse(flags).unwrap().compression.codings,
            expected,
            "{flags:?}"
        );
    };
    check(&[], &[Coding::Brotli, Coding::Gzip]);
    check(&["--no-gzip"], &[Coding::Brotli]);
    check(&["--no-brotli"], &[Coding::Gzip]);
    check(&["--no-brotli", "--no-gzip"], &[]);
    check(&["--encodings", "zstd,br"], &[Coding::Zstd, Coding::Brotli]);
    check(
        &["--encodings", "zstd,zstd", "--encodings=gzip"],
        &[Coding::Zstd, Coding::Gzip],
    );
    check(
        &["--encodings", "br,gzip,zstd", "--no-gzip"],
        &[Coding::Brotli, Coding::Zstd],
    );
}

#[test]
fn extensions_replace_the_list() {
    let skipped = |flags: &[&str]| parse(flags).unwrap().compression.skip_extensions;
    assert_eq!(skipped(&[]), DEFAULT_SKIP_EXTENSIONS);
    assert_eq!(skipped(&["map", ".txt"]), ["map", "txt"]);
    assert_eq!(skipped(&["-q", "map", "--no-gzip", "txt"]), ["map", "txt"]);
}

#[test]
fn chooses_the_cache() {
    let directory = |flags: &[&str]| Some(parse(flags).unwrap().cache?.directory);
    assert_eq!(directory(&["--cache", "here"]), Some("here".into()));
    assert_eq!(directory(&["--no-cache"]), None);
    assert_eq!(directory(&["--cache", "here", "--no-cache"]), None);
}

#[test]
fn refuses_what_makes_no_sense() {
    for flags in [
        ["--threads", "0"],
        ["--threads", "1025"],
        ["--threads", "-1"],
        ["--level", "11"],
        ["--encodings", "deflate"],
        ["--encodings", ""],
        ["--format", "xml"],
    ] {
        assert!(parse(&flags).is_err(), "{flags:?}");
    }
    assert_eq!(parse(&["--threads", "3"]).unwrap().thread_count, Some(3));
}

#[test]
fn tells_what_happens_as_whitenoise_does() {
    let path = Path::new("a/b\x1b[1m.css");
    let coding = Coding::Brotli;
    let (bytes_in, bytes_out) = (12_800, 1023);
    let check = |event: PrecompressEvent<'_>, expected: &str| {
        assert_eq!(line(&event).unwrap(), format!("{expected}\n"));
    };
    let compressed = |written| PrecompressEvent::Compressed {
        path,
        coding,
        bytes_in,
        bytes_out,
        written,
    };
    check(
        compressed(true),
        r"Brotli compressed a/b\u{1b}[1m.css (12K -> 0K)",
    );
    check(
        compressed(false),
        r"Brotli unchanged a/b\u{1b}[1m.css (12K -> 0K)",
    );
    let (path, coding) = (Path::new("é"), Coding::Gzip);
    let skipped = PrecompressEvent::NotEffective { path, coding };
    check(skipped, "Skipping é (Gzip compression not effective)");
    check(
        PrecompressEvent::Removed { path },
        "Removed é (of an earlier content)",
    );
}

#[test]
fn closes_with_a_table() {
    let totals = |coding, hit_count| VariantTotals {
        coding,
        file_count: 2,
        bytes_in: 4096,
        bytes_out: 1024,
        hit_count,
    };
    let report = PrecompressReport {
        file_count: 3,
        bytes: 6000,
        variants: vec![totals(Coding::Brotli, 0), totals(Coding::Gzip, 2)],
        written_count: 2,
        removed_count: 1,
        failed_count: 1,
        cache_warning: None,
    };
    let summary = Summary::new(&report, Duration::from_millis(12));
    assert_eq!(
        summary.text(),
        "3 files, 5.9 KiB; 2 variants written in 12 ms\n  \
         br         2 files  4 KiB -> 1 KiB\n  \
         gzip       2 files  4 KiB -> 1 KiB       2 from the cache\n\
         1 variant of earlier contents removed\n\
         1 file left out, see above\n"
    );
    let json: serde_json::Value = serde_json::from_str(&summary.json()).unwrap();
    assert_eq!(json["encodings"][1]["cache_hits"], 2);
    assert_eq!(json["encodings"][0]["encoding"], "br");
    assert_eq!(json["failed"], 1);
}
