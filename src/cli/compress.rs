//! `whitering compress`: variants beside the files of a directory, told as WhiteNoise tells it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use whitering::staticfiles::{
    CacheOptions, Coding, Compression, DEFAULT_SKIP_EXTENSIONS, Level, PrecompressEvent,
    PrecompressOptions, PrecompressReport, VariantTotals, precompress,
};

use super::format::Format;
use super::{Exit, print, say, say_error, text};

/// Compress the files of a directory, in place.
///
/// Writes FILE.br and FILE.gz beside each FILE that gets at least a twentieth smaller by it, with
/// FILE's modification time. `whitering serve`, WhiteNoise and nginx send them instead of FILE.
/// Files that are variants of others are passed over. A variant that has another modification time
/// than FILE is of an earlier content: it is written again, or removed where it is no longer worth
/// it.
#[derive(Debug, clap::Args)]
#[command(mut_args(|argument| argument.hide_env(true)), after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The directory; links to directories in it are not followed.
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// Extensions that are not compressed, instead of those of images, archives, fonts and films.
    #[arg(value_name = "EXT")]
    extensions: Vec<String>,

    /// Print nothing but errors.
    #[arg(short, long, env = "WHITERING_QUIET")]
    quiet: bool,

    /// Write no gzip.
    #[arg(long, env = "WHITERING_NO_GZIP")]
    no_gzip: bool,

    /// Write no brotli.
    #[arg(long, env = "WHITERING_NO_BROTLI")]
    no_brotli: bool,

    /// What to write.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        env = "WHITERING_ENCODINGS"
    )]
    #[arg(default_value = "br,gzip")]
    encodings: Vec<Encoding>,

    /// How much time to take; default is brotli 11 and gzip 9, as WhiteNoise does.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "WHITERING_LEVEL",
        default_value = "default"
    )]
    level: LevelName,

    /// Threads to work with [default: one per CPU the process may use].
    #[arg(long, value_name = "N", env = "WHITERING_THREADS", value_parser = parse_thread_count)]
    threads: Option<usize>,

    /// Where to remember results [default: ~/.cache/whitering].
    #[arg(long, value_name = "DIR", env = "WHITERING_CACHE")]
    cache: Option<PathBuf>,

    /// Remember nothing, and compress every file again.
    #[arg(long, env = "WHITERING_NO_CACHE")]
    no_cache: bool,

    /// How the result is written.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "WHITERING_FORMAT",
        default_value = "text"
    )]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Encoding {
    /// Brotli, .br
    Br,
    /// gzip, .gz
    Gzip,
    /// Zstandard, .zst
    Zstd,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LevelName {
    /// For development: brotli 5, gzip 6, zstd 6.
    Fast,
    /// Brotli 11, gzip 9, zstd 19.
    Default,
    /// The smallest, for whatever it takes.
    Max,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let options = arguments.options();
    if options.compression.codings.is_empty() {
        say("error: there is no encoding left to write; name one with --encodings");
        return Exit::Usage;
    }
    let begin = Instant::now();
    let voice = Voice::new(arguments);
    let report = match precompress(&options, &|event| voice.on_event(&event)) {
        Ok(report) => report,
        Err(error) => {
            say_error(&error);
            return Exit::Failure;
        }
    };
    if let Some(warning) = &report.cache_warning {
        say(&format!("warning: {warning}"));
    }
    let result = Summary::new(&report, begin.elapsed());
    let printed = match arguments.format {
        Format::Json => print(&result.json()),
        Format::Text if arguments.quiet => Exit::Success,
        Format::Text => print(&result.text()),
    };
    match report.failed_count {
        0 if !voice.is_broken.load(Ordering::Relaxed) => printed,
        _ => Exit::Failure,
    }
}

impl Arguments {
    fn options(&self) -> PrecompressOptions {
        PrecompressOptions {
            directory: self.directory.clone(),
            compression: Compression {
                codings: self.codings(),
                level: match self.level {
                    LevelName::Fast => Level::Fast,
                    LevelName::Default => Level::Default,
                    LevelName::Max => Level::Max,
                },
                skip_extensions: self.skip_extensions(),
            },
            cache: self.cache(),
            thread_count: self.threads,
        }
    }

    fn codings(&self) -> Vec<Coding> {
        let mut codings = Vec::new();
        for encoding in &self.encodings {
            let coding = match encoding {
                Encoding::Br if self.no_brotli => continue,
                Encoding::Gzip if self.no_gzip => continue,
                Encoding::Br => Coding::Brotli,
                Encoding::Gzip => Coding::Gzip,
                Encoding::Zstd => Coding::Zstd,
            };
            if !codings.contains(&coding) {
                codings.push(coding);
            }
        }
        codings
    }

    fn skip_extensions(&self) -> Vec<String> {
        if self.extensions.is_empty() {
            return DEFAULT_SKIP_EXTENSIONS.map(str::to_owned).to_vec();
        }
        let without_dot = |text: &String| text.strip_prefix('.').unwrap_or(text).to_owned();
        self.extensions.iter().map(without_dot).collect()
    }

    fn cache(&self) -> Option<CacheOptions> {
        if self.no_cache {
            return None;
        }
        let directory = self
            .cache
            .clone()
            .or_else(CacheOptions::default_directory)?;
        Some(CacheOptions::in_directory(directory))
    }
}

/// Tells what happens while it happens.
struct Voice {
    is_silent: bool,
    /// Whether a line could not be printed; one complaint is enough.
    is_broken: AtomicBool,
}

impl Voice {
    fn new(arguments: &Arguments) -> Self {
        let is_silent = arguments.quiet || arguments.format == Format::Json;
        Self {
            is_silent,
            is_broken: AtomicBool::new(false),
        }
    }

    fn on_event(&self, event: &PrecompressEvent<'_>) {
        if let PrecompressEvent::Failed { error } = event {
            say_error(*error);
        }
        let Some(line) = line(event) else { return };
        if self.is_silent || self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        if print(&line) != Exit::Success {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

/// WhiteNoise's own lines, as far as it has them.
fn line(event: &PrecompressEvent<'_>) -> Option<String> {
    match event {
        PrecompressEvent::Compressed {
            path,
            coding,
            bytes_in,
            bytes_out,
            written,
        } => {
            let did = if *written { "compressed" } else { "unchanged" };
            let (path, name) = (shown(path), name(*coding));
            let (bytes_in, bytes_out) = (bytes_in / 1024, bytes_out / 1024);
            Some(format!(
                "{name} {did} {path} ({bytes_in}K -> {bytes_out}K)\n"
            ))
        }
        PrecompressEvent::NotEffective { path, coding } => {
            let (path, name) = (shown(path), name(*coding));
            Some(format!(
                "Skipping {path} ({name} compression not effective)\n"
            ))
        }
        PrecompressEvent::Removed { path } => {
            Some(format!("Removed {} (of an earlier content)\n", shown(path)))
        }
        _ => None,
    }
}

/// A file name may hold what a terminal would obey.
fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    if !path.contains(char::is_control) {
        return path;
    }
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    path.chars().map(escape).collect()
}

const fn name(coding: Coding) -> &'static str {
    match coding {
        Coding::Brotli => "Brotli",
        Coding::Gzip => "Gzip",
        Coding::Zstd => "Zstandard",
        Coding::Identity => "Identity",
    }
}

/// All that was done, named as in the JSON.
#[derive(Debug, Serialize)]
struct Summary {
    files: usize,
    bytes: u64,
    seconds: f64,
    encodings: Vec<Totals>,
    written: usize,
    removed: usize,
    failed: usize,
    cache_warning: Option<String>,
}

#[derive(Debug, Serialize)]
struct Totals {
    encoding: &'static str,
    files: usize,
    bytes_in: u64,
    bytes_out: u64,
    cache_hits: usize,
}

impl Summary {
    fn new(report: &PrecompressReport, time: Duration) -> Self {
        let totals = |totals: &VariantTotals| Totals {
            encoding: totals.coding.token(),
            files: totals.file_count,
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            cache_hits: totals.hit_count,
        };
        Self {
            files: report.file_count,
            bytes: report.bytes,
            seconds: time.as_secs_f64(),
            encodings: report.variants.iter().map(totals).collect(),
            written: report.written_count,
            removed: report.removed_count,
            failed: report.failed_count,
            cache_warning: report.cache_warning.clone(),
        }
    }

    fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("invariant: the summary has only named fields") + "\n"
    }

    fn text(&self) -> String {
        let time = text::duration(Duration::from_secs_f64(self.seconds));
        let (files, bytes) = (text::count(self.files, "file"), text::bytes(self.bytes));
        let written = text::count(self.written, "variant");
        let mut lines = vec![format!("{files}, {bytes}; {written} written in {time}")];
        lines.extend(self.encodings.iter().map(Totals::text));
        if self.removed > 0 {
            lines.push(format!(
                "{} of earlier contents removed",
                text::count(self.removed, "variant")
            ));
        }
        if self.failed > 0 {
            lines.push(format!(
                "{} left out, see above",
                text::count(self.failed, "file")
            ));
        }
        lines.join("\n") + "\n"
    }
}

impl Totals {
    fn text(&self) -> String {
        let files = text::count(self.files, "file");
        let (bytes_in, bytes_out) = (text::bytes(self.bytes_in), text::bytes(self.bytes_out));
        let sizes = format!("{bytes_in} -> {bytes_out}");
        let line = format!("  {:<5} {files:>12}  {sizes:<20}", self.encoding);
        match self.cache_hits {
            0 => line.trim_end().to_owned(),
            count => format!("{line} {count} from the cache"),
        }
    }
}

fn parse_thread_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=THREAD_COUNT_MAX) => Ok(count),
        _ => Err(format!("a number from 1 to {THREAD_COUNT_MAX} is expected")),
    }
}

const THREAD_COUNT_MAX: usize = 1024;

const AFTER_HELP: &str = "\
Each option has an environment variable: --level is WHITERING_LEVEL.

Exit codes:
  0  every file that is worth it has its variants
  1  a file or a variant could not be read or written; the others are done
  2  wrong usage

Examples:
  whitering compress public
  whitering compress public --encodings br,gzip,zstd --level max
  whitering compress public png jpg woff2";

#[cfg(test)]
mod tests;
