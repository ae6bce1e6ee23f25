//! `collect` is killed at random moments: what is published is wholly one release or the other.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use tempfile::TempDir;

/// Everything in a directory by its name below it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

#[test]
fn a_killed_collect_leaves_a_whole_release() {
    let site = Site::new();
    let whole = LETTERS.map(|letter| {
        let output = site.path(&format!("whole-{letter}"));
        assert!(site.collect(letter, &output).wait().unwrap().success());
        files(&output)
    });
    assert_ne!(whole[0], whole[1]);
    let output = site.path("out");
    let started = Instant::now();
    assert!(site.collect("A", &output).wait().unwrap().success());
    let usual = started.elapsed();
    let mut seen_count = [0; 2];
    for round in 0..KILL_COUNT {
        let mut child = site.collect(LETTERS[round % 2], &output);
        sleep(usual.mul_f64(moment(round)));
        // It may have come to its end, which is a moment as well.
        child.kill().unwrap();
        child.wait().unwrap();
        let index = which(&files(&output), &whole);
        seen_count[index] += 1;
    }
    // Nothing was interrupted if nothing ever changed, or nothing could be finished.
    assert!(seen_count.iter().all(|count| *count > 0), "{seen_count:?}");
    assert!(site.collect("B", &output).wait().unwrap().success());
    assert_eq!(which(&files(&output), &whole), 1);
    assert_eq!(site.names(), ["A", "B", "out", "whole-A", "whole-B"]);
}

/// Index of the release in `whole` that `found` is. What the other one has besides is carried
/// over, whole as well.
#[track_caller]
fn which(found: &Files, whole: &[Files; 2]) -> usize {
    let holds = |index: usize| {
        let [own, other] = [&whole[index], &whole[1 - index]];
        let is_whole = own
            .iter()
            .all(|(name, content)| is_own(name) || found.get(name) == Some(content));
        let is_rest_carried = found
            .iter()
            .filter(|(name, _)| !own.contains_key(*name))
            .all(|(name, content)| other.get(name) == Some(content));
        is_whole && is_rest_carried && found.contains_key(Path::new(RECORD))
    };
    let index = (0..2).find(|index| holds(*index));
    index.unwrap_or_else(|| panic!("neither release: {:?}", found.keys()))
}

/// Whether the content may rest on what was carried over.
fn is_own(name: &Path) -> bool {
    name == Path::new(RECORD)
}

/// Two sources whose releases share names and contents but not all.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        for letter in LETTERS {
            for index in 0..12 {
                let text = format!("/* {letter} */ a {{ color: #{index:03} }}\n").repeat(40);
                site.write(&format!("{letter}/both/{index}.css"), &text);
                site.write(&format!("{letter}/{letter}-{index}.txt"), &text);
            }
            site.write(&format!("{letter}/same.txt"), "the same");
            let text = "@import \"both/1.css\"; a { background: url(same.txt) }";
            site.write(&format!("{letter}/main.css"), text);
        }
        site
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is beside the output: a killed run's directory must be gone after the next one.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn collect(&self, letter: &str, output: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_whitering"))
            .args(["collect", "--no-cache", "--source"])
            .arg(self.path(letter))
            .arg("--output")
            .arg(output)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

fn files(root: &Path) -> Files {
    let mut files = Files::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// A part of a run's usual time: any, or near its end, where the releases change places.
fn moment(round: usize) -> f64 {
    let random = RandomState::new().hash_one(round) % 1000;
    let part = f64::from(u32::try_from(random).unwrap()) / 1000.0;
    if round % 4 < 2 {
        part * 1.2
    } else {
        0.7 + part * 0.6
    }
}

const LETTERS: [&str; 2] = ["A", "B"];
const KILL_COUNT: usize = 60;

/// What it says of carried files is not part of either release.
const RECORD: &str = "whitering.json";
