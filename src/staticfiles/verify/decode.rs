//! What compressed files decode to, as far as browsers would take them.

use std::io::{self, BufRead, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use crate::http::Coding;

/// Reads what `encoded` decodes to.
pub(super) fn decoder<'a>(
    coding: Coding,
    encoded: impl BufRead + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match coding {
        Coding::Identity => Box::new(encoded),
        Coding::Gzip => Box::new(MultiGzDecoder::new(encoded)),
        Coding::Brotli => {
            let mut decoder = Decompressor::new(encoded, INPUT_BUFFER_BYTES);
            // Windows over 16 MiB are not RFC 7932.
            let parameter = BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
            decoder.set_parameter(parameter, 0);
            Box::new(decoder)
        }
        Coding::Zstd => {
            let mut decoder = Decoder::with_buffer(encoded)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}

/// RFC 9659 §3: no more than 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

const INPUT_BUFFER_BYTES: usize = 16 * 1024;
