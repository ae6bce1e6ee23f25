//! The checking upstream: an application server that compares everything that arrives with what
//! was sent, and answers with content that only it and the client know. It shares no code with the
//! server under test: sockets, threads and a parser of its own that forgives nothing.

mod check;
mod reader;
mod reply;
mod websocket;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use reader::{Ending, Head, Reader};

use crate::ledger::{Ledger, PATIENCE};
use crate::plan::{Abort, Plan, Protocol, Work};

/// Listens on TCP until the process ends; returns where.
pub(crate) fn listen(ledger: &Arc<Ledger>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ledger = Arc::clone(ledger);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nodelay(true).unwrap();
            serve_in_thread(stream, Arc::clone(&ledger));
        }
    });
    address
}

/// Listens on a Unix socket until the process ends.
pub(crate) fn listen_unix(path: &Path, ledger: &Arc<Ledger>) {
    let listener = UnixListener::bind(path).unwrap();
    let ledger = Arc::clone(ledger);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            serve_in_thread(stream, Arc::clone(&ledger));
        }
    });
}

/// A connection from the server under test.
trait Stream: Read + Write + Send + 'static {
    /// Limits how long is waited for it, and for it to take something.
    fn limit(&self);
    fn finish_writing(&self);
    fn set_nonblocking(&self, is_nonblocking: bool);
}

fn serve_in_thread(stream: impl Stream, ledger: Arc<Ledger>) {
    stream.limit();
    thread::spawn(move || {
        if let Err(Stop::Fault(fault)) = serve(stream, &ledger) {
            ledger.fault(format!("upstream: {fault}"));
        }
    });
}

/// Why a connection ends.
#[derive(Debug)]
enum Stop {
    /// It may: it is idle, or the client of a request has gone away.
    Gone,
    /// It may not, or what came is wrong.
    Fault(String),
}

impl From<String> for Stop {
    fn from(fault: String) -> Self {
        Self::Fault(fault)
    }
}

/// Answers requests until the connection ends.
fn serve(stream: impl Stream, ledger: &Ledger) -> Result<(), Stop> {
    let mut reader = Reader::new(stream);
    loop {
        let head = match reader.head() {
            Ok(head) => head,
            // Heads are short and sent in one piece: even half of one is an oddity.
            Err(Ending::Clean) => return Err(Stop::Gone),
            Err(ending) => return Err(Stop::Fault(format!("no request: {ending:?}"))),
        };
        let id = check::id(&head)?;
        let (plan, protocol) = ledger.arrive(id)?;
        let answered = answer(&mut reader, &head, &plan, protocol, ledger);
        ledger.leave();
        let may_fail = plan.abort.is_some();
        match answered {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Stop::Fault(fault)) => return Err(Stop::Fault(format!("{id}: {fault}: {plan:?}"))),
            Err(Stop::Gone) if may_fail => return Ok(()),
            Err(Stop::Gone) => {
                return Err(Stop::Fault(format!("{id}: the server went away: {plan:?}")));
            }
        }
    }
}

/// Answers one request; whether another may follow.
fn answer<S: Stream>(
    reader: &mut Reader<S>,
    head: &Head,
    plan: &Plan,
    protocol: Protocol,
    ledger: &Ledger,
) -> Result<bool, Stop> {
    check::head(head, plan, protocol)?;
    match &plan.work {
        Work::Proxied(reply) if reply.is_early => {
            reply::send(&mut reader.stream, plan, reply)?;
            reader.stream.finish_writing();
            reader.drain();
            ledger.complete(plan.id);
            Ok(false)
        }
        Work::Proxied(reply) => {
            receive(reader, head, plan, ledger)?;
            reply::send(&mut reader.stream, plan, reply)?;
            Ok(!reply.closes_connection())
        }
        Work::Events(count) => {
            receive(reader, head, plan, ledger)?;
            reply::send_events(&mut reader.stream, plan, *count, ledger)?;
            Ok(true)
        }
        Work::Echo(lengths) => {
            ledger.complete(plan.id);
            websocket::echo(reader, plan, lengths)?;
            Ok(false)
        }
        Work::Asset(_) | Work::Refusal => unreachable!("the ledger lets none in"),
    }
}

/// Takes the content of a request and compares it.
fn receive<S: Stream>(
    reader: &mut Reader<S>,
    head: &Head,
    plan: &Plan,
    ledger: &Ledger,
) -> Result<(), Stop> {
    if head.field("expect").is_some() {
        reply::send_continue(&mut reader.stream)?;
    }
    let mut expected = plan.upload_content();
    let taken = reader.content(head, &expected);
    match taken {
        Ok(()) => {}
        Err(Ending::Clean | Ending::Cut) if plan.abort.is_some() => {
            return Err(Stop::Gone);
        }
        Err(ending) => return Err(Stop::Fault(format!("the content: {ending:?}"))),
    }
    expected.clear();
    if let Some(Abort::Sending(_)) = plan.abort
        && plan.upload.bytes() > 0
    {
        return Err(Stop::Fault(
            "a content that was cut off arrives whole".to_owned(),
        ));
    }
    if let Some(extra) = reader.surplus() {
        return Err(Stop::Fault(format!("behind the request: {extra}")));
    }
    ledger.complete(plan.id);
    Ok(())
}

impl Stream for TcpStream {
    fn limit(&self) {
        // A connection of the pool may be idle for long.
        self.set_read_timeout(Some(15 * PATIENCE)).unwrap();
        self.set_write_timeout(Some(PATIENCE)).unwrap();
    }

    fn finish_writing(&self) {
        drop(self.shutdown(Shutdown::Write));
    }

    fn set_nonblocking(&self, is_nonblocking: bool) {
        Self::set_nonblocking(self, is_nonblocking).unwrap();
    }
}

impl Stream for UnixStream {
    fn limit(&self) {
        self.set_read_timeout(Some(15 * PATIENCE)).unwrap();
        self.set_write_timeout(Some(PATIENCE)).unwrap();
    }

    fn finish_writing(&self) {
        drop(self.shutdown(Shutdown::Write));
    }

    fn set_nonblocking(&self, is_nonblocking: bool) {
        Self::set_nonblocking(self, is_nonblocking).unwrap();
    }
}

/// Whether `error` says that the peer has gone, rather than that it is silent.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof
    )
}
