//! Bytes that were received by somebody else and are read before those of the stream.

use tokio::io::ReadBuf;

/// What was received and not read yet.
#[derive(Debug, Default)]
pub(super) struct Rewound {
    bytes: Vec<u8>,
    start: usize,
}

impl Rewound {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }

    /// Puts `bytes`, which were read, before what is left.
    pub(super) fn put_before(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.bytes());
        *self = Self::new(bytes);
    }

    /// What is left.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Moves what fits into `buffer`; false if nothing is left.
    pub(super) fn read(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.start == self.bytes.len() {
            return false;
        }
        let count = buffer.remaining().min(self.bytes.len() - self.start);
        buffer.put_slice(&self.bytes[self.start..self.start + count]);
        self.start += count;
        if self.start == self.bytes.len() {
            *self = Self::default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_byte_once_and_in_order() {
        let mut rewound = Rewound::new(b"abcde".to_vec());
        let mut room = [0; 2];
        let mut read = Vec::new();
        loop {
            let mut buffer = ReadBuf::new(&mut room);
            if !rewound.read(&mut buffer) {
                break;
            }
            read.extend_from_slice(buffer.filled());
        }
        assert_eq!(read, b"abcde");
        assert!(rewound.bytes().is_empty());
        assert!(!Rewound::default().read(&mut ReadBuf::new(&mut room)));
    }

    #[test]
    fn what_was_read_comes_again_before_the_rest() {
        let mut rewound = Rewound::new(b"abc".to_vec());
        rewound.read(&mut ReadBuf::new(&mut [0; 2]));
        rewound.put_before(b"ab".to_vec());
        assert_eq!(rewound.bytes(), b"abc");
    }
}
