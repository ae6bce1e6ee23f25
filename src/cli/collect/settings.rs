//! From what the operator wrote and what a project has set to one run's options. Explicit options
//! win; contradictions among them are refused. Runs nothing and reads no file.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use whitering::staticfiles::{
    CacheOptions, Coding, Compat, Compression, DEFAULT_IGNORE, Options, Source, Storage,
};

use super::arguments::{Arguments, parse_static_url};
use super::choices::{Encoding, Level};
use super::project::{Project, ProjectError, Settings};

/// Variables that stand for no single option.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// `WHITERING_STRICT`, for --strict and --no-strict.
    pub(super) strict: Option<OsString>,
    /// The user's own cache, the default of --cache.
    pub(super) cache_directory: Option<PathBuf>,
}

/// Why settings make no run; all for the operator to mend, one line each.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// Neither sources nor a project.
    #[error(
        "there is nothing to collect; name a project with --django manage.py, or a directory with \
         --source DIR"
    )]
    NoSource,
    /// No place for the release.
    #[error("there is no place for the release; name a directory with --output DIR")]
    NoOutput,
    /// A pattern that is empty.
    #[error("--ignore with an empty pattern ignores nothing; leave it out")]
    EmptyPattern,
    /// Two options that exclude each other.
    #[error("{0} and {1} contradict each other; leave one out")]
    Contradiction(&'static str, &'static str),
    /// An option that means nothing without another.
    #[error("{0} belongs to {1}; add that, or leave it out")]
    Needs(&'static str, &'static str),
    /// A variable that cannot be understood.
    #[error(
        "the environment variable {STRICT_VARIABLE} is '{0}', not true or false; mend or unset it"
    )]
    Variable(String),
    /// The project's STATIC_URL is of no use.
    #[error("STATIC_URL of the project cannot be used: {0}")]
    StaticUrl(String),
    /// The directory the process runs in is gone.
    #[error("cannot make {} absolute: {cause}", .path.display())]
    Directory {
        /// The output.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The project cannot be collected.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl Surroundings {
    /// Reads the variables of this process.
    pub(super) fn read() -> Self {
        Self {
            strict: env::var_os(STRICT_VARIABLE),
            cache_directory: CacheOptions::default_directory(),
        }
    }

    /// Whether --strict or --no-strict is set here.
    fn strict(&self) -> Result<Option<bool>, SettingsError> {
        let Some(value) = &self.strict else {
            return Ok(None);
        };
        let text = value.to_string_lossy();
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "true" | "yes" | "on" | "1" => Ok(Some(true)),
            "false" | "no" | "off" | "0" => Ok(Some(false)),
            _ => Err(SettingsError::Variable(text.escape_debug().to_string())),
        }
    }
}

/// The options of the run that `arguments` and `project` ask for.
pub(super) fn options(
    arguments: Arguments,
    project: Option<Project>,
    surroundings: &Surroundings,
) -> Result<Options, SettingsError> {
    let settings = project.as_ref().map(Project::settings).transpose()?;
    let output = output(&arguments, settings)?;
    let storage = storage(&arguments, settings);
    let hashes = storage == Storage::Manifest && !arguments.no_post_process;
    let is_set = |flag, of: fn(&Settings) -> bool| hashes && (flag || settings.is_some_and(of));
    let mut options = Options {
        static_url: static_url(&arguments, settings)?,
        storage,
        js_modules: is_set(arguments.js_modules, |settings| settings.storage.js_modules),
        ignore: ignore(&arguments, settings),
        clear: arguments.clear,
        dry_run: arguments.dry_run,
        link: arguments.link,
        post_process: !arguments.no_post_process,
        keep_only_hashed: is_set(arguments.keep_only_hashed, |settings| {
            settings.storage.keep_only_hashed
        }),
        strict: strict(&arguments, surroundings)?,
        compat: compat(&arguments, project.as_ref())?,
        compression: compression(&arguments, settings),
        cache: cache(&arguments, surroundings),
        thread_count: arguments.threads.map(std::num::NonZeroUsize::get),
        ..Options::new(output)
    };
    options.sources = arguments.source.into_iter().map(directory).collect();
    if let Some(project) = project {
        options.sources.extend(project.into_sources()?);
    }
    Ok(options)
}

/// What the operator may not expect of the project's settings.
pub(super) fn note(arguments: &Arguments, settings: &Settings) -> Option<&'static str> {
    let compresses = settings.storage.is_compressed() || arguments.asks_for_compression();
    let is_expected = compresses || arguments.no_compress || arguments.no_post_process;
    (!is_expected).then_some(
        "nothing is compressed, since the project's storage is none of WhiteNoise's Compressed \
         ones; --encodings br,gzip does it all the same",
    )
}

impl Arguments {
    fn asks_for_compression(&self) -> bool {
        !self.encodings.is_empty() || self.level.is_some() || self.skip_compress.is_some()
    }
}

/// Absolute, so that it is named whole at the end and does not depend on a working directory.
fn output(arguments: &Arguments, settings: Option<&Settings>) -> Result<PathBuf, SettingsError> {
    let path = match (&arguments.output, settings) {
        (Some(output), _) => output.clone(),
        (None, Some(settings)) => settings.storage.output()?,
        (None, None) => return Err(SettingsError::NoOutput),
    };
    std::path::absolute(&path).map_err(|cause| SettingsError::Directory { path, cause })
}

fn static_url(arguments: &Arguments, settings: Option<&Settings>) -> Result<String, SettingsError> {
    match (&arguments.prefix, settings) {
        (Some(prefix), _) => Ok(prefix.clone()),
        (None, Some(settings)) => {
            parse_static_url(&settings.static_url).map_err(SettingsError::StaticUrl)
        }
        (None, None) => Ok("/static/".to_owned()),
    }
}

fn storage(arguments: &Arguments, settings: Option<&Settings>) -> Storage {
    match (arguments.storage, settings) {
        (Some(storage), _) => storage.meant(),
        (None, Some(settings)) if !settings.storage.is_hashed() => Storage::Plain,
        (None, _) => Storage::Manifest,
    }
}

fn strict(arguments: &Arguments, surroundings: &Surroundings) -> Result<bool, SettingsError> {
    match (arguments.strict, arguments.no_strict) {
        // The command line keeps the last one.
        (_, true) => Ok(false),
        (true, false) => Ok(true),
        (false, false) => Ok(surroundings.strict()?.unwrap_or(true)),
    }
}

fn compat(arguments: &Arguments, project: Option<&Project>) -> Result<Compat, SettingsError> {
    match (arguments.compat, project) {
        (Some(compat), _) => Ok(compat.meant()),
        (None, Some(project)) => Ok(project.compat()?),
        (None, None) => Ok(Compat::default()),
    }
}

/// For directories of ours; the project's finders have been told already.
fn ignore(arguments: &Arguments, settings: Option<&Settings>) -> Vec<String> {
    if let Some(settings) = settings {
        return settings.ignore.clone();
    }
    let defaults = DEFAULT_IGNORE
        .iter()
        .filter(|_| !arguments.no_default_ignore);
    let defaults = defaults.map(|pattern| (*pattern).to_owned());
    arguments.ignore.iter().cloned().chain(defaults).collect()
}

fn compression(arguments: &Arguments, settings: Option<&Settings>) -> Option<Compression> {
    let by_default = settings.is_none_or(|settings| settings.storage.is_compressed());
    if arguments.no_compress || !(by_default || arguments.asks_for_compression()) {
        return None;
    }
    let mut compression = Compression::default();
    if !arguments.encodings.is_empty() {
        compression.codings = codings(&arguments.encodings);
    }
    if let Some(level) = arguments.level.map(Level::meant) {
        compression.level = level;
    }
    let of_project = settings.and_then(|settings| settings.skip_extensions.as_ref());
    let of_operator = arguments
        .skip_compress
        .as_ref()
        .map(|extensions| &extensions.0);
    if let Some(extensions) = of_operator.or(of_project) {
        compression.skip_extensions.clone_from(extensions);
    }
    Some(compression)
}

/// Each once, in the order that was asked for.
fn codings(encodings: &[Encoding]) -> Vec<Coding> {
    let mut codings = Vec::new();
    for coding in encodings.iter().copied().map(Encoding::meant) {
        if !codings.contains(&coding) {
            codings.push(coding);
        }
    }
    codings
}

fn cache(arguments: &Arguments, surroundings: &Surroundings) -> Option<CacheOptions> {
    if arguments.no_cache {
        return None;
    }
    let asked = arguments.cache.clone();
    Some(CacheOptions {
        directory: asked.or_else(|| surroundings.cache_directory.clone())?,
        bytes_max: arguments.cache_size.unwrap_or(CACHE_BYTES_MAX),
    })
}

fn directory(source: whitering::Source) -> Source {
    Source::Directory {
        prefix: source.prefix.trim_matches('/').to_owned(),
        directory: source.directory,
    }
}

impl SettingsError {
    /// Whether the mistake is in what was asked for on the command line.
    pub(super) const fn is_usage(&self) -> bool {
        match self {
            Self::NoSource
            | Self::NoOutput
            | Self::EmptyPattern
            | Self::Contradiction(..)
            | Self::Needs(..) => true,
            Self::Variable(_) | Self::StaticUrl(_) | Self::Directory { .. } | Self::Project(_) => {
                false
            }
        }
    }
}

const STRICT_VARIABLE: &str = "WHITERING_STRICT";
const CACHE_BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests;
