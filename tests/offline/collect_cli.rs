//! `whitering collect` as its user meets it: arguments, output, exit codes, a project's answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A directory to run the command in.
struct Place {
    directory: tempfile::TempDir,
}

/// What the command did.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for (name, text) in files {
            place.write(name, text.as_bytes());
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// A Python that answers with `answer`, and a manage.py for it.
    fn project(&self, script: &str) {
        self.write("project/manage.py", b"");
        self.write(
            "project/.venv/bin/python",
            format!("#!/bin/sh\n{script}\n").as_bytes(),
        );
        let python = self.path("project/.venv/bin/python");
        fs::set_permissions(python, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, flags: &[&str]) -> Run {
        self.run_with(flags, &[])
    }

    /// Runs it without the environment of the test, at the fast level and without a cache.
    fn run_with(&self, flags: &[&str], variables: &[(&str, &str)]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_whitering"))
            .arg("collect")
            .args(flags)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables.iter().copied())
            .output();
        Run::new(&output.unwrap())
    }

    /// The published name of `logical`.
    fn published(&self, output: &str, logical: &str) -> String {
        let manifest = fs::read(self.path(output).join("staticfiles.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["paths"][logical].as_str().unwrap().to_owned()
    }
}

impl Run {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "\nstdout: {stdout}\nstderr: {stderr}"
        );
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Its last line on standard output.
    fn closing_line(&self) -> &str {
        self.stdout.lines().last().unwrap()
    }
}

/// The answer of a project with one finder that lists `files`: names and paths.
fn answer(files: &[(&str, &Path)], storage: &str) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|(name, path)| (name, path.to_str().unwrap()))
        .collect();
    let is_manifest = storage != "plain";
    let answer = serde_json::json!({
        "series": [6, 1], "version": "6.1.3", "checks": [],
        "settings": {
            "static_url": "/s/",
            "storage": {
                "name": storage, "is_local": true, "location": null, "is_hashed": is_manifest,
                "has_manifest": is_manifest, "is_compressed": false, "js_modules": false,
                "keep_only_hashed": false, "manifest_strict": null, "unfollowed": ["mine"],
            },
            "skip_extensions": null, "ignore": [],
            "finders": [{"name": "finder", "files": files, "without_path": null}],
        },
    });
    format!("printf '\\0whitering\\0%s\\0whitering\\0' '{answer}'")
}

const SITE: [(&str, &str); 3] = [
    ("a/app.css", "body { background: url(img/x.png) }\n"),
    ("a/img/x.png", "pixels"),
    ("b/app.css", "never seen"),
];

#[test]
fn collects_and_says_so_in_djangos_words() {
    let place = Place::new(&SITE);
    let flags = [
        "--source",
        "a",
        "--source",
        "b",
        "--output",
        "out",
        "--no-compress",
    ];
    let run = place.run(&flags).expect(0);
    let out = place.path("out");
    let line = format!(
        "2 static files copied to '{}', 2 post-processed, 1 skipped due to conflict.",
        out.display()
    );
    assert_eq!(run.closing_line(), line);
    assert!(
        run.stdout.contains("\ncollected         2   42 bytes\n"),
        "{}",
        run.stdout
    );
    assert_eq!(run.stderr, "found 2 files, 42 bytes\n");
    let name = place.published("out", "img/x.png");
    let style = fs::read_to_string(out.join(place.published("out", "app.css"))).unwrap();
    assert_eq!(style, format!("body {{ background: url(\"{name}\") }}\n"));

    let run = place.run(&flags).expect(0);
    assert!(
        run.closing_line().starts_with("0 static files copied to "),
        "{}",
        run.stdout
    );
    assert!(
        run.closing_line().contains(", 2 unmodified"),
        "{}",
        run.stdout
    );
}

#[test]
fn says_as_much_as_it_is_asked_to() {
    let place = Place::new(&SITE);
    let flags = [
        "--source",
        "a",
        "--source",
        "v=b",
        "--output",
        "out",
        "--no-compress",
        "-v",
    ];
    let run = |level| place.run(&[&flags[..], &[level]].concat()).expect(0);
    let all = run("2");
    for line in [
        "'img/x.png'",
        "'v/app.css'",
        "Post-processed 'img/x.png' as 'img/x.",
    ] {
        assert!(all.stderr.contains(line), "no {line} in {}", all.stderr);
    }
    let silent = run("0");
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
}

#[test]
fn says_everything_that_is_missing_at_once() {
    let place = Place::new(&[
        ("a/one.css", "a {}\nb { background: url(img/y.png) }"),
        ("a/two.css", "@import 'tow.css';"),
        ("a/img/x.png", ""),
    ]);
    let flags = ["--source", "a", "--output", "out", "--no-compress"];
    let run = place.run(&flags).expect(1);
    assert_eq!(run.stdout, "");
    for part in [
        "one.css:2:17: ",
        "img/y.png",
        "did you mean",
        "two.css:1:1: ",
        "--no-strict",
    ] {
        assert!(run.stderr.contains(part), "no {part} in {}", run.stderr);
    }
    assert!(!place.path("out").exists());

    let json = [&flags[..], &["--format", "json"]].concat();
    let object = place.run(&json).expect(1).json();
    assert_eq!(object["problems"].as_array().unwrap().len(), 2);
    assert_eq!(object["problems"][0]["line"], 2);
    assert_ne!(object["error"], Value::Null);

    let run = place
        .run_with(&flags, &[("WHITERING_STRICT", "false")])
        .expect(0);
    assert_eq!(run.stderr.matches("warning: ").count(), 2, "{}", run.stderr);
    assert!(place.path("out/staticfiles.json").exists());
}

#[test]
fn prints_one_object_for_programs() {
    let place = Place::new(&SITE);
    let flags = [
        "--source", "a", "--output", "out", "--format", "json", "--level", "fast",
    ];
    let object = place.run(&flags).expect(0).json();
    assert_eq!(object["file_count"], 2);
    assert_eq!(object["modified_count"], 2);
    assert_eq!(object["published"], true);
    assert_eq!(object["error"], Value::Null);
    assert_eq!(object["variants"][0]["encoding"], "br");
    assert_eq!(object["output"], place.path("out").to_str().unwrap());
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_dry_run_only_tells() {
    let place = Place::new(&SITE);
    let run = place
        .run(&["--source", "a", "--output", "out", "-n"])
        .expect(0);
    assert!(
        run.stderr.contains("Would copy 'img/x.png'"),
        "{}",
        run.stderr
    );
    assert!(!place.path("out").exists());
}

#[test]
fn refuses_what_makes_no_sense() {
    let place = Place::new(&SITE);
    let check = |flags: &[&str], variables: &[(&str, &str)], code: i32, part: &str| {
        let run = place.run_with(flags, variables).expect(code);
        assert!(run.stderr.contains(part), "{flags:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    };
    let both = ["--source", "a", "--output", "out"];
    check(&[], &[], 2, "--source DIR");
    check(&["--source", "a"], &[], 2, "--output DIR");
    check(
        &[&both[..], &["--no-cache", "--cache", "c"]].concat(),
        &[],
        2,
        "leave one out",
    );
    check(
        &[&both[..], &["--level", "best"]].concat(),
        &[],
        2,
        "[possible values: fast",
    );
    check(&[&both[..], &["--prefix", ""]].concat(), &[], 2, "--prefix");
    check(&[&both[..], &["-v", "4"]].concat(), &[], 2, "0..=3");
    check(
        &both,
        &[("WHITERING_STRICT", "maybe")],
        78,
        "WHITERING_STRICT is 'maybe'",
    );
    check(
        &both,
        &[("WHITERING_NO_CACHE", "1"), ("WHITERING_CACHE", "c")],
        2,
        "leave one out",
    );
    check(&["--source", "gone", "--output", "out"], &[], 1, "gone");
    check(&["--source", "a", "--output", "a/out"], &[], 1, "overlap");
    check(&["--django", "gone"], &[], 1, "there is no gone");
}

#[test]
fn asks_a_project() {
    let place = Place::new(&SITE);
    let path = place.path("a/img/x.png");
    place.project(&format!(
        "echo hello; {}",
        answer(&[("i/x.png", &path)], "manifest")
    ));
    let run = place
        .run(&["--django", "project", "--output", "out"])
        .expect(0);
    assert!(
        place
            .path("out")
            .join(place.published("out", "i/x.png"))
            .exists()
    );
    let said: Vec<_> = run.stderr.lines().collect();
    assert_eq!(said[0], "Django 6.1.3, 1 file from 1 finder, manifest");
    assert!(
        said[1].starts_with("note: nothing is compressed"),
        "{}",
        run.stderr
    );
    assert_eq!(said[2], "warning: manifest has mine; not followed here");

    place.project(&answer(&[("i/x.png", &path)], "plain"));
    place
        .run(&["--django", "project/manage.py", "--output", "plain"])
        .expect(0);
    assert!(place.path("plain/i/x.png").exists());
    assert!(!place.path("plain/staticfiles.json").exists());

    let run = place.run(&["--django", "project"]).expect(1);
    assert!(
        run.stderr.contains("STATIC_ROOT") && run.stderr.contains("--output"),
        "{}",
        run.stderr
    );
}

#[test]
fn shows_a_projects_failure_as_it_is() {
    let place = Place::new(&[]);
    place.project("printf 'Traceback\\n  No module named x\\n' >&2; exit 1");
    let run = place
        .run(&["--django", "project", "--output", "out"])
        .expect(1);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines[..2], ["Traceback", "  No module named x"]);
    assert!(
        lines.len() == 3 && lines[2].starts_with("error: "),
        "{}",
        run.stderr
    );
    assert!(lines[2].contains("--python"), "{}", run.stderr);
}
