//! Puts the parts together: loads the assets, opens the listeners, starts the workers, and then
//! does what the operator's signals say.

mod control;
mod engine;
mod listen;
mod options;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

pub use control::Ended;
pub use engine::{Engine, Probe, probe};
pub use listen::BACKLOG;
use listen::{Listening, SocketPaths};
pub use options::{assets as asset_options, settings};
pub use worker::{RING_SIZES, RING_THREAD_COUNT};
use worker::{Setup, Worker, WorkerEnd, notice_queue};

use crate::assets::{self, Live, LoadError, Warning};
use crate::config::{Bind, Config};
use crate::reactor::Notice;
use crate::sys::{memory, signal};

/// A server that is listening and serving.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = whitering::Server::start(whitering::Config::for_directory("public"))?;
/// println!("listening on {}", server.summary().addresses[0]);
/// let ended = server.run(); // until TERM, INT or QUIT
/// println!("{ended:?}");
/// # Ok(())
/// # }
/// ```
pub struct Server {
    summary: Summary,
    config: Config,
    asset_options: assets::Options,
    live: Arc<Live>,
    /// Whether files were being written while they were loaded.
    unsettled: bool,
    workers: Vec<Worker>,
    notices: Receiver<Notice>,
    ends: Receiver<WorkerEnd>,
    _paths: SocketPaths,
}

/// What a server started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it listens on: `http://HOST:PORT`, `unix:PATH` or `fd://N`.
    pub addresses: Vec<String>,
    /// What moves the bytes.
    pub engine: Engine,
    /// Why that is not io_uring, if it could have been.
    pub engine_note: Option<String>,
    /// How many threads serve.
    pub worker_count: usize,
    /// How many files can be asked for, variants not counted.
    pub assets: usize,
    /// Bytes of file content in memory.
    pub memory_bytes: u64,
    /// How long reading and hashing all files took.
    pub index_time: Duration,
}

/// Why a server could not start. Each is one line with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    // What the operator can change.
    /// The files cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The address is in use.
    #[error("{0} is in use; stop the other server, or choose another address with --bind")]
    AddressInUse(String),
    /// A low port, or a directory that may not be written to.
    #[error(
        "no permission to listen on {0}; choose a port above 1023 or a writable directory, or grant CAP_NET_BIND_SERVICE"
    )]
    Permission(String),
    /// The host name means nothing here, or the address is another machine's.
    #[error(
        "cannot listen on {address}: {error}; bind to an address of this machine, such as 127.0.0.1:8080"
    )]
    Address {
        /// The address as it was given.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// A socket cannot be made there.
    #[error("cannot listen on {address}: {error}; name a path in a directory that exists")]
    Path {
        /// The address as it was given.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// `fd://N` without such a socket.
    #[error("{0} is not a listening socket; pass one, as systemd does with socket units")]
    NoSocket(String),
    /// `--engine uring` where that cannot be.
    #[error("{0}; use --engine auto or --engine epoll")]
    Engine(String),
    /// RLIMIT_NOFILE leaves no connections.
    #[error(
        "{limit} file descriptors are too few, at least {needed} are needed; raise ulimit -n, or lower --workers"
    )]
    TooFewDescriptors {
        /// The limit.
        limit: u64,
        /// What would do.
        needed: u64,
    },
    // What the system lacks.
    /// Limits could not be read or raised.
    #[error("cannot read the limits of this process: {0}")]
    Limits(io::Error),
    /// RLIMIT_MEMLOCK leaves no room for a ring.
    #[error(
        "io_uring gets no memory for a worker; raise RLIMIT_MEMLOCK (ulimit -l), lower --workers, or use --engine epoll"
    )]
    LockedMemory,
    /// A worker could not be set up.
    #[error("cannot start a worker: {0}; raise ulimit -n or -u, or lower --workers")]
    Worker(io::Error),
}

impl StartError {
    fn worker(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOMEM) => Self::LockedMemory,
            _ => Self::Worker(error),
        }
    }

    fn bind(bind: &Bind, error: io::Error) -> Self {
        let address = bind.to_string();
        match (error.kind(), bind) {
            (io::ErrorKind::AddrInUse, _) => Self::AddressInUse(address),
            (io::ErrorKind::PermissionDenied, _) => Self::Permission(address),
            (io::ErrorKind::InvalidInput, Bind::Fd(_)) => Self::NoSocket(address),
            (_, Bind::Unix(_)) => Self::Path { address, error },
            _ => Self::Address { address, error },
        }
    }
}

impl Server {
    /// Loads the files, listens, and serves. From here on the signals TERM, INT, QUIT, HUP and
    /// USR1 of the calling thread wait for [`Self::run`].
    ///
    /// # Errors
    /// [`StartError`]: no thread, socket or file is left behind; the signals stay blocked.
    pub fn start(config: Config) -> Result<Self, StartError> {
        signal::block();
        let limits = options::system_limits()?;
        let chosen = engine::choose(config.engine).map_err(StartError::Engine)?;
        let cpus = options::cpus(&config, &limits);
        let reactor_options = options::reactor(&config, cpus.len())?;
        // Before the files are read: a port that is taken should not cost that time.
        let user_timeout = config.limits.write_timeout;
        let listening = Listening::open(&config.binds, cpus.len(), user_timeout)?;

        let asset_options = options::assets(&config, &limits);
        let started = Instant::now();
        let loaded = assets::load(&asset_options)?;
        let index_time = started.elapsed();
        memory::release_free();
        control::log_warnings(&loaded.warnings);
        let unsettled = loaded.warnings.iter().any(Warning::is_passing);
        let totals = loaded.snapshot.totals;
        let live = Arc::new(Live::new(Arc::new(loaded.snapshot)));

        let (notice_sender, notices) = notice_queue();
        let (end_sender, ends) = unbounded();
        let setup = Setup {
            chosen,
            options: reactor_options,
            published: live.current(),
            notices: notice_sender,
            ends: end_sender,
        };
        let mut workers = Vec::with_capacity(cpus.len());
        for (index, (cpu, listeners)) in cpus.iter().zip(listening.workers).enumerate() {
            let worker = Worker::start(index, *cpu, listeners, &setup);
            workers.push(worker.map_err(StartError::worker)?);
        }
        let summary = Summary {
            addresses: listening.addresses,
            engine: setup.chosen.engine(),
            engine_note: setup.chosen.note(),
            worker_count: workers.len(),
            assets: totals.assets,
            memory_bytes: totals.memory_bytes,
            index_time,
        };
        Ok(Self {
            summary,
            config,
            asset_options,
            live,
            unsettled,
            workers,
            notices,
            ends,
            _paths: listening.paths,
        })
    }

    /// What the server started with.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }
}
