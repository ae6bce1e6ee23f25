//! A visit over HTTP/2: all requests as streams of one connection, some of which are reset.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Fault, Stream, World, concerning};
use crate::answer::Answer;
use crate::ledger::PATIENCE;
use crate::plan::{Abort, Plan, Upload, Work};
use crate::prng::Prng;
use crate::traffic::Visit;

/// Makes `visit` over `stream`.
pub(super) async fn visit<S: Stream>(
    world: Rc<World>,
    stream: S,
    visit: Visit,
) -> Result<(), Fault> {
    let io = TokioIo::new(stream);
    let (sender, connection) = handshake(Local, io)
        .await
        .map_err(|error| format!("no HTTP/2: {error}"))?;
    let driver = tokio::task::spawn_local(connection);
    let turns = Rc::new(Semaphore::new(visit.depth));
    let faults = Rc::new(RefCell::new(Vec::new()));
    let asking = visit.plans.iter().map(|plan| {
        let (world, plan, sender) = (Rc::clone(&world), Arc::clone(plan), sender.clone());
        let (turns, faults) = (Rc::clone(&turns), Rc::clone(&faults));
        let protocol = visit.protocol;
        tokio::task::spawn_local(async move {
            let _turn = turns.acquire().await;
            world.ledger.announce(&plan, protocol);
            if let Err(fault) = ask(&world, &plan, sender).await {
                faults.borrow_mut().push(concerning(&plan, fault));
            }
        })
    });
    for task in asking.collect::<Vec<_>>() {
        task.await.map_err(|error| error.to_string())?;
    }
    drop(sender);
    let first = faults.borrow_mut().drain(..).next();
    if let Some(fault) = first {
        driver.abort();
        return Err(fault);
    }
    match timeout(PATIENCE, driver).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(_))) if world.ledger.has_ended() => Ok(()),
        other => Err(format!("the connection does not end well: {other:?}")),
    }
}

/// Asks for one thing on a stream of its own.
async fn ask(world: &World, plan: &Plan, mut sender: SendRequest<Pieces>) -> Result<(), Fault> {
    let request = request(plan);
    match sender.ready().await {
        Ok(()) => {}
        Err(_) if world.ledger.has_ended() => {
            world.ledger.abandon(plan.id);
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    }
    let mut asked = std::pin::pin!(sender.send_request(request));
    if plan.abort == Some(Abort::Receiving(0)) {
        // Sent, and reset before an answer may have come.
        poll_fn(|context| {
            drop(asked.as_mut().poll(context));
            Poll::Ready(())
        })
        .await;
        for _ in 0..plan.id % 4 {
            tokio::task::yield_now().await;
        }
        world.ledger.abandon(plan.id);
        return Ok(());
    }
    let response = match timeout(PATIENCE, asked).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) if matches!(plan.abort, Some(Abort::Sending(_))) => {
            world.ledger.abandon(plan.id);
            return Ok(());
        }
        Ok(Err(_)) if world.ledger.has_ended() => {
            world.ledger.abandon(plan.id);
            return Ok(());
        }
        Ok(Err(error)) => return Err(format!("no answer: {error:?}")),
        Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
    };
    let Some(answer) = receive(world, plan, response).await? else {
        world.ledger.abandon(plan.id);
        return Ok(());
    };
    if matches!(plan.abort, Some(Abort::Sending(_))) {
        // An answer that came before the content was cut off; of what, is not known.
        world.ledger.abandon(plan.id);
        return Ok(());
    }
    answer.check(plan, world)?;
    world.ledger.answer(plan.id);
    Ok(())
}

/// Takes an answer; none if the client goes away within it.
async fn receive(
    world: &World,
    plan: &Plan,
    response: Response<Incoming>,
) -> Result<Option<Answer>, Fault> {
    let (head, mut body) = response.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        fields: pairs(&head.headers),
        ..Answer::default()
    };
    loop {
        let bytes = answer.content.len();
        if matches!(plan.work, Work::Events(_)) {
            world.ledger.see(plan.id, bytes);
        }
        if matches!(plan.abort, Some(Abort::Receiving(limit)) if bytes >= limit) {
            return Ok(None);
        }
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        match timeout(PATIENCE, next).await {
            Ok(None) => return Ok(Some(answer)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => answer.content.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    answer.trailers = pairs(&trailers);
                }
            },
            Ok(Some(Err(_))) if plan.abort.is_some() => return Ok(None),
            Ok(Some(Err(error))) => return Err(format!("cut after {bytes} bytes: {error:?}")),
            Err(_) => return Err(format!("nothing comes behind {bytes} bytes")),
        }
    }
}

fn request(plan: &Plan) -> Request<Pieces> {
    let mut request = Request::builder()
        .method(plan.method)
        .uri(format!("https://{}{}", plan.host, plan.target));
    let hop_fields = plan.hop_fields.iter();
    let hop_fields = hop_fields.map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in plan.fields.iter().cloned().chain(hop_fields) {
        request = request.header(name, value);
    }
    if let Upload::Length(bytes) = plan.upload {
        request = request.header("content-length", bytes);
    }
    request.body(Pieces::new(plan)).expect("a request")
}

fn pairs(fields: &hyper::HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    fields.iter().map(pair).collect()
}

/// The content of a request, in pieces, cut off where its client goes away.
struct Pieces {
    rest: Bytes,
    cut_behind: Option<usize>,
    prng: Prng,
}

impl Pieces {
    fn new(plan: &Plan) -> Self {
        let bytes = plan.upload.bytes();
        let cut_behind = match plan.abort {
            Some(Abort::Sending(thousandths)) => Some(bytes * thousandths / 1000),
            _ => None,
        };
        Self {
            rest: plan.upload_content().into(),
            cut_behind,
            prng: Prng::new(plan.id),
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.cut_behind == Some(0) {
            return Poll::Ready(Some(Err("gone away")));
        }
        let whole = self.rest.len().min(self.cut_behind.unwrap_or(usize::MAX));
        if whole == 0 {
            return Poll::Ready(None);
        }
        let count = self.prng.piece(whole).max(whole / 20);
        if let Some(left) = &mut self.cut_behind {
            *left -= count;
        }
        let piece = self.rest.split_to(count);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.cut_behind.is_none()
    }
}

/// Runs what belongs to a connection on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
