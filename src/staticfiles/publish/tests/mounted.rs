//! Mounts in the way and full disks, in a mount namespace of a child process.

use super::*;

/// Runs `body` in a process that may mount, if this machine has one for us.
fn with_mounts(test: &str, body: impl FnOnce()) {
    let may = |flag: &&str| {
        let output = Command::new("unshare")
            .args([flag, "mount", "-t", "tmpfs", "none", "/mnt"])
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    match ["-m", "-rm"].into_iter().find(may) {
        Some(flag) => in_child(module_path!(), test, &["unshare", flag], body),
        None => eprintln!("{test} is skipped: mounting is not permitted here"),
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success());
}

#[test]
fn publishes_into_a_mount_point() {
    with_mounts("publishes_into_a_mount_point", || {
        let site = Site::new(&["hidden="], false);
        mount(&["-t", "tmpfs", "tmpfs"], &site.output());
        publish_twice(&site);
        let bound = Site::new(&["hidden="], false);
        let source = tempfile::tempdir().unwrap();
        let source = source.path().to_str().unwrap();
        mount(&["--bind", source], &bound.output());
        publish_twice(&bound);
        assert_eq!(content(Path::new(source)).len(), 4);
    });
}

fn publish_twice(site: &Site) {
    plant(&site.output(), "lost+found/");
    for round in ["1", "2"] {
        let staging = site.target().stage().unwrap();
        assert!(staging.scratch.starts_with(site.output()));
        write(&staging, &format!("d/{round}"), round);
        write(&staging, "staticfiles.json", round);
        staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
        staging.publish().unwrap();
    }
    let expected = ["d/1=1", "d/2=2", "lost+found/", "staticfiles.json=2"];
    assert_eq!(site.content(), expected);
}

/// A directory from a lower layer of an image cannot be exchanged, which shows only then.
#[test]
fn publishes_into_a_layer_of_an_image() {
    with_mounts("publishes_into_a_layer_of_an_image", || {
        let site = Site::new(&[], false);
        let layers = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "tmpfs"], layers.path());
        for name in [
            "lower/out/a=old",
            "lower/out/d/b=old",
            "lower/out/e/f=old",
            "upper/",
            "work/",
        ] {
            plant(layers.path(), name);
        }
        let at = |name: &str| layers.path().join(name).display().to_string();
        let (lower, upper, work) = (at("lower"), at("upper"), at("work"));
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
        let made = Command::new("mount")
            .args(["-t", "overlay", "-o", &options, "overlay"])
            .arg(site.parent.path())
            .status();
        if !made.unwrap().success() {
            eprintln!("skipped: overlays are not permitted here");
            return;
        }
        let staging = site.target().stage().unwrap();
        write(&staging, "a", "new");
        write(&staging, "e", "new");
        staging.carry_rest(&mut |_| true, &mut |_| {}).unwrap();
        staging.publish().unwrap();
        assert_eq!(site.content(), ["a=new", "d/b=old", "e=new"]);
    });
}

/// Removing the last release must not remove what is mounted in it.
#[test]
fn spares_what_is_mounted_in_the_release() {
    with_mounts("spares_what_is_mounted_in_the_release", || {
        let site = Site::new(&["a=old", "d/media/", "d/b=old"], false);
        mount(&["-t", "tmpfs", "tmpfs"], &site.output().join("d/media"));
        plant(&site.output(), "d/media/upload=precious");
        let staging = site.target().stage().unwrap();
        write(&staging, "d/media/new", "new");
        write(&staging, "a", "new");
        staging.publish().unwrap();
        assert_eq!(
            site.content(),
            ["a=new", "d/media/new=new", "d/media/upload=precious"]
        );
    });
}

/// Mounted after the lock: too late to choose, not too late to spare it.
#[test]
fn spares_what_is_mounted_meanwhile() {
    with_mounts("spares_what_is_mounted_meanwhile", || {
        let site = Site::new(&["media/", "b=old"], false);
        let target = site.target();
        let staging = target.stage().unwrap();
        mount(&["-t", "tmpfs", "tmpfs"], &site.output().join("media"));
        plant(&site.output(), "media/upload=precious");
        let scratch = staging.scratch.clone();
        write(&staging, "a", "new");
        staging.publish().unwrap();
        assert_eq!(content(&site.output()), ["a=new"]);
        drop(target);
        drop(site.target());
        assert_eq!(content(&scratch), ["b=old", "media/upload=precious"]);
    });
}

#[test]
fn a_full_disk_keeps_the_last_release() {
    with_mounts("a_full_disk_keeps_the_last_release", || {
        let site = Site::new(&[], false);
        mount(
            &["-t", "tmpfs", "-o", "size=256k", "tmpfs"],
            site.parent.path(),
        );
        fs::create_dir(site.output()).unwrap();
        plant(&site.output(), "a=old");
        let staging = site.target().stage().unwrap();
        let error = try_write(&staging, "large", &"x".repeat(1 << 20)).unwrap_err();
        let error = error.to_string();
        let path = site.output().join("large").display().to_string();
        assert!(
            error.contains(&path) && error.contains("nothing was published"),
            "{error}"
        );
        drop(staging);
        assert_eq!(site.content(), ["a=old"]);
    });
}

/// Where the file system of the last release is another one, files are copied.
#[test]
fn copies_where_links_are_refused() {
    with_mounts("copies_where_links_are_refused", || {
        let site = Site::new(&["a=old", "l>a"], false);
        mount(&["-t", "tmpfs", "tmpfs"], &site.output());
        plant(&site.output(), "b=other");
        let directory = site.parent.path();
        let from = |name: &str| site.output().join(name);
        symlink("b", from("m")).unwrap();
        fs::set_permissions(from("b"), fs::Permissions::from_mode(0o640)).unwrap();
        carry::link_or_copy(&from("b"), &directory.join("b")).unwrap();
        carry::link_or_copy(&from("m"), &directory.join("m")).unwrap();
        let [copy, original] =
            [directory.join("b"), from("b")].map(|path| fs::metadata(path).unwrap());
        assert_eq!(copy.mode() & 0o777, 0o640);
        assert_eq!(copy.modified().unwrap(), original.modified().unwrap());
        assert_eq!(fs::read_to_string(directory.join("b")).unwrap(), "other");
        assert_eq!(fs::read_link(directory.join("m")).unwrap(), Path::new("b"));
    });
}
