//! Several clients at once on the ring engine, which is told things at random moments: the
//! properties that must hold whatever the simulated kernel does.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded, unbounded};
use whitering::internal::reactor::uring::Engine;
use whitering::internal::reactor::{Inbox, Listener, Message, Options};
use whitering::internal::sys::event::Event;

use crate::buffers::Buffers;
use crate::kernel::{Faults, SimulatedKernel};
use crate::network::Network;
use crate::others::{MARK, Others};
use crate::peer::Peer;
use crate::prng::Prng;
use crate::site::{Site, sites};
use crate::watchdog::{handing_settings, settings};

/// Runs the simulation of `seed`; panics if something is not right. Returns the statuses the
/// clients have seen.
pub(crate) fn run(seed: u64) -> Vec<u16> {
    Simulation::generate(seed, false).run()
}

/// The same on a kernel that delivers one completion twice.
pub(crate) fn run_with_a_doubled_completion(seed: u64) -> Vec<u16> {
    Simulation::generate(seed, true).run()
}

/// `peers` on a kernel that does all it can, in the order that `seed` says.
pub(crate) fn run_without_faults(seed: u64, peers: Vec<Peer>) {
    let prng = Prng::new(seed);
    Simulation::new(prng, peers, Faults::default(), HandsOver::Nothing).run();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandsOver {
    Nothing,
    WhatNamesNoFile,
    /// By the mark of the listener.
    Everything,
}

struct Simulation {
    prng: Prng,
    engine: Engine<SimulatedKernel>,
    messages: Sender<Message>,
    event: Arc<Event>,
    /// The other end of the listener.
    listener: UnixStream,
    releases: &'static [Site],
    /// Who takes connections over.
    others: Others,
    /// One in this many turns brings a message.
    drain_rarity: Option<usize>,
    stop_rarity: Option<usize>,
    draining: bool,
    stopping: bool,
    may_cut: bool,
}

impl Simulation {
    fn generate(seed: u64, doubles: bool) -> Self {
        let mut prng = Prng::new(seed);
        let switches = prng.one_in(4);
        let releases: &'static [Site] = if switches { sites() } else { &sites()[..1] };
        let faults = faults(&mut prng, doubles);
        let count = prng.range(2..6);
        let hands_over = !doubles && prng.one_in(3);
        let mut peers: Vec<Peer> = (0..count)
            .map(|_| Peer::generate(&mut prng, releases, hands_over))
            .collect();
        for peer in &mut peers {
            peer.reader.allowed.timeout = faults.tick.is_some();
            peer.reader.allowed.failing_opens = faults.open_failure.is_some();
        }
        let hands_over = match (hands_over, prng.one_in(10)) {
            (false, _) => HandsOver::Nothing,
            (true, false) => HandsOver::WhatNamesNoFile,
            (true, true) => HandsOver::Everything,
        };
        let mut simulation = Self::new(prng, peers, faults, hands_over);
        simulation.releases = releases;
        simulation.drain_rarity = simulation.prng.one_in(4).then_some(200);
        simulation.stop_rarity = simulation.prng.one_in(6).then_some(200);
        simulation
    }

    /// Sizes are by chance, but nothing is said to the engine before all is done.
    fn new(mut prng: Prng, peers: Vec<Peer>, faults: Faults, hands_over: HandsOver) -> Self {
        let others = Others::default();
        let may_cut = faults.tick.is_some();
        let (mut engine_options, buffers) = sizes(&mut prng);
        if hands_over != HandsOver::Nothing {
            engine_options.settings = handing_settings().clone();
        }
        let mut kernel =
            SimulatedKernel::new(Prng::new(prng.next()), Network::new(peers), buffers, faults);
        kernel.opened.kept_count_max = engine_options.file_count_max;
        let (messages, inbox) = unbounded();
        let event = Arc::new(Event::new().unwrap());
        let inbox = Inbox {
            outlet: (hands_over != HandsOver::Nothing).then(|| others.outlet()),
            messages: inbox,
            event: Arc::clone(&event),
            notices: bounded(1).0,
        };
        let (listener, other_end) = UnixStream::pair().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listeners = vec![Listener {
            hands_over: (hands_over == HandsOver::Everything).then_some(MARK),
            socket: OwnedFd::from(other_end),
            shared: false,
            inherited: prng.one_in(2),
        }];
        let releases = &sites()[..1];
        let published = Arc::clone(&releases[0].published);
        Self {
            engine: Engine::new(kernel, engine_options, inbox, published, listeners),
            messages,
            event,
            listener,
            releases,
            others,
            drain_rarity: None,
            stop_rarity: None,
            draining: false,
            stopping: false,
            may_cut,
            prng,
        }
    }

    fn run(mut self) -> Vec<u16> {
        self.engine.start();
        let mut turns_since_end = 0;
        for turn in 0.. {
            if self.engine.is_over() {
                break;
            }
            self.disturb();
            self.engine.turn().unwrap();
            self.others.take(self.engine.kernel());
            turns_since_end += usize::from(self.draining);
            let is_late = turns_since_end > TURN_COUNT_MAX || turn > 10 * TURN_COUNT_MAX;
            assert!(
                !is_late,
                "does not end: {:?}",
                self.engine.kernel().pending()
            );
        }
        self.finish()
    }

    fn disturb(&mut self) {
        let kernel = self.engine.kernel();
        if self.prng.one_in(3) {
            kernel.network.arrive();
        }
        kernel.network.disturb(&mut self.prng);
        self.others.close_some(&mut self.prng);
        let is_done = kernel.network.is_done();
        if self.releases.len() > 1 && self.prng.one_in(20) {
            let release = &self.releases[self.prng.below(2)];
            self.tell(Message::Publish(Arc::clone(&release.published)));
        }
        let drains = self
            .drain_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity));
        if !self.draining && (is_done || drains) {
            // What has not been accepted by now may not be any more.
            self.may_cut |= !is_done;
            self.end(Message::Drain);
        }
        let stops = self
            .stop_rarity
            .is_some_and(|rarity| self.prng.one_in(rarity));
        if !self.stopping && stops {
            self.may_cut = true;
            self.stopping = true;
            self.end(Message::Stop);
        }
    }

    fn end(&mut self, message: Message) {
        self.draining = true;
        self.engine.kernel().network.allow_draining();
        self.tell(message);
    }

    fn tell(&mut self, message: Message) {
        self.messages.send(message).unwrap();
        self.event.signal();
        self.engine.kernel().woken = true;
    }

    fn finish(mut self) -> Vec<u16> {
        assert_eq!(self.engine.ended().panic_count, 0);
        assert_eq!(self.engine.connection_count(), 0);
        self.others.close();
        let kernel = self.engine.kernel();
        assert_eq!(kernel.network.open_count(), 0, "sockets are not closed");
        assert_eq!(kernel.buffers.missing_count(), 0, "buffers are not back");
        let pending = kernel.pending();
        assert!(
            pending.is_empty(),
            "{pending:?} is in flight behind the end"
        );
        let opened = std::mem::take(&mut kernel.opened);
        let network = std::mem::replace(&mut kernel.network, Network::new(Vec::new()));
        drop(self.engine);
        assert!(is_closed(&self.listener), "the listener is not closed");
        assert_eq!(opened.open_count(), 0, "files are not closed");
        network.finish(self.may_cut)
    }
}

/// Few of everything, so that it is used up.
fn sizes(prng: &mut Prng) -> (Options, Buffers) {
    let options = Options {
        settings: settings().clone(),
        connection_count_max: u32::try_from(prng.range(1..6)).unwrap(),
        file_count_max: prng.range(1..3),
        cpu: None,
    };
    let buffers = Buffers::new(prng.range(2..5), prng.pick(&[64, 300, 2_000]));
    (options, buffers)
}

fn faults(prng: &mut Prng, doubles: bool) -> Faults {
    let mut rarity = |seldom: usize, rarity: usize| prng.one_in(seldom).then_some(rarity);
    Faults {
        multishot_end: rarity(2, 4),
        failure: rarity(4, 100),
        open_failure: rarity(4, 3),
        cold: rarity(2, 4),
        tick: rarity(4, 30),
        emfile: rarity(3, 2),
        doubles,
    }
}

fn is_closed(mut witness: &UnixStream) -> bool {
    matches!(std::io::Read::read(&mut witness, &mut [0]), Ok(0))
}

/// An engine that was told to end does so within as many turns.
const TURN_COUNT_MAX: usize = 20_000;
