//! What connections are held to, and what their events may use besides the connection itself.
//! Decides nothing.

use std::time::Duration;

use super::buffers::BufferPool;
use super::outgoing::Held;
use crate::assets::Policy;
use crate::http::head::DATE_BYTES;

/// What connections are held to. Waits are counted in whole seconds, rounded up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest request head in bytes.
    pub head_bytes_max: usize,
    /// Longest request target in bytes.
    pub target_bytes_max: usize,
    /// Longest request body that is read and dropped, in bytes.
    pub body_bytes_max: u64,
    /// For a whole head, counted from its first byte or from the start of the connection.
    pub head_timeout: Duration,
    /// For a whole body.
    pub body_timeout: Duration,
    /// Between requests.
    pub idle_timeout: Duration,
    /// For each [`super::WRITE_PROGRESS_BYTES`] of answers, or what is left of them.
    pub write_timeout: Duration,
    /// Whether CORS preflights are answered.
    pub cors: bool,
    /// Whether a connection is handed over at its first request that names no file.
    pub hands_over: bool,
    /// Whether a connection that begins as HTTP/2 is handed over (RFC 9113 §3.3).
    pub prior_knowledge: bool,
    /// Whether connections are secured, so that https targets are at home.
    pub over_tls: bool,
}

/// What an event may use besides the connection itself.
pub struct Context<'a> {
    /// What new requests are answered from.
    pub held: &'a Held,
    /// What the worker holds its connections to.
    pub settings: &'a Settings,
    /// The worker's clock.
    pub now: Tick,
    /// The wall clock, in seconds since 1970.
    pub unix_seconds: u64,
    /// The wall clock as the value of `Date`.
    pub date: &'a [u8; DATE_BYTES],
    /// Whether connections are to end as soon as their requests are answered.
    pub draining: bool,
    /// Buffers for what is sent and kept.
    pub pool: &'a mut BufferPool,
    /// Room for a decoded path.
    pub path_scratch: &'a mut Vec<u8>,
}

/// Seconds on the worker's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u32);

impl Tick {
    /// Later than any other.
    pub const NEVER: Self = Self(u32::MAX);
}

impl Context<'_> {
    /// The first tick at which at least `wait` has passed: `now` may be a tick old.
    pub(super) fn after(&self, wait: Duration) -> Tick {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0) + 1;
        Tick(
            self.now
                .0
                .saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX)),
        )
    }

    /// What answers depend on besides the request and the files.
    pub(super) const fn policy(&self) -> Policy {
        Policy {
            cors: self.settings.cors,
            has_fallback: self.settings.hands_over,
            unix_seconds: self.unix_seconds,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            target_bytes_max: 8 * 1024,
            body_bytes_max: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            cors: true,
            hands_over: false,
            prior_knowledge: false,
            over_tls: false,
        }
    }
}
