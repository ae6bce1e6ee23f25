//! `whitering verify`: whether a release still is what it was when it was collected.

use std::path::PathBuf;

use serde::Serialize;
use whitering::staticfiles::{Difference, Verified, verify};

use super::format::Format;
use super::{Exit, print, say, text};

/// Check a release against its record: missing and changed files, stale variants.
///
/// A directory that Django has collected has no whitering.json: there the hashes in the names are
/// compared with the files, and the variants are decoded.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_args(|argument| argument.hide_env(true)))]
pub(super) struct Arguments {
    /// The release: what collect has written.
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// How the result is written.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "WHITERING_FORMAT",
        default_value = "text"
    )]
    format: Format,
}

/// What was found, named as in the JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file_count: usize,
    bytes: u64,
    differences: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let verified = match verify(&arguments.directory) {
        Ok(verified) => verified,
        Err(error) => {
            let directory = text::name(arguments.directory.as_os_str().as_encoded_bytes());
            say(&format!("error: cannot check {directory}: {error}"));
            return Exit::Failure;
        }
    };
    let report = Report::new(&verified);
    let printed = print(&match arguments.format {
        Format::Text => report.text(),
        Format::Json => report.json(),
    });
    match printed {
        Exit::Success if !report.differences.is_empty() => Exit::Difference,
        printed => printed,
    }
}

impl<'a> Report<'a> {
    fn new(verified: &'a Verified) -> Self {
        Self {
            file_count: verified.file_count,
            bytes: verified.bytes,
            differences: verified.differences.iter().map(Row::new).collect(),
        }
    }

    fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("invariant: it has only named fields") + "\n"
    }

    /// A line for each difference, and one for all.
    fn text(&self) -> String {
        let mut lines: String = self.differences.iter().map(Row::line).collect();
        let files = text::count(self.file_count, "file");
        let bytes = text::bytes(self.bytes);
        lines += &match self.differences.len() {
            0 => format!("{files} ({bytes}): as collected\n"),
            count => {
                let differences = text::count(count, "difference");
                format!("{files} ({bytes}): {differences}; collect again\n")
            }
        };
        lines
    }
}

impl<'a> Row<'a> {
    fn new(difference: &'a Difference) -> Self {
        let (kind, cause) = match difference {
            Difference::Missing(_) => ("missing", None),
            Difference::Changed(_) => ("changed", None),
            Difference::StaleVariant(_) => ("stale", None),
            Difference::Manifest(_) => ("manifest", None),
            Difference::Unreadable { cause, .. } => ("unreadable", Some(cause.as_str())),
            _ => ("other", None),
        };
        let name = difference.name();
        Self { kind, name, cause }
    }

    /// Names are escaped: whatever a file is called, it has one line.
    fn line(&self) -> String {
        let cause = self.cause.map(|cause| format!(": {cause}"));
        let name = self.name.escape_debug();
        format!(
            "{:<KIND_WIDTH$} {name}{}\n",
            self.kind,
            cause.unwrap_or_default()
        )
    }
}

const KIND_WIDTH: usize = "unreadable".len();

const AFTER_HELP: &str = "\
Differences:
  missing     a recorded file is not there
  changed     it has another content
  stale       a compressed variant is not of the file beside it
  manifest    staticfiles.json names a file that is not recorded
  unreadable  the system refuses a file

Exit codes:
  0  the release is as collected
  1  it cannot be checked
  2  an argument cannot be understood
  4  there are differences";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(differences: &[Difference], text: &str) {
        let verified = Verified {
            file_count: 12,
            bytes: 2048,
            differences: differences.to_vec(),
        };
        let report = Report::new(&verified);
        assert_eq!(report.text(), text);
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["file_count"], 12);
        let listed = json["differences"].as_array().unwrap();
        assert_eq!(listed.len(), differences.len());
    }

    #[test]
    fn has_a_line_for_each_difference() {
        check(&[], "12 files (2 KiB): as collected\n");
        check(
            &[
                Difference::Missing("a\n.css".to_owned()),
                Difference::Unreadable {
                    name: "é".to_owned(),
                    cause: "Permission denied".to_owned(),
                },
            ],
            "missing    a\\n.css\nunreadable é: Permission denied\n\
             12 files (2 KiB): 2 differences; collect again\n",
        );
    }
}
