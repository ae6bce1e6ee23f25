//! Contents in Brotli, whole or as a stream.

use std::io::{self, Write};

use super::Level;
use crate::sys::brotli::{Encoder, Operation, Settings, version};

/// What decides about the result beside the content.
pub(super) fn settings(level: Level) -> String {
    format!("{:?} brotli {}", candidates(level), version())
}

/// The smallest result that the level has.
pub(super) fn compress(content: &[u8], level: Level) -> io::Result<Vec<u8>> {
    let mut best = None;
    for settings in candidates(level) {
        let stream = Stream::with(*settings, Some(content.len() as u64), Vec::new())?;
        let compressed = stream.finish_with(content)?;
        if best
            .as_ref()
            .is_none_or(|best: &Vec<u8>| compressed.len() < best.len())
        {
            best = Some(compressed);
        }
    }
    Ok(best.expect("invariant: every level has at least one candidate"))
}

/// Compresses what is written and writes it on.
pub(super) struct Stream<W> {
    encoder: Encoder,
    output: Box<[u8]>,
    writer: W,
}

impl<W: Write> Stream<W> {
    pub(super) fn new(level: Level, writer: W) -> io::Result<Self> {
        Self::with(candidates(level)[0], None, writer)
    }

    fn with(settings: Settings, bytes: Option<u64>, writer: W) -> io::Result<Self> {
        Ok(Self {
            encoder: Encoder::new(settings, bytes)?,
            output: vec![0; OUTPUT_BYTES].into_boxed_slice(),
            writer,
        })
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.finish_with(&[])
    }

    /// Ends with the last of the content. An encoder that has all of a small content at once takes
    /// small tables.
    fn finish_with(mut self, mut rest: &[u8]) -> io::Result<W> {
        while !self.encoder.is_finished() {
            self.push(&mut rest, Operation::Finish)?;
        }
        Ok(self.writer)
    }

    fn push(&mut self, input: &mut &[u8], operation: Operation) -> io::Result<()> {
        let count = self.encoder.push(input, &mut self.output, operation)?;
        self.writer.write_all(&self.output[..count])
    }
}

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut input = bytes;
        while !input.is_empty() {
            self.push(&mut input, Operation::Process)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The settings of a level; of several the smallest result is taken.
///
/// The default is what WhiteNoise takes, so that the results are the same, byte for byte. Other
/// blocks than the library's own come to less for some contents and to more for others.
const fn candidates(level: Level) -> &'static [Settings] {
    const fn of(quality: u32, window_bits: u32, block_bits: u32) -> Settings {
        Settings {
            quality,
            window_bits,
            block_bits,
        }
    }
    match level {
        Level::Fast => const { &[of(5, 22, 0)] },
        Level::Default => const { &[of(11, 22, 0)] },
        // 24 is the widest window that clients have to accept (RFC 7932 §9.1).
        Level::Max => const { &[of(11, 24, 0), of(11, 24, 16), of(11, 24, 20)] },
    }
}

const OUTPUT_BYTES: usize = 64 << 10;
