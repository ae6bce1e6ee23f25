//! Publishes small releases, by exchange and in place, and compares what is in the output.
#![allow(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod carried;
mod killed;
mod locked;
mod mounted;
mod staged;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::tree::{Kind, list};
use super::*;

/// A directory with an output in it.
struct Site {
    parent: TempDir,
    in_place: bool,
}

impl Site {
    /// With `old` as the last release; without one if it is empty.
    fn new(old: &[&str], in_place: bool) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let site = Self { parent, in_place };
        if in_place || !old.is_empty() {
            fs::create_dir(site.output()).unwrap();
        }
        old.iter().for_each(|text| plant(&site.output(), text));
        site
    }

    fn output(&self) -> PathBuf {
        self.parent.path().join("out")
    }

    fn target(&self) -> Target {
        lock(&self.output(), self.in_place)
    }

    /// What the output holds; beside and inside it nothing else may be left.
    #[track_caller]
    fn content(&self) -> Vec<String> {
        let beside = fs::read_dir(self.parent.path()).unwrap();
        let beside: Vec<_> = beside.map(|entry| entry.unwrap().file_name()).collect();
        assert!(beside.iter().all(|name| name == "out"), "{beside:?}");
        content(&self.output())
    }
}

/// Locks `output` and lets it seem to be a mount point if it is to be published `in_place`.
fn lock(output: &Path, in_place: bool) -> Target {
    let mut target = Target::lock(output, &mut || panic!("nobody else")).unwrap();
    if in_place {
        let place = Arc::get_mut(&mut target.place).unwrap();
        place.mounts.push(PathBuf::new());
    }
    target
}

/// Runs `body`, a part of `test` of `module`, in a child process that `launcher` starts.
fn in_child(module: &str, test: &str, launcher: &[&str], body: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        return body();
    }
    let module = module.split_once("::").unwrap().1;
    let output = Command::new(launcher[0])
        .args(&launcher[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
        .env(CHILD, test)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_well = output.status.success() && text.contains("1 passed");
    assert!(is_well, "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Creates what `text` says in `root`: `file=content`, `directory/`, `link>source` or `fifo|`.
fn plant(root: &Path, text: &str) {
    let path = |name: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    if let Some((name, content)) = text.split_once('=') {
        fs::write(path(name), content).unwrap();
    } else if let Some((name, source)) = text.split_once('>') {
        symlink(source, path(name)).unwrap();
    } else if let Some(name) = text.strip_suffix('|') {
        let made = Command::new("mkfifo").arg(path(name)).status().unwrap();
        assert!(made.success());
    } else {
        fs::create_dir_all(root.join(text)).unwrap();
    }
}

/// What is in `root` in the words of [`plant`], sorted; directories only if they are empty.
fn content(root: &Path) -> Vec<String> {
    let entries = list(root, &|_| false).unwrap();
    let line = |entry: &tree::Entry| {
        let name = String::from_utf8_lossy(&entry.name);
        let path = root.join(name::path(&entry.name));
        Some(match entry.kind {
            Kind::File => format!("{name}={}", short(&fs::read_to_string(path).unwrap())),
            Kind::Symlink => format!("{name}>{}", fs::read_link(path).unwrap().display()),
            Kind::Directory if fs::read_dir(path).unwrap().next().is_none() => format!("{name}/"),
            Kind::Directory => return None,
            Kind::Special => format!("{name}|"),
        })
    };
    entries.iter().filter_map(line).collect()
}

/// `text`, or what it is made of.
fn short(text: &str) -> String {
    match text.chars().next() {
        Some(first) if text.len() > 10 && text.chars().all(|other| other == first) => {
            format!("{first} * {}", text.len())
        }
        _ => text.to_owned(),
    }
}

fn write(staging: &Staging, name: &str, content: &str) {
    try_write(staging, name, content).unwrap();
}

fn try_write(staging: &Staging, name: &str, content: &str) -> Result<(), CollectError> {
    staging.write(name.as_bytes(), content.as_bytes(), modified())
}

fn modified() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

const CHILD: &str = "WHITERING_TEST_CHILD";
