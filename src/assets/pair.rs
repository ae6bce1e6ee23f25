//! Puts variants beside their originals, by name; which of several files has a URL. Reads nothing.

use super::read::Place;
use crate::http::Coding;

/// A file with the URL it would have on its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    /// The percent-decoded URL path.
    pub(super) key: Vec<u8>,
    pub(super) place: Place,
}

/// One asset to be: an original and the files that claim to be its variants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) original: File,
    pub(super) variants: Vec<(Coding, Place)>,
}

/// Sorts `files` by URL and leaves the first source's of each; returns how many were shadowed.
pub(super) fn shadow(files: &mut Vec<File>) -> usize {
    let count = files.len();
    files.sort_by(|one, other| {
        let key = |file: &'_ File| file.place.root_index;
        one.key.cmp(&other.key).then(key(one).cmp(&key(other)))
    });
    files.dedup_by(|later, first| later.key == first.key);
    count - files.len()
}

/// Groups `files`, which are sorted and have different URLs.
///
/// A file with the extension of a coding is a variant if its original is an asset: then it has
/// no URL of its own, even if it turns out not to be the original's content.
pub(super) fn pair(files: Vec<File>) -> Vec<Group> {
    // An original's name is a prefix of its variants' and so stands before them.
    let mut originals: Vec<Option<(usize, Coding)>> = Vec::with_capacity(files.len());
    for file in &files {
        let original = stem(&file.key).and_then(|(stem, coding)| {
            let sorted = &files[..originals.len()];
            let index = sorted.binary_search_by(|other| other.key.as_slice().cmp(stem));
            let index = index.ok().filter(|index| originals[*index].is_none())?;
            Some((index, coding))
        });
        originals.push(original);
    }

    let mut groups: Vec<Group> = Vec::new();
    let mut group_of_file = Vec::with_capacity(files.len());
    for (file, original) in files.into_iter().zip(originals) {
        group_of_file.push(groups.len());
        let Some((index, coding)) = original else {
            groups.push(Group {
                original: file,
                variants: Vec::new(),
            });
            continue;
        };
        let group: &mut Group = &mut groups[group_of_file[index]];
        // Beside an original of another source it is shadowed with its own original.
        if group.original.place.root_index == file.place.root_index {
            group.variants.push((coding, file.place));
        }
    }
    groups
}

/// Marks what is held in memory: the small files first, until `budget_bytes` are used.
pub(super) fn divide_memory(groups: &mut [Group], budget_bytes: u64, file_bytes_max: u64) {
    let mut places: Vec<&mut Place> = Vec::new();
    for group in groups {
        places.push(&mut group.original.place);
        places.extend(group.variants.iter_mut().map(|(_, place)| place));
    }
    // What is part of the program is in memory as it is.
    places.retain(|place| place.packed.is_none());
    // Stable: of equal sizes the first in the order of URLs.
    places.sort_by_key(|place| place.bytes);
    let mut left = budget_bytes;
    for place in places {
        if place.bytes > left.min(file_bytes_max) {
            break;
        }
        left -= place.bytes;
        place.in_memory = true;
    }
}

/// The original's name of a variant's, and the coding.
fn stem(key: &[u8]) -> Option<(&[u8], Coding)> {
    Coding::COMPRESSED.into_iter().find_map(|coding| {
        let stem = key.strip_suffix(coding.extension()?.as_bytes())?;
        Some((stem.strip_suffix(b".")?, coding))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, root_index: u16, bytes: u64) -> File {
        File {
            key: key.as_bytes().to_vec(),
            place: Place {
                root_index,
                path: c"x".to_owned(),
                bytes,
                in_memory: false,
                recorded: None,
                packed: None,
            },
        }
    }

    /// Files as `URL@source`; groups as `URL@source+coding…`.
    #[track_caller]
    fn check(files: &[&str], shadowed: usize, expected: &[&str]) {
        let parse = |text: &&str| {
            let (key, root_index) = text.split_once('@').unwrap();
            file(key, root_index.parse().unwrap(), 1)
        };
        let mut files: Vec<File> = files.iter().map(parse).collect();
        assert_eq!(shadow(&mut files), shadowed);
        let groups: Vec<String> = pair(files)
            .iter()
            .map(|group| {
                let key = String::from_utf8_lossy(&group.original.key);
                let mut text = format!("{key}@{}", group.original.place.root_index);
                for (coding, _) in &group.variants {
                    text.extend(["+", coding.token()]);
                }
                text
            })
            .collect();
        assert_eq!(groups, expected);
    }

    #[test]
    fn pairs_by_name() {
        check(
            &[
                "/a.js.zst@0",
                "/a.js@0",
                "/a.js.gz@0",
                "/a.js.br@0",
                "/a.json@0",
            ],
            0,
            &["/a.js@0+br+gzip+zstd", "/a.json@0"],
        );
        check(&["/a.gz@0", "/d/a@0"], 0, &["/a.gz@0", "/d/a@0"]);
        check(
            &["/gz@0", "/xgz@0", "/x@0"],
            0,
            &["/gz@0", "/x@0", "/xgz@0"],
        );
        check(&["/a.GZ@0", "/a@0"], 0, &["/a@0", "/a.GZ@0"]);
        // Other names may stand between the two.
        check(&["/a@0", "/a-b@0", "/a.gz@0"], 0, &["/a@0+gzip", "/a-b@0"]);
    }

    #[test]
    fn a_variant_is_no_original() {
        check(
            &["/a@0", "/a.gz@0", "/a.gz.gz@0"],
            0,
            &["/a@0+gzip", "/a.gz.gz@0"],
        );
        check(&["/a.gz@0", "/a.gz.br@0"], 0, &["/a.gz@0+br"]);
    }

    #[test]
    fn the_first_source_wins() {
        check(&["/a@1", "/a@0", "/b@1"], 1, &["/a@0", "/b@1"]);
        check(&["/a@1", "/a.gz@1", "/a@0"], 1, &["/a@0"]);
        check(&["/a.gz@1", "/a.gz@0", "/a@0"], 1, &["/a@0+gzip"]);
    }

    /// Sizes → which are in memory.
    #[track_caller]
    fn check_memory(sizes: &[u64], budget_bytes: u64, file_bytes_max: u64, expected: &[bool]) {
        let files = sizes.iter().enumerate();
        let files = files.map(|(index, bytes)| file(&format!("/{index}"), 0, *bytes));
        let mut groups = pair(files.collect());
        divide_memory(&mut groups, budget_bytes, file_bytes_max);
        let found = groups.iter().map(|group| group.original.place.in_memory);
        assert_eq!(
            found.collect::<Vec<_>>(),
            expected,
            "{sizes:?} {budget_bytes}"
        );
    }

    #[test]
    fn small_files_are_held_first() {
        check_memory(&[30, 10, 20], 100, 100, &[true, true, true]);
        check_memory(&[30, 10, 20], 59, 100, &[false, true, true]);
        check_memory(&[30, 10, 20], 100, 29, &[false, true, true]);
        check_memory(&[10, 10, 10], 20, 100, &[true, true, false]);
        check_memory(&[1, 0], 0, 100, &[false, true]);
        check_memory(&[u64::MAX, u64::MAX], u64::MAX, u64::MAX, &[true, false]);
    }

    #[test]
    fn variants_count_towards_the_budget() {
        let mut groups = pair(vec![file("/a", 0, 10), file("/a.gz", 0, 5)]);
        divide_memory(&mut groups, 14, 100);
        assert!(groups[0].variants[0].1.in_memory);
        assert!(!groups[0].original.place.in_memory);
    }
}
