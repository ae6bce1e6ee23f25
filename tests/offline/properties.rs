//! What holds for every tree: random files that refer to each other in random ways.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use whitering::staticfiles::{
    CacheOptions, CollectError, Compat, Options, Problem, Report, Silent, Source, collect,
};

/// A file to be: where it is and which earlier files it refers to, in which way.
#[derive(Debug, Clone)]
struct Planned {
    directory: usize,
    kind: usize,
    content: u64,
    references: Vec<(prop::sample::Index, usize)>,
}

fn planned() -> impl Strategy<Value = Planned> {
    let references = prop::collection::vec((any::<prop::sample::Index>(), 0..WAYS.len()), 0..5);
    (
        0..DIRECTORIES.len(),
        0..EXTENSIONS.len(),
        0..4_u64,
        references,
    )
        .prop_map(|(directory, kind, content, references)| Planned {
            directory,
            kind,
            content,
            references,
        })
}

/// The files by name. References go to earlier files only, so there is no circle.
fn tree(plan: &[Planned]) -> BTreeMap<String, String> {
    let name = |index: usize| {
        let file = &plan[index];
        format!(
            "{}f{index}.{}",
            DIRECTORIES[file.directory], EXTENSIONS[file.kind]
        )
    };
    let mut tree = BTreeMap::new();
    for (index, file) in plan.iter().enumerate() {
        let mut text = format!("content {}\n", file.content);
        for (target, way) in &file.references {
            if index > 0 {
                let target = name(target.index(index));
                let up = "../".repeat(DIRECTORIES[file.directory].matches('/').count());
                text += &WAYS[*way]
                    .replace("{relative}", &format!("{up}{target}"))
                    .replace("{absolute}", &target);
            }
        }
        tree.insert(name(index), text);
    }
    tree
}

fn write(tree: &BTreeMap<String, String>, root: &Path) {
    for (name, text) in tree {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn options(source: &Path, output: &Path) -> Options {
    let mut options = Options::new(output);
    options.sources.push(Source::Directory {
        prefix: String::new(),
        directory: source.to_owned(),
    });
    options
}

/// Every file below `root` with its content.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The files that a published style sheet or script refers to, as paths below the release.
fn references(name: &Path, text: &str) -> Vec<PathBuf> {
    let quoted = regex::Regex::new(r#"url\("([^"]+)"\)|sourceMappingURL=(\S+)"#).unwrap();
    let is_script = name.extension().is_some_and(|extension| extension == "js");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("//#") == is_script);
    let found = lines.flat_map(|line| quoted.captures_iter(line));
    let urls = found.map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned());
    let resolve = |url: String| {
        let path = url.split(['?', '#']).next().unwrap().to_owned();
        match path.strip_prefix("/static/") {
            Some(path) => PathBuf::from(path),
            None => name.parent().unwrap().join(path),
        }
    };
    urls.map(resolve).collect()
}

fn fast(mut options: Options) -> Options {
    options.compression.as_mut().unwrap().level = whitering::staticfiles::Level::Fast;
    options
}

fn run(options: &Options) -> Report {
    collect(options, &Silent).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn published_references_lead_to_published_files(
        plan in prop::collection::vec(planned(), 1..14),
        compat in prop::sample::select(vec![Compat::V5_2, Compat::V6_0, Compat::V6_1]),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("in"), directory.path().join("out"));
        write(&tree(&plan), &source);
        let mut options = fast(options(&source, &output));
        options.compat = compat;
        options.keep_only_hashed = true;
        let report = run(&options);
        prop_assert_eq!(report.modified_count, plan.len());
        for (name, bytes) in files(&output) {
            if !name.extension().is_some_and(|extension| extension == "css" || extension == "js") {
                continue;
            }
            let text = String::from_utf8(bytes).unwrap();
            for reference in references(&name, &text) {
                prop_assert!(output.join(&reference).is_file(), "{:?} → {:?}", name, reference);
            }
        }
    }

    #[test]
    fn a_release_is_a_function_of_the_content(plan in prop::collection::vec(planned(), 1..10)) {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("in");
        write(&tree(&plan), &source);
        let releases = [(1, false), (8, false), (1, true), (8, true)].map(|(threads, cached)| {
            let output = directory.path().join(format!("out-{threads}-{cached}"));
            let mut options = fast(options(&source, &output));
            options.thread_count = Some(threads);
            options.cache = cached.then(|| CacheOptions {
                directory: directory.path().join("cache"),
                bytes_max: 1 << 20,
            });
            run(&options);
            files(&output)
        });
        for other in &releases[1..] {
            prop_assert_eq!(&releases[0], other);
        }
    }

    #[test]
    fn a_second_run_changes_nothing(plan in prop::collection::vec(planned(), 1..10)) {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("in"), directory.path().join("out"));
        write(&tree(&plan), &source);
        let options = fast(options(&source, &output));
        prop_assert!(run(&options).published);
        let before = files(&output);
        let second = run(&options);
        prop_assert!(!second.published);
        prop_assert_eq!((second.modified_count, second.unmodified_count), (0, plan.len()));
        prop_assert_eq!(before, files(&output));
    }

    #[test]
    fn a_missing_file_ends_the_run_with_the_last_release_in_place(
        plan in prop::collection::vec(planned(), 1..10),
        gone in any::<prop::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (source, output) = (directory.path().join("in"), directory.path().join("out"));
        let tree = tree(&plan);
        write(&tree, &source);
        let options = fast(options(&source, &output));
        run(&options);
        let before = files(&output);
        let gone = tree.keys().nth(gone.index(tree.len())).unwrap();
        fs::remove_file(source.join(gone)).unwrap();
        let referring = |name: &&String| *name != gone && refers(name, &tree[*name], &file_name(gone));
        let expected = tree.keys().filter(referring).count();
        match collect(&options, &Silent) {
            Ok(_) => prop_assert_eq!(expected, 0),
            Err(CollectError::Problems(problems)) => {
                let mut files: Vec<&String> = problems.iter().map(|problem| match problem {
                    Problem::Missing { file, .. } => file,
                    other => panic!("{other}"),
                }).collect();
                files.dedup();
                prop_assert_eq!(files.len(), expected);
            }
            Err(error) => panic!("{error}"),
        }
        if expected > 0 {
            prop_assert_eq!(before, self::files(&output));
        }
    }
}

/// Whether a file refers to another by a line that means something in its kind.
fn refers(name: &str, text: &str, other: &str) -> bool {
    let mut lines = text.lines().filter(|line| line.contains(other));
    match name.rsplit('.').next() {
        Some("css") => lines.any(|line| !line.starts_with("//#")),
        Some("js") => lines.any(|line| line.starts_with("//#")),
        _ => false,
    }
}

fn file_name(name: &str) -> String {
    name.rsplit('/').next().unwrap().to_owned()
}

const DIRECTORIES: [&str; 4] = ["", "css/", "js/deep/", "imgé/"];
const EXTENSIONS: [&str; 4] = ["css", "js", "png", "svg"];

/// Ways to refer to a file; each has a line of its own and means something in one kind of file.
const WAYS: [&str; 6] = [
    "a { b: url({relative}) }\n",
    "a { b: url('{relative}') }\n",
    "a { b: url(\"/static/{absolute}#frag\") }\n",
    "@import '{relative}';\n",
    "/*# sourceMappingURL={relative}*/\n",
    "//# sourceMappingURL={relative}\n",
];
