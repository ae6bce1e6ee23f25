//! What the integration tests share: one test per engine, the server process, a strict client,
//! sites on disk and the system calls they need. No test cases.

/// Defines a case once and runs it as one test per engine: `name::uring` and `name::epoll`.
macro_rules! reactor_test {
    ($(#[$meta:meta])* $name:ident, |$engine:ident| $body:block) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every case names something of its file")]
            use super::*;

            fn case($engine: crate::support::Engine) $body

            #[test]
            fn uring() {
                crate::support::run(crate::support::Engine::Uring, case);
            }

            #[test]
            fn epoll() {
                crate::support::run(crate::support::Engine::Epoll, case);
            }
        }
    };
}

pub(crate) mod client;
pub(crate) mod exchange;
pub(crate) mod http2;
pub(crate) mod response;
pub(crate) mod sandbox;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod tls;
pub(crate) mod upstream;

use std::time::{Duration, Instant};

/// One of the two reactors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Uring,
    Epoll,
}

impl Engine {
    /// The value of `--engine`.
    pub(crate) const fn flag(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        }
    }

    /// The name in the start-up line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// Runs `case` on `engine`, or says that this machine has none.
pub(crate) fn run(engine: Engine, case: fn(Engine)) {
    if engine == Engine::Epoll || has_io_uring() {
        case(engine);
    }
}

/// Whether io_uring can be used here; says so if not.
pub(crate) fn has_io_uring() -> bool {
    let ring = io_uring::IoUring::new(8);
    if let Err(error) = &ring {
        skip(&format!("io_uring is not available here: {error}"));
    }
    ring.is_ok()
}

/// Says why a test did not run.
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Asks `condition` until it holds; fails if it does not within `limit`.
pub(crate) fn eventually(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Long enough for anything that should happen at once, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);
