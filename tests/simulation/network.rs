//! The clients of a simulated ring, and the sockets they are connected with. Each socket is one
//! end of a real pair, so that its other end tells whether it has been closed.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::peer::Peer;
use crate::prng::Prng;

pub(crate) struct Network {
    clients: Vec<Client>,
    /// Which client has a descriptor now.
    by_descriptor: HashMap<RawFd, usize>,
    /// The next client to connect.
    next: usize,
    /// How many have tried to connect.
    pub(crate) arrived: usize,
}

struct Client {
    peer: Peer,
    /// The other end of its socket, once it is accepted.
    witness: Option<UnixStream>,
    /// The connection has failed, on whichever side.
    failed: bool,
    finished: bool,
    aborted: bool,
}

impl Network {
    pub(crate) fn new(peers: Vec<Peer>) -> Self {
        let client = |peer| Client {
            peer,
            witness: None,
            failed: false,
            finished: false,
            aborted: false,
        };
        Self {
            clients: peers.into_iter().map(client).collect(),
            by_descriptor: HashMap::new(),
            next: 0,
            arrived: 0,
        }
    }

    /// Another client tries to connect.
    pub(crate) fn arrive(&mut self) {
        self.arrived = (self.arrived + 1).min(self.clients.len());
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.next < self.arrived
    }

    pub(crate) fn accept(&mut self) -> OwnedFd {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        self.by_descriptor.insert(ours.as_raw_fd(), self.next);
        self.clients[self.next].witness = Some(theirs);
        self.next += 1;
        ours.into()
    }

    pub(crate) fn client(&self, descriptor: RawFd) -> usize {
        self.by_descriptor[&descriptor]
    }

    /// Whether the engine still has the socket of a client.
    pub(crate) fn is_open(&self, client: usize) -> bool {
        let Some(mut witness) = self.clients[client].witness.as_ref() else {
            return false;
        };
        matches!(witness.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    pub(crate) fn open_count(&self) -> usize {
        (0..self.clients.len())
            .filter(|client| self.is_open(*client))
            .count()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.next == self.clients.len() && self.open_count() == 0
    }

    pub(crate) fn is_gone(&self, client: usize) -> bool {
        self.clients[client].failed
    }

    pub(crate) fn fail(&mut self, client: usize) {
        self.clients[client].failed = true;
    }

    pub(crate) fn sendable(&self, client: usize) -> usize {
        self.clients[client].peer.sendable()
    }

    /// Bytes of a client that arrive.
    pub(crate) fn send(&mut self, client: usize, count_max: usize, prng: &mut Prng) -> Vec<u8> {
        let peer = &mut self.clients[client].peer;
        let bytes = peer.send(count_max, prng);
        peer.check_limits();
        bytes
    }

    /// Whether a client's stream is at its end.
    pub(crate) fn has_ended(&mut self, client: usize) -> bool {
        let peer = &mut self.clients[client].peer;
        peer.half_closed |= peer.ends();
        peer.half_closed
    }

    /// Whether a client has shut down its sending side, as polls see it.
    pub(crate) fn is_half_closed(&self, client: usize) -> bool {
        self.clients[client].peer.half_closed
    }

    pub(crate) fn window(&self, client: usize) -> usize {
        self.clients[client].peer.window()
    }

    /// Whether a send would do anything but wait.
    pub(crate) fn can_send(&self, client: usize) -> bool {
        self.is_gone(client) || self.window(client) > 0
    }

    pub(crate) fn receive(&mut self, client: usize, bytes: &[u8]) {
        let client = &mut self.clients[client];
        assert!(!client.finished, "bytes behind the end");
        client.peer.receive(bytes);
    }

    /// Somebody else has the socket of a client now; `received` is none if nobody looked.
    pub(crate) fn on_handed_over(&mut self, client: usize, received: Option<&[u8]>, ended: bool) {
        let client = &mut self.clients[client];
        assert!(!client.finished && !client.aborted);
        match received {
            Some(received) => client.peer.on_handed_over(received, ended),
            None => client.peer.on_handed_over_unread(),
        }
    }

    /// Whether the engine has nothing to do with the socket of a client any more.
    pub(crate) fn is_handed_over(&self, client: usize) -> bool {
        self.clients[client].peer.handed_over
    }

    pub(crate) fn on_finished(&mut self, client: usize) {
        self.clients[client].finished = true;
    }

    pub(crate) fn on_aborted(&mut self, client: usize) {
        self.clients[client].aborted = true;
    }

    pub(crate) fn on_tick(&mut self) {
        for client in &mut self.clients {
            client.peer.on_tick();
        }
    }

    /// Peers that reset do so at any moment.
    pub(crate) fn disturb(&mut self, prng: &mut Prng) {
        for client in &mut self.clients {
            client.failed |= client.witness.is_some() && client.peer.resets(prng);
        }
    }

    pub(crate) fn allow_draining(&mut self) {
        for client in &mut self.clients {
            client.peer.reader.allowed.draining = true;
        }
    }

    /// Checks that everybody has got what was right; `may_cut` if the engine was told to end or
    /// seconds passed at any moment.
    pub(crate) fn finish(self, may_cut: bool) -> Vec<u16> {
        let mut statuses = Vec::new();
        for client in self.clients {
            let peer = client.peer;
            let may_abort = may_cut || client.failed || !peer.reads_all();
            assert!(!client.aborted || may_abort, "aborted for nothing");
            let is_whole = peer.reader.is_between_answers();
            assert!(client.aborted || is_whole, "an answer is cut off");
            assert!(!(client.aborted && peer.handed_over), "both");
            if !may_abort && !peer.was_unread {
                let is_for_others = peer.script.handed_over().is_some();
                assert_eq!(peer.handed_over, is_for_others, "not handed over");
                assert_eq!(
                    peer.reader.answered_count,
                    peer.script.answered_count(),
                    "missing"
                );
            }
            statuses.extend(peer.reader.statuses);
        }
        statuses
    }
}
