//! Requests that the application answers on the short way: the response is sent as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, ReadBuf};

use super::Direct;
use crate::connection::Tick;
use crate::fallback::proxy::{Begun, Dress, Outcome, Passage, Prepared, Reply, Rest};

impl Direct<'_> {
    /// Has the request that was received answered by the application. If it is none for the short
    /// way, or its response is not: what hyper goes on with.
    pub(super) async fn pass_on(&mut self) -> Option<Option<Begun>> {
        let state = self.state;
        let Some((passage, prepared)) = state.passage.as_ref().and_then(|passage| {
            let prepared = passage.prepare(self.connection.received(), &self.peer)?;
            Some((passage, prepared))
        }) else {
            return Some(None);
        };
        if !self.flush().await {
            self.connection.on_error();
            return None;
        }
        let reply = match self.ask(passage, &prepared).await {
            Outcome::Reply(reply) => reply,
            Outcome::Begun(begun) => return Some(Some(begun)),
        };
        let closes = reply.closes;
        if self.send_reply(reply).await {
            let request_bytes = prepared.received_bytes();
            self.with_context(|connection, context| {
                connection.on_answered(request_bytes, closes, context);
            });
        } else {
            self.connection.on_error();
        }
        None
    }

    async fn ask(&self, passage: &Passage, prepared: &Prepared) -> Outcome {
        let state = self.state;
        let nothing_follows = self.connection.received().len() == prepared.received_bytes();
        let hsts = state.hsts.as_ref().filter(|_| self.peer.is_tls);
        let dress = || {
            let is_last = state.is_draining() && nothing_follows && !self.transport.has_input();
            Dress {
                date: state.clock.date(),
                hsts: hsts.map(|value| value.as_bytes()),
                closes: is_last || !prepared.is_persistent(),
            }
        };
        // How long it takes is the application's affair.
        self.control.set_deadline(Tick::NEVER, false);
        passage.ask(prepared, dress).await
    }

    /// Sends what is encrypted: answers that were made do not wait for another. False if it cannot
    /// be sent.
    async fn flush(&mut self) -> bool {
        self.begin_write();
        std::future::poll_fn(|context| {
            self.control.watch(context);
            if self.control.take_due() {
                return Poll::Ready(false);
            }
            let flushed = Pin::new(&mut *self.transport).poll_flush(context);
            flushed.map(|result| result.is_ok())
        })
        .await
    }

    /// Sends a response as it arrives; false if it could not be sent, or breaks off.
    async fn send_reply(&mut self, reply: Reply) -> bool {
        let Reply {
            bytes: mut unsent,
            mut rest,
            ..
        } = reply;
        self.begin_write();
        std::future::poll_fn(|context| {
            self.control.watch(context);
            if self.control.take_due() {
                return Poll::Ready(false);
            }
            loop {
                while !unsent.is_empty() {
                    match ready!(Pin::new(&mut *self.transport).poll_write(context, &unsent)) {
                        Ok(count) if count > 0 => unsent.drain(..count),
                        Ok(_) | Err(_) => return Poll::Ready(false),
                    };
                }
                let Some(rest) = &mut rest else {
                    return Poll::Ready(true);
                };
                if rest.bytes_left() == 0 {
                    return Poll::Ready(true);
                }
                if !ready!(self.poll_rest(context, rest, &mut unsent)) {
                    return Poll::Ready(false);
                }
            }
        })
        .await
    }

    /// Receives more of a response body; false if it breaks off.
    fn poll_rest(
        &mut self,
        context: &mut Context<'_>,
        rest: &mut Rest,
        unsent: &mut Vec<u8>,
    ) -> Poll<bool> {
        let state = self.state;
        let mut room = state.receive_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut room);
        let received = rest.poll_read(context, &mut buffer);
        if received.is_pending() {
            self.control.set_deadline(Tick::NEVER, false);
            // What is encrypted does not wait for what is not there.
            let _ = Pin::new(&mut *self.transport).poll_flush(context);
        }
        ready!(received).map_or(Poll::Ready(false), |()| {
            unsent.extend_from_slice(buffer.filled());
            self.begin_write();
            Poll::Ready(true)
        })
    }
}
