//! Whole runs over small directories.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::*;
use crate::staticfiles::Level;

struct Site {
    root: tempfile::TempDir,
    options: PrecompressOptions,
}

impl Site {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("site");
        fs::create_dir(&directory).unwrap();
        let compression = Compression {
            level: Level::Fast,
            ..Compression::default()
        };
        let options = PrecompressOptions {
            directory,
            compression,
            cache: None,
            thread_count: Some(2),
        };
        Self { root, options }
    }

    fn with_cache() -> Self {
        let mut site = Self::new();
        site.options.cache = Some(CacheOptions::in_directory(site.root.path().join("cache")));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    /// Writes a file that is an hour old.
    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let modified = SystemTime::now() - Duration::from_secs(3600);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
    }

    fn run(&self) -> (PrecompressReport, Vec<String>) {
        let lines = Mutex::new(Vec::new());
        let report = precompress(&self.options, &|event| {
            lines.lock().unwrap().push(match event {
                PrecompressEvent::Failed { error } => error.to_string(),
                PrecompressEvent::Removed { path } => format!("removed {}", self.name(path)),
                PrecompressEvent::NotEffective { path, coding } => {
                    format!("not {} {}", coding.token(), self.name(path))
                }
                PrecompressEvent::Compressed {
                    path,
                    coding,
                    written,
                    ..
                } => {
                    format!("{} {} {written}", coding.token(), self.name(path))
                }
            });
        });
        let mut lines = lines.into_inner().unwrap();
        lines.sort();
        (report.unwrap(), lines)
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.options.directory)
            .unwrap()
            .display()
            .to_string()
    }

    /// Every name below the directory with its content.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut waiting = vec![self.options.directory.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path);
                } else {
                    files.insert(self.name(&path), fs::read(&path).unwrap_or_default());
                }
            }
        }
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }
}

fn text(bytes: usize) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. "
        .iter()
        .copied()
        .cycle()
        .take(bytes)
        .collect()
}

fn noise(bytes: usize) -> Vec<u8> {
    let digests =
        (0_u32..).flat_map(|number| <sha2::Sha256 as sha2::Digest>::digest(number.to_le_bytes()));
    digests.take(bytes).collect()
}

#[test]
fn writes_variants_beside_their_originals() {
    let site = Site::new();
    site.write("a.css", &text(2000));
    site.write("b/.hidden", &text(2000));
    site.write("b/noise.js", &noise(2000));
    site.write("c.PNG", &text(2000));
    site.write("empty.txt", b"");
    let (report, lines) = site.run();
    let names = [
        "a.css",
        "a.css.br",
        "a.css.gz",
        "b/.hidden",
        "b/.hidden.br",
        "b/.hidden.gz",
        "b/noise.js",
        "c.PNG",
        "empty.txt",
    ];
    assert_eq!(site.names(), names);
    let expected = [
        "br a.css true",
        "br b/.hidden true",
        "gzip a.css true",
        "gzip b/.hidden true",
        "not br b/noise.js",
        "not br empty.txt",
    ];
    assert_eq!(lines, expected);
    assert_eq!(
        (report.file_count, report.written_count, report.failed_count),
        (4, 4, 0)
    );
    assert_eq!(report.variants[0].bytes_in, 4000);
    let times = |name: &str| {
        let metadata = site.path(name).metadata().unwrap();
        metadata.modified().unwrap()
    };
    assert_eq!(times("a.css"), times("a.css.gz"));
    assert_eq!(times("a.css"), times("a.css.br"));
}

#[test]
fn a_second_run_writes_the_same() {
    let site = Site::new();
    site.write("a.css", &text(2000));
    site.run();
    let before = site.files();
    let (report, lines) = site.run();
    assert_eq!(lines, ["br a.css false", "gzip a.css false"]);
    assert_eq!(report.written_count, 0);
    assert_eq!(site.files(), before);
}

#[test]
fn the_cache_spares_the_work_and_mends_what_is_damaged() {
    let site = Site::with_cache();
    site.write("a.css", &text(2000));
    site.write("b.js", &noise(2000));
    assert_eq!(site.run().0.variants[0].hit_count, 0);
    let before = site.files();
    fs::write(site.path("a.css.br"), "damaged").unwrap();
    fs::remove_file(site.path("a.css.gz")).unwrap();
    let (report, lines) = site.run();
    assert_eq!(lines, ["br a.css true", "gzip a.css true", "not br b.js"]);
    assert_eq!(
        (report.variants[0].hit_count, report.variants[1].hit_count),
        (1, 1)
    );
    assert_eq!(report.cache_warning, None);
    assert_eq!(site.files(), before);
}

#[test]
fn a_cache_that_cannot_be_opened_is_a_warning() {
    let mut site = Site::new();
    site.write("a.css", &text(2000));
    site.options.cache = Some(CacheOptions::in_directory(site.path("a.css")));
    let (report, _) = site.run();
    assert_eq!(report.written_count, 2);
    assert!(report.cache_warning.unwrap().contains("a.css"));
}

#[test]
fn does_not_compress_its_own_cache() {
    let mut site = Site::new();
    site.options.cache = Some(CacheOptions::in_directory(site.path("b/../cache")));
    site.write("b/a.css", &text(2000));
    for _ in 0..2 {
        let (report, lines) = site.run();
        assert_eq!(report.file_count, 1, "{lines:?}");
    }
}

#[test]
fn removes_variants_of_an_earlier_content_only() {
    let site = Site::new();
    site.write("a.css", &text(2000));
    site.run();
    // Changed, and no longer worth it.
    fs::write(site.path("a.css"), noise(500)).unwrap();
    let (report, lines) = site.run();
    assert_eq!(
        lines,
        [
            "not br a.css",
            "not gzip a.css",
            "removed a.css.br",
            "removed a.css.gz"
        ]
    );
    assert_eq!(report.removed_count, 2);
    assert_eq!(site.names(), ["a.css"]);

    // As old as its original: whoever made it knew the content.
    fs::write(site.path("a.css.br"), "by somebody else").unwrap();
    let modified = site.path("a.css").metadata().unwrap().modified().unwrap();
    let file = File::options()
        .write(true)
        .open(site.path("a.css.br"))
        .unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(site.run().1, ["not br a.css"]);
    assert_eq!(site.names(), ["a.css", "a.css.br"]);
}

#[test]
fn variants_are_no_originals() {
    let mut site = Site::new();
    site.options.compression.skip_extensions.clear();
    site.write("a.css", &text(2000));
    site.write("alone.br", &text(2000));
    site.run();
    site.run();
    let names = [
        "a.css",
        "a.css.br",
        "a.css.gz",
        "alone.br",
        "alone.br.br",
        "alone.br.gz",
    ];
    assert_eq!(site.names(), names);
}

#[test]
fn links_to_files_are_followed_and_links_to_directories_not() {
    let site = Site::new();
    site.write("a/b.css", &text(2000));
    symlink("a", site.path("directory")).unwrap();
    symlink("a/b.css", site.path("file.css")).unwrap();
    // A variant that is its own original.
    symlink("b.css", site.path("a/b.css.br")).unwrap();
    site.run();
    let names: Vec<_> = site.names();
    let expected = [
        "a/b.css",
        "a/b.css.br",
        "a/b.css.gz",
        "directory",
        "file.css",
        "file.css.br",
        "file.css.gz",
    ];
    assert_eq!(names, expected);
    assert_eq!(fs::read(site.path("a/b.css")).unwrap(), text(2000));
    assert!(!site.path("a/b.css.br").is_symlink());
}

#[test]
fn what_fails_keeps_nobody_else() {
    let site = Site::new();
    site.write("a.css", &text(2000));
    symlink("nowhere", site.path("broken.css")).unwrap();
    fs::create_dir(site.path("a.css.gz")).unwrap();
    site.write("b.css", &text(2000));
    let (report, lines) = site.run();
    assert_eq!(report.failed_count, 2, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("broken.css")),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("cannot write")),
        "{lines:?}"
    );
    assert!(site.names().contains(&"b.css.gz".to_owned()));
    assert!(!site.names().iter().any(|name| name.contains(".tmp")));
}

#[test]
fn passes_over_what_is_no_file_and_removes_what_killed_runs_left() {
    let site = Site::new();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    fs::write(site.path(".whitering-1-1.tmp"), text(2000)).unwrap();
    fs::write(site.path(".whitering-1-2.tmp"), text(2000)).unwrap();
    let old = File::options()
        .write(true)
        .open(site.path(".whitering-1-2.tmp"))
        .unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let (report, lines) = site.run();
    assert_eq!((report.file_count, lines.len()), (0, 0), "{lines:?}");
    assert_eq!(site.names(), [".whitering-1-1.tmp", "socket"]);
}

#[test]
fn long_files_are_streamed_and_recognised() {
    let mut site = Site::with_cache();
    site.options.compression.codings.push(Coding::Zstd);
    site.write("long.txt", &text(9 << 20));
    let (report, lines) = site.run();
    assert_eq!(
        lines,
        [
            "br long.txt true",
            "gzip long.txt true",
            "zstd long.txt true"
        ]
    );
    assert_eq!(report.variants[2].hit_count, 0);
    let before = site.files();
    let (report, lines) = site.run();
    assert_eq!(
        lines,
        [
            "br long.txt false",
            "gzip long.txt false",
            "zstd long.txt false"
        ]
    );
    assert_eq!(report.variants[2].hit_count, 1);
    fs::write(site.path("long.txt.gz"), "damaged").unwrap();
    site.run();
    assert_eq!(site.files(), before);
}

#[test]
fn needs_a_directory() {
    let mut site = Site::new();
    site.options.directory.push("nothing");
    let error = precompress(&site.options, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("site/nothing"), "{error}");
}
