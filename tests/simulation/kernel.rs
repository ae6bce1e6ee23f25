//! A ring that is no kernel's: completions come late and in any order, operations end without
//! notice, buffers run out, cancels race. It owns what a kernel would own, and checks that.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant, SystemTime};

use whitering::internal::reactor::Time;
use whitering::internal::reactor::uring::Kernel;
use whitering::internal::sys::uring::{Completion, Kind, Operation, Token};

use crate::buffers::Buffers;
use crate::network::Network;
use crate::opened::OpenedFiles;
use crate::operation::{InFlight, complete};
use crate::prng::Prng;

pub(crate) struct SimulatedKernel {
    pub(crate) prng: Prng,
    pub(crate) network: Network,
    pub(crate) buffers: Buffers,
    pub(crate) faults: Faults,
    /// Pushed since the last enter; with the client whose socket it names.
    pushed: Vec<(Token, Operation, Option<usize>)>,
    /// Invariant: what an operation owns is here until its completion is posted.
    pub(crate) in_flight: Vec<InFlight>,
    pub(crate) posted: VecDeque<Completion>,
    /// Whether the engine's event was signalled.
    pub(crate) woken: bool,
    /// Seconds since the start.
    seconds: u64,
    started: Instant,
    pub(crate) opened: OpenedFiles,
}

/// What goes wrong, as one in so many; none is never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// A multishot operation ends without need.
    pub(crate) multishot_end: Option<usize>,
    /// An operation on a socket fails, or a file ends early.
    pub(crate) failure: Option<usize>,
    /// An open fails.
    pub(crate) open_failure: Option<usize>,
    /// A part of a file is not in the page cache.
    pub(crate) cold: Option<usize>,
    /// A second passes although there is something else to do.
    pub(crate) tick: Option<usize>,
    /// An accept finds no free descriptor.
    pub(crate) emfile: Option<usize>,
    /// The mutation that shows that this can fail: one completion is delivered twice.
    pub(crate) doubles: bool,
}

impl SimulatedKernel {
    pub(crate) fn new(prng: Prng, network: Network, buffers: Buffers, faults: Faults) -> Self {
        Self {
            prng,
            network,
            buffers,
            faults,
            pushed: Vec::new(),
            in_flight: Vec::new(),
            posted: VecDeque::new(),
            woken: false,
            seconds: 0,
            started: Instant::now(),
            opened: OpenedFiles::default(),
        }
    }

    /// What is not over yet, but for what always runs, and cancels of accepts, for which
    /// nobody waits.
    pub(crate) fn pending(&self) -> Vec<Token> {
        let pushed = self.pushed.iter().map(|(token, ..)| *token);
        let in_flight = self.in_flight.iter().map(|flying| flying.token);
        let posted = self.posted.iter().map(|completion| completion.token);
        let tokens = pushed.chain(in_flight).chain(posted);
        tokens
            .filter(|token| match token.kind {
                Kind::Tick | Kind::Wake => false,
                Kind::Cancel => token.generation != u32::MAX,
                _ => true,
            })
            .collect()
    }

    /// Whether anything is under way that names the socket of `client`.
    pub(crate) fn is_in_flight(&self, client: usize) -> bool {
        let pushed = self.pushed.iter().any(|(_, _, of)| *of == Some(client));
        pushed || self.in_flight.iter().any(|one| one.client == Some(client))
    }

    pub(crate) fn chance(&mut self, rarity: Option<usize>) -> bool {
        rarity.is_some_and(|rarity| self.prng.one_in(rarity))
    }

    fn submit(&mut self) {
        for (token, operation, client) in std::mem::take(&mut self.pushed) {
            if let Some(client) = client {
                assert!(self.network.is_open(client), "{token:?} on a closed socket");
                assert!(
                    !self.network.is_handed_over(client),
                    "{token:?} on another's"
                );
            }
            if let Operation::Cancel { target } = operation {
                self.cancel(token, target);
                continue;
            }
            let flying = InFlight {
                token,
                operation,
                client,
                sent: 0,
                is_told: false,
                cancelled: false,
            };
            self.in_flight.push(flying);
        }
    }

    /// A second passes.
    fn tick(&mut self) {
        self.seconds += 1;
        self.network.on_tick();
        let tick = self
            .in_flight
            .iter()
            .position(|flying| flying.token.kind == Kind::Tick);
        let index = tick.expect("the engine waits and nothing would ever wake it");
        self.post_more(index, -libc::ETIME);
    }
}

impl Kernel for SimulatedKernel {
    fn push(&mut self, token: Token, operation: Operation) {
        let socket = match &operation {
            Operation::Receive { socket }
            | Operation::ReceiveOnce { socket, .. }
            | Operation::Send { socket, .. }
            | Operation::Writable { socket, .. } => Some(self.network.client(*socket)),
            _ => None,
        };
        self.pushed.push((token, operation, socket));
    }

    fn enter(&mut self, wait: bool) -> io::Result<()> {
        self.submit();
        self.buffers.write_late(&mut self.prng);
        let ticks = self
            .in_flight
            .iter()
            .any(|flying| flying.token.kind == Kind::Tick);
        if ticks && self.chance(self.faults.tick) {
            self.tick();
        }
        let attempts = self.prng.range(1..8);
        for _ in 0..attempts {
            if !self.in_flight.is_empty() {
                let index = self.prng.below(self.in_flight.len());
                self.progress(index);
            }
        }
        while wait && self.posted.is_empty() {
            if !self.progress_any() {
                // Nothing can go on, so whoever is sending has an operation in flight.
                let rest = [Kind::Accept, Kind::Receive, Kind::Tick, Kind::Wake];
                let busy =
                    |flying: &&InFlight| flying.cancelled || !rest.contains(&flying.token.kind);
                let busy_count = self.in_flight.iter().filter(busy).count();
                self.opened.check(busy_count);
                self.tick();
            }
        }
        Ok(())
    }

    fn complete(&mut self) -> Option<Completion> {
        // The rest may come with a later enter.
        if self.posted.len() > 1 && self.prng.one_in(16) {
            return None;
        }
        let completion = self.posted.pop_front()?;
        if self.faults.doubles && completion.token.kind == Kind::Receive && !completion.more {
            self.faults.doubles = false;
            self.posted
                .push_front(complete(completion.token, -libc::ECANCELED, false));
        }
        if let Some(buffer) = completion.buffer_id {
            self.buffers.hand_over(buffer);
        }
        Some(completion)
    }

    fn received(&self, buffer_id: u16, length: usize) -> &[u8] {
        self.buffers.filled(buffer_id, length)
    }

    fn recycle(&mut self, buffer_id: u16) {
        self.buffers.recycle(buffer_id);
    }

    fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        let client = self.network.client(socket.as_raw_fd());
        assert!(self.network.is_open(client));
        if self.network.is_gone(client) || self.chance(self.faults.failure) {
            self.network.fail(client);
            return if self.prng.one_in(2) {
                Ok(0)
            } else {
                Err(io::Error::from_raw_os_error(libc::EPIPE))
            };
        }
        let count = self.prng.piece(count.min(self.network.window(client)));
        if count == 0 || self.prng.one_in(8) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut bytes = vec![0; count];
        File::from(file.try_clone_to_owned()?).read_exact_at(&mut bytes, offset)?;
        self.network.receive(client, &bytes);
        Ok(count)
    }

    fn is_cached(&mut self, _: BorrowedFd<'_>, _: u64) -> bool {
        !self.chance(self.faults.cold)
    }

    fn accept(&mut self, _: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        if self.network.has_waiting() {
            Ok(self.network.accept())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    fn finish(&mut self, socket: BorrowedFd<'_>) {
        let client = self.network.client(socket.as_raw_fd());
        self.network.on_finished(client);
    }

    fn reset_on_close(&mut self, socket: BorrowedFd<'_>) {
        let client = self.network.client(socket.as_raw_fd());
        self.network.on_aborted(client);
    }

    fn time(&self) -> Time {
        let running = Duration::from_secs(self.seconds);
        Time {
            monotonic: self.started + running,
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + running,
        }
    }
}
