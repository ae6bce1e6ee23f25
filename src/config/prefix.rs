//! The URL path that a source is served under, and the source itself: `[PREFIX=]DIR`.
//! Parses; does not look whether the directory exists.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// A directory and the URL path it is served under.
///
/// ```
/// use whitering::{Server, Source};
///
/// let source = Source::parse("media=uploads")?;
/// assert_eq!(source.prefix, "/media/");
/// let builder = Server::builder().directory("public").source(source);
/// # drop(builder);
/// # Ok::<(), whitering::SourceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `/`, or a path that begins and ends with a slash; not percent-encoded.
    pub prefix: String,
    /// The directory, as the operator wrote it.
    pub directory: PathBuf,
}

impl Source {
    /// Parses `DIR` or `PREFIX=DIR`, split at the first `=`.
    ///
    /// # Errors
    /// [`SourceError`]: what the prefix or the directory lacks.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, SourceError> {
        let bytes = text.as_ref().as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let (prefix, directory) = match equals {
            Some(index) => (&bytes[..index], &bytes[index + 1..]),
            None => (&b""[..], bytes),
        };
        if directory.is_empty() {
            return Err(SourceError::DirectoryMissing);
        }
        let prefix = std::str::from_utf8(prefix).map_err(|_| SourceError::Escape)?;
        Ok(Self {
            prefix: parse_prefix(prefix)?,
            directory: OsStr::from_bytes(directory).into(),
        })
    }
}

/// Normalises a URL path, or the path of a whole URL, to `/` or `/p/`.
pub(super) fn parse_prefix(text: &str) -> Result<String, SourceError> {
    let path = url_path(text);
    if path.contains(['?', '#']) {
        return Err(SourceError::Query);
    }
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| SourceError::Escape)?;
    let trimmed = decoded.trim_matches('/');
    if trimmed.is_empty() {
        return Ok("/".to_owned());
    }
    if has_bad_escape(path) || decoded.contains(char::is_control) {
        return Err(SourceError::Escape);
    }
    // Requests never reach the index with such segments, so nothing would be found below them.
    if trimmed
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(SourceError::Segment);
    }
    Ok(format!("/{trimmed}/"))
}

/// Takes `script_name` off the front of `prefix` where it is its first segments; both are
/// normalised. What is not below the script name stays as it is, as in WhiteNoise.
pub(super) fn below_script_name(prefix: &str, script_name: &str) -> String {
    prefix
        .strip_prefix(script_name)
        .map_or_else(|| prefix.to_owned(), |rest| format!("/{rest}"))
}

/// Why a text is no source or prefix; all for the operator to mend.
///
/// ```
/// use whitering::{Source, SourceError};
///
/// assert_eq!(Source::parse("/static/="), Err(SourceError::DirectoryMissing));
/// assert_eq!(Source::parse("/a/../b=dir"), Err(SourceError::Segment));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nothing after the `=`, or nothing at all.
    #[error("the directory is missing; write DIR or PREFIX=DIR")]
    DirectoryMissing,
    /// A prefix with a query or a fragment.
    #[error("a prefix is a URL path, without ? and #")]
    Query,
    /// A prefix that no URL path decodes to.
    #[error("the prefix has a percent escape that is broken or does not stand for UTF-8 text")]
    Escape,
    /// A prefix with empty or dot segments.
    #[error("a prefix has no empty segments and no segments . or ..")]
    Segment,
}

/// The path of `text` if it is a URL with a host (`https://host/p`, `//host/p`), else all of it.
fn url_path(text: &str) -> &str {
    let after_scheme = match text.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || is_scheme(scheme) => rest,
        _ => return text,
    };
    after_scheme
        .find(['/', '?', '#'])
        .map_or("", |start| &after_scheme[start..])
}

/// Whether `text` is a scheme with its colon (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    let Some(name) = text.strip_suffix(':') else {
        return false;
    };
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn has_bad_escape(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        let hex = rest.as_bytes().iter().take(2);
        hex.filter(|byte| byte.is_ascii_hexdigit()).count() < 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, SourceError>) {
        assert_eq!(parse_prefix(text), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn normalises_prefixes() {
        check("", Ok("/"));
        check("/", Ok("/"));
        check("static", Ok("/static/"));
        check("/static", Ok("/static/"));
        check("static/", Ok("/static/"));
        check("/a/b/", Ok("/a/b/"));
        check("/gr%C3%BCn/", Ok("/grün/"));
        check("/a%20b/", Ok("/a b/"));
        check("/a%3Fb/", Ok("/a?b/"));
        check("https://cdn.example/x/static/", Ok("/x/static/"));
        check("https://cdn.example:8443/static", Ok("/static/"));
        check("//cdn.example/static/", Ok("/static/"));
        check("https://cdn.example", Ok("/"));
        check("https://cdn.example/", Ok("/"));
    }

    #[test]
    fn refuses_prefixes_that_no_request_can_name() {
        check("/static/?v=1", Err(SourceError::Query));
        check("https://cdn.example?x", Err(SourceError::Query));
        check("/a#b", Err(SourceError::Query));
        check("/a%2", Err(SourceError::Escape));
        check("/a%zz", Err(SourceError::Escape));
        check("/a%FF", Err(SourceError::Escape));
        check("/a%00", Err(SourceError::Escape));
        check("/a/../b", Err(SourceError::Segment));
        check("/a/%2e%2e/b", Err(SourceError::Segment));
        check("/a//b", Err(SourceError::Segment));
    }

    fn check_source(text: &str, expected: Result<(&str, &str), SourceError>) {
        let expected = expected.map(|(prefix, directory)| Source {
            prefix: prefix.to_owned(),
            directory: directory.into(),
        });
        assert_eq!(Source::parse(text), expected, "{text}");
    }

    #[test]
    fn parses_sources() {
        check_source("assets", Ok(("/", "assets")));
        check_source("/static/=assets", Ok(("/static/", "assets")));
        check_source("static=/srv/assets", Ok(("/static/", "/srv/assets")));
        check_source("=assets", Ok(("/", "assets")));
        check_source("/=a=b", Ok(("/", "a=b")));
        check_source("https://cdn.example/s/=assets", Ok(("/s/", "assets")));
        check_source("/static/=", Err(SourceError::DirectoryMissing));
        check_source("", Err(SourceError::DirectoryMissing));
        check_source("/a/../b=assets", Err(SourceError::Segment));
    }

    #[test]
    fn keeps_directories_that_are_not_utf_8() {
        let source = Source::parse(OsStr::from_bytes(b"/s=/srv/\xff")).unwrap();
        assert_eq!(source.directory.as_os_str().as_bytes(), b"/srv/\xff");
    }

    fn check_script_name(prefix: &str, script_name: &str, expected: &str) {
        let served = below_script_name(
            &parse_prefix(prefix).unwrap(),
            &parse_prefix(script_name).unwrap(),
        );
        assert_eq!(served, expected, "{prefix} below {script_name}");
    }

    #[test]
    fn takes_the_script_name_off_by_segments() {
        check_script_name("/app/static/", "/app", "/static/");
        check_script_name("/app/", "/app/", "/");
        check_script_name("/static/", "/app", "/static/");
        check_script_name("/static/", "/", "/static/");
        check_script_name("/apple/static/", "/app", "/apple/static/");
    }
}
