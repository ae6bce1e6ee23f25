//! Whether a release is what its `whitering.json` says; without one, whether what its
//! `staticfiles.json` names has the content that the names say. Only reads.

mod decode;
mod file;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::http::Coding;
use crate::manifest::release::{self, Release, ReleaseFile};
use crate::manifest::{self, Manifest, ManifestError};
use file::{Directory, is_plain};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that were compared, variants included.
    pub file_count: usize,
    /// Their lengths together, in bytes.
    pub bytes: u64,
    /// What is not as the release says, by name.
    pub differences: Vec<Difference>,
}

/// One thing that is not as the release says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Difference {
    /// A file is not there.
    Missing(String),
    /// A file has another content.
    Changed(String),
    /// A variant does not belong to its original.
    StaleVariant(String),
    /// A manifest entry names a file that is not there or not recorded.
    Manifest(String),
    /// A file is there and cannot be read.
    Unreadable {
        /// Its name.
        name: String,
        /// What the system says.
        cause: String,
    },
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no such directory, or it cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no release.
    #[error(
        "it holds neither whitering.json nor staticfiles.json; name the directory that was collected to"
    )]
    NoRelease,
    /// What a release is compared with cannot be understood.
    #[error("its {file} is of no use: {cause}; collect the files again")]
    Record {
        /// `whitering.json` or `staticfiles.json`.
        file: &'static str,
        /// Why.
        cause: ManifestError,
    },
}

impl Difference {
    /// The name of the file or entry.
    pub fn name(&self) -> &str {
        match self {
            Self::Missing(name)
            | Self::Changed(name)
            | Self::StaleVariant(name)
            | Self::Manifest(name)
            | Self::Unreadable { name, .. } => name,
        }
    }
}

/// Compares the release in `directory` with its record.
///
/// Variants are compared with their recorded digests. Where there is no record they are decoded
/// and compared with their originals, and hashed names with the content that is behind them.
///
/// # Errors
/// `directory` is no release, cannot be read, or its record cannot be understood. What is wrong
/// with single files is among [`Verified::differences`].
///
/// # Examples
/// ```
/// use whitering::staticfiles::{Difference, Options, Silent, Source, collect, verify};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let (assets, release) = (directory.path().join("assets"), directory.path().join("static"));
/// # std::fs::create_dir(&assets)?;
/// # std::fs::write(assets.join("app.css"), "body {}")?;
/// # let mut options = Options::new(&release);
/// # options.sources.push(Source::Directory { prefix: String::new(), directory: assets });
/// collect(&options, &Silent)?;
/// assert!(verify(&release)?.differences.is_empty());
///
/// std::fs::remove_file(release.join("app.css"))?;
/// let differences = verify(&release)?.differences;
/// assert_eq!(differences, [Difference::Missing("app.css".to_owned())]);
/// # Ok(())
/// # }
/// ```
pub fn verify(directory: &Path) -> Result<Verified, VerifyError> {
    fs::read_dir(directory)?;
    let manifest = read(directory, manifest::FILE_NAME, Manifest::parse)?;
    let release = read(directory, release::FILE_NAME, Release::parse)?;
    let directory = Directory(directory);
    let mut verified = match (&release, &manifest) {
        (Some(release), _) => verify_release(&directory, release),
        (None, Some(manifest)) => verify_published(&directory, manifest),
        (None, None) => return Err(VerifyError::NoRelease),
    };
    if let (Some(release), Some(manifest)) = (&release, &manifest) {
        verified.differences.extend(unrecorded(release, manifest));
    }
    verified.differences.sort_by(|one, other| {
        let order = one.name().cmp(other.name());
        order.then_with(|| one.cmp(other))
    });
    verified.differences.dedup();
    Ok(verified)
}

fn verify_release(directory: &Directory<'_>, release: &Release) -> Verified {
    let files: Vec<_> = release.files.iter().collect();
    let verified = files.par_iter().map(|(name, file)| {
        let mut verified = Verified::default();
        if is_plain(name) {
            verify_recorded(directory, release, name, file, &mut verified);
        } else {
            verified.add(Difference::Manifest, name);
        }
        verified
    });
    verified.reduce(Verified::default, Verified::and)
}

fn verify_recorded(
    directory: &Directory<'_>,
    release: &Release,
    name: &[u8],
    file: &ReleaseFile,
    verified: &mut Verified,
) {
    directory.compare(name, &file.sha256, file.bytes, verified);
    for (extension, variant) in &file.variants {
        let name = [name, b".", extension.as_bytes()].concat();
        directory.compare(&name, &variant.sha256, variant.bytes, verified);
    }
    for extension in Coding::COMPRESSED.into_iter().filter_map(Coding::extension) {
        let name = [name, b".", extension.as_bytes()].concat();
        let is_recorded =
            file.variants.contains_key(extension) || release.files.contains_key(&name);
        if !is_recorded && directory.has(&name) {
            verified.add(Difference::StaleVariant, &name);
        }
    }
}

/// The entries of `manifest` whose files `release` does not hold.
fn unrecorded(release: &Release, manifest: &Manifest) -> Vec<Difference> {
    let entries = manifest.paths();
    let unrecorded = entries.filter(|(_, published)| !release.files.contains_key(*published));
    unrecorded
        .map(|(logical, _)| Difference::Manifest(text(logical)))
        .collect()
}

fn verify_published(directory: &Directory<'_>, manifest: &Manifest) -> Verified {
    let published: Vec<_> = manifest.paths().collect();
    let names: BTreeSet<_> = published.iter().map(|(_, published)| *published).collect();
    // What keeps its name is not said to be there, but its variants must be its own.
    let logical = published.iter().map(|(logical, _)| *logical);
    let originals: Vec<_> = logical.filter(|name| !names.contains(name)).collect();
    let published = published.par_iter().map(|(logical, published)| {
        let mut verified = Verified::default();
        if is_plain(published) {
            directory.check_published(logical, published, &mut verified);
        } else {
            verified.add(Difference::Manifest, logical);
        }
        verified
    });
    let originals = originals.par_iter().map(|name| {
        let mut verified = Verified::default();
        if is_plain(name) && directory.has(name) {
            directory.check_variants(name, &mut verified);
        }
        verified
    });
    let published = published.reduce(Verified::default, Verified::and);
    published.and(originals.reduce(Verified::default, Verified::and))
}

impl Verified {
    fn add(&mut self, difference: fn(String) -> Difference, name: &[u8]) {
        self.differences.push(difference(text(name)));
    }

    fn and(mut self, mut other: Self) -> Self {
        self.file_count += other.file_count;
        self.bytes += other.bytes;
        self.differences.append(&mut other.differences);
        self
    }
}

/// What `parse` makes of the file `name`, if there is one.
fn read<T>(
    directory: &Path,
    name: &'static str,
    parse: fn(&[u8]) -> Result<T, ManifestError>,
) -> Result<Option<T>, VerifyError> {
    match fs::read(directory.join(name)) {
        Ok(text) => {
            let parsed = parse(&text);
            let error = |cause| VerifyError::Record { file: name, cause };
            parsed.map(Some).map_err(error)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests;
