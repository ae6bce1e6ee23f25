//! Contents in Zstandard, whole or as a stream, within the window that browsers accept.

use std::io::{self, Write};

use zstd::bulk::Compressor;
use zstd::stream::write::Encoder;
use zstd::zstd_safe::CParameter;

use super::Level;

/// What decides about the result beside the content.
pub(super) fn settings(level: Level) -> String {
    let version = zstd::zstd_safe::version_string();
    format!(
        "zstd {}, window {WINDOW_BITS}, zstd {version}",
        level_number(level)
    )
}

pub(super) fn compress(content: &[u8], level: Level) -> io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(level_number(level))?;
    // For a shorter content the library takes a smaller window by itself.
    compressor.set_parameter(CParameter::WindowLog(WINDOW_BITS))?;
    compressor.compress(content)
}

/// Compresses what is written and writes it on.
pub(super) fn stream<W: Write>(level: Level, writer: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(writer, level_number(level))?;
    encoder.set_parameter(CParameter::WindowLog(WINDOW_BITS))?;
    if level != Level::Max {
        // The best search for such a window would have tables of 80 MiB.
        encoder.set_parameter(CParameter::ChainLog(TABLE_BITS))?;
        encoder.set_parameter(CParameter::HashLog(TABLE_BITS))?;
    }
    Ok(encoder)
}

const fn level_number(level: Level) -> i32 {
    match level {
        Level::Fast => 6,
        Level::Default => 19,
        Level::Max => 22,
    }
}

/// Clients need not accept more than 8 MiB (RFC 9659 §3).
const WINDOW_BITS: u32 = 23;

/// Entries of the tables of a stream, of four bytes each.
const TABLE_BITS: u32 = 21;
