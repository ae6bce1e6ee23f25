//! The clients: one connection each, with everything that its visit asks for. They share no code
//! with the server under test; TLS is rustls as a client, HTTP/2 is hyper as a client.

mod http1;
mod http2;
mod message;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::files::Files;
use crate::ledger::{Ledger, PATIENCE};
use crate::plan::{Plan, Protocol};
use crate::traffic::{Repertoire, Visit};

/// What all clients know.
pub(crate) struct World {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) files: Files,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) repertoire: Repertoire,
    pub(crate) http1: Arc<rustls::ClientConfig>,
    pub(crate) http2: Arc<rustls::ClientConfig>,
}

/// What a client did not get.
pub(crate) type Fault = String;

/// A stream of bytes.
pub(crate) trait Stream:
    tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static
{
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static> Stream for S {}

/// Makes a visit; what goes wrong is written into the ledger.
pub(crate) async fn visit(world: Rc<World>, visit: Visit) {
    let limit = VISIT_TIME_MAX;
    let (number, protocol) = (visit.number, visit.protocol);
    let plans = visit.plans.clone();
    let fault = match timeout(limit, go(Rc::clone(&world), visit)).await {
        Ok(Ok(())) => return,
        Ok(Err(fault)) => fault,
        Err(_) => format!("not done within {limit:?}"),
    };
    // Nothing can have been asked on a connection that did not come about.
    let is_unmade = fault.starts_with("no connection") || fault.starts_with("no TLS");
    if is_unmade && world.ledger.has_ended() {
        return;
    }
    world
        .ledger
        .fault(format!("visit {number} over {protocol:?}: {fault}"));
    // What else it asked for is a consequence.
    for plan in plans {
        world.ledger.abandon_if_announced(plan.id);
    }
}

async fn go(world: Rc<World>, visit: Visit) -> Result<(), Fault> {
    let plain = |error: io::Error| format!("no connection: {error}");
    let address = match visit.protocol {
        Protocol::Http1 | Protocol::Http2 => world.plain,
        Protocol::Http1Tls | Protocol::Http2Tls => world.tls,
    };
    let socket = TcpStream::connect(address).await.map_err(plain)?;
    socket.set_nodelay(true).map_err(plain)?;
    let goes_away = visit.plans.last().is_some_and(|plan| plan.abort.is_some());
    if goes_away && visit.number % 2 == 1 && !visit.protocol.is_http2() {
        // Not with an end, but with a reset.
        socket.set_zero_linger().map_err(plain)?;
    }
    match visit.protocol {
        Protocol::Http1 => http1::visit(world, socket, visit).await,
        Protocol::Http2 => http2::visit(world, socket, visit).await,
        Protocol::Http1Tls => {
            let stream = handshake(&world.http1, socket).await?;
            http1::visit(world, stream, visit).await
        }
        Protocol::Http2Tls => {
            let stream = handshake(&world.http2, socket).await?;
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err("HTTP/2 is not negotiated".to_owned());
            }
            http2::visit(world, stream, visit).await
        }
    }
}

async fn handshake(
    config: &Arc<rustls::ClientConfig>,
    socket: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Fault> {
    let name = ServerName::try_from("mixed.test").expect("a name");
    let connector = TlsConnector::from(Arc::clone(config));
    let handshake = connector.connect(name, socket);
    match timeout(PATIENCE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("no TLS: {error}")),
        Err(_) => Err("no TLS in time".to_owned()),
    }
}

/// Says which request something went wrong with.
fn concerning(plan: &Plan, fault: impl std::fmt::Display) -> Fault {
    format!("{fault}; asked: {plan:?}")
}

/// For all that one connection asks for.
const VISIT_TIME_MAX: Duration = Duration::from_secs(60);
