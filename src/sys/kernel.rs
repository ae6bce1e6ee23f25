//! Which kernel this is, for people to read. Nothing decides by it: code asks for features.
#![expect(unsafe_code, reason = "uname(2) fills a struct")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::Path;

/// The running kernel.
///
/// ```
/// let kernel = whitering::Kernel::read();
/// println!("Linux {}, io_uring_disabled {:?}", kernel.release, kernel.io_uring_disabled);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its release, such as `6.12.1-amd64`.
    pub release: String,
    /// `kernel.io_uring_disabled` (Linux 6.6): 0 allowed, 1 for members of a group, 2 for nobody.
    pub io_uring_disabled: Option<u32>,
}

impl Kernel {
    /// Asks the running kernel.
    pub fn read() -> Self {
        Self {
            release: release(),
            io_uring_disabled: io_uring_disabled(Path::new("/")),
        }
    }
}

fn release() -> String {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: `names` is writable and as large as the struct that uname(2) fills. It can fail
    // only for a bad pointer, and even then the zeroes it leaves are empty names.
    unsafe { libc::uname(names.as_mut_ptr()) };
    // SAFETY: utsname is arrays of characters, for which every byte is valid, and all are set.
    let names = unsafe { names.assume_init() };
    // SAFETY: the array ends with a NUL: uname(2) writes one, and the zeroes below hold others.
    let release = unsafe { CStr::from_ptr(names.release.as_ptr()) };
    release.to_string_lossy().into_owned()
}

fn io_uring_disabled(root: &Path) -> Option<u32> {
    let path = root.join("proc/sys/kernel/io_uring_disabled");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_release_as_proc_does() {
        let expected = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(Kernel::read().release, expected.trim());
    }

    #[test]
    fn reads_whether_io_uring_is_disabled() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(io_uring_disabled(root.path()), None);
        std::fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
        let file = root.path().join("proc/sys/kernel/io_uring_disabled");
        std::fs::write(file, "2\n").unwrap();
        assert_eq!(io_uring_disabled(root.path()), Some(2));
    }
}
