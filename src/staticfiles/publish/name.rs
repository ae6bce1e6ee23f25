//! Names of files in a release, and the names that a run takes for itself.

use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process;

/// The relative path that `name` means, which stays below the directory it is joined to.
pub(super) fn checked(name: &[u8]) -> io::Result<&Path> {
    let fault = if name.is_empty() {
        "a name is empty"
    } else if name.starts_with(b"/") {
        "a name begins with a slash"
    } else if name.contains(&0) {
        "a name contains a NUL"
    } else if name.split(|byte| *byte == b'/').any(<[u8]>::is_empty) {
        "a segment of the name is empty"
    } else if name.split(|byte| *byte == b'/').any(is_dots) {
        "a segment of the name is . or .."
    } else if is_inside(name) {
        "the name is reserved for collecting"
    } else {
        return Ok(path(name));
    };
    Err(io::Error::new(ErrorKind::InvalidInput, fault))
}

/// `name` as the system takes it.
pub(super) fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// The part of `name` before its last slash; empty at the root.
pub(super) fn parent(name: &[u8]) -> &[u8] {
    let slash = name.iter().rposition(|byte| *byte == b'/');
    &name[..slash.unwrap_or(0)]
}

/// The directories above `name`, the outermost first.
pub(crate) fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(index, _)| &name[..index])
}

/// A new path beside `directory`, none if it has no name.
pub(super) fn beside(directory: &Path) -> Option<PathBuf> {
    let mut name = beside_prefix(directory)?;
    name.extend_from_slice(unique().as_bytes());
    Some(directory.with_file_name(OsString::from_vec(name)))
}

/// Whether some run called `name` what [`beside`] gives for `directory`.
pub(super) fn is_beside(directory: &Path, name: &[u8]) -> bool {
    let prefix = beside_prefix(directory);
    let rest = prefix.and_then(|prefix| name.strip_prefix(prefix.as_slice()));
    rest.is_some_and(is_unique)
}

/// A new path inside `directory`, with a dot that keeps it from being served.
pub(super) fn inside(directory: &Path) -> PathBuf {
    let mut name = INSIDE_PREFIX.to_vec();
    name.extend_from_slice(unique().as_bytes());
    directory.join(path(&name))
}

/// Whether `name` or what it is in was named by [`inside`].
pub(super) fn is_inside(name: &[u8]) -> bool {
    let first = name.split(|byte| *byte == b'/').next().unwrap_or(name);
    first.strip_prefix(INSIDE_PREFIX).is_some_and(is_unique)
}

fn beside_prefix(directory: &Path) -> Option<Vec<u8>> {
    let name = directory.file_name()?.as_bytes();
    // A long name is cut so that there is room for the rest: a segment has 255 bytes at most.
    let name = &name[..name.len().min(NAME_BYTES_MAX)];
    Some([b".", name, b".whitering-"].concat())
}

/// The process and a number that no killed run of the same process id has used.
fn unique() -> String {
    let random = RandomState::new().hash_one(process::id());
    format!("{}-{random:016x}", process::id())
}

fn is_unique(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b'-');
    let is = |part: Option<&[u8]>, accepts: fn(&u8) -> bool| {
        part.is_some_and(|part| !part.is_empty() && part.iter().all(accepts))
    };
    is(parts.next(), u8::is_ascii_digit) && is(parts.next(), u8::is_ascii_hexdigit)
}

fn is_dots(segment: &[u8]) -> bool {
    segment == b"." || segment == b".."
}

const INSIDE_PREFIX: &[u8] = b".whitering-staging-";

/// What is left of 255 bytes beside the rest of a name.
const NAME_BYTES_MAX: usize = 255 - ".".len() - ".whitering-".len() - UNIQUE_BYTES_MAX;

/// Ten digits of a process id, a hyphen and 64 bits in hexadecimal.
const UNIQUE_BYTES_MAX: usize = 10 + 1 + 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_leave_the_directory() {
        let check = |name: &[u8], expected: Option<&str>| {
            let fault = checked(name).err().map(|error| error.to_string());
            let is = fault.as_deref().zip(expected);
            let is = is.map(|(fault, expected)| fault.contains(expected));
            assert_eq!(is, expected.map(|_| true), "{name:?}: {fault:?}");
        };
        check(b"a", None);
        check(b"a/b.c", None);
        check(b"a b/\xFF\n", None);
        check(b".../..a/b..", None);
        check(b".whitering-staging-of-a-dream", None);
        check(b"", Some("empty"));
        check(b"/a", Some("begins"));
        check(b"a//b", Some("segment"));
        check(b"a/", Some("segment"));
        check(b".", Some("."));
        check(b"a/./b", Some("."));
        check(b"../a", Some(".."));
        check(b"a/..", Some(".."));
        check(b"a\0b", Some("NUL"));
        check(b".whitering-staging-1-0af/a", Some("reserved"));
    }

    #[test]
    fn recognises_its_own_names_only() {
        let check = |directory: &Path, name: &[u8], expected| {
            assert_eq!(is_beside(directory, name), expected, "{name:?}");
        };
        let directory = Path::new("/a/static");
        let own = beside(directory).unwrap();
        assert_eq!(own.parent(), directory.parent());
        check(directory, own.file_name().unwrap().as_bytes(), true);
        check(directory, b".static.whitering-12-0123456789abcdef", true);
        check(directory, b".other.whitering-12-0123456789abcdef", false);
        check(directory, b".static.whitering-x-0123456789abcdef", false);
        check(directory, b".static.whitering-12", false);
        check(directory, b".static.whitering-12-", false);
        check(directory, b".static.whitering-12-0-1", false);
        check(directory, b"static", false);
        assert_eq!(beside(Path::new("/")), None);
        let long = Path::new("/a").join("x".repeat(255));
        let own = beside(&long).unwrap();
        let name = own.file_name().unwrap().as_bytes();
        assert!(name.len() <= 255, "{}", name.len());
        check(&long, name, true);
        let own = inside(directory);
        assert!(is_inside(
            own.strip_prefix(directory).unwrap().as_os_str().as_bytes()
        ));
    }
}
