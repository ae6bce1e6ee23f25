//! The client: sends its script as it likes, reads as it likes, and leaves as it likes.

use std::rc::Rc;

use crate::prng::Prng;
use crate::reader::Reader;
use crate::script::{Exchange, Script};
use crate::site::Site;

pub(crate) struct Peer {
    pub(crate) script: Rc<Script>,
    pub(crate) reader: Reader,
    pub(crate) ending: Ending,
    pub(crate) releases: &'static [Site],
    /// Everything it will send, and how much of that has arrived.
    bytes: Vec<u8>,
    pub(crate) arrived: usize,
    pipelines: bool,
    /// It sends on behind the last answer.
    is_stubborn: bool,
    pub(crate) half_closed: bool,
    /// How much it is willing to read; none is everything.
    window: Option<usize>,
    /// How many bytes of an endless request it may have sent by now.
    trickled: usize,
    /// Somebody else goes on.
    pub(crate) handed_over: bool,
    /// From its first byte on.
    pub(crate) was_unread: bool,
}

/// What a peer does when its script is at its end, or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Says that it will send nothing more.
    HalfClose,
    /// Says nothing.
    Silence,
    /// Is gone at any moment.
    Reset,
    /// Begins another request, and sends a byte of its head in a second.
    TrickleHead,
    /// The same with a body.
    TrickleBody,
    /// Stops reading.
    NeverRead,
    /// Reads a few bytes in a second.
    TrickleRead,
    /// Sends requests and never reads.
    Flood,
}

impl Peer {
    pub(crate) fn generate(prng: &mut Prng, releases: &'static [Site], hands_over: bool) -> Self {
        let ending = match prng.below(100) {
            0..35 => Ending::HalfClose,
            35..70 => Ending::Silence,
            70..77 => Ending::Reset,
            77..84 => Ending::TrickleHead,
            84..91 => Ending::TrickleBody,
            91..96 => Ending::NeverRead,
            96..99 => Ending::TrickleRead,
            _ => Ending::Flood,
        };
        let mut script = match ending {
            Ending::Flood => Script::flood(releases),
            _ => Script::generate(prng, releases, hands_over),
        };
        match ending {
            Ending::TrickleHead => script
                .exchanges
                .push(Exchange::endless(ENDLESS_HEAD, 1_000)),
            Ending::TrickleBody => script.exchanges.push(Exchange::endless(ENDLESS_BODY, 900)),
            _ => {}
        }
        let mut peer = Self::new(script, ending, releases);
        peer.pipelines = ending == Ending::Flood || prng.one_in(2);
        peer.is_stubborn = prng.one_in(2);
        peer.trickled = prng.range(1..ENDLESS_HEAD.len());
        peer.window = match ending {
            Ending::Flood => Some(0),
            Ending::NeverRead | Ending::TrickleRead => Some(prng.below(1_000)),
            _ => None,
        };
        peer
    }

    /// A peer that reads everything, and waits for each answer.
    pub(crate) fn new(script: Script, ending: Ending, releases: &'static [Site]) -> Self {
        let script = Rc::new(script);
        Self {
            bytes: script.bytes(),
            reader: Reader::new(Rc::clone(&script)),
            script,
            ending,
            releases,
            arrived: 0,
            pipelines: false,
            is_stubborn: false,
            half_closed: false,
            window: None,
            trickled: 0,
            handed_over: false,
            was_unread: false,
        }
    }

    /// How many bytes may arrive now.
    pub(crate) fn sendable(&self) -> usize {
        let (answered, continued) = (self.reader.answered_count, self.reader.is_continued);
        let mut end = match self.reader.is_over {
            // It has been told to stop, and does so, or not.
            true if self.is_stubborn => self.bytes.len(),
            true => self.arrived,
            false => self.script.sendable(answered, continued, self.pipelines),
        };
        if matches!(self.ending, Ending::TrickleHead | Ending::TrickleBody) {
            end = end.min(self.script.start(self.script.exchanges.len() - 1) + self.trickled);
        }
        end.saturating_sub(self.arrived)
    }

    /// The next bytes that arrive.
    pub(crate) fn send(&mut self, count_max: usize, prng: &mut Prng) -> Vec<u8> {
        let count = prng.piece(self.sendable().min(count_max));
        let start = self.arrived;
        self.arrived += count;
        self.bytes[start..self.arrived].to_vec()
    }

    /// Whether the peer now says that nothing more comes.
    pub(crate) fn ends(&self) -> bool {
        let is_done = self.arrived == self.bytes.len() || self.reader.is_over;
        self.ending == Ending::HalfClose && is_done && !self.half_closed
    }

    /// Whether the peer is gone all of a sudden.
    pub(crate) fn resets(&self, prng: &mut Prng) -> bool {
        self.ending == Ending::Reset && prng.one_in(20)
    }

    /// How many bytes the peer is willing to read now.
    pub(crate) fn window(&self) -> usize {
        self.window
            .map_or(usize::MAX, |window| window - self.reader.byte_count)
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
    }

    /// The file of the answer that comes next could not be opened.
    pub(crate) fn on_open_failed(&mut self, status: u16) {
        if self.releases.len() > 1 {
            // Which answer that is depends on the release it is of.
            self.reader.allowed.failing_opens = true;
            return;
        }
        let from_file = |index: &usize| {
            let answers = &self.script.exchanges[*index].answers;
            answers.iter().any(|answer| answer.from_file)
        };
        let index = (self.reader.answered_count..self.script.exchanges.len())
            .find(from_file)
            .expect("nothing has to be opened");
        self.reader.allowed.failed_opens.push((index, status));
    }

    /// Somebody else goes on with `received`, and with what has not arrived yet. Invariant: not a
    /// byte is lost, or there twice.
    pub(crate) fn on_handed_over(&mut self, received: &[u8], half_closed: bool) {
        assert!(!self.handed_over, "handed over twice");
        self.handed_over = true;
        let head = self.script.handed_over().expect("handed over for nothing");
        assert!(!self.reader.is_over && self.reader.is_between_answers());
        assert_eq!(self.reader.answered_count, self.script.answered_count());
        assert!(self.arrived >= head.end, "handed over before its head");
        assert!(
            *received == self.bytes[head.start..self.arrived],
            "other bytes than those that arrived"
        );
        // Its end may be on its way.
        assert!(!half_closed || self.half_closed);
        self.reader.statuses.push(HANDED_OVER);
    }

    /// The same for a connection of which nobody has read anything.
    pub(crate) fn on_handed_over_unread(&mut self) {
        assert!(!self.handed_over, "handed over twice");
        (self.handed_over, self.was_unread) = (true, true);
        assert_eq!((self.arrived, self.reader.byte_count), (0, 0));
        self.reader.statuses.push(HANDED_OVER);
    }

    pub(crate) fn on_tick(&mut self) {
        self.trickled += 1;
        if let (Ending::TrickleRead, Some(window)) = (self.ending, &mut self.window) {
            *window += 10;
        }
    }

    pub(crate) fn reads_all(&self) -> bool {
        self.window.is_none()
    }

    /// Invariant: a connection that cannot send takes in a bounded amount.
    pub(crate) fn check_limits(&self) {
        // Behind the last answer, which any may be while draining, nothing is kept.
        if self.ending == Ending::Flood && !self.reader.allowed.draining {
            assert!(
                self.arrived <= ARRIVED_BYTES_MAX,
                "{} bytes taken in",
                self.arrived
            );
        }
    }
}

/// Stands among the statuses for a connection that is not answered here any more.
pub(crate) const HANDED_OVER: u16 = 0;

const ENDLESS_HEAD: &str = "GET / HTTP/1.1\r\nHost: a.example\r\nX: ";
const ENDLESS_BODY: &str = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 990\r\n\r\n";

/// What arrives at once.
pub(crate) const READ_BYTES_MAX: usize = 8 * 1024;

/// The requests behind one buffer of answers, 32 KiB that are kept, and what arrives before the
/// receiving stops.
const ARRIVED_BYTES_MAX: usize = 4 * 1024 + 32 * 1024 + 2 * READ_BYTES_MAX;
