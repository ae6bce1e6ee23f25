//! The pure parts alone: what a request costs before any system call. `cargo bench --bench micro`
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use whitering::internal::assets::{self, MediaTypes, Options, SourceDirectory};
use whitering::internal::connection::{
    BufferPool, Connection, Context, Held, Settings, Tick, http_date,
};
use whitering::internal::http::request::{Fields, Request, head_end};

/// What wrk sends.
const PLAIN: &[u8] = b"GET /a.css HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// What a browser sends.
const BROWSER: &[u8] = b"GET /a.css HTTP/1.1\r\n\
Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
Accept: text/css,*/*;q=0.1\r\n\
Accept-Language: en-GB,en;q=0.5\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Connection: keep-alive\r\n\
Referer: https://www.example.org/index.html\r\n\
Sec-Fetch-Dest: style\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Sec-Fetch-Site: same-origin\r\n\
Priority: u=2\r\n\r\n";

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, head) in [("plain", PLAIN), ("browser", BROWSER)] {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let head = black_box(head);
                let end = head_end(head, 0, 16_384, 8_192);
                let mut fields = Fields::new();
                let request = Request::parse(head, &mut fields, 8_192);
                black_box((end.is_ok(), request.is_ok()))
            });
        });
    }
    group.finish();
}

/// Received bytes in, answer out, answer sent.
fn turn(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory for the sample");
    std::fs::write(directory.path().join("a.css"), vec![b'x'; 1_024]).expect("room for it");
    let held = load(directory.path());
    let settings = Settings::default();
    let date = http_date(1_700_000_000);
    let (mut pool, mut path_scratch) = (BufferPool::new(), Vec::new());
    let mut group = criterion.benchmark_group("turn");
    for (name, request) in [
        ("plain", PLAIN.to_vec()),
        ("pipelined-16", PLAIN.repeat(16)),
    ] {
        let mut context = Context {
            held: &held,
            settings: &settings,
            now: Tick(1),
            unix_seconds: 1_700_000_000,
            date: &date,
            draining: false,
            pool: &mut pool,
            path_scratch: &mut path_scratch,
        };
        let mut connection = Connection::new(&context);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                connection.on_received(black_box(&request), &mut context);
                let loan = connection.lend();
                let count = loan.buffer.len() - loan.from;
                connection.on_sent(loan.buffer, count, &mut context);
                black_box(count)
            });
        });
    }
    group.finish();
}

fn load(directory: &Path) -> Held {
    let loaded = assets::load(&Options {
        sources: vec![SourceDirectory {
            prefix: "/".into(),
            directory: directory.into(),
        }],
        memory_budget_bytes: 1 << 20,
        file_memory_bytes_max: 1 << 20,
        max_age_seconds: Some(60),
        cors: true,
        media_types: MediaTypes::new("utf-8", &[]),
        header_rules: Vec::new(),
        index_file: None,
        immutable: None,
        not_found: None,
    });
    Rc::new(Arc::new(loaded.expect("the sample loads").snapshot))
}

criterion_group!(benches, parse, turn);
criterion_main!(benches);
