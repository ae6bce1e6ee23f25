//! Which files refer to which, in what order they can be rewritten, and what their references
//! become. Reads no files.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use super::content::Digests;
use crate::staticfiles::finders::Found;
use crate::staticfiles::fingerprint::Fingerprint;
use crate::staticfiles::references::{Stored, Targets, hashed_name};

/// All names of a run, and what is known of the files behind them.
pub(super) struct Names {
    indexes: HashMap<Vec<u8>, usize>,
    directories: HashSet<Vec<u8>>,
    names: Vec<Vec<u8>>,
    /// The content of each file as its source has it.
    digests: Vec<OnceLock<Digests>>,
    /// The published name of each.
    published: Vec<OnceLock<Vec<u8>>>,
}

impl Names {
    pub(super) fn of(files: &[Found]) -> Self {
        let names: Vec<Vec<u8>> = files.iter().map(|found| found.name.clone()).collect();
        let mut directories = HashSet::from([Vec::new(), b".".to_vec()]);
        for name in &names {
            let ends = (0..name.len()).filter(|index| name[*index] == b'/');
            directories.extend(ends.map(|end| name[..end].to_vec()));
        }
        Self {
            indexes: names.iter().cloned().zip(0..).collect(),
            directories,
            digests: names.iter().map(|_| OnceLock::new()).collect(),
            published: names.iter().map(|_| OnceLock::new()).collect(),
            names,
        }
    }

    /// The name of a file as references and the manifest have it.
    pub(super) fn name(&self, index: usize) -> &[u8] {
        &self.names[index]
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.indexes.contains_key(name)
    }

    pub(super) fn index(&self, name: &[u8]) -> Option<usize> {
        self.indexes.get(name).copied()
    }

    /// `name`, made longer until no file and no directory is called so.
    pub(super) fn unused(&self, mut name: Vec<u8>) -> Vec<u8> {
        while self.has(&name) || self.directories.contains(&name) {
            name.push(b'_');
        }
        name
    }

    pub(super) fn all(&self) -> &[Vec<u8>] {
        &self.names
    }

    pub(super) fn digests(&self, index: usize) -> Option<&Digests> {
        self.digests[index].get()
    }

    pub(super) fn published(&self, index: usize) -> Option<&[u8]> {
        self.published[index].get().map(Vec::as_slice)
    }

    /// The source's content is known.
    pub(super) fn on_read(&self, index: usize, digests: Digests) {
        let _ = self.digests[index].set(digests);
    }

    /// The published name is known.
    pub(super) fn on_published(&self, index: usize, published: Vec<u8>) {
        let _ = self.published[index].set(published);
    }
}

/// What a text refers to, found before any published name is known.
pub(super) struct Scan<'a> {
    names: &'a Names,
    /// The files whose published names it needs.
    pub(super) needs: BTreeSet<usize>,
    /// Whether it refers to anything else that exists.
    pub(super) refers: bool,
    /// Names that were given out, all with the same stand-in for a hash.
    given: HashSet<Vec<u8>>,
    /// Names that were given out for files as their sources have them. Whether anything is
    /// published under one depends on what becomes of the file.
    copies: HashMap<Vec<u8>, usize>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self {
            names,
            needs: BTreeSet::new(),
            refers: false,
            given: HashSet::new(),
            copies: HashMap::new(),
        }
    }
}

impl Targets for Scan<'_> {
    fn published(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let index = *self.names.indexes.get(name)?;
        self.needs.insert(index);
        let published = hashed_name(name, &Fingerprint::UNKNOWN)?;
        self.given.insert(published.clone());
        Some(published)
    }

    fn stored(&mut self, name: &[u8]) -> Stored {
        self.refers = true;
        if let Some(&index) = self.names.indexes.get(name) {
            let copy = hashed_name(name, &Fingerprint::UNKNOWN);
            self.copies.extend(copy.map(|copy| (copy, index)));
            return Stored::File(Fingerprint::UNKNOWN);
        }
        if let Some(&index) = self.copies.get(name) {
            self.needs.insert(index);
            return Stored::File(Fingerprint::UNKNOWN);
        }
        if self.given.contains(name) {
            return Stored::File(Fingerprint::UNKNOWN);
        }
        stored_directory(self.names, name)
    }
}

/// What the references of a text become.
pub(super) struct Final<'a> {
    names: &'a Names,
    given: HashMap<Vec<u8>, Fingerprint>,
    /// Names that references were turned into without a look at who publishes them: Django takes
    /// the hash of what is stored.
    pub(super) unchecked: Vec<Vec<u8>>,
}

impl<'a> Final<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self {
            names,
            given: HashMap::new(),
            unchecked: Vec::new(),
        }
    }
}

impl Targets for Final<'_> {
    fn published(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let index = *self.names.indexes.get(name)?;
        let published = self.names.published(index);
        let published = published.expect("invariant: files are rewritten after what they refer to");
        // Its hash is part of the name; what a second look at that name would give.
        self.given
            .insert(published.to_vec(), fingerprint_in(published));
        Some(published.to_vec())
    }

    fn stored(&mut self, name: &[u8]) -> Stored {
        if let Some(&index) = self.names.indexes.get(name) {
            let digests = self.names.digests(index);
            let digests = digests.expect("invariant: every source is read before any is rewritten");
            let copy = hashed_name(name, &digests.fingerprint);
            if let Some(copy) = copy {
                if self.names.published(index) == Some(copy.as_slice()) {
                    self.given.insert(copy.clone(), digests.fingerprint);
                }
                self.unchecked.push(copy);
            }
            return Stored::File(digests.fingerprint);
        }
        if let Some(fingerprint) = self.given.get(name).copied() {
            self.unchecked.extend(hashed_name(name, &fingerprint));
            return Stored::File(fingerprint);
        }
        stored_directory(self.names, name)
    }
}

fn stored_directory(names: &Names, name: &[u8]) -> Stored {
    let trimmed = name.strip_suffix(b"/").unwrap_or(name);
    if names.directories.contains(trimmed) {
        Stored::Directory
    } else {
        Stored::Missing
    }
}

/// The hash that a published name carries.
fn fingerprint_in(published: &[u8]) -> Fingerprint {
    let last = published
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or(published);
    let digits = last
        .split(|byte| *byte == b'.')
        .rev()
        .find_map(Fingerprint::parse);
    digits.unwrap_or(Fingerprint::UNKNOWN)
}

/// Files in groups, each of which refers only to those before it.
///
/// `needs` has a list of others for each file that is to be rewritten.
///
/// # Errors
/// Circles, each as the files on it.
pub(super) fn order(
    needs: &HashMap<usize, Vec<usize>>,
) -> Result<Vec<Vec<usize>>, Vec<Vec<usize>>> {
    let mut search = Search {
        needs,
        levels: HashMap::new(),
        path: Vec::new(),
        on_path: HashSet::new(),
        circles: Vec::new(),
        circular: HashSet::new(),
    };
    let mut roots: Vec<usize> = needs.keys().copied().collect();
    roots.sort_unstable();
    for root in roots {
        search.visit(root);
    }
    if !search.circles.is_empty() {
        return Err(search.circles);
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut files: Vec<(usize, usize)> = search.levels.into_iter().collect();
    files.sort_unstable();
    for (file, level) in files {
        if groups.len() <= level {
            groups.resize_with(level + 1, Vec::new);
        }
        groups[level].push(file);
    }
    Ok(groups)
}

/// A search in depth that does without recursion: a chain of a million files is no reason to
/// run out of stack.
struct Search<'a> {
    needs: &'a HashMap<usize, Vec<usize>>,
    /// How many files each finished one has below it, in the longest chain.
    levels: HashMap<usize, usize>,
    /// The files on the way to the one that is looked at, each with the next of its needs.
    path: Vec<(usize, usize)>,
    on_path: HashSet<usize>,
    circles: Vec<Vec<usize>>,
    /// The files on them.
    circular: HashSet<usize>,
}

impl Search<'_> {
    fn visit(&mut self, root: usize) {
        self.push(root);
        while let Some((file, next)) = self.path.last_mut() {
            let (file, index) = (*file, *next);
            *next += 1;
            let needs = &self.needs[&file];
            match needs.get(index) {
                Some(need) if self.on_path.contains(need) => self.add_circle(*need),
                Some(need) if self.needs.contains_key(need) => self.push(*need),
                Some(_) => {}
                None => self.finish(file),
            }
        }
    }

    fn push(&mut self, file: usize) {
        if !self.levels.contains_key(&file) {
            self.path.push((file, 0));
            self.on_path.insert(file);
        }
    }

    fn finish(&mut self, file: usize) {
        let below = self.needs[&file].iter();
        let level = below
            .filter_map(|need| Some(self.levels.get(need)? + 1))
            .max();
        self.levels.insert(file, level.unwrap_or(0));
        self.on_path.remove(&file);
        self.path.pop();
    }

    /// Circles share no files: among many that all refer to each other there are more circles
    /// than anybody could read.
    fn add_circle(&mut self, again: usize) {
        let files = self.path.iter().rev().map(|(file, _)| *file);
        let mut circle = Vec::new();
        for file in files {
            if self.circular.contains(&file) {
                return;
            }
            circle.push(file);
            if file == again {
                break;
            }
        }
        circle.reverse();
        self.circular.extend(&circle);
        self.circles.push(circle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Groups = Result<Vec<Vec<usize>>, Vec<Vec<usize>>>;

    fn check(needs: &[(usize, &[usize])], expected: Groups) {
        let map = needs.iter().map(|(file, needs)| (*file, needs.to_vec()));
        assert_eq!(order(&map.collect()), expected, "{needs:?}");
    }

    #[test]
    fn orders_files_after_what_they_refer_to() {
        check(&[], Ok(vec![]));
        // 9 is not rewritten itself.
        check(
            &[(0, &[1, 9]), (1, &[2]), (2, &[]), (3, &[9])],
            Ok(vec![vec![2, 3], vec![1], vec![0]]),
        );
        // A diamond is no circle.
        check(
            &[(0, &[1, 2]), (1, &[3]), (2, &[3]), (3, &[])],
            Ok(vec![vec![3], vec![1, 2], vec![0]]),
        );
    }

    #[test]
    fn finds_circles() {
        check(&[(0, &[0])], Err(vec![vec![0]]));
        check(&[(0, &[1]), (1, &[2]), (2, &[1])], Err(vec![vec![1, 2]]));
        check(
            &[(0, &[1]), (1, &[0]), (2, &[3]), (3, &[2])],
            Err(vec![vec![0, 1], vec![2, 3]]),
        );
    }

    #[test]
    fn bears_long_chains() {
        const COUNT: usize = 200_000;
        let chain = (0..COUNT).map(|file| {
            (
                file,
                if file + 1 < COUNT {
                    vec![file + 1]
                } else {
                    vec![]
                },
            )
        });
        assert_eq!(order(&chain.collect()).unwrap().len(), COUNT);
    }
}
