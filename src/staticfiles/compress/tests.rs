//! Every level and coding gives back its content; the rules about what is worth it are
//! WhiteNoise's.

use super::super::DEFAULT_SKIP_EXTENSIONS;
use super::super::cache::Cache;
use super::*;
use crate::staticfiles::CacheOptions;

const ALL: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Zstd];
const LEVELS: [Level; 3] = [Level::Fast, Level::Default, Level::Max];

fn compressor(codings: &[Coding], level: Level) -> Compressor {
    let skip_extensions = DEFAULT_SKIP_EXTENSIONS.map(str::to_owned).to_vec();
    Compressor::new(&Compression {
        codings: codings.to_vec(),
        level,
        skip_extensions,
    })
}

fn decode(encoded: &Encoded) -> Vec<u8> {
    let mut input = encoded.bytes.as_slice();
    let mut plain = Vec::new();
    match encoded.coding {
        Coding::Brotli => brotli_decompressor::BrotliDecompress(&mut input, &mut plain).unwrap(),
        Coding::Gzip => {
            flate2::read::GzDecoder::new(input)
                .read_to_end(&mut plain)
                .unwrap();
        }
        Coding::Zstd => {
            let mut decoder = ::zstd::stream::read::Decoder::new(input).unwrap();
            decoder.window_log_max(23).unwrap();
            decoder.read_to_end(&mut plain).unwrap();
        }
        Coding::Identity => plain.extend_from_slice(input),
    }
    plain
}

/// Text that repeats itself, but not at once.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 100);
    let mut number = 1_u64;
    while text.len() < bytes {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let line = format!(
            ".class-{} {{ color: #{:06x} }}\n",
            number >> 57,
            number >> 40
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(bytes);
    text
}

/// What nothing compresses.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

#[test]
fn every_level_gives_the_content_back() {
    for level in LEVELS {
        for bytes in [40, 1000, 100_000] {
            let content = text(bytes);
            let encoded = compressor(&ALL, level).compress(&content).unwrap();
            assert!(!encoded.is_empty() || bytes < 100, "{level:?} {bytes}");
            for encoded in encoded {
                assert!(
                    decode(&encoded) == content,
                    "{level:?} {bytes} {:?}",
                    encoded.coding
                );
            }
        }
    }
}

#[test]
fn higher_levels_are_never_larger() {
    let content = text(60_000);
    for coding in ALL {
        let lengths = LEVELS.map(|level| {
            compressor(&[coding], level).compress(&content).unwrap()[0]
                .bytes
                .len()
        });
        assert!(
            lengths[0] >= lengths[1] && lengths[1] >= lengths[2],
            "{coding:?} {lengths:?}"
        );
    }
}

#[test]
fn tries_nothing_else_where_brotli_is_not_worth_it() {
    let check = |content: &[u8], codings: &[Coding], expected: &[Coding]| {
        let encoded = compressor(codings, Level::Fast).compress(content).unwrap();
        let found: Vec<_> = encoded.iter().map(|encoded| encoded.coding).collect();
        assert_eq!(found, expected, "{} bytes, {codings:?}", content.len());
    };
    let (text, noise) = (text(2000), noise(2000));
    check(&text, &ALL, &ALL);
    check(
        &text,
        &[Coding::Zstd, Coding::Gzip],
        &[Coding::Gzip, Coding::Zstd],
    );
    check(
        &text,
        &[Coding::Gzip, Coding::Brotli],
        &[Coding::Brotli, Coding::Gzip],
    );
    check(&text, &[], &[]);
    check(&text, &[Coding::Identity], &[]);
    check(&noise, &ALL, &[]);
    check(b"", &ALL, &[]);
    check(b"", &[Coding::Gzip], &[]);
    check(b"a", &ALL, &[]);
}

#[test]
fn brotli_hides_a_gzip_that_would_be_worth_it() {
    let check = |results: &[(Coding, bool)], expected: &[Coding]| {
        let codings: Vec<_> = results.iter().map(|(coding, _)| *coding).collect();
        let selected = compressor(&codings, Level::Fast).select(|coding| {
            let result = results.iter().find(|(other, _)| *other == coding).unwrap();
            Ok(result.1.then_some(coding))
        });
        assert_eq!(selected.unwrap(), expected, "{results:?}");
    };
    check(&[(Coding::Brotli, false), (Coding::Gzip, true)], &[]);
    check(&[(Coding::Gzip, true)], &[Coding::Gzip]);
    check(
        &[(Coding::Gzip, false), (Coding::Zstd, true)],
        &[Coding::Zstd],
    );
}

#[test]
fn the_limit_is_whitenoises() {
    let check = |compressed, bytes, expected| {
        assert_eq!(
            is_worth_it(compressed, bytes),
            expected,
            "{compressed} of {bytes}"
        );
    };
    check(95, 100, true);
    check(96, 100, false);
    check(19, 20, true);
    check(950_000_001, 1_000_000_000, false);
    check(0, 0, false);
    check(0, 1, true);
}

#[test]
fn skips_by_the_end_of_the_name() {
    let check = |name: &[u8], expected| {
        let accepts = compressor(&[], Level::Fast).accepts(name);
        assert_eq!(accepts, expected, "{}", name.escape_ascii());
    };
    check(b"a/b.css", true);
    check(b"a/b.png", false);
    check(b"a/b.PnG", false);
    check(b"a/.gz", false);
    check(b".gz", false);
    check(b"gz", true);
    check(b"a/bgz", true);
    check(b"a.gz/b", true);
    check(b"a.gz.txt", true);
    check(b"a.gz\n", false);
    check(b"\xff.woff2", false);
    check(b"", true);
}

#[test]
fn an_empty_list_skips_nothing() {
    let compression = Compression {
        skip_extensions: Vec::new(),
        ..Compression::default()
    };
    assert!(Compressor::new(&compression).accepts(b"a.gz"));
    let skip_extensions = vec!["min.js".to_owned(), "(a|b)".to_owned()];
    let compressor = Compressor::new(&Compression {
        skip_extensions,
        ..Compression::default()
    });
    assert!(!compressor.accepts(b"a.min.js"));
    assert!(!compressor.accepts(b"a.(A|B)"));
    assert!(compressor.accepts(b"a.a"));
    assert!(compressor.accepts(b"a.js"));
}

#[test]
fn settings_differ_by_level_and_coding() {
    let settings = |level, coding| compressor(&ALL, level).settings(coding);
    let mut seen: Vec<_> = LEVELS
        .into_iter()
        .flat_map(|level| ALL.map(|coding| settings(level, coding)))
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn streams_what_it_reads() {
    let root = tempfile::tempdir().unwrap();
    let content = text(3_000_000);
    let mut files = std::collections::BTreeMap::new();
    for coding in ALL {
        let path = root.path().join(coding.token());
        let mut create = |_| std::fs::File::create(&path);
        let compressor = compressor(&[coding], Level::Fast);
        let kept = compressor
            .compress_stream(&mut &content[..], &mut create)
            .unwrap();
        let file = std::fs::read(&path).unwrap();
        assert_eq!(kept, [(coding, file.len() as u64)]);
        assert!(
            decode(&Encoded {
                coding,
                bytes: file.clone()
            }) == content,
            "{coding:?}"
        );
        files.insert(coding.token(), file);
    }
    let mut created = Vec::new();
    let mut create = |coding| {
        created.push(coding);
        Ok(io::sink())
    };
    let all = compressor(&ALL, Level::Fast);
    let kept = all.compress_stream(&mut &content[..], &mut create).unwrap();
    for (coding, bytes) in &kept {
        assert_eq!(*bytes, files[coding.token()].len() as u64, "{coding:?}");
    }
    assert_eq!(created, ALL);
    for (content, codings) in [
        (noise(300_000), ALL.as_slice()),
        (Vec::new(), &[Coding::Gzip]),
    ] {
        let compressor = compressor(codings, Level::Fast);
        let mut create = |_| Ok(io::sink());
        let kept = compressor
            .compress_stream(&mut &content[..], &mut create)
            .unwrap();
        assert_eq!(kept, [], "{} bytes", content.len());
    }
}

#[test]
fn a_failed_write_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let content = text(2_000_000);
    for coding in ALL {
        let compressor = compressor(&[coding], Level::Fast);
        let result = compressor.compress_stream(&mut &content[..], &mut |_| Ok(Full));
        assert_eq!(
            result.unwrap_err().kind(),
            io::ErrorKind::StorageFull,
            "{coding:?}"
        );
    }
}

#[test]
fn the_cache_gives_the_same() {
    let root = tempfile::tempdir().unwrap();
    let options = CacheOptions::in_directory(root.path());
    let compressor = compressor(&ALL, Level::Fast);
    let plain = Encoder {
        compressor: compressor.clone(),
        cache: None,
    };
    let cached = Encoder {
        compressor,
        cache: Some(Cache::open(&options).unwrap()),
    };
    for (number, content) in [text(5000), noise(5000), Vec::new()].iter().enumerate() {
        let sha256 = [number as u8; 32];
        let expected = plain.encodings(content, &sha256).unwrap();
        assert_eq!(expected.hits, []);
        assert_eq!(cached.encodings(content, &sha256).unwrap(), expected);
        // The content is not looked at again: another one proves it.
        let again = cached.encodings(b"other", &sha256).unwrap();
        assert_eq!(again.encoded, expected.encoded);
        assert_eq!(
            again.hits,
            expected
                .encoded
                .iter()
                .map(|one| one.coding)
                .collect::<Vec<_>>()
        );
    }
}
