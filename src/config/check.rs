//! Fills in the defaults and refuses what contradicts itself. The only place with default values.

use std::time::Duration;

use super::bind::ANY_HOST;
use super::prefix::below_script_name;
use super::raw::{CORS_VARIABLE, INDEX_FILE_VARIABLE, PORT_VARIABLE};
use super::{
    Bind, CONNECTION_COUNT_MAX, Config, Limits, MaxAge, NotFoundFile, Responses, ServeArguments,
    Source,
};

/// Why settings do not make a configuration; all for the operator to mend, one line each.
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
    #[error("--bind {0} is given twice; leave one out")]
    RepeatedBind(Bind),
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
            | Self::RepeatedBind(_)
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
    Ok(Config {
        binds: binds(&arguments)?,
        sources: sources(&mut arguments)?,
        engine: arguments.engine.unwrap_or_default(),
        worker_count: arguments.workers,
        pin: !arguments.no_pin,
        memory_budget_bytes: arguments.memory_budget,
        limits: limits(&arguments)?,
        drain_timeout: arguments.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
        responses: responses(arguments)?,
    })
}

fn binds(arguments: &ServeArguments) -> Result<Vec<Bind>, ConfigError> {
    let binds = &arguments.bind;
    for (index, bind) in binds.iter().enumerate() {
        // Port 0 is another port each time.
        let any_port = matches!(bind, Bind::Tcp { port: 0, .. });
        if !any_port && binds[..index].contains(bind) {
            return Err(ConfigError::RepeatedBind(bind.clone()));
        }
    }
    if !binds.is_empty() {
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

fn sources(arguments: &mut ServeArguments) -> Result<Vec<Source>, ConfigError> {
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
    if sources.is_empty() {
        return Err(ConfigError::NoSource);
    }
    if let Some(script_name) = &arguments.script_name {
        for source in &mut sources {
            source.prefix = below_script_name(&source.prefix, script_name);
        }
    }
    Ok(sources)
}

fn responses(arguments: ServeArguments) -> Result<Responses, ConfigError> {
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
