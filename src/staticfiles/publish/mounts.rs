//! Where other file systems are mounted in a directory: such a directory cannot be exchanged, and
//! what is mounted must never be removed with it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The places at and below `directory`, a path without symbolic links, where something is
/// mounted, relative to it: an empty path is `directory` itself.
///
/// Bind mounts have the device number of what is around them; only the kernel's list knows them.
pub(super) fn below(directory: &Path) -> Vec<PathBuf> {
    // Without /proc there is nothing to ask. Then the exchange fails where a mount is in its way.
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    parse(&text, directory)
}

/// Of `text`, in the form of proc_pid_mountinfo(5), the fifth field of each line.
fn parse(text: &[u8], directory: &Path) -> Vec<PathBuf> {
    let points = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))));
    points
        .filter_map(|point| point.strip_prefix(directory).ok().map(Path::to_owned))
        .collect()
}

/// Blank, tab, newline and backslash are written as a backslash and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        if let [
            b'\\',
            a @ b'0'..=b'3',
            b @ b'0'..=b'7',
            c @ b'0'..=b'7',
            tail @ ..,
        ] = rest
        {
            bytes.push((a & 3) << 6 | (b & 7) << 3 | (c & 7));
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

/// Whether `name` is one of `mounts` or in one.
pub(super) fn covers(mounts: &[PathBuf], name: &[u8]) -> bool {
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    let mut inner = mounts.iter().filter(|mount| !mount.as_os_str().is_empty());
    inner.any(|mount| name.starts_with(mount))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n\
        30 22 0:5 /x /srv/a\\040b/static rw master:1 - tmpfs tmpfs rw\n\
        31 30 0:6 / /srv/a\\040b/static/media rw - tmpfs tmpfs rw\nodd\n";

    #[test]
    fn finds_mounts_at_and_below() {
        let check = |directory: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(parse(TEXT, Path::new(directory)), expected, "{directory}");
        };
        check("/srv/a b/static", &["", "media"]);
        check("/srv/a b/static/media", &[""]);
        check("/srv/a b/static/med", &[]);
        check("/srv/a b", &["static", "static/media"]);
        check("/home", &[]);
        assert!(below(Path::new("/")).contains(&PathBuf::new()));
    }

    #[test]
    fn covers_what_is_in_a_mount() {
        let check = |name: &[u8], expected| {
            let mounts = [PathBuf::new(), PathBuf::from("a/b")];
            assert_eq!(covers(&mounts, name), expected, "{name:?}");
        };
        check(b"a/b", true);
        check(b"a/b/c", true);
        check(b"a/bc", false);
        check(b"a", false);
    }
}
