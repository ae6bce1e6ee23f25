//! The manifest of a published directory, opened and asked for URLs: what `{% static %}` prints.
//! The rules are those of Django's `ManifestStaticFilesStorage.url`, with its quoting.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use memchr::memmem;

use super::fingerprint::Fingerprint;
use super::python::path::below_root;
use super::python::quote::{quote_path, unquote};
use super::python::strip;
use super::python::url::{self, InvalidUrl, SplitUrl, defrag};
use super::references::hashed_name;
use super::suggest::Suggestions;
use crate::manifest::{FILE_NAME, Manifest, ManifestError};

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestOpenError {
    /// There is none, or it cannot be read.
    #[error(
        "cannot read the manifest {} ({cause}); name the published directory, or its staticfiles.json", .path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be understood.
    #[error("the manifest {} is of no use: {cause}; collect the files again", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: ManifestError,
    },
}

/// Why a name has no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The manifest does not know it.
    #[error("Missing staticfiles manifest entry for '{name}'{}", hint(.suggestion.as_deref()))]
    Missing {
        /// The name that was looked up.
        name: String,
        /// A name that is near and exists.
        suggestion: Option<String>,
    },
    /// It cannot be read as a URL, which names are.
    #[error("'{0}' reads as an invalid URL; percent-encode its brackets")]
    Invalid(String),
}

impl Manifest {
    /// Opens the manifest at `path`: a published directory, or its `staticfiles.json`.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it is not of a form that Django writes.
    pub fn open(path: &Path) -> Result<Self, ManifestOpenError> {
        let path = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => path.join(FILE_NAME),
            _ => path.to_owned(),
        };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(cause) => return Err(ManifestOpenError::Io { path, cause }),
        };
        Self::parse(&text).map_err(|cause| ManifestOpenError::Malformed { path, cause })
    }

    /// The URL of the logical name `name` below `static_url`, which is Django's `STATIC_URL`: a
    /// path, or a URL with a host.
    ///
    /// As in Django the name is percent-decoded before it is looked up, its query and fragment are
    /// put back, names that end in a slash are not looked up, and the URL is not percent-encoded.
    ///
    /// # Errors
    /// The manifest does not hold the name, or it is no URL.
    ///
    /// # Examples
    /// ```
    /// let text = br#"{"paths": {"app.css": "app.6d0ea5f66de1.css"}, "version": "1.1"}"#;
    /// let manifest = whitering::Manifest::parse(text)?;
    /// let url = manifest.url("/static/", "app.css?print#top")?;
    /// assert_eq!(url, "/static/app.6d0ea5f66de1.css?print#top");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self, static_url: &str, name: &str) -> Result<String, UrlError> {
        let missing = |name: &[u8], _: &[u8]| {
            let suggestions = Suggestions::of(self.paths().map(|(logical, _)| logical));
            let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            Err(UrlError::Missing {
                suggestion: suggestions.nearest(name).map(|near| text(&near)),
                name: text(name),
            })
        };
        self.url_with(static_url, name, missing)
    }

    /// As [`Self::url`], but what the manifest does not hold has a URL too: as with Django's
    /// `manifest_strict = False` it is named after the content of the file in `static_root`; and
    /// where Django gives up because there is no such file, it is `name` itself.
    ///
    /// # Errors
    /// The name is no URL.
    pub fn url_lenient(
        &self,
        static_url: &str,
        name: &str,
        static_root: Option<&Path>,
    ) -> Result<String, UrlError> {
        let missing = |name: &[u8], whole: &[u8]| {
            let hashed = static_root.and_then(|root| hash_file(root, name, whole));
            Ok(hashed.unwrap_or_else(|| name.to_vec()))
        };
        self.url_with(static_url, name, missing)
    }

    /// Django's `_url`. `missing` is asked for the published name of what is not in the manifest,
    /// by its clean name and by the one with its query.
    fn url_with(
        &self,
        static_url: &str,
        name: &str,
        missing: impl FnOnce(&[u8], &[u8]) -> Result<Vec<u8>, UrlError>,
    ) -> Result<String, UrlError> {
        let invalid = || UrlError::Invalid(name.to_owned());
        let (clean, fragment) = defrag(name.as_bytes()).map_err(|_| invalid())?;
        let is_directory = path(&clean).map_err(|_| invalid())?.ends_with(b"/");
        let published = if is_directory {
            name.as_bytes().to_vec()
        } else {
            let mut parts = SplitUrl::parse(&unquote(&clean)).map_err(|_| invalid())?;
            let path = strip(&parts.path).to_vec();
            parts.path = match self.published(&path) {
                Some(published) => published.to_vec(),
                None => missing(&path, &clean)?,
            };
            parts.unsplit()
        };
        let has_mark = memmem::find(name.as_bytes(), b"?#").is_some();
        let url = join(static_url, &published, fragment, has_mark).map_err(|_| invalid())?;
        // All its parts are text.
        Ok(String::from_utf8_lossy(&unquote(&url)).into_owned())
    }
}

/// `published` below `static_url`, with the rest of the name that it was looked up by.
fn join(
    static_url: &str,
    published: &[u8],
    fragment: Vec<u8>,
    has_mark: bool,
) -> Result<Vec<u8>, InvalidUrl> {
    let quoted = quote_path(published).ok_or(InvalidUrl)?;
    let base = base_url(static_url);
    let url = url::join(base.as_bytes(), quoted.trim_start_matches('/').as_bytes())?;
    if fragment.is_empty() && !has_mark {
        return Ok(url);
    }
    let mut parts = SplitUrl::parse(&url)?;
    if parts.fragment.is_empty() {
        parts.fragment = fragment;
    }
    // An old trick of style sheets, `font.eot?#iefix`, which must survive.
    if has_mark && parts.query.is_empty() {
        parts.path.push(b'?');
    }
    Ok(parts.unsplit())
}

/// `STATIC_URL` as Django completes it.
fn base_url(static_url: &str) -> String {
    let is_absolute = ["http://", "https://", "/"]
        .iter()
        .any(|start| static_url.starts_with(start));
    let start = if is_absolute { "" } else { "/" };
    let end = if static_url.ends_with('/') || static_url.is_empty() {
        ""
    } else {
        "/"
    };
    [start, static_url, end].concat()
}

fn path(url: &[u8]) -> Result<Vec<u8>, InvalidUrl> {
    Ok(SplitUrl::parse(url)?.path)
}

/// The published name that `name`, with a query as `whole`, gets from the file in `static_root`.
fn hash_file(static_root: &Path, name: &[u8], whole: &[u8]) -> Option<Vec<u8>> {
    let path = static_root.join(OsStr::from_bytes(&below_root(name)?));
    if fs::metadata(&path).ok()?.is_dir() {
        return Some(whole.to_vec());
    }
    hashed_name(whole, &fingerprint(&path).ok()?)
}

fn fingerprint(path: &Path) -> io::Result<Fingerprint> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let mut hasher = Md5::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(Fingerprint::from_md5(hasher.finalize().into()));
        }
        hasher.update(bytes);
        let count = bytes.len();
        file.consume(count);
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
