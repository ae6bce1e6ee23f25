//! Puts the parts together: loads the assets, opens the listeners, starts the workers, and then
//! does what the operator's signals say.

mod application;
mod builder;
mod control;
mod engine;
mod handle;
mod lanes;
mod listen;
mod options;
mod worker;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use application::Hosted;
use crossbeam_channel::{Receiver, Sender, unbounded};

pub use builder::ServerBuilder;
pub use control::Ended;
pub(crate) use control::log_warnings;
pub use engine::{Engine, Probe, probe};
pub use handle::{Handle, Metrics};
pub use listen::BACKLOG;
use listen::{HTTP, HTTPS, Listening, Purpose, SocketPaths};
pub use options::{assets as asset_options, settings};
use worker::{End, Setup, Worker, notice_queue};
pub use worker::{RING_SIZES, RING_THREAD_COUNT};

use crate::application::{ApplicationError, Exit};
use crate::assets::{self, Live, LoadError, PackedSource, Warning};
use crate::config::{Bind, Config, ConfigError, UpstreamAddress};
use crate::fallback::MakeService;
use crate::fallback::proxy;
use crate::lane::Lane;
use crate::reactor::Notice;
use crate::sys::memory;
use crate::sys::signal::{self, Signal};
use crate::tls::{self, Certificates, TlsError};

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
    /// One beside each worker, or none at all.
    lanes: Vec<Lane>,
    certificates: Option<Certificates>,
    /// Ends after the lanes, through which it is asked.
    hosted: Option<Hosted>,
    signals: Receiver<Signal>,
    /// For handles; whether signals of the process come this way too was said at the start.
    signal_sender: Sender<Signal>,
    notices: Receiver<Notice>,
    ends: Receiver<End>,
    _paths: SocketPaths,
}

/// What a server started with.
///
/// ```no_run
/// let server = whitering::Server::builder().directory("public").start()?;
/// let summary = server.summary();
/// println!("{} files at {}, by {}", summary.assets, summary.addresses[0], summary.engine);
/// # Ok::<(), whitering::StartError>(())
/// ```
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
///
/// ```
/// use whitering::{ConfigError, Server, StartError};
///
/// match Server::builder().start() {
///     Err(StartError::Config(ConfigError::NoSource)) => {}
///     Err(error) => panic!("{error}"),
///     Ok(_) => unreachable!("there is nothing to serve"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    // What the operator can change.
    /// There is nothing to serve, or settings contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The files cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The application server cannot be started, or does not answer.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// It has ended before it answered.
    #[error("the application {0} before it answered; what it says itself is above")]
    ApplicationEnded(Exit),
    /// A signal came before anything was served.
    #[error("told to end before anything was served")]
    Interrupted,
    /// A directory to send files from that cannot be read.
    #[error(
        "nothing can be sent from {directory}: {error}; mend or leave out that --sendfile-root",
        directory = .directory.display()
    )]
    SendfileRoot {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is in use.
    #[error("{0} is in use; stop the other server, or choose another address")]
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
        Self::start_with(config, Vec::new(), None, true)
    }

    /// A server that is put together step by step, for programs that do other things as well.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// As [`Self::start`], with a service behind the files; signals may be left to others.
    fn start_with(
        config: Config,
        packed: Vec<PackedSource>,
        service: Option<Arc<dyn MakeService>>,
        takes_signals: bool,
    ) -> Result<Self, StartError> {
        let (signal_sender, signals) = unbounded();
        // The threads that start here leave them to the rest of the program in any case.
        let _blocked = if takes_signals {
            signal::block();
            control::wait_for_signals(signal_sender.clone());
            None
        } else {
            Some(signal::Blocked::in_this_thread())
        };
        check_sendfile_roots(&config)?;
        let limits = options::system_limits()?;
        let chosen = engine::choose(config.engine).map_err(StartError::Engine)?;
        let cpus = options::cpus(&config, &limits);
        let hosted = match &config.application {
            Some(application) => Some(Hosted::start(application, binds(&config), &signals)?),
            None => None,
        };
        let fallback = service.or_else(|| upstream(&config, hosted.as_ref()));
        let has_lanes = lanes::are_needed(&config, fallback.as_ref());
        let mut reactor_options = options::reactor(&config, cpus.len(), has_lanes)?;
        reactor_options.settings.hands_over = fallback.is_some();
        let certificates = certificates(&config)?;
        // Before the files are read: a port that is taken should not cost that time. But an
        // application that does not answer yet is best not asked.
        let mut listening = Listening::new(cpus.len());
        if hosted.is_none() {
            listen(&mut listening, &config)?;
        }

        let mut asset_options = options::assets(&config, &limits);
        asset_options.packed = packed;
        let started = Instant::now();
        let loaded = assets::load(&asset_options)?;
        let index_time = started.elapsed();
        memory::release_free();
        control::log_warnings(&loaded.warnings);
        let unsettled = loaded.warnings.iter().any(Warning::is_passing);
        let totals = loaded.snapshot.totals;
        let live = Arc::new(Live::new(Arc::new(loaded.snapshot)));

        if let Some(hosted) = &hosted {
            hosted.wait()?;
            listen(&mut listening, &config)?;
        }

        let (notice_sender, notices) = notice_queue();
        let (end_sender, ends) = unbounded();
        let lane_setup = lanes::Setup {
            uses_uring: chosen.engine() == Engine::Uring,
            settings: reactor_options.settings.clone(),
            published: live.current(),
            tls: certificates.as_ref().map(Certificates::config),
            https_port: listening.https_port,
            fallback,
            notices: notice_sender.clone(),
            ends: end_sender.clone(),
        };
        let setup = Setup {
            chosen,
            options: reactor_options,
            published: live.current(),
            notices: notice_sender,
            ends: end_sender,
        };
        let mut lanes = Vec::new();
        let mut workers = Vec::with_capacity(cpus.len());
        for (index, (cpu, listeners)) in cpus.iter().zip(listening.workers).enumerate() {
            let mut outlet = None;
            if has_lanes {
                let lane = lane_setup.start(index, *cpu, &config);
                let lane = lane.map_err(StartError::worker)?;
                outlet = Some(lanes::outlet(&lane));
                lanes.push(lane);
            }
            let worker = Worker::start(index, *cpu, listeners, outlet, &setup);
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
            lanes,
            certificates,
            hosted,
            signals,
            signal_sender,
            notices,
            ends,
            _paths: listening.paths,
        })
    }

    /// What the server started with.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// For the rest of the program, to reload and end this server while [`Self::run`] waits.
    pub fn handle(&self) -> Handle {
        Handle {
            signals: self.signal_sender.clone(),
            live: Arc::clone(&self.live),
            addresses: self.summary.addresses.clone().into(),
            lanes: self.lanes.iter().map(Lane::arrivals).collect(),
        }
    }
}

/// All that is listened on.
fn binds(config: &Config) -> impl Iterator<Item = &Bind> {
    let tls = config.tls.iter().flat_map(|tls| &tls.binds);
    config.binds.iter().chain(tls)
}

/// The proxy to the application servers that are configured.
fn upstream(config: &Config, hosted: Option<&Hosted>) -> Option<Arc<dyn MakeService>> {
    let address = |address: &UpstreamAddress| match address {
        UpstreamAddress::Tcp { host, port } => proxy::Address::Tcp(host.clone(), *port),
        UpstreamAddress::Unix(path) => proxy::Address::Unix(path.clone()),
    };
    let mut addresses: Vec<_> = config.upstream.addresses.iter().map(address).collect();
    addresses.extend(hosted.map(Hosted::address));
    (!addresses.is_empty()).then(|| lanes::proxy(config, addresses))
}

fn check_sendfile_roots(config: &Config) -> Result<(), StartError> {
    for root in &config.upstream.sendfile_roots {
        let directory = &root.directory;
        if let Err(error) = std::fs::read_dir(directory) {
            let directory = directory.clone();
            return Err(StartError::SendfileRoot { directory, error });
        }
    }
    Ok(())
}

fn certificates(config: &Config) -> Result<Option<Certificates>, TlsError> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    let files = tls.certificates.iter();
    let options = tls::Options {
        certificates: files
            .map(|files| (files.chain.clone(), files.key.clone()))
            .collect(),
        http2: config.http2.over_tls,
    };
    Certificates::load(options).map(Some)
}

/// Listens on every address of `config`.
fn listen(listening: &mut Listening, config: &Config) -> Result<(), StartError> {
    let user_timeout = config.limits.write_timeout;
    let redirects = config.tls.as_ref().is_some_and(|tls| tls.redirects);
    let plain = Purpose {
        hands_over: redirects.then_some(lanes::MARK_REDIRECT),
        scheme: HTTP,
    };
    listening.open(&config.binds, plain, user_timeout)?;
    if let Some(tls) = &config.tls {
        let encrypted = Purpose {
            hands_over: Some(lanes::MARK_TLS),
            scheme: HTTPS,
        };
        listening.open(&tls.binds, encrypted, user_timeout)?;
    }
    Ok(())
}
