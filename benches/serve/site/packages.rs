//! Sites of real front-end packages, which `scripts/bench-setup` fetched and compressed into `npm`:
//! their files are linked, not copied. Chooses what is asked for; fetches nothing.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Seeded, SiteError, allow_all_to_read, at, create_directory};

/// Written last by `scripts/bench-setup`: what it fetched and how it compressed.
const NPM_STAMP: &str = "complete";
/// What this file makes of it; a change of that changes the number.
const SITE_STAMP: &str = "mixed 1";

/// Requests of the mixed site before they repeat.
const MIXED_TARGET_COUNT: usize = 4096;
/// Files the mixed site must offer, so that it is one.
const MIXED_FILE_COUNT_MIN: usize = 1000;
/// A larger file that happened to rank first would turn the mix into a test of large files.
const MIXED_FILE_BYTES_MAX: u64 = 1 << 20;
const MIXED_SEED: u64 = 20;
const TWENTY: usize = 20;
const TWENTY_BYTES: std::ops::RangeInclusive<u64> = 3 << 10..=300 << 10;

const VARIANT_SUFFIXES: [&str; 3] = [".br", ".gz", ".zst"];

/// What may stand in a path segment as it is (RFC 3986 §3.3), but for what a shell, Lua or a
/// server's configuration might read.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'/');

/// What the site has to be built from now.
pub(super) fn stamp(npm: &Path) -> Result<String, SiteError> {
    let path = npm.to_owned();
    match fs::read_to_string(npm.join(NPM_STAMP)) {
        Ok(packages) => Ok(format!("{SITE_STAMP}\n{packages}")),
        Err(_) => Err(SiteError::PackagesMissing { path }),
    }
}

/// Links every file of `npm/node_modules` that any server can serve into `root`.
pub(super) fn link(npm: &Path, root: &Path) -> Result<(), SiteError> {
    let modules = npm.join("node_modules");
    for path in files(&modules)? {
        let to = root.join(&path);
        if let Some(directory) = to.parent() {
            create_directories(root, directory)?;
        }
        link_file(&modules.join(&path), &to)?;
    }
    Ok(())
}

/// Drawn by Zipf's law: the file of rank k as often as 1/k of the first; ranks are shuffled.
pub(super) fn mixed_targets(root: &Path) -> Result<Vec<String>, SiteError> {
    let mut ranked = Vec::new();
    for path in originals(root)? {
        if bytes_of(root, &path)? <= MIXED_FILE_BYTES_MAX {
            ranked.push(path);
        }
    }
    enough(root, ranked.len(), MIXED_FILE_COUNT_MIN)?;
    let mut seeded = Seeded::new(MIXED_SEED);
    seeded.shuffle(&mut ranked);
    let drawn = zipf(ranked.len(), MIXED_TARGET_COUNT, &mut seeded);
    Ok(drawn
        .into_iter()
        .map(|rank| target(&ranked[rank]))
        .collect())
}

/// Evenly taken by size, from the smallest to the largest.
pub(super) fn twenty_targets(root: &Path) -> Result<Vec<String>, SiteError> {
    let mut sized = Vec::new();
    for path in originals(root)? {
        let bytes = bytes_of(root, &path)?;
        let has = |suffix| root.join(format!("{path}{suffix}")).is_file();
        if TWENTY_BYTES.contains(&bytes) && has(".br") && has(".gz") {
            sized.push((bytes, path));
        }
    }
    enough(root, sized.len(), TWENTY)?;
    sized.sort_unstable();
    Ok(evenly(sized.len(), TWENTY)
        .map(|index| target(&sized[index].1))
        .collect())
}

/// `count` indices below `length`, the first and the last among them, as far apart as can be.
fn evenly(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| index * (length - 1) / (count - 1))
}

/// `count` ranks below `rank_count`, rank k with a weight of 1/(k+1).
fn zipf(rank_count: usize, count: usize, seeded: &mut Seeded) -> Vec<usize> {
    let mut sums = Vec::with_capacity(rank_count);
    let mut sum = 0.0;
    for rank in 1..=rank_count {
        sum += 1.0 / rank as f64;
        sums.push(sum);
    }
    (0..count)
        .map(|_| {
            let drawn = seeded.fraction() * sum;
            let rank = sums.partition_point(|&end| end <= drawn);
            rank.min(rank_count - 1)
        })
        .collect()
}

/// The request target of a path below the root.
fn target(path: &str) -> String {
    format!("/{}", utf8_percent_encode(path, SEGMENT))
}

fn enough(path: &Path, found: usize, needed: usize) -> Result<(), SiteError> {
    if found >= needed {
        return Ok(());
    }
    let path = path.to_owned();
    Err(SiteError::TooFewFiles {
        path,
        found,
        needed,
    })
}

/// Files that are asked for under their own name.
fn originals(root: &Path) -> Result<Vec<String>, SiteError> {
    let mut found = files(root)?;
    found.retain(|path| !VARIANT_SUFFIXES.iter().any(|suffix| path.ends_with(suffix)));
    Ok(found)
}

fn bytes_of(root: &Path, path: &str) -> Result<u64, SiteError> {
    let path = root.join(path);
    Ok(fs::metadata(&path).map_err(at(&path))?.len())
}

/// Paths below `root` of all regular files that are not empty and whose name every server takes
/// as it is, sorted.
fn files(root: &Path) -> Result<Vec<String>, SiteError> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let path = root.join(&directory);
        for entry in fs::read_dir(&path).map_err(at(&path))? {
            let entry = entry.map_err(at(&path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_plain(name)) else {
                continue;
            };
            let kind = entry.metadata().map_err(at(&entry.path()))?;
            if kind.is_dir() {
                directories.push(directory.join(name));
            } else if kind.is_file() && kind.len() > 0 {
                found.extend(directory.join(name).to_str().map(str::to_owned));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Not hidden, nothing to escape in any configuration, and no index page: servers differ in
/// whether they redirect from its name to its directory.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@+~ ".contains(&byte);
    !name.starts_with('.') && !name.starts_with("index.html") && name.bytes().all(plain)
}

/// Makes `directory` and its parents below `root`.
fn create_directories(root: &Path, directory: &Path) -> Result<(), SiteError> {
    if directory == root || directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        create_directories(root, parent)?;
    }
    create_directory(directory)
}

/// Links `from` to `to`, or copies it where links are not possible.
fn link_file(from: &Path, to: &Path) -> Result<(), SiteError> {
    let kind = fs::metadata(from).map_err(at(from))?;
    if kind.permissions().mode() & 0o444 != 0o444 {
        allow_all_to_read(from, 0o644)?;
    }
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => copy_file(from, to, &kind).map_err(at(to)),
    }
}

/// The time goes with it: a variant must not become older than its original.
fn copy_file(from: &Path, to: &Path, kind: &fs::Metadata) -> io::Result<()> {
    fs::copy(from, to)?;
    let file = fs::File::options().write(true).open(to)?;
    file.set_modified(kind.modified()?)
}

#[cfg(test)]
mod tests {
    use super::super::Sites;
    use super::*;

    #[test]
    fn encodes_targets() {
        let check = |path: &str, expected: &str| assert_eq!(target(path), expected);
        check("a/b.min.js", "/a/b.min.js");
        check("@fortawesome/x~1_2-3.css", "/@fortawesome/x~1_2-3.css");
        check("a b+c.js", "/a%20b%2Bc.js");
        check("50%.css", "/50%25.css");
        check("a?b#c.js", "/a%3Fb%23c.js");
        check("skarvø.svg", "/skarv%C3%B8.svg");
    }

    #[test]
    fn zipf_repeats_and_has_its_shape() {
        let draw = || zipf(1000, 100_000, &mut Seeded::new(5));
        let drawn = draw();
        assert_eq!(drawn, draw());
        let count = |rank| drawn.iter().filter(|&&other| other == rank).count();
        // The first of a thousand has 1/7.49 of all, the tenth a tenth of that.
        assert!((12_700..14_000).contains(&count(0)), "{}", count(0));
        assert!((6_200..7_200).contains(&count(1)), "{}", count(1));
        assert!((1_150..1_550).contains(&count(9)), "{}", count(9));
        assert!(drawn.iter().any(|&rank| rank > 900));
        assert!(drawn.iter().all(|&rank| rank < 1000));
    }

    #[test]
    fn takes_evenly() {
        let check = |length, count, expected: &[usize]| {
            assert_eq!(evenly(length, count).collect::<Vec<_>>(), expected);
        };
        check(5, 5, &[0, 1, 2, 3, 4]);
        check(9, 3, &[0, 4, 8]);
        check(100, 2, &[0, 99]);
    }

    #[test]
    fn tells_plain_names() {
        let check = |name: &str, expected| assert_eq!(is_plain(name), expected, "{name}");
        check("a-b_c.d@2x.js", true);
        check(".hidden", false);
        check("index.html", false);
        check("index.html.br", false);
        check("a\"b", false);
        check("a\nb", false);
        check("ø.svg", false);
    }

    #[test]
    fn links_the_packages_and_chooses_from_them() {
        let bench = tempfile::tempdir().unwrap();
        let modules = bench.path().join("npm/node_modules/some");
        fs::create_dir_all(modules.join("deep")).unwrap();
        for index in 0..MIXED_FILE_COUNT_MIN {
            let bytes = vec![b'a'; 1000 + index * 10];
            let name = modules.join(format!("deep/{index}.css"));
            for suffix in ["", ".br", ".gz"] {
                fs::write(format!("{}{suffix}", name.display()), &bytes).unwrap();
            }
        }
        fs::write(modules.join("large.js"), vec![b'a'; 2 << 20]).unwrap();
        fs::write(modules.join("empty.js"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", modules.join("link.js")).unwrap();
        let sites = Sites::below(bench.path());
        assert!(sites.mixed().is_err(), "not marked complete");
        fs::write(bench.path().join("npm/complete"), "some@1").unwrap();

        let mixed = sites.mixed().unwrap();
        assert_eq!(mixed.targets.len(), MIXED_TARGET_COUNT);
        assert_eq!(mixed, sites.mixed().unwrap());
        assert!(mixed.targets.iter().all(|target| target.ends_with(".css")));
        assert!(mixed.root.join("some/large.js").is_file());
        assert!(!mixed.root.join("some/empty.js").exists());
        assert!(!mixed.root.join("some/link.js").exists());

        let twenty = sites.twenty().unwrap();
        assert_eq!(twenty.targets.len(), TWENTY);
        assert_eq!(twenty.targets[0], "/some/deep/208.css");
        assert_eq!(twenty.targets[TWENTY - 1], "/some/deep/999.css");
    }
}
