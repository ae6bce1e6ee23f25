//! What the servers serve: directories of files, built once under `target/bench/sites` and reused.
//! Same parameters, same bytes and same request order, on every machine.

mod made;
mod packages;
mod seeded;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use seeded::Seeded;

/// A directory to serve, and what to ask of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// What is served at `/`.
    pub(crate) root: PathBuf,
    /// Request targets, percent-encoded, in the order to ask.
    pub(crate) targets: Vec<String>,
}

/// Where sites are kept.
#[derive(Debug, Clone)]
pub(crate) struct Sites {
    /// The harness's folder in the target directory.
    bench: PathBuf,
}

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    /// The packages of the mixed site were not fetched.
    #[error("{} is missing or incomplete: run scripts/bench-setup", path.display())]
    PackagesMissing {
        /// Where they belong.
        path: PathBuf,
    },
    /// The packages hold too little to choose from.
    #[error("{} holds {found} files that can be asked for, {needed} are needed: run scripts/bench-setup", path.display())]
    TooFewFiles {
        /// The site.
        path: PathBuf,
        /// Those of the right size and name.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// More files than the harness makes on anybody's disk.
    #[error("{count} files are more than {} for one site", made::FILE_COUNT_MAX)]
    TooManyFiles {
        /// What was asked for.
        count: usize,
    },
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    System {
        /// What was touched.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Sites {
    /// Those of this package's target directory.
    pub(crate) fn of_target_directory() -> Self {
        // Cargo gives benches and tests `tmp` in the target directory, wherever that is.
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Self::below(scratch.with_file_name("bench"))
    }

    /// Those of another folder, with `npm` and `sites` in it.
    pub(crate) fn below(bench: impl Into<PathBuf>) -> Self {
        let bench = bench.into();
        Self { bench }
    }

    /// Files of 1, 10, 100 KiB, 1 and 10 MiB; targets in this order.
    pub(crate) fn sizes(&self) -> Result<Site, SiteError> {
        let root = self.build("sizes", made::SIZES_STAMP, made::write_sizes)?;
        let targets = made::sizes_targets();
        Ok(Site { root, targets })
    }

    /// What stands for an application: one small answer.
    pub(crate) fn application(&self) -> Result<Site, SiteError> {
        let stamp = made::APPLICATION_STAMP;
        let root = self.build("application", stamp, made::write_application)?;
        let targets = vec![made::application_target()];
        Ok(Site { root, targets })
    }

    /// Thousands of files of real packages with their variants, asked for by Zipf's law.
    pub(crate) fn mixed(&self) -> Result<Site, SiteError> {
        let root = self.packages()?;
        let targets = packages::mixed_targets(&root)?;
        Ok(Site { root, targets })
    }

    /// Twenty files of the mixed site, small to large, each with both variants.
    pub(crate) fn twenty(&self) -> Result<Site, SiteError> {
        let root = self.packages()?;
        let targets = packages::twenty_targets(&root)?;
        Ok(Site { root, targets })
    }

    /// `count` small files; targets are a sample of them.
    pub(crate) fn many(&self, count: usize) -> Result<Site, SiteError> {
        if count > made::FILE_COUNT_MAX {
            return Err(SiteError::TooManyFiles { count });
        }
        let name = format!("many-{count}");
        let root = self.build(&name, made::MANY_STAMP, |root| {
            made::write_many(root, count)
        })?;
        let targets = made::many_targets(count);
        Ok(Site { root, targets })
    }

    /// Large files, together larger than what a disk reads unnoticed.
    pub(crate) fn cold(&self) -> Result<Site, SiteError> {
        let root = self.build("cold", made::COLD_STAMP, made::write_cold)?;
        let targets = made::cold_targets();
        Ok(Site { root, targets })
    }

    fn packages(&self) -> Result<PathBuf, SiteError> {
        let npm = self.bench.join("npm");
        let stamp = packages::stamp(&npm)?;
        self.build("mixed", &stamp, |root| packages::link(&npm, root))
    }

    /// The directory `name`, written by `write` unless it is there and `stamp` is what it was
    /// written for. It gets its name when it is complete, and its stamp last.
    fn build(
        &self,
        name: &str,
        stamp: &str,
        write: impl FnOnce(&Path) -> Result<(), SiteError>,
    ) -> Result<PathBuf, SiteError> {
        let sites = self.bench.join("sites");
        let root = sites.join(name);
        let stamp_path = sites.join(format!("{name}.complete"));
        if root.is_dir() && fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
            return Ok(root);
        }
        let building = sites.join(format!("{name}.building"));
        for old in [&building, &root] {
            remove(old)?;
        }
        create_directory(&building)?;
        write(&building)?;
        fs::rename(&building, &root).map_err(at(&root))?;
        fs::write(&stamp_path, stamp).map_err(at(&stamp_path))?;
        Ok(root)
    }
}

/// Adds the path to what the file system said.
fn at(path: &Path) -> impl FnOnce(io::Error) -> SiteError + use<> {
    let path = path.to_owned();
    move |source| SiteError::System { path, source }
}

/// Removes the directory `path`, if there is one.
fn remove(path: &Path) -> Result<(), SiteError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn create_directory(path: &Path) -> Result<(), SiteError> {
    fs::create_dir_all(path).map_err(at(path))?;
    allow_all_to_read(path, 0o755)
}

/// Servers that drop their privileges must be able to read, whatever the umask is.
fn allow_all_to_read(path: &Path, mode: u32) -> Result<(), SiteError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_once_and_again_when_the_stamp_differs() {
        let bench = tempfile::tempdir().unwrap();
        let sites = Sites::below(bench.path());
        let build = |stamp: &str, content: &str| {
            let write = |root: &Path| {
                let path = root.join("a");
                fs::write(&path, content).map_err(at(&path))
            };
            let root = sites.build("some", stamp, write).unwrap();
            fs::read_to_string(root.join("a")).unwrap()
        };
        assert_eq!(build("1", "first"), "first");
        assert_eq!(build("1", "second"), "first");
        assert_eq!(build("2", "third"), "third");
    }

    #[test]
    fn builds_again_what_was_interrupted() {
        let bench = tempfile::tempdir().unwrap();
        let sites = Sites::below(bench.path());
        let interrupted = sites.build("some", "1", |root| {
            fs::write(root.join("half"), "").unwrap();
            Err(SiteError::TooManyFiles { count: 1 })
        });
        assert!(interrupted.is_err());
        let root = sites.build("some", "1", |_| Ok(())).unwrap();
        assert_eq!(fs::read_dir(root).unwrap().count(), 0);
    }

    #[test]
    fn says_how_to_get_the_packages() {
        let bench = tempfile::tempdir().unwrap();
        for site in [
            Sites::below(bench.path()).mixed(),
            Sites::below(bench.path()).twenty(),
        ] {
            let error = site.unwrap_err().to_string();
            assert!(error.ends_with("run scripts/bench-setup"), "{error}");
        }
    }
}
