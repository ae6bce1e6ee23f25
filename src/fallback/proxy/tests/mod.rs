//! The proxy between raw clients and scripted application servers, over sockets of this machine.

mod faults;
mod requests;
mod responses;
mod switches;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use ::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::{Address, Begun, Dress, Options, Outcome, Proxy, Reply};
use crate::fallback::{MakeService, Peer, RequestBody, Service};

/// Runs `test`, which must not hang, on either way through the proxy.
fn run(test: impl AsyncFn()) {
    for way in [Way::Hyper, Way::Short] {
        WAY.set(way);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let limited = async { tokio::time::timeout(PATIENCE, test()).await };
        let result = LocalSet::new().block_on(&runtime, limited);
        result.unwrap_or_else(|_| panic!("{way:?}: it does not go on"));
    }
}

/// How requests get to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Hyper,
    /// Past hyper for as long as that goes.
    Short,
}

thread_local! {
    static WAY: Cell<Way> = const { Cell::new(Way::Hyper) };
}

/// What an application server does with each request head that it has read.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Answers with this.
    Answer(&'static str),
    /// Answers with this, and closes.
    Last(&'static str),
    /// Answers with this, and breaks the connection off with what it has not read.
    Break(&'static str),
    /// Reads on, and never answers.
    Silence,
    /// Sends back what comes, until nothing comes; the connection stays open.
    Echo(&'static str),
}

/// An application server: one act for each request, the last for all that follow.
struct Application {
    address: SocketAddr,
    /// The heads it has read, with what came together with them.
    seen: Rc<RefCell<Vec<String>>>,
    connection_count: Rc<Cell<usize>>,
}

impl Application {
    async fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, acts) = (Rc::<RefCell<Vec<_>>>::default(), acts.to_vec());
        let seen_there = Rc::clone(&seen);
        let connection_count = Rc::<Cell<usize>>::default();
        let count_there = Rc::clone(&connection_count);
        spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count_there.set(count_there.get() + 1);
                spawn_local(converse(socket, acts.clone(), Rc::clone(&seen_there)));
            }
        });
        Self {
            address,
            seen,
            connection_count,
        }
    }

    /// One that is played by the test, or by nobody.
    fn at(address: SocketAddr) -> Self {
        Self {
            address,
            seen: Rc::default(),
            connection_count: Rc::default(),
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }
}

async fn converse(mut socket: TcpStream, acts: Vec<Act>, seen: Rc<RefCell<Vec<String>>>) {
    loop {
        let Some(head) = head(&mut socket).await else {
            return;
        };
        let index = seen.borrow().len().min(acts.len() - 1);
        seen.borrow_mut().push(head);
        match acts[index] {
            Act::Answer(text) => socket.write_all(text.as_bytes()).await.unwrap(),
            Act::Last(text) => return socket.write_all(text.as_bytes()).await.unwrap(),
            Act::Break(text) => {
                socket.write_all(text.as_bytes()).await.unwrap();
                // What is received and not read makes a close a reset.
                socket.readable().await.unwrap();
                return;
            }
            Act::Silence => std::future::pending().await,
            Act::Echo(text) => {
                socket.write_all(text.as_bytes()).await.unwrap();
                let mut room = [0; 256];
                while let Ok(count @ 1..) = socket.read(&mut room).await {
                    socket.write_all(&room[..count]).await.unwrap();
                }
                std::future::pending().await
            }
        }
    }
}

/// Reads up to the end of a head, and what has come with it.
async fn head(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn options(applications: &[&Application]) -> Options {
    let address = |application: &&Application| {
        let address = application.address;
        Address::Tcp(address.ip().to_string(), address.port())
    };
    Options {
        addresses: applications.iter().map(address).collect(),
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
        connection_count_max: 8,
        upload_bytes_max: 1 << 20,
        trust_forwarded: false,
    }
}

/// A server that does nothing but pass requests on; gives where it listens.
async fn proxy(options: Options) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Proxy::new(options).make();
    spawn_local(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            let client = Client {
                service: Rc::clone(&service),
                peer: Peer {
                    address: Some(peer),
                    local: None,
                    is_tls: false,
                },
            };
            match WAY.get() {
                Way::Hyper => spawn_local(client.over_hyper(socket, None)),
                Way::Short => spawn_local(client.on_the_short_way(socket)),
            };
        }
    });
    address
}

/// A client of the proxy, as the lanes serve them.
struct Client {
    service: Rc<dyn Service>,
    peer: Peer,
}

impl Client {
    async fn over_hyper<S>(self, socket: S, begun: Option<Begun>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Cell::new(begun);
        let serve = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(RequestBody::from);
            request.extensions_mut().insert(self.peer);
            let response = match begun.take() {
                Some(begun) => self.service.passage().unwrap().go_on(request, begun),
                None => self.service.call(request),
            };
            async { Ok::<_, std::convert::Infallible>(response.await) }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(socket), serve)
            .with_upgrades();
        let _ = serving.await;
    }

    async fn on_the_short_way(self, mut socket: TcpStream) {
        let passage = self.service.passage().unwrap();
        let mut received = Vec::new();
        loop {
            while !received.windows(4).any(|end| end == b"\r\n\r\n") {
                if !matches!(socket.read_buf(&mut received).await, Ok(1..)) {
                    return;
                }
            }
            let outcome = match passage.prepare(&received, &self.peer) {
                Some(prepared) => {
                    let dress = || Dress {
                        date: *b"Thu, 01 Jan 1970 00:00:00 GMT",
                        hsts: None,
                        closes: !prepared.is_persistent(),
                    };
                    let outcome = passage.ask(&prepared, dress).await;
                    Some((outcome, prepared.received_bytes()))
                }
                None => None,
            };
            let begun = match outcome {
                Some((Outcome::Reply(reply), request_bytes)) => {
                    if !send(&mut socket, reply).await {
                        return;
                    }
                    received.drain(..request_bytes);
                    continue;
                }
                Some((Outcome::Begun(begun), _)) => Some(begun),
                None => None,
            };
            let (reading, writing) = socket.into_split();
            let reading = std::io::Cursor::new(received).chain(reading);
            return self
                .over_hyper(tokio::io::join(reading, writing), begun)
                .await;
        }
    }
}

/// Sends all of a reply; whether the connection goes on after it.
async fn send(socket: &mut TcpStream, reply: Reply) -> bool {
    if socket.write_all(&reply.bytes).await.is_err() {
        return false;
    }
    let mut rest = reply.rest;
    while let Some(rest) = rest.as_mut().filter(|rest| rest.bytes_left() > 0) {
        let mut room = [0; 512];
        let mut buffer = ReadBuf::new(&mut room);
        let read = std::future::poll_fn(|context| rest.poll_read(context, &mut buffer)).await;
        if read.is_err() || socket.write_all(buffer.filled()).await.is_err() {
            return false;
        }
    }
    !reply.closes
}

/// What a client gets that sends `text` and then listens to the end.
async fn ask(proxy: SocketAddr, text: &str) -> String {
    let mut socket = TcpStream::connect(proxy).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer.
fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
