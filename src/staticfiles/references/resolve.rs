//! From a reference as it is written to the one that is published: Django's `url_converter` and
//! what it calls, without the matching.

use super::hashed_name::Unhashed;
use super::{Stored, Targets};
use crate::staticfiles::python::path::{below_root, directory, join, normalise};
use crate::staticfiles::python::quote::{quote_path, unquote};
use crate::staticfiles::python::url::{self, InvalidUrl, SplitUrl, defrag};

/// Resolves the references of one file.
pub(super) struct Resolver<'r> {
    pub(super) static_url: &'r [u8],
    /// The logical name of the file.
    pub(super) name: &'r [u8],
    pub(super) targets: &'r mut dyn Targets,
}

/// What becomes of a reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// It is none of ours, or leads nowhere in particular.
    Kept,
    /// It is now this.
    Replaced(String),
    /// This name would have to exist.
    Missing(Vec<u8>),
}

/// Django raises an exception.
enum Failure {
    Invalid,
    Missing(Vec<u8>),
}

impl Resolver<'_> {
    /// What becomes of `url`.
    pub(super) fn resolve(&mut self, url: &str) -> Resolved {
        let replaced = self
            .replaced(url.as_bytes())
            .and_then(|replaced| match replaced {
                // What is not UTF-8 has not come this far: quoting fails on it.
                Some(url) => String::from_utf8(url)
                    .map(Some)
                    .map_err(|_| Failure::Invalid),
                None => Ok(None),
            });
        match replaced {
            Ok(Some(url)) => Resolved::Replaced(url),
            Ok(None) => Resolved::Kept,
            Err(Failure::Missing(target)) => Resolved::Missing(target),
            Err(Failure::Invalid) => Resolved::Missing(url.as_bytes().to_vec()),
        }
    }

    fn replaced(&mut self, url: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        if has_scheme(url) || url.starts_with(b"//") {
            return Ok(None);
        }
        if url.starts_with(b"/") && !url.starts_with(self.static_url) {
            return Ok(None);
        }
        let (path, fragment) = defrag(url)?;
        if path.is_empty() {
            return Ok(None);
        }
        let target = if path.starts_with(b"/") {
            path.strip_prefix(self.static_url)
                .ok_or(Failure::Invalid)?
                .to_vec()
        } else {
            join(directory(self.name), &path)
        };
        let published_url = self.published_url(&unquote(&target))?;

        let mut replaced = up_to_last_slash(&path).to_vec();
        replaced.extend_from_slice(&published_url[up_to_last_slash(&published_url).len()..]);
        if !fragment.is_empty() {
            replaced.extend_from_slice(if contains_mark(url) { b"?#" } else { b"#" });
            replaced.extend_from_slice(&fragment);
        }
        Ok(Some(unquote(&replaced).into_owned()))
    }

    /// Django's `_url`.
    fn published_url(&mut self, target: &[u8]) -> Result<Vec<u8>, Failure> {
        let (clean, fragment) = defrag(target)?;
        let published = if SplitUrl::parse(&clean)?.path.ends_with(b"/") {
            target.to_vec()
        } else {
            self.published_name(&clean)?
        };
        let quoted = quote_path(&published).ok_or(Failure::Invalid)?;
        let mut url = url::join(self.static_url, quoted.trim_start_matches('/').as_bytes())?;
        let has_mark = contains_mark(target);
        if !fragment.is_empty() || has_mark {
            let mut parts = SplitUrl::parse(&url)?;
            if parts.fragment.is_empty() {
                parts.fragment = fragment;
            }
            if has_mark && parts.query.is_empty() {
                parts.path.push(b'?');
            }
            url = parts.unsplit();
        }
        Ok(unquote(&url).into_owned())
    }

    /// Django's `_stored_name`.
    fn published_name(&mut self, target: &[u8]) -> Result<Vec<u8>, Failure> {
        let name = normalise(target);
        let published = self.targets.published(&with_slashes(name.clone()));
        match published {
            Some(published) => Ok(published),
            None => self.hashed_copy(name).map(with_slashes),
        }
    }

    /// The name that Django makes up for what is no collected file as written: with the hash of
    /// what stands in the static root.
    fn hashed_copy(&mut self, name: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let unhashed = Unhashed::parse(&name)?;
        let missing = || Failure::Missing(unhashed.path().to_vec());
        let path = below_root(unhashed.path()).ok_or_else(missing)?;
        let stored = if path.is_empty() {
            Stored::Directory
        } else {
            self.targets.stored(&path)
        };
        match stored {
            Stored::File(fingerprint) => Ok(unhashed.with(&fingerprint)),
            Stored::Directory => Ok(name),
            Stored::Missing => Err(missing()),
        }
    }
}

impl From<InvalidUrl> for Failure {
    fn from(_: InvalidUrl) -> Self {
        Self::Invalid
    }
}

/// `^[a-z]+:`.
fn has_scheme(url: &[u8]) -> bool {
    let length = url
        .iter()
        .take_while(|byte| byte.is_ascii_lowercase())
        .count();
    length > 0 && url.get(length) == Some(&b':')
}

/// Whether a fragment follows an empty query, as in `font.eot?#iefix`.
fn contains_mark(url: &[u8]) -> bool {
    memchr::memmem::find(url, b"?#").is_some()
}

fn up_to_last_slash(url: &[u8]) -> &[u8] {
    &url[..memchr::memrchr(b'/', url).map_or(0, |slash| slash + 1)]
}

/// Django's `clean_name`.
fn with_slashes(mut name: Vec<u8>) -> Vec<u8> {
    for byte in &mut name {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    name
}
