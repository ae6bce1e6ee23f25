//! The receiving half of a connection: requests are taken from what has arrived, one after the
//! other, and each is answered or refused.

use super::answer;
use super::text::Persistence;
use super::{Connection, Context, PendingRequest, Settings, State, Then};
use crate::assets::{self, Choice};
use crate::http::body::BodyReader;
use crate::http::request::{BodyFraming, Fields, Request, RequestError, head_end};
use crate::http::status::Status;

/// How processing goes on.
enum Step {
    /// One request was answered.
    Next,
    /// Look at the rest again.
    More,
    /// Nothing can be done with the rest now.
    Wait,
    /// The rest is not looked at any more.
    End(Then),
    /// The rest is for somebody else.
    HandOver,
}

impl Connection {
    /// Processes what was kept.
    pub(super) fn process_received(&mut self, context: &mut Context<'_>) {
        let (bytes, start, scanned) = self.received.take();
        let (answered, scanned) = self.process(&bytes[start..], scanned, context);
        self.received
            .put_back(bytes, start + answered, scanned, context.pool);
    }

    /// Answers the requests in `input` as far as there is room. Returns how many bytes were
    /// used up, and how many of the rest need not be searched again.
    pub(super) fn process(
        &mut self,
        input: &[u8],
        scanned: usize,
        context: &mut Context<'_>,
    ) -> (usize, usize) {
        let mut rest = input;
        let mut scanned = scanned;
        let mut request_count = 0;
        let then = loop {
            let step = match &mut self.state {
                State::Body(pending) => match pending.body.read(rest) {
                    Ok(count) => {
                        rest = &rest[count..];
                        if pending.body.is_done() {
                            self.answer_pending(rest.is_empty(), context)
                        } else {
                            Step::Wait
                        }
                    }
                    Err(error) => {
                        let head_only = is_head(&pending.head);
                        self.refuse_request(error, head_only, context)
                    }
                },
                _ if rest.is_empty() => Step::Wait,
                _ if request_count == REQUEST_COUNT_MAX || !self.outgoing.has_room() => Step::Wait,
                _ => self.process_head(&mut rest, &mut scanned, context),
            };
            match step {
                Step::Next => request_count += 1,
                Step::More => {}
                Step::Wait => break Then::Continue,
                Step::HandOver => break Then::HandOver,
                Step::End(Then::Close) if !rest.is_empty() => {
                    rest = &[];
                    break Then::Finish;
                }
                Step::End(then) => {
                    rest = &[];
                    break then;
                }
            }
        };
        self.start_sending(then, context);
        (input.len() - rest.len(), scanned)
    }

    /// Takes one head from the front of `rest`, if it is complete.
    fn process_head(
        &mut self,
        rest: &mut &[u8],
        scanned: &mut usize,
        context: &mut Context<'_>,
    ) -> Step {
        let settings = context.settings;
        if matches!(self.state, State::Idle) {
            // RFC 9112 §2.2: an empty line before the request line is ignored; one, so that what
            // follows has to be here to tell.
            if matches!(*rest, b"\r" | b"\r\n") {
                return Step::Wait;
            }
            self.state = State::Head;
            self.deadline = context.after(settings.head_timeout);
            if let Some(after) = rest.strip_prefix(b"\r\n") {
                *rest = after;
                self.has_begun = true;
                return Step::More;
            }
        }
        match head_end(
            rest,
            *scanned,
            settings.head_bytes_max,
            settings.target_bytes_max,
        ) {
            Err(error) => self.refuse_request(error, is_head(rest), context),
            Ok(None) => {
                *scanned = rest.len();
                Step::Wait
            }
            Ok(Some(end)) => {
                let (head, after) = rest.split_at(end);
                *scanned = 0;
                self.state = State::Idle;
                let step = self.process_request(head, after, context);
                // Until it is answered or refused, a request stays where it is.
                if !matches!(step, Step::Wait | Step::HandOver) {
                    *rest = after;
                }
                step
            }
        }
    }

    fn process_request(&mut self, head: &[u8], after: &[u8], context: &mut Context<'_>) -> Step {
        let nothing_follows = after.is_empty();
        let mut fields = Fields::new();
        let request = match parse(head, &mut fields, context.settings) {
            Ok(request) => request,
            Err(error) => {
                return self
                    .process_preface(head, after, context.settings)
                    .unwrap_or_else(|| self.refuse_request(error, is_head(head), context));
            }
        };
        if request.body == BodyFraming::None {
            return self.answer_request(&request, nothing_follows, context);
        }
        // Nothing of the body may be read, and nobody told to send it, if it is not for us.
        if context.settings.hands_over && is_for_fallback(&request, context) {
            return Step::HandOver;
        }
        match BodyReader::new(request.body, context.settings.body_bytes_max) {
            Err(error) => self.refuse_request(error, is_head(head), context),
            Ok(body) => {
                let pending = Box::new(PendingRequest {
                    head: head.into(),
                    body,
                });
                if request.expects_continue && nothing_follows {
                    self.outgoing
                        .buffer(context.pool)
                        .extend_from_slice(CONTINUE);
                    return Step::End(Then::ReadBody(pending));
                }
                self.state = State::Body(pending);
                self.deadline = context.after(context.settings.body_timeout);
                Step::More
            }
        }
    }

    /// What to do if `head` and what comes `after` it are, or may become, the first bytes of an
    /// HTTP/2 connection (RFC 9113 §3.4).
    fn process_preface(&mut self, head: &[u8], after: &[u8], settings: &Settings) -> Option<Step> {
        let may_begin = settings.prior_knowledge && !self.has_begun && self.outgoing.is_empty();
        let rest = PREFACE.strip_prefix(head).filter(|_| may_begin)?;
        if after.starts_with(rest) {
            Some(Step::HandOver)
        } else if rest.starts_with(after) {
            self.state = State::Head;
            Some(Step::Wait)
        } else {
            None
        }
    }

    /// The body of a request has been read to its end.
    fn answer_pending(&mut self, nothing_follows: bool, context: &mut Context<'_>) -> Step {
        let State::Body(pending) = std::mem::replace(&mut self.state, State::Idle) else {
            unreachable!("invariant: called in this state only");
        };
        let mut fields = Fields::new();
        match parse(&pending.head, &mut fields, context.settings) {
            Ok(request) => self.answer_request(&request, nothing_follows, context),
            Err(error) => self.refuse_request(error, is_head(&pending.head), context),
        }
    }

    fn answer_request(
        &mut self,
        request: &Request<'_>,
        nothing_follows: bool,
        context: &mut Context<'_>,
    ) -> Step {
        // While draining, requests that are here already are still answered.
        let persistence = answer::persistence(request, context.draining && nothing_follows);
        let policy = context.policy();
        let choice = assets::choose(request, context.held, policy, context.path_scratch);
        if matches!(choice, Choice::Fallback) && request.body == BodyFraming::None {
            return Step::HandOver;
        }
        self.answer(persistence, answer::is_head_only(request), context)
            .write(request, choice);
        match persistence {
            Persistence::Implied | Persistence::KeepAlive => Step::Next,
            // The client does not know yet, and may be sending.
            Persistence::Close if request.persistent => Step::End(Then::Finish),
            Persistence::Close => Step::End(Then::Close),
        }
    }

    fn refuse_request(
        &mut self,
        error: RequestError,
        head_only: bool,
        context: &mut Context<'_>,
    ) -> Step {
        self.refuse(error.status(), head_only, context);
        Step::End(Then::Finish)
    }

    /// The last answer of a connection: nothing behind the request can be trusted.
    pub(super) fn refuse(&mut self, status: Status, head_only: bool, context: &mut Context<'_>) {
        self.answer(Persistence::Close, head_only, context)
            .refusal(status);
    }

    /// If answers were written, they are sent before anything else.
    fn start_sending(&mut self, then: Then, context: &Context<'_>) {
        if self.outgoing.is_empty() {
            if matches!(then, Then::HandOver) {
                self.begin_hand_over();
            }
            return;
        }
        self.has_begun = true;
        let then = match (then, std::mem::replace(&mut self.state, State::Idle)) {
            (Then::Continue, State::Body(pending)) => Then::ReadBody(pending),
            (then, _) => then,
        };
        self.state = State::Responding(then);
        self.sent_bytes = 0;
        self.deadline = context.after(context.settings.write_timeout);
    }
}

fn parse<'a>(
    head: &'a [u8],
    fields: &'a mut Fields<'a>,
    settings: &Settings,
) -> Result<Request<'a>, RequestError> {
    Request::parse_over(head, fields, settings.target_bytes_max, settings.over_tls)
}

/// Whether `request` names no file.
fn is_for_fallback(request: &Request<'_>, context: &mut Context<'_>) -> bool {
    let policy = context.policy();
    let choice = assets::choose(request, context.held, policy, context.path_scratch);
    matches!(choice, Choice::Fallback)
}

/// Whether `request`, the start of a refused one, is to be answered without a body
/// (RFC 9110 §9.3.2).
pub(super) fn is_head(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

/// RFC 9110 §15.2.1.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How an HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Pipelined requests answered before the answers are sent.
const REQUEST_COUNT_MAX: usize = 64;
