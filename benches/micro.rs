//! The pure parts alone, timed: what a request costs before any system call.
//! `cargo bench --bench micro`; the same work is counted in instructions, which repeat exactly,
//! by `cargo bench --bench serve -- --instructions`.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

#[cfg_attr(
    test,
    allow(unused_imports, reason = "its tests are run by tests/harness.rs")
)]
#[path = "serve/pure/mod.rs"]
mod pure;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for case in pure::cases() {
        let (group, name) = case.name.split_once('/').unwrap_or(("", case.name));
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(case.request_count.into()));
        group.bench_function(name, |bencher| {
            let mut work = case.prepare();
            bencher.iter(&mut work);
        });
        group.finish();
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
