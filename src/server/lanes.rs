//! The lanes beside the workers: what they are started with, and how connections get there.

use std::io;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::worker::End;
use crate::assets::Snapshot;
use crate::config::Config;
use crate::fallback::MakeService;
use crate::fallback::proxy::{self, Proxy};
use crate::lane::{self, Arrival, Arrivals, Entry, Lane};
use crate::reactor::{Handed, Notice, Outlet, Settings};

/// What the listeners whose connections are handed over unread are marked with.
pub(super) const MARK_TLS: u8 = 0;
pub(super) const MARK_REDIRECT: u8 = 1;

/// What all lanes are started with.
pub(super) struct Setup {
    pub(super) uses_uring: bool,
    pub(super) settings: Settings,
    pub(super) published: Arc<Snapshot>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) https_port: Option<u16>,
    pub(super) fallback: Option<Arc<dyn MakeService>>,
    pub(super) notices: Sender<Notice>,
    pub(super) ends: Sender<End>,
}

impl Setup {
    /// Starts the lane beside worker `index`.
    pub(super) fn start(
        &self,
        index: usize,
        cpu: Option<usize>,
        config: &Config,
    ) -> io::Result<Lane> {
        let tls = config.tls.as_ref();
        let notices = self.notices.clone();
        let options = lane::Options {
            cpu,
            uses_uring: self.uses_uring,
            settings: self.settings.clone(),
            http2: lane::Http2 {
                prior_knowledge: config.http2.prior_knowledge,
                stream_count_max: config.http2.stream_count_max,
            },
            published: Arc::clone(&self.published),
            tls: self.tls.clone(),
            hsts_seconds: tls.and_then(|tls| tls.hsts_seconds),
            https_port: self.https_port,
            fallback: self.fallback.clone(),
            sendfile_roots: config
                .upstream
                .sendfile_roots
                .iter()
                .map(|root| (root.prefix.clone(), root.directory.clone()))
                .collect(),
            on_stale: Arc::new(move || {
                // A full queue says it already.
                let _ = notices.try_send(Notice::Stale);
            }),
        };
        let ends = self.ends.clone();
        let on_end = move |result| {
            // Nobody listens any more only when the process is ending.
            let _ = ends.send(End::Lane { index, result });
        };
        Lane::start(index, options, Box::new(on_end))
    }
}

/// Whether anything is ever handed over.
pub(super) fn are_needed(config: &Config, fallback: Option<&Arc<dyn MakeService>>) -> bool {
    fallback.is_some() || config.tls.is_some() || config.http2.prior_knowledge
}

/// The proxy to `addresses`.
pub(super) fn proxy(config: &Config, addresses: Vec<proxy::Address>) -> Arc<dyn MakeService> {
    let upstream = &config.upstream;
    Arc::new(Proxy::new(proxy::Options {
        addresses,
        connect_timeout: upstream.connect_timeout,
        timeout: upstream.timeout,
        connection_count_max: usize::try_from(upstream.connection_count_max).unwrap_or(usize::MAX),
        upload_bytes_max: upstream.upload_bytes_max,
        trust_forwarded: upstream.trust_forwarded,
    }))
}

/// Takes what a worker hands over to its lane.
pub(super) fn outlet(lane: &Lane) -> Box<dyn Outlet> {
    Box::new(ToLane(lane.arrivals()))
}

#[derive(Debug)]
struct ToLane(Arrivals);

impl Outlet for ToLane {
    fn hand_over(&mut self, handed: Handed) {
        self.0.push(Arrival {
            socket: handed.socket,
            received: handed.received,
            half_closed: handed.half_closed,
            entry: match handed.mark {
                None => Entry::Plain,
                Some(MARK_TLS) => Entry::Tls,
                Some(_) => Entry::Redirect,
            },
        });
    }

    fn connection_count(&self) -> usize {
        self.0.connection_count()
    }
}
