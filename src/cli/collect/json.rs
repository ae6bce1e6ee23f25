//! What a run has done, or why it did nothing, for programs: one JSON object.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use whitering::staticfiles::{Options, Problem, Report, VariantTotals};

/// How a run ended.
#[derive(Debug, Default)]
pub(super) struct Ended<'a> {
    /// What it has done; none if it failed.
    pub(super) report: Option<(&'a Options, &'a Report)>,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// What is wrong with the sources, if that is why.
    pub(super) problems: &'a [Problem],
    /// What the operator should know, about files.
    pub(super) warnings: &'a [Problem],
    /// What the operator should know, about the project.
    pub(super) notes: &'a [String],
    /// How long it took.
    pub(super) time: Duration,
}

impl Ended<'_> {
    /// The object, on lines of its own.
    pub(super) fn json(&self) -> String {
        let warnings = self
            .notes
            .iter()
            .map(|note| json!({"kind": "project", "message": note}));
        let mut object = json!({
            "error": self.error,
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
            "warnings": warnings.chain(self.warnings.iter().map(problem)).collect::<Vec<_>>(),
            "seconds": self.time.as_secs_f64(),
        });
        if let Some((options, report)) = self.report {
            let done = serde_json::to_value(Done::new(options, report));
            merge(
                &mut object,
                done.expect("invariant: it has only named fields"),
            );
        }
        let text = serde_json::to_string_pretty(&object);
        text.expect("invariant: the keys are strings") + "\n"
    }
}

#[derive(Debug, Serialize)]
struct Done {
    output: String,
    dry_run: bool,
    published: bool,
    file_count: usize,
    bytes: u64,
    modified_count: usize,
    unmodified_count: usize,
    post_processed_count: usize,
    skipped_count: usize,
    deleted_count: usize,
    cache_trouble: Option<String>,
    variants: Vec<Variants>,
}

#[derive(Debug, Serialize)]
struct Variants {
    encoding: &'static str,
    file_count: usize,
    bytes_in: u64,
    bytes_out: u64,
    hit_count: usize,
}

impl Done {
    fn new(options: &Options, report: &Report) -> Self {
        Self {
            output: options.output.to_string_lossy().into_owned(),
            dry_run: options.dry_run,
            published: report.published,
            file_count: report.file_count,
            bytes: report.bytes,
            modified_count: report.modified_count,
            unmodified_count: report.unmodified_count,
            post_processed_count: report.post_processed_count,
            skipped_count: report.skipped_count,
            deleted_count: report.deleted_count,
            cache_trouble: report.cache_trouble.clone(),
            variants: report.variants.iter().map(Variants::new).collect(),
        }
    }
}

impl Variants {
    fn new(totals: &VariantTotals) -> Self {
        Self {
            encoding: totals.coding.token(),
            file_count: totals.file_count,
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            hit_count: totals.hit_count,
        }
    }
}

/// A problem with its parts and, under `message`, as it is printed.
fn problem(problem: &Problem) -> Value {
    let mut object = match problem {
        Problem::Missing {
            file,
            line,
            column,
            reference,
            target,
            suggestion,
        } => json!({
            "kind": "missing", "file": file, "line": line, "column": column,
            "reference": reference, "target": target, "suggestion": suggestion,
        }),
        Problem::Dangling { file, target } => {
            json!({"kind": "dangling", "file": file, "target": target})
        }
        Problem::NotUtf8 { file, offset } => {
            json!({"kind": "not_utf8", "file": file, "offset": offset})
        }
        Problem::Cycle { files } => json!({"kind": "cycle", "files": files}),
        Problem::Name { file } => json!({"kind": "name", "file": file}),
        Problem::Unreadable { path, cause } => {
            json!({"kind": "unreadable", "path": path.to_string_lossy(), "cause": cause})
        }
        Problem::Changing { path } => json!({"kind": "changing", "path": path.to_string_lossy()}),
        Problem::NoDirectory { path } => {
            json!({"kind": "no_directory", "path": path.to_string_lossy()})
        }
        _ => json!({"kind": "other"}),
    };
    merge(&mut object, json!({"message": problem.to_string()}));
    object
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whitering::staticfiles::Coding;

    #[test]
    fn holds_the_report() {
        let options = Options::new("/out");
        let report = Report {
            file_count: 3,
            variants: vec![VariantTotals {
                coding: Coding::Brotli,
                file_count: 1,
                bytes_in: 10,
                bytes_out: 4,
                hit_count: 0,
            }],
            ..Report::default()
        };
        let ended = Ended {
            report: Some((&options, &report)),
            notes: &["old".to_owned()],
            time: Duration::from_millis(1_500),
            ..Ended::default()
        };
        let value: Value = serde_json::from_str(&ended.json()).unwrap();
        assert_eq!(value["output"], "/out");
        assert_eq!(value["file_count"], 3);
        assert_eq!(value["seconds"], 1.5);
        assert_eq!(value["error"], Value::Null);
        assert_eq!(value["problems"], json!([]));
        assert_eq!(
            value["warnings"],
            json!([{"kind": "project", "message": "old"}])
        );
        assert_eq!(value["variants"][0]["encoding"], "br");
        assert_eq!(value["variants"][0]["bytes_out"], 4);
    }

    #[test]
    fn holds_the_problems() {
        let problems = [Problem::Missing {
            file: "a.css".to_owned(),
            line: 3,
            column: 7,
            reference: "url(x)".to_owned(),
            target: "x".to_owned(),
            suggestion: None,
        }];
        let ended = Ended {
            error: Some("1 problem".to_owned()),
            problems: &problems,
            ..Ended::default()
        };
        let value: Value = serde_json::from_str(&ended.json()).unwrap();
        assert_eq!(value["error"], "1 problem");
        assert_eq!(value["problems"][0]["kind"], "missing");
        assert_eq!(value["problems"][0]["line"], 3);
        assert_eq!(value["problems"][0]["message"], problems[0].to_string());
        assert_eq!(value.get("output"), None);
    }
}
