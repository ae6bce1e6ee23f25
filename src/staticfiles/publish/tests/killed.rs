//! A process that publishes two releases in turn is killed at random moments: the output is always
//! wholly one of them.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Instant;

use super::*;

#[test]
fn a_killed_run_leaves_a_whole_release() {
    let site = Site::in_memory(&[]);
    publish(&site, "A");
    let whole = ["A", "B"].map(|letter| lines(letter).collect::<Vec<_>>());
    kill_often(&site, |content| {
        assert!(whole.contains(content), "neither release: {content:#?}");
    });
}

#[test]
fn a_run_that_is_killed_in_place_leaves_whole_files() {
    let mut site = Site::in_memory(&[]);
    site.in_place = true;
    fs::create_dir(site.output()).unwrap();
    publish(&site, "A");
    let whole: BTreeSet<_> = ["A", "B"].into_iter().flat_map(lines).collect();
    kill_often(&site, |content| {
        let mut shown = content.iter().filter(|line| !line.starts_with('.'));
        assert!(shown.all(|line| whole.contains(line)), "{content:#?}");
        assert!(
            content
                .iter()
                .any(|line| line.starts_with("staticfiles.json="))
        );
    });
}

impl Site {
    /// Where the disk costs no time: a kill needs no disk to be one.
    fn in_memory(old: &[&str]) -> Self {
        let mut site = Self::new(old, false);
        if let Ok(parent) = TempDir::new_in("/dev/shm") {
            site.parent = parent;
        }
        site
    }
}

/// Not a test: what [`kill_often`] starts and kills.
#[test]
fn publishes_in_turn_until_killed() {
    let Some(output) = std::env::var_os(CHILD) else {
        return;
    };
    let in_place = std::env::var_os(IN_PLACE).is_some();
    for letter in ["B", "A"].into_iter().cycle() {
        publish_to(&lock(Path::new(&output), in_place), letter);
    }
}

#[track_caller]
fn kill_often(site: &Site, check: impl Fn(&Vec<String>)) {
    let inode = || fs::metadata(site.output().join("staticfiles.json")).map(|found| found.ino());
    for round in 0..KILL_COUNT {
        let before = inode().unwrap();
        let mut child = start(site);
        // Every other one while it starts and tidies up, the rest after its first release.
        let deadline = Instant::now() + Duration::from_secs(60);
        while round % 2 == 0 && inode().is_ok_and(|inode| inode == before) {
            assert!(Instant::now() < deadline, "nothing is published");
            sleep(Duration::from_micros(200));
        }
        sleep(Duration::from_micros(random(20_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        check(&content(&site.output()));
    }
    // Another run removes what they all have left.
    publish(site, "A");
    assert_eq!(site.content(), lines("A").collect::<Vec<_>>());
}

fn start(site: &Site) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new(std::env::current_exe().unwrap());
    if site.in_place {
        command.env(IN_PLACE, "1");
    }
    command
        .args([
            "--exact",
            &format!("{module}::publishes_in_turn_until_killed"),
        ])
        .env(CHILD, site.output())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn publish(site: &Site, letter: &str) {
    publish_to(&site.target(), letter);
}

fn publish_to(target: &Target, letter: &str) {
    let staging = target.stage().unwrap();
    for name in names(letter) {
        write(&staging, &name, &letter.repeat(FILE_BYTES));
    }
    staging.carry_rest(&mut |_| false, &mut |_| {}).unwrap();
    staging.publish().unwrap();
}

/// What [`content`] gives for a release.
fn lines(letter: &str) -> impl Iterator<Item = String> {
    names(letter)
        .into_iter()
        .map(move |name| format!("{name}={letter} * {FILE_BYTES}"))
}

/// Names of both releases and names of one.
fn names(letter: &str) -> BTreeSet<String> {
    let both = (0..20).map(|index| format!("both/{index:02}"));
    let own = (0..10).map(|index| format!("own-{letter}-{index}"));
    both.chain(own)
        .chain(["staticfiles.json".to_owned()])
        .collect()
}

/// Less than `end`.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(end) % end
}

/// More than a page.
const FILE_BYTES: usize = 5000;
const KILL_COUNT: u32 = 60;
const CHILD: &str = "WHITERING_TEST_OUTPUT";
const IN_PLACE: &str = "WHITERING_TEST_IN_PLACE";
