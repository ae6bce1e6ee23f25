//! How long anything may take, told from outside: by what has arrived and what has been sent.
//! Limits are for the whole of a wait, so nothing that comes in drops may extend one.

use std::sync::OnceLock;
use std::time::Duration;

use whitering::internal::connection::{Settings, Tick, WRITE_PROGRESS_BYTES};

use crate::peer::Peer;

/// Notices a connection that waits for too long.
#[derive(Default)]
pub(crate) struct Watchdog {
    phase: Option<Phase>,
    since: Tick,
}

/// What a connection is waiting for. As long as this is the same, the same limit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first or next request; how many there were.
    Idle(usize),
    /// What follows one byte: a return may be of an empty line, which is not yet a request.
    Byte(usize),
    /// The rest of a head, by the number of its request.
    Head(usize),
    /// The rest of a body, and whether the peer was told to send it.
    Body(usize, bool),
    /// Room to send: by answers sent, and by what counts as progress.
    Write(usize, usize),
    /// The end of the peer.
    Linger,
}

impl Watchdog {
    pub(crate) fn check(&mut self, peer: &Peer, is_sending: bool, is_finished: bool, now: Tick) {
        let phase = phase(peer, is_sending, is_finished);
        if self.phase != Some(phase) {
            (self.phase, self.since) = (Some(phase), now);
        }
        let waited = self.waited_seconds(now);
        let limit = phase.limit().as_secs();
        assert!(waited <= limit + SLACK_SECONDS, "{phase:?} for {waited} s");
    }

    /// A deadline is due.
    pub(crate) fn check_due(&self, now: Tick) {
        if let Some(phase @ (Phase::Idle(_) | Phase::Body(..))) = self.phase {
            let waited = self.waited_seconds(now);
            assert!(
                waited >= phase.limit().as_secs(),
                "{phase:?} for {waited} s only"
            );
        }
    }

    fn waited_seconds(&self, now: Tick) -> u64 {
        u64::from(now.0 - self.since.0)
    }
}

impl Phase {
    fn limit(self) -> Duration {
        let settings = settings();
        match self {
            Self::Idle(0) | Self::Head(_) => settings.head_timeout,
            Self::Idle(_) | Self::Byte(_) => settings.idle_timeout,
            Self::Body(..) => settings.body_timeout,
            // Twice: the connection counts its progress from another byte on.
            Self::Write(..) => 2 * settings.write_timeout,
            Self::Linger => LINGER_TIMEOUT,
        }
    }
}

fn phase(peer: &Peer, is_sending: bool, is_finished: bool) -> Phase {
    let answered = peer.reader.answered_count;
    if is_finished {
        return Phase::Linger;
    }
    if is_sending {
        let progress = peer.reader.byte_count / WRITE_PROGRESS_BYTES as usize;
        return Phase::Write(answered, progress);
    }
    let mut start = 0;
    for (index, exchange) in peer.script.exchanges.iter().enumerate() {
        let end = start + exchange.bytes.len();
        if (start..end).contains(&peer.arrived) {
            return match peer.arrived - start {
                0 => Phase::Idle(index),
                1 => Phase::Byte(index),
                count if count < exchange.head_bytes => Phase::Head(index),
                _ => Phase::Body(index, peer.reader.is_continued),
            };
        }
        start = end;
    }
    Phase::Idle(peer.script.exchanges.len())
}

/// Limits of a few seconds, all different.
pub(crate) fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| Settings {
        hands_over: false,
        prior_knowledge: false,
        over_tls: false,
        head_bytes_max: 2_048,
        target_bytes_max: 1_024,
        body_bytes_max: 1_000,
        head_timeout: Duration::from_secs(3),
        body_timeout: Duration::from_secs(4),
        idle_timeout: Duration::from_secs(6),
        write_timeout: Duration::from_secs(5),
        cors: true,
    })
}

/// The same where what names no file is somebody else's.
pub(crate) fn handing_settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| Settings {
        hands_over: true,
        prior_knowledge: true,
        ..settings().clone()
    })
}

const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// A clock that is a second old, and a second until somebody looks.
const SLACK_SECONDS: u64 = 2;
