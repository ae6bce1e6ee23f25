//! What can be wrong with sources, and why a run ends.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Something about one source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Problem {
    /// A reference leads to nothing that is collected.
    Missing {
        /// The logical name of the file that holds it.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// The whole match, as it is written.
        reference: String,
        /// The name that would have to exist.
        target: String,
        /// An existing name that is near.
        suggestion: Option<String>,
    },
    /// By Django's rules a reference becomes one to a name that nobody publishes.
    Dangling {
        /// The logical name of the file that holds it.
        file: String,
        /// The published name it now holds.
        target: String,
    },
    /// A style sheet or script that is to be rewritten is not UTF-8.
    NotUtf8 {
        /// Its logical name.
        file: String,
        /// The offset of the first byte that is not.
        offset: usize,
    },
    /// Files refer to each other in a circle: none can have a name from its content.
    Cycle {
        /// The logical names on the circle, each referring to the next and the last to the first.
        files: Vec<String>,
    },
    /// A name that cannot take a hash: Django reads names as URLs.
    Name {
        /// The logical name.
        file: String,
    },
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// A file was another one after each reading.
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// A source does not exist, or is no directory.
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
}

/// Why nothing was published. The last release is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The sources are not fit to be published.
    #[error("{} in the sources; nothing was published", count(.0.len()))]
    Problems(Vec<Problem>),
    /// The output is inside a source, or a source inside the output.
    #[error(
        "the output {} and the source {} overlap; choose another output", .output.display(), .source_directory.display()
    )]
    Nested {
        /// The output.
        output: PathBuf,
        /// The source.
        source_directory: PathBuf,
    },
    /// The system refused something while the release was built.
    #[error("{action} {}: {cause}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                file,
                line,
                column,
                reference,
                target,
                suggestion,
            } => {
                write!(
                    formatter,
                    "{file}:{line}:{column}: {reference}: there is no {target}"
                )?;
                match suggestion {
                    Some(near) => write!(formatter, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            Self::Dangling { file, target } => write!(
                formatter,
                "{file}: a reference becomes {target}, which is not published: by Django's rules one \
                 with a query or a trailing blank gets the hash of the file before rewriting"
            ),
            Self::NotUtf8 { file, offset } => {
                write!(
                    formatter,
                    "{file}: byte {offset} is not UTF-8; style sheets and scripts have to be"
                )
            }
            Self::Cycle { files } => write!(
                formatter,
                "{} refer to each other in a circle, so that no name can be made from their content",
                files.join(" → ")
            ),
            Self::Name { file } => {
                write!(
                    formatter,
                    "{file}: this name cannot take a hash, for it is no URL path (a backslash, or what reads as a host)"
                )
            }
            Self::Unreadable { path, cause } => write!(formatter, "{}: {cause}", path.display()),
            Self::Changing { path } => {
                write!(
                    formatter,
                    "{}: it changes while it is read; try again",
                    path.display()
                )
            }
            Self::NoDirectory { path } => {
                write!(
                    formatter,
                    "{}: a source has to be a directory, and this is none",
                    path.display()
                )
            }
        }
    }
}

fn count(number: usize) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} problem{plural}")
}
