//! What hyper calls with each request: assets from the snapshot, the rest from whatever is behind
//! the files.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::request::Parts;
use ::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::service::Service;

use super::body::Body;
use super::connections::{Control, InFlight};
use super::sendfile::{self, Sendfile};
use super::state::State;
use super::strict;
use crate::fallback::proxy::Begun;
use crate::fallback::{LocalFuture, Peer, RequestBody, ResponseBody};
use crate::service::{Answer, Content, Part};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Site {
    state: Rc<State>,
    control: Rc<Control>,
    peer: Peer,
    /// The response to the first request, where that has begun.
    begun: Rc<Cell<Option<Begun>>>,
}

/// An answer in the making.
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved to its place once, and answers from files allocate nothing for it"
)]
pub(super) enum Answering {
    Ready(Option<Response<Body>>),
    Fallback(Box<Pending>),
    Boxed(LocalFuture<Response<Body>>),
}

/// A request that something behind the files answers.
pub(super) struct Pending {
    state: Rc<State>,
    is_tls: bool,
    in_flight: Option<InFlight>,
    sendfile: Option<Sendfile>,
    response: LocalFuture<Response<ResponseBody>>,
}

impl Site {
    pub(super) fn new(state: Rc<State>, control: Rc<Control>, peer: Peer) -> Self {
        Self {
            state,
            control,
            peer,
            begun: Rc::default(),
        }
    }

    /// Who asks.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Answers the first request with the response that has `begun`, if one has.
    pub(super) fn begin_with(&mut self, begun: Option<Begun>) {
        self.begun.set(begun);
    }

    fn answer(&self, request: Request<Incoming>) -> Answering {
        let in_flight = self.control.begin();
        let refusal = self.control.refusal();
        if let Some(status) = refusal.or_else(|| strict::check(&request).err()) {
            in_flight.stalls().leave_unread();
            return self.ready(self.refusal(request.version(), status, in_flight));
        }
        let (parts, body) = request.into_parts();
        let begun = self.begun.take();
        match self.state.answer(&parts) {
            Answer::Response(response) if body.is_end_stream() => {
                self.ready(self.of_content(response, in_flight))
            }
            Answer::Response(response) => self.after_body(parts.version, body, response, in_flight),
            Answer::Fallback => self.fallback(parts, body, in_flight, begun),
        }
    }

    fn fallback(
        &self,
        parts: Parts,
        body: Incoming,
        in_flight: InFlight,
        begun: Option<Begun>,
    ) -> Answering {
        let Some(fallback) = &self.state.fallback else {
            return self.ready(self.refusal(parts.version, StatusCode::NOT_FOUND, in_flight));
        };
        let sendfile = Sendfile::for_request(&parts, &self.state.sendfile_roots);
        let body = if body.is_end_stream() {
            RequestBody::from(body)
        } else {
            let upload = Arc::default();
            let stalls = in_flight.stalls();
            stalls.watch(&upload, self.state.clock.now());
            RequestBody::watched(body, upload)
        };
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(self.peer);
        let response = match (&self.state.passage, begun) {
            (Some(passage), Some(begun)) => passage.go_on(request, begun),
            _ => fallback.call(request),
        };
        Answering::Fallback(Box::new(Pending {
            response,
            state: Rc::clone(&self.state),
            is_tls: self.peer.is_tls,
            in_flight: Some(in_flight),
            sendfile,
        }))
    }

    /// Answers when the body of the request, which means nothing to an asset, has been read.
    fn after_body(
        &self,
        version: Version,
        body: Incoming,
        response: Response<Content>,
        in_flight: InFlight,
    ) -> Answering {
        let site = self.clone();
        let upload = Arc::default();
        let stalls = in_flight.stalls();
        stalls.watch(&upload, self.state.clock.now());
        let mut body = RequestBody::watched(body, upload);
        Answering::Boxed(Box::pin(async move {
            let mut bytes_left = site.state.options.settings.body_bytes_max;
            let mut response = loop {
                let frame =
                    std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
                let count = match frame {
                    None => break site.of_content(response, in_flight),
                    Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
                    Some(Err(_)) => u64::MAX,
                };
                match bytes_left.checked_sub(count) {
                    Some(left) => bytes_left = left,
                    None => {
                        in_flight.stalls().leave_unread();
                        break site.refusal(version, StatusCode::PAYLOAD_TOO_LARGE, in_flight);
                    }
                }
            };
            add_hsts(&site.state, site.peer.is_tls, &mut response);
            response
        }))
    }

    fn of_content(&self, response: Response<Content>, in_flight: InFlight) -> Response<Body> {
        let on_stale = Some(Arc::clone(&self.state.options.on_stale));
        response.map(|content| Body::content(content, self.state.uses_uring, on_stale, in_flight))
    }

    fn ready(&self, mut response: Response<Body>) -> Answering {
        add_hsts(&self.state, self.peer.is_tls, &mut response);
        Answering::Ready(Some(response))
    }

    /// A status with its own small text, after which the connection ends.
    fn refusal(&self, version: Version, status: StatusCode, in_flight: InFlight) -> Response<Body> {
        refusal(version, status, self.state.uses_uring, in_flight)
    }
}

/// A status with its own small text, after which a connection with HTTP/1.1 ends.
pub(super) fn refusal(
    version: Version,
    status: StatusCode,
    uses_uring: bool,
    in_flight: InFlight,
) -> Response<Body> {
    let text = format!(
        "{} {}\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    );
    let content = Content {
        parts: [Part::Bytes(Bytes::from(text))].into(),
    };
    let mut response = Response::new(Body::content(content, uses_uring, None, in_flight));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if version != Version::HTTP_2 {
        fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// RFC 6797 §7.1, §7.2: over TLS only.
fn add_hsts(state: &State, is_tls: bool, response: &mut Response<Body>) {
    if let Some(value) = &state.hsts
        && is_tls
        && !response
            .headers()
            .contains_key(header::STRICT_TRANSPORT_SECURITY)
    {
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

impl Service<Request<Incoming>> for Site {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.answer(request)
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.get_mut() {
            Self::Ready(response) => response
                .take()
                .expect("invariant: a future is not polled after its end"),
            Self::Fallback(pending) => {
                let response = ready!(pending.response.as_mut().poll(context));
                pending.finish(response)
            }
            Self::Boxed(response) => ready!(response.as_mut().poll(context)),
        };
        Poll::Ready(Ok(response))
    }
}

impl Pending {
    fn finish(&mut self, mut response: Response<ResponseBody>) -> Response<Body> {
        let in_flight = self
            .in_flight
            .take()
            .expect("invariant: a future is not polled after its end");
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            in_flight.switch_protocol();
        }
        let file = sendfile::take_fields(response.headers_mut());
        let mut response = match (file, &self.sendfile) {
            (Some(named), Some(sendfile)) => {
                let now = self.state.clock.unix_seconds();
                let response = sendfile.answer(&named, response.into_parts().0, now);
                response
                    .map(|content| Body::content(content, self.state.uses_uring, None, in_flight))
            }
            _ => response.map(|body| Body::fallback(body, in_flight)),
        };
        add_hsts(&self.state, self.is_tls, &mut response);
        response
    }
}
