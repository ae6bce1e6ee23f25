//! A visit over HTTP/1.1: one side writes requests, torn and ahead of the answers, the other reads
//! and compares what comes, in order.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::message::{self, Reader};
use super::{Fault, Stream, World, concerning, websocket};
use crate::answer::Answer;
use crate::ledger::PATIENCE;
use crate::plan::{Abort, Plan, Protocol, Work};
use crate::prng::Prng;
use crate::traffic::Visit;

/// How far the reading side is, for the writing side.
#[derive(Default)]
struct Progress {
    answered_count: Cell<usize>,
    /// The request whose content is asked for.
    continued: Cell<Option<usize>>,
    is_over: Cell<bool>,
    changed: Notify,
}

/// Makes `visit` over `stream`.
pub(super) async fn visit<S: Stream>(
    world: Rc<World>,
    stream: S,
    visit: Visit,
) -> Result<(), Fault> {
    let (reader, writer) = tokio::io::split(stream);
    let progress = Rc::new(Progress::default());
    let visit = Rc::new(visit);
    let writing = tokio::task::spawn_local(write(
        Rc::clone(&world),
        writer,
        Rc::clone(&visit),
        Rc::clone(&progress),
    ));
    let mut reader = Reader::new(reader);
    let read = read(&world, &mut reader, &visit, &progress).await;
    progress.is_over.set(true);
    progress.changed.notify_one();
    let last = visit.plans.last().expect("a visit asks for something");
    if !matches!(read, Ok(true)) {
        writing.abort();
        // As planned, or for a reason that is a fault of its own before the end.
        if matches!(read, Ok(false)) || !world.ledger.has_ended() {
            world.ledger.abandon_if_announced(last.id);
        }
        return read.map(drop);
    }
    let mut writer = match timeout(PATIENCE, writing).await {
        Ok(Ok(writer)) => writer,
        Ok(Err(error)) => return Err(format!("writing: {error}")),
        Err(_) => return Err("all is answered, not all is taken".to_owned()),
    };
    if let Work::Echo(lengths) = &last.work
        && last
            .abort
            .is_none_or(|abort| matches!(abort, Abort::Receiving(_)))
        && world_has_answered(&progress, &visit)
    {
        return websocket::talk(&world, reader, writer, last, lengths).await;
    }
    drop(writer.shutdown().await);
    match reader.end().await {
        Err(fault) if fault.contains("close_notify") && !world.repertoire.is_strict => Ok(()),
        ended => ended,
    }
}

fn world_has_answered(progress: &Progress, visit: &Visit) -> bool {
    progress.answered_count.get() + 1 == visit.plans.len()
}

/// Takes all answers; false if the client goes away before the last one is complete.
async fn read<R: AsyncRead + Unpin>(
    world: &World,
    reader: &mut Reader<R>,
    visit: &Visit,
    progress: &Progress,
) -> Result<bool, Fault> {
    for (index, plan) in visit.plans.iter().enumerate() {
        if let Some(Abort::Sending(_)) = plan.abort {
            return Ok(false);
        }
        let mut answer = match final_head(reader, index, plan, progress).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) if world.ledger.has_ended() => {
                return Ok(cut_off(world, &visit.plans[index..]));
            }
            Ok(None) => return Err(concerning(plan, "the connection ends")),
            Err(fault) => return Err(fault),
        };
        if matches!(plan.work, Work::Echo(_)) && answer.status == 101 {
            return check(world, plan, &answer).map(|()| true);
        }
        let limit = match plan.abort {
            Some(Abort::Receiving(bytes)) => bytes,
            _ => usize::MAX,
        };
        let is_seen = matches!(plan.work, Work::Events(_));
        let see = |bytes| {
            if is_seen {
                world.ledger.see(plan.id, bytes);
            }
            bytes < limit
        };
        let content = reader.content(&mut answer, plan.method, see).await;
        if !content.map_err(|fault| concerning(plan, format!("{fault} {answer:.300?}")))? {
            return Ok(false);
        }
        check(world, plan, &answer)?;
        world.ledger.answer(plan.id);
        progress.answered_count.set(index + 1);
        progress.changed.notify_one();
        let says_close = answer
            .field("connection")
            .is_some_and(|said| said.eq_ignore_ascii_case("close"));
        if says_close && world.ledger.has_ended() {
            return Ok(cut_off(world, &visit.plans[index + 1..]));
        }
        if says_close && index + 1 < visit.plans.len() {
            return Err(concerning(plan, "the answer ends the connection"));
        }
    }
    Ok(true)
}

/// The next head that is not 100 or 103.
async fn final_head<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    index: usize,
    plan: &Plan,
    progress: &Progress,
) -> Result<Option<Answer>, Fault> {
    loop {
        let head = reader.head().await;
        let Some(answer) = head.map_err(|fault| concerning(plan, fault))? else {
            return Ok(None);
        };
        match answer.status {
            100 if plan.expects_continue() => {
                progress.continued.set(Some(index));
                progress.changed.notify_one();
            }
            103 => {}
            100 | 102..=199 => return Err(concerning(plan, format!("{answer:?}"))),
            _ => return Ok(Some(answer)),
        }
    }
}

fn check(world: &World, plan: &Plan, answer: &Answer) -> Result<(), Fault> {
    answer
        .check(plan, world)
        .map_err(|fault| concerning(plan, fault))
}

/// The server ends the connection before `plans`; there is nothing more to read.
fn cut_off(world: &World, plans: &[Arc<Plan>]) -> bool {
    for plan in plans {
        world.ledger.cut_off(plan.id);
    }
    false
}

/// Sends all requests; failures show on the reading side.
async fn write<W: AsyncRead + AsyncWrite + Unpin>(
    world: Rc<World>,
    mut stream: WriteHalf<W>,
    visit: Rc<Visit>,
    progress: Rc<Progress>,
) -> WriteHalf<W> {
    let mut prng = Prng::new(visit.number as u64);
    let mut pending = Pending::default();
    for (index, plan) in visit.plans.iter().enumerate() {
        if progress.answered_count.get() + visit.depth <= index {
            if pending.send(&mut stream, &world, &mut prng).await.is_err() {
                return stream;
            }
            let may_go_on = || progress.answered_count.get() + visit.depth > index;
            if !progress.wait(may_go_on).await {
                return stream;
            }
        }
        world.ledger.announce(plan, visit.protocol);
        let start = pending.bytes.len();
        pending.bytes.extend(message::head(plan));
        if plan.expects_continue() && plan.abort.is_none() {
            if pending.send(&mut stream, &world, &mut prng).await.is_err() {
                return stream;
            }
            let may_go_on =
                || progress.continued.get() == Some(index) || progress.answered_count.get() > index;
            if !progress.wait(may_go_on).await {
                return stream;
            }
        }
        pending.bytes.extend(message::content(plan));
        if let Some(Abort::Sending(thousandths)) = plan.abort {
            let whole = pending.bytes.len() - start;
            pending.bytes.truncate(start + whole * thousandths / 1000);
        } else {
            pending.ids.push(plan.id);
        }
        let is_much = pending.bytes.len() > 1 << 20;
        if is_much && pending.send(&mut stream, &world, &mut prng).await.is_err() {
            return stream;
        }
    }
    let sent = pending.send(&mut stream, &world, &mut prng).await;
    if sent.is_ok() && visit.is_half_closed && visit.protocol == Protocol::Http1 {
        drop(stream.shutdown().await);
    }
    stream
}

impl Progress {
    /// Waits until `condition` holds; false if the reading side has ended, or nothing happens.
    async fn wait(&self, condition: impl Fn() -> bool) -> bool {
        while !condition() {
            if self.is_over.get()
                || timeout(2 * PATIENCE, self.changed.notified())
                    .await
                    .is_err()
            {
                return false;
            }
        }
        true
    }
}

/// What is to be sent next.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// The requests that end in it.
    ids: Vec<u64>,
}

impl Pending {
    /// Sends it, whole or in pieces.
    async fn send(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        world: &World,
        prng: &mut Prng,
    ) -> std::io::Result<()> {
        let mut rest = &self.bytes[..];
        while !rest.is_empty() {
            let count = prng.piece(rest.len()).max(rest.len() / 20);
            stream.write_all(&rest[..count]).await?;
            stream.flush().await?;
            rest = &rest[count..];
            if prng.one_in(4) {
                tokio::task::yield_now().await;
            }
        }
        self.bytes.clear();
        for id in self.ids.drain(..) {
            world.ledger.send(id);
        }
        Ok(())
    }
}
