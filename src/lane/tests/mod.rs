//! Lanes over real sockets, on both runtimes.

mod files;
mod http1;
mod http2;
mod over_tls;
mod passing;
mod stalled;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt;

use super::{Arrival, Ended, Entry, Http2, Lane, Message, Options};
use crate::assets::Snapshot;
use crate::connection::Settings;
use crate::fallback::{LocalFuture, MakeService, RequestBody, ResponseBody, Service};

/// Answers with the method, the target and the body of the request.
struct Echo;

impl MakeService for Echo {
    fn make(&self) -> Rc<dyn Service> {
        Rc::new(Self)
    }
}

impl Service for Echo {
    fn call(&self, request: Request<RequestBody>) -> LocalFuture<Response<ResponseBody>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            assert_ne!(parts.uri.path(), "/panic", "as the test wants it");
            if parts.uri.path() == "/never" {
                std::future::pending::<()>().await;
            }
            if parts.uri.path() == "/switch" {
                return switch(parts);
            }
            if parts.uri.path() == "/broken" {
                return broken();
            }
            if let Some(text) = match parts.uri.path() {
                "/large" => Some(Bytes::from(vec![b'x'; 8 << 20])),
                "/early" => Some(Bytes::from_static(b"early")),
                _ => None,
            } {
                return Response::new(ResponseBody::Bytes(Some(text)));
            }
            let body = body.collect().await.map(|body| body.to_bytes());
            let body = body.unwrap_or_else(|_| Bytes::from_static(b"broken"));
            let mut text = format!("{} {} ", parts.method, parts.uri).into_bytes();
            text.extend_from_slice(&body);
            let mut response = Response::new(ResponseBody::Bytes(Some(text.into())));
            let fields = response.headers_mut();
            fields.insert("x-sendfile", "/etc/passwd".parse().unwrap());
            response
        })
    }
}

/// Breaks off without a byte of what was announced.
fn broken() -> Response<ResponseBody> {
    let whole = http_body_util::Full::new(Bytes::from_static(b"more than allowed"));
    let body = http_body_util::Limited::new(whole, 4);
    Response::new(ResponseBody::Boxed(Box::pin(body)))
}

/// Switches protocols: what is said then is said back.
fn switch(mut parts: ::http::request::Parts) -> Response<ResponseBody> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upgrading = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    tokio::task::spawn_local(async move {
        let stream = upgrading.unwrap().await.unwrap();
        let mut stream = hyper_util::rt::TokioIo::new(stream);
        let mut room = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut room).await {
            stream.write_all(&room[..count]).await.unwrap();
        }
    });
    let mut response = Response::new(ResponseBody::Bytes(None));
    *response.status_mut() = ::http::StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert("connection", "upgrade".parse().unwrap());
    fields.insert("upgrade", "echo".parse().unwrap());
    response
}

/// A lane, and where it says how it ended.
struct Running {
    lane: Lane,
    ended: Receiver<std::io::Result<Ended>>,
}

impl Running {
    fn start(uses_uring: bool, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            cpu: None,
            uses_uring,
            settings: Settings {
                hands_over: true,
                ..Settings::default()
            },
            http2: Http2 {
                prior_knowledge: true,
                stream_count_max: 16,
            },
            published: Arc::new(Snapshot::default()),
            tls: None,
            hsts_seconds: None,
            https_port: Some(8443),
            fallback: Some(Arc::new(Echo)),
            sendfile_roots: Vec::new(),
            on_stale: Arc::new(|| {}),
        };
        change(&mut options);
        let (report, ended) = channel();
        let on_end = Box::new(move |result| report.send(result).unwrap());
        let lane = Lane::start(0, options, on_end).unwrap();
        Self { lane, ended }
    }

    fn connect(&self, entry: Entry, received: &[u8]) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        self.arrive(OwnedFd::from(theirs), entry, received);
        ours
    }

    /// Over a socket that can be reset.
    fn connect_tcp(&self, entry: Entry) -> TcpStream {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        self.arrive(OwnedFd::from(theirs), entry, b"");
        ours
    }

    fn arrive(&self, socket: OwnedFd, entry: Entry, received: &[u8]) {
        self.lane.arrivals().push(Arrival {
            socket,
            received: received.to_vec(),
            half_closed: false,
            entry,
        });
    }

    fn end(mut self, message: Message) -> Ended {
        self.lane.tell(message);
        let ended = self.ended.recv_timeout(PATIENCE).unwrap().unwrap();
        self.lane.join();
        assert_eq!(self.lane.arrivals().connection_count(), 0);
        ended
    }
}

/// Runs `test` on both runtimes.
fn on_both(test: impl Fn(bool)) {
    test(true);
    test(false);
}

/// Reads until `count` answers have arrived; returns their bodies, which end with `;`.
fn bodies(client: &mut UnixStream, count: usize) -> Vec<String> {
    let mut text = String::new();
    let mut room = [0; 4096];
    while text.matches(';').count() < count {
        let received = client.read(&mut room).unwrap();
        assert!(received > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&room[..received]).unwrap());
    }
    let answers = text.split("HTTP/1.1 200 OK\r\n").skip(1);
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    answers.map(body).collect()
}

fn all(client: &mut UnixStream) -> String {
    let mut text = Vec::new();
    client.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// TLS for `localhost`, and who trusts it, with `protocol` by ALPN.
fn tls(protocol: &[u8]) -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let mut server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(certificate).unwrap();
    let mut client = rustls::ClientConfig::builder()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.to_vec()];
    (Arc::new(server), Arc::new(client))
}

fn name() -> rustls::pki_types::ServerName<'static> {
    "localhost".try_into().unwrap()
}

/// Files in memory and on disk, of which the second is larger than TLS takes at once.
fn site() -> (tempfile::TempDir, Snapshot, Vec<u8>) {
    use crate::assets::{MediaTypes, Options, SourceDirectory, load};
    let directory = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(directory.path().join("small.txt"), "small").unwrap();
    std::fs::write(directory.path().join("large.bin"), &large).unwrap();
    let loaded = load(&Options {
        sources: vec![SourceDirectory {
            prefix: "/".to_owned(),
            directory: directory.path().to_owned(),
        }],
        packed: Vec::new(),
        memory_budget_bytes: 1 << 20,
        file_memory_bytes_max: 1 << 10,
        max_age_seconds: None,
        cors: false,
        media_types: MediaTypes::new("utf-8", &[]),
        header_rules: Vec::new(),
        index_file: None,
        immutable: None,
        not_found: None,
    });
    (directory, loaded.unwrap().snapshot, large)
}

/// Far beyond what any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// For a lane to take what has been pushed.
const SETTLING: Duration = Duration::from_millis(100);
