//! Directories to serve: files with contents that tests know byte for byte, and their variants.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// A directory that is deleted with its test.
pub(crate) struct Site {
    directory: TempDir,
}

impl Site {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    /// A small site with something of everything: see the constants and functions below.
    pub(crate) fn small() -> Self {
        let site = Self::empty();
        site.file("index.html", INDEX);
        site.file("guide/index.html", GUIDE);
        site.file("guide/page.html", "<!doctype html><title>Page</title>");
        site.file("css/site.css", css());
        site.file("css/site.css.br", CSS_BROTLI);
        site.file("css/site.css.zst", zstd(css().as_bytes()));
        site.file("css/site.css.gz", gzip(css().as_bytes()));
        site.file("digits.txt", DIGITS);
        site.file("empty.txt", "");
        site.file("a b.txt", "space");
        site.file("é.txt", "letter");
        site.file(".secret", "hidden");
        site.file(
            ".well-known/security.txt",
            "Contact: mailto:nobody@example.org",
        );
        site
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The path of one of its files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file, last modified an hour ago.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        self.file_at(name, content, hour_ago());
    }

    /// Writes a file with a time of modification.
    pub(crate) fn file_at(&self, name: &str, content: impl AsRef<[u8]>, modified: SystemTime) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(path).unwrap();
        file.write_all(content.as_ref()).unwrap();
        file.set_modified(modified).unwrap();
    }

    /// Puts another file in the place of `name` by rename.
    pub(crate) fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let fresh = self.path(".fresh");
        fs::write(&fresh, content).unwrap();
        fs::rename(fresh, self.path(name)).unwrap();
    }

    /// Makes a symbolic link `name` to `target`.
    pub(crate) fn link(&self, name: &str, target: impl AsRef<Path>) {
        symlink(target, self.path(name)).unwrap();
    }
}

/// Bytes in which every stretch differs from every other and from those of other seeds.
pub(crate) fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

/// A style sheet long enough to be worth compressing.
pub(crate) fn css() -> String {
    ".card { color: navy }\n".repeat(100)
}

/// `content` as a gzip file.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// `content` as a zstd file.
pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 19).unwrap()
}

/// A time far enough away that a modification time is a strong validator.
pub(crate) fn hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

/// `/`, `/index.html` of [`Site::small`].
pub(crate) const INDEX: &str = "<!doctype html><title>Index</title>";

/// `/guide/` of [`Site::small`].
pub(crate) const GUIDE: &str = "<!doctype html><title>Guide</title>";

/// `/digits.txt` of [`Site::small`]: 1000 bytes, each four of them their own position.
pub(crate) const DIGITS: [u8; 1000] = digits();

/// [`css`] as Brotli; this package can decode that, but not make it.
pub(crate) const CSS_BROTLI: &[u8] = &[
    0x1b, 0x97, 0x08, 0xf8, 0x1d, 0x09, 0x76, 0x8c, 0x8e, 0xd9, 0xa1, 0xed, 0x80, 0xb1, 0x56, 0x70,
    0x19, 0x93, 0x93, 0x61, 0x7b, 0x7d, 0x09, 0xa2, 0x43, 0x96, 0x8a, 0xec, 0x72, 0x59, 0x96, 0x60,
    0x85, 0x3b, 0x31, 0x2f, 0xe9, 0xd5, 0x3c, 0x00, 0x00, 0x03,
];

const fn digits() -> [u8; 1000] {
    let mut bytes = [b'0'; 1000];
    let mut at = 0;
    while at < 1000 {
        bytes[at] = b'0' + (at / 1000 % 10) as u8;
        bytes[at + 1] = b'0' + (at / 100 % 10) as u8;
        bytes[at + 2] = b'0' + (at / 10 % 10) as u8;
        bytes[at + 3] = b'0' + (at % 10) as u8;
        at += 4;
    }
    bytes
}
