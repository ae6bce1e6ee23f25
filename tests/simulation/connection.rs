//! One connection between a scripted peer and a hostile socket: everything that can happen does,
//! in the order the seed says. What is right is in `model`, how long it may take in `watchdog`.

use std::sync::Arc;

use whitering::internal::connection::{
    BodyPart, Connection, Loan, OpenError, SEND_BUFFER_BYTES, Want,
};

use crate::peer::{Ending, Peer, READ_BYTES_MAX};
use crate::prng::Prng;
use crate::site::{Site, sites};
use crate::watchdog::{Watchdog, handing_settings};
use crate::world::{World, hold};

/// Runs the simulation of `seed`; panics if something is not right. Returns the statuses the
/// peer has seen.
pub(crate) fn run(seed: u64) -> Vec<u16> {
    let mut simulation = Simulation::new(seed);
    while !simulation.is_done() {
        simulation.step();
    }
    simulation.finish()
}

struct Simulation {
    prng: Prng,
    connection: Connection,
    world: World,
    peer: Peer,
    watchdog: Watchdog,
    /// What the socket is sending.
    loan: Option<Loan>,
    /// A file is being opened.
    opening: bool,
    /// The sending side is shut down.
    finished: bool,
    /// The socket failed, or a file did.
    broken: bool,
    /// One in this many events is a fault of the socket or a file.
    fault_rarity: Option<usize>,
    /// One in this many steps takes time although something else could happen.
    tick_rarity: Option<usize>,
    drain_rarity: Option<usize>,
    /// One in this many steps brings bytes that were on their way when receiving stopped.
    late_rarity: Option<usize>,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Receive,
    ReceiveEnd,
    Begin,
    Sent,
    Opened,
    FileSent,
    Finish,
    HandOver,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let switches = prng.one_in(8);
        let releases: &'static [Site] = if switches { sites() } else { &sites()[..1] };
        let hands_over = prng.one_in(3);
        let peer = Peer::generate(&mut prng, releases, hands_over);
        let mut world = World::new(&releases[0]);
        if hands_over {
            world.settings = handing_settings();
        }
        let connection = world.with(|context| Connection::new(context));
        let mut simulation = Self {
            connection,
            world,
            peer,
            watchdog: Watchdog::default(),
            loan: None,
            opening: false,
            finished: false,
            broken: false,
            fault_rarity: prng.one_in(4).then_some(30),
            tick_rarity: prng.one_in(4).then_some(20),
            drain_rarity: prng.one_in(8).then_some(50),
            late_rarity: (hands_over && prng.one_in(2)).then_some(3),
            prng,
        };
        simulation.peer.reader.allowed.timeout = simulation.tick_rarity.is_some();
        simulation
    }

    fn is_done(&self) -> bool {
        self.peer.handed_over || (self.connection.is_over() && !self.is_busy())
    }

    fn is_busy(&self) -> bool {
        self.loan.is_some() || self.opening
    }

    fn step(&mut self) {
        self.disturb();
        let mut events = self.events();
        let is_late = self
            .late_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity));
        if is_late && !self.peer.half_closed && self.peer.ending != Ending::Flood {
            self.add_late(&mut events);
        }
        let waits = self
            .tick_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity));
        if events.is_empty() || waits {
            self.tick();
        } else {
            let event = self.prng.pick(&events);
            self.apply(event);
        }
        self.peer.check_limits();
        if !self.connection.is_over() && !self.peer.handed_over {
            self.check_waiting();
        }
    }

    /// Bytes, or their end, that had arrived when the connection said that it takes no more.
    fn add_late(&self, events: &mut Vec<Event>) {
        if self.connection.may_receive() {
            return;
        }
        if self.peer.sendable() > 0 {
            events.push(Event::Receive);
        } else if self.peer.ends() {
            events.push(Event::ReceiveEnd);
        }
    }

    fn check_waiting(&mut self) {
        let is_waiting = !self.is_busy() && self.connection.want() == Want::Receive;
        let has_ended = self.finished || !self.peer.reader.is_over;
        assert!(
            has_ended || !is_waiting,
            "the last answer was not the last event"
        );
        let is_sending = !is_waiting && !self.finished;
        self.watchdog
            .check(&self.peer, is_sending, self.finished, self.world.now);
    }

    /// What happens to a connection without having been asked for.
    fn disturb(&mut self) {
        if self
            .drain_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity))
            && !self.world.draining
        {
            self.world.draining = true;
            self.peer.reader.allowed.draining = true;
            self.world.with(|context| self.connection.on_drain(context));
        }
        if self.peer.releases.len() > 1 && self.prng.one_in(10) {
            self.world.held = hold(&self.peer.releases[self.prng.below(2)]);
        }
        if self.peer.resets(&mut self.prng) {
            self.fail();
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(2);
        let is_over = self.connection.is_over();
        let may_receive = self.connection.may_receive();
        if may_receive && self.peer.sendable() > 0 {
            events.push(Event::Receive);
        } else if self.peer.ends() && (may_receive || (is_over && self.is_busy())) {
            // What was on its way still comes to a connection that is over.
            events.push(Event::ReceiveEnd);
        }
        let has_room = self.peer.window() > 0;
        if self.loan.is_some() {
            // A socket gives up what it is sending for a connection that is over.
            events.extend((has_room || is_over).then_some(Event::Sent));
        } else if self.opening {
            events.push(Event::Opened);
        } else {
            match self.connection.want() {
                Want::Send | Want::Open => events.push(Event::Begin),
                Want::SendFile => events.extend(has_room.then_some(Event::FileSent)),
                Want::Finish => events.push(Event::Finish),
                Want::HandOver => events.push(Event::HandOver),
                Want::Receive | Want::Close | Want::Abort => {}
            }
        }
        events
    }

    fn apply(&mut self, event: Event) {
        let faults = self
            .fault_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity));
        match event {
            Event::Receive if faults => self.fail(),
            Event::Receive => {
                let bytes = self.peer.send(READ_BYTES_MAX, &mut self.prng);
                self.world
                    .with(|context| self.connection.on_received(&bytes, context));
            }
            Event::ReceiveEnd => {
                self.peer.half_closed = true;
                self.connection.on_end();
            }
            Event::Begin => {
                assert!(!self.finished, "sending goes on behind its end");
                self.begin();
            }
            Event::Sent => self.on_sent(faults),
            Event::Opened => self.on_opened(),
            Event::FileSent => self.send_file(faults),
            Event::HandOver => self.hand_over(),
            Event::Finish => {
                assert!(!self.finished);
                self.finished = true;
                self.world
                    .with(|context| self.connection.on_finished(context));
            }
        }
    }

    fn hand_over(&mut self) {
        let received = self.connection.take_received();
        let half_closed = self.connection.is_half_closed();
        self.peer.on_handed_over(&received, half_closed);
        assert!(self.connection.take_received().is_empty(), "there twice");
    }

    fn fail(&mut self) {
        self.broken = true;
        self.connection.on_error();
    }

    fn begin(&mut self) {
        if self.connection.want() == Want::Open {
            self.opening = true;
            return;
        }
        let loan = self.connection.lend();
        assert!(
            loan.buffer.capacity() <= BUFFER_BYTES_MAX,
            "{} bytes kept",
            loan.buffer.capacity()
        );
        self.loan = Some(loan);
    }

    fn on_sent(&mut self, faults: bool) {
        let loan = self.loan.take().unwrap();
        let body = loan
            .body
            .as_ref()
            .map_or(&[][..], |part| part.bytes().unwrap());
        let head = &loan.buffer[loan.from..];
        let room = self.peer.window().min(head.len() + body.len());
        if faults || room == 0 {
            self.broken |= faults;
            return self.connection.on_send_failed(loan.buffer);
        }
        let count = self.prng.piece(room);
        let from_head = count.min(head.len());
        self.peer.receive(&head[..from_head]);
        self.peer.receive(&body[..count - from_head]);
        self.world
            .with(|context| self.connection.on_sent(loan.buffer, count, context));
    }

    fn on_opened(&mut self) {
        self.opening = false;
        if self.fault_rarity.is_none() || self.prng.one_in(2) {
            return self.connection.on_opened();
        }
        let (error, status) = self
            .prng
            .pick(&[(OpenError::Missing, 404), (OpenError::Unavailable, 503)]);
        self.peer.on_open_failed(status);
        self.world
            .with(|context| self.connection.on_open_failed(error, context));
    }

    fn send_file(&mut self, faults: bool) {
        if faults {
            self.broken = true;
            return match self.prng.below(2) {
                0 => self.connection.on_file_changed(),
                _ => self.connection.on_error(),
            };
        }
        let part = self.connection.file_part().unwrap().clone();
        let range = index(part.range().start)..index(part.range().end);
        let count = self.prng.piece(range.len().min(self.peer.window()));
        let bytes = self.file(&part);
        self.peer.receive(&bytes[range][..count]);
        self.world
            .with(|context| self.connection.on_file_sent(count, context));
    }

    /// The bytes of the file that `part` is from.
    fn file(&self, part: &BodyPart) -> &'static [u8] {
        let held = part.source().held();
        let release = self
            .peer
            .releases
            .iter()
            .find(|site| Arc::ptr_eq(&site.published, held));
        let file = part.source().file().unwrap();
        release.unwrap().file(file.path.to_str().unwrap())
    }

    fn tick(&mut self) {
        self.world.now.0 += 1;
        self.peer.on_tick();
        if self.connection.deadline() <= self.world.now && !self.connection.is_over() {
            if !self.world.draining {
                self.watchdog.check_due(self.world.now);
            }
            self.world
                .with(|context| self.connection.on_deadline(context));
        }
    }

    fn finish(mut self) -> Vec<u16> {
        let aborted = self.connection.want() == Want::Abort;
        self.connection.release(&mut self.world.pool);
        assert_eq!(self.world.pool.lent_count(), 0, "buffers are lost");
        let Self { peer, broken, .. } = self;
        let may_time_out = self.tick_rarity.is_some() || !peer.reads_all();
        let may_abort = broken || may_time_out;
        assert!(!aborted || may_abort, "aborted for nothing");
        assert!(
            aborted || peer.reader.is_between_answers(),
            "an answer is cut off"
        );
        // What has been received is right: the reader has seen to that.
        if may_abort || self.world.draining {
            return peer.reader.statuses;
        }
        assert_eq!(
            peer.reader.answered_count,
            peer.script.answered_count(),
            "answers are missing"
        );
        let is_for_others = peer.script.handed_over().is_some();
        assert_eq!(peer.handed_over, is_for_others, "not handed over");
        peer.reader.statuses
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// What one connection may keep for its answers: a buffer, or more for several parts.
const BUFFER_BYTES_MAX: usize = 2 * SEND_BUFFER_BYTES;
