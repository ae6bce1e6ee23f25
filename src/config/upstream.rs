//! What answers requests that name no file: the addresses of application servers, and what they
//! are held to.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};

use super::Source;
use super::bind::{Bind, BindError};
use super::duration::parse_timeout;
use super::prefix::SourceError;
use super::size::parse_bytes;

/// The settings of requests that are passed on.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct UpstreamArguments {
    /// Pass on what names no file: http://HOST:PORT or unix:PATH. Repeatable; taken in turn.
    #[arg(long, value_name = "ADDRESS", env = "WHITERING_UPSTREAM", help_heading = UPSTREAM)]
    #[arg(value_delimiter = ',', value_parser = upstream_parser())]
    pub upstream: Vec<UpstreamAddress>,

    /// Time for a connection to an upstream [default: 5s].
    #[arg(long, value_name = "TIME", env = "WHITERING_UPSTREAM_CONNECT_TIMEOUT")]
    #[arg(help_heading = UPSTREAM, value_parser = parse_timeout)]
    pub upstream_connect_timeout: Option<Duration>,

    /// Time for the head of a response, each pause in its body, and each part of a request body to
    /// be taken [default: 60s].
    #[arg(long, value_name = "TIME", env = "WHITERING_UPSTREAM_TIMEOUT", help_heading = UPSTREAM)]
    #[arg(value_parser = parse_timeout)]
    pub upstream_timeout: Option<Duration>,

    /// Connections of each worker to each upstream [default: 256]; requests beyond wait.
    #[arg(long, value_name = "N", env = "WHITERING_UPSTREAM_CONNECTIONS", help_heading = UPSTREAM)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub upstream_connections: Option<u32>,

    /// Longest request body that is passed on [default: 1GiB]; beyond it 413.
    #[arg(long, value_name = "SIZE", env = "WHITERING_MAX_UPLOAD", help_heading = UPSTREAM)]
    #[arg(value_parser = parse_bytes)]
    pub max_upload: Option<u64>,

    /// Believe the X-Forwarded-* and Forwarded fields of clients, and add to them.
    ///
    /// For a server behind another proxy. Otherwise they are replaced.
    #[arg(long, env = "WHITERING_TRUST_FORWARDED", help_heading = UPSTREAM)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub trust_forwarded: bool,

    /// Send files of DIR that the application names in X-Sendfile or X-Accel-Redirect.
    ///
    /// X-Sendfile takes a path of the file system below DIR, X-Accel-Redirect a URL path below
    /// PREFIX. Without this option the fields reach nobody. Repeatable.
    #[arg(long, value_name = "[PREFIX=]DIR", env = "WHITERING_SENDFILE_ROOT")]
    #[arg(help_heading = UPSTREAM, value_delimiter = '\n', value_parser = source_parser())]
    pub sendfile_root: Vec<Source>,
}

/// Application servers, and what they are held to.
///
/// ```
/// use whitering::{Config, UpstreamAddress};
///
/// let mut config = Config::for_directory("staticfiles");
/// let address = UpstreamAddress::parse("unix:/run/app.sock")?;
/// config.upstream.addresses.push(address);
/// assert!(config.has_fallback());
/// # Ok::<(), whitering::UpstreamError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where they are; empty: somebody else says where (an embedder's service, `run`).
    pub addresses: Vec<UpstreamAddress>,
    /// For a connection to one.
    pub connect_timeout: Duration,
    /// For the head of a response, and for each part of a request body to be taken.
    pub timeout: Duration,
    /// Connections of each worker to each of them.
    pub connection_count_max: u32,
    /// The longest request body that is passed on.
    pub upload_bytes_max: u64,
    /// Whether the forwarding fields of clients are believed.
    pub trust_forwarded: bool,
    /// Directories out of which the application may have files sent.
    pub sendfile_roots: Vec<Source>,
}

/// Where an application server listens.
///
/// ```
/// use whitering::UpstreamAddress;
///
/// let address = UpstreamAddress::parse("http://[::1]")?;
/// assert_eq!(address.to_string(), "http://[::1]:80");
/// # Ok::<(), whitering::UpstreamError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UpstreamAddress {
    /// `http://HOST:PORT`.
    Tcp {
        /// A name or an address; of IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// Why a text is no upstream; all for the operator to mend.
///
/// ```
/// use whitering::{UpstreamAddress, UpstreamError};
///
/// let error = UpstreamAddress::parse("https://127.0.0.1:8000").unwrap_err();
/// assert_eq!(error, UpstreamError::Tls);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Neither `http://` nor `unix:`.
    #[error("write http://HOST:PORT or unix:PATH")]
    Scheme,
    /// TLS to an upstream is not spoken.
    #[error("upstreams are spoken to without TLS; write http://HOST:PORT")]
    Tls,
    /// A path, query or user.
    #[error("an upstream has no path; the path of the request is passed on as it is")]
    Path,
    /// The host, port or path of a socket.
    #[error(transparent)]
    Address(#[from] BindError),
}

impl UpstreamAddress {
    /// Parses `http://HOST[:PORT]` or `unix:PATH`.
    ///
    /// # Errors
    /// [`UpstreamError`]: how to write it.
    pub fn parse(text: impl Into<OsString>) -> Result<Self, UpstreamError> {
        let text = text.into();
        let bytes = text.as_bytes();
        if bytes.starts_with(b"unix:") {
            return match Bind::parse(text)? {
                Bind::Unix(path) => Ok(Self::Unix(path)),
                _ => Err(UpstreamError::Scheme),
            };
        }
        let text = std::str::from_utf8(bytes).map_err(|_| UpstreamError::Scheme)?;
        if text.starts_with("https://") {
            return Err(UpstreamError::Tls);
        }
        let authority = text.strip_prefix("http://").ok_or(UpstreamError::Scheme)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(UpstreamError::Path);
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let authority = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        match Bind::parse(OsString::from_vec(authority.into_bytes()))? {
            Bind::Tcp { host, port } => Ok(Self::Tcp { host, port }),
            _ => Err(UpstreamError::Scheme),
        }
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => {
                write!(formatter, "http://[{host}]:{port}")
            }
            Self::Tcp { host, port } => write!(formatter, "http://{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl Upstream {
    /// What `arguments` and the defaults come to.
    pub(super) fn of(arguments: UpstreamArguments) -> Self {
        Self {
            addresses: arguments.upstream,
            connect_timeout: arguments
                .upstream_connect_timeout
                .unwrap_or(CONNECT_TIMEOUT),
            timeout: arguments.upstream_timeout.unwrap_or(TIMEOUT),
            connection_count_max: arguments.upstream_connections.unwrap_or(CONNECTION_COUNT),
            upload_bytes_max: arguments.max_upload.unwrap_or(UPLOAD_BYTES),
            trust_forwarded: arguments.trust_forwarded,
            sendfile_roots: arguments.sendfile_root,
        }
    }
}

fn upstream_parser() -> impl TypedValueParser<Value = UpstreamAddress> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<_, UpstreamError> { UpstreamAddress::parse(text) })
}

fn source_parser() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<Source, SourceError> { Source::parse(text) })
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECTION_COUNT: u32 = 256;
const UPLOAD_BYTES: u64 = 1 << 30;

const UPSTREAM: &str = "What names no file";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, UpstreamError>) {
        let printed = UpstreamAddress::parse(text).map(|address| address.to_string());
        assert_eq!(printed, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn parses_upstreams() {
        check("http://127.0.0.1:8000", Ok("http://127.0.0.1:8000"));
        check("http://localhost", Ok("http://localhost:80"));
        check("http://[::1]:8000/", Ok("http://[::1]:8000"));
        check("http://[::1]", Ok("http://[::1]:80"));
        check("unix:/run/app.sock", Ok("unix:/run/app.sock"));
    }

    #[test]
    fn says_what_is_wrong_with_an_upstream() {
        check("127.0.0.1:8000", Err(UpstreamError::Scheme));
        check("https://app.example", Err(UpstreamError::Tls));
        check("http://app/path", Err(UpstreamError::Path));
        check("http://user@app", Err(UpstreamError::Path));
        check(
            "http://app:http",
            Err(UpstreamError::Address(BindError::Port)),
        );
        check("unix:", Err(UpstreamError::Address(BindError::UnixPath)));
        check("fd://3", Err(UpstreamError::Scheme));
    }
}
