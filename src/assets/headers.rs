//! The header fields of each file: defaults, freshness, and the operator's rules over them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

// The crate, not our module of that name.
use ::http::{HeaderName, HeaderValue};

use super::{HeaderRule, Options, Warning};

/// What decides about header fields, prepared once for all files.
pub(super) struct Headers<'a> {
    options: &'a Options,
    /// Those that can be applied.
    rules: Vec<&'a HeaderRule>,
    /// The URLs that manifests call hashed, each with its source.
    hashed: HashSet<(u16, Vec<u8>)>,
}

/// The configurable fields of one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) content_type: String,
    pub(super) cache_control: Option<String>,
    pub(super) extra: Vec<(String, String)>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(
        options: &'a Options,
        hashed: HashSet<(u16, Vec<u8>)>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let mut rules = Vec::new();
        for rule in &options.header_rules {
            match defect(rule) {
                None => rules.push(rule),
                Some(reason) => warnings.push(Warning::HeaderRule {
                    name: rule.name.clone(),
                    reason,
                }),
            }
        }
        Self {
            options,
            rules,
            hashed,
        }
    }

    /// The fields of the file of source `root_index` at the URL path `key`.
    pub(super) fn fields(&self, key: &[u8], root_index: u16) -> Fields {
        let mut fields = self.defaults(key, root_index);
        for rule in self.rules.iter().filter(|rule| self.applies(rule, key)) {
            set(&mut fields, &rule.name, rule.value.clone());
        }
        Fields {
            content_type: take(&mut fields, CONTENT_TYPE)
                .expect("invariant: the default is replaced, never removed"),
            cache_control: take(&mut fields, CACHE_CONTROL),
            extra: fields,
        }
    }

    fn defaults(&self, key: &[u8], root_index: u16) -> Vec<(String, String)> {
        let file_name =
            String::from_utf8_lossy(key.rsplit(|byte| *byte == b'/').next().unwrap_or(key));
        let mut fields = Vec::with_capacity(4 + self.rules.len());
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
        add(CONTENT_TYPE, self.options.media_types.of(&file_name));
        if self.is_immutable(key, root_index) {
            add(CACHE_CONTROL, IMMUTABLE.to_owned());
        } else if let Some(seconds) = self.options.max_age_seconds {
            add(CACHE_CONTROL, format!("max-age={seconds}, public"));
        }
        if self.options.cors {
            add("Access-Control-Allow-Origin", "*".to_owned());
        }
        add("X-Content-Type-Options", "nosniff".to_owned());
        fields
    }

    fn is_immutable(&self, key: &[u8], root_index: u16) -> bool {
        let matched = |regex: &regex::bytes::Regex| regex.is_match(key);
        self.options.immutable.as_ref().is_some_and(matched)
            || (!self.hashed.is_empty() && self.hashed.contains(&(root_index, key.to_vec())))
    }

    /// Whether `rule` is meant for the file at `key`. The file that stands for a directory is
    /// meant by the directory's URL as well as by its own name.
    fn applies(&self, rule: &HeaderRule, key: &[u8]) -> bool {
        let directory = self.options.index_file.as_ref().and_then(|index_file| {
            let directory = key.strip_suffix(index_file.as_bytes())?;
            directory.ends_with(b"/").then_some(directory)
        });
        let matched = |path: &[u8]| rule.glob.is_match(Path::new(OsStr::from_bytes(path)));
        [Some(key), directory]
            .into_iter()
            .flatten()
            .any(|path| matched(path) || matched(path.strip_prefix(b"/").unwrap_or(path)))
    }
}

fn set(fields: &mut Vec<(String, String)>, name: &str, value: String) {
    match fields
        .iter_mut()
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
    {
        Some(field) => field.1 = value,
        None => fields.push((name.to_owned(), value)),
    }
}

fn take(fields: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let index = fields.iter().position(|(other, _)| other == name)?;
    Some(fields.remove(index).1)
}

/// Why `rule` cannot be applied. Configuration refuses such rules with more words; here they
/// must not break the framing of an answer for those who embed us.
fn defect(rule: &HeaderRule) -> Option<&'static str> {
    if HeaderName::from_bytes(rule.name.as_bytes()).is_err() {
        return Some("this is not a field name");
    }
    if HeaderValue::from_str(&rule.value).is_err() {
        return Some("its value has characters that no field value may have");
    }
    OWN_FIELDS
        .iter()
        .any(|own| own.eq_ignore_ascii_case(&rule.name))
        .then_some("the server decides this field itself")
}

const CONTENT_TYPE: &str = "Content-Type";
const CACHE_CONTROL: &str = "Cache-Control";

/// Ten years of 365 days, as WhiteNoise says it.
const IMMUTABLE: &str = "max-age=315360000, public, immutable";

/// Fields that follow from the body or the connection.
const OWN_FIELDS: [&str; 12] = [
    "Accept-Ranges",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Date",
    "ETag",
    "Keep-Alive",
    "Last-Modified",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

#[cfg(test)]
mod tests {
    use globset::Glob;
    use regex::bytes::Regex;

    use super::*;
    use crate::http::media_type::MediaTypes;

    fn options(rules: &[(&str, &str, &str)]) -> Options {
        let rule = |(glob, name, value): &(&str, &str, &str)| HeaderRule {
            glob: Glob::new(glob).unwrap().compile_matcher(),
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        Options {
            sources: Vec::new(),
            memory_budget_bytes: 0,
            file_memory_bytes_max: 0,
            max_age_seconds: Some(60),
            cors: true,
            media_types: MediaTypes::new("utf-8", &[]),
            header_rules: rules.iter().map(rule).collect(),
            index_file: Some("index.html".to_owned()),
            immutable: None,
            not_found: None,
            packed: Vec::new(),
        }
    }

    /// The fields of `key`, one `Name: value` per line, in the order of their sending.
    #[track_caller]
    fn check(options: &Options, key: &str, expected: &[&str]) {
        let mut warnings = Vec::new();
        let hashed = HashSet::from([(1, b"/p/a.1f.css".to_vec())]);
        let fields = Headers::new(options, hashed, &mut warnings).fields(key.as_bytes(), 1);
        let mut lines = vec![format!("Content-Type: {}", fields.content_type)];
        lines.extend(
            fields
                .cache_control
                .map(|value| format!("Cache-Control: {value}")),
        );
        lines.extend(
            fields
                .extra
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        assert_eq!(lines, expected);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    const TYPE: &str = "Content-Type: text/css; charset=utf-8";
    const AGE: &str = "Cache-Control: max-age=60, public";
    const FOREVER: &str = "Cache-Control: max-age=315360000, public, immutable";
    const CORS: &str = "Access-Control-Allow-Origin: *";
    const NOSNIFF: &str = "X-Content-Type-Options: nosniff";

    #[test]
    fn has_defaults() {
        let mut options = options(&[]);
        check(&options, "/a.css", &[TYPE, AGE, CORS, NOSNIFF]);
        check(&options, "/p/a.1f.css", &[TYPE, FOREVER, CORS, NOSNIFF]);
        check(&options, "/a.1f.css", &[TYPE, AGE, CORS, NOSNIFF]);
        options.cors = false;
        options.max_age_seconds = None;
        check(&options, "/a.css", &[TYPE, NOSNIFF]);
        check(&options, "/p/a.1f.css", &[TYPE, FOREVER, NOSNIFF]);
        options.immutable = Some(Regex::new(r"é-[0-9a-f]{8}\.").unwrap());
        check(&options, "/é-0123abcd.css", &[TYPE, FOREVER, NOSNIFF]);
        check(&options, "/é-0123.css", &[TYPE, NOSNIFF]);
    }

    #[test]
    fn rules_replace_and_add() {
        let rule = |glob, name, value| options(&[(glob, name, value)]);
        let robots = "X-Robots-Tag: none";
        let all = [TYPE, AGE, CORS, NOSNIFF, robots];
        let none = [TYPE, AGE, CORS, NOSNIFF];
        check(&rule("*.css", "X-Robots-Tag", "none"), "/d/a.css", &all);
        check(&rule("/d/*", "X-Robots-Tag", "none"), "/d/a.css", &all);
        check(&rule("d/*", "X-Robots-Tag", "none"), "/d/a.css", &all);
        check(&rule("/e/*", "X-Robots-Tag", "none"), "/d/a.css", &none);
        check(
            &rule("*", "cache-control", "no-store"),
            "/p/a.1f.css",
            &[TYPE, "Cache-Control: no-store", CORS, NOSNIFF],
        );
        check(
            &rule("*", "CONTENT-TYPE", "text/x"),
            "/a.css",
            &["Content-Type: text/x", AGE, CORS, NOSNIFF],
        );
        check(
            &rule("*", "x-content-type-options", "off"),
            "/a.css",
            &[TYPE, AGE, CORS, "X-Content-Type-Options: off"],
        );
    }

    #[test]
    fn of_equal_names_the_last_rule_wins() {
        let options = options(&[
            ("*", "X-A", "1"),
            ("*.css", "x-a", "2"),
            ("*.js", "X-A", "3"),
        ]);
        check(&options, "/a.css", &[TYPE, AGE, CORS, NOSNIFF, "X-A: 2"]);
    }

    #[test]
    fn directories_mean_their_index_file() {
        let html = "Content-Type: text/html; charset=utf-8";
        let options = options(&[("/d/", "X-A", "1")]);
        check(
            &options,
            "/d/index.html",
            &[html, AGE, CORS, NOSNIFF, "X-A: 1"],
        );
        check(&options, "/d/myindex.html", &[html, AGE, CORS, NOSNIFF]);
    }

    #[test]
    fn ignores_rules_that_would_break_answers() {
        let check = |name, value, part: &str| {
            let options = options(&[("*", name, value)]);
            let mut warnings = Vec::new();
            let headers = Headers::new(&options, HashSet::new(), &mut warnings);
            assert!(headers.rules.is_empty());
            assert!(warnings[0].to_string().contains(part), "{warnings:?}");
        };
        check("content-length", "1", "itself");
        check("X-A", "1\r\nX-B: 2", "characters");
        check("X A", "1", "field name");
    }
}
