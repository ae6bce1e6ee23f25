//! One client from its arrival to its end: what its connection is served by.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;

use super::arrivals::Place;
use super::body::Body;
use super::connections::{Control, Phase, Registered};
use super::corked::Http2;
use super::direct::{self, Then};
use super::framed::Framed;
use super::preface::{self, begins_http2};
use super::redirect::Redirect;
use super::run::PanicGuard;
use super::site::Site;
use super::socket::Socket;
use super::state::State;
use super::transport::{Encrypted, Transport};
use super::{Arrival, Entry};
use crate::connection::Tick;

/// Serves a client until it is gone, or has to be.
pub(super) async fn serve(state: Rc<State>, arrival: Arrival, place: Place) {
    let _guard = PanicGuard::new(state.panic_count());
    if arrival.half_closed && arrival.entry == Entry::Tls {
        // Who has nothing more to say cannot shake hands.
        return;
    }
    state.clock.refresh();
    let Ok(socket) = Socket::new(arrival.socket, arrival.received, place) else {
        return;
    };
    let registered = state.connections.add(socket.traffic(), state.clock.now());
    match arrival.entry {
        Entry::Plain => serve_plain(state, socket, registered).await,
        // Apart, as all that is rare: what is served plainly takes no room for it.
        Entry::Tls => Box::pin(serve_tls(state, socket, registered)).await,
        Entry::Redirect => {
            let control = Rc::clone(registered.control());
            let port = state.options.https_port.unwrap_or(443);
            let redirect = Redirect::new(control, port);
            let transport = Transport::Plain(socket);
            Box::pin(serve_http1(&state, &registered, transport, redirect)).await;
        }
    }
}

async fn serve_plain(state: Rc<State>, socket: Socket, registered: Registered) {
    let peer = socket.peer(false);
    let is_http2 = state.options.http2.prior_knowledge && begins_http2(socket.received());
    let site = Site::new(Rc::clone(&state), Rc::clone(registered.control()), peer);
    let transport = Transport::Plain(socket);
    if is_http2 {
        Box::pin(serve_http2(&state, &registered, transport, site)).await;
    } else {
        serve_directly(&state, &registered, transport, site).await;
    }
}

async fn serve_tls(state: Rc<State>, socket: Socket, registered: Registered) {
    let Some(config) = &state.options.tls else {
        return;
    };
    let peer = socket.peer(true);
    let control = registered.control();
    let mut accepting = Box::pin(TlsAcceptor::from(config.clone()).accept(socket));
    let Some(Ok(stream)) = until_due(control, accepting.as_mut()).await else {
        return;
    };
    drop(accepting);
    let encrypted = Box::new(Encrypted::new(stream));
    state.clock.refresh();
    let site = Site::new(Rc::clone(&state), Rc::clone(control), peer);
    let is_http2 = encrypted.is_http2();
    let transport = Transport::Tls(encrypted);
    if is_http2 {
        Box::pin(serve_http2(&state, &registered, transport, site)).await;
    } else {
        serve_directly(&state, &registered, transport, site).await;
    }
}

/// Serves HTTP/1.1 without hyper for as long as that goes.
async fn serve_directly(
    state: &State,
    registered: &Registered,
    mut transport: Transport,
    mut site: Site,
) {
    let then = direct::serve(state, registered.control(), &mut transport, site.peer()).await;
    if let Then::HandOver { received, begun } = then {
        transport.rewind(received);
        site.begin_with(begun);
        Box::pin(serve_http1(state, registered, transport, site)).await;
    }
}

async fn serve_http1<S>(state: &State, registered: &Registered, transport: Transport, service: S)
where
    S: Service<::http::Request<Incoming>, Response = ::http::Response<Body>> + 'static,
    S::Error: Into<crate::fallback::BoxError>,
{
    let control = registered.control();
    control.enter(Phase::Http1, state.clock.now());
    let traffic = Arc::clone(control.traffic());
    let settings = state.settings(matches!(transport, Transport::Tls(_)));
    let framed = Framed::new(transport, traffic, settings);
    let mut connection = state
        .servers
        .http1
        .serve_connection(TokioIo::new(framed), service)
        .with_upgrades();
    drive(state, control, Pin::new(&mut connection)).await;
    let Some(parts) = connection.into_parts() else {
        return;
    };
    let (transport, has_unread) = parts.io.into_inner().into_parts();
    let has_unread = has_unread || control.stalls().has_unread() || control.is_ending_busy();
    if has_unread && !control.is_cut() {
        linger(state, control, transport).await;
    }
}

/// Drops what the client still sends, so that it gets to read its last answer (RFC 9112 §9.6).
async fn linger(state: &State, control: &Control, mut transport: Transport) {
    control.enter(Phase::Closing, state.clock.now());
    // Not yet done where an answer broke off: its client would wait for the rest.
    let ended = std::future::poll_fn(|context| Pin::new(&mut transport).poll_shutdown(context));
    if until_due(control, pin!(ended)).await.is_none() {
        return;
    }
    let mut bytes_left = LINGER_BYTES_MAX;
    while bytes_left > 0 {
        let count = std::future::poll_fn(|context| {
            control.watch(context);
            if control.take_due() {
                return Poll::Ready(0);
            }
            let mut room = state.receive_buffer.borrow_mut();
            let mut buffer = ReadBuf::new(&mut room);
            let result = Pin::new(&mut transport).poll_read(context, &mut buffer);
            result.map(|result| result.map_or(0, |()| buffer.filled().len()))
        })
        .await;
        if count == 0 {
            return;
        }
        bytes_left = bytes_left.saturating_sub(count);
    }
}

async fn serve_http2(state: &State, registered: &Registered, mut transport: Transport, site: Site) {
    let control = registered.control();
    control.enter(Phase::Http2, state.clock.now());
    let is_fit = until_due(
        control,
        pin!(preface::begins_with_settings(state, &mut transport)),
    )
    .await;
    if is_fit == Some(true) {
        return serve_streams(state, control, transport, site).await;
    }
    let is_refused = is_fit.is_some()
        && until_due(control, pin!(preface::refuse(&mut transport)))
            .await
            .is_some();
    if is_refused {
        linger(state, control, transport).await;
    }
}

async fn serve_streams(state: &State, control: &Control, transport: Transport, site: Site) {
    let mut connection = Http2::new(&state.servers.http2, transport, site);
    drive(state, control, Pin::new(&mut connection)).await;
    if control.is_ending_busy()
        && !control.is_cut()
        && let Some(transport) = connection.into_transport()
    {
        linger(state, control, transport).await;
    }
}

/// Drives a connection of hyper to its end, or until its time is over.
async fn drive<C: Graceful>(state: &State, control: &Control, mut connection: Pin<&mut C>) {
    let mut is_told = false;
    std::future::poll_fn(|context| {
        control.watch(context);
        if control.take_due() {
            control.cut();
            return Poll::Ready(());
        }
        loop {
            // Told to end before its first request, hyper does not even read that.
            let is_to_end = !is_told && state.is_draining() && control.has_begun();
            if is_to_end {
                is_told = true;
                connection.as_mut().shut_down(control, state.clock.now());
            }
            // Why it ended is the client's affair: it went away, or was wrong and has been told.
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if is_told || !state.is_draining() || !control.has_begun() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Waits for `future`; none if the time of the connection is over before.
async fn until_due<F: Future>(control: &Control, mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        control.watch(context);
        if control.take_due() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// What ends after what has been asked.
trait Graceful: Future {
    fn shut_down(self: Pin<&mut Self>, control: &Control, now: Tick);
}

impl<S> Graceful for http1::UpgradeableConnection<TokioIo<Framed>, S>
where
    S: Service<::http::Request<Incoming>, Response = ::http::Response<Body>>,
    S::Error: Into<crate::fallback::BoxError>,
{
    /// Hyper would forget what was pipelined behind the request it is at.
    fn shut_down(self: Pin<&mut Self>, control: &Control, now: Tick) {
        control.end(now);
    }
}

impl Graceful for Http2 {
    fn shut_down(mut self: Pin<&mut Self>, control: &Control, now: Tick) {
        control.end(now);
        self.graceful_shutdown();
    }
}

/// What is dropped from a client that sends on after its last answer.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
