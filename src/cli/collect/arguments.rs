//! What the operator may write after `whitering collect`. Parses each setting by itself; whether
//! they go together is `settings`' work.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};
use whitering::{Source, SourceError, parse_bytes};

use super::super::format::Format;
use super::choices::{Compat, Encoding, Extensions, Level, Storage};

/// Collect static files into a release, as Django's collectstatic does with WhiteNoise's storage.
///
/// The release is built beside its place and put there at once: whatever happens, what is served
/// is the last release or the new one, whole. Hashed names, rewritten references and
/// staticfiles.json are those that Django writes, byte for byte.
#[derive(Debug, Clone, clap::Args)]
#[command(
    override_usage = "whitering collect [OPTIONS] --source DIR --output DIR\n       \
                            whitering collect [OPTIONS] --django manage.py"
)]
// One sentence below says how all variables are named.
#[command(mut_args(|argument| argument.hide_env(true)))]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(in crate::cli) struct Arguments {
    /// Collect the files below DIR. Repeatable; of two with one name the first is taken.
    ///
    /// PREFIX is put before their names, as in STATICFILES_DIRS. It ends at the first =, so a
    /// directory whose name holds one is written /=DIR. With --django, these come before the
    /// project's own finders.
    #[arg(long, value_name = "[PREFIX=]DIR", env = "WHITERING_SOURCE", help_heading = SOURCES)]
    #[arg(value_delimiter = '\n', value_parser = source_parser())]
    pub(super) source: Vec<Source>,

    /// Ask this Django project for its finders and settings; other options override them.
    ///
    /// Its manage.py is run in its own directory to find the settings as it always does. What is
    /// taken: the files its finders list, STATIC_ROOT, STATIC_URL, the storage and the WHITENOISE_
    /// settings, and its series of Django for --compat.
    #[arg(long, value_name = "manage.py", env = "WHITERING_DJANGO", help_heading = SOURCES)]
    pub(super) django: Option<PathBuf>,

    /// Python that runs manage.py.
    ///
    /// [default: $VIRTUAL_ENV/bin/python, else that of .venv or venv beside manage.py, else
    /// python3]
    #[arg(long, value_name = "EXE", env = "WHITERING_PYTHON", help_heading = SOURCES)]
    pub(super) python: Option<PathBuf>,

    /// Pass over files and directories whose names match this glob. Repeatable.
    #[arg(short, long, value_name = "PATTERN", env = "WHITERING_IGNORE")]
    #[arg(help_heading = SOURCES, value_delimiter = '\n')]
    pub(super) ignore: Vec<String>,

    /// Do not pass over CVS, .* and *~.
    #[arg(long, env = "WHITERING_NO_DEFAULT_IGNORE", help_heading = SOURCES)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) no_default_ignore: bool,

    /// Directory of the release (STATIC_ROOT).
    #[arg(long, value_name = "DIR", env = "WHITERING_OUTPUT", help_heading = RELEASE)]
    pub(super) output: Option<PathBuf>,

    /// URL that the files are served under (STATIC_URL) [default: /static/].
    #[arg(long, value_name = "URL", env = "WHITERING_PREFIX", help_heading = RELEASE)]
    #[arg(value_parser = parse_static_url)]
    pub(super) prefix: Option<String>,

    /// Keep nothing of earlier runs.
    #[arg(short, long, env = "WHITERING_CLEAR", help_heading = RELEASE)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) clear: bool,

    /// Make the unhashed files symbolic links to their sources.
    #[arg(short, long, env = "WHITERING_LINK", help_heading = RELEASE)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) link: bool,

    /// Only copy: no hashing, no rewriting, no compression.
    #[arg(long, env = "WHITERING_NO_POST_PROCESS", help_heading = RELEASE)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) no_post_process: bool,

    /// Say what would be done and do nothing.
    #[arg(short = 'n', long, env = "WHITERING_DRY_RUN", help_heading = RELEASE)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) dry_run: bool,

    /// Hashed names and a manifest, or files as they are [default: manifest].
    #[arg(long, value_name = "KIND", env = "WHITERING_STORAGE", help_heading = NAMES)]
    pub(super) storage: Option<Storage>,

    /// Series of Django whose rewriting is followed [default: 6.1].
    #[arg(long, value_name = "SERIES", env = "WHITERING_COMPAT", help_heading = NAMES)]
    pub(super) compat: Option<Compat>,

    /// Rewrite the imports and exports of JavaScript modules too.
    #[arg(long, env = "WHITERING_JS_MODULES", help_heading = NAMES)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) js_modules: bool,

    /// Publish hashed names only (WHITENOISE_KEEP_ONLY_HASHED_FILES).
    #[arg(long, env = "WHITERING_KEEP_ONLY_HASHED", help_heading = NAMES)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) keep_only_hashed: bool,

    /// Let a reference to a file that is not there end the run (the default).
    #[arg(long, help_heading = NAMES, overrides_with = "no_strict")]
    pub(super) strict: bool,

    /// Leave such references as they are, with a warning.
    #[arg(long, help_heading = NAMES, overrides_with = "strict")]
    pub(super) no_strict: bool,

    /// Write no compressed variants.
    #[arg(long, env = "WHITERING_NO_COMPRESS", help_heading = COMPRESSION)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) no_compress: bool,

    /// Variants to write, of br, gzip and zstd [default: br,gzip].
    #[arg(long, value_name = "LIST", env = "WHITERING_ENCODINGS", help_heading = COMPRESSION)]
    #[arg(value_delimiter = ',', hide_possible_values = true)]
    pub(super) encodings: Vec<Encoding>,

    /// Time that goes into compression [default: default].
    #[arg(long, value_name = "LEVEL", env = "WHITERING_LEVEL", help_heading = COMPRESSION)]
    pub(super) level: Option<Level>,

    /// Extensions that are not worth it, with commas; with '' everything is tried.
    ///
    /// [default: WhiteNoise's list: images, archives, fonts and videos that are compressed already]
    #[arg(long, value_name = "EXT,…", env = "WHITERING_SKIP_COMPRESS", help_heading = COMPRESSION)]
    #[arg(value_parser = Extensions::parse)]
    pub(super) skip_compress: Option<Extensions>,

    /// Where compressed contents are remembered [default: ~/.cache/whitering].
    #[arg(long, value_name = "DIR", env = "WHITERING_CACHE", help_heading = WORK)]
    pub(super) cache: Option<PathBuf>,

    /// Remember nothing.
    #[arg(long, env = "WHITERING_NO_CACHE", help_heading = WORK)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) no_cache: bool,

    /// Beyond this size, what was not used for longest is forgotten [default: 1GiB].
    #[arg(long, value_name = "SIZE", env = "WHITERING_CACHE_SIZE", help_heading = WORK)]
    #[arg(value_parser = parse_bytes)]
    pub(super) cache_size: Option<u64>,

    /// Threads to work with [default: one per CPU the process may use].
    #[arg(long, value_name = "N", env = "WHITERING_THREADS", help_heading = WORK)]
    #[arg(value_parser = thread_count_parser())]
    pub(super) threads: Option<NonZeroUsize>,

    /// How much is said: 0 errors, 1 the result, 2 and 3 every file.
    #[arg(short, long, value_name = "0-3", env = "WHITERING_VERBOSITY", help_heading = OUTPUT)]
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub(super) verbosity: u8,

    /// How the result is written.
    #[arg(long, value_name = "FORMAT", env = "WHITERING_FORMAT", help_heading = OUTPUT)]
    #[arg(default_value = "text")]
    pub(super) format: Format,

    /// Changes nothing: collect never asks. For scripts that call collectstatic.
    #[arg(long, alias = "no-input", env = "WHITERING_NOINPUT", help_heading = OUTPUT)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) noinput: bool,
}

/// Makes STATIC_URL what Django would: absolute, with a slash at its end.
pub(super) fn parse_static_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; write a path such as /static/".to_owned());
    }
    if text.contains(['?', '#', '\\']) || text.contains(char::is_control) {
        return Err(
            "write a path such as /static/ or a URL such as https://host/static/".to_owned(),
        );
    }
    let is_absolute = ["/", "http://", "https://"]
        .iter()
        .any(|start| text.starts_with(start));
    let start = if is_absolute { "" } else { "/" };
    let end = if text.ends_with('/') { "" } else { "/" };
    Ok(format!("{start}{text}{end}"))
}

fn source_parser() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new()
        .try_map(|text| -> Result<Source, SourceError> { Source::parse(text) })
}

fn thread_count_parser() -> impl TypedValueParser<Value = NonZeroUsize> {
    clap::value_parser!(u16)
        .range(1..=i64::from(THREAD_COUNT_MAX))
        .map(|count| {
            NonZeroUsize::new(usize::from(count)).expect("invariant: the range starts at 1")
        })
}

/// More than any machine has CPUs for; a larger number is a typing error.
const THREAD_COUNT_MAX: u16 = 1_024;

const SOURCES: &str = "What to collect";
const RELEASE: &str = "The release";
const NAMES: &str = "Names and references";
const COMPRESSION: &str = "Compression";
const WORK: &str = "Work (SIZE such as 256MiB)";
const OUTPUT: &str = "What is said";

const AFTER_HELP: &str = "\
Each option has an environment variable: --keep-only-hashed is WHITERING_KEEP_ONLY_HASHED.
More about each option: whitering collect --help";

const AFTER_LONG_HELP: &str = "\
Environment:
  Each option has a variable, which the command line overrides: --output is WHITERING_OUTPUT.
  Switches take true or false (WHITERING_CLEAR=true, WHITERING_STRICT=false). WHITERING_ENCODINGS
  and WHITERING_SKIP_COMPRESS hold values with commas between them, WHITERING_SOURCE and
  WHITERING_IGNORE one value a line.

Exit codes:
  0   the release is in place, or was up to date
  1   nothing was published: problems in the files, in the project, or of the system
  2   wrong usage
  78  WHITERING_STRICT cannot be understood

Examples:
  whitering collect --django manage.py
  whitering collect --django manage.py --encodings br,gzip,zstd --level max
  whitering collect --source assets --source vendor=node_modules/htmx.org/dist --output public
  whitering collect --source assets --output public --prefix https://cdn.example.com/static/";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse_static_url(text).ok().as_deref(), expected, "{text}");
    }

    #[test]
    fn makes_static_urls_whole() {
        check("/static/", Some("/static/"));
        check("/static", Some("/static/"));
        check("static/", Some("/static/"));
        check("/", Some("/"));
        check(
            "https://cdn.example.com/s",
            Some("https://cdn.example.com/s/"),
        );
        check("//cdn.example.com/", Some("//cdn.example.com/"));
        check("", None);
        check("/static/?v=1", None);
        check("/static/\n", Some("/static/"));
        check("/sta\ntic/", None);
    }
}
