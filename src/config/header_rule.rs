//! Header fields added by the operator: `GLOB: Name: value`. Parses and matches URL paths; whose
//! value wins over the server's own is decided where assets are loaded.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};
use http::{HeaderName, HeaderValue};

/// One header field for every URL path that a glob matches.
///
/// ```
/// use whitering::{Config, HeaderRule};
///
/// let rule = HeaderRule::parse("/fonts/*: Timing-Allow-Origin: *")?;
/// assert!(rule.matches(b"/fonts/a/b.woff2") && !rule.matches(b"/a.css"));
/// let mut config = Config::for_directory("public");
/// config.responses.header_rules.push(rule);
/// # Ok::<(), whitering::HeaderRuleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeaderRule {
    /// Matches percent-decoded URL paths with their leading slash; `*` also crosses slashes.
    pub glob: GlobMatcher,
    /// The field name, as the operator wrote it.
    pub name: String,
    /// The field value: visible ASCII, spaces and tabs, trimmed, not empty.
    pub value: String,
}

impl HeaderRule {
    /// Parses `GLOB: Name: value`. The glob ends at the first colon that a space follows, so it
    /// may hold colons itself; a glob without a leading slash gets one.
    ///
    /// # Errors
    /// [`HeaderRuleError`]: which part is wrong.
    pub fn parse(text: &str) -> Result<Self, HeaderRuleError> {
        let (glob, field) = text.split_once(": ").ok_or(HeaderRuleError::Form)?;
        let (name, value) = field.split_once(':').ok_or(HeaderRuleError::Form)?;
        Ok(Self {
            glob: parse_glob(glob.trim())?,
            name: parse_name(name.trim())?,
            value: parse_value(value.trim())?,
        })
    }

    /// Whether the rule applies to a percent-decoded URL path.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.glob.is_match(OsStr::from_bytes(path))
    }
}

/// Why a text is no header rule; all for the operator to mend.
///
/// ```
/// use whitering::{HeaderRule, HeaderRuleError};
///
/// let error = HeaderRule::parse("*: Content-Length: 5").unwrap_err();
/// assert_eq!(error, HeaderRuleError::Reserved("Content-Length".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRuleError {
    /// Not three parts.
    #[error("write 'GLOB: Name: value', such as '/fonts/*: Timing-Allow-Origin: *'")]
    Form,
    /// The glob is empty or does not compile.
    #[error("the glob is not valid: {0}")]
    Glob(String),
    /// The name is not a token (RFC 9110 §5.6.2).
    #[error("'{0}' is not a header field name")]
    Name(String),
    /// The value is empty or would break the head apart.
    #[error("the value must be visible ASCII on one line, and not empty")]
    Value,
    /// A field that states what the server does; another value would make it lie.
    #[error("{0} is written by the server itself and cannot be set")]
    Reserved(String),
}

fn parse_glob(text: &str) -> Result<GlobMatcher, HeaderRuleError> {
    if text.is_empty() {
        return Err(HeaderRuleError::Glob("it is empty".to_owned()));
    }
    let anchored = if text.starts_with(['/', '*']) {
        text.to_owned()
    } else {
        format!("/{text}")
    };
    // As in fnmatch, which Django's own patterns use: `*` crosses slashes.
    GlobBuilder::new(&anchored)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| HeaderRuleError::Glob(error.kind().to_string()))
}

fn parse_name(text: &str) -> Result<String, HeaderRuleError> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| HeaderRuleError::Name(text.escape_debug().to_string()))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(HeaderRuleError::Reserved(text.to_owned()));
    }
    Ok(text.to_owned())
}

fn parse_value(text: &str) -> Result<String, HeaderRuleError> {
    // `to_str` refuses what `from_str` lets pass: bytes above ASCII, which no charset explains.
    let visible = HeaderValue::from_str(text).is_ok_and(|value| value.to_str().is_ok());
    if text.is_empty() || !visible {
        return Err(HeaderRuleError::Value);
    }
    Ok(text.to_owned())
}

/// Framing, connection, validators and codings, in lower case: all computed from the bytes sent.
const RESERVED: [&str; 16] = [
    "accept-ranges",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        let parsed = HeaderRule::parse(text);
        let shown = parsed
            .as_ref()
            .map(|rule| (rule.name.as_str(), rule.value.as_str()))
            .map_err(ToString::to_string);
        match (&shown, expected) {
            (Ok(shown), Ok(expected)) => assert_eq!(*shown, expected, "{text}"),
            (Err(shown), Err(part)) => assert!(shown.contains(part), "{text}: {shown}"),
            _ => panic!("{text}: {shown:?}, not {expected:?}"),
        }
    }

    #[test]
    fn parses_names_and_values() {
        check("*: X-Frame-Options: DENY", Ok(("X-Frame-Options", "DENY")));
        check("*: X-A:b", Ok(("X-A", "b")));
        check("/a:b: X-A: b: c", Ok(("X-A", "b: c")));
        check("*:  X-A:  b ", Ok(("X-A", "b")));
        check(
            "*.js: Link: <a>; rel=preload, <b>",
            Ok(("Link", "<a>; rel=preload, <b>")),
        );
        check("*: Vary: Origin", Ok(("Vary", "Origin")));
        check(
            "*: Cache-Control: no-cache",
            Ok(("Cache-Control", "no-cache")),
        );
    }

    #[test]
    fn refuses_what_is_no_rule() {
        check("", Err("write 'GLOB"));
        check("X-A: b", Err("write 'GLOB"));
        check("*:X-A:b", Err("write 'GLOB"));
        check(": X-A: b", Err("it is empty"));
        check("/[a: X-A: b", Err("the glob is not valid"));
        check("*: X A: b", Err("'X A' is not a header field name"));
        check("*: : b", Err("'' is not a header field name"));
        check("*: X-A:", Err("must be visible ASCII"));
        check("*: X-A: b\r\nSet-Cookie: c", Err("must be visible ASCII"));
        check("*: X-A: grün", Err("must be visible ASCII"));
        check("*: Content-Length: 1", Err("Content-Length is written by"));
        check("*: transfer-encoding: chunked", Err("is written by"));
        check("*: ETag: \"1\"", Err("is written by"));
    }

    fn check_match(glob: &str, path: &[u8], expected: bool) {
        let rule = HeaderRule::parse(&format!("{glob}: X-A: b")).unwrap();
        assert_eq!(rule.matches(path), expected, "{glob} on {path:?}");
    }

    #[test]
    fn globs_match_url_paths() {
        check_match("*", b"/", true);
        check_match("/*", b"/a/b", true);
        check_match("*.js", b"/a/b.js", true);
        check_match("*.js", b"/a/b.json", false);
        check_match("/fonts/*", b"/fonts/a/b.woff2", true);
        check_match("fonts/*", b"/fonts/a.woff2", true);
        check_match("fonts/*", b"/other/fonts/a.woff2", false);
        check_match("*.{css,js}", b"/a.css", true);
        check_match("**/a.css", b"/b/a.css", true);
        check_match("/é*", "/école".as_bytes(), true);
        check_match("*.css", b"/\xff.css", true);
    }
}
