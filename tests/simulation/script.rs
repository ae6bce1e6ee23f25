//! What a peer will send, and what it has to receive for it.

use std::ops::Range;

use crate::model::{self, Answer};
use crate::prng::Prng;
use crate::request::{Request, RequestBody};
use crate::site::Site;

/// Exchanges in their order. None behind the first whose answer is the last is answered.
pub(crate) struct Script {
    pub(crate) exchanges: Vec<Exchange>,
    /// Whether a request that names no file ends it here, and somebody else goes on.
    pub(crate) hands_over: bool,
}

pub(crate) struct Exchange {
    pub(crate) bytes: Vec<u8>,
    /// Length of what comes before the head and is ignored.
    pub(crate) blank_bytes: usize,
    /// Whether it is for somebody else, if there is one.
    pub(crate) names_no_file: bool,
    /// Length of the head and what comes before it.
    pub(crate) head_bytes: usize,
    /// Whether a 100 may come before the answer.
    pub(crate) may_continue: bool,
    /// Whether the peer sends the body only after that.
    pub(crate) waits: bool,
    /// What is right: one answer for each release that may be served.
    pub(crate) answers: Vec<Answer>,
}

impl Script {
    pub(crate) fn generate(prng: &mut Prng, sites: &'static [Site], hands_over: bool) -> Self {
        if hands_over && prng.one_in(16) {
            return Self {
                exchanges: vec![Exchange::preface(prng)],
                hands_over,
            };
        }
        let count = prng.range(1..7);
        let mut exchanges: Vec<Exchange> = (0..count)
            .map(|_| match hands_over && prng.one_in(4) {
                true => Exchange::for_somebody_else(prng, sites),
                false => Exchange::generate(prng, sites),
            })
            .collect();
        if prng.one_in(4) {
            exchanges.push(Exchange::refused(prng));
            // Nobody may answer what follows.
            exchanges.push(Exchange::generate(prng, sites));
        }
        Self {
            exchanges,
            hands_over,
        }
    }

    /// Far more than anybody should take in without being read from.
    pub(crate) fn flood(sites: &'static [Site]) -> Self {
        let request = Request::plain("/a.css");
        let flood = (0..2_000).map(|_| Exchange::new(&request, "", false, sites));
        Self {
            exchanges: flood.collect(),
            hands_over: false,
        }
    }

    /// How many exchanges are answered here.
    pub(crate) fn answered_count(&self) -> usize {
        match self.end() {
            Some(index) if self.is_for_others(index) => index,
            Some(index) => index + 1,
            None => self.exchanges.len(),
        }
    }

    /// The exchange behind which nothing is answered here: it is the last, or for others.
    fn end(&self) -> Option<usize> {
        let ends =
            |index: &usize| self.is_for_others(*index) || self.exchanges[*index].answers[0].is_last;
        (0..self.exchanges.len()).find(ends)
    }

    /// Whether exchange `index` is none of ours.
    pub(crate) fn is_for_others(&self, index: usize) -> bool {
        self.hands_over && self.exchanges[index].names_no_file
    }

    /// Where in [`Self::bytes`] that begins which somebody else goes on with, and where its head
    /// ends.
    pub(crate) fn handed_over(&self) -> Option<Range<usize>> {
        let index = self.end()?;
        let exchange = &self.exchanges[index];
        let start = self.start(index);
        let head = start + exchange.blank_bytes..start + exchange.head_bytes;
        self.is_for_others(index).then_some(head)
    }

    /// Everything the peer sends.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.exchanges
            .iter()
            .flat_map(|exchange| exchange.bytes.iter().copied())
            .collect()
    }

    /// Where in [`Self::bytes`] exchange `index` begins.
    pub(crate) fn start(&self, index: usize) -> usize {
        self.exchanges[..index]
            .iter()
            .map(|exchange| exchange.bytes.len())
            .sum()
    }

    /// How many bytes the peer sends before it has received anything but the first
    /// `answered_count` answers (and the 100 before the next, if `is_continued`).
    pub(crate) fn sendable(
        &self,
        answered_count: usize,
        is_continued: bool,
        pipelines: bool,
    ) -> usize {
        let mut bytes = self.start(answered_count);
        for (index, exchange) in self.exchanges.iter().enumerate().skip(answered_count) {
            if exchange.waits && !(index == answered_count && is_continued) {
                return bytes + exchange.head_bytes;
            }
            bytes += exchange.bytes.len();
            if !pipelines {
                break;
            }
        }
        bytes
    }
}

impl Exchange {
    fn generate(prng: &mut Prng, sites: &'static [Site]) -> Self {
        let request = Request::generate(prng);
        Self::placed(&request, prng, sites)
    }

    /// A request that names no file; its body may be longer than anybody would read here.
    fn for_somebody_else(prng: &mut Prng, sites: &'static [Site]) -> Self {
        let mut request = Request::generate(prng);
        request.path = "/missing";
        if let RequestBody::Length(length) = &mut request.body {
            *length *= prng.range(1..20);
        }
        Self::placed(&request, prng, sites)
    }

    /// The beginning of an HTTP/2 connection (RFC 9113 §3.4).
    fn preface(prng: &mut Prng) -> Self {
        let mut exchange = Self::plain("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let frames = prng.below(3_000);
        exchange.bytes.extend((0..frames).map(|index| index as u8));
        exchange.names_no_file = true;
        exchange
    }

    fn placed(request: &Request, prng: &mut Prng, sites: &'static [Site]) -> Self {
        // RFC 9112 §2.2: an empty line before a request is ignored.
        let blank = if prng.one_in(16) { "\r\n" } else { "" };
        Self::new(request, blank, prng.one_in(2), sites)
    }

    /// `waits`: for the 100, if there can be one.
    pub(crate) fn new(request: &Request, blank: &str, waits: bool, sites: &'static [Site]) -> Self {
        let head = format!("{blank}{}", request.head());
        let has_body = !matches!(request.body, RequestBody::None);
        // RFC 9110 §10.1.1: not with 1.0.
        let may_continue = request.expects_continue && has_body && !request.is_http10;
        Self {
            blank_bytes: blank.len(),
            names_no_file: request.path == "/missing",
            bytes: (head.clone() + &request.body()).into_bytes(),
            head_bytes: head.len(),
            may_continue,
            waits: may_continue && waits,
            answers: sites
                .iter()
                .map(|site| model::answer(request, site))
                .collect(),
        }
    }

    fn plain(head: &str) -> Self {
        Self {
            blank_bytes: 0,
            names_no_file: false,
            bytes: head.as_bytes().to_vec(),
            head_bytes: head.len(),
            may_continue: false,
            waits: false,
            answers: Vec::new(),
        }
    }

    /// A request that must be refused, and ends the connection.
    fn refused(prng: &mut Prng) -> Self {
        let method = prng.pick(&["GET", "HEAD"]);
        let (status, rest) = prng.pick(&REFUSED);
        let text = format!("{method}{rest}")
            .replace("LONG", &"x".repeat(3_000))
            .replace("HOST", "Host: a.example\r\n");
        let mut exchange = Self::plain(&text);
        exchange
            .answers
            .push(model::refusal(status, method == "HEAD"));
        exchange
    }

    /// A request that is never completed: `length` bytes of it are sent.
    pub(crate) fn endless(head: &str, length: usize) -> Self {
        let mut exchange = Self::plain(head);
        exchange.bytes.resize(length, b'a');
        if !head.ends_with("\r\n\r\n") {
            exchange.head_bytes = length;
        }
        exchange.answers.push(model::refusal(408, false));
        exchange
    }
}

/// What follows the method, and the status it is refused with.
const REFUSED: [(u16, &str); 16] = [
    (400, " / HTTP/1.1\r\n\r\n"),
    (400, "  / HTTP/1.1\r\nHOST\r\n"),
    (400, " / HTTP/1.1\r\nHOSTHOST\r\n"),
    (400, " / HTTP/1.1\nHost: a.example\n\n"),
    (400, " / HTTP/1.1\r\nHOSTa b: c\r\n\r\n"),
    (
        400,
        " / HTTP/1.1\r\nHOSTContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (400, " / HTTP/1.1\r\nHOSTContent-Length: 1, 1\r\n\r\n"),
    (
        400,
        " / HTTP/1.1\r\nHOSTTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ),
    (400, " /#a HTTP/1.1\r\nHOST\r\n"),
    (413, " / HTTP/1.1\r\nHOSTContent-Length: 2000\r\n\r\n"),
    (
        413,
        " / HTTP/1.1\r\nHOSTTransfer-Encoding: chunked\r\n\r\nFFFF\r\n",
    ),
    (414, " /LONG HTTP/1.1\r\nHOST\r\n"),
    (417, " / HTTP/1.1\r\nHOSTExpect: tea\r\n\r\n"),
    (431, " / HTTP/1.1\r\nHOSTA: LONG\r\n\r\n"),
    (
        501,
        " / HTTP/1.1\r\nHOSTTransfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    (505, " / HTTP/2.0\r\nHOST\r\n"),
];
