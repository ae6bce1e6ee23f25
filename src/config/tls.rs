//! Certificates, and the protocols that are spoken over them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};

use super::bind::{Bind, BindError};

/// The settings of TLS and HTTP/2.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TlsArguments {
    /// Certificate chain in PEM. Repeatable, with a --tls-key each: chosen by the name in SNI.
    #[arg(long, value_name = "FILE", env = "WHITERING_TLS_CERT", help_heading = TLS)]
    #[arg(value_delimiter = '\n')]
    pub tls_cert: Vec<PathBuf>,

    /// Private key of the certificate at the same place, in PEM. Repeatable.
    #[arg(long, value_name = "FILE", env = "WHITERING_TLS_KEY", help_heading = TLS)]
    #[arg(value_delimiter = '\n')]
    pub tls_key: Vec<PathBuf>,

    /// Listen for TLS on HOST:PORT, unix:PATH or fd://N [default: 127.0.0.1:8443]. Repeatable.
    ///
    /// With a certificate and without --bind, nothing is served without TLS.
    #[arg(long, value_name = "ADDRESS", env = "WHITERING_TLS_BIND", help_heading = TLS)]
    #[arg(value_delimiter = ',', value_parser = bind_parser())]
    pub tls_bind: Vec<Bind>,

    /// Send clients of the addresses in --bind to the first of --tls-bind, with 308.
    #[arg(long, env = "WHITERING_HTTPS_REDIRECT", help_heading = TLS)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub https_redirect: bool,

    /// Have browsers use TLS for so many seconds (Strict-Transport-Security, over TLS only).
    #[arg(long, value_name = "SECONDS", env = "WHITERING_HSTS", help_heading = TLS)]
    pub hsts: Option<u32>,

    /// Do not offer HTTP/2 over TLS.
    #[arg(long, env = "WHITERING_NO_HTTP2", help_heading = TLS)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub no_http2: bool,

    /// Take HTTP/2 without TLS from clients that begin with it, such as a load balancer.
    #[arg(long, env = "WHITERING_H2C", help_heading = TLS)]
    #[arg(value_parser = BoolishValueParser::new())]
    pub h2c: bool,

    /// Requests at once on one connection of HTTP/2 [default: 100].
    #[arg(long, value_name = "N", env = "WHITERING_MAX_STREAMS", help_heading = TLS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_streams: Option<u32>,
}

/// Certificates and where they are used.
///
/// ```
/// use whitering::{Bind, CertificateFiles, Config, Tls};
///
/// let mut config = Config::for_directory("public");
/// config.binds = vec![Bind::parse(":80")?];
/// config.tls = Some(Tls {
///     certificates: vec![CertificateFiles {
///         chain: "chain.pem".into(),
///         key: "key.pem".into(),
///     }],
///     binds: vec![Bind::parse(":443")?],
///     redirects: true,
///     hsts_seconds: Some(31_536_000),
/// });
/// # Ok::<(), whitering::BindError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tls {
    /// The files; never empty. The first answers clients that name no host, or an unknown one.
    pub certificates: Vec<CertificateFiles>,
    /// Where to listen; never empty.
    pub binds: Vec<Bind>,
    /// Whether the addresses without TLS only say where those with it are.
    pub redirects: bool,
    /// For how many seconds browsers are to insist on TLS; none: it is not said.
    pub hsts_seconds: Option<u32>,
}

/// A certificate chain and its private key, both in PEM.
///
/// ```
/// use whitering::{Bind, CertificateFiles, Server};
///
/// let files = CertificateFiles {
///     chain: "chain.pem".into(),
///     key: "key.pem".into(),
/// };
/// let builder = Server::builder().directory("public").tls(Bind::parse(":8443")?, vec![files]);
/// # drop(builder);
/// # Ok::<(), whitering::BindError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The key of the leaf.
    pub key: PathBuf,
}

/// What is spoken besides HTTP/1.1.
///
/// ```
/// let mut config = whitering::Config::for_directory("public");
/// assert_eq!(config.http2.stream_count_max, 100);
/// config.http2.prior_knowledge = true;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Whether it is offered over TLS.
    pub over_tls: bool,
    /// Whether it is taken without TLS from who begins with it (RFC 9113 §3.3).
    pub prior_knowledge: bool,
    /// Requests at once on one connection.
    pub stream_count_max: u32,
}

impl Http2 {
    /// What `arguments` and the defaults come to.
    pub(super) fn of(arguments: &TlsArguments) -> Self {
        Self {
            over_tls: !arguments.no_http2,
            prior_knowledge: arguments.h2c,
            stream_count_max: arguments.max_streams.unwrap_or(STREAM_COUNT),
        }
    }
}

fn bind_parser() -> impl TypedValueParser<Value = Bind> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<Bind, BindError> { Bind::parse(text) })
}

const STREAM_COUNT: u32 = 100;

const TLS: &str = "TLS and HTTP/2";
