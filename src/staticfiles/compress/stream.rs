//! One reading of a long content into all its encodings at once, in bounded memory.

use std::io::{self, Read, Write};

use flate2::write::GzEncoder;

use super::{Coding, Level, brotli, gzip, is_worth_it, zstd};

/// Reads `content` to its end; returns what is worth keeping.
pub(super) fn compress<W: Write>(
    codings: &[Coding],
    level: Level,
    content: &mut dyn Read,
    create: &mut dyn FnMut(Coding) -> io::Result<W>,
) -> io::Result<Vec<(Coding, u64)>> {
    let mut sinks = Vec::with_capacity(codings.len());
    for coding in codings {
        let counted = Counted {
            writer: create(*coding)?,
            bytes: 0,
        };
        sinks.push((*coding, Sink::new(*coding, level, counted)?));
    }
    let bytes = feed(content, &mut sinks)?;
    let mut lengths = Vec::with_capacity(sinks.len());
    for (coding, sink) in sinks {
        lengths.push((coding, sink.finish()?));
    }
    Ok(select(lengths, bytes))
}

fn feed<W: Write>(content: &mut dyn Read, sinks: &mut [(Coding, Sink<W>)]) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let count = match content.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for (_, sink) in &mut *sinks {
            sink.write_all(&chunk[..count])?;
        }
        bytes += count as u64;
    }
}

/// The same choice as for a content in memory: nothing without brotli, where it is asked for.
fn select(lengths: Vec<(Coding, u64)>, bytes: u64) -> Vec<(Coding, u64)> {
    let is_kept = |(_, compressed): &(Coding, u64)| is_worth_it(*compressed, bytes);
    match lengths.first() {
        Some(first) if first.0 == Coding::Brotli && !is_kept(first) => Vec::new(),
        _ => lengths.into_iter().filter(is_kept).collect(),
    }
}

enum Sink<W: Write> {
    Brotli(brotli::Stream<Counted<W>>),
    Gzip(GzEncoder<Counted<W>>),
    Zstd(::zstd::stream::write::Encoder<'static, Counted<W>>),
    Identity(Counted<W>),
}

impl<W: Write> Sink<W> {
    fn new(coding: Coding, level: Level, writer: Counted<W>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Brotli => Self::Brotli(brotli::Stream::new(level, writer)?),
            Coding::Gzip => Self::Gzip(gzip::stream(level, writer)),
            Coding::Zstd => Self::Zstd(zstd::stream(level, writer)?),
            Coding::Identity => Self::Identity(writer),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Identity(writer) => writer.write_all(bytes),
        }
    }

    /// Ends the encoding; returns its length.
    fn finish(self) -> io::Result<u64> {
        let mut counted = match self {
            Self::Brotli(encoder) => encoder.finish()?,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Identity(writer) => writer,
        };
        counted.flush()?;
        Ok(counted.bytes)
    }
}

/// Counts what is written.
struct Counted<W> {
    writer: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

const CHUNK_BYTES: usize = 256 << 10;
