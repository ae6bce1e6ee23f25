//! The lane of one CPU: a thread that serves what its worker hands over. Connections over TLS,
//! HTTP/2, and those with a request that names no file; each stays here to its end.
//!
//! A tokio-uring runtime where io_uring may be used, else a tokio runtime of one thread.

mod arrivals;
mod body;
mod client;
mod clock;
mod connections;
mod corked;
mod direct;
mod files;
mod framed;
mod http_setup;
mod preface;
mod redirect;
mod rewind;
mod run;
mod sendfile;
mod site;
mod socket;
mod stalls;
mod state;
mod strict;
#[cfg(test)]
mod tests;
mod transport;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use arrivals::Arrivals;

use crate::connection::{Published, Settings};
use crate::fallback::MakeService;

/// How a lane is set up.
#[derive(Clone)]
pub struct Options {
    /// The CPU it runs on: its worker's.
    pub cpu: Option<usize>,
    /// Whether io_uring may be used.
    pub uses_uring: bool,
    /// What connections are held to.
    pub settings: Settings,
    /// What HTTP/2 is held to.
    pub http2: Http2,
    /// What requests are answered from, until [`Message::Publish`].
    pub published: Published,
    /// For connections over TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// `max-age` of `Strict-Transport-Security`, sent over TLS only.
    pub hsts_seconds: Option<u32>,
    /// Where clients without TLS are sent to, if they are.
    pub https_port: Option<u16>,
    /// What answers requests that name no file.
    pub fallback: Option<Arc<dyn MakeService>>,
    /// Directories out of which the application may have files sent, each under a URL path.
    pub sendfile_roots: Vec<(String, PathBuf)>,
    /// Called when a file is not what the snapshot says.
    pub on_stale: OnStale,
}

/// Says that the snapshot is out of date.
pub type OnStale = Arc<dyn Fn() + Send + Sync>;

/// What HTTP/2 is held to.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// Whether it is taken without TLS from who begins with it.
    pub prior_knowledge: bool,
    /// Requests at once on one connection.
    pub stream_count_max: u32,
}

/// A connection that was handed over.
#[derive(Debug)]
pub struct Arrival {
    /// The socket.
    pub socket: OwnedFd,
    /// What was received of it and not answered.
    pub received: Vec<u8>,
    /// Whether the client has shut down its sending side.
    pub half_closed: bool,
    /// How it is served.
    pub entry: Entry,
}

/// How a connection is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// HTTP/1.1 without TLS, or HTTP/2 if it begins so.
    Plain,
    /// TLS, then what it negotiates.
    Tls,
    /// Every request is told where TLS is.
    Redirect,
}

/// What a lane is told.
#[derive(Debug, Clone)]
pub enum Message {
    /// Answer new requests from this snapshot.
    Publish(Published),
    /// Answer what has been asked, then end. Connections may arrive until [`Message::Close`].
    Drain,
    /// Nothing more arrives: end when all connections have.
    Close,
    /// End now.
    Stop,
}

/// How a lane ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were cut off because it had to end.
    pub cut_count: usize,
}

/// Says that a lane has ended; an error is a broken one.
pub type OnEnd = Box<dyn FnOnce(io::Result<Ended>) + Send>;

/// A lane, as others see it.
#[derive(Debug)]
pub struct Lane {
    arrivals: Arrivals,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    /// Starts the lane of CPU number `index`; if that succeeds, `on_end` is called once, by its
    /// thread.
    ///
    /// # Errors
    /// No thread, or no runtime.
    pub fn start(index: usize, options: Options, on_end: OnEnd) -> io::Result<Self> {
        let (arrivals, inbox) = arrivals::queue();
        let thread = run::start(index, options, inbox, on_end)?;
        Ok(Self {
            arrivals,
            thread: Some(thread),
        })
    }

    /// Where its connections are put.
    pub fn arrivals(&self) -> Arrivals {
        self.arrivals.clone()
    }

    /// Tells it something.
    pub fn tell(&self, message: Message) {
        self.arrivals.tell(message);
    }

    /// Waits for its thread to end.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic was reported as an error by then.
            let _ = thread.join();
        }
    }
}
