//! What `collect` makes of small trees, option by option.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use whitering::staticfiles::{
    Coding, CollectError, Level, Options, Problem, Report, Silent, Source, Storage, collect,
};

/// A directory with sources and an output.
pub(super) struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(site.source()).unwrap();
        for (name, text) in files {
            site.write(name, text.as_bytes());
        }
        site
    }

    pub(super) fn source(&self) -> PathBuf {
        self.directory.path().join("source")
    }

    pub(super) fn output(&self) -> PathBuf {
        self.directory.path().join("static")
    }

    /// Writes a source file that is as old as most are.
    pub(super) fn write(&self, name: &str, content: &[u8]) {
        let path = self.source().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        age(&path, Duration::from_secs(3_600));
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::new(self.output());
        options.sources.push(directory(&self.source()));
        options.compression.as_mut().unwrap().level = Level::Fast;
        options
    }

    pub(super) fn collect(&self) -> Report {
        self.collect_with(|_| ())
    }

    pub(super) fn collect_with(&self, change: impl FnOnce(&mut Options)) -> Report {
        let mut options = self.options();
        change(&mut options);
        collect(&options, &Silent).unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    pub(super) fn problems(&self, change: impl FnOnce(&mut Options)) -> Vec<Problem> {
        let mut options = self.options();
        change(&mut options);
        match collect(&options, &Silent) {
            Err(CollectError::Problems(problems)) => problems,
            other => panic!("{other:?}"),
        }
    }

    /// The names in the output, but for those of manifests.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut directories = vec![self.output()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let name = path.strip_prefix(self.output()).unwrap();
                names.push(name.to_string_lossy().into_owned());
            }
        }
        names.retain(|name| !MANIFESTS.contains(&name.as_str()));
        names.sort();
        names
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.output().join(name)).unwrap()
    }
}

pub(super) fn directory(path: &Path) -> Source {
    Source::Directory {
        prefix: String::new(),
        directory: path.to_owned(),
    }
}

pub(super) fn age(path: &Path, by: Duration) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

/// What is short enough to read and long enough to compress.
pub(super) fn prose() -> String {
    "It was the best of times, it was the worst of times. ".repeat(20)
}

#[test]
fn publishes_plain_and_hashed_names_with_their_variants() {
    let site = Site::new(&[("app.css", "body {}"), ("text.txt", &prose())]);
    let report = site.collect();
    let hash = "text.a7d2cdc0a2a7.txt";
    let names = site.names();
    let hashed = names
        .iter()
        .find(|name| name.starts_with("text.") && name.len() == hash.len())
        .unwrap();
    let expected = ["", ".br", ".gz"].map(|ending| format!("{hashed}{ending}"));
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!((report.modified_count, report.post_processed_count), (2, 6));
    assert_eq!(
        report
            .variants
            .iter()
            .map(|totals| totals.file_count)
            .collect::<Vec<_>>(),
        [2, 2]
    );
    assert_eq!(site.read(hashed), prose());
}

#[test]
fn keeps_only_hashed_names() {
    let site = Site::new(&[("a.css", "a{b:url(c.png)}"), ("c.png", "c")]);
    site.collect();
    assert!(site.names().contains(&"a.css".to_owned()));
    let report = site.collect_with(|options| options.keep_only_hashed = true);
    let names = site.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(!names.contains(&"a.css".to_owned()) && !names.contains(&"c.png".to_owned()));
    assert_eq!(report.deleted_count, 2);
    assert!(
        !site
            .collect_with(|options| options.keep_only_hashed = true)
            .published
    );
}

#[test]
fn takes_each_name_from_the_first_source_that_has_it() {
    let (site, other) = (
        Site::new(&[("a.txt", "first")]),
        Site::new(&[("a.txt", "second"), ("b.txt", "b")]),
    );
    let report = site.collect_with(|options| options.sources.push(directory(&other.source())));
    assert_eq!((report.file_count, report.skipped_count), (2, 1));
    assert_eq!(site.read("a.txt"), "first");
    let prefixed = Source::Directory {
        prefix: "vendor/x".to_owned(),
        directory: other.source(),
    };
    site.collect_with(|options| options.sources.push(prefixed));
    assert_eq!(site.read("vendor/x/a.txt"), "second");
}

#[test]
fn keeps_what_earlier_runs_published_unless_told_to_clear() {
    let site = Site::new(&[("a.txt", "one")]);
    site.collect();
    let first = site.names();
    site.write("a.txt", b"another");
    let report = site.collect();
    assert_eq!((report.modified_count, report.deleted_count), (1, 0));
    assert!(first.iter().all(|name| site.names().contains(name)));
    assert_eq!(site.names().len(), 3);
    assert_eq!(site.read("a.txt"), "another");
    let report = site.collect_with(|options| options.clear = true);
    assert_eq!((report.unmodified_count, report.deleted_count), (1, 1));
    assert_eq!(site.names().len(), 2);
}

#[test]
fn drops_variants_that_no_longer_fit() {
    let site = Site::new(&[("a.txt", &prose())]);
    site.collect();
    assert!(site.names().contains(&"a.txt.br".to_owned()));
    site.write("a.txt", b"short");
    site.collect();
    assert!(
        !site.names().contains(&"a.txt.br".to_owned()),
        "{:?}",
        site.names()
    );
    // The hashed file of the first run is still there, and its variants are still right.
    assert_eq!(
        site.names()
            .iter()
            .filter(|name| name.ends_with(".br"))
            .count(),
        1
    );
}

#[test]
fn links_plain_names_to_their_sources() {
    let site = Site::new(&[("a.txt", &prose())]);
    site.collect_with(|options| options.link = true);
    let plain = fs::symlink_metadata(site.output().join("a.txt")).unwrap();
    assert!(plain.is_symlink());
    let others = site.names().into_iter().filter(|name| name != "a.txt");
    for name in others {
        assert!(
            fs::symlink_metadata(site.output().join(&name))
                .unwrap()
                .is_file(),
            "{name}"
        );
    }
    assert_eq!(site.names().len(), 6);
    site.collect();
    assert!(
        !fs::symlink_metadata(site.output().join("a.txt"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn a_dry_run_touches_nothing_and_sees_what_is_wrong() {
    let site = Site::new(&[("a.txt", "a")]);
    let report = site.collect_with(|options| options.dry_run = true);
    assert_eq!((report.modified_count, report.published), (1, false));
    assert!(!site.output().exists());
    site.collect();
    let report = site.collect_with(|options| options.dry_run = true);
    assert_eq!((report.modified_count, report.unmodified_count), (0, 1));
    site.write("a.css", b"a{b:url(gone.png)}");
    assert_eq!(site.problems(|options| options.dry_run = true).len(), 1);
}

#[test]
fn copies_without_post_processing() {
    let site = Site::new(&[("a.css", "a{b:url(gone.png)}"), ("b.txt", &prose())]);
    site.collect_with(|options| options.post_process = false);
    assert_eq!(site.names(), ["a.css", "b.txt"]);
    assert!(!site.output().join("staticfiles.json").exists());
    site.collect_with(|options| options.storage = Storage::Plain);
    assert_eq!(site.names(), ["a.css", "b.txt", "b.txt.br", "b.txt.gz"]);
}

#[test]
fn reports_every_missing_reference_at_once() {
    let site = Site::new(&[
        (
            "css/a.css",
            "a {\n  b: url(../img/lgo.png)\n}\n@import 'gone.css';",
        ),
        ("b.js", "x\n//# sourceMappingURL=b.js.map"),
        ("img/logo.png", "logo"),
    ]);
    let problems = site.problems(|_| ());
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        texts,
        [
            "b.js:2:1: //# sourceMappingURL=b.js.map: there is no b.js.map",
            "css/a.css:2:6: url(../img/lgo.png): there is no img/lgo.png; did you mean img/logo.png?",
            "css/a.css:4:1: @import 'gone.css': there is no css/gone.css; did you mean css/a.css?",
        ]
    );
    assert!(!site.output().exists());
    let report = site.collect_with(|options| options.strict = false);
    assert_eq!(report.warnings, problems);
    assert_eq!(
        site.read("css/a.css"),
        "a {\n  b: url(../img/lgo.png)\n}\n@import 'gone.css';"
    );
}

#[test]
fn names_the_files_of_a_circle() {
    let site = Site::new(&[
        ("a.css", "@import 'b.css';"),
        ("b.css", "@import 'c.css';"),
        ("c.css", "@import 'b.css';"),
    ]);
    let files = ["b.css", "c.css"].map(str::to_owned).to_vec();
    assert_eq!(
        site.problems(|options| options.strict = false),
        [Problem::Cycle { files }]
    );
}

#[test]
fn wants_style_sheets_and_scripts_in_utf_8() {
    let site = Site::new(&[("a.png", "")]);
    site.write("a.css", b"a{}\xff");
    let file = "a.css".to_owned();
    assert_eq!(
        site.problems(|_| ()),
        [Problem::NotUtf8 { file, offset: 3 }]
    );
    site.collect_with(|options| options.strict = false);
    assert_eq!(fs::read(site.output().join("a.css")).unwrap(), b"a{}\xff");
}

#[test]
fn mends_what_was_changed_in_the_release() {
    let site = Site::new(&[("a.txt", "good"), ("b.txt", "b")]);
    site.collect();
    fs::write(site.output().join("a.txt"), "evil").unwrap();
    age(&site.output().join("a.txt"), Duration::ZERO);
    let report = site.collect();
    assert_eq!((report.modified_count, report.unmodified_count), (1, 1));
    assert_eq!(site.read("a.txt"), "good");
    fs::remove_file(site.output().join("b.txt")).unwrap();
    assert_eq!(site.collect().modified_count, 1);
    assert_eq!(site.read("b.txt"), "b");
    // A file that was only touched is the same file.
    site.write("b.txt", b"b");
    assert!(!site.collect().published);
}

#[test]
fn compresses_again_by_other_settings() {
    let site = Site::new(&[("a.txt", &prose())]);
    site.collect();
    let codings = |codings: &[Coding]| {
        let codings = codings.to_vec();
        move |options: &mut Options| options.compression.as_mut().unwrap().codings = codings
    };
    site.collect_with(codings(&[Coding::Zstd]));
    assert_eq!(
        site.names()
            .iter()
            .filter(|name| name.starts_with("a.txt"))
            .collect::<Vec<_>>(),
        ["a.txt", "a.txt.zst"]
    );
    site.collect_with(|options| options.compression = None);
    assert!(
        site.names().iter().all(|name| !name.ends_with(".zst")),
        "{:?}",
        site.names()
    );
}

#[test]
fn refuses_outputs_and_sources_inside_one_another() {
    let site = Site::new(&[("a.txt", "a")]);
    let check = |source: PathBuf, output: PathBuf, refused: bool| {
        let mut options = Options::new(output);
        options.sources.push(directory(&source));
        let result = collect(&options, &Silent);
        let is_nested = matches!(result, Err(CollectError::Nested { .. }));
        assert_eq!(is_nested, refused, "{options:?}: {result:?}");
    };
    check(site.source(), site.source().join("static"), true);
    check(site.source(), site.source(), true);
    check(
        site.source(),
        site.source().join("../source/x/../static"),
        true,
    );
    symlink(site.source(), site.directory.path().join("link")).unwrap();
    check(
        site.source(),
        site.directory.path().join("link/static"),
        true,
    );
    check(site.source(), site.directory.path().to_owned(), true);
    check(site.source(), site.output(), false);
}

#[test]
fn names_sources_that_cannot_be_read() {
    let site = Site::new(&[("a.txt", "a")]);
    symlink("nothing", site.source().join("dangling")).unwrap();
    symlink("..", site.source().join("around")).unwrap();
    let fifo = site.source().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let texts: Vec<String> = site
        .problems(|options| {
            let source = directory(Path::new("/nonexistent/source"));
            options.sources.push(source);
        })
        .iter()
        .map(Problem::to_string)
        .collect();
    let all = texts.join("\n");
    for expected in [
        "dangling: it is a symbolic link to nothing",
        "fifo: it is not a regular file",
        "/nonexistent/source: a source has to be a directory",
    ] {
        assert!(all.contains(expected), "{all}");
    }
}

#[test]
fn large_files_go_through_in_pieces() {
    const BYTES: usize = (16 << 20) + 4_321;
    let site = Site::new(&[]);
    let content: Vec<u8> = (0..BYTES).map(|index| (index * 31 % 251) as u8).collect();
    site.write("film.mp4", &content);
    site.write("log.txt", &content);
    let report = site
        .collect_with(|options| options.compression.as_mut().unwrap().codings = vec![Coding::Gzip]);
    assert_eq!(report.variants[0].file_count, 2);
    let names = site.names();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names.iter().filter(|name| !name.ends_with(".gz")) {
        assert!(
            fs::read(site.output().join(name)).unwrap() == content,
            "{name}"
        );
    }
    let again = site
        .collect_with(|options| options.compression.as_mut().unwrap().codings = vec![Coding::Gzip]);
    assert!(!again.published, "{again:?}");
}

#[test]
fn what_is_called_like_a_variant_gives_way_to_it() {
    let site = Site::new(&[("a.txt", &prose()), ("a.txt.gz", "not gzip"), ("b.gz", "b")]);
    site.collect();
    assert_ne!(
        fs::read(site.output().join("a.txt.gz")).unwrap(),
        b"not gzip"
    );
    assert_eq!(site.read("b.gz"), "b");
    site.write("a.txt", b"too short to compress");
    site.collect();
    assert_eq!(site.read("a.txt.gz"), "not gzip");
}

#[test]
fn manifests_in_a_source_are_not_published_as_ours() {
    let site = Site::new(&[
        ("staticfiles.json", "theirs"),
        ("whitering.json", "theirs"),
        ("a.txt", "a"),
    ]);
    site.collect();
    assert!(site.read("staticfiles.json").contains("\"a.txt\""));
    assert!(site.read("whitering.json").contains("a.txt"));
    assert!(!site.collect().published);
}

#[test]
fn names_need_not_be_utf_8() {
    let site = Site::new(&[("a.txt", "a")]);
    fs::write(
        site.source().join(OsStr::from_bytes(b"\xff\xe9.txt")),
        "odd",
    )
    .unwrap();
    let report = site.collect();
    assert_eq!(report.file_count, 2);
    assert_eq!(
        fs::read(site.output().join(OsStr::from_bytes(b"\xff\xe9.txt"))).unwrap(),
        b"odd"
    );
    assert!(site.read("staticfiles.json").contains("\\udcff\\udce9.txt"));
    assert!(!site.collect().published);
}

const MANIFESTS: [&str; 2] = ["staticfiles.json", "whitering.json"];
