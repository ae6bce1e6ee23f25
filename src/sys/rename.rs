//! Two directories change places, and what was written reaches the disk before they do:
//! `renameat2(2)`, Linux 3.15, and `syncfs(2)`, Linux 2.6.39.
#![expect(unsafe_code, reason = "system calls that std does not offer")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is called `one` is called `other` from now on and the reverse: at no moment is either
/// name missing.
///
/// # Errors
/// What `renameat2(2)` answered: `EINVAL` where the file system cannot, `EXDEV` and `EBUSY` where
/// a mount point is in the way.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    renameat2(one, other, libc::RENAME_EXCHANGE)
}

/// Renames `from` to `to` unless something has that name already.
///
/// # Errors
/// What `renameat2(2)` answered: `EEXIST` if the name is taken, `EINVAL` where the file system
/// cannot look and rename at once.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    renameat2(from, to, libc::RENAME_NOREPLACE)
}

/// Writes everything to disk that the file system of `file` still holds in memory.
///
/// # Errors
/// What `syncfs(2)` answered. From Linux 5.8 that includes earlier failures to write back.
pub fn syncfs(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open while borrowed; no memory is passed.
    let result = unsafe { libc::syncfs(file.as_raw_fd()) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// By number, because not every C library has a function for it.
fn renameat2(from: &Path, to: &Path, flags: libc::c_uint) -> io::Result<()> {
    let from = CString::new(from.as_os_str().as_bytes())?;
    let to = CString::new(to.as_os_str().as_bytes())?;
    // SAFETY: both paths end with NUL and outlive the call, which only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            flags,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn exchanges_and_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        let check = |result: io::Result<()>, expected: Option<i32>| {
            let code = result.err().map(|error| error.raw_os_error().unwrap());
            assert_eq!(code, expected);
        };
        fs::create_dir(&one).unwrap();
        fs::write(one.join("a"), "").unwrap();
        check(exchange(&one, &other), Some(libc::ENOENT));
        check(rename_new(&one, &other), None);
        fs::create_dir(&one).unwrap();
        check(rename_new(&one, &other), Some(libc::EEXIST));
        check(exchange(&one, &other), None);
        assert!(one.join("a").exists() && !other.join("a").exists());
        check(syncfs(&File::open(&one).unwrap()), None);
    }
}
