//! What the rest of a program can do with a server that runs in a thread of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::assets::Live;
use crate::lane::Arrivals;
use crate::sys::signal::Signal;

/// A handle on a running [`Server`](super::Server), from [`Server::handle`](super::Server::handle).
/// Clones are of the same server; it goes on without any.
///
/// ```no_run
/// let server = whitering::Server::builder().directory("public").start()?;
/// let handle = server.handle();
/// let thread = std::thread::spawn(move || server.run());
/// println!("http://{:?}", handle.local_addr());
/// handle.reload();
/// handle.shutdown();
/// println!("{:?}", thread.join());
/// # Ok::<(), whitering::StartError>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(super) signals: Sender<Signal>,
    pub(super) live: Arc<Live>,
    pub(super) addresses: Arc<[String]>,
    pub(super) lanes: Arc<[Arrivals]>,
}

/// What a server holds at one moment.
///
/// ```no_run
/// let server = whitering::Server::builder().directory("public").start()?;
/// let metrics = server.handle().metrics();
/// println!("{} files, {} bytes in memory", metrics.file_count, metrics.memory_bytes);
/// # Ok::<(), whitering::StartError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// How many files can be asked for, variants not counted.
    pub file_count: usize,
    /// Precompressed variants of them.
    pub variant_count: usize,
    /// Bytes of file content in memory.
    pub memory_bytes: u64,
    /// Bytes of file content that is read when it is asked for.
    pub disk_bytes: u64,
    /// Connections open on each lane: those over TLS or HTTP/2, and those that have asked for
    /// something that is no file. Connections that workers answer alone are not counted.
    pub lane_connection_counts: Vec<usize>,
}

impl Handle {
    /// Loads the files and certificates again, in the background. What fails is logged, and what
    /// was loaded before is served on.
    pub fn reload(&self) {
        self.tell(Signal::Reload);
    }

    /// Ends the server: nothing new is accepted, open answers have the drain timeout to end.
    /// A second call does not wait for them. [`Server::run`](super::Server::run) returns.
    pub fn shutdown(&self) {
        self.tell(Signal::End);
    }

    /// What it listens on: `http://HOST:PORT`, `https://HOST:PORT`, `unix:PATH` or `fd://N`.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The first TCP address it listens on, with the port that was chosen for a port of 0.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let mut addresses = self.addresses.iter();
        addresses.find_map(|address| address.split_once("://")?.1.parse().ok())
    }

    /// What it holds now.
    pub fn metrics(&self) -> Metrics {
        let totals = self.live.current().totals;
        Metrics {
            file_count: totals.assets,
            variant_count: totals.variants,
            memory_bytes: totals.memory_bytes,
            disk_bytes: totals.disk_bytes,
            lane_connection_counts: self.lanes.iter().map(Arrivals::connection_count).collect(),
        }
    }

    fn tell(&self, signal: Signal) {
        // A server that has ended need not be told.
        let _ = self.signals.send(signal);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = &self.addresses;
        formatter.debug_tuple("Handle").field(addresses).finish()
    }
}
