//! What can go wrong while files are loaded: errors end the load, warnings leave one file out.

use std::io;
use std::path::PathBuf;

use crate::http::Coding;
use crate::manifest::ManifestError;

/// Why no snapshot could be loaded. Each is one line with its remedy.
///
/// ```
/// use whitering::{Config, LoadError, Server, StartError};
///
/// let error = Server::start(Config::for_directory("/nowhere")).err();
/// assert!(matches!(error, Some(StartError::Load(LoadError::RootMissing(_)))));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    // What the operator can repair.
    /// There is nothing at the path of a source.
    #[error("source directory {0:?} does not exist; create it, or name another one")]
    RootMissing(PathBuf),
    /// A source is something else.
    #[error("source {0:?} is not a directory; name the directory that holds the files")]
    RootNotDirectory(PathBuf),
    /// A source cannot be listed.
    #[error(
        "source directory {path:?} cannot be read ({error}); give this user read and search permission"
    )]
    RootUnreadable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// `--not-found` or `--spa` names nothing.
    #[error(
        "{option} {name:?} names none of the served files; give its path below a source, such as \"404.html\""
    )]
    NotFoundFileMissing {
        /// The option's name.
        option: &'static str,
        /// Its value.
        name: String,
    },
    /// More sources than an index can name.
    #[error("{0} source directories are too many; serve a directory above them")]
    TooManySources(usize),
    /// More files than are credible.
    #[error(
        "source directory {path:?} holds more than {count_max} files and directories; serve a smaller one, or remove links that repeat it"
    )]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
        /// The limit.
        count_max: usize,
    },
    // What the system lacks.
    /// `openat2(2)` is missing or forbidden.
    #[error(
        "openat2(2) is not available ({0}); use Linux 5.6 or newer, and a seccomp profile that allows it"
    )]
    NoOpenat2(io::Error),
    /// Descriptors or memory ran out: going on would leave out files that are in order.
    #[error("the system is out of resources ({0}); raise `ulimit -n` or the memory limit")]
    Exhausted(io::Error),
    /// The threads that read files could not be started.
    #[error("no threads to load files with ({0}); raise `ulimit -u` or the limit of the cgroup")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Something that was left out, and why.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// A file or directory.
    #[error("{path:?} {cause}")]
    File {
        /// Its path as the operator knows it.
        path: PathBuf,
        /// Why.
        cause: Cause,
    },
    /// A header rule.
    #[error("the header rule for {name:?} is ignored: {reason}")]
    HeaderRule {
        /// The field name.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

/// Why a file was left out.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A link whose target is elsewhere.
    #[error(
        "links out of its source directory and is not served; copy the file, or serve its directory as a source"
    )]
    LinkOutside,
    /// A link to nothing.
    #[error("is a link to nothing; remove it or restore its target")]
    LinkDangling,
    /// A directory within itself, or a link to itself.
    #[error("is a link that leads back to itself; remove it")]
    LinkLoop,
    /// A FIFO, a socket or a device.
    #[error("is a {0}, not a regular file, and is not served")]
    Special(&'static str),
    /// The system refuses it.
    #[error("cannot be read and is not served ({0})")]
    Unreadable(io::Error),
    /// It is being written.
    #[error("kept changing while it was read and is not served; reload when it is complete")]
    Changing,
    /// A variant that is not its original.
    #[error("is not the {} form of its original ({reason}) and is not served; compress it again or remove it", coding.token())]
    Refused {
        /// The coding it claims.
        coding: Coding,
        /// How it differs.
        reason: Refusal,
    },
    /// A manifest that says nothing.
    #[error(
        "is of no use: {0}; hashed names count as changeable until the files are collected again"
    )]
    Manifest(ManifestError),
    /// A manifest of unreasonable size.
    #[error(
        "is larger than {MANIFEST_BYTES_MAX} bytes and is not read as a manifest; hashed names count as changeable"
    )]
    ManifestTooLarge,
    /// A record that says nothing.
    #[error(
        "is of no use: {0}; loading takes longer, and hashed names of earlier releases count as changeable, until the files are collected again"
    )]
    Release(ManifestError),
    /// A record of unreasonable size.
    #[error("is larger than {RELEASE_BYTES_MAX} bytes and is not read; loading takes longer")]
    ReleaseTooLarge,
    /// Header rules too long for it.
    #[error("is not served: its header fields are longer than 64 KiB; shorten the header rules")]
    HeadTooLarge,
}

/// How a variant differs from its original.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not of this coding, or cut off, or followed by others.
    #[error("it does not decode: {0}")]
    Undecodable(io::Error),
    /// It decodes to something else: most often to an earlier version.
    #[error("it decodes to other content")]
    Different,
}

impl Warning {
    /// Whether another load, a little later, would find the file in order.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::File {
                cause: Cause::Changing,
                ..
            }
        )
    }

    pub(super) fn file(path: impl Into<PathBuf>, cause: Cause) -> Self {
        let path = path.into();
        Self::File { path, cause }
    }

    /// What warnings are sorted by, so that two loads of the same files say the same.
    pub(super) fn order(&self) -> (Option<PathBuf>, String) {
        match self {
            Self::File { path, .. } => (Some(path.clone()), self.to_string()),
            Self::HeaderRule { .. } => (None, self.to_string()),
        }
    }
}

/// Whether `error` is about the process or machine rather than about one file.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)
    )
}

/// Manifests are read whole; Django's have about 100 bytes per file.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// Records have about 500 bytes per file.
pub(super) const RELEASE_BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_system_from_the_file() {
        let check = |code, expected| {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_exhaustion(&error), expected, "{error}");
        };
        check(libc::EMFILE, true);
        check(libc::ENFILE, true);
        check(libc::ENOMEM, true);
        check(libc::EACCES, false);
        check(libc::EIO, false);
    }

    #[test]
    fn messages_are_one_line_whatever_a_file_is_called() {
        let warning = Warning::file("a\nb\u{1b}[31m", Cause::LinkLoop).to_string();
        assert!(!warning.contains(char::is_control), "{warning}");
    }
}
