//! What a Django project answers: its settings, and the files that its finders list.
//! Understands the answer; `django` asks for it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use whitering::staticfiles::{Compat, ListedFile, Source};

/// The answer.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    /// Django's version, as it is called.
    pub(super) version: String,
    series: (u32, u32),
    /// Absent where the staticfiles app is.
    checks: Option<Vec<Check>>,
    /// Absent where a check has failed.
    settings: Option<Settings>,
}

/// What the project has set.
#[derive(Debug, Deserialize)]
pub(super) struct Settings {
    pub(super) static_url: String,
    pub(super) storage: StorageSettings,
    pub(super) skip_extensions: Option<Vec<String>>,
    pub(super) ignore: Vec<String>,
    finders: Vec<Finder>,
}

/// The storage that STORAGES names for static files.
#[derive(Debug, Deserialize)]
pub(super) struct StorageSettings {
    name: String,
    is_local: bool,
    location: Option<Octets>,
    is_hashed: bool,
    has_manifest: bool,
    is_compressed: bool,
    pub(super) js_modules: bool,
    pub(super) keep_only_hashed: bool,
    unfollowed: Vec<String>,
    manifest_strict: Option<bool>,
}

/// A message of Django's system checks.
#[derive(Debug, Deserialize)]
struct Check {
    is_error: bool,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Finder {
    name: String,
    files: Vec<(Octets, Octets)>,
    without_path: Option<String>,
}

/// Bytes that came as one character each, since JSON has no place for those that are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Octets(Vec<u8>);

/// Why a project cannot be collected. The operator must change it, or say more.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProjectError {
    /// The answer has another form than the probe gives.
    #[error("the answer of manage.py is not understood ({0}); is its standard output closed?")]
    Malformed(#[from] serde_json::Error),
    /// The staticfiles app is missing.
    #[error(
        "add 'django.contrib.staticfiles' to INSTALLED_APPS; it has the finders that are asked"
    )]
    NoApp,
    /// Django's own checks refuse the settings.
    #[error("Django's checks fail: {0}")]
    Checks(String),
    /// A series whose rules are not known.
    #[error(
        "Django {0} is not supported; its rules are not those of 5.2, 6.0 or 6.1. Choose the \
         nearest with --compat"
    )]
    Series(String),
    /// No place for the release.
    #[error(
        "You're using the staticfiles app without having set the STATIC_ROOT setting to a \
         filesystem path; set it, or name a directory with --output"
    )]
    NoStaticRoot,
    /// The release would go elsewhere.
    #[error(
        "the storage {0} keeps files elsewhere than in a directory; name one with --output, and \
         upload it afterwards"
    )]
    NotLocal(String),
    /// A finder lists what is no file of this machine.
    #[error(
        "the finder {finder} lists '{name}', which has no path; only local files are collected"
    )]
    WithoutPath {
        /// The finder's class.
        finder: String,
        /// What it lists.
        name: String,
    },
    /// A finder lists a name that leaves the release.
    #[error("the finder {finder} lists '{name}', which is not below the release")]
    Outside {
        /// The finder's class.
        finder: String,
        /// The name.
        name: String,
    },
}

impl Project {
    /// Understands what the probe has written.
    pub(super) fn parse(text: &[u8]) -> Result<Self, ProjectError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// What the project has set, if it can be collected at all.
    pub(super) fn settings(&self) -> Result<&Settings, ProjectError> {
        let checks = self.checks.as_ref().ok_or(ProjectError::NoApp)?;
        self.settings.as_ref().ok_or_else(|| {
            let errors = checks.iter().filter(|check| check.is_error);
            let texts: Vec<_> = errors.map(|check| check.text.as_str()).collect();
            ProjectError::Checks(texts.join("; "))
        })
    }

    /// The series whose rules are followed, unless the operator has chosen one.
    pub(super) fn compat(&self) -> Result<Compat, ProjectError> {
        match self.series {
            (5, 2) => Ok(Compat::V5_2),
            (6, 0) => Ok(Compat::V6_0),
            series if series >= NEWEST => Ok(Compat::V6_1),
            _ => Err(ProjectError::Series(self.version.clone())),
        }
    }

    /// What the operator should know: the part of the project that is not followed.
    pub(super) fn warnings(&self, is_compat_chosen: bool) -> Vec<String> {
        let checks = self.checks.iter().flatten();
        let checks = checks.filter(|check| !check.is_error);
        let mut warnings: Vec<_> = checks.map(|check| check.text.clone()).collect();
        if self.series > NEWEST && !is_compat_chosen {
            warnings.push(format!(
                "Django {} is newer than this program; the rules of 6.1 are followed",
                self.version
            ));
        }
        if let Some(settings) = &self.settings {
            warnings.extend(settings.storage.warnings());
        }
        warnings
    }

    /// One line about what was taken.
    pub(super) fn summary(&self) -> String {
        let Some(settings) = &self.settings else {
            return format!("Django {}", self.version);
        };
        let files: usize = settings
            .finders
            .iter()
            .map(|finder| finder.files.len())
            .sum();
        format!(
            "Django {}, {} from {}, {}",
            self.version,
            super::text::count(files, "file"),
            super::text::count(settings.finders.len(), "finder"),
            settings.storage.name,
        )
    }

    /// The finders as sources, in order.
    pub(super) fn into_sources(self) -> Result<Vec<Source>, ProjectError> {
        let finders = self
            .settings
            .into_iter()
            .flat_map(|settings| settings.finders);
        finders.map(Finder::into_source).collect()
    }
}

impl StorageSettings {
    /// Where the project's own collectstatic would write.
    pub(super) fn output(&self) -> Result<PathBuf, ProjectError> {
        match &self.location {
            Some(location) => Ok(location.clone().into_path()),
            None if self.is_local => Err(ProjectError::NoStaticRoot),
            None => Err(ProjectError::NotLocal(self.name.clone())),
        }
    }

    /// Whether it hashes names.
    pub(super) fn is_hashed(&self) -> bool {
        self.is_hashed
    }

    /// Whether it is one of WhiteNoise's that compress.
    pub(super) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.unfollowed.is_empty() {
            let unfollowed = self.unfollowed.join(", ");
            warnings.push(format!("{} has {unfollowed}; not followed here", self.name));
        }
        if self.is_hashed && !self.has_manifest {
            warnings.push(format!(
                "{} has no manifest; staticfiles.json is written",
                self.name
            ));
        }
        if self.manifest_strict == Some(false) {
            let note = "manifest_strict is False, which is about looking names up; a missing \
                        reference ends the run, unless --no-strict is given";
            warnings.push(note.to_owned());
        }
        warnings
    }
}

impl Finder {
    fn into_source(self) -> Result<Source, ProjectError> {
        if let Some(name) = self.without_path {
            let finder = self.name;
            return Err(ProjectError::WithoutPath { finder, name });
        }
        let files = self.files.into_iter().map(|(name, path)| {
            let Some(name) = normalised(&name.0) else {
                let name = super::text::name(&name.0);
                return Err(ProjectError::Outside {
                    finder: self.name.clone(),
                    name,
                });
            };
            Ok(ListedFile {
                name,
                path: path.into_path(),
            })
        });
        let files = files.collect::<Result<_, _>>()?;
        Ok(Source::Listed {
            name: self.name,
            files,
        })
    }
}

/// `name` without empty and dot segments; nothing if it would leave the release.
fn normalised(name: &[u8]) -> Option<Vec<u8>> {
    let segments = name.split(|byte| *byte == b'/');
    let segments: Vec<_> = segments
        .filter(|part| !matches!(part, [] | [b'.']))
        .collect();
    let stays = !segments.is_empty()
        && !name.starts_with(b"/")
        && !name.contains(&0)
        && !segments.contains(&&b".."[..]);
    stays.then(|| segments.join(&b'/'))
}

impl Octets {
    fn into_path(self) -> PathBuf {
        OsString::from_vec(self.0).into()
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text
            .chars()
            .map(|character| u8::try_from(u32::from(character)));
        let bytes = bytes.collect::<Result<_, _>>();
        bytes
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a name is no bytes"))
    }
}

/// The newest series whose rules are known.
const NEWEST: (u32, u32) = (6, 1);

#[cfg(test)]
mod tests;
