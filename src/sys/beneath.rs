//! Opening files below a directory and never outside it: `openat2(2)`, Linux 5.6.
//!
//! The kernel resolves the path; no check of ours runs before or after it that a changed
//! directory tree could outrun.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::ffi::{CStr, CString, c_int, c_long};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens the directory that everything else is opened below.
pub fn open_root(path: &Path) -> io::Result<OwnedFd> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)
        .map(OwnedFd::from)
}

/// Opens the file at `path` below `root` for reading, without waiting for anyone.
///
/// The caller must still look whether it is a regular file: FIFOs and devices open as well.
pub fn open(root: BorrowedFd<'_>, path: &CStr) -> io::Result<File> {
    openat2(root, path, OPEN_FLAGS).map(File::from)
}

/// Opens what is at `path` below `root` for `fstat` only, without following a final link.
pub fn open_place(root: BorrowedFd<'_>, path: &CStr) -> io::Result<File> {
    openat2(root, path, PLACE_FLAGS).map(File::from)
}

/// Opens the directory at `path` below `root` for [`names`].
pub fn open_directory(root: BorrowedFd<'_>, path: &CStr) -> io::Result<File> {
    openat2(root, path, DIRECTORY_FLAGS).map(File::from)
}

/// The names in `directory`, in the order of the file system, without `.` and `..`.
pub fn names(directory: &File) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    let mut buffer = vec![0_u8; NAME_BUFFER_BYTES];
    loop {
        let filled = getdents64(directory.as_fd(), &mut buffer)?;
        if filled == 0 {
            return Ok(names);
        }
        collect_names(&buffer[..filled], &mut names);
    }
}

/// Takes the names out of `records`, a sequence of `struct linux_dirent64`.
fn collect_names(mut records: &[u8], names: &mut Vec<CString>) {
    while let Some(length) = records.get(RECORD_LENGTH_OFFSET..NAME_OFFSET - 1) {
        let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
        let Some((record, rest)) = records.split_at_checked(length) else {
            return;
        };
        let name = record.get(NAME_OFFSET..);
        let Some(name) = name.and_then(|name| CStr::from_bytes_until_nul(name).ok()) else {
            return;
        };
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
        records = rest;
    }
}

fn openat2(root: BorrowedFd<'_>, path: &CStr, flags: u64) -> io::Result<OwnedFd> {
    let how = OpenHow {
        flags,
        mode: 0,
        resolve: RESOLVE_FLAGS,
    };
    let mut attempt_count = 0;
    loop {
        // SAFETY: `path` ends with NUL, and `how` has the size passed with it; both outlive the
        // call, which writes to neither.
        let result = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        attempt_count += 1;
        match descriptor(result) {
            // EAGAIN: a rename elsewhere raced with the resolution of `..`; it says nothing
            // about this path.
            Err(error)
                if attempt_count < ATTEMPT_COUNT_MAX
                    && matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
            result => return result,
        }
    }
}

/// The descriptor that a call returned, or its error.
fn descriptor(result: c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let number = c_int::try_from(result).expect("invariant: a descriptor is an int");
    // SAFETY: the kernel has just created this descriptor and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Reads the next records of `directory`; returns how many bytes, 0 at its end.
fn getdents64(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`, which is ours alone
    // until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            directory.as_raw_fd(),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `struct open_how` of `<linux/openat2.h>`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// `open_how.flags` of [`open`], for engines that issue the same call through their ring.
///
/// O_NONBLOCK: a FIFO without a writer must not hold the caller up.
pub const OPEN_FLAGS: u64 =
    (libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY) as u64;

/// `open_how.resolve` of [`open`].
pub const RESOLVE_FLAGS: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;

const PLACE_FLAGS: u64 = (libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC) as u64;
const DIRECTORY_FLAGS: u64 = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;

/// How often a call is repeated that was interrupted or raced.
const ATTEMPT_COUNT_MAX: u32 = 16;

const NAME_BUFFER_BYTES: usize = 32 * 1024;

/// In `struct linux_dirent64`: inode (8 bytes), offset (8), length (2), type (1), name.
const RECORD_LENGTH_OFFSET: usize = 16;
const NAME_OFFSET: usize = 19;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn opens_only_what_is_beneath() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("root");
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(root.join("d/in"), "in").unwrap();
        fs::write(parent.path().join("out"), "out").unwrap();
        symlink("../out", root.join("leaves")).unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        symlink("d/in", root.join("stays")).unwrap();
        let root = open_root(&root).unwrap();
        let check = |path: &CStr, expected: Result<&str, i32>| {
            let found = open(root.as_fd(), path).map(|mut file| {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            });
            let found = found.map_err(|error| error.raw_os_error().unwrap());
            assert_eq!(found.as_deref().map_err(|code| *code), expected, "{path:?}");
        };
        check(c"d/in", Ok("in"));
        check(c"stays", Ok("in"));
        check(c"d/../d/in", Ok("in"));
        check(c"../out", Err(libc::EXDEV));
        check(c"leaves", Err(libc::EXDEV));
        check(c"absolute", Err(libc::EXDEV));
        check(c"/etc/passwd", Err(libc::EXDEV));
        check(c"missing", Err(libc::ENOENT));
    }

    #[test]
    fn lists_every_name_of_a_large_directory() {
        let directory = tempfile::tempdir().unwrap();
        for index in 0..3000 {
            fs::write(directory.path().join(format!("a-longer-name-{index}")), "").unwrap();
        }
        let root = open_root(directory.path()).unwrap();
        let opened = open_directory(root.as_fd(), c".").unwrap();
        let mut found = names(&opened).unwrap();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 3000);
    }
}
