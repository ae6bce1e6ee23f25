//! Which engine runs here, and why.

use std::fmt;
use std::io;

use crate::config::EngineChoice;
use crate::sys::kernel::Kernel;
use crate::sys::uring::{self, Features};

/// What moves the bytes.
///
/// ```
/// assert_eq!(whitering::Engine::Uring.to_string(), "io_uring");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Completions of an io_uring.
    Uring,
    /// Readiness from epoll.
    Epoll,
}

/// What `--engine auto` would choose, and what the kernel's io_uring offers.
///
/// ```
/// let probe = whitering::probe();
/// for (name, is_there) in &probe.features {
///     println!("{name}: {is_there}");
/// }
/// assert_eq!(probe.reason.is_some(), probe.engine == whitering::Engine::Epoll);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The engine that would run.
    pub engine: Engine,
    /// Why it is not io_uring.
    pub reason: Option<String>,
    /// Every feature that was tried, by its kernel name.
    pub features: Vec<(&'static str, bool)>,
}

/// What a server runs on.
#[derive(Debug, Clone)]
pub(super) enum Chosen {
    Uring {
        features: Features,
        /// Whether a worker may do without.
        may_fall_back: bool,
    },
    Epoll {
        note: Option<String>,
    },
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Uring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

impl Chosen {
    pub(super) const fn engine(&self) -> Engine {
        match self {
            Self::Uring { .. } => Engine::Uring,
            Self::Epoll { .. } => Engine::Epoll,
        }
    }

    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::Uring { .. } => None,
            Self::Epoll { note } => note.clone(),
        }
    }
}

/// Tries what this kernel's io_uring can do. Nothing is left behind.
///
/// ```
/// let probe = whitering::probe();
/// println!("{} {:?}", probe.engine, probe.reason);
/// ```
pub fn probe() -> Probe {
    match usable_features() {
        Ok(features) => Probe {
            engine: Engine::Uring,
            reason: None,
            features: features.list().to_vec(),
        },
        Err(Unusable { reason, features }) => Probe {
            engine: Engine::Epoll,
            reason: Some(reason),
            features: features.unwrap_or(NO_FEATURES).list().to_vec(),
        },
    }
}

/// Chooses the engine; the error says why `--engine uring` cannot be had.
pub(super) fn choose(choice: EngineChoice) -> Result<Chosen, String> {
    if choice == EngineChoice::Epoll {
        return Ok(Chosen::Epoll { note: None });
    }
    match (usable_features(), choice) {
        (Ok(features), _) => Ok(Chosen::Uring {
            features,
            may_fall_back: choice == EngineChoice::Auto,
        }),
        (Err(unusable), EngineChoice::Uring) => Err(unusable.reason),
        (Err(unusable), _) => Ok(Chosen::Epoll {
            note: Some(unusable.reason),
        }),
    }
}

struct Unusable {
    reason: String,
    features: Option<Features>,
}

fn usable_features() -> Result<Features, Unusable> {
    let features = uring::probe().map_err(|error| Unusable {
        reason: refusal(&error),
        features: None,
    })?;
    match features.missing() {
        None => Ok(features),
        Some(name) => Err(Unusable {
            reason: format!("this kernel's io_uring lacks {name}; Linux 6.0 has everything needed"),
            features: Some(features),
        }),
    }
}

/// Why `io_uring_setup(2)` was refused, in the words of who can change it.
fn refusal(error: &io::Error) -> String {
    match (error.raw_os_error(), Kernel::read().io_uring_disabled) {
        (Some(libc::EPERM), Some(value @ 1..)) => {
            format!("io_uring is forbidden: the sysctl kernel.io_uring_disabled is {value}")
        }
        (Some(libc::EPERM), _) => {
            "io_uring is forbidden (EPERM), probably by a seccomp profile such as Docker's default"
                .to_owned()
        }
        (Some(libc::ENOSYS), _) => {
            "io_uring is not there (ENOSYS): the kernel lacks it, or a seccomp profile hides it"
                .to_owned()
        }
        (Some(libc::ENOMEM), _) => {
            "io_uring gets no memory (ENOMEM); raise RLIMIT_MEMLOCK (ulimit -l)".to_owned()
        }
        _ => format!("io_uring could not be set up: {error}"),
    }
}

const NO_FEATURES: Features = Features {
    single_issuer: false,
    defer_taskrun: false,
    coop_taskrun: false,
    submit_all: false,
    no_sqarray: false,
    registered_ring: false,
    no_iowait: false,
    no_drop: false,
    buffer_ring: false,
    multishot_accept: false,
    multishot_receive: false,
    openat2: false,
};
