//! What the operator wrote ([`ServeArguments`]) → one checked, immutable [`Config`].
//! Knows settings and their text; opens no file, socket or directory.

mod application;
mod bind;
mod check;
mod duration;
mod header_rule;
mod media_override;
mod prefix;
mod raw;
mod size;
mod thruster;
mod tls;
mod upstream;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

pub use application::{AppListen, Application, ApplicationArguments, Restart};
pub use bind::{Bind, BindError};
pub use check::ConfigError;
pub use header_rule::{HeaderRule, HeaderRuleError};
pub use prefix::{Source, SourceError};
pub use raw::{EngineChoice, Environment, MaxAge, ServeArguments};
pub use size::{SizeError, parse_bytes};
pub use tls::{CertificateFiles, Http2, Tls, TlsArguments};
pub use upstream::{Upstream, UpstreamAddress, UpstreamArguments, UpstreamError};

/// Everything a server is started with: complete, and free of contradictions.
///
/// ```
/// use std::time::Duration;
/// use whitering::{Bind, Config};
///
/// let mut config = Config::for_directory("public");
/// config.binds = vec![Bind::parse(":8000")?];
/// config.responses.max_age_seconds = Some(3_600);
/// config.drain_timeout = Duration::from_secs(10);
/// # Ok::<(), whitering::BindError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen without TLS; empty only if there are certificates.
    pub binds: Vec<Bind>,
    /// What to serve, first match first; empty only if something answers what names no file.
    pub sources: Vec<Source>,
    /// What answers requests that name no file.
    pub upstream: Upstream,
    /// The application server to start.
    pub application: Option<Application>,
    /// Certificates, and where they are used.
    pub tls: Option<Tls>,
    /// What is spoken besides HTTP/1.1.
    pub http2: Http2,
    /// Which reactor moves the bytes.
    pub engine: EngineChoice,
    /// Number of workers; none: as many as the process has CPUs.
    pub worker_count: Option<NonZeroUsize>,
    /// Whether each worker stays on a CPU of its own.
    pub pin: bool,
    /// Bytes of bodies held in memory; none: a quarter of what the machine allows, at most 1 GiB.
    pub memory_budget_bytes: Option<u64>,
    /// What responses look like.
    pub responses: Responses,
    /// What a client may ask for, and how long it may take.
    pub limits: Limits,
    /// How long a drain waits for responses under way.
    pub drain_timeout: Duration,
}

/// What responses look like; applied when assets are loaded.
///
/// ```
/// use whitering::{Config, NotFoundFile};
///
/// let mut responses = Config::for_directory("public").responses;
/// responses.not_found = Some(NotFoundFile::Page("/404.html".to_owned()));
/// responses.mime.push((".glb".to_owned(), "model/gltf-binary".to_owned()));
/// responses.cors = false;
/// ```
#[derive(Debug, Clone)]
pub struct Responses {
    /// Freshness of files whose names are not hashed, in seconds; none: no `Cache-Control`.
    pub max_age_seconds: Option<u32>,
    /// Whether every origin may read the files (`Access-Control-Allow-Origin: *`).
    pub cors: bool,
    /// The charset named in the type of text files.
    pub charset: String,
    /// Media types by `.ext` or whole file name, in lower case; the last one wins.
    pub mime: Vec<(String, String)>,
    /// Further header fields, in the operator's order.
    pub header_rules: Vec<HeaderRule>,
    /// The file that answers for its directory; none: directories are not found.
    pub index_file: Option<String>,
    /// Searched in the URL path: a match says that the content under this name never changes.
    pub immutable: Option<regex::bytes::Regex>,
    /// What answers requests that name nothing; none: a small built-in 404.
    pub not_found: Option<NotFoundFile>,
}

/// A served file that answers requests that name nothing.
///
/// ```
/// use whitering::{Config, NotFoundFile};
///
/// let mut config = Config::for_directory("dist");
/// config.responses.not_found = Some(NotFoundFile::Spa("/index.html".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFoundFile {
    /// Answers with 404; the value is its URL path.
    Page(String),
    /// Answers with 200, as a single-page application needs; the value is its URL path.
    Spa(String),
}

/// What a client may ask for, and how long it may take.
///
/// ```
/// use std::time::Duration;
/// use whitering::{Config, Limits, Server};
///
/// let limits = Limits {
///     head_bytes_max: 8 * 1024,
///     idle_timeout: Duration::from_secs(15),
///     ..Config::for_directory("public").limits
/// };
/// let builder = Server::builder().directory("public").limits(limits);
/// # drop(builder);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest request head; a longer one is answered with 431.
    pub head_bytes_max: usize,
    /// The longest request target; a longer one is answered with 414.
    pub target_bytes_max: usize,
    /// The longest request body, which is read and dropped; a longer one is answered with 413.
    pub body_bytes_max: u64,
    /// Connections per worker; at the limit it stops accepting.
    pub connection_count_max: u32,
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// From the end of a request head to the end of its body.
    pub body_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// For each 64 KiB of a response, or what is left of it.
    pub write_timeout: Duration,
}

impl Config {
    /// Checks what the operator wrote and fills in the defaults.
    ///
    /// ```
    /// use whitering::{Config, ServeArguments, TlsArguments, UpstreamAddress, UpstreamArguments};
    ///
    /// let config = Config::check(ServeArguments {
    ///     root: Some("staticfiles".into()),
    ///     tls: TlsArguments {
    ///         tls_cert: vec!["chain.pem".into()],
    ///         tls_key: vec!["key.pem".into()],
    ///         ..TlsArguments::default()
    ///     },
    ///     upstream: UpstreamArguments {
    ///         upstream: vec![UpstreamAddress::parse("http://127.0.0.1:8000")?],
    ///         ..UpstreamArguments::default()
    ///     },
    ///     ..ServeArguments::default()
    /// })?;
    /// assert!(config.binds.is_empty() && config.has_fallback());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`]: what contradicts what, or is missing.
    pub fn check(arguments: ServeArguments) -> Result<Self, ConfigError> {
        check::check(arguments)
    }

    /// Whether something answers requests that name no file.
    pub fn has_fallback(&self) -> bool {
        !self.upstream.addresses.is_empty() || self.application.is_some()
    }

    /// Serves `directory` at `/` on the default address, with every default.
    pub fn for_directory(directory: impl Into<PathBuf>) -> Self {
        Self::check(ServeArguments {
            root: Some(directory.into()),
            ..ServeArguments::default()
        })
        .expect("invariant: the defaults contradict neither each other nor a root")
    }
}

/// The most connections that one worker can hold.
///
/// ```
/// let limits = whitering::Config::for_directory("public").limits;
/// assert!(limits.connection_count_max <= whitering::CONNECTION_COUNT_MAX);
/// ```
pub const CONNECTION_COUNT_MAX: u32 = 16_384;
