//! Releases where something got in the way: what others did to the last one, names that clash, runs
//! by other settings. Whatever it was, the record says what is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use whitering::staticfiles::{
    Coding, CollectError, ListedFile, Options, Silent, Source, collect, verify,
};

use crate::releases::{Site, prose};

/// Everything that is recorded is there and as it is recorded.
#[track_caller]
fn check_whole(site: &Site) {
    let verified = verify(&site.output()).unwrap();
    assert_eq!(verified.differences, [], "{:?}", site.names());
}

fn only_hashed(options: &mut Options) {
    options.keep_only_hashed = true;
}

/// A file that was carried over through a run by other settings kept the variants of that time
/// when its source came back.
#[test]
fn variants_of_other_settings_are_not_kept_for_what_comes_back() {
    let site = Site::new(&[("a.txt", &prose())]);
    site.collect_with(|options| options.compression = None);
    site.write("a.txt", b"another");
    site.collect();
    site.write("a.txt", prose().as_bytes());
    site.collect_with(only_hashed);
    let names = site.names();
    assert!(
        names.contains(&"a.eff5afc345e1.txt.br".to_owned()),
        "{names:?}"
    );
    check_whole(&site);
    assert!(!site.collect_with(only_hashed).published);
}

/// The files below a directory that somebody had replaced by a link were taken for held, and were
/// not there afterwards.
#[test]
fn a_linked_directory_in_the_release_holds_nothing() {
    let site = Site::new(&[("d/a.txt", "a"), ("d/b.txt", "b")]);
    site.collect();
    let elsewhere = site.output().with_file_name("elsewhere");
    fs::rename(site.output().join("d"), &elsewhere).unwrap();
    symlink(&elsewhere, site.output().join("d")).unwrap();
    site.write("d/a.txt", b"changed");
    site.collect();
    assert_eq!(
        (site.read("d/a.txt"), site.read("d/b.txt")),
        ("changed".to_owned(), "b".to_owned())
    );
    check_whole(&site);
}

/// What was in the way of new files was gone and stayed in the record.
#[test]
fn the_record_forgets_what_is_in_the_way() {
    let site = Site::new(&[("a", "a"), ("b/c.txt", "c"), ("e.txt", &prose())]);
    site.collect();
    fs::remove_dir_all(site.source()).unwrap();
    site.write("a/d.txt", b"d");
    site.write("b", b"b");
    site.write("e.txt.gz/f.txt", b"f");
    site.collect();
    check_whole(&site);
}

/// A new file with the name of a variant that was carried over had that variant's record.
#[test]
fn a_new_file_may_be_called_like_a_variant_that_was_carried_over() {
    let site = Site::new(&[("e.txt", &prose())]);
    site.collect();
    fs::remove_file(site.source().join("e.txt")).unwrap();
    site.write("e.txt.gz", b"not gzip");
    site.collect();
    assert_eq!(site.read("e.txt.gz"), "not gzip");
    assert_eq!(site.read("e.txt"), prose());
    let record = site.read("whitering.json");
    let line = record.lines().find(|line| line.starts_with("\"e.txt\""));
    assert!(!line.unwrap().contains("\"gz\""), "{record}");
}

/// A source called like a variant of another was never held, so every run published anew.
#[test]
fn a_second_run_with_a_file_called_like_a_variant_changes_nothing() {
    let site = Site::new(&[("a.txt", &prose()), ("a.txt.gz", "not gzip")]);
    site.collect();
    let again = site.collect();
    assert!(!again.published, "{again:?}");
    assert_eq!(again.modified_count, 0);
    let dry = site.collect_with(|options| options.dry_run = true);
    assert_eq!(dry.modified_count, 0);
}

/// A source called like the place where large files are put together was lost.
#[test]
fn a_source_may_be_called_like_a_part() {
    let site = Site::new(&[]);
    site.write("film.mp4", &vec![7; (16 << 20) + 1]);
    for index in 0..9 {
        site.write(&format!(".whitering-part-{index}"), b"mine");
    }
    site.collect_with(|options| options.ignore.clear());
    for index in 0..9 {
        assert_eq!(site.read(&format!(".whitering-part-{index}")), "mine");
    }
    check_whole(&site);
}

/// Paths in a record were looked at outside of the release, and kept for ever.
#[test]
fn a_hostile_record_leads_nowhere() {
    let site = Site::new(&[("a.txt", "a")]);
    site.collect();
    let outside = site.output().with_file_name("outside.txt");
    fs::write(&outside, "x").unwrap();
    let record = site.read("whitering.json");
    let file = |name: &str| {
        format!(
            "\"files\": {{\n\"{name}\": {{\"sha256\": \"{}\", \"bytes\": 1, \"media_type\": \"\", \
             \"immutable\": true, \"variants\": {{}}}},",
            "0".repeat(64)
        )
    };
    for name in [
        "../outside.txt",
        outside.to_str().unwrap(),
        "a.txt/../../outside.txt",
    ] {
        let hostile = record.replacen("\"files\": {", &file(name), 1);
        fs::write(site.output().join("whitering.json"), hostile).unwrap();
        site.collect();
        let record = site.read("whitering.json");
        assert!(!record.contains("outside"), "{name}: {record}");
    }
}

/// A pipe called like a manifest was waited for, a link to a device read to its end.
#[test]
fn records_are_regular_files() {
    for name in ["whitering.json", "staticfiles.json"] {
        let site = Site::new(&[("a.txt", "a")]);
        site.collect();
        let path = site.output().join(name);
        fs::remove_file(&path).unwrap();
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert!(site.collect().published);
        check_whole(&site);
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert!(site.collect().published);
        check_whole(&site);
    }
}

/// Every way back had a circle of its own: as many names as the square of their number.
#[test]
fn circles_share_no_files() {
    let names: Vec<String> = (0..60).map(|index| format!("{index:02}.css")).collect();
    let all: String = names
        .iter()
        .map(|name| format!("@import \"{name}\";\n"))
        .collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*all)).collect();
    let site = Site::new(&files);
    let problems = site.problems(|_| ());
    let text: String = problems.iter().map(ToString::to_string).collect();
    assert!(problems.len() <= 60, "{}", problems.len());
    assert!(text.len() < 60 * 100, "{}", text.len());
}

/// A walk by recursion ran out of stack.
#[test]
fn directories_may_be_deep() {
    let site = Site::new(&[("a.txt", "a")]);
    let depth = 1_900;
    let deep = site.source().join(vec!["d"; depth].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x"), "x").unwrap();
    let report = site.collect_with(|options| options.thread_count = Some(1));
    assert_eq!(report.file_count, 2);
    // Twice, so that the release is removed as well.
    site.write("a.txt", b"b");
    assert!(site.collect().published);
    let left = fs::read_dir(site.source().parent().unwrap()).unwrap();
    assert_eq!(left.count(), 2);
}

/// What a project's own finders had found in the output could be deleted by publishing.
#[test]
fn refuses_listed_files_inside_the_output() {
    let site = Site::new(&[("a.txt", "a")]);
    site.collect();
    let listed = |path: std::path::PathBuf| {
        move |options: &mut Options| {
            let name = b"b.txt".to_vec();
            options.sources = vec![Source::Listed {
                name: "finder".to_owned(),
                files: vec![ListedFile { name, path }],
            }];
            options.clear = true;
        }
    };
    let mut options = site.options();
    listed(site.output().join("a.txt"))(&mut options);
    assert!(matches!(
        collect(&options, &Silent),
        Err(CollectError::Nested { .. })
    ));
    assert_eq!(site.read("a.txt"), "a");
    site.collect_with(listed(site.source().join("a.txt")));
}

/// A dry run called everything modified that a project's finders had found.
#[test]
fn a_dry_run_knows_what_stands_already() {
    let site = Site::new(&[("a.txt", &prose()), ("b.css", "a{background:url(a.txt)}")]);
    let listed = |options: &mut Options| {
        let file = |name: &str| ListedFile {
            name: name.as_bytes().to_vec(),
            path: site.source().join(name),
        };
        options.sources = vec![Source::Listed {
            name: "finder".to_owned(),
            files: ["a.txt", "b.css"].map(file).to_vec(),
        }];
    };
    let first = site.collect_with(|options| {
        listed(options);
        options.dry_run = true;
    });
    assert_eq!((first.modified_count, first.unmodified_count), (2, 0));
    site.collect_with(listed);
    let dry = site.collect_with(|options| {
        listed(options);
        options.dry_run = true;
    });
    assert_eq!((dry.modified_count, dry.unmodified_count), (0, 2));
    // In whatever order the settings come.
    let other = site.collect_with(|options| {
        listed(options);
        let compression = options.compression.as_mut().unwrap();
        compression.skip_extensions.reverse();
        compression.codings = vec![Coding::Gzip, Coding::Brotli];
    });
    assert!(!other.published, "{other:?}");
}
