//! Static files for Linux, cached like WhiteNoise and served from io_uring.
//!
//! One pinned worker for each CPU runs a plain loop over the completions of its own ring. All of
//! them answer from the same immutable snapshot of the files, in which everything about an answer
//! was decided when it was loaded: a request only chooses.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = whitering::Config::for_directory("public");
//! let server = whitering::Server::start(config)?;
//! println!("listening on {}", server.summary().addresses[0]);
//! let ended = server.run(); // until TERM, INT or QUIT
//! println!("{ended:?}");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! ```text
//! cli          one file per command; prints and exits, and uses this crate's public API only
//! server       puts the parts together: workers, listeners, reload, shutdown
//! config       what the operator wrote → one checked, immutable Config
//! reactor      moves bytes between sockets, files and connections; knows no HTTP
//!   uring        the engine: one loop over completions, every operation counted
//!   epoll        the alternative and the baseline: same connections, same answers
//! lane         the thread of each CPU for TLS, HTTP/2 and what names no file: hyper on tokio-uring
//! fallback     what is no asset: the proxy to application servers, or an embedder's service
//! adapter      assets as a `tower` service, for programs with a server of their own
//! service      assets as answers to `http` requests, for lanes and the adapter
//! application  the application server that `run` starts and stops
//! tls          certificates, chosen by name and exchanged while connections go on
//! connection   one client as a pure state machine: bytes and time in, answers out
//! http         HTTP/1.1 text ↔ types: request, body, path, conditional, range, negotiate, head
//! assets       what can be served: asset, snapshot (never changes), live (swapped whole), load
//! staticfiles  offline: sources → release: finders, references, compress, publish, verify
//! manifest     logical name → published name, and what a release holds
//! sys          the only unsafe code: one file per kernel interface
//! ```
//!
//! Who may import whom; `tests/tidy.rs` holds the same table, and no arrow points up:
//!
//! ```text
//! cli         → the public API
//! server      → config reactor lane fallback tls application assets sys
//! lane        → connection service fallback assets http sys
//! reactor     → connection sys
//! adapter     → config server service assets sys
//! service     → assets http
//! fallback    → http
//! application → sys
//! tls         → sys
//! connection  → http assets
//! assets      → http manifest sys
//! staticfiles → http manifest sys
//! http, manifest, config, sys → nothing of ours
//! ```
//!
//! # Invariants
//!
//! 1. `http` and `connection` do no I/O, read no clock and take no lock. Same input, same output.
//! 2. What can be computed when assets are loaded is computed then. A request chooses.
//! 3. A snapshot never changes. A response finishes on the snapshot it began with.
//! 4. An operation in flight owns every buffer and descriptor the kernel may still touch.
//! 5. Both engines run the same `connection`; a difference that a client can see is a bug.
//! 6. Workers share no mutable state: only immutable values swapped whole, and queues.
//! 7. Everything has a limit: connections, head bytes, pipelined requests, each wait. Reaching
//!    one is a tested answer.
//! 8. Kernel features are probed once, at start. Code asks `Features`, never a kernel version.
//! 9. Only `cli` prints or exits. Only `sys` is unsafe.
//!
//! Deliberately absent: path arithmetic on request input (a URL that is not a key of the snapshot
//! is not an asset); in workers futures and locks, and on the way of a request that is answered
//! from memory in one piece, formatting and allocation. Lanes have futures, since they run hyper,
//! but each is one thread: theirs never move.
//!
//! # Words
//!
//! *Asset*: a published file at run time. *Variant*: one encoding of it. *Snapshot*: all assets at
//! one moment. *Manifest*: the file that maps names. *Head*: status line and fields, ready to send.
//! *Transfer*: a response under way. *Operation*: work the kernel has not finished. *Slot*: the
//! place of one connection. *Worker*: one thread with an engine of its own, pinned to its CPU by
//! default. *Lane*: the thread beside it, on the same CPU, for everything else. *Hand-over*: a
//! connection going from worker to lane for good, with what was received and not answered.
//!
//! *Fallback*: the service that answers what names no asset: an embedder's own, or the proxy.
//! *Upstream*: a server that the proxy passes requests on to. *Application*: the one that `run`
//! starts, and then the upstream.
//!
//! Offline: *source*: where files to collect come from. *Logical name*: what a template calls a
//! file. *Published name*: what a URL calls it, hashed or not. *Release*: a directory of files
//! under their published names with its manifest, put in place whole. *Record*: `whitering.json`,
//! the digests and variants of a release.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")
)]

mod adapter;
mod application;
mod assets;
mod config;
mod connection;
mod fallback;
mod http;
mod lane;
mod manifest;
mod reactor;
mod server;
mod service;
pub mod staticfiles;
mod sys;
mod tls;

pub use adapter::{AssetBody, Assets, FallbackFuture, WithFallback};
pub use application::{ApplicationError, Exit as ApplicationExit};
pub use assets::{LoadError, Packed, PackedError};
pub use config::{
    AppListen, Application, ApplicationArguments, Bind, BindError, CONNECTION_COUNT_MAX,
    CertificateFiles, Config, ConfigError, EngineChoice, Environment, HeaderRule, HeaderRuleError,
    Http2, Limits, MaxAge, NotFoundFile, Responses, Restart, ServeArguments, SizeError, Source,
    SourceError, Tls, TlsArguments, Upstream, UpstreamAddress, UpstreamArguments, UpstreamError,
    parse_bytes,
};
pub use fallback::{BoxError, Peer, RequestBody};
pub use manifest::{Manifest, ManifestError};
pub use server::{
    Ended, Engine, Handle, Metrics, Probe, Server, ServerBuilder, StartError, Summary, probe,
};
pub use sys::kernel::Kernel;
pub use sys::limits::{ResourceLimit, SystemLimits};
pub use tls::{Fault as TlsFileFault, Part as TlsFilePart, TlsError};

/// Includes a packed release in the program: the tar file at a path relative to the source file,
/// as for `include_bytes!`. Gives a `Result<`[`Packed`]`, `[`PackedError`]`>`.
///
/// The archive is what `whitering collect` published, packed with `tar cf release.tar -C public .`
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use whitering::Server;
///
/// // In a program of its own: whitering::embed!("../release.tar")?
/// let release = whitering::embed!(concat!(
///     env!("CARGO_MANIFEST_DIR"),
///     "/tests/embedded/release.tar"
/// ))?;
/// let builder = Server::builder().packed("/static/", release);
/// # drop(builder);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! embed {
    ($path:expr $(,)?) => {
        $crate::Packed::parse(::std::include_bytes!($path))
    };
}

/// The parts, for this package's own benches and simulation. Not for anybody else: nothing here
/// keeps a promise from one version to the next.
#[doc(hidden)]
pub mod internal {
    pub mod assets {
        pub use crate::assets::*;
    }
    pub mod connection {
        pub use crate::connection::*;
    }
    pub mod fallback {
        pub use crate::fallback::*;
    }
    pub mod http {
        pub use crate::http::*;
    }
    pub mod lane {
        pub use crate::lane::*;
    }
    pub mod manifest {
        pub use crate::manifest::*;
    }
    pub mod reactor {
        pub use crate::reactor::*;
    }
    pub mod service {
        pub use crate::service::*;
    }
    pub mod server {
        pub use crate::server::{BACKLOG, RING_SIZES, RING_THREAD_COUNT, asset_options, settings};
    }
    pub mod sys {
        pub use crate::sys::*;
    }
}
