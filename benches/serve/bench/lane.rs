//! One server on its way through one scenario. The first thing that goes wrong ends it; the
//! others go on.

use super::super::check::{self, Answer};
use super::super::load::{Ask, Plan, Wire};
use super::super::results::{Round, Row};
use super::super::scenarios::{Definition, Prepared};
use super::super::servers::{Candidate, Running, Setting};
use super::Bench;

pub(super) struct Lane {
    pub(super) candidate: Candidate,
    pub(super) running: Option<Running>,
    /// With the server's own port and validators.
    pub(super) plan: Plan,
    pub(super) failure: Option<String>,
    pub(super) rounds: Vec<Round>,
    /// Length of the one answer, if there is one.
    answer_bytes: Option<usize>,
}

impl Lane {
    pub(super) fn new(candidate: Candidate, plan: Plan) -> Self {
        Self {
            candidate,
            running: None,
            plan,
            failure: None,
            rounds: Vec::new(),
            answer_bytes: None,
        }
    }

    /// Does `step` unless an earlier one failed; if it fails, the server is stopped.
    pub(super) fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        if self.failure.is_some() {
            return;
        }
        if let Err(failure) = step(self) {
            self.failure = Some(failure);
            self.running = None;
        }
    }

    /// Starts the server, if it can do this kind of work.
    pub(super) fn start(&mut self, bench: &Bench<'_>, definition: &Definition, at: &Prepared) {
        self.attempt(|lane| {
            if definition.is_encoded()
                && let Some(reason) = lane.candidate.lacks_variants()
            {
                return Err(format!("not supported: {reason}"));
            }
            lane.restart(bench, definition, at)
        });
    }

    /// Starts the server, whatever ran before.
    pub(super) fn restart(
        &mut self,
        bench: &Bench<'_>,
        definition: &Definition,
        prepared: &Prepared,
    ) -> Result<(), String> {
        self.running = None;
        let canned = definition.canned();
        let setting = Setting {
            root: &prepared.root,
            workers: definition.workers,
            folder: &bench.folder.join(self.candidate.name),
            canned: canned.as_deref(),
            wire: definition.wire,
            upstream: prepared.upstream_port,
            certificate: &bench.certificate,
            before: bench.before.as_deref(),
        };
        let cpus = if definition.workers > 1 { "0,1" } else { "0" };
        let running = self.candidate.start(setting, cpus);
        let running = running.map_err(|error| format!("did not start: {error}"))?;
        self.plan.port = running.port;
        self.running = Some(running);
        Ok(())
    }

    /// Asks once and compares with what is right; if nobody knows, this answer is it.
    pub(super) fn check(
        &mut self,
        bench: &Bench<'_>,
        ask: &Ask,
        definition: &Definition,
        right: &mut Option<Answer>,
    ) -> Result<(), String> {
        let mut ask = ask.clone();
        if ask.status == 304 {
            ask.fields.push(self.validator(bench, &ask)?);
            self.plan.requests = vec![ask.clone()];
        }
        let answer = self.ask(bench, &ask, definition.close)?;
        if self.plan.requests.len() == 1 {
            self.answer_bytes = Some(answer.bytes());
        }
        let right = right.get_or_insert_with(|| answer.clone());
        answer.difference(&ask, right).map_or(Ok(()), Err)
    }

    /// The field that makes this server answer `ask` with 304.
    fn validator(&self, bench: &Bench<'_>, ask: &Ask) -> Result<(String, String), String> {
        let answer = self.ask(bench, ask, false)?;
        let validators = [
            ("ETag", "If-None-Match"),
            ("Last-Modified", "If-Modified-Since"),
        ];
        let mut found = validators.iter().filter_map(|(name, condition)| {
            let value = answer.field(name)?;
            Some(((*condition).to_owned(), value.to_owned()))
        });
        found.next().ok_or_else(|| "no validator".to_owned())
    }

    fn ask(&self, bench: &Bench<'_>, ask: &Ask, close: bool) -> Result<Answer, String> {
        let (port, certificate) = (self.plan.port, &bench.certificate);
        let answer = match self.plan.wire {
            Wire::Plain => check::ask(port, ask, close),
            Wire::Tls => check::ask_over_tls(port, certificate, ask),
            Wire::Http2 => check::ask_over_http2(port, certificate, ask),
        };
        answer.map_err(|error| format!("no answer at {}: {error}", ask.target))
    }

    /// If every answer is the same, what was received must be as long as so many of it. This sees
    /// a 200 instead of a 304, and bodies cut short, at no cost to the load.
    pub(super) fn refuse_other_bytes(&self, round: &Round, plan: &Plan) -> Result<(), String> {
        let Some(bytes) = self.answer_bytes.map(|bytes| bytes as f64) else {
            return Ok(());
        };
        let expected = bytes * round.request_count as f64;
        let under_way = bytes * f64::from(plan.connections * plan.pipeline.max(1));
        let tolerance = expected * BYTES_TOLERANCE + under_way;
        if (round.received_bytes as f64 - expected).abs() <= tolerance {
            return Ok(());
        }
        Err(format!(
            "{} bytes for {} answers of {bytes}",
            round.received_bytes, round.request_count
        ))
    }

    /// What is left of it. The server ends.
    pub(super) fn into_row(self) -> Row {
        Row {
            server: self.candidate.name.to_owned(),
            failure: self.failure,
            rounds: self.rounds,
        }
    }
}

/// The order in which to ask: who is compared with comes first.
pub(super) fn base_first(lanes: &[Lane], base: &str) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|index| lanes[*index].candidate.name != base);
    order
}

/// A date or a counter in a head may change its length a little.
const BYTES_TOLERANCE: f64 = 0.02;
