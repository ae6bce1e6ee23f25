//! Sites made of seeded content: fixed sizes, very many small files, and large files for a cold
//! page cache. None has compressed variants.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Seeded, SiteError, allow_all_to_read, at, create_directory};

/// Files that [`write_many`] makes at most: each takes a block and an inode.
pub(super) const FILE_COUNT_MAX: usize = 200_000;

// A change of what is written changes its stamp, so that nobody measures an old site.
pub(super) const SIZES_STAMP: &str = "sizes 1";
pub(super) const MANY_STAMP: &str = "many 1";
pub(super) const COLD_STAMP: &str = "cold 1";
pub(super) const APPLICATION_STAMP: &str = "application 1";

const SIZES: [(&str, usize); 5] = [
    ("1k.bin", 1 << 10),
    ("10k.bin", 10 << 10),
    ("100k.bin", 100 << 10),
    ("1m.bin", 1 << 20),
    ("10m.bin", 10 << 20),
];

const ANSWER: (&str, usize) = ("answer.bin", 200);
const COLD_FILE_COUNT: usize = 50;
const COLD_FILE_BYTES: usize = 20 << 20;
const DIRECTORY_FILE_COUNT: usize = 1000;
const MANY_BYTES: std::ops::Range<usize> = 64..1024;
const MANY_TARGET_COUNT: usize = 4096;
const WRITE_BYTES: usize = 1 << 20;

pub(super) fn write_sizes(root: &Path) -> Result<(), SiteError> {
    for (seed, (name, bytes)) in (0..).zip(SIZES) {
        write_file(&root.join(name), bytes, &mut Seeded::new(seed))?;
    }
    Ok(())
}

pub(super) fn sizes_targets() -> Vec<String> {
    SIZES.iter().map(|(name, _)| format!("/{name}")).collect()
}

pub(super) fn write_application(root: &Path) -> Result<(), SiteError> {
    let (name, bytes) = ANSWER;
    write_file(&root.join(name), bytes, &mut Seeded::new(bytes as u64))
}

pub(super) fn application_target() -> String {
    format!("/{}", ANSWER.0)
}

pub(super) fn write_many(root: &Path, count: usize) -> Result<(), SiteError> {
    let mut seeded = Seeded::new(count as u64);
    for index in 0..count {
        if index % DIRECTORY_FILE_COUNT == 0 {
            create_directory(&root.join(directory_name(index)))?;
        }
        let bytes = MANY_BYTES.start + seeded.below(MANY_BYTES.len());
        write_file(&root.join(many_name(index)), bytes, &mut seeded)?;
    }
    Ok(())
}

/// All of them up to a limit, then a sample; each at most once.
pub(super) fn many_targets(count: usize) -> Vec<String> {
    let mut indices: Vec<usize> = (0..count).collect();
    Seeded::new(count as u64).shuffle(&mut indices);
    indices.truncate(MANY_TARGET_COUNT);
    indices
        .into_iter()
        .map(|index| format!("/{}", many_name(index)))
        .collect()
}

pub(super) fn write_cold(root: &Path) -> Result<(), SiteError> {
    for index in 0..COLD_FILE_COUNT {
        let path = root.join(cold_name(index));
        write_file(&path, COLD_FILE_BYTES, &mut Seeded::new(index as u64))?;
    }
    Ok(())
}

pub(super) fn cold_targets() -> Vec<String> {
    (0..COLD_FILE_COUNT)
        .map(|index| format!("/{}", cold_name(index)))
        .collect()
}

fn cold_name(index: usize) -> String {
    format!("{index:02}.bin")
}

fn directory_name(index: usize) -> String {
    format!("d{:03}", index / DIRECTORY_FILE_COUNT)
}

fn many_name(index: usize) -> String {
    format!(
        "{}/f{:03}.js",
        directory_name(index),
        index % DIRECTORY_FILE_COUNT
    )
}

fn write_file(path: &Path, mut bytes: usize, seeded: &mut Seeded) -> Result<(), SiteError> {
    let mut file = fs::File::create(path).map_err(at(path))?;
    let mut buffer = vec![0; bytes.min(WRITE_BYTES)];
    while bytes > 0 {
        let part = &mut buffer[..bytes.min(WRITE_BYTES)];
        seeded.fill(part);
        file.write_all(part).map_err(at(path))?;
        bytes -= part.len();
    }
    allow_all_to_read(path, 0o644)
}

#[cfg(test)]
mod tests {
    use super::super::Sites;
    use super::*;

    #[test]
    fn files_have_their_sizes() {
        let bench = tempfile::tempdir().unwrap();
        let site = Sites::below(bench.path()).sizes().unwrap();
        assert_eq!(site.targets.len(), SIZES.len());
        for (target, (_, bytes)) in site.targets.iter().zip(SIZES) {
            let path = site.root.join(&target[1..]);
            assert_eq!(fs::metadata(path).unwrap().len(), bytes as u64, "{target}");
        }
        let small = fs::read(site.root.join("1k.bin")).unwrap();
        let again = Sites::below(bench.path()).sizes().unwrap();
        assert_eq!(small, fs::read(again.root.join("1k.bin")).unwrap());
    }

    #[test]
    fn many_files_are_spread_over_directories() {
        let bench = tempfile::tempdir().unwrap();
        let site = Sites::below(bench.path()).many(2001).unwrap();
        assert_eq!(fs::read_dir(&site.root).unwrap().count(), 3);
        assert_eq!(
            fs::read_dir(site.root.join("d001")).unwrap().count(),
            DIRECTORY_FILE_COUNT
        );
        assert_eq!(site.targets.len(), 2001);
        for target in &site.targets {
            let length = fs::metadata(site.root.join(&target[1..])).unwrap().len();
            assert!(MANY_BYTES.contains(&(length as usize)), "{target}");
        }
    }

    #[test]
    fn the_number_of_files_has_a_limit() {
        let sites = Sites::below("/nowhere");
        assert!(matches!(
            sites.many(FILE_COUNT_MAX + 1),
            Err(SiteError::TooManyFiles { .. })
        ));
        assert_eq!(many_targets(FILE_COUNT_MAX).len(), MANY_TARGET_COUNT);
    }
}
