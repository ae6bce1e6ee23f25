//! Passes requests on to application servers over HTTP/1.1: one pool of connections per lane, in
//! its thread. A connection is driven by the request that uses it, so a request costs no task,
//! no timer and no wake-up of its own. Answers with a small page what goes wrong.

mod asking;
mod connect;
mod download;
mod exchange;
mod failure;
mod fields;
mod forward;
mod forwarded;
mod health;
mod link;
mod pages;
mod passage;
mod queue;
mod respond;
#[cfg(test)]
mod tests;
mod upgrade;
mod upload;
mod upstream;
mod wire;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ::http::{Request, Response};

pub use download::Download;
pub use passage::{Begun, Dress, Outcome, Passage, Prepared, Reply, Rest};

use self::exchange::Lane;
use super::{LocalFuture, MakeService, RequestBody, ResponseBody, Service};

/// What requests are passed on with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The application servers, taken in turn.
    pub addresses: Vec<Address>,
    /// For a connection to one.
    pub connect_timeout: Duration,
    /// For a free connection, for the head of a response, for each part of a request body to be
    /// taken, and for each part of a response body unless it is an event stream.
    pub timeout: Duration,
    /// Connections of each lane to each server.
    pub connection_count_max: usize,
    /// The longest request body that is passed on.
    pub upload_bytes_max: u64,
    /// Whether the forwarding fields of clients are believed.
    pub trust_forwarded: bool,
}

/// Where an application server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host name or address, and a port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Makes the proxy of each lane.
#[derive(Debug)]
pub struct Proxy {
    options: Options,
}

impl Proxy {
    /// A proxy that has not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options }
    }
}

impl MakeService for Proxy {
    fn make(&self) -> Rc<dyn Service> {
        Rc::new(Rc::new(Lane::new(self.options.clone())))
    }
}

impl Service for Rc<Lane> {
    fn call(&self, request: Request<RequestBody>) -> LocalFuture<Response<ResponseBody>> {
        self.sweep_while_used();
        self.answer(request, None)
    }

    fn passage(&self) -> Option<Passage> {
        Some(Passage::new(Self::clone(self)))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}
