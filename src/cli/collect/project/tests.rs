//! Answers of projects: the form the probe gives, and what is made of it.

use super::*;
use serde_json::{Value, json};

/// The answer of a usual project, with `change` made to it.
fn project(change: impl FnOnce(&mut Value)) -> Project {
    let mut answer = json!({
        "series": [6, 0],
        "version": "6.0.10",
        "checks": [],
        "settings": {
            "static_url": "/static/",
            "storage": {
                "name": "whitenoise.storage.CompressedManifestStaticFilesStorage",
                "is_local": true,
                "location": "/srv/static",
                "is_hashed": true,
                "has_manifest": true,
                "is_compressed": true,
                "js_modules": false,
                "keep_only_hashed": false,
                "manifest_strict": true,
                "unfollowed": [],
            },
            "skip_extensions": null,
            "ignore": ["CVS", ".*", "*~"],
            "finders": [
                {"name": "one", "files": [["a/b.css", "/x/b.css"]], "without_path": null},
                {"name": "two", "files": [["\u{e9}\u{ff}", "/\u{ff}"]], "without_path": null},
            ],
        },
    });
    change(&mut answer);
    Project::parse(answer.to_string().as_bytes()).unwrap()
}

#[test]
fn takes_files_in_order_and_names_in_bytes() {
    let source = |name: &str, file: &[u8], path: &[u8]| Source::Listed {
        name: name.to_owned(),
        files: vec![ListedFile {
            name: file.to_vec(),
            path: OsString::from_vec(path.to_vec()).into(),
        }],
    };
    assert_eq!(
        project(|_| ()).into_sources().unwrap(),
        [
            source("one", b"a/b.css", b"/x/b.css"),
            source("two", b"\xe9\xff", b"/\xff"),
        ]
    );
}

#[test]
fn refuses_names_that_leave_the_release() {
    let check = |name: &str, expected: Option<&str>| {
        let found = normalised(name.as_bytes());
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{name:?}");
    };
    check("a/b", Some("a/b"));
    check("./a//b/.", Some("a/b"));
    check("...", Some("..."));
    for name in ["", ".", "/", "/a", "..", "a/../b", "../a", "a\0"] {
        check(name, None);
    }
    let project = project(|answer| {
        answer["settings"]["finders"][0]["files"][0][0] = json!("../x\n");
    });
    let said = project.into_sources().unwrap_err().to_string();
    assert_eq!(
        said,
        r"the finder one lists '../x\n', which is not below the release"
    );
}

#[test]
fn refuses_files_without_a_path() {
    let project = project(|answer| {
        answer["settings"]["finders"][1]["without_path"] = json!("logo.svg");
    });
    let said = project.into_sources().unwrap_err().to_string();
    assert!(
        said.contains("finder two lists 'logo.svg', which has no path"),
        "{said}"
    );
}

#[test]
fn follows_the_series() {
    let check = |series: (u32, u32), expected: Option<Compat>, warning_count: usize| {
        let project = project(|answer| answer["series"] = json!(series));
        assert_eq!(project.compat().ok(), expected, "{series:?}");
        assert_eq!(project.warnings(false).len(), warning_count, "{series:?}");
        assert_eq!(project.warnings(true).len(), 0, "{series:?}");
    };
    check((5, 2), Some(Compat::V5_2), 0);
    check((6, 0), Some(Compat::V6_0), 0);
    check((6, 1), Some(Compat::V6_1), 0);
    check((6, 2), Some(Compat::V6_1), 1);
    check((7, 0), Some(Compat::V6_1), 1);
    check((5, 1), None, 0);
    check((4, 2), None, 0);
}

#[test]
fn says_why_a_project_cannot_be_collected() {
    let check = |change: fn(&mut Value), part: &str| {
        let project = project(change);
        let output = project
            .settings()
            .and_then(|settings| settings.storage.output());
        let said = output.unwrap_err().to_string();
        assert!(said.contains(part), "{said}");
    };
    check(
        |answer| answer["settings"]["storage"]["location"] = Value::Null,
        "without having set the STATIC_ROOT setting",
    );
    check(
        |answer| {
            answer["settings"]["storage"]["location"] = Value::Null;
            answer["settings"]["storage"]["is_local"] = json!(false);
        },
        "keeps files elsewhere",
    );
    check(
        |answer| {
            answer["settings"] = Value::Null;
            answer["checks"] = json!([{"is_error": true, "text": "dirs overlap (x.E002)"}]);
        },
        "Django's checks fail: dirs overlap (x.E002)",
    );
    check(
        |answer| {
            answer["settings"] = Value::Null;
            answer["checks"] = Value::Null;
        },
        "INSTALLED_APPS",
    );
}

#[test]
fn warns_of_what_is_not_followed() {
    let check = |change: fn(&mut Value), part: &str| {
        let warnings = project(change).warnings(false);
        assert!(
            warnings.len() == 1 && warnings[0].contains(part),
            "{warnings:?}"
        );
    };
    check(
        |answer| answer["settings"]["storage"]["unfollowed"] = json!(["Mine.file_hash()", "b"]),
        "Storage has Mine.file_hash(), b; not followed",
    );
    check(
        |answer| answer["settings"]["storage"]["has_manifest"] = json!(false),
        "has no manifest",
    );
    check(
        |answer| answer["settings"]["storage"]["manifest_strict"] = json!(false),
        "manifest_strict is False",
    );
    check(
        |answer| answer["checks"] = json!([{"is_error": false, "text": "no dir (x.W004)"}]),
        "no dir (x.W004)",
    );
}

#[test]
fn says_what_was_taken() {
    assert_eq!(
        project(|_| ()).summary(),
        "Django 6.0.10, 2 files from 2 finders, \
         whitenoise.storage.CompressedManifestStaticFilesStorage"
    );
}
