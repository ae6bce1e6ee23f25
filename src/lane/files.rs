//! Reading files for lanes: what is in the page cache at once, the rest through the ring or a
//! thread of the runtime, so that nobody else waits for the disk.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::sys::file;

/// Reads up to `count_max` bytes from `offset` behind what is in `buffer`; returns how many were
/// read, none at the end of the file.
pub(super) async fn read(
    file: &File,
    offset: u64,
    count_max: usize,
    mut buffer: Vec<u8>,
    uses_uring: bool,
) -> (io::Result<usize>, Vec<u8>) {
    match file::read_at_hand(file.as_fd(), offset, count_max, &mut buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            read_cold(file, offset, count_max, buffer, uses_uring).await
        }
        result => (result, buffer),
    }
}

/// The same of a file that is not in the page cache.
async fn read_cold(
    file: &File,
    offset: u64,
    count_max: usize,
    mut buffer: Vec<u8>,
    uses_uring: bool,
) -> (io::Result<usize>, Vec<u8>) {
    let copy = match file.try_clone() {
        Ok(copy) => copy,
        Err(error) => return (Err(error), buffer),
    };
    let (result, read) = if uses_uring {
        let file = tokio_uring::fs::File::from_std(copy);
        let (result, read) = file.read_at(Vec::with_capacity(count_max), offset).await;
        let _ = file.close().await;
        (result, read)
    } else {
        read_in_thread(copy, offset, count_max).await
    };
    let result = result.map(|count| {
        let count = count.min(count_max);
        buffer.extend_from_slice(&read[..count]);
        count
    });
    (result, buffer)
}

async fn read_in_thread(file: File, offset: u64, count_max: usize) -> (io::Result<usize>, Vec<u8>) {
    use std::os::unix::fs::FileExt;
    let reading = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; count_max];
        (file.read_at(&mut buffer, offset), buffer)
    });
    reading.await.unwrap_or_else(|error| {
        let error = io::Error::other(error);
        (Err(error), Vec::new())
    })
}

/// How much is read in one step: what TLS takes before it has to be sent.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(uses_uring: bool) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let file = File::open(path).unwrap();
        let cases = [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (99, 4, "")];
        for (offset, count_max, expected) in cases {
            let buffer = b"before".to_vec();
            let (result, buffer) = read_cold(&file, offset, count_max, buffer, uses_uring).await;
            assert_eq!(result.unwrap(), expected.len(), "from {offset}");
            assert_eq!(buffer, format!("before{expected}").as_bytes());
        }
        // Its own descriptor is still open.
        assert!(file.metadata().is_ok());
    }

    #[test]
    fn reads_what_is_not_in_the_page_cache() {
        tokio_uring::start(check(true));
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(check(false));
    }
}
