//! Which content of which file: what `fstat(2)` tells, and reading a file as one content though
//! others may write to it. Safe code.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Device and inode number: another pair is another file.
    pub device: u64,
    /// See [`Self::device`].
    pub inode: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Time of the last change of content, in nanoseconds since 1970.
    pub modified_nanos: i128,
    /// Time of the last change of content or inode, in nanoseconds since 1970.
    pub changed_nanos: i128,
}

/// Why there is no content.
#[derive(Debug)]
pub enum ReadError {
    /// It was another one after each reading.
    Changing,
    /// It is not a regular file.
    Special,
    /// The system refuses it.
    Io(io::Error),
}

impl Identity {
    /// The identity that `fstat` tells.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Repeats `consume` until the file was the same before and after it.
///
/// # Errors
/// It never was the same, is no regular file, or the last `open` or `consume` failed.
pub fn unchanged<T>(
    mut open: impl FnMut() -> io::Result<File>,
    mut consume: impl FnMut(&mut File, &Identity) -> io::Result<T>,
) -> Result<(Identity, T), ReadError> {
    for _ in 0..ATTEMPT_COUNT_MAX {
        let mut file = open().map_err(ReadError::Io)?;
        let metadata = file.metadata().map_err(ReadError::Io)?;
        if !metadata.is_file() {
            return Err(ReadError::Special);
        }
        let before = Identity::of(&metadata);
        settle(&before);
        let result = consume(&mut file, &before);
        let after = Identity::of(&file.metadata().map_err(ReadError::Io)?);
        if before == after {
            return result.map(|value| (before, value)).map_err(ReadError::Io);
        }
    }
    Err(ReadError::Changing)
}

/// Waits until a change would show in the file's times.
fn settle(identity: &Identity) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_nanos = now.map_or(0, |now| now.as_nanos().cast_signed());
    if is_recent(identity.changed_nanos, now_nanos) {
        thread::sleep(TICK);
    }
}

/// Whether another change could still get the same time.
///
/// Before Linux 6.13 file times advance with the kernel's tick, at most 10 ms: of two changes in
/// one tick the second leaves no trace, and could follow on our reading.
fn is_recent(changed_nanos: i128, now_nanos: i128) -> bool {
    (0..TICK.as_nanos().cast_signed()).contains(&(now_nanos - changed_nanos))
}

fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
}

/// How often a file is read that changes while it is read.
const ATTEMPT_COUNT_MAX: u32 = 3;

/// Longer than a tick of the slowest kernel.
const TICK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::time::Instant;

    use super::*;

    /// Reads a file that grows by a byte during the first `change_count` readings.
    #[track_caller]
    fn check_changing(change_count: usize, expected: Option<&str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "x").unwrap();
        let mut reading_count = 0;
        let result = unchanged(
            || File::open(&path),
            |file, _| {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                reading_count += 1;
                if reading_count <= change_count {
                    fs::write(&path, "x".repeat(1 + reading_count))?;
                }
                Ok(text)
            },
        );
        match expected {
            Some(text) => assert_eq!(result.unwrap().1, text),
            None => assert!(matches!(result, Err(ReadError::Changing))),
        }
    }

    #[test]
    fn reads_again_what_changed_meanwhile() {
        check_changing(0, Some("x"));
        check_changing(1, Some("xx"));
        check_changing(2, Some("xxx"));
        check_changing(3, None);
    }

    /// Two contents of one length, one after the other within a tick, looked like one file.
    #[test]
    fn waits_for_the_tick() {
        let now = 1_000_000_000;
        let check = |changed, expected| assert_eq!(is_recent(changed, now), expected, "{changed}");
        check(now, true);
        check(now - 19_999_999, true);
        check(now - 20_000_000, false);
        check(now + 1, false);
        check(0, false);

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "new").unwrap();
        let started = Instant::now();
        unchanged(|| File::open(&path), |_, _| Ok(())).unwrap();
        assert!(started.elapsed() >= TICK);
    }
}
