//! Threads of a row: each on a CPU of its own, with a listener of its own.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use whitering::internal::reactor::Published;
use whitering::internal::server::BACKLOG;
use whitering::internal::sys::socket::{self, ListenerOptions};
use whitering::internal::sys::{cpus, limits};

use super::{Options, site};

/// What one thread serves with.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) options: Options,
    pub(super) published: Published,
    pub(super) listener: TcpListener,
    /// Where the thread was pinned; one thread alone is left where the process was put.
    pub(super) cpu: Option<usize>,
}

/// Runs `serve` in as many threads as `options` say, until one of them ends.
pub(super) fn run(
    options: &Options,
    published: &Published,
    serve: fn(Worker) -> io::Result<()>,
) -> io::Result<()> {
    limits::raise_descriptors()?;
    let cpus = cpus::affinity()?;
    let count = options.workers.max(1);
    let mut workers = Vec::with_capacity(count);
    for index in 0..count {
        workers.push(Worker {
            options: options.clone(),
            published: Published::clone(published),
            listener: listen(options, count > 1)?,
            cpu: cpus.get(index).copied().filter(|_| count > 1),
        });
    }
    let (sender, ends) = mpsc::channel();
    for (index, worker) in workers.into_iter().enumerate() {
        let sender = sender.clone();
        let name = format!("worker-{index}");
        thread::Builder::new().name(name).spawn(move || {
            let result = worker
                .cpu
                .map_or(Ok(()), cpus::pin)
                .and_then(|()| serve(worker));
            // Nobody listens any more only when the process is ending.
            let _ = sender.send(result);
        })?;
    }
    drop(sender);
    ends.recv()
        .unwrap_or_else(|_| Err(io::Error::other("a worker of the row has panicked")))
}

/// As the server listens, `TCP_NODELAY` included.
fn listen(options: &Options, shared_port: bool) -> io::Result<TcpListener> {
    socket::listen(
        options.address,
        ListenerOptions {
            shared_port,
            user_timeout: site::limits(options).write_timeout,
            backlog: BACKLOG,
        },
    )
}
