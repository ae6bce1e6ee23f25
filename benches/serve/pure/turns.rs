//! Whole turns of a connection, as a reactor takes them: received bytes in, answer out, answer
//! sent. No system call is made.

use std::hint::black_box;

use whitering::internal::connection::{
    BufferPool, Connection, Context, DATE_BYTES, Held, Settings, Tick, Want, http_date,
};

use super::requests::{PLAIN, browser, plain};
use super::site::{self, ETAG};
use super::{Case, Work};

pub(super) fn cases() -> Vec<Case> {
    let case = |exchange: Exchange| Case {
        request_count: exchange.request_count,
        ..Case::new(exchange.name, move || turn(&exchange))
    };
    exchanges().into_iter().map(case).collect()
}

/// What a client sends, and what it gets.
struct Exchange {
    name: &'static str,
    /// What arrives, read by read.
    reads: Vec<String>,
    /// The status of each answer.
    status: u16,
    request_count: u32,
}

fn exchanges() -> Vec<Exchange> {
    let one = |name, status, request: String| Exchange {
        name,
        reads: vec![request],
        status,
        request_count: 1,
    };
    let browser_get = |target| browser(target, "");
    let get = |target, further| plain("GET", target, further);
    let (first, second) = PLAIN.split_at(PLAIN.len() / 2);
    vec![
        one("turn/plain", 200, PLAIN.to_owned()),
        one("turn/browser", 200, browser_get("/a.css")),
        one("turn/10k", 200, get("/b.css", "")),
        one("turn/br", 200, browser_get("/c.css")),
        one("turn/head", 200, plain("HEAD", "/a.css", "")),
        one(
            "turn/not-modified",
            304,
            browser("/a.css", &format!("If-None-Match: {ETAG}\r\n")),
        ),
        one("turn/range", 206, get("/b.css", RANGE)),
        one("turn/ranges", 206, get("/b.css", RANGES)),
        one("turn/missing", 404, get("/none.css", "")),
        one("turn/close", 200, get("/a.css", "Connection: close\r\n")),
        Exchange {
            reads: vec![first.to_owned(), second.to_owned()],
            ..one("turn/torn", 200, String::new())
        },
        Exchange {
            request_count: 16,
            ..one("turn/pipelined-16", 200, PLAIN.repeat(16))
        },
    ]
}

/// What a worker has, and one connection of it.
struct Turn {
    held: Held,
    settings: Settings,
    date: [u8; DATE_BYTES],
    pool: BufferPool,
    path_scratch: Vec<u8>,
    reads: Vec<Vec<u8>>,
}

/// Receives the reads of `exchange` one after the other, and sends what there is to send.
fn turn(exchange: &Exchange) -> Work {
    let mut turn = Turn::new(&exchange.reads);
    let mut connection = turn.connect();
    let mut sent = Vec::new();
    turn.run(&mut connection, |bytes| sent.extend_from_slice(bytes));
    exchange.check(&sent);
    Box::new(move || {
        if connection.want() != Want::Receive {
            connection = turn.connect();
        }
        turn.run(&mut connection, |sent| {
            black_box(sent);
        });
    })
}

impl Exchange {
    /// Whether it is answered as it has to be; else the figures would say nothing.
    fn check(&self, sent: &[u8]) {
        let text = String::from_utf8_lossy(sent);
        let status = format!("HTTP/1.1 {} ", self.status);
        assert_eq!(
            text.matches(&status).count(),
            self.request_count as usize,
            "{}: {text}",
            self.name
        );
        let is_brotli = text.contains("Content-Encoding: br");
        assert_eq!(is_brotli, self.name == "turn/br", "{text}");
    }
}

impl Turn {
    fn new(reads: &[String]) -> Self {
        Self {
            held: site::small(),
            settings: Settings::default(),
            date: http_date(NOW_SECONDS),
            pool: BufferPool::new(),
            path_scratch: Vec::new(),
            reads: reads.iter().map(|read| read.as_bytes().to_vec()).collect(),
        }
    }

    fn connect(&mut self) -> Connection {
        Connection::new(&self.context())
    }

    /// Hands what is sent to `send`; all bodies here are copied behind their heads.
    fn run(&mut self, connection: &mut Connection, mut send: impl FnMut(&[u8])) {
        let reads = std::mem::take(&mut self.reads);
        for read in &reads {
            connection.on_received(black_box(read), &mut self.context());
            while connection.want() == Want::Send {
                let loan = connection.lend();
                let count = loan.buffer.len() - loan.from;
                send(&loan.buffer);
                connection.on_sent(loan.buffer, count, &mut self.context());
            }
        }
        self.reads = reads;
    }

    fn context(&mut self) -> Context<'_> {
        Context {
            held: &self.held,
            settings: &self.settings,
            now: Tick(1),
            unix_seconds: NOW_SECONDS,
            date: &self.date,
            draining: false,
            pool: &mut self.pool,
            path_scratch: &mut self.path_scratch,
        }
    }
}

const NOW_SECONDS: u64 = 1_700_000_000;
const RANGE: &str = "Range: bytes=100-1123\r\n";
const RANGES: &str = "Range: bytes=0-99,5000-5099\r\n";
