//! `whitering url`: the published URLs of logical names, one per line.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;
use whitering::Manifest;
use whitering::staticfiles::UrlError;

use super::format::Format;
use super::{Exit, print, say, say_error};

/// Print the published URLs of files: what Django's {% static %} prints.
///
/// A name may have a query and a fragment. Names that the manifest does not hold are an error.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
// One sentence below says how all variables are named.
#[command(mut_args(|argument| argument.hide_env(true)))]
pub(super) struct Arguments {
    /// Logical names, such as css/app.css.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// The published directory, or its staticfiles.json.
    #[arg(long, value_name = "PATH", env = "WHITERING_MANIFEST")]
    manifest: PathBuf,

    /// What comes before the published names (Django's STATIC_URL): a path, or a URL with a host.
    #[arg(
        long,
        value_name = "URL",
        env = "WHITERING_PREFIX",
        default_value = "/static/"
    )]
    prefix: String,

    /// Fail for names that the manifest does not hold (the default).
    #[arg(long, overrides_with = "no_strict")]
    strict: bool,

    /// Hash the file in the published directory instead; without one, print the name as it is.
    #[arg(long, overrides_with = "strict")]
    no_strict: bool,

    /// How the result is written.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "WHITERING_FORMAT",
        default_value = "text"
    )]
    format: Format,
}

/// A name and what has become of it.
#[derive(Debug, Serialize)]
struct Found<'a> {
    name: &'a str,
    url: Option<String>,
    error: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let strict = match arguments.strict(env::var_os(STRICT_VARIABLE)) {
        Ok(strict) => strict,
        Err(message) => {
            say(&format!("error: {message}"));
            return Exit::Configuration;
        }
    };
    let manifest = match Manifest::open(&arguments.manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            say_error(&error);
            return Exit::Failure;
        }
    };
    let root = static_root(&arguments.manifest);
    let names = arguments.names.iter();
    let found: Vec<_> = names
        .map(|name| {
            let url = if strict {
                manifest.url(&arguments.prefix, name)
            } else {
                manifest.url_lenient(&arguments.prefix, name, Some(root))
            };
            Found::new(name, url)
        })
        .collect();
    let printed = print(&match arguments.format {
        Format::Text => text(&found),
        Format::Json => json(&found),
    });
    let errors: Vec<_> = found
        .iter()
        .filter_map(|found| found.error.as_ref())
        .collect();
    for error in &errors {
        say(&format!("error: {error}"));
    }
    if errors.is_empty() {
        printed
    } else {
        Exit::Failure
    }
}

impl Arguments {
    /// Flags come before `variable`, which is `WHITERING_STRICT`.
    fn strict(&self, variable: Option<OsString>) -> Result<bool, String> {
        if self.strict || self.no_strict {
            return Ok(self.strict);
        }
        let text = variable.unwrap_or_default();
        let text = text.to_string_lossy();
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(format!(
                "the environment variable {STRICT_VARIABLE} is {text:?}, not true or false; mend or unset it"
            )),
        }
    }
}

impl<'a> Found<'a> {
    fn new(name: &'a str, url: Result<String, UrlError>) -> Self {
        let (url, error) = match url {
            Ok(url) => (Some(url), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { name, url, error }
    }
}

fn text(found: &[Found<'_>]) -> String {
    let urls = found.iter().filter_map(|found| found.url.as_ref());
    urls.map(|url| format!("{url}\n")).collect()
}

fn json(found: &[Found<'_>]) -> String {
    let json = serde_json::to_string_pretty(found);
    json.expect("invariant: it has only named fields") + "\n"
}

/// The directory of the files that the manifest at `path` names.
fn static_root(path: &Path) -> &Path {
    if path.is_dir() {
        return path;
    }
    path.parent().unwrap_or(Path::new(""))
}

const STRICT_VARIABLE: &str = "WHITERING_STRICT";

const AFTER_HELP: &str = "\
Examples:
  whitering url --manifest staticfiles css/app.css
  whitering url --manifest staticfiles --prefix https://cdn.example.com/static/ css/app.css

Environment:
  Each option has a variable, such as WHITERING_MANIFEST for --manifest; options come first.
  WHITERING_STRICT=false stands for --no-strict.

Exit codes:
  0   every name has a URL
  1   a name has none, or the manifest cannot be read
  2   an argument cannot be understood
  78  WHITERING_STRICT cannot be understood";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[track_caller]
    fn check(flags: &[&str], variable: Option<&str>, expected: Option<bool>) {
        let line = ["url", "--manifest", "m", "a"].iter().chain(flags);
        let arguments = Line::parse_from(line).arguments;
        let strict = arguments.strict(variable.map(OsString::from));
        assert_eq!(strict.ok(), expected, "{flags:?} {variable:?}");
    }

    #[test]
    fn is_strict_unless_told_otherwise() {
        check(&[], None, Some(true));
        check(&[], Some(""), Some(true));
        check(&[], Some("False"), Some(false));
        check(&[], Some("0"), Some(false));
        check(&[], Some("maybe"), None);
        check(&["--no-strict"], Some("true"), Some(false));
        check(&["--strict"], Some("false"), Some(true));
        check(&["--strict", "--no-strict"], None, Some(false));
        check(&["--no-strict", "--strict"], None, Some(true));
    }

    #[test]
    fn finds_the_directory_beside_a_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("staticfiles.json");
        assert_eq!(static_root(directory.path()), directory.path());
        assert_eq!(static_root(&file), directory.path());
        assert_eq!(static_root(Path::new("staticfiles.json")), Path::new(""));
    }
}
