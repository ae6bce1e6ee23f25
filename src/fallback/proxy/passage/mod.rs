//! The short way through the proxy, from bytes to bytes: a request without a body, and a response
//! that says its length. Both heads are rewritten as they are read, to the same fields as on the
//! way through hyper; what is not like that is left to hyper, a response in the middle too.

mod request;
mod response;
mod rest;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use ::http::{Request, Response};
pub use request::Prepared;
pub use response::Dress;
use response::{Framing, Reading};
pub use rest::Rest;

use super::asking::AskError;
use super::exchange::{Lane, note};
use super::failure::Failure;
use super::link::Link;
use super::pages;
use super::upstream::{Lease, Slot};
use crate::fallback::{LocalFuture, Peer, RequestBody, ResponseBody};

/// The short way of one lane.
#[derive(Clone)]
pub struct Passage(Rc<Lane>);

/// What came of a request.
pub enum Outcome {
    /// The response, or a page that says why there is none.
    Reply(Reply),
    /// The beginning of a response that hyper has to look at.
    Begun(Begun),
}

/// A response, written out.
pub struct Reply {
    /// The head and what is there of the body.
    pub bytes: Vec<u8>,
    /// Whether the client is told that the connection ends.
    pub closes: bool,
    /// What comes of the body after that.
    pub rest: Option<Rest>,
}

/// An exchange under way, for [`Passage::go_on`].
pub struct Begun(Lease);

/// What was made of what was received.
enum Judgement {
    /// A response begins that says its length; so many bytes of its body are there.
    Response(Framing, u64),
    /// Hyper has to see it.
    Other(Vec<u8>),
}

impl Passage {
    pub(super) fn new(lane: Rc<Lane>) -> Self {
        Self(lane)
    }

    /// Rewrites the head that `received` begins with, if it is one for this way.
    pub fn prepare(&self, received: &[u8], peer: &Peer) -> Option<Prepared> {
        request::prepare(received, peer, &self.0.rules)
    }

    /// Sends a request to one server after the other, until one took it. `dress` is called when
    /// the response is written.
    pub async fn ask<'a>(&self, prepared: &Prepared, dress: impl Fn() -> Dress<'a>) -> Outcome {
        self.0.sweep_while_used();
        match self.exchange(prepared, &dress).await {
            Ok(outcome) => outcome,
            Err(failure) => {
                let page = pages::response(failure, prepared.takes_html, prepared.is_head);
                Outcome::Reply(response::written(page, &dress()))
            }
        }
    }

    /// Answers `request` with the response that has `begun`.
    pub fn go_on(
        &self,
        request: Request<RequestBody>,
        begun: Begun,
    ) -> LocalFuture<Response<ResponseBody>> {
        self.0.answer(request, Some(begun.0))
    }

    async fn exchange<'a>(
        &self,
        prepared: &Prepared,
        dress: &impl Fn() -> Dress<'a>,
    ) -> Result<Outcome, Failure> {
        let upstreams = &self.0.upstreams;
        let mut tried = Vec::new();
        let mut last = Failure::Nowhere;
        let mut takes_idle = true;
        loop {
            let slot = match upstreams.acquire(&tried).await {
                Err(Failure::Nowhere) => return Err(last),
                slot => slot?,
            };
            let idle = slot.upstream.take_idle().filter(|_| takes_idle);
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
            let error = match self.over(&mut link, prepared, dress).await {
                Ok((reply, judgement)) => {
                    slot.upstream.health.on_success();
                    return Ok(self.outcome(reply, judgement, Lease::new(link, slot)).await);
                }
                Err(error) => error,
            };
            match after(&slot, &error, is_reused)? {
                Step::Again { over_idle } => takes_idle &= over_idle,
                Step::Elsewhere => {
                    last = note(&slot, error.failure);
                    tried.push(slot.upstream.index);
                }
            }
        }
    }

    /// Sends a request over `link`; what is there of the response is written out.
    async fn over<'a>(
        &self,
        link: &mut Link,
        prepared: &Prepared,
        dress: &impl Fn() -> Dress<'a>,
    ) -> Result<(Reply, Judgement), AskError> {
        let mut reply = Reply {
            bytes: Vec::new(),
            closes: false,
            rest: None,
        };
        let judge = |received: &[u8]| {
            let dress = dress();
            reply.closes = dress.closes;
            judge(received, prepared.is_head, &dress, &mut reply.bytes)
        };
        let lane = &self.0;
        let judgement = link
            .ask(&prepared.head, lane.timeout, &lane.room, judge)
            .await?;
        Ok((reply, judgement))
    }

    async fn outcome(&self, mut reply: Reply, judgement: Judgement, mut lease: Lease) -> Outcome {
        match judgement {
            Judgement::Response(framing, there_bytes) => {
                let bytes_left = framing.body_bytes - there_bytes;
                reply.rest = Rest::of(lease, &self.0, bytes_left, framing.is_last);
                Outcome::Reply(reply)
            }
            Judgement::Other(received) => {
                // Apart, as most requests do not come here.
                Box::pin(lease.link().open(received.into())).await;
                Outcome::Begun(Begun(lease))
            }
        }
    }
}

/// What follows an exchange without a response.
enum Step {
    /// The same over another connection, which may have been idle.
    Again { over_idle: bool },
    /// The same over a connection to another server.
    Elsewhere,
}

/// Requests without a body that are safe may be sent again (RFC 9110 §9.2.2); to whom, depends on
/// what became of the first.
fn after(slot: &Slot, error: &AskError, is_reused: bool) -> Result<Step, Failure> {
    let health = &slot.upstream.health;
    let AskError { failure, is_sent } = *error;
    if is_reused && failure == Failure::Closed {
        // It was closed as idle connections are.
        let over_idle = !is_sent;
        return Ok(Step::Again { over_idle });
    }
    if !is_sent {
        health.on_failure();
        return Ok(Step::Elsewhere);
    }
    if failure.is_of_upstream(is_reused) {
        health.on_failure();
    }
    Err(note(slot, failure))
}

/// Makes of all that was `received` what it can; nothing if more has to come.
fn judge(
    received: &[u8],
    is_head: bool,
    dress: &Dress<'_>,
    out: &mut Vec<u8>,
) -> Option<Judgement> {
    match response::read(received, is_head, dress, out) {
        Reading::Part if received.len() < HEAD_BYTES_MAX => None,
        Reading::Part | Reading::Other => Some(Judgement::Other(received.to_vec())),
        Reading::Head(mut framing) => {
            let body = &received[framing.head_bytes..];
            let there_bytes = framing.body_bytes.min(body.len() as u64);
            // What is behind the response was not asked for: that connection is of no more use.
            framing.is_last |= body.len() as u64 > there_bytes;
            out.extend_from_slice(&body[..usize::try_from(there_bytes).unwrap_or(body.len())]);
            Some(Judgement::Response(framing, there_bytes))
        }
    }
}

/// As much of a head as is waited for here.
const HEAD_BYTES_MAX: usize = 16 * 1024;
