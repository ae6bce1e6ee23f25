//! Proves that a variant is its original: decodes it completely, in bounded memory, and compares.

use std::io::{self, BufRead, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::problem::Refusal;
use super::read::{Buffer, hash};
use crate::http::Coding;

/// Whether `encoded`, to its last byte, is the original of that length and SHA-256 in `coding`.
///
/// Never decodes more than `length` bytes and one buffer, however much is announced. Equal
/// digests stand for equal bytes: the original need not be read a second time.
pub(super) fn prove(
    coding: Coding,
    mut encoded: impl BufRead,
    length: u64,
    sha256: &[u8; 32],
    buffer: &mut Buffer,
) -> Result<(), Refusal> {
    let decoded = match coding {
        Coding::Identity => hash(&mut encoded, length, buffer),
        Coding::Gzip => decode_gzip(encoded, length, buffer),
        Coding::Brotli => decode_brotli(encoded, length, buffer),
        Coding::Zstd => decode_zstd(encoded, length, buffer),
    };
    match decoded {
        Ok(digest) if digest == *sha256 => Ok(()),
        Ok(_) => Err(Refusal::Different),
        Err(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::FileTooLarge => Err(Refusal::Different),
            _ => Err(Refusal::Undecodable(error)),
        },
    }
}

fn decode_gzip(encoded: impl BufRead, length: u64, buffer: &mut Buffer) -> io::Result<[u8; 32]> {
    hash_decoded(&mut MultiGzDecoder::new(encoded), length, buffer)
}

fn decode_brotli(encoded: impl BufRead, length: u64, buffer: &mut Buffer) -> io::Result<[u8; 32]> {
    let mut decoder = Decompressor::new(encoded, INPUT_BUFFER_BYTES);
    // Windows over 16 MiB are not RFC 7932; no browser takes them.
    decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
    let digest = hash_decoded(&mut decoder, length, buffer)?;
    // The decoder notices bytes behind the stream in its own buffer when it is asked once more,
    // those behind the buffer not at all.
    let behind = decoder.read(&mut [0])? + decoder.get_mut().read(&mut [0])?;
    if behind > 0 {
        return Err(invalid("there are bytes behind its end"));
    }
    Ok(digest)
}

fn decode_zstd(
    mut encoded: impl BufRead,
    length: u64,
    buffer: &mut Buffer,
) -> io::Result<[u8; 32]> {
    if encoded.fill_buf()?.is_empty() {
        return Err(invalid("it is empty"));
    }
    let mut decoder = Decoder::with_buffer(encoded)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    hash_decoded(&mut decoder, length, buffer)
}

fn hash_decoded(decoder: &mut impl Read, length: u64, buffer: &mut Buffer) -> io::Result<[u8; 32]> {
    hash(&mut Decoding { decoder }, length, buffer)
}

/// Tells encoded bytes that end early from decoded ones that end before their original:
/// [`hash`] has only one error for both.
struct Decoding<'a, R> {
    decoder: &'a mut R,
}

impl<R: Read> Read for Decoding<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder
            .read(buffer)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => invalid("it is cut off"),
                _ => error,
            })
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// RFC 9659 §3: no more than 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

const INPUT_BUFFER_BYTES: usize = 16 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use sha2::{Digest, Sha256};

    use super::*;

    #[track_caller]
    fn check(coding: Coding, encoded: &[u8], original: &[u8], expected: Result<(), &str>) {
        let sha256 = Sha256::digest(original).into();
        let found = prove(
            coding,
            encoded,
            original.len() as u64,
            &sha256,
            &mut Buffer::new(),
        );
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(refusal), Err(part)) => {
                assert!(refusal.to_string().contains(part), "{refusal}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    pub(in super::super) fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    pub(in super::super) fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 19).unwrap()
    }

    /// A thousand times `a`, in Brotli.
    pub(in super::super) const BROTLI_A1000: &[u8] =
        b"\x1b\xe7\x03\xf8\x25\xc2\xa2\xb1\x40\x20\x34";

    #[test]
    fn accepts_exactly_the_original() {
        let text = [b'a'; 1000];
        let codings = [
            (Coding::Gzip, gzip(&text)),
            (Coding::Zstd, zstd(&text)),
            (Coding::Brotli, BROTLI_A1000.to_vec()),
        ];
        for (coding, encoded) in codings {
            check(coding, &encoded, &text, Ok(()));
            check(coding, &encoded, &[b'b'; 1000], Err("other content"));
            check(coding, &encoded, &[b'a'; 999], Err("other content"));
            check(coding, &encoded, &[b'a'; 1001], Err("other content"));
            check(coding, &encoded, b"", Err("other content"));
            check(
                coding,
                &encoded[..encoded.len() - 1],
                &text,
                Err("not decode"),
            );
            check(
                coding,
                &[&encoded, &b"x"[..]].concat(),
                &text,
                Err("not decode"),
            );
            check(coding, b"", &text, Err("not decode"));
            check(coding, b"", b"", Err("not decode"));
            check(coding, b"plain text", b"plain text", Err("not decode"));
        }
    }

    #[test]
    fn decodes_several_members() {
        let members = [gzip(b"one"), gzip(b"two")].concat();
        check(Coding::Gzip, &members, b"onetwo", Ok(()));
        let frames = [zstd(b"one"), zstd(b"two")].concat();
        check(Coding::Zstd, &frames, b"onetwo", Ok(()));
    }

    #[test]
    fn finds_bytes_far_behind_a_brotli_stream() {
        let mut encoded = BROTLI_A1000.to_vec();
        encoded.resize(INPUT_BUFFER_BYTES, 0);
        check(Coding::Brotli, &encoded, &[b'a'; 1000], Err("not decode"));
        // The stream and nothing else in the buffer, then more.
        let split = BROTLI_A1000.chain(&b"x"[..]);
        let sha256 = Sha256::digest([b'a'; 1000]).into();
        let found = prove(Coding::Brotli, split, 1000, &sha256, &mut Buffer::new());
        assert!(matches!(found, Err(Refusal::Undecodable(_))));
    }

    #[test]
    fn refuses_windows_that_browsers_refuse() {
        let text = [b'a'; 100];
        let encode = |window_log| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window_log).unwrap();
            encoder.include_contentsize(false).unwrap();
            encoder.write_all(&text).unwrap();
            encoder.flush().unwrap();
            encoder.finish().unwrap()
        };
        check(Coding::Zstd, &encode(ZSTD_WINDOW_LOG_MAX), &text, Ok(()));
        check(
            Coding::Zstd,
            &encode(ZSTD_WINDOW_LOG_MAX + 1),
            &text,
            Err("not decode"),
        );
        // The large window form of the Brotli tool: 0x11, the window's logarithm 24, the end.
        check(Coding::Brotli, b"\x11\xd8", b"", Err("not decode"));
    }

    /// Release builds check overflows, also those of the decoders: a broken file must not end
    /// the process.
    #[test]
    fn survives_broken_files() {
        let text: Vec<u8> = (0..3000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let codings = [
            (Coding::Gzip, gzip(&text), &text[..]),
            (Coding::Zstd, zstd(&text), &text[..]),
            (Coding::Brotli, BROTLI_A1000.to_vec(), &[b'a'; 1000][..]),
        ];
        let mut state = 1_u64;
        let mut random = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % limit
        };
        let mut buffer = Buffer::new();
        for (coding, valid, original) in codings {
            let sha256 = Sha256::digest(original).into();
            let length = original.len() as u64;
            for _ in 0..300 {
                let mut encoded = valid.clone();
                for _ in 0..=random(4) {
                    let index = random(encoded.len().min(64));
                    encoded[index] = u8::try_from(random(256)).unwrap();
                }
                // Few bytes of a header may be anything, but what is accepted is the original.
                let _ = prove(coding, &encoded[..], length, &sha256, &mut buffer);
            }
        }
    }
}
