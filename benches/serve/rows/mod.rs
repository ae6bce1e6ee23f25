//! Servers written for comparison; each runs in a process of its own. They share the index, the
//! heads and the limits of the package's engines, and differ in what moves the bytes.

mod clock;
mod floor;
mod hyper;
mod site;
#[cfg(test)]
mod tests;
mod tokio_uring;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A ring loop that sends a canned response without parsing: what no server can beat.
    Floor,
    /// tokio-uring's sockets, the same index and heads.
    TokioUring,
    /// hyper on tokio, the same index and heads.
    Hyper,
}

/// How a row is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Which.
    pub(crate) kind: Kind,
    /// Where to listen.
    pub(crate) address: SocketAddr,
    /// What to serve.
    pub(crate) root: PathBuf,
    /// Threads, each with a listener of its own (`SO_REUSEPORT`).
    pub(crate) workers: usize,
    /// The path whose answer the floor sends for everything, as GET is answered. Another request
    /// is written out: method and path, then a line for each field (`HEAD /a.css`,
    /// `GET /a.css\nIf-None-Match: *`).
    pub(crate) canned: Option<String>,
    /// Made slower on purpose: CPU time burnt for each read of a connection. The floor only, as
    /// what follows.
    pub(crate) burn: Duration,
    /// Made wrong on purpose: one byte of each body differs.
    pub(crate) corrupt: bool,
    /// Made wrong on purpose: every answer is a 500.
    pub(crate) fail: bool,
}

/// Serves until the process is ended.
///
/// # Errors
/// If the listener cannot be made or the files cannot be loaded.
pub(crate) fn serve(options: &Options) -> std::io::Result<()> {
    match options.kind {
        Kind::Floor => floor::serve(options),
        Kind::TokioUring => tokio_uring::serve(options),
        Kind::Hyper => hyper::serve(options),
    }
}
