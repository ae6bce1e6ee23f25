//! Which outputs can be locked, who waits for whom, and what is removed that killed runs left.

use std::sync::mpsc;
use std::thread;

use super::*;

#[test]
fn finds_the_directory() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("file"), "").unwrap();
    symlink("real", at("link")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    let check = |name: &str, expected: Result<&str, &str>| match (
        Target::lock(&at(name), &mut || {}),
        expected,
    ) {
        (Ok(target), Ok(directory)) => {
            let expected = fs::canonicalize(parent.path()).unwrap().join(directory);
            assert_eq!(target.place.directory, expected, "{name}");
            target.stage().unwrap().publish().unwrap();
            assert!(target.path().is_dir() && target.path().is_absolute());
        }
        (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
        (found, _) => panic!("{name}: {found:?}"),
    };
    check("new", Ok("new"));
    check("real", Ok("real"));
    check("real/", Ok("real"));
    check("real/../real/.", Ok("real"));
    check("deep/er/new", Ok("deep/er/new"));
    check("link", Ok("real"));
    check("file", Err("not a directory"));
    check("file/a", Err("file"));
    check("dangling", Err("link to nothing"));
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
}

#[test]
fn another_run_waits() {
    let site = Site::new(&["a=old"], false);
    let output = site.output();
    let target = site.target();
    let staging = target.stage().unwrap();
    // The release holds the lock as well.
    drop(target);
    let (sender, told) = mpsc::channel();
    let other = thread::spawn(move || {
        let target = Target::lock(&output, &mut || sender.send(()).unwrap()).unwrap();
        let staging = target.stage().unwrap();
        staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
        write(&staging, "second", "2");
        staging.publish().unwrap();
    });
    told.recv().unwrap();
    staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
    write(&staging, "first", "1");
    staging.publish().unwrap();
    other.join().unwrap();
    assert!(told.recv().is_err(), "it was told once");
    // The second run saw what the first had published, not what was there when it began to wait.
    assert_eq!(site.content(), ["a=old", "first=1", "second=2"]);
}

#[test]
fn removes_what_killed_runs_left() {
    let site = Site::new(
        &[
            "a=old",
            ".whitering-staging-1-0a/b=",
            ".whitering-staging-x/c=",
        ],
        false,
    );
    for name in [".out.whitering-1-0a", ".out.whitering-22-ffffffffffffffff"] {
        plant(site.parent.path(), &format!("{name}/d/e="));
    }
    let locked = site.parent.path().join(".out.whitering-1-0a/d");
    fs::set_permissions(locked, fs::Permissions::from_mode(0o555)).unwrap();
    drop(site.target());
    assert_eq!(site.content(), [".whitering-staging-x/c=", "a=old"]);
}

#[test]
fn spares_what_only_looks_like_it() {
    let site = Site::new(&["a=old"], false);
    let others = [
        ".out.whitering-1-0a",
        ".other.whitering-1-0a",
        "out.whitering-1-0a",
    ];
    for name in &others[1..] {
        plant(site.parent.path(), &format!("{name}/d="));
    }
    // A file of such a name is nobody's staging directory.
    plant(site.parent.path(), ".out.whitering-1-0a=");
    drop(site.target());
    assert!(
        others
            .iter()
            .all(|name| site.parent.path().join(name).exists())
    );
}

/// Only the output may belong to the user who collects.
#[test]
fn publishes_where_the_parent_is_not_writable() {
    let site = Site::new(&["a=old", "b=old"], false);
    let set_mode = |mode| {
        fs::set_permissions(site.parent.path(), fs::Permissions::from_mode(mode)).unwrap();
    };
    let probe = site.parent.path().join("probe");
    set_mode(0o555);
    if fs::create_dir(&probe).is_ok() {
        fs::remove_dir(probe).unwrap();
        eprintln!("skipped: permissions do not count for root");
        return;
    }
    let target = site.target();
    let staging = target.stage().unwrap();
    assert!(staging.scratch.starts_with(site.output()));
    write(&staging, "a", "new");
    staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
    staging.publish().unwrap();
    assert_eq!(site.content(), ["a=new", "b=old"]);
    drop(target);
    let error = Target::lock(&site.parent.path().join("new"), &mut || {});
    let error = error
        .and_then(|target| target.stage())
        .unwrap_err()
        .to_string();
    assert!(error.contains("Permission denied"), "{error}");
    set_mode(0o755);
}
