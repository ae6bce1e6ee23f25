//! Which files can be staged and with which modes, and what a stage leaves alone.

use super::*;

#[test]
fn modes_and_times() {
    let site = Site::new(&["a=old", "d/old="], false);
    let mode = |name: &str, mode| {
        fs::set_permissions(site.output().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o2750);
    mode("d", 0o710);
    mode("a", 0o600);
    let staging = site.target().stage().unwrap();
    write(&staging, "d/new", "x");
    staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
    staging.publish().unwrap();
    let check = |name: &str, expected: u32| {
        let metadata = fs::metadata(site.output().join(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, expected, "{name}");
    };
    check("", 0o2750);
    check("d", 0o710);
    check("a", 0o600);
    check("d/new", 0o644);
    let metadata = fs::metadata(site.output().join("d/new")).unwrap();
    assert_eq!(metadata.modified().unwrap(), modified());
}

/// Public files are for everybody to read, whatever the umask; directories go by it.
#[test]
fn the_umask_does_not_hide_files() {
    const TEST: &str = "the_umask_does_not_hide_files";
    let script = "umask 077; exec \"$0\" \"$@\"";
    in_child(module_path!(), TEST, &["sh", "-c", script], || {
        let site = Site::new(&[], false);
        let staging = site.target().stage().unwrap();
        write(&staging, "d/a", "x");
        staging.publish().unwrap();
        let mode = |name: &str| fs::metadata(site.output().join(name)).unwrap().mode() & 0o7777;
        assert_eq!((mode("d/a"), mode("d")), (0o644, 0o700));
    });
}

/// What other programs put at the output while a release is staged is not ours to remove.
#[test]
fn spares_what_others_put_there_meanwhile() {
    let check = |old: &[&str], meanwhile: &dyn Fn(&Path), expected: &[&str]| {
        let site = Site::new(old, false);
        let staging = site.target().stage().unwrap();
        write(&staging, "a", "new");
        meanwhile(&site.output());
        let published = staging.publish();
        assert_eq!(published.is_ok(), expected == ["a=new"], "{published:?}");
        assert_eq!(site.content(), expected);
    };
    let replace = |output: &Path| {
        fs::remove_dir_all(output).unwrap();
        plant(output, "b=other");
    };
    check(&["a=old"], &replace, &["b=other"]);
    check(&[], &|output| plant(output, "b=other"), &["b=other"]);
    check(&[], &|output| fs::create_dir(output).unwrap(), &["a=new"]);
    check(
        &["a=old"],
        &|output| fs::remove_dir_all(output).unwrap(),
        &["a=new"],
    );
}

#[test]
fn refuses_what_cannot_be_staged() {
    let site = Site::new(&["old=", "directory/", "fifo|"], false);
    let staging = site.target().stage().unwrap();
    write(&staging, "a", "");
    write(&staging, "d/b", "");
    let check = |result: Result<(), CollectError>, expected: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let long = "x".repeat(256);
    check(
        try_write(&staging, "../a", ""),
        "cannot write ../a: a segment",
    );
    check(
        try_write(&staging, "/etc/a", ""),
        "cannot write /etc/a: a name begins",
    );
    check(try_write(&staging, "a\0", ""), "NUL");
    check(try_write(&staging, &long, ""), "out/xxx");
    check(
        try_write(&staging, "a/b", ""),
        "a is a file in one place and a directory",
    );
    check(
        try_write(&staging, "d", ""),
        "d is a file in one place and a directory",
    );
    check(
        staging.symlink(Path::new("x"), b"a/b/c"),
        "a is a file in one place",
    );
    check(staging.link(b"../a", b"x"), "cannot link ../a");
    check(staging.link(b"missing", b"x"), "out/x: No such file");
    check(staging.carry(b"missing"), "cannot carry over");
    check(staging.carry(b"directory"), "not a file");
    check(staging.carry(b"fifo"), "not a file");
    check(staging.remove(b"missing"), "cannot remove");
    staging.publish().unwrap();
    assert_eq!(site.content(), ["a=", "d/b="]);
}

#[test]
fn many_threads_stage_at_once() {
    let site = Site::new(&[], false);
    let staging = site.target().stage().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let staging = &staging;
            scope.spawn(move || {
                for index in 0..50 {
                    write(staging, &format!("a/b{index}/c/{thread}"), "x");
                }
            });
        }
    });
    staging.publish().unwrap();
    assert_eq!(site.content().len(), 400);
}

#[test]
fn a_dropped_release_leaves_nothing() {
    for in_place in [false, true] {
        let site = Site::new(&["a=old"], in_place);
        let target = site.target();
        let staging = target.stage().unwrap();
        write(&staging, "a", "new");
        staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
        drop(staging);
        assert_eq!(site.content(), ["a=old"]);
    }
}

#[test]
fn names_are_bytes() {
    let site = Site::new(&[], false);
    let staging = site.target().stage().unwrap();
    staging.write(b"\xFF\n/\x01 ", b"x", modified()).unwrap();
    staging.publish().unwrap();
    let staging = site.target().stage().unwrap();
    staging
        .carry_rest(&mut |name| name == b"\xFF\n/\x01 ", &mut |_| panic!())
        .unwrap();
    staging.publish().unwrap();
    assert_eq!(site.content().len(), 1);
}
