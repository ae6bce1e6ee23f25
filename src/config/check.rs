//! Fills in the defaults and refuses what contradicts itself. The only place with default values.

use std::time::Duration;

use super::bind::ANY_HOST;
use super::prefix::below_script_name;
use super::raw::{CORS_VARIABLE, INDEX_FILE_VARIABLE, PORT_VARIABLE};
use super::{
    Bind, CONNECTION_COUNT_MAX, CertificateFiles, Config, HeaderRule, Http2, Limits, MaxAge,
    NotFoundFile, Responses, ServeArguments, Source, Tls, Upstream,
};

/// Why settings do not make a configuration; all for the operator to mend, one line each.
///
/// ```
/// use whitering::{Config, ConfigError, ServeArguments};
///
/// let error = Config::check(ServeArguments::default()).unwrap_err();
/// assert_eq!(error, ConfigError::NoSource);
/// assert!(error.to_string().contains("whitering serve public"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither a root nor a source.
    #[error("there is nothing to serve; name a directory, as in: whitering serve public")]
    NoSource,
    /// A prefix for a root that is not there.
    #[error(
        "--prefix belongs to ROOT, but no ROOT is given; name it, or write --source PREFIX=DIR"
    )]
    PrefixWithoutRoot,
    /// The same address twice.
    #[error("{flag} {bind} is given twice; leave one out", flag = .0, bind = .1)]
    RepeatedBind(&'static str, Bind),
    /// The same address for both.
    #[error("{0} cannot be with TLS and without; name another address with --tls-bind")]
    PlainAndTls(Bind),
    /// Certificates and keys that do not pair.
    #[error("{certificates} --tls-cert and {keys} --tls-key; each certificate needs its key")]
    CertificatesAndKeys {
        /// How many certificates were given.
        certificates: usize,
        /// How many keys.
        keys: usize,
    },
    /// A setting of TLS without a certificate.
    #[error("{0} needs a certificate; name its files with --tls-cert and --tls-key")]
    CertificateMissing(&'static str),
    /// A redirect from nowhere.
    #[error("--https-redirect needs an address without TLS to redirect from; name it with --bind")]
    RedirectWithoutBind,
    /// A redirect to nowhere.
    #[error(
        "--https-redirect sends clients to the port of the first --tls-bind, and {0} has none; \
         put an address with a port first"
    )]
    RedirectWithoutPort(Bind),
    /// HSTS where files are served without TLS as well.
    #[error(
        "--hsts is for sites without plain HTTP; add --https-redirect, or leave out what makes it \
         be served: {0}"
    )]
    HstsWithoutRedirect(&'static str),
    /// An answer to what is not found, and somebody else who answers it.
    #[error("{0} answers what is not found, and so does the application; leave one out")]
    NotFoundAndUpstream(&'static str),
    /// Application servers to find, and one to start.
    #[error(
        "requests go to the application that run starts, so leave --upstream out; without CMD, use: whitering serve"
    )]
    UpstreamAndApplication,
    /// Two answers to what is not found.
    #[error("--not-found and --spa both answer what is not found; leave one out")]
    NotFoundAndSpa,
    /// A file name that is empty.
    #[error("{0} needs the name of a served file, such as {1}")]
    FileName(&'static str, &'static str),
    /// An index file that could not be one.
    #[error("--index-file takes a file name without a path; to have none, write --no-index-file")]
    IndexFile,
    /// A size out of its range.
    #[error("{flag} must be from {least} to {most} bytes")]
    Size {
        /// The flag, with its dashes.
        flag: &'static str,
        /// The smallest size allowed.
        least: u64,
        /// The largest size allowed.
        most: u64,
    },
    /// A target that no head can hold.
    #[error(
        "--max-target {target} is more than --max-head {head} leaves room for; raise --max-head"
    )]
    TargetBeyondHead {
        /// The longest target asked for, in bytes.
        target: u64,
        /// The longest head asked for, in bytes.
        head: u64,
    },
    /// A variable of [`super::Environment`] that cannot be understood.
    #[error("the environment variable {name} is '{value}', not {expected}; mend or unset it")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it holds, escaped.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
}

impl ConfigError {
    /// Whether the mistake is in what was asked for, rather than in the surroundings it is run in.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::NoSource
            | Self::PrefixWithoutRoot
            | Self::RepeatedBind(..)
            | Self::PlainAndTls(_)
            | Self::CertificatesAndKeys { .. }
            | Self::CertificateMissing(_)
            | Self::RedirectWithoutBind
            | Self::RedirectWithoutPort(_)
            | Self::HstsWithoutRedirect(_)
            | Self::NotFoundAndUpstream(_)
            | Self::UpstreamAndApplication
            | Self::NotFoundAndSpa
            | Self::FileName(..)
            | Self::IndexFile
            | Self::Size { .. }
            | Self::TargetBeyondHead { .. } => true,
            Self::Variable { .. } => false,
        }
    }
}

pub(super) fn check(mut arguments: ServeArguments) -> Result<Config, ConfigError> {
    let tls = tls(&mut arguments)?;
    let hsts_seconds = tls.as_ref().and_then(|tls| tls.hsts_seconds);
    let http2 = Http2::of(&arguments.tls);
    let has_upstream = has_upstream(&arguments);
    check_not_found(&arguments, has_upstream)?;
    if arguments.application.is_some() && !arguments.upstream.upstream.is_empty() {
        return Err(ConfigError::UpstreamAndApplication);
    }
    Ok(Config {
        binds: binds(&arguments, tls.is_some())?,
        sources: sources(&mut arguments, has_upstream)?,
        tls,
        http2,
        application: arguments.application.take(),
        upstream: Upstream::of(std::mem::take(&mut arguments.upstream)),
        engine: arguments.engine.unwrap_or_default(),
        worker_count: arguments.workers,
        pin: !arguments.no_pin,
        memory_budget_bytes: arguments.memory_budget,
        limits: limits(&arguments)?,
        drain_timeout: arguments.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
        responses: responses(arguments, hsts_seconds)?,
    })
}

/// Whether something answers what names no file.
fn has_upstream(arguments: &ServeArguments) -> bool {
    !arguments.upstream.upstream.is_empty() || arguments.application.is_some()
}

fn check_not_found(arguments: &ServeArguments, has_upstream: bool) -> Result<(), ConfigError> {
    match (&arguments.not_found, &arguments.spa) {
        (Some(_), _) if has_upstream => Err(ConfigError::NotFoundAndUpstream("--not-found")),
        (_, Some(_)) if has_upstream => Err(ConfigError::NotFoundAndUpstream("--spa")),
        _ => Ok(()),
    }
}

fn tls(arguments: &mut ServeArguments) -> Result<Option<Tls>, ConfigError> {
    let given = &mut arguments.tls;
    let (certificates, keys) = (given.tls_cert.len(), given.tls_key.len());
    if certificates != keys {
        return Err(ConfigError::CertificatesAndKeys { certificates, keys });
    }
    if certificates == 0 {
        return match (given.https_redirect, given.hsts, given.tls_bind.is_empty()) {
            (true, ..) => Err(ConfigError::CertificateMissing("--https-redirect")),
            (_, Some(_), _) => Err(ConfigError::CertificateMissing("--hsts")),
            (.., false) => Err(ConfigError::CertificateMissing("--tls-bind")),
            (false, None, true) => Ok(None),
        };
    }
    let binds = tls_binds(arguments)?;
    check_redirect(arguments, &binds[0])?;
    let given = &mut arguments.tls;
    let chains = std::mem::take(&mut given.tls_cert).into_iter();
    Ok(Some(Tls {
        certificates: chains
            .zip(std::mem::take(&mut given.tls_key))
            .map(|(chain, key)| CertificateFiles { chain, key })
            .collect(),
        binds,
        redirects: given.https_redirect,
        hsts_seconds: given.hsts,
    }))
}

/// Where TLS is listened for; at least one address, and none that is without TLS too.
fn tls_binds(arguments: &mut ServeArguments) -> Result<Vec<Bind>, ConfigError> {
    let mut binds = std::mem::take(&mut arguments.tls.tls_bind);
    if binds.is_empty() {
        let host = DEFAULT_HOST.to_owned();
        let port = DEFAULT_TLS_PORT;
        binds.push(Bind::Tcp { host, port });
    }
    check_binds("--tls-bind", &binds)?;
    let is_plain = |bind: &&Bind| !is_any_port(bind) && arguments.bind.contains(*bind);
    match binds.iter().find(is_plain) {
        Some(bind) => Err(ConfigError::PlainAndTls(bind.clone())),
        None => Ok(binds),
    }
}

/// Whether it can be redirected to `bind`, and HSTS be said.
fn check_redirect(arguments: &ServeArguments, bind: &Bind) -> Result<(), ConfigError> {
    let plain = match arguments.bind.is_empty() {
        false => Some("--bind"),
        true => has_port(arguments).then_some(PORT_VARIABLE),
    };
    match (arguments.tls.https_redirect, plain, bind) {
        (true, None, _) => Err(ConfigError::RedirectWithoutBind),
        (true, _, Bind::Unix(_)) => Err(ConfigError::RedirectWithoutPort(bind.clone())),
        (false, Some(plain), _) if arguments.tls.hsts.is_some() => {
            Err(ConfigError::HstsWithoutRedirect(plain))
        }
        _ => Ok(()),
    }
}

/// Refuses an address that is given twice.
fn check_binds(flag: &'static str, binds: &[Bind]) -> Result<(), ConfigError> {
    for (index, bind) in binds.iter().enumerate() {
        if !is_any_port(bind) && binds[..index].contains(bind) {
            return Err(ConfigError::RepeatedBind(flag, bind.clone()));
        }
    }
    Ok(())
}

/// Port 0 is another port each time.
fn is_any_port(bind: &Bind) -> bool {
    matches!(bind, Bind::Tcp { port: 0, .. })
}

fn has_port(arguments: &ServeArguments) -> bool {
    let port = arguments.environment.port.as_deref();
    port.is_some_and(|port| !port.is_empty())
}

fn binds(arguments: &ServeArguments, has_tls: bool) -> Result<Vec<Bind>, ConfigError> {
    let binds = &arguments.bind;
    check_binds("--bind", binds)?;
    if !binds.is_empty() || has_tls && !has_port(arguments) {
        return Ok(binds.clone());
    }
    let (host, port) = match arguments.environment.port.as_deref() {
        None | Some("") => (DEFAULT_HOST, DEFAULT_PORT),
        Some(text) => (ANY_HOST, port(text)?),
    };
    let host = host.to_owned();
    Ok(vec![Bind::Tcp { host, port }])
}

fn port(text: &str) -> Result<u16, ConfigError> {
    let port = text.trim().parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| wrong_variable(PORT_VARIABLE, text, "a number from 1 to 65535"))
}

fn wrong_variable(name: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Variable {
        name,
        value: value.escape_debug().to_string(),
        expected,
    }
}

fn sources(arguments: &mut ServeArguments, has_upstream: bool) -> Result<Vec<Source>, ConfigError> {
    let mut sources = Vec::with_capacity(arguments.source.len() + 1);
    match (arguments.root.take(), arguments.prefix.take()) {
        (Some(directory), prefix) => sources.push(Source {
            prefix: prefix.unwrap_or_else(|| "/".to_owned()),
            directory,
        }),
        (None, Some(_)) => return Err(ConfigError::PrefixWithoutRoot),
        (None, None) => {}
    }
    sources.append(&mut arguments.source);
    if sources.is_empty() && !has_upstream {
        return Err(ConfigError::NoSource);
    }
    if let Some(script_name) = &arguments.script_name {
        for source in &mut sources {
            source.prefix = below_script_name(&source.prefix, script_name);
        }
    }
    Ok(sources)
}

fn responses(
    mut arguments: ServeArguments,
    hsts_seconds: Option<u32>,
) -> Result<Responses, ConfigError> {
    if let Some(seconds) = hsts_seconds {
        // The first: an operator's own rule wins.
        arguments.header.insert(0, hsts_rule(seconds));
    }
    Ok(Responses {
        max_age_seconds: match arguments.max_age {
            None => Some(MAX_AGE_SECONDS),
            Some(MaxAge::Seconds(seconds)) => Some(seconds),
            Some(MaxAge::Unsaid) => None,
        },
        cors: cors(&arguments)?,
        index_file: index_file(&arguments)?,
        charset: arguments.charset.unwrap_or_else(|| CHARSET.to_owned()),
        mime: arguments.mime,
        header_rules: arguments.header,
        immutable: arguments.immutable,
        not_found: not_found(arguments.not_found, arguments.spa)?,
    })
}

/// RFC 6797 §6.1. It may not be sent without TLS (§7.2), where nothing is served then.
fn hsts_rule(seconds: u32) -> HeaderRule {
    HeaderRule::parse(&format!("*: Strict-Transport-Security: max-age={seconds}"))
        .expect("invariant: a glob, a name and a value")
}

fn cors(arguments: &ServeArguments) -> Result<bool, ConfigError> {
    let variable = arguments.environment.cors.as_deref();
    match (arguments.cors, arguments.no_cors) {
        // The command line keeps the last one; code that sets both means the stricter.
        (_, true) => Ok(false),
        (true, false) => Ok(true),
        (false, false) => variable.map_or(Ok(true), switch),
    }
}

fn switch(text: &str) -> Result<bool, ConfigError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(wrong_variable(CORS_VARIABLE, text, "true or false")),
    }
}

fn index_file(arguments: &ServeArguments) -> Result<Option<String>, ConfigError> {
    let flag = arguments.index_file.as_deref();
    let variable = arguments.environment.index_file.as_deref();
    match (arguments.no_index_file, flag, variable) {
        (true, ..) | (false, None, Some("")) => Ok(None),
        (false, None, None) => Ok(Some(INDEX_FILE.to_owned())),
        (false, Some(name), _) if is_index_file(name) => Ok(Some(name.to_owned())),
        (false, Some(_), _) => Err(ConfigError::IndexFile),
        (false, None, Some(name)) if is_index_file(name) => Ok(Some(name.to_owned())),
        (false, None, Some(name)) => Err(wrong_variable(
            INDEX_FILE_VARIABLE,
            name,
            "a file name without a path",
        )),
    }
}

/// Whether a directory can hold a served file of this name; dot files are never served.
fn is_index_file(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn not_found(
    page: Option<String>,
    spa: Option<String>,
) -> Result<Option<NotFoundFile>, ConfigError> {
    let is_empty = |path: &Option<String>| path.as_deref().is_some_and(|path| path.is_empty());
    if is_empty(&page) {
        return Err(ConfigError::FileName("--not-found", "404.html"));
    }
    if is_empty(&spa) {
        return Err(ConfigError::FileName("--spa", "index.html"));
    }
    match (page, spa) {
        (Some(_), Some(_)) => Err(ConfigError::NotFoundAndSpa),
        (page, spa) => Ok(page
            .map(NotFoundFile::Page)
            .or_else(|| spa.map(NotFoundFile::Spa))),
    }
}

fn limits(arguments: &ServeArguments) -> Result<Limits, ConfigError> {
    let head = size("--max-head", arguments.max_head, HEAD_BYTES, HEAD_RANGE)?;
    let target_default = TARGET_BYTES.min(head / 2);
    let target = size(
        "--max-target",
        arguments.max_target,
        target_default,
        TARGET_RANGE,
    )?;
    if target + REQUEST_LINE_REST_BYTES > head {
        return Err(ConfigError::TargetBeyondHead { target, head });
    }
    let bytes = |size| usize::try_from(size).expect("invariant: checked to be at most 1 MiB");
    Ok(Limits {
        head_bytes_max: bytes(head),
        target_bytes_max: bytes(target),
        body_bytes_max: arguments.max_body.unwrap_or(BODY_BYTES),
        connection_count_max: arguments.max_connections.unwrap_or(CONNECTION_COUNT_MAX),
        head_timeout: arguments.head_timeout.unwrap_or(HEAD_TIMEOUT),
        body_timeout: arguments.body_timeout.unwrap_or(BODY_TIMEOUT),
        idle_timeout: arguments.idle_timeout.unwrap_or(IDLE_TIMEOUT),
        write_timeout: arguments.write_timeout.unwrap_or(WRITE_TIMEOUT),
    })
}

fn size(
    flag: &'static str,
    asked: Option<u64>,
    default: u64,
    (least, most): (u64, u64),
) -> Result<u64, ConfigError> {
    let size = asked.unwrap_or(default);
    if size < least || size > most {
        return Err(ConfigError::Size { flag, least, most });
    }
    Ok(size)
}

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 8_080;
const DEFAULT_TLS_PORT: u16 = 8_443;
const MAX_AGE_SECONDS: u32 = 60;
const CHARSET: &str = "utf-8";
const INDEX_FILE: &str = "index.html";
const HEAD_BYTES: u64 = 16 << 10;
const HEAD_RANGE: (u64, u64) = (1 << 10, 1 << 20);
const TARGET_BYTES: u64 = 8 << 10;
const TARGET_RANGE: (u64, u64) = (64, 1 << 20);
const BODY_BYTES: u64 = 64 << 10;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What stands beside the target in the shortest head of HTTP/1.0.
const REQUEST_LINE_REST_BYTES: u64 = "GET  HTTP/1.0\r\n\r\n".len() as u64;

#[cfg(test)]
mod tests;
