//! Which URL paths name which asset: files, directories with an index file, and redirects.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use foldhash::fast::FixedState;

use super::Entry;
use crate::http::path::encode_segment;

/// The index of `keys`, which are the URL paths of files, each with its asset's index.
pub(super) fn entries(
    keys: Vec<(Vec<u8>, u32)>,
    index_file: Option<&str>,
) -> HashMap<Box<[u8]>, Entry, FixedState> {
    let directories: Vec<(Vec<u8>, u32)> = index_file
        .map(|name| keys.iter().filter_map(|key| directory(key, name)).collect())
        .unwrap_or_default();

    let count = keys.len() + 2 * directories.len();
    // Uploads may be served too, and have names that somebody chose to collide.
    let seed = RandomState::new().hash_one(count);
    let mut entries = HashMap::with_capacity_and_hasher(count, FixedState::with_seed(seed));
    for (key, index) in keys {
        entries.insert(key.into_boxed_slice(), Entry::Asset(index));
    }
    for (directory, index) in directories {
        let file = [&directory, index_file.unwrap_or_default().as_bytes()].concat();
        entries.insert(file.into_boxed_slice(), Entry::Redirect("./".into()));
        if let Some((bare, segment)) = last_segment(&directory) {
            // A file of another source may have the directory's name: it wins.
            entries
                .entry(bare.into())
                .or_insert_with(|| Entry::Redirect(format!("{}/", encode_segment(segment)).into()));
        }
        entries.insert(directory.into_boxed_slice(), Entry::Asset(index));
    }
    entries
}

/// The directory, with its slash, for which the file at `key` stands.
fn directory((key, index): &(Vec<u8>, u32), index_file: &str) -> Option<(Vec<u8>, u32)> {
    let directory = key.strip_suffix(index_file.as_bytes())?;
    directory
        .ends_with(b"/")
        .then(|| (directory.to_vec(), *index))
}

/// `directory` without its slash, and its last segment; nothing for `/`.
fn last_segment(directory: &[u8]) -> Option<(&[u8], &[u8])> {
    let bare = directory.strip_suffix(b"/")?;
    let slash = bare.iter().rposition(|byte| *byte == b'/')?;
    Some((bare, &bare[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries of `keys`, as `path → index` or `path → location`.
    #[track_caller]
    fn check(keys: &[&[u8]], index_file: Option<&str>, expected: &[&str]) {
        let keys = (0..).zip(keys).map(|(index, key)| (key.to_vec(), index));
        let mut found: Vec<String> = entries(keys.collect(), index_file)
            .into_iter()
            .map(|(path, entry)| {
                let target = match entry {
                    Entry::Asset(index) => index.to_string(),
                    Entry::Redirect(location) => location.into_string(),
                };
                format!("{} → {target}", path.escape_ascii())
            })
            .collect();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn index_files_stand_for_directories() {
        check(
            &[
                b"/d/a.css",
                b"/d/index.html",
                b"/index.html",
                b"/myindex.html",
            ],
            Some("index.html"),
            &[
                "/ → 2",
                "/d → d/",
                "/d/ → 1",
                "/d/a.css → 0",
                "/d/index.html → ./",
                "/index.html → ./",
                "/myindex.html → 3",
            ],
        );
        check(
            &[b"/p/q/index.html"],
            Some("index.html"),
            &["/p/q → q/", "/p/q/ → 0", "/p/q/index.html → ./"],
        );
    }

    #[test]
    fn none_without_an_index_file() {
        check(&[b"/index.html"], None, &["/index.html → 0"]);
        check(&[b"/index.html"], Some("home"), &["/index.html → 0"]);
    }

    #[test]
    fn a_file_wins_over_the_redirect_of_its_name() {
        check(
            &[b"/d", b"/d/index.html"],
            Some("index.html"),
            &["/d → 0", "/d/ → 1", "/d/index.html → ./"],
        );
        check(
            &[b"/index.html/index.html"],
            Some("index.html"),
            &[
                "/index.html → index.html/",
                "/index.html/ → 0",
                "/index.html/index.html → ./",
            ],
        );
    }

    #[test]
    fn redirects_cannot_be_turned_outwards() {
        let check = |directory: &[u8], location: &str| {
            let key = [b"/", directory, b"/i"].concat();
            let found = entries(vec![(key, 0)], Some("i"));
            let bare = &[b"/", directory].concat()[..];
            assert_eq!(found.get(bare), Some(&Entry::Redirect(location.into())));
        };
        check(b"a:b", "a%3Ab/");
        check(b"\\evil.example", "%5Cevil.example/");
        check(b"a\r\nX: 1", "a%0D%0AX%3A%201/");
        check(b"100%?#", "100%25%3F%23/");
        check(b"\xff", "%FF/");
    }
}
