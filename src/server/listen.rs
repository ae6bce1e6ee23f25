//! Opens the addresses of a configuration, one socket for each worker where the kernel can share
//! an address out (`SO_REUSEPORT`).

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StartError;
use crate::config::Bind;
use crate::reactor::Listener;
use crate::sys::socket::{self, ListenerOptions};

/// What is listened on, and how its connections are served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose {
    /// The mark under which connections are handed over unread; none: workers serve them.
    pub(super) hands_over: Option<u8>,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
}

/// Everything that is listened on.
#[derive(Debug)]
pub(super) struct Listening {
    /// The listeners of each worker.
    pub(super) workers: Vec<Vec<Listener>>,
    /// The addresses, as a client would write them.
    pub(super) addresses: Vec<String>,
    /// The first port of TLS.
    pub(super) https_port: Option<u16>,
    /// Sockets in the file system.
    pub(super) paths: SocketPaths,
}

/// Removes sockets from the file system when the server ends.
#[derive(Debug, Default)]
pub(super) struct SocketPaths(Vec<PathBuf>);

impl Drop for SocketPaths {
    fn drop(&mut self) {
        for path in &self.0 {
            // A successor may have taken the path over while this server drained.
            remove_stale(path);
        }
    }
}

impl Listening {
    /// Nothing yet, for `worker_count` workers.
    pub(super) fn new(worker_count: usize) -> Self {
        Self {
            workers: (0..worker_count).map(|_| Vec::new()).collect(),
            addresses: Vec::new(),
            https_port: None,
            paths: SocketPaths::default(),
        }
    }

    /// Listens on all of `binds`.
    pub(super) fn open(
        &mut self,
        binds: &[Bind],
        purpose: Purpose,
        user_timeout: Duration,
    ) -> Result<(), StartError> {
        for bind in binds {
            self.open_patiently(bind, purpose, user_timeout)
                .map_err(|error| StartError::bind(bind, error))?;
        }
        Ok(())
    }

    /// A server that was killed holds its addresses until the kernel has taken its rings apart,
    /// which takes a moment.
    fn open_patiently(
        &mut self,
        bind: &Bind,
        purpose: Purpose,
        user_timeout: Duration,
    ) -> io::Result<()> {
        for _ in 1..ATTEMPT_COUNT_MAX {
            match self.open_bind(bind, purpose, user_timeout) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    std::thread::sleep(ATTEMPT_INTERVAL);
                }
                result => return result,
            }
        }
        self.open_bind(bind, purpose, user_timeout)
    }

    fn open_bind(
        &mut self,
        bind: &Bind,
        purpose: Purpose,
        user_timeout: Duration,
    ) -> io::Result<()> {
        match bind {
            Bind::Tcp { host, port } => self.open_tcp(host, *port, purpose, user_timeout),
            Bind::Unix(path) => self.open_unix(path, purpose),
            Bind::Fd(number) => self.open_inherited(*number, purpose),
        }
    }

    fn open_tcp(
        &mut self,
        host: &str,
        port: u16,
        purpose: Purpose,
        user_timeout: Duration,
    ) -> io::Result<()> {
        let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        addresses.dedup();
        if port == 0 {
            // Each address would get another port.
            addresses.truncate(1);
        }
        let mut last = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in addresses {
            match self.open_address(address, purpose, user_timeout) {
                // A name such as localhost may have an address of a family that is switched off.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                    last = last.or(Err(error));
                }
                opened => {
                    opened?;
                    last = Ok(());
                }
            }
        }
        last
    }

    fn open_address(
        &mut self,
        mut address: SocketAddr,
        purpose: Purpose,
        timeout: Duration,
    ) -> io::Result<()> {
        let shared_port = self.workers.len() > 1;
        let mut options = ListenerOptions {
            shared_port: false,
            user_timeout: timeout,
            backlog: BACKLOG,
        };
        if shared_port && address.port() != 0 {
            // With SO_REUSEPORT the kernel would share the address with any other server of
            // this user; a listener without it finds out whether there is one.
            drop(socket::listen(address, options)?);
        }
        options.shared_port = shared_port;
        for listeners in &mut self.workers {
            let listener = socket::listen(address, options)?;
            address = listener.local_addr()?;
            listeners.push(Listener {
                socket: listener.into(),
                shared: false,
                inherited: false,
                hands_over: purpose.hands_over,
            });
        }
        if purpose.scheme == HTTPS {
            self.https_port.get_or_insert(address.port());
        }
        let scheme = purpose.scheme;
        self.addresses.push(format!("{scheme}://{address}"));
        Ok(())
    }

    fn open_unix(&mut self, path: &Path, purpose: Purpose) -> io::Result<()> {
        remove_stale(path);
        let listener = UnixListener::bind(path)?;
        self.paths.0.push(path.to_owned());
        listener.set_nonblocking(true)?;
        self.share(listener.into(), false, purpose)?;
        self.addresses.push(format!("unix:{}", path.display()));
        Ok(())
    }

    fn open_inherited(&mut self, number: i32, purpose: Purpose) -> io::Result<()> {
        self.share(socket::inherit(number)?, true, purpose)?;
        self.addresses.push(format!("fd://{number}"));
        Ok(())
    }

    /// Gives one socket to all workers.
    fn share(&mut self, socket: OwnedFd, inherited: bool, purpose: Purpose) -> io::Result<()> {
        let shared = self.workers.len() > 1;
        for listeners in &mut self.workers {
            listeners.push(Listener {
                socket: socket.try_clone()?,
                shared,
                inherited,
                hands_over: purpose.hands_over,
            });
        }
        Ok(())
    }
}

/// Removes a socket that nobody listens on any more; a server that was killed leaves one.
fn remove_stale(path: &Path) {
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        let _ = std::fs::remove_file(path);
    }
}

pub(super) const HTTP: &str = "http";
pub(super) const HTTPS: &str = "https";

/// How often an address that is in use is tried.
const ATTEMPT_COUNT_MAX: u32 = 10;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(100);

/// Complete connections that wait to be accepted; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: i32 = 65_535;
