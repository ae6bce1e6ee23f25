//! A small server on tokio-uring's sockets: one task for each client, and in it the package's own
//! connection, so that nothing differs from its engines but what moves the bytes.
//!
//! It holds no client to a deadline, and its files go through user space.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::File;
use tokio_uring::net::{TcpListener, TcpStream};
use whitering::internal::assets::Body;
use whitering::internal::connection::{BodyPart, Connection, Context, Loan, OpenError, Want};

use super::Options;
use super::clock::Surroundings;
use super::site::{self, Bodies};
use super::worker::{self, Worker};

/// Serves until the process is ended.
pub(super) fn serve(options: &Options) -> io::Result<()> {
    worker::run(options, &site::load(options, Bodies::AsServed)?, |worker| {
        let mut ring = tokio_uring::uring_builder();
        // Refused by kernels before 5.19, which have none of what the engine needs either.
        ring.setup_coop_taskrun().setup_cqsize(8 * ENTRY_COUNT);
        tokio_uring::builder()
            .entries(ENTRY_COUNT)
            .uring_builder(&ring)
            .start(accept(worker))
    })
}

async fn accept(worker: Worker) -> io::Result<()> {
    let shared = Rc::new(Shared {
        surroundings: RefCell::new(Surroundings::new(
            &worker.published,
            site::limits(&worker.options),
        )),
        root: worker.options.root.clone(),
        files: RefCell::default(),
        chunks: RefCell::default(),
    });
    tokio_uring::spawn(tick(Rc::clone(&shared)));
    let listener = TcpListener::from_std(worker.listener);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio_uring::spawn(Client::new(stream, Rc::clone(&shared)).run());
            }
            // Out of descriptors, or the client is gone already.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn tick(shared: Rc<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shared.surroundings.borrow_mut().refresh();
    }
}

/// What the clients of one thread share.
struct Shared {
    surroundings: RefCell<Surroundings>,
    root: PathBuf,
    /// Open files by the variant they hold.
    files: RefCell<HashMap<(u32, u8), Rc<File>>>,
    /// Buffers for reading from files.
    chunks: RefCell<Vec<Vec<u8>>>,
}

/// One client and what its task owns.
struct Client {
    stream: TcpStream,
    connection: Connection,
    file: Option<Rc<File>>,
    shared: Rc<Shared>,
}

impl Client {
    fn new(stream: TcpStream, shared: Rc<Shared>) -> Self {
        let connection = Connection::new(&shared.surroundings.borrow_mut().context());
        Self {
            stream,
            connection,
            file: None,
            shared,
        }
    }

    async fn run(mut self) {
        let mut input = Vec::with_capacity(RECEIVE_BYTES);
        loop {
            match self.connection.want() {
                Want::Receive => input = self.receive(input).await,
                Want::Send => self.send().await,
                Want::Open => self.open().await,
                Want::SendFile => self.send_file().await,
                Want::Finish => {
                    // A failure means that the client is gone, which receiving tells.
                    let _ = self.stream.shutdown(Shutdown::Write);
                    self.report(|connection, context| connection.on_finished(context));
                }
                Want::Close | Want::Abort | Want::HandOver => break,
            }
        }
        let mut surroundings = self.shared.surroundings.borrow_mut();
        self.connection.release(surroundings.pool());
    }

    fn report(&mut self, event: impl FnOnce(&mut Connection, &mut Context<'_>)) {
        let mut surroundings = self.shared.surroundings.borrow_mut();
        event(&mut self.connection, &mut surroundings.context());
    }

    async fn receive(&mut self, input: Vec<u8>) -> Vec<u8> {
        let (result, input) = self.stream.read(input).await;
        match result {
            Ok(0) => self.connection.on_end(),
            Ok(count) => self.report(|connection, context| {
                connection.on_received(&input[..count], context);
            }),
            Err(_) => self.connection.on_error(),
        }
        input
    }

    async fn send(&mut self) {
        let Loan {
            buffer, from, body, ..
        } = self.connection.lend();
        let (result, buffer) = match body {
            None if from == 0 => self.stream.write(buffer).submit().await,
            None => {
                let (result, slice) = self.stream.write(buffer.slice(from..)).submit().await;
                (result, slice.into_inner())
            }
            Some(part) => self.send_with(buffer, from, memory(&part)).await,
        };
        match result {
            Ok(count @ 1..) => self.report(|connection, context| {
                connection.on_sent(buffer, count, context);
            }),
            _ => self.connection.on_send_failed(buffer),
        }
    }

    /// Sends a buffer and the body behind it with one operation.
    async fn send_with(
        &self,
        buffer: Vec<u8>,
        from: usize,
        body: Bytes,
    ) -> (io::Result<usize>, Vec<u8>) {
        let buffer = Bytes::from(buffer);
        let parts = vec![Bytes::slice(&buffer, from..), body];
        let (result, parts) = self.stream.writev(parts).await;
        drop(parts);
        // Nobody else has it any more, so this copies nothing.
        (result, buffer.into())
    }

    async fn open(&mut self) {
        let Some(part) = self.connection.file_part().cloned() else {
            return self.connection.on_error();
        };
        let key = part.source().key();
        let known = self.shared.files.borrow().get(&key).cloned();
        let opened = match known {
            Some(file) => Ok(file),
            None => File::open(place(&self.shared.root, &part))
                .await
                .map(Rc::new),
        };
        match opened {
            Ok(file) => {
                self.shared.files.borrow_mut().insert(key, Rc::clone(&file));
                self.file = Some(file);
                self.connection.on_opened();
            }
            Err(_) => self.report(|connection, context| {
                connection.on_open_failed(OpenError::Missing, context);
            }),
        }
    }

    /// Reads a chunk of the file and sends it.
    async fn send_file(&mut self) {
        let (Some(part), Some(file)) = (self.connection.file_part(), self.file.clone()) else {
            return self.connection.on_error();
        };
        let range = part.range().clone();
        let count = (range.end - range.start).min(CHUNK_BYTES as u64);
        let count = usize::try_from(count).unwrap_or(CHUNK_BYTES);
        let chunk = self.shared.chunks.borrow_mut().pop();
        let chunk = chunk.unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES));
        let (read, slice) = file.read_at(chunk.slice(..count), range.start).await;
        let mut chunk = slice.into_inner();
        let sent = match read {
            Ok(count @ 1..) => {
                let (result, slice) = self.stream.write_all(chunk.slice(..count)).await;
                chunk = slice.into_inner();
                result.map(|()| count).ok()
            }
            _ => None,
        };
        self.shared.chunks.borrow_mut().push(chunk);
        match sent {
            Some(count) => self.report(|connection, context| {
                connection.on_file_sent(count, context);
            }),
            None => self.connection.on_error(),
        }
    }
}

/// The bytes of a body that is in memory.
fn memory(part: &BodyPart) -> Bytes {
    let (asset_index, variant_index) = part.source().key();
    let asset = part.source().held().asset(asset_index);
    let (Body::Memory(bytes), Ok(start), Ok(end)) = (
        &asset.variants[usize::from(variant_index)].body,
        usize::try_from(part.range().start),
        usize::try_from(part.range().end),
    ) else {
        unreachable!("invariant: only bodies in memory are lent")
    };
    bytes.slice(start..end)
}

/// Where the file of a body is: there is one source.
fn place(root: &Path, part: &BodyPart) -> PathBuf {
    let path = part.source().file().map(|file| file.path.to_bytes());
    root.join(OsStr::from_bytes(path.unwrap_or_default()))
}

/// As many as the engine's ring.
const ENTRY_COUNT: u32 = 2_048;

/// As large as a buffer of the engine's ring.
const RECEIVE_BYTES: usize = 2_048;

/// Read and sent at once of a file.
const CHUNK_BYTES: usize = 128 * 1024;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
