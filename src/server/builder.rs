//! A server as a part of another program: built step by step, with a service behind the files.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body;

use super::{Server, StartError};
use crate::assets::{Packed, PackedSource};
use crate::config::{Bind, CertificateFiles, Config, ConfigError, Limits, Source, Tls};
use crate::fallback::{BoxError, FromTower, MakeService, RequestBody};

/// Puts a [`Server`] together; made by [`Server::builder`].
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use whitering::{Bind, Server};
///
/// let app: Router = Router::new().route("/hello", get(|| async { "hello" }));
/// let server = Server::builder()
///     .directory("public")
///     .bind(Bind::parse("127.0.0.1:8080")?)
///     .fallback(app)
///     .start()?;
/// let handle = server.handle();
/// let thread = std::thread::spawn(move || server.run());
/// handle.shutdown();
/// println!("{:?}", thread.join());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing listens before it is started"]
pub struct ServerBuilder {
    config: Config,
    packed: Vec<PackedSource>,
    fallback: Option<Arc<dyn MakeService>>,
    takes_signals: bool,
    is_bound: bool,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        let mut config = Config::for_directory("");
        config.sources.clear();
        Self {
            config,
            packed: Vec::new(),
            fallback: None,
            takes_signals: false,
            is_bound: false,
        }
    }

    /// Takes everything from `config`; what was set before is lost, but for the fallback.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self.is_bound = true;
        self
    }

    /// Serves `directory` at `/`. Of several sources the first that has a file wins.
    pub fn directory(self, directory: impl Into<PathBuf>) -> Self {
        self.source(Source {
            prefix: "/".to_owned(),
            directory: directory.into(),
        })
    }

    /// Serves another directory, at a path of its own.
    pub fn source(mut self, source: Source) -> Self {
        self.config.sources.push(source);
        self
    }

    /// Serves a release that is a part of the program, below `prefix`: `/`, or a path with a slash
    /// on both ends. Directories have precedence, so that a file can be replaced without
    /// building the program again.
    ///
    /// ```no_run
    /// # const RELEASE: &[u8] = &[0; 1024];
    /// // A release that `whitering collect` and `tar cf release.tar -C public .` have made;
    /// // in a program of its own: whitering::embed!("../release.tar")?
    /// let release = whitering::Packed::parse(RELEASE)?;
    /// let server = whitering::Server::builder().packed("/static/", release).start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn packed(mut self, prefix: impl Into<String>, release: Packed) -> Self {
        self.packed.push(PackedSource {
            prefix: prefix.into(),
            release,
        });
        self
    }

    /// Listens there without TLS. The first call replaces the default, `127.0.0.1:8080`; a port
    /// of 0 is chosen by the system.
    pub fn bind(mut self, bind: Bind) -> Self {
        if !std::mem::replace(&mut self.is_bound, true) {
            self.config.binds.clear();
        }
        self.config.binds.push(bind);
        self
    }

    /// Listens for TLS on `bind` too, with the certificates of `files`; the first of them answers
    /// clients that name no host. HTTP/2 is offered.
    pub fn tls(mut self, bind: Bind, files: Vec<CertificateFiles>) -> Self {
        self.config.tls = Some(Tls {
            certificates: files,
            binds: vec![bind],
            redirects: false,
            hsts_seconds: None,
        });
        self
    }

    /// How many threads serve; by default one for each CPU that the process may use.
    pub fn workers(mut self, count: NonZeroUsize) -> Self {
        self.config.worker_count = Some(count);
        self
    }

    /// What a client may ask for, and how long it may take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Has `service` answer the requests that name no file; such as an axum router.
    ///
    /// A clone of it is called for each request, on the lane of the CPU that the request came in
    /// on: a thread with a tokio runtime of its own, on which the future stays to its end. So the
    /// future need not be `Send`, and `tokio::spawn` works; what blocks holds up the others of that
    /// CPU. An error, or a panic, becomes an answer of 500. The extensions of a request hold its
    /// [`Peer`](crate::Peer).
    pub fn fallback<S, B>(mut self, service: S) -> Self
    where
        S: tower_service::Service<Request<RequestBody>, Response = Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: 'static,
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<BoxError>,
    {
        self.fallback = Some(Arc::new(FromTower::new(service)));
        self
    }

    /// Whether signals end and reload the server: TERM, INT and QUIT, HUP. Not so by default, as
    /// they are the program's own; then [`Handle`](super::Handle) does it.
    ///
    /// If they do, they stay blocked in the thread that calls [`Self::start`], and in those it
    /// starts later.
    pub const fn signals(mut self, takes_signals: bool) -> Self {
        self.takes_signals = takes_signals;
        self
    }

    /// Loads the files, listens, and serves, in threads of its own. [`Server::run`] has to be
    /// called for reloads and the end.
    ///
    /// # Errors
    /// [`StartError`]: no thread, socket or file is left behind.
    pub fn start(self) -> Result<Server, StartError> {
        if self.config.sources.is_empty()
            && self.packed.is_empty()
            && self.fallback.is_none()
            && !self.config.has_fallback()
        {
            return Err(StartError::Config(ConfigError::NoSource));
        }
        Server::start_with(self.config, self.packed, self.fallback, self.takes_signals)
    }
}
