//! What a peer will send, and what it has to receive for it.

use crate::model::{self, Answer};
use crate::prng::Prng;
use crate::request::{Request, RequestBody};
use crate::site::Site;

/// Exchanges in their order. None behind the first whose answer is the last is answered.
pub(crate) struct Script {
    pub(crate) exchanges: Vec<Exchange>,
}

pub(crate) struct Exchange {
    pub(crate) bytes: Vec<u8>,
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
    pub(crate) fn generate(prng: &mut Prng, sites: &'static [Site]) -> Self {
        let count = prng.range(1..7);
        let mut exchanges: Vec<Exchange> = (0..count)
            .map(|_| Exchange::generate(prng, sites))
            .collect();
        if prng.one_in(4) {
            exchanges.push(Exchange::refused(prng));
            // Nobody may answer what follows.
            exchanges.push(Exchange::generate(prng, sites));
        }
        Self { exchanges }
    }

    /// Far more than anybody should take in without being read from.
    pub(crate) fn flood(sites: &'static [Site]) -> Self {
        let request = Request::plain("/a.css");
        let flood = (0..2_000).map(|_| Exchange::new(&request, "", false, sites));
        Self {
            exchanges: flood.collect(),
        }
    }

    /// How many exchanges are answered.
    pub(crate) fn answered_count(&self) -> usize {
        let last = self
            .exchanges
            .iter()
            .position(|exchange| exchange.answers[0].is_last);
        last.map_or(self.exchanges.len(), |index| index + 1)
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
        // RFC 9112 §2.2: an empty line before a request is ignored.
        let blank = if prng.one_in(16) { "\r\n" } else { "" };
        Self::new(&request, blank, prng.one_in(2), sites)
    }

    /// `waits`: for the 100, if there can be one.
    pub(crate) fn new(request: &Request, blank: &str, waits: bool, sites: &'static [Site]) -> Self {
        let head = format!("{blank}{}", request.head());
        let has_body = !matches!(request.body, RequestBody::None);
        // RFC 9110 §10.1.1: not with 1.0.
        let may_continue = request.expects_continue && has_body && !request.is_http10;
        Self {
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
