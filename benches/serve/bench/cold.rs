//! A turn beside someone who fetches files that no cache holds: a slow disk must not make the
//! others wait. The hot load has a fixed rate, so that a stall is seen by all it should have
//! answered.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::check;
use super::super::load::Ask;
use super::super::results::Round;
use super::super::scenarios::{Definition, Prepared};
use super::Bench;
use super::lane::Lane;

pub(super) fn turn(
    bench: &Bench<'_>,
    definition: &Definition,
    prepared: &Prepared,
    lane: &Lane,
) -> Result<Round, String> {
    let alone = bench.load(definition, lane, &lane.plan)?;
    let done = AtomicBool::new(false);
    let (round, fetched) = thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch(lane.plan.port, prepared, &done));
        let round = bench.load(definition, lane, &lane.plan);
        done.store(true, Ordering::Relaxed);
        (round, fetching.join())
    });
    let mut round = round?;
    let fetched = fetched.map_err(|_| "the cold load failed")??;
    let p99 = |round: &Round| round.latency.map_or(f64::NAN, |latency| latency.p99);
    let (without, beside) = (p99(&alone), p99(&round));
    round.extra = vec![
        ("hot_p99_alone_microseconds".to_owned(), without),
        ("hot_p99_microseconds".to_owned(), beside),
        ("hot_p99_ratio".to_owned(), beside / without),
        ("cold_fetch_count".to_owned(), fetched as f64),
    ];
    Ok(round)
}

/// Fetches one file after the other, each dropped from the page cache first; returns how many.
fn fetch(port: u16, prepared: &Prepared, done: &AtomicBool) -> Result<usize, String> {
    let mut count = 0;
    for target in prepared.cold.iter().cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        drop_from_cache(&prepared.root.join(target.trim_start_matches('/')))?;
        let ask = Ask {
            method: "GET".to_owned(),
            target: target.clone(),
            fields: Vec::new(),
            status: 200,
        };
        let answer = check::ask(port, &ask, false).map_err(|error| format!("{target}: {error}"))?;
        if answer.status != ask.status {
            return Err(format!("{target}: status {}", answer.status));
        }
        count += 1;
    }
    Ok(count)
}

/// `posix_fadvise(2)` with `POSIX_FADV_DONTNEED`, which dd calls for `nocache` with no blocks.
fn drop_from_cache(path: &Path) -> Result<(), String> {
    let mut command = Command::new("dd");
    command.args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
    command.arg("status=none").arg("if=/dev/null");
    let mut output = std::ffi::OsString::from("of=");
    output.push(path);
    let status = command.arg(output).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("dd could not drop {}", path.display())),
    }
}
