//! One request and its response: over an idle connection or a new one, and again over another
//! where that is allowed.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;

use super::failure::Failure;
use super::forward::{self, Asked, Rules};
use super::link::{Link, LinkError};
use super::queue::Upstreams;
use super::respond;
use super::upload::Upload;
use super::upstream::{Lease, Slot};
use super::{Download, Options, pages};
use crate::fallback::{LocalFuture, RequestBody, ResponseBody};

/// The proxy of one lane.
pub(super) struct Lane {
    pub(super) upstreams: Upstreams,
    pub(super) rules: Rules,
    pub(super) timeout: Duration,
    /// Where heads of responses are read to, by one at a time.
    pub(super) room: RefCell<Box<[u8]>>,
    upload_bytes_max: u64,
    is_swept: Cell<bool>,
}

impl Lane {
    /// Passes requests on by `options`.
    pub(super) fn new(options: Options) -> Self {
        Self {
            upstreams: Upstreams::new(&options),
            rules: Rules::new(&options),
            timeout: options.timeout,
            room: RefCell::new(vec![0; ROOM_BYTES].into_boxed_slice()),
            upload_bytes_max: options.upload_bytes_max,
            is_swept: Cell::new(false),
        }
    }

    /// Closes idle connections, once a second for as long as there are connections.
    pub(super) fn sweep_while_used(self: &Rc<Self>) {
        if !self.is_swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(self)));
        }
    }

    /// The response to `request`; what goes wrong is a response too. `begun` is its exchange, if
    /// that is under way.
    pub(super) fn answer(
        self: &Rc<Self>,
        request: Request<RequestBody>,
        begun: Option<Lease>,
    ) -> LocalFuture<Response<ResponseBody>> {
        if forward::ends_here(&request) {
            return Box::pin(ready(pages::options()));
        }
        let is_head = request.method() == Method::HEAD;
        let takes_html = request.headers().get(ACCEPT).is_some_and(pages::takes_html);
        let page = move |failure| pages::response(failure, takes_html, is_head);
        let lane = Rc::clone(self);
        match self.rewrite(request) {
            Err(failure) => Box::pin(ready(page(failure))),
            Ok((request, asked)) => Box::pin(async move {
                let result = lane.pass_on(request, asked, begun).await;
                result.unwrap_or_else(page)
            }),
        }
    }

    /// What an application server is sent of `request`. In a box, as it is moved about.
    fn rewrite(
        &self,
        request: Request<RequestBody>,
    ) -> Result<(Box<Request<Upload>>, Asked), Failure> {
        let (mut parts, body) = request.into_parts();
        let body = Upload::new(body, self.upload_bytes_max)?;
        let asked = forward::rewrite(&mut parts, &body, &self.rules)?;
        Ok((Box::new(Request::from_parts(parts, body)), asked))
    }

    async fn pass_on(
        &self,
        request: Box<Request<Upload>>,
        asked: Asked,
        begun: Option<Lease>,
    ) -> Result<Response<ResponseBody>, Failure> {
        let progress = request.body().progress();
        let (response, lease) = match begun {
            Some(lease) => self.go_on(request, lease).await?,
            None => self.exchange(request).await?,
        };
        let (mut parts, incoming) = response.into_parts();
        let length = incoming.size_hint().exact();
        if let Err(failure) = respond::rewrite(&mut parts, &asked, length) {
            lease.upstream().notice(failure);
            // Where its framing is in doubt, what follows may be anything.
            lease.close();
            return Err(failure);
        }
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(switch)) = (parts.status, asked.switch) {
            tokio::task::spawn_local(switch.run(lease, self.timeout));
            return Ok(Response::from_parts(parts, ResponseBody::Bytes(None)));
        }
        let timeout = (!is_event_stream(&parts.headers)).then_some(self.timeout);
        let body = Download::new(incoming, lease, timeout, progress);
        Ok(Response::from_parts(parts, ResponseBody::Upstream(body)))
    }

    /// Waits for the response to `request`, which was sent over the connection of `lease`.
    async fn go_on(
        &self,
        request: Box<Request<Upload>>,
        mut lease: Lease,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        match lease.link().send(*request, self.timeout).await {
            Ok(response) => {
                lease.upstream().health.on_success();
                Ok((response, lease))
            }
            Err(LinkError { failure, .. }) => {
                if failure.is_of_upstream(false) {
                    lease.upstream().health.on_failure();
                }
                lease.upstream().notice(failure);
                lease.close();
                Err(failure)
            }
        }
    }

    /// Sends `request` to one server after the other, until one took it.
    async fn exchange(
        &self,
        mut request: Box<Request<Upload>>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let mut tried = Vec::new();
        let mut last = Failure::Nowhere;
        let mut takes_idle = true;
        loop {
            let slot = match self.upstreams.acquire(&tried).await {
                Err(Failure::Nowhere) => return Err(last),
                slot => slot?,
            };
            let may_repeat = may_repeat(&request);
            let idle = slot.upstream.take_idle().filter(|link| {
                takes_idle && (may_repeat || link.idle_since.elapsed() < FRESH_TIMEOUT)
            });
            let is_reused = idle.is_some();
            let link = match idle {
                Some(link) => Ok(link),
                // Apart, so that what only a new connection needs takes no room in every request.
                None => Box::pin(slot.upstream.connect()).await,
            };
            let link = match link {
                Ok(link) => link,
                Err(failure) => {
                    last = note(&slot, failure);
                    tried.push(slot.upstream.index);
                    continue;
                }
            };
            // Apart as well, so that the copy of a request takes no room beside it.
            match Box::pin(self.over_hyper(link, slot, request, is_reused)).await? {
                Sent::Begun(response, lease) => return Ok((response, lease)),
                Sent::Again { unsent, over_idle } => {
                    request = unsent;
                    takes_idle &= over_idle;
                }
                Sent::Elsewhere { unsent, index, why } => {
                    request = unsent;
                    last = why;
                    tried.push(index);
                }
            }
        }
    }

    /// Sends `request` over `link`, which was used before or not, and waits for its response.
    async fn over_hyper(
        &self,
        mut link: Box<Link>,
        slot: Slot,
        request: Box<Request<Upload>>,
        is_reused: bool,
    ) -> Result<Sent, Failure> {
        let may_repeat = may_repeat(&request);
        if is_reused && !may_repeat && !is_still_open(&mut link).await {
            let (unsent, over_idle) = (request, true);
            return Ok(Sent::Again { unsent, over_idle });
        }
        let copy = (is_reused && may_repeat).then(|| copy_of(&request));
        let LinkError { failure, unsent } = match link.send(*request, self.timeout).await {
            Ok(response) => {
                slot.upstream.health.on_success();
                return Ok(Sent::Begun(response, Lease::new(link, slot)));
            }
            Err(error) => error,
        };
        match (unsent.map(Box::new), copy.map(Box::new)) {
            (Some(unsent), _) if is_reused => {
                let over_idle = true;
                Ok(Sent::Again { unsent, over_idle })
            }
            (Some(unsent), _) => {
                slot.upstream.health.on_failure();
                let (index, why) = (slot.upstream.index, note(&slot, failure));
                Ok(Sent::Elsewhere { unsent, index, why })
            }
            // It was closed as idle connections are, while the request was on its way.
            (None, Some(unsent)) if failure == Failure::Closed => {
                let over_idle = false;
                Ok(Sent::Again { unsent, over_idle })
            }
            _ => {
                if failure.is_of_upstream(is_reused) {
                    slot.upstream.health.on_failure();
                }
                Err(note(&slot, failure))
            }
        }
    }
}

/// What became of a request that hyper was given.
enum Sent {
    /// The response is coming.
    Begun(Response<Incoming>, Lease),
    /// It has to be sent over another connection, which may have been idle.
    Again {
        unsent: Box<Request<Upload>>,
        over_idle: bool,
    },
    /// It has to be sent to another server than that of `index`.
    Elsewhere {
        unsent: Box<Request<Upload>>,
        index: usize,
        why: Failure,
    },
}

/// Logs `failure` if it is of the server.
pub(super) fn note(slot: &Slot, failure: Failure) -> Failure {
    if failure.status().is_server_error() {
        slot.upstream.notice(failure);
    }
    failure
}

/// Whether `request` may be sent again although the first may have been acted on: it has no body
/// and its method is idempotent (RFC 9110 §9.2.2).
fn may_repeat(request: &Request<Upload>) -> bool {
    request.body().is_none() && request.method().is_idempotent()
}

/// A copy of a request without a body.
fn copy_of(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::NONE);
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    copy
}

/// Looks once more whether an idle connection was closed, after the runtime has looked for events:
/// a request that may be sent only once deserves it.
async fn is_still_open(link: &mut Link) -> bool {
    tokio::task::yield_now().await;
    link.poll_idle()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let is_one = |value: &HeaderValue| {
        let kind = value.as_bytes().get(..EVENT_STREAM.len());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM))
    };
    headers.get(CONTENT_TYPE).is_some_and(is_one)
}

async fn sweep(lane: Weak<Lane>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(lane) = lane.upgrade() else {
            return;
        };
        lane.upstreams.iter().for_each(|upstream| upstream.sweep());
        if !lane
            .upstreams
            .iter()
            .any(|upstream| upstream.is_connected())
        {
            lane.is_swept.set(false);
            return;
        }
    }
}

/// How long a connection may have been idle that a request goes over which may be sent only once:
/// application servers close theirs after two seconds at the earliest (gunicorn), and what they
/// close while it is on its way is lost.
pub(super) const FRESH_TIMEOUT: Duration = Duration::from_secs(1);
const EVENT_STREAM: &[u8] = b"text/event-stream";
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Room for the head of most responses, and as much of their bodies.
const ROOM_BYTES: usize = 16 * 1024;
