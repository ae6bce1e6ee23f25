//! Two releases of a small site, loaded once: the snapshots, and what is in them as a plain table.

use std::fs::{self, File};
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;
use whitering::internal::assets::{self, Entry, Options, SourceDirectory};
use whitering::internal::connection::Published;
use whitering::internal::http::media_type::MediaTypes;

use crate::prng::Prng;

pub(crate) struct Site {
    pub(crate) published: Published,
    pages: Vec<Page>,
    directory: TempDir,
}

/// What a path names.
pub(crate) struct Page {
    path: &'static str,
    /// Identity first.
    pub(crate) representations: Vec<Representation>,
}

pub(crate) struct Representation {
    pub(crate) coding: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) etag: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is sent from its file.
    pub(crate) on_disk: bool,
}

impl Site {
    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let loaded = assets::load(&options(&directory)).unwrap();
        Self {
            published: Arc::new(loaded.snapshot),
            pages: Vec::new(),
            directory,
        }
    }

    pub(crate) fn page(&self, path: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path)
    }

    /// The bytes of a file that is sent as it is.
    pub(crate) fn file(&self, name: &str) -> &[u8] {
        let page = self.page(&format!("/{name}")).unwrap();
        &page.representations[0].bytes
    }

    /// Whether `path` of the file system is in it.
    pub(crate) fn holds(&self, path: &std::path::Path) -> bool {
        path.starts_with(self.directory.path())
    }
}

/// The releases, the older first. They have the same names and other bytes.
pub(crate) fn sites() -> &'static [Site; 2] {
    static SITES: OnceLock<[Site; 2]> = OnceLock::new();
    SITES.get_or_init(|| [make(0), make(1)])
}

fn make(release: usize) -> Site {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let mut file = File::create(directory.path().join(name)).unwrap();
        file.write_all(bytes).unwrap();
        // The same in every run.
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
            .unwrap();
    };
    for (path, file, length, is_text) in FILES {
        let bytes = content(
            path,
            length + if length > 0 { release * 7 } else { 0 },
            is_text,
            release,
        );
        write(file, &bytes);
        if is_text {
            write(&format!("{file}.gz"), &gzip(&bytes));
            write(&format!("{file}.zst"), &zstandard(&bytes));
        }
    }
    let loaded = assets::load(&options(&directory)).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let published = Arc::new(loaded.snapshot);
    let page = |(path, file, _, is_text): (&'static str, &str, usize, bool)| {
        let read =
            |suffix: &str| fs::read(directory.path().join(format!("{file}{suffix}"))).unwrap();
        let mut representations = vec![representation(&published, path, "identity", read(""))];
        if is_text {
            representations.push(representation(&published, path, "gzip", read(".gz")));
            representations.push(representation(&published, path, "zstd", read(".zst")));
        }
        Page {
            path,
            representations,
        }
    };
    let pages = FILES.map(page).into();
    Site {
        published,
        pages,
        directory,
    }
}

fn representation(
    published: &Published,
    path: &str,
    coding: &'static str,
    bytes: Vec<u8>,
) -> Representation {
    let Some(Entry::Asset(index)) = published.find(path.as_bytes()) else {
        panic!("{path} is not loaded")
    };
    let variants = &published.asset(*index).variants;
    let variant = variants
        .iter()
        .find(|variant| variant.coding.token() == coding)
        .unwrap();
    Representation {
        coding,
        media_type: media_type(path),
        etag: String::from_utf8(variant.heads.etag().to_vec()).unwrap(),
        on_disk: bytes.len() as u64 > MEMORY_BYTES_MAX,
        bytes,
    }
}

fn options(directory: &TempDir) -> Options {
    Options {
        sources: vec![SourceDirectory {
            prefix: "/".to_owned(),
            directory: directory.path().to_owned(),
        }],
        memory_budget_bytes: u64::MAX,
        file_memory_bytes_max: MEMORY_BYTES_MAX,
        max_age_seconds: Some(60),
        cors: true,
        media_types: MediaTypes::new("utf-8", &[]),
        header_rules: Vec::new(),
        index_file: Some("index.html".to_owned()),
        immutable: None,
        not_found: None,
        packed: Vec::new(),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("bin") => "application/octet-stream",
        _ => "text/html; charset=utf-8",
    }
}

/// Bytes of which every few say where they are from.
fn content(path: &str, length: usize, is_text: bool, release: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut prng = Prng::new(path.len() as u64 * 1_000 + release as u64);
    for line in 0_u64.. {
        if bytes.len() >= length {
            break;
        } else if is_text {
            writeln!(bytes, "{path} of release {release}, line {line}").unwrap();
        } else {
            bytes.extend(prng.next().to_le_bytes());
        }
    }
    bytes.truncate(length);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// URL path, file, length in bytes, and whether it is text with compressed variants.
const FILES: [(&str, &str, usize, bool); 9] = [
    ("/", "index.html", 300, false),
    ("/d/", "d/index.html", 900, false),
    ("/a.css", "a.css", 3_000, true),
    ("/empty.txt", "empty.txt", 0, false),
    // Copied behind its head, but only one fits.
    ("/small.bin", "small.bin", 16_000, false),
    // Sent from memory.
    ("/medium.bin", "medium.bin", 40_000, false),
    // Sent from its file, or from memory if compressed.
    ("/large.txt", "large.txt", 70_000, true),
    ("/large.bin", "large.bin", 100_000, false),
    // More than one turn of the ring engine.
    ("/huge.bin", "huge.bin", 1_200_000, false),
];

/// Larger bodies are on disk.
const MEMORY_BYTES_MAX: u64 = 60_000;
