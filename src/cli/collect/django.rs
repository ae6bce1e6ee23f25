//! Runs a Django project's own Python with the probe and takes its answer. The project's standard
//! error passes through unchanged; there is no deadline, and Ctrl-C ends both.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::project::{Project, ProjectError};

/// A project, and what it is asked with.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// Its manage.py, or the directory that holds it.
    pub(super) manage: &'a Path,
    /// The Python that the operator has named.
    pub(super) python: Option<&'a Path>,
    /// Patterns for the finders.
    pub(super) ignore: &'a [String],
    /// Whether the staticfiles app's patterns are added.
    pub(super) default_ignore: bool,
}

/// Why there is no answer. The operator must act; what the project said is on standard error.
#[derive(Debug, thiserror::Error)]
pub(super) enum DjangoError {
    /// There is no such file.
    #[error("there is no {}; name the project's manage.py with --django", .0.display())]
    NoManage(PathBuf),
    /// The Python does not start.
    #[error("cannot start {}: {cause}; name the project's Python with --python", .python.display())]
    Start {
        /// The Python.
        python: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The project failed.
    #[error(
        "{} failed with {status}, as said above; it was run with {} (--python names another)", .manage.display(), .python.display()
    )]
    Failed {
        /// The project's manage.py.
        manage: PathBuf,
        /// The Python.
        python: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// It ended well without having started a command.
    #[error(
        "{} ended without starting Django's command line; is it a project's manage.py?", .0.display()
    )]
    Silent(PathBuf),
    /// The answer is of no use.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl Question<'_> {
    /// Asks.
    pub(super) fn ask(&self) -> Result<Project, DjangoError> {
        let manage = self.manage_file()?;
        let directory = manage.parent().unwrap_or(Path::new("/"));
        let python = match self.python {
            Some(python) => python.to_owned(),
            None => find_python(directory, env::var_os("VIRTUAL_ENV")),
        };
        let python = from_here(python);
        let output = Command::new(&python)
            .args(["-c", PROBE])
            .arg(&manage)
            .arg(self.text())
            .current_dir(directory)
            .stdin(Stdio::inherit())
            .stderr(Stdio::inherit())
            .output();
        let output = match output {
            Ok(output) => output,
            Err(cause) => return Err(DjangoError::Start { python, cause }),
        };
        if !output.status.success() {
            let status = output.status;
            return Err(DjangoError::Failed {
                manage,
                python,
                status,
            });
        }
        let answer = between_marks(&output.stdout).ok_or(DjangoError::Silent(manage))?;
        Ok(Project::parse(answer)?)
    }

    /// The absolute path of manage.py, since it is run in its own directory.
    fn manage_file(&self) -> Result<PathBuf, DjangoError> {
        let mut manage = self.manage.to_owned();
        if manage.is_dir() {
            manage.push("manage.py");
        }
        match std::path::absolute(&manage) {
            Ok(absolute) if absolute.is_file() => Ok(absolute),
            _ => Err(DjangoError::NoManage(manage)),
        }
    }

    fn text(&self) -> String {
        let question = serde_json::json!({
            "ignore": self.ignore,
            "default_ignore": self.default_ignore,
        });
        question.to_string()
    }
}

/// The active virtual environment's Python, else that of one beside manage.py, else the system's.
fn find_python(directory: &Path, active: Option<OsString>) -> PathBuf {
    let active = active
        .filter(|active| !active.is_empty())
        .map(PathBuf::from);
    let beside = [".venv", "venv"].map(|name| directory.join(name));
    let environments = active.into_iter().chain(beside);
    let mut pythons = environments.map(|environment| environment.join("bin/python"));
    let found = pythons.find(|python| python.is_file());
    found.unwrap_or_else(|| "python3".into())
}

/// A path means the same in the project's directory as here; a bare name is looked up on PATH.
fn from_here(python: PathBuf) -> PathBuf {
    match python.components().count() {
        0 | 1 => python,
        _ => std::path::absolute(&python).unwrap_or(python),
    }
}

/// What stands between the last two marks; other output before and after them is not ours.
fn between_marks(output: &[u8]) -> Option<&[u8]> {
    let places = memchr::memmem::find_iter(output, MARK);
    let places: Vec<_> = places.collect();
    let [.., start, end] = places[..] else {
        return None;
    };
    Some(&output[start + MARK.len()..end])
}

const PROBE: &str = include_str!("probe.py");

/// What the probe writes before and after its answer.
const MARK: &[u8] = b"\0whitering\0";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Asks a project whose Python is `script`; the answer's summary, or the error.
    fn ask(script: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let python = directory.path().join("python");
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("manage.py"), "").unwrap();
        let question = Question {
            manage: directory.path(),
            python: Some(&python),
            ignore: &["a*".to_owned()],
            default_ignore: true,
        };
        let answer = question.ask();
        answer
            .map(|project| project.summary())
            .map_err(|error| error.to_string())
    }

    fn check(script: &str, expected: Result<&str, &str>) {
        match (ask(script), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{script}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{script}: {found}"),
            (found, _) => panic!("{script}: {found:?}"),
        }
    }

    #[test]
    fn takes_the_answer_between_the_marks() {
        let answer = r#"{"series":[6,1],"version":"6.1.3","checks":null,"settings":null}"#;
        let marked = format!(r"printf '\0whitering\0%s\0whitering\0' '{answer}'");
        check(&marked, Ok("Django 6.1.3"));
        check(
            &format!("echo hello; {marked}; echo bye"),
            Ok("Django 6.1.3"),
        );
        // It gets the manage.py, absolute, and the question; and it runs beside manage.py.
        let question = r#"{"default_ignore":true,"ignore":["a*"]}"#;
        let asked = format!("[ \"$3\" = \"$PWD/manage.py\" ] && [ \"$4\" = '{question}' ]");
        check(&format!("{asked} || exit 9; {marked}"), Ok("Django 6.1.3"));
    }

    #[test]
    fn says_why_there_is_no_answer() {
        check("exit 3", Err("failed with exit status: 3, as said above"));
        check("kill -KILL $$", Err("signal: 9"));
        check("true", Err("ended without starting"));
        check(r"printf '\0whitering\0{'", Err("ended without starting"));
        check(
            r"printf '\0whitering\0{\0whitering\0'",
            Err("not understood"),
        );
    }

    #[test]
    fn says_what_is_not_there() {
        let question = |manage: &str, python: &str| {
            let question = Question {
                manage: Path::new(manage),
                python: Some(Path::new(python)),
                ignore: &[],
                default_ignore: true,
            };
            question.ask().unwrap_err().to_string()
        };
        let said = question("nowhere/manage.py", "python");
        assert!(said.starts_with("there is no nowhere/manage.py"), "{said}");
        let said = question("Cargo.toml", "/nowhere/python");
        assert!(said.starts_with("cannot start /nowhere/python: "), "{said}");
    }

    #[test]
    fn a_relative_python_is_the_operators() {
        let here = env::current_dir().unwrap();
        let check = |python: &str, expected: PathBuf| {
            assert_eq!(from_here(python.into()), expected, "{python}");
        };
        check("python3", "python3".into());
        check("venv/bin/python", here.join("venv/bin/python"));
        check("./python", here.join("python"));
        check("/usr/bin/python3", "/usr/bin/python3".into());
    }

    #[test]
    fn finds_the_python_of_the_project() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let check = |active: Option<&str>, expected: PathBuf| {
            let active = active.map(|name| at(name).into());
            assert_eq!(find_python(directory.path(), active), expected);
        };
        check(None, "python3".into());
        for (made, active) in [("venv", None), (".venv", None), ("mine", Some("mine"))] {
            let bin = at(made).join("bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("python"), "").unwrap();
            check(active, bin.join("python"));
        }
        check(Some("gone"), at(".venv/bin/python"));
        check(None, at(".venv/bin/python"));
    }
}
