//! Options that do not go together. Knows what was asked for, not what a project has set: this is
//! looked at before anything is run.

use super::arguments::Arguments;
use super::choices::Storage;
use super::settings::SettingsError;

/// Refuses what makes no sense together, or is not enough.
pub(super) fn check(arguments: &Arguments) -> Result<(), SettingsError> {
    let has_project = arguments.django.is_some();
    if arguments.source.is_empty() && !has_project {
        return Err(SettingsError::NoSource);
    }
    if arguments.output.is_none() && !has_project {
        return Err(SettingsError::NoOutput);
    }
    if arguments.python.is_some() && !has_project {
        return Err(SettingsError::Needs("--python", "--django"));
    }
    if arguments.ignore.iter().any(String::is_empty) {
        return Err(SettingsError::EmptyPattern);
    }
    let given = given(arguments);
    let is_given = |option| given.contains(&(option, true));
    let mut pairs = CONTRADICTIONS.into_iter();
    match pairs.find(|(one, other)| is_given(*one) && is_given(*other)) {
        Some((one, other)) => Err(SettingsError::Contradiction(one, other)),
        None => Ok(()),
    }
}

/// Which of the options in [`CONTRADICTIONS`] are given.
fn given(arguments: &Arguments) -> [(&'static str, bool); 11] {
    [
        ("--storage plain", arguments.storage == Some(Storage::Plain)),
        ("--no-post-process", arguments.no_post_process),
        ("--keep-only-hashed", arguments.keep_only_hashed),
        ("--js-modules", arguments.js_modules),
        ("--no-compress", arguments.no_compress),
        ("--encodings", !arguments.encodings.is_empty()),
        ("--level", arguments.level.is_some()),
        ("--skip-compress", arguments.skip_compress.is_some()),
        ("--no-cache", arguments.no_cache),
        ("--cache", arguments.cache.is_some()),
        ("--cache-size", arguments.cache_size.is_some()),
    ]
}

const CONTRADICTIONS: [(&str, &str); 9] = [
    ("--storage plain", "--keep-only-hashed"),
    ("--storage plain", "--js-modules"),
    ("--no-post-process", "--keep-only-hashed"),
    ("--no-post-process", "--encodings"),
    ("--no-compress", "--encodings"),
    ("--no-compress", "--level"),
    ("--no-compress", "--skip-compress"),
    ("--no-cache", "--cache"),
    ("--no-cache", "--cache-size"),
];
