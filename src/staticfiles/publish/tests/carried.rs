//! What a release holds after what the last one held and what was written.

use super::*;

/// Publishes what `stage` writes and all of `old` but what is called `refused…`; both ways.
#[track_caller]
fn check(old: &[&str], stage: impl Fn(&Staging), expected: &[&str], expected_deleted: &[&str]) {
    for in_place in [false, true] {
        let site = Site::new(old, in_place);
        let staging = site.target().stage().unwrap();
        stage(&staging);
        let mut deleted = Vec::new();
        staging
            .carry_rest(&mut |name| !name.starts_with(b"refused"), &mut |name| {
                deleted.push(String::from_utf8_lossy(name).into_owned());
            })
            .unwrap();
        staging.publish().unwrap();
        assert_eq!(site.content(), expected, "in place: {in_place}");
        assert_eq!(deleted, expected_deleted, "in place: {in_place}");
    }
}

#[test]
fn publishes_the_first_release() {
    check(
        &[],
        |staging| {
            write(staging, "a", "1");
            write(staging, "d/e/b", "2");
            write(staging, "d/e/c", "");
        },
        &["a=1", "d/e/b=2", "d/e/c="],
        &[],
    );
    check(&[], |_| {}, &[], &[]);
}

#[test]
fn replaces_adds_and_carries_over() {
    check(
        &[
            "a=old",
            "b=old",
            "d/c=old",
            "empty/",
            "l>../else",
            "refused=x",
            "staticfiles.json=old",
        ],
        |staging| {
            write(staging, "a", "new");
            write(staging, "d/n", "new");
            write(staging, "staticfiles.json", "new");
        },
        &[
            "a=new",
            "b=old",
            "d/c=old",
            "d/n=new",
            "empty/",
            "l>../else",
            "staticfiles.json=new",
        ],
        &["refused"],
    );
    // Directories stay though all their files go, as collectstatic leaves them.
    check(
        &["refused/a=x", "b=old"],
        |_| {},
        &["b=old", "refused/"],
        &["refused/a"],
    );
}

#[test]
fn leaves_nothing_that_is_not_carried() {
    for in_place in [false, true] {
        let site = Site::new(&["a=old", "d/e/b=old", "f|", "empty/", "l>a"], in_place);
        let staging = site.target().stage().unwrap();
        write(&staging, "d/n", "new");
        staging.publish().unwrap();
        assert_eq!(site.content(), ["d/n=new"]);
    }
}

#[test]
fn drops_what_is_in_the_way() {
    let a_directory = |staging: &Staging| write(staging, "a/b", "new");
    check(
        &["a=old", "a-b=old"],
        a_directory,
        &["a-b=old", "a/b=new"],
        &["a"],
    );
    check(&["a>somewhere"], a_directory, &["a/b=new"], &["a"]);
    let a_file = |staging: &Staging| write(staging, "a", "new");
    check(
        &["a-b=old", "a/b=old", "a/c/d=old", "a/e/"],
        a_file,
        &["a=new", "a-b=old"],
        &["a/b", "a/c/d"],
    );
    check(&["f|", "g=old"], |_| {}, &["g=old"], &["f"]);
}

#[test]
fn follows_no_link_out_of_the_release() {
    for in_place in [false, true] {
        let site = Site::new(&["d>../elsewhere"], in_place);
        let elsewhere = site.parent.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("kept"), "").unwrap();
        let staging = site.target().stage().unwrap();
        staging.carry(b"d").unwrap();
        let error = try_write(&staging, "d/a", "new").unwrap_err().to_string();
        assert!(
            error.contains("d is a file in one place and a directory in another"),
            "{error}"
        );
        staging.publish().unwrap();
        assert_eq!(content(&elsewhere), ["kept="]);
        assert_eq!(content(&site.output()), ["d>../elsewhere"]);
    }
}

#[test]
fn links_instead_of_copying() {
    let site = Site::new(&["a=old", "d/b=old"], false);
    let inode = |name: &str| fs::metadata(site.output().join(name)).unwrap().ino();
    let before = (inode("a"), inode("d/b"));
    let staging = site.target().stage().unwrap();
    staging.carry(b"a").unwrap();
    staging.link(b"a", b"a.hash").unwrap();
    staging.link(b"a", b"a").unwrap();
    staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
    staging.publish().unwrap();
    assert_eq!((inode("a"), inode("d/b")), before);
    assert_eq!(inode("a.hash"), before.0);
    assert_eq!(site.content(), ["a=old", "a.hash=old", "d/b=old"]);
}

/// Writing to a name that was carried over must not write to the last release's file.
#[test]
fn never_writes_to_shared_files() {
    let site = Site::new(&["a=old", "b=old", "c=old"], false);
    let staging = site.target().stage().unwrap();
    for name in ["a", "b", "c"] {
        staging.carry(name.as_bytes()).unwrap();
    }
    staging.link(b"b", b"b2").unwrap();
    write(&staging, "a", "new");
    write(&staging, "b2", "new");
    staging.symlink(Path::new("/source"), b"c").unwrap();
    assert_eq!(content(&site.output()), ["a=old", "b=old", "c=old"]);
    staging.publish().unwrap();
    assert_eq!(site.content(), ["a=new", "b=old", "b2=new", "c>/source"]);
}

#[test]
fn files_in_pieces_links_and_removed_files() {
    let stage = |staging: &Staging| {
        let mut file = staging.create(b"d/a").unwrap();
        file.write_all(b"1").unwrap();
        file.write_all(b"2").unwrap();
        staging.finish(b"d/a", file, modified()).unwrap();
        write(staging, "gone", "");
        staging.remove(b"gone").unwrap();
        staging.symlink(Path::new("/source"), b"e/l").unwrap();
    };
    check(&["b=old"], stage, &["b=old", "d/a=12", "e/l>/source"], &[]);
}
