//! Python's `posixpath` on names. Looks at no file system.

/// `posixpath.normpath`: no empty segments, no `.`, no `..` that a segment before it takes back.
pub(crate) fn normalise(path: &[u8]) -> Vec<u8> {
    let slash_count = match path {
        [b'/', b'/', b'/', ..] => 1,
        [b'/', b'/', ..] => 2,
        [b'/', ..] => 1,
        _ => 0,
    };
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if segments.last().is_some_and(|&last| last != b"..") => {
                segments.pop();
            }
            b".." if slash_count > 0 => {}
            other => segments.push(other),
        }
    }
    let mut normal = b"/".repeat(slash_count);
    normal.extend(segments.join(&b'/'));
    if normal.is_empty() {
        b".".to_vec()
    } else {
        normal
    }
}

/// `posixpath.join`.
pub(crate) fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut joined = directory.to_vec();
    if !directory.is_empty() && !directory.ends_with(b"/") {
        joined.push(b'/');
    }
    joined.extend_from_slice(path);
    joined
}

/// `posixpath.split`: what is before the last slash, and what is after it.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let name_start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    let (directory, name) = path.split_at(name_start);
    match directory.iter().rposition(|&byte| byte != b'/') {
        Some(last) => (&directory[..=last], name),
        None => (directory, name),
    }
}

/// `posixpath.dirname`.
pub(crate) fn directory(path: &[u8]) -> &[u8] {
    split(path).0
}

/// `posixpath.splitext` on a name without slashes: all before the last dot, and what follows with
/// it. Dots at the beginning do not count.
pub(crate) fn split_extension(name: &[u8]) -> (&[u8], &[u8]) {
    let leading = name.iter().take_while(|&&byte| byte == b'.').count();
    match memchr::memrchr(b'.', &name[leading..]) {
        Some(dot) => name.split_at(leading + dot),
        None => (name, b""),
    }
}

/// The path from the root to what `name` leads to, starting at the root; empty for the root itself.
/// `None` if that is outside, or a path that no file can have.
pub(crate) fn below_root(name: &[u8]) -> Option<Vec<u8>> {
    if name.starts_with(b"/") || name.contains(&0) {
        return None;
    }
    let normal = normalise(name);
    match normal.as_slice() {
        b"." => Some(Vec::new()),
        b".." => None,
        path if path.starts_with(b"../") => None,
        _ => Some(normal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_posixpath_does() {
        check_normal("", ".");
        check_normal("a//b/./c/../d/", "a/b/d");
        check_normal("../a/../../b", "../../b");
        check_normal("a/../..", "..");
        check_normal("/..//a", "/a");
        check_normal("//a", "//a");
        check_normal("///a", "/a");
        check_normal("./.", ".");
    }

    fn check_normal(path: &str, expected: &str) {
        let normal = normalise(path.as_bytes());
        assert_eq!(String::from_utf8_lossy(&normal), expected, "{path:?}");
    }

    #[test]
    fn splits_extensions_as_posixpath_does() {
        check_extension("a.tar.gz", "a.tar", ".gz");
        check_extension(".htaccess", ".htaccess", "");
        check_extension("..a.b", "..a", ".b");
        check_extension("a.", "a", ".");
        check_extension("...", "...", "");
        check_extension("LICENSE", "LICENSE", "");
    }

    fn check_extension(name: &str, root: &str, extension: &str) {
        let expected = (root.as_bytes(), extension.as_bytes());
        assert_eq!(split_extension(name.as_bytes()), expected, "{name:?}");
    }

    #[test]
    fn splits_and_joins_as_posixpath_does() {
        for (path, head, tail) in [
            ("a/b", "a", "b"),
            ("a//b", "a", "b"),
            ("a", "", "a"),
            ("/a", "/", "a"),
            ("//a", "//", "a"),
            ("a/", "a", ""),
        ] {
            assert_eq!(
                split(path.as_bytes()),
                (head.as_bytes(), tail.as_bytes()),
                "{path:?}"
            );
        }
        assert_eq!(join(b"", b"a"), b"a");
        assert_eq!(join(b"a", b"b"), b"a/b");
        assert_eq!(join(b"/", b"b"), b"/b");
        assert_eq!(join(b"a", b"/b"), b"/b");
    }

    #[test]
    fn sees_what_leaves_the_root() {
        check_root("a/../b", Some("b"));
        check_root("a/..", Some(""));
        check_root("..a", Some("..a"));
        check_root("a/../..", None);
        check_root("../a", None);
        check_root("/a", None);
        check_root("a\0b", None);
    }

    fn check_root(name: &str, expected: Option<&str>) {
        let expected = expected.map(|path| path.as_bytes().to_vec());
        assert_eq!(below_root(name.as_bytes()), expected, "{name:?}");
    }
}
