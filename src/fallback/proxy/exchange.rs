//! One request and its response: over an idle connection or a new one, and again over another
//! where that is allowed.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::failure::Failure;
use super::forward::{self, Rules};
use super::link::{Link, LinkError};
use super::queue::Upstreams;
use super::respond;
use super::upload::Upload;
use super::upstream::{Lease, Slot};
use super::{Download, Options, pages};
use crate::fallback::{RequestBody, ResponseBody};

/// The proxy of one lane.
pub(super) struct Lane {
    upstreams: Upstreams,
    rules: Rules,
    timeout: Duration,
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

    /// The response to `request`; what goes wrong is a response too.
    pub(super) async fn answer(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        if forward::ends_here(&request) {
            return pages::options();
        }
        let is_head = request.method() == Method::HEAD;
        let accept = request.headers().get(ACCEPT).cloned();
        match self.pass_on(request).await {
            Ok(response) => response,
            Err(failure) => pages::response(failure, accept.as_ref(), is_head),
        }
    }

    async fn pass_on(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Failure> {
        let (mut parts, body) = request.into_parts();
        let body = Upload::new(body, self.upload_bytes_max)?;
        let asked = forward::rewrite(&mut parts, &body, &self.rules)?;
        let progress = body.progress();
        let request = Request::from_parts(parts, body);
        let (response, lease) = self.exchange(request).await?;
        let (mut parts, incoming) = response.into_parts();
        if let Err(failure) = respond::rewrite(&mut parts, &asked, &incoming) {
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

    /// Sends `request` to one server after the other, until one took it.
    async fn exchange(
        &self,
        mut request: Request<Upload>,
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
            let mut link = match link {
                Ok(link) => link,
                Err(failure) => {
                    last = note(&slot, failure);
                    tried.push(slot.upstream.index);
                    continue;
                }
            };
            if is_reused && !may_repeat && !is_still_open(&mut link).await {
                continue;
            }
            let copy = (is_reused && may_repeat).then(|| copy_of(&request));
            match link.send(request, self.timeout).await {
                Ok(response) => {
                    slot.upstream.health.on_success();
                    return Ok((response, Lease::new(link, slot)));
                }
                Err(LinkError { failure, unsent }) => match (unsent, copy) {
                    (Some(unsent), _) => {
                        request = unsent;
                        if !is_reused {
                            slot.upstream.health.on_failure();
                            last = note(&slot, failure);
                            tried.push(slot.upstream.index);
                        }
                    }
                    // It was closed as idle connections are, while the request was on its way.
                    (None, Some(copy)) if failure == Failure::Closed => {
                        request = copy;
                        takes_idle = false;
                    }
                    _ => {
                        if failure.is_of_upstream(is_reused) {
                            slot.upstream.health.on_failure();
                        }
                        return Err(note(&slot, failure));
                    }
                },
            }
        }
    }
}

fn note(slot: &Slot, failure: Failure) -> Failure {
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
