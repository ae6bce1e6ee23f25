//! One cache file: a mark, what kind of result, the SHA-256 of its key and what follows, and the
//! result. A file that a crash tore, a disk damaged or somebody renamed is told from a whole one.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::Key;

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A result worth keeping.
    Result(Vec<u8>),
    /// There was none.
    NotWorthIt,
}

impl Entry {
    /// Reads a file of `bytes`; none if it is not whole, or of another key.
    pub(super) fn read(file: &mut impl Read, bytes: u64, key: &Key) -> io::Result<Option<Self>> {
        let bytes = bytes.checked_sub(HEAD_BYTES as u64);
        let Some(bytes) = bytes.filter(|bytes| *bytes <= RESULT_BYTES_MAX) else {
            return Ok(None);
        };
        let mut head = [0; HEAD_BYTES];
        let mut result = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        match file.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        file.take(bytes + 1).read_to_end(&mut result)?;
        Ok(Self::from_parts(&head, result, key))
    }

    /// Writes a file.
    pub(super) fn write(file: &mut impl Write, result: Option<&[u8]>, key: &Key) -> io::Result<()> {
        let kind = if result.is_some() {
            RESULT
        } else {
            NOT_WORTH_IT
        };
        let result = result.unwrap_or_default();
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MARK);
        head.push(kind);
        head.extend_from_slice(&digest(kind, result, key));
        file.write_all(&head)?;
        file.write_all(result)
    }

    fn from_parts(head: &[u8; HEAD_BYTES], result: Vec<u8>, key: &Key) -> Option<Self> {
        let (mark, rest) = head.split_at(MARK.len());
        let (kind, stated) = rest.split_first()?;
        if mark != MARK || stated != digest(*kind, &result, key) {
            return None;
        }
        match *kind {
            RESULT => Some(Self::Result(result)),
            NOT_WORTH_IT => Some(Self::NotWorthIt),
            _ => None,
        }
    }
}

fn digest(kind: u8, result: &[u8], key: &Key) -> [u8; DIGEST_BYTES] {
    let mut digest = Sha256::new();
    digest.update([kind]);
    digest.update(key.0);
    digest.update(result);
    digest.finalize().into()
}

/// With the number of this form.
const MARK: &[u8] = b"whitering cache 2\n";

const RESULT: u8 = b'+';
const NOT_WORTH_IT: u8 = b'-';

/// Longer results are not kept; a file that claims to hold one is not read.
pub(super) const RESULT_BYTES_MAX: u64 = 64 << 20;

const DIGEST_BYTES: usize = 32;
const HEAD_BYTES: usize = MARK.len() + 1 + DIGEST_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key([7; 32]);

    fn written(result: Option<&[u8]>) -> Vec<u8> {
        let mut file = Vec::new();
        Entry::write(&mut file, result, &KEY).unwrap();
        file
    }

    fn check(file: &[u8], expected: Option<Entry>) {
        let read = Entry::read(&mut &file[..], file.len() as u64, &KEY).unwrap();
        assert_eq!(read, expected, "{file:?}");
    }

    #[test]
    fn reads_what_it_wrote() {
        check(&written(None), Some(Entry::NotWorthIt));
        check(&written(Some(b"")), Some(Entry::Result(Vec::new())));
        check(&written(Some(b"ab")), Some(Entry::Result(b"ab".to_vec())));
    }

    #[test]
    fn refuses_what_is_torn_or_damaged() {
        for whole in [written(None), written(Some(b"result"))] {
            for length in 0..whole.len() {
                check(&whole[..length], None);
            }
            for index in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[index] ^= 4;
                check(&damaged, None);
            }
            check(&[whole.as_slice(), b"x"].concat(), None);
        }
    }

    /// Two processes of one number, in containers with a cache in common, wrote to one temporary
    /// file: what one had written was put under the other's key.
    #[test]
    fn refuses_what_belongs_to_another_key() {
        let file = written(Some(b"result"));
        let read = Entry::read(&mut &file[..], file.len() as u64, &Key([8; 32])).unwrap();
        assert_eq!(read, None);
    }
}
