//! The existing name that a wrong one was probably meant to be. Looks only where it probably is: a
//! tree of many files may have as many wrong references.

use std::collections::HashMap;

/// Names, found again by their parts.
#[derive(Debug)]
pub(crate) struct Suggestions<'n> {
    /// The last segments in each directory, in order.
    directories: HashMap<&'n [u8], Vec<&'n [u8]>>,
    /// The directories that have a file with this last segment, in order.
    files: HashMap<&'n [u8], Vec<&'n [u8]>>,
}

impl<'n> Suggestions<'n> {
    pub(crate) fn of(names: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut directories: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        let mut files: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        for name in names {
            let (directory, file) = split(name);
            directories.entry(directory).or_default().push(file);
            files.entry(file).or_default().push(directory);
        }
        let lists = directories.values_mut().chain(files.values_mut());
        lists.for_each(|list| list.sort_unstable());
        Self { directories, files }
    }

    /// The name that is nearest to `wrong`, if any is near: the same file elsewhere, or one in the
    /// same directory a few characters away.
    pub(crate) fn nearest(&self, wrong: &[u8]) -> Option<Vec<u8>> {
        let (directory, file) = split(wrong);
        let elsewhere = self.files.get(file).map_or(&[][..], Vec::as_slice);
        let elsewhere = window(elsewhere, directory).iter().map(|other| {
            let distance = letters(other, directory).min(SAME_FILE_DISTANCE_MAX);
            (distance, [*other, file].concat())
        });
        let limit = (String::from_utf8_lossy(wrong).chars().count() / 3).max(2);
        let beside = self
            .directories
            .get(directory)
            .map_or(&[][..], Vec::as_slice);
        let beside = window(beside, file).iter().filter_map(|other| {
            // Comparing letters takes time; most names are of another length.
            let may_be = other.len().abs_diff(file.len()) <= limit;
            let distance = may_be.then(|| letters(other, file))?;
            (distance <= limit).then(|| (distance, [directory, other].concat()))
        });
        elsewhere.chain(beside).min().map(|(_, name)| name)
    }
}

/// As many of `sorted` as are worth a comparison, around the place of `wanted`.
fn window<'s, 'n>(sorted: &'s [&'n [u8]], wanted: &[u8]) -> &'s [&'n [u8]] {
    if sorted.len() <= COMPARED_COUNT_MAX {
        return sorted;
    }
    let place = sorted.partition_point(|one| *one < wanted);
    let start = place.saturating_sub(COMPARED_COUNT_MAX / 2);
    let start = start.min(sorted.len() - COMPARED_COUNT_MAX);
    &sorted[start..start + COMPARED_COUNT_MAX]
}

fn letters(one: &[u8], other: &[u8]) -> usize {
    strsim::damerau_levenshtein(
        &String::from_utf8_lossy(one),
        &String::from_utf8_lossy(other),
    )
}

/// The directory, with the slash at its end, and the last segment.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    name.split_at(memchr::memrchr(b'/', name).map_or(0, |slash| slash + 1))
}

/// The same file elsewhere is as near as one with two wrong letters.
const SAME_FILE_DISTANCE_MAX: usize = 2;

/// Of a long list only these are compared.
const COMPARED_COUNT_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wrong: &str, expected: Option<&str>) {
        let names = ["css/app.css", "img/logo.png", "img/deep/er/photo.png"];
        let suggestions = Suggestions::of(names.iter().map(|name| name.as_bytes()));
        let found = suggestions.nearest(wrong.as_bytes());
        let expected = expected.map(|name| name.as_bytes().to_vec());
        assert_eq!(found, expected, "{wrong}");
    }

    #[test]
    fn finds_what_was_meant() {
        check("css/logo.png", Some("img/logo.png"));
        check("img/lgoo.png", Some("img/logo.png"));
        check("photo.png", Some("img/deep/er/photo.png"));
        check("css/ap.css", Some("css/app.css"));
        check("fonts/other.woff2", None);
        check("", None);
        check("x", None);
    }

    #[test]
    fn compares_with_few_of_a_large_directory() {
        let names: Vec<String> = (0..5_000)
            .map(|index| format!("i/{index:04}.svg"))
            .collect();
        let suggestions = Suggestions::of(names.iter().map(|name| name.as_bytes()));
        assert_eq!(
            suggestions.nearest(b"i/4321.sgv"),
            Some(b"i/4321.svg".to_vec())
        );
        assert_eq!(
            suggestions.nearest(b"i/9999.svg"),
            Some(b"i/4999.svg".to_vec())
        );
        let compared = window(&suggestions.directories[&b"i/"[..]], b"4321").len();
        assert_eq!(compared, COMPARED_COUNT_MAX);
    }
}
