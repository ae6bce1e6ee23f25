//! The cache as a whole: what it forgets, what it survives, what it leaves alone.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

struct Sample {
    root: tempfile::TempDir,
    cache: Cache,
}

impl Sample {
    fn new(bytes_max: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/cache");
        let cache = Cache::open(&CacheOptions {
            directory,
            bytes_max,
        })
        .unwrap();
        Self { root, cache }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.cache.directory.join(key.path())
    }

    fn set_age(&self, key: &Key, age: Duration) {
        let modified = SystemTime::now() - age;
        let file = File::options().write(true).open(self.path(key)).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn age(&self, key: &Key) -> Duration {
        self.path(key)
            .metadata()
            .unwrap()
            .modified()
            .unwrap()
            .elapsed()
            .unwrap_or_default()
    }
}

fn key(number: u8) -> Key {
    Key::new(&[number; 32], Coding::Brotli, "settings")
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn keys_differ_by_everything_that_decides() {
    let keys = [
        Key::new(&[1; 32], Coding::Brotli, "a"),
        Key::new(&[2; 32], Coding::Brotli, "a"),
        Key::new(&[1; 32], Coding::Gzip, "a"),
        Key::new(&[1; 32], Coding::Brotli, "b"),
    ];
    for (index, one) in keys.iter().enumerate() {
        for other in &keys[index + 1..] {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn remembers_results_and_that_there_was_none() {
    let sample = Sample::new(u64::MAX);
    assert_eq!(sample.cache.lookup(&key(1)), None);
    sample.cache.store(&key(1), Some(b"result"));
    sample.cache.store(&key(2), None);
    assert_eq!(sample.cache.lookup(&key(1)), Some(Some(b"result".to_vec())));
    assert_eq!(sample.cache.lookup(&key(2)), Some(None));
    sample.cache.store(&key(1), Some(b"other"));
    assert_eq!(sample.cache.lookup(&key(1)), Some(Some(b"other".to_vec())));
    assert_eq!(sample.cache.warning(), None);
}

#[test]
fn drops_a_damaged_entry() {
    let sample = Sample::new(u64::MAX);
    sample.cache.store(&key(1), Some(b"result"));
    let file = File::options()
        .write(true)
        .open(sample.path(&key(1)))
        .unwrap();
    file.set_len(20).unwrap();
    assert_eq!(sample.cache.lookup(&key(1)), None);
    assert!(!sample.path(&key(1)).exists());
    assert_eq!(sample.cache.warning(), None);
}

#[test]
fn does_not_read_a_huge_or_linked_file() {
    let sample = Sample::new(u64::MAX);
    sample.cache.store(&key(1), Some(b"result"));
    let file = File::options()
        .write(true)
        .open(sample.path(&key(1)))
        .unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(sample.cache.lookup(&key(1)), None);
    symlink("/dev/zero", sample.path(&key(1))).unwrap();
    assert_eq!(sample.cache.lookup(&key(1)), None);
}

#[test]
fn touches_what_is_used_once_a_day() {
    let sample = Sample::new(u64::MAX);
    for (number, days, is_touched) in [(1, 2, true), (2, 0, false)] {
        sample.cache.store(&key(number), Some(b"result"));
        let age = DAY * days + Duration::from_secs(1000);
        sample.set_age(&key(number), age);
        sample.cache.lookup(&key(number)).unwrap();
        assert_eq!(
            sample.age(&key(number)) < Duration::from_secs(500),
            is_touched,
            "{days}"
        );
    }
}

#[test]
fn trims_what_was_unused_for_longest() {
    let sample = Sample::new(2 * 4096);
    for number in 1..=4 {
        sample.cache.store(&key(number), Some(b"result"));
        sample.set_age(&key(number), DAY * u32::from(number));
    }
    sample.cache.trim();
    let left = (1..=4).filter(|number| sample.cache.lookup(&key(*number)).is_some());
    assert_eq!(left.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn trims_nothing_that_is_not_its_own() {
    let sample = Sample::new(0);
    sample.cache.store(&key(1), Some(b"result"));
    let parent = sample.path(&key(1)).parent().unwrap().to_path_buf();
    let foreign = [
        sample.cache.directory.join("notes.txt"),
        sample.cache.directory.join("0123456789abcdef"),
        parent.join("notes.txt"),
        parent.join("notes.tmp"),
        parent.join("12-3.tmp"),
    ];
    for path in &foreign {
        fs::write(path, "mine").unwrap();
    }
    let killed = parent.join("12-4.tmp");
    fs::write(&killed, "torn").unwrap();
    File::options()
        .write(true)
        .open(&killed)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    sample.cache.trim();
    assert!(!sample.path(&key(1)).exists());
    assert!(!killed.exists());
    for path in &foreign {
        assert!(path.exists(), "{}", path.display());
    }
}

#[test]
fn tells_once_that_it_cannot_write() {
    let sample = Sample::new(u64::MAX);
    // Even root cannot make a directory where a file is.
    for number in [1, 2] {
        let parent = sample.path(&key(number)).parent().unwrap().to_path_buf();
        fs::write(parent, "a file").unwrap();
        sample.cache.store(&key(number), Some(b"result"));
    }
    let warning = sample.cache.warning().unwrap();
    assert!(warning.contains("cannot write"), "{warning}");
    assert!(warning.ends_with("(and 1 more)"), "{warning}");
}

#[test]
fn is_nobody_elses_business() {
    let sample = Sample::new(u64::MAX);
    sample.cache.store(&key(1), Some(b"result"));
    let path = sample.path(&key(1));
    let mode = |path: &Path| Permissions::mode(&path.metadata().unwrap().permissions()) & 0o077;
    for path in [&*path, path.parent().unwrap(), &sample.cache.directory] {
        assert_eq!(mode(path), 0, "{}", path.display());
    }
    assert!(path.starts_with(sample.root.path()));
}

#[test]
fn two_processes_may_write_at_once() {
    let sample = Sample::new(u64::MAX);
    let options = CacheOptions {
        directory: sample.cache.directory.clone(),
        bytes_max: 0,
    };
    let content = vec![7; 100_000];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                Cache::open(&options).unwrap().trim();
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..50 {
                    sample.cache.store(&key(number % 5), Some(&content));
                    let found = sample.cache.lookup(&key(number % 5));
                    assert!(found.is_none_or(|found| found == Some(content.clone())));
                }
            });
        }
    });
    assert_eq!(sample.cache.warning(), None);
}

#[test]
fn finds_the_users_directory() {
    let check = |cache: Option<&str>, home: Option<&str>, expected: Option<&str>| {
        let found = default_directory(cache.map(PathBuf::from), home.map(PathBuf::from));
        assert_eq!(found, expected.map(PathBuf::from), "{cache:?} {home:?}");
    };
    check(Some("/c"), Some("/h"), Some("/c/whitering"));
    check(None, Some("/h"), Some("/h/.cache/whitering"));
    check(Some("c"), Some("/h"), Some("/h/.cache/whitering"));
    check(Some(""), None, None);
    check(None, Some(""), None);
    check(None, None, None);
}
