//! What each connection asks for: from a seed, the same always.

use std::sync::Arc;

use crate::files::Files;
use crate::plan::{Abort, Frame, Plan, Protocol, Range, Reply, Upload, Wanted, Work};
use crate::prng::Prng;

/// Everything that one connection does.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Its place in the run; seeds its client.
    pub(crate) number: usize,
    pub(crate) protocol: Protocol,
    pub(crate) plans: Vec<Arc<Plan>>,
    /// Requests sent before their turn: 1 waits for each answer.
    pub(crate) depth: usize,
    /// Whether the client says early that nothing more comes, and reads on.
    pub(crate) is_half_closed: bool,
}

/// What may be asked; all of it, unless the server under test is known to lack something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repertoire {
    /// Fields named by `Connection` are kept from upstreams.
    pub(crate) has_hop_fields: bool,
    /// A client may shut down its sending side and still get answers.
    pub(crate) has_half_closes: bool,
    /// HTTP/2 without TLS.
    pub(crate) has_prior_knowledge: bool,
    /// 103 from an upstream is no answer yet.
    pub(crate) has_hints: bool,
    /// TLS ends with an alert from both sides, and 405 says what is allowed.
    pub(crate) is_strict: bool,
}

impl Visit {
    /// The visit with this number in the run of `seed`.
    pub(crate) fn new(seed: u64, number: usize, files: &Files, repertoire: Repertoire) -> Self {
        let mut prng = Prng::new(seed ^ (number as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        let protocol = match prng.below(10) {
            0..5 => Protocol::Http1,
            5..7 => Protocol::Http1Tls,
            7 if repertoire.has_prior_knowledge => Protocol::Http2,
            _ => Protocol::Http2Tls,
        };
        let count = match prng.below(4) {
            0 => prng.range(1..4),
            _ => prng.range(1..REQUEST_COUNT_MAX),
        };
        let first_id = number as u64 * 1000 + 1;
        let plans = (0..count).map(|index| {
            let may_end = index + 1 == count || protocol.is_http2();
            let mut draft = Draft {
                prng: &mut prng,
                files,
                protocol,
                repertoire,
                may_end,
            };
            Arc::new(draft.plan(first_id + index as u64))
        });
        let plans = plans.collect::<Vec<_>>();
        let depth = prng.pick(&[1, 1, 2, 5, REQUEST_COUNT_MAX]);
        let ends_early = plans.last().is_some_and(|plan| {
            plan.abort.is_some() || matches!(plan.work, Work::Echo(_)) || plan.expects_continue()
        });
        Self {
            number,
            protocol,
            plans,
            depth,
            is_half_closed: repertoire.has_half_closes && !ends_early && prng.one_in(6),
        }
    }
}

/// A request being decided.
struct Draft<'a> {
    prng: &'a mut Prng,
    files: &'a Files,
    protocol: Protocol,
    repertoire: Repertoire,
    /// Whether the connection may end with it.
    may_end: bool,
}

impl Draft<'_> {
    fn plan(&mut self, id: u64) -> Plan {
        let mut plan = match self.prng.below(100) {
            0..40 => self.asset(id),
            40..43 if self.may_end => self.refusal(id),
            43..47 => self.events(id),
            47..60 if self.may_end && !self.protocol.is_http2() => self.echo(id),
            _ => self.proxied(id),
        };
        self.add_fields(&mut plan);
        let is_early = matches!(&plan.work, Work::Proxied(reply) if reply.is_early);
        if self.may_end && !is_early && self.prng.one_in(5) {
            plan.abort = Some(self.abort(&plan));
        }
        plan
    }

    fn asset(&mut self, id: u64) -> Plan {
        let file = self.prng.below(self.files.count());
        let range = match self.prng.below(8) {
            0 if self.files.has_ranges(file) => Some(self.range()),
            _ => None,
        };
        let codings = [None, None, Some("br"), Some("gzip"), Some("br, gzip, zstd")];
        let wanted = Wanted {
            file,
            accept_encoding: self.prng.pick(&codings),
            range,
            is_cached: range.is_none() && self.prng.one_in(6),
        };
        let mut plan = blank(id, Work::Asset(wanted));
        plan.target = self.files.url(file).to_owned();
        if range.is_none() && self.prng.one_in(5) {
            plan.method = "HEAD";
        }
        if let Some(codings) = wanted.accept_encoding {
            plan.fields.push(("Accept-Encoding", codings.to_owned()));
        }
        if let Some(range) = range {
            plan.fields.push(("Range", text(range)));
        }
        if wanted.is_cached {
            let tag = self.files.etag(file).to_owned();
            plan.fields.push(("If-None-Match", tag));
        }
        plan
    }

    fn range(&mut self) -> Range {
        let first = self.prng.below(100);
        match self.prng.below(3) {
            0 => Range::Between(first, first + self.prng.below(100)),
            1 => Range::From(first),
            _ => Range::Last(first + 1),
        }
    }

    fn refusal(&mut self, id: u64) -> Plan {
        let mut plan = blank(id, Work::Refusal);
        let file = self.prng.below(self.files.count());
        plan.target = self.files.url(file).to_owned();
        plan.method = "POST";
        plan.upload = Upload::Length(self.prng.range(1..3000));
        plan
    }

    fn events(&mut self, id: u64) -> Plan {
        let count = self.prng.range(1..6);
        blank(id, Work::Events(count))
    }

    fn echo(&mut self, id: u64) -> Plan {
        let count = self.prng.range(1..8);
        let sizes = [0, 1, 125, 126, 1000, 65_535, 65_536, 200_000];
        let lengths = (0..count).map(|_| self.prng.pick(&sizes)).collect();
        let mut plan = blank(id, Work::Echo(lengths));
        let key = plan.websocket_key();
        plan.fields.push(("Sec-WebSocket-Key", key));
        plan.fields.push(("Sec-WebSocket-Version", "13".to_owned()));
        plan.hop_fields = vec![("Connection", "Upgrade"), ("Upgrade", "websocket")];
        plan
    }

    fn proxied(&mut self, id: u64) -> Plan {
        let reply = self.reply();
        let mut plan = blank(id, Work::Proxied(reply));
        plan.method = self
            .prng
            .pick(&["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE"]);
        if matches!(plan.method, "POST" | "PUT") {
            let bytes = self.upload_bytes();
            plan.upload = match self.prng.below(2) {
                0 => Upload::Length(bytes),
                _ => Upload::Chunked(bytes),
            };
            if !self.protocol.is_http2() && !reply.is_early && self.prng.one_in(8) {
                plan.hop_fields.push(("Expect", "100-continue"));
            }
        } else if let Work::Proxied(reply) = &mut plan.work {
            reply.is_early = false;
        }
        plan
    }

    fn reply(&mut self) -> Reply {
        let (status, frame) = match self.prng.below(12) {
            0 => (204, Frame::Nothing),
            1 => (304, Frame::Nothing),
            2 => (404, Frame::Length),
            3 => (500, Frame::Chunked),
            4 => (302, Frame::Length),
            5 | 6 => (200, Frame::Chunked),
            7 => (200, Frame::ChunkedWithTrailers),
            8 => (201, Frame::Close),
            _ => (200, Frame::Length),
        };
        let bytes = match self.prng.below(20) {
            _ if frame == Frame::Nothing => 0,
            0..14 => self.prng.below(4_000),
            14..19 => self.prng.below(100_000),
            _ => self.prng.below(1_000_000),
        };
        Reply {
            status,
            frame,
            bytes,
            is_slow: self.prng.one_in(10),
            has_hints: self.repertoire.has_hints && self.prng.one_in(10),
            is_early: self.may_end && self.prng.one_in(12),
            closes: self.prng.one_in(10),
        }
    }

    fn upload_bytes(&mut self) -> usize {
        match self.prng.below(1000) {
            0..100 => 0,
            100..600 => self.prng.below(2_000),
            600..950 => self.prng.below(64_000),
            950..997 => self.prng.below(1 << 20),
            _ => 10 << 20,
        }
    }

    /// What clients say besides: for the application, for the server alone, and lies.
    fn add_fields(&mut self, plan: &mut Plan) {
        plan.fields.push(("X-Id", plan.id.to_string()));
        plan.host = self
            .prng
            .pick(&["mixed.test", "mixed.test:8443", "MIXED.test"]);
        if self.prng.one_in(2) {
            plan.fields.push(("Cookie", "a=1; b=\"x, y\"".to_owned()));
        }
        if self.prng.one_in(3) {
            plan.fields.push(("X-Multi", "one".to_owned()));
            plan.fields.push(("X-Multi", "two, three".to_owned()));
        }
        if self.prng.one_in(5) {
            let long = self.prng.range(1..4_000);
            plan.fields.push(("X-Long", "l".repeat(long)));
        }
        if self.prng.one_in(4) {
            plan.hop_fields.push(("X-Forwarded-For", "6.6.6.6"));
            plan.hop_fields.push(("X-Forwarded-Proto", "gopher"));
            plan.hop_fields.push(("X-Forwarded-Host", "evil.test"));
            plan.hop_fields.push(("Forwarded", "for=6.6.6.6"));
        }
        let is_echo = matches!(plan.work, Work::Echo(_));
        if !self.protocol.is_http2() && self.repertoire.has_hop_fields && !is_echo {
            self.add_hop_fields(plan);
        }
    }

    fn add_hop_fields(&mut self, plan: &mut Plan) {
        if self.prng.one_in(4) {
            plan.hop_fields.push(("Connection", "keep-alive, X-Hop"));
            plan.hop_fields.push(("X-Hop", "secret"));
            plan.hop_fields.push(("Keep-Alive", "timeout=1"));
            plan.hop_fields.push(("Proxy-Connection", "keep-alive"));
        } else if self.prng.one_in(8) {
            plan.hop_fields.push(("Connection", "TE"));
            plan.hop_fields.push(("TE", "trailers"));
        }
    }

    fn abort(&mut self, plan: &Plan) -> Abort {
        match (self.prng.below(2), &plan.work) {
            (0, Work::Proxied(_) | Work::Asset(_) | Work::Refusal) => {
                Abort::Sending(self.prng.below(1000))
            }
            (_, Work::Echo(_)) => Abort::Receiving(self.prng.below(3)),
            (_, Work::Proxied(reply)) => Abort::Receiving(self.prng.below(reply.bytes + 1)),
            _ => Abort::Receiving(self.prng.pick(&[0, 0, 1, 20, 5_000])),
        }
    }
}

/// A GET of the application.
fn blank(id: u64, work: Work) -> Plan {
    let ends = [
        "",
        "/",
        "?a=%2F&b",
        "/a//b;c",
        "/%E2%82%AC?x=a?b",
        "/%2e/%7Ex",
    ];
    Plan {
        id,
        method: "GET",
        target: format!("/app/{id}{}", ends[(id % ends.len() as u64) as usize]),
        host: "mixed.test",
        fields: Vec::new(),
        hop_fields: Vec::new(),
        upload: Upload::Nothing,
        work,
        abort: None,
    }
}

/// As a field has it (RFC 9110 §14.1.2).
fn text(range: Range) -> String {
    match range {
        Range::Between(first, last) => format!("bytes={first}-{last}"),
        Range::From(first) => format!("bytes={first}-"),
        Range::Last(count) => format!("bytes=-{count}"),
    }
}

/// Requests of one connection, at most one fewer.
const REQUEST_COUNT_MAX: usize = 30;
