//! `whitering url` and `whitering verify` on what `collect` has written.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use whitering::Manifest;
use whitering::staticfiles::{Level, Options, Silent, Source, collect};

/// A release of a style sheet and an image.
struct Published {
    directory: tempfile::TempDir,
}

impl Published {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        fs::create_dir_all(source.join("css")).unwrap();
        let css = "body { background: url(../a%20b.png) }\n".repeat(20);
        fs::write(source.join("css/app.css"), css).unwrap();
        fs::write(source.join("a b.png"), "image").unwrap();
        let mut options = Options::new(directory.path().join("static"));
        options.sources.push(Source::Directory {
            prefix: String::new(),
            directory: source,
        });
        options.compression.as_mut().unwrap().level = Level::Fast;
        collect(&options, &Silent).unwrap();
        Self { directory }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("static")
    }

    fn published(&self, name: &str) -> String {
        let manifest = Manifest::open(&self.root()).unwrap();
        let published = manifest.published(name.as_bytes()).unwrap();
        String::from_utf8(published.to_vec()).unwrap()
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_whitering"))
            .args(arguments)
            .env_clear()
            .env("WHITERING_MANIFEST", self.root())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }
}

#[test]
fn prints_published_urls() {
    let published = Published::new();
    let (css, image) = (
        published.published("css/app.css"),
        published.published("a b.png"),
    );
    assert_ne!(css, "css/app.css");
    let (code, stdout, stderr) = published.run(&["url", "css/app.css?v#f", "a%20b.png"]);
    let expected = format!("/static/{css}?v#f\n/static/{image}\n");
    assert_eq!((code, stdout, stderr), (0, expected, String::new()));
    let prefix = ["url", "--prefix", "https://cdn.example/s", "a b.png"];
    let (_, stdout, _) = published.run(&prefix);
    assert_eq!(stdout, format!("https://cdn.example/s/{image}\n"));
}

#[test]
fn names_that_do_not_exist_are_an_error() {
    let published = Published::new();
    let (code, stdout, stderr) = published.run(&["url", "css/ap.css", "a b.png"]);
    assert_eq!((code, stdout.lines().count()), (1, 1));
    assert_eq!(
        stderr,
        "error: Missing staticfiles manifest entry for 'css/ap.css'; did you mean 'css/app.css'?\n"
    );
    let (code, stdout, stderr) = published.run(&["url", "--format", "json", "x", "a b.png"]);
    assert_eq!((code, stderr.lines().count()), (1, 1));
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(
        found[0]["url"].is_null() && found[1]["error"].is_null(),
        "{found}"
    );
    let (code, stdout, _) = published.run(&["url", "--no-strict", "x"]);
    assert_eq!((code, stdout.as_str()), (0, "/static/x\n"));
    let (code, _, stderr) = published.run(&["url", "--manifest", "/none", "x"]);
    assert!(
        code == 1 && stderr.contains("name the published directory"),
        "{stderr}"
    );
}

#[test]
fn verifies_what_was_collected() {
    let published = Published::new();
    let root = published.root();
    let verify = || published.run(&["verify", root.to_str().unwrap()]);
    let (code, stdout, stderr) = verify();
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains(": as collected"), "{stdout}");

    // What Django has written has no record: then content and names are compared.
    let record = root.join("whitering.json");
    let text = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    let (code, stdout, _) = verify();
    assert_eq!(code, 0, "{stdout}");
    fs::write(&record, text).unwrap();

    let css = published.published("css/app.css");
    fs::write(root.join(format!("{css}.zst")), "").unwrap();
    fs::remove_file(root.join("a b.png")).unwrap();
    let (code, stdout, _) = verify();
    let expected = format!("missing    a b.png\nstale      {css}.zst\n");
    assert!(code == 4 && stdout.starts_with(&expected), "{stdout}");
    let none = root.join("css");
    let (code, _, stderr) = published.run(&["verify", none.to_str().unwrap()]);
    assert!(code == 1 && stderr.contains("holds neither"), "{stderr}");
}
