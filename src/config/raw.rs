//! What the operator wrote: every setting optional and typed, not yet checked against the others.
//! The same definitions make the command line, the environment and `--help`.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};

use super::CONNECTION_COUNT_MAX;
use super::application::Application;
use super::bind::{Bind, BindError};
use super::duration::{parse_duration, parse_timeout};
use super::header_rule::HeaderRule;
use super::media_override::{parse_charset, parse_mime};
use super::prefix::{Source, SourceError, parse_prefix};
use super::size::parse_bytes;
use super::tls::TlsArguments;
use super::upstream::UpstreamArguments;

/// The settings of `serve`; what is absent takes its default in [`super::Config::check`].
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeArguments {
    /// Directory to serve.
    #[arg(value_name = "ROOT", env = "WHITERING_ROOT")]
    pub root: Option<PathBuf>,

    /// Serve ROOT under this path, or under the path of this URL [default: /].
    #[arg(long, value_name = "URLPATH", env = "WHITERING_PREFIX", help_heading = SOURCES)]
    #[arg(value_parser = parse_prefix)]
    pub prefix: Option<String>,

    /// Serve another directory after ROOT. Repeatable; the first that has a file wins.
    ///
    /// PREFIX is the URL path that the directory is served under [default: /]. It ends at the
    /// first =, so a directory whose name holds one is written /=DIR.
    #[arg(long, value_name = "[PREFIX=]DIR", env = "WHITERING_SOURCE", help_heading = SOURCES)]
    #[arg(value_delimiter = '\n', value_parser = source_parser())]
    pub source: Vec<Source>,

    /// Take this path off the front of every prefix (Django's FORCE_SCRIPT_NAME).
    ///
    /// For a proxy that removes the path before it passes requests on.
    #[arg(long, value_name = "PATH", env = "WHITERING_SCRIPT_NAME", help_heading = SOURCES)]
    #[arg(value_parser = parse_prefix)]
    pub script_name: Option<String>,

    /// Listen on HOST:PORT, unix:PATH or fd://N [default: 127.0.0.1:8080]. Repeatable.
    #[arg(long, value_name = "ADDRESS", env = "WHITERING_BIND", help_heading = LISTENING)]
    #[arg(value_delimiter = ',', value_parser = bind_parser(), long_help = BIND_HELP)]
    pub bind: Vec<Bind>,

    /// Connections per worker, at most 16384 [default: 16384]. At the limit it stops accepting.
    #[arg(long, value_name = "N", env = "WHITERING_MAX_CONNECTIONS", help_heading = LISTENING)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTION_COUNT_MAX)))]
    pub max_connections: Option<u32>,

    /// How bytes are moved [default: auto].
    #[arg(long, value_name = "ENGINE", env = "WHITERING_ENGINE", help_heading = ENGINE)]
    pub engine: Option<EngineChoice>,

    /// Worker threads [default: one per CPU the process may use].
    #[arg(long, value_name = "N", env = "WHITERING_WORKERS", help_heading = ENGINE)]
    #[arg(value_parser = worker_count_parser())]
    pub workers: Option<NonZeroUsize>,

    /// Leave it to the kernel which CPU runs a worker.
    #[arg(long, env = "WHITERING_NO_PIN", help_heading = ENGINE)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub no_pin: bool,

    /// Memory for file contents, such as 256MiB; 0 leaves all of them on disk.
    ///
    /// Small files come first. [default: a quarter of the memory allowed, at most 1GiB]
    #[arg(long, value_name = "SIZE", env = "WHITERING_MEMORY_BUDGET", help_heading = ENGINE)]
    #[arg(value_parser = parse_bytes)]
    pub memory_budget: Option<u64>,

    /// Freshness of files without a hashed name [default: 60]; none sends no Cache-Control.
    #[arg(long, value_name = "SECONDS|none", env = "WHITERING_MAX_AGE", help_heading = RESPONSES)]
    #[arg(value_parser = MaxAge::parse)]
    pub max_age: Option<MaxAge>,

    /// Files whose URL path matches never change: cached for ten years.
    ///
    /// The regular expression may match anywhere in the path. Names hashed by Django's manifest
    /// are recognised without it.
    #[arg(long, value_name = "REGEX", env = "WHITERING_IMMUTABLE", help_heading = RESPONSES)]
    #[arg(value_parser = parse_regex, allow_hyphen_values = true)]
    pub immutable: Option<regex::bytes::Regex>,

    /// Let pages of every origin read the files (the default).
    #[arg(long, help_heading = RESPONSES, overrides_with = "no_cors")]
    pub cors: bool,

    /// Send no Access-Control-Allow-Origin.
    #[arg(long, help_heading = RESPONSES, overrides_with = "cors")]
    pub no_cors: bool,

    /// Charset of text files [default: utf-8].
    #[arg(long, value_name = "NAME", env = "WHITERING_CHARSET", help_heading = RESPONSES)]
    #[arg(value_parser = parse_charset)]
    pub charset: Option<String>,

    /// Media type of an extension, or of one file name. Repeatable.
    #[arg(long, value_name = ".EXT=TYPE|NAME=TYPE", env = "WHITERING_MIME")]
    #[arg(help_heading = RESPONSES, value_delimiter = '\n', value_parser = parse_mime)]
    pub mime: Vec<(String, String)>,

    /// Add a header field where GLOB matches the URL path. Repeatable; of one name, the last wins.
    ///
    /// '*.css: X-Name: value' matches at any depth, since * also crosses slashes. A glob without
    /// a leading slash or star gets a slash: fonts/* is /fonts/*.
    #[arg(long, value_name = "GLOB: Name: value", env = "WHITERING_HEADER")]
    #[arg(help_heading = RESPONSES, value_delimiter = '\n', value_parser = HeaderRule::parse)]
    pub header: Vec<HeaderRule>,

    /// File that answers for its directory [default: index.html].
    #[arg(long, value_name = "NAME", help_heading = RESPONSES, overrides_with = "no_index_file")]
    pub index_file: Option<String>,

    /// Let no file answer for its directory.
    #[arg(long, help_heading = RESPONSES, overrides_with = "index_file")]
    pub no_index_file: bool,

    /// Served file that answers what is not found, with status 404.
    #[arg(long, value_name = "FILE", env = "WHITERING_NOT_FOUND", help_heading = RESPONSES)]
    pub not_found: Option<String>,

    /// Served file that answers what is not found, with status 200.
    #[arg(long, value_name = "FILE", env = "WHITERING_SPA", help_heading = RESPONSES)]
    pub spa: Option<String>,

    /// Time for a request head to arrive [default: 10s].
    #[arg(long, value_name = "TIME", env = "WHITERING_HEAD_TIMEOUT", help_heading = LIMITS)]
    #[arg(value_parser = parse_timeout)]
    pub head_timeout: Option<Duration>,

    /// Time for a request body to arrive [default: 10s].
    #[arg(long, value_name = "TIME", env = "WHITERING_BODY_TIMEOUT", help_heading = LIMITS)]
    #[arg(value_parser = parse_timeout)]
    pub body_timeout: Option<Duration>,

    /// Time without a request until a connection is closed [default: 75s].
    #[arg(long, value_name = "TIME", env = "WHITERING_IDLE_TIMEOUT", help_heading = LIMITS)]
    #[arg(value_parser = parse_timeout)]
    pub idle_timeout: Option<Duration>,

    /// Time for each 64KiB of a response, or its rest, to be taken [default: 60s].
    #[arg(long, value_name = "TIME", env = "WHITERING_WRITE_TIMEOUT", help_heading = LIMITS)]
    #[arg(value_parser = parse_timeout)]
    pub write_timeout: Option<Duration>,

    /// Time for responses under way to end after TERM, INT or QUIT [default: 30s].
    #[arg(long, value_name = "TIME", env = "WHITERING_DRAIN_TIMEOUT", help_heading = LIMITS)]
    #[arg(value_parser = parse_duration)]
    pub drain_timeout: Option<Duration>,

    /// Longest request head [default: 16KiB]; beyond it 431.
    #[arg(long, value_name = "SIZE", env = "WHITERING_MAX_HEAD", help_heading = LIMITS)]
    #[arg(value_parser = parse_bytes)]
    pub max_head: Option<u64>,

    /// Longest request target [default: 8KiB]; beyond it 414.
    #[arg(long, value_name = "SIZE", env = "WHITERING_MAX_TARGET", help_heading = LIMITS)]
    #[arg(value_parser = parse_bytes)]
    pub max_target: Option<u64>,

    /// Longest request body, read and dropped [default: 64KiB]; beyond it 413.
    #[arg(long, value_name = "SIZE", env = "WHITERING_MAX_BODY", help_heading = LIMITS)]
    #[arg(value_parser = parse_bytes)]
    pub max_body: Option<u64>,

    /// What answers requests that name no file.
    #[command(flatten)]
    pub upstream: UpstreamArguments,

    /// Certificates and HTTP/2.
    #[command(flatten)]
    pub tls: TlsArguments,

    /// The application server to start; none for `serve`.
    #[arg(skip)]
    pub application: Option<Application>,

    /// The variables that stand for no single flag; empty unless the caller reads them.
    #[arg(skip)]
    pub environment: Environment,
}

/// The variables that stand for no single flag, as they were found. A flag overrides them.
///
/// ```
/// use whitering::{Config, Environment, ServeArguments};
///
/// let config = Config::check(ServeArguments {
///     root: Some("public".into()),
///     environment: Environment {
///         port: Some("5000".to_owned()),
///         ..Environment::default()
///     },
///     ..ServeArguments::default()
/// })?;
/// assert_eq!(config.binds[0].to_string(), "0.0.0.0:5000");
/// # Ok::<(), whitering::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `PORT`, as platforms set it: every IPv4 address at this port, unless there is a bind.
    pub port: Option<String>,
    /// `WHITERING_CORS`: true or false, for `--cors` and `--no-cors`.
    pub cors: Option<String>,
    /// `WHITERING_INDEX_FILE`: a name for `--index-file`, or nothing for `--no-index-file`.
    pub index_file: Option<String>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn read() -> Self {
        let variable = |name| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self {
            port: variable(PORT_VARIABLE),
            cors: variable(CORS_VARIABLE),
            index_file: variable(INDEX_FILE_VARIABLE),
        }
    }
}

/// Which reactor moves the bytes.
///
/// ```
/// use whitering::{Config, EngineChoice};
///
/// let mut config = Config::for_directory("public");
/// assert_eq!(config.engine, EngineChoice::Auto);
/// config.engine = EngineChoice::Epoll;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineChoice {
    /// io_uring where the kernel allows it, else epoll.
    #[default]
    Auto,
    /// io_uring, or do not start.
    Uring,
    /// epoll.
    Epoll,
}

/// Freshness as the operator wrote it.
///
/// ```
/// use whitering::MaxAge;
///
/// assert_eq!(MaxAge::parse("3600"), Ok(MaxAge::Seconds(3_600)));
/// assert_eq!(MaxAge::parse("none"), Ok(MaxAge::Unsaid));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxAge {
    /// So many seconds.
    Seconds(u32),
    /// No `Cache-Control` at all.
    Unsaid,
}

impl MaxAge {
    /// Parses a number of seconds or `none`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::Unsaid);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = digits.then(|| text.parse().ok()).flatten();
        seconds
            .map(Self::Seconds)
            .ok_or_else(|| "write whole seconds, such as 3600, or none".to_owned())
    }
}

/// Keeps the last line of the error: the others draw the expression again, which clap has shown.
fn parse_regex(text: &str) -> Result<regex::bytes::Regex, String> {
    regex::bytes::Regex::new(text).map_err(|error| {
        let error = error.to_string();
        let line = error.lines().last().unwrap_or_default();
        line.strip_prefix("error: ").unwrap_or(line).to_owned()
    })
}

fn bind_parser() -> impl TypedValueParser<Value = Bind> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<Bind, BindError> { Bind::parse(text) })
}

fn source_parser() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<Source, SourceError> { Source::parse(text) })
}

fn worker_count_parser() -> impl TypedValueParser<Value = NonZeroUsize> {
    clap::value_parser!(u16)
        .range(1..=i64::from(WORKER_COUNT_MAX))
        .map(|count| {
            NonZeroUsize::new(usize::from(count)).expect("invariant: the range starts at 1")
        })
}

pub(super) const PORT_VARIABLE: &str = "PORT";
pub(super) const CORS_VARIABLE: &str = "WHITERING_CORS";
pub(super) const INDEX_FILE_VARIABLE: &str = "WHITERING_INDEX_FILE";

/// More than any machine has CPUs for; a larger number is a typing error.
const WORKER_COUNT_MAX: u16 = 1_024;

/// Not a doc comment: rustdoc takes an address in brackets for a link.
const BIND_HELP: &str = "\
Listen on HOST:PORT, unix:PATH or fd://N [default: 127.0.0.1:8080]. Repeatable.

:PORT is every IPv4 address, [::]:PORT every address. fd://N is a listening socket that the parent \
process left open. Without --bind, the variable PORT stands for 0.0.0.0:PORT.";

const SOURCES: &str = "What to serve";
const LISTENING: &str = "Where to listen";
const ENGINE: &str = "Engine";
const RESPONSES: &str = "Responses";
const LIMITS: &str = "Limits (TIME such as 10s or 500ms, SIZE such as 64KiB)";
