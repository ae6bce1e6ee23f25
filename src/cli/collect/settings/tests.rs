//! Options as the command line makes them; neither the environment nor a Python is asked.

use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use serde_json::{Value, json};

use super::super::contradictions::check;
use super::*;

fn parse(flags: &[&str]) -> Arguments {
    let command = Arguments::augment_args(Command::new("collect"))
        .mut_args(|argument| argument.env(None))
        .no_binary_name(true);
    let matches = command.try_get_matches_from(flags);
    Arguments::from_arg_matches(&matches.unwrap()).unwrap()
}

/// What `flags` make of two sources and an output.
fn made(flags: &[&str]) -> Options {
    let fixed = ["--source", "a", "--source", "/v/=b", "--output", "/out"];
    let arguments = parse(&[&fixed[..], flags].concat());
    check(&arguments).unwrap();
    options(arguments, None, &Surroundings::default()).unwrap()
}

/// What `flags` make of a project with these settings.
fn made_for(storage: &str, flags: &[&str]) -> Result<Options, SettingsError> {
    let mut settings = json!({
        "static_url": "https://cdn/s/",
        "storage": {
            "name": "Storage", "is_local": true, "location": "/project/out",
            "is_hashed": true, "has_manifest": true, "is_compressed": true, "js_modules": true,
            "keep_only_hashed": true, "manifest_strict": true, "unfollowed": [],
        },
        "skip_extensions": ["bin"],
        "ignore": ["*.scss", "CVS"],
        "finders": [{"name": "f", "files": [["n", "/n"]], "without_path": null}],
    });
    if storage == "plain" {
        settings["storage"]["is_hashed"] = json!(false);
        settings["storage"]["is_compressed"] = json!(false);
    }
    if storage == "remote" {
        settings["storage"]["is_local"] = json!(false);
        settings["storage"]["location"] = Value::Null;
    }
    let series = if storage == "old" { [4, 2] } else { [5, 2] };
    let answer = json!({"series": series, "version": "5.2.1", "checks": [], "settings": settings});
    let project = Project::parse(answer.to_string().as_bytes()).unwrap();
    let arguments = parse(&[&["--django", "manage.py"][..], flags].concat());
    check(&arguments)?;
    options(arguments, Some(project), &Surroundings::default())
}

#[test]
fn has_the_defaults_of_django_and_whitenoise() {
    let source = |prefix: &str, directory: &str| Source::Directory {
        prefix: prefix.to_owned(),
        directory: directory.into(),
    };
    let made = made(&[]);
    let expected = Options {
        sources: vec![source("", "a"), source("v", "b")],
        ..Options::new("/out")
    };
    assert_eq!(format!("{made:?}"), format!("{expected:?}"));
}

#[test]
fn takes_every_option() {
    let made = made(&[
        "-c",
        "-n",
        "-l",
        "-i",
        "*.map",
        "--ignore",
        "tmp",
        "--no-default-ignore",
        "--noinput",
        "--prefix",
        "s",
        "--compat",
        "5.2",
        "--js-modules",
        "--keep-only-hashed",
        "--no-strict",
        "--encodings",
        "zstd,br,zstd",
        "--level",
        "max",
        "--skip-compress",
        "",
        "--threads",
        "3",
        "--cache",
        "/c",
        "--cache-size",
        "1MiB",
        "-v",
        "2",
    ]);
    let expected = Options {
        clear: true,
        dry_run: true,
        link: true,
        ignore: vec!["*.map".to_owned(), "tmp".to_owned()],
        static_url: "/s/".to_owned(),
        compat: Compat::V5_2,
        js_modules: true,
        keep_only_hashed: true,
        strict: false,
        compression: Some(Compression {
            codings: vec![Coding::Zstd, Coding::Brotli],
            level: whitering::staticfiles::Level::Max,
            skip_extensions: Vec::new(),
        }),
        thread_count: Some(3),
        cache: Some(CacheOptions {
            directory: "/c".into(),
            bytes_max: 1 << 20,
        }),
        sources: made.sources.clone(),
        ..Options::new("/out")
    };
    assert_eq!(format!("{made:?}"), format!("{expected:?}"));
}

#[test]
fn takes_what_the_project_has_set() {
    let made = made_for("whitenoise", &[]).unwrap();
    let compression = made.compression.unwrap();
    assert_eq!(made.output, Path::new("/project/out"));
    assert_eq!(made.static_url, "https://cdn/s/");
    assert_eq!(
        (made.storage, made.compat),
        (Storage::Manifest, Compat::V5_2)
    );
    assert!(made.js_modules && made.keep_only_hashed && made.strict);
    assert_eq!(made.ignore, ["*.scss", "CVS"]);
    assert_eq!(compression.skip_extensions, ["bin"]);
    assert_eq!(made.sources.len(), 1);

    let made = made_for("plain", &[]).unwrap();
    assert_eq!((made.storage, made.compression), (Storage::Plain, None));
    assert!(!made.keep_only_hashed && !made.js_modules);
}

#[test]
fn explicit_options_win_over_the_project() {
    let flags = [
        "--output",
        "/o",
        "--prefix",
        "/p/",
        "--compat",
        "6.0",
        "--skip-compress",
        "x",
    ];
    let made = made_for("old", &flags).unwrap();
    assert_eq!(made.output, Path::new("/o"));
    assert_eq!(
        (made.static_url.as_str(), made.compat),
        ("/p/", Compat::V6_0)
    );
    assert_eq!(made.compression.unwrap().skip_extensions, ["x"]);

    let made = made_for("remote", &["--output", "/o", "--storage", "plain"]).unwrap();
    assert_eq!(
        (made.storage, made.keep_only_hashed),
        (Storage::Plain, false)
    );
    assert!(
        made_for("plain", &["--level", "fast"])
            .unwrap()
            .compression
            .is_some()
    );
    assert!(
        made_for("whitenoise", &["--no-compress"])
            .unwrap()
            .compression
            .is_none()
    );
    assert!(
        !made_for("whitenoise", &["--no-post-process"])
            .unwrap()
            .keep_only_hashed
    );

    // A directory of the command line goes before the project's finders.
    let made = made_for("whitenoise", &["--source", "mine"]).unwrap();
    assert!(matches!(
        made.sources[..],
        [Source::Directory { .. }, Source::Listed { .. }]
    ));

    let is_project = |made| matches!(made, Err(SettingsError::Project(_)));
    assert!(is_project(made_for("old", &[])) && is_project(made_for("remote", &[])));
}

#[test]
fn refuses_contradictions() {
    let refuse = |flags: &[&str], part: &str| {
        let error = check(&parse(flags)).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains(part),
            "{flags:?}: {error}"
        );
    };
    refuse(&["--output", "o"], "nothing to collect");
    refuse(&["--source", "a"], "no place for the release");
    let project = ["--django", "manage.py"];
    let refuse_more = |flags: &[&str], part: &str| refuse(&[&project[..], flags].concat(), part);
    refuse_more(&["--ignore", ""], "--ignore with an empty pattern");
    refuse_more(
        &["--no-compress", "--level", "max"],
        "--no-compress and --level contradict",
    );
    refuse_more(
        &["--no-compress", "--encodings", "br"],
        "--no-compress and --encodings",
    );
    refuse_more(
        &["--no-compress", "--skip-compress", ""],
        "--no-compress and --skip-compress",
    );
    refuse_more(&["--no-cache", "--cache", "c"], "--no-cache and --cache");
    refuse_more(
        &["--no-cache", "--cache-size", "1k"],
        "--no-cache and --cache-size",
    );
    refuse_more(
        &["--storage", "plain", "--js-modules"],
        "--storage plain and --js-modules",
    );
    refuse_more(
        &["--storage", "plain", "--keep-only-hashed"],
        "and --keep-only-hashed",
    );
    refuse_more(
        &["--no-post-process", "--keep-only-hashed"],
        "and --keep-only-hashed",
    );
    refuse_more(
        &["--no-post-process", "--encodings", "br"],
        "and --encodings",
    );
    refuse(
        &["--source", "a", "--output", "o", "--python", "p"],
        "belongs to --django",
    );
}

#[test]
fn strictness_comes_from_flag_then_variable() {
    let strict = |flags: &[&str], variable: Option<&str>| {
        let fixed = ["--source", "a", "--output", "/out"];
        let surroundings = Surroundings {
            strict: variable.map(Into::into),
            ..Surroundings::default()
        };
        let made = options(parse(&[&fixed[..], flags].concat()), None, &surroundings);
        made.map(|made| made.strict)
            .map_err(|error| error.to_string())
    };
    assert_eq!(strict(&[], None), Ok(true));
    assert_eq!(strict(&[], Some("false")), Ok(false));
    assert_eq!(strict(&["--strict"], Some("false")), Ok(true));
    assert_eq!(strict(&["--strict", "--no-strict"], None), Ok(false));
    assert_eq!(strict(&["--no-strict", "--strict"], None), Ok(true));
    assert!(
        strict(&[], Some("per\nhaps"))
            .unwrap_err()
            .contains(r"'per\nhaps'")
    );
}
