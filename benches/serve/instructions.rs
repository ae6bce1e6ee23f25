//! Instructions of the pure path for one request, counted by callgrind. They repeat exactly, so
//! a change shows on a machine whose clock is useless. It does not say how long they take.
//!
//! A process runs a case a number of times, another one twice as often; what the second has more
//! is the work alone, without start and preparation.

use std::fmt::Write;
use std::io::ErrorKind;
use std::process::Command;

use super::pure::{Case, cases};
use super::results::InstructionCount;

/// Counts every case in processes of their own: this program under valgrind, as
/// `pure NAME ITERATIONS`.
///
/// # Errors
/// In words, if valgrind is missing or does not count.
pub(crate) fn count() -> Result<Vec<InstructionCount>, String> {
    cases().iter().map(count_case).collect()
}

/// Does the work of a case: what the processes under valgrind are for.
///
/// # Errors
/// If there is no such case.
pub(crate) fn run_case(name: &str, iterations: u64) -> Result<(), String> {
    let case = cases()
        .into_iter()
        .find(|case| case.name == name)
        .ok_or_else(|| format!("no such case: {name}"))?;
    let mut work = case.prepare();
    for _ in 0..iterations {
        work();
    }
    Ok(())
}

/// A table for the terminal.
pub(crate) fn table(counts: &[InstructionCount]) -> String {
    let width = counts.iter().map(|count| count.name.len()).max();
    let width = width.unwrap_or_default();
    let mut table = String::from("instructions per request\n");
    for InstructionCount { name, per_request } in counts {
        // Writing to a string does not fail.
        let _ = writeln!(table, "  {name:width$} {per_request:9.1}");
    }
    table
}

fn count_case(case: &Case) -> Result<InstructionCount, String> {
    let once = run_under_valgrind(case.name, ITERATIONS)?;
    let twice = run_under_valgrind(case.name, 2 * ITERATIONS)?;
    Ok(InstructionCount {
        name: case.name.to_owned(),
        per_request: per_request(once, twice, case.request_count),
    })
}

fn per_request(once: u64, twice: u64, request_count: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let instructions = twice.saturating_sub(once) as f64;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let iterations = ITERATIONS as f64;
    instructions / iterations / f64::from(request_count)
}

/// The instructions of a whole process.
fn run_under_valgrind(name: &str, iterations: u64) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["pure", name, &iterations.to_string()])
        // The environment is on the stack, and moves it.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => "not installed: apt-get install valgrind".to_owned(),
            _ => format!("valgrind: {error}"),
        })?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind, {}: {text}", output.status));
    }
    collected(&text).ok_or_else(|| format!("valgrind does not say how many: {text}"))
}

/// The sum in what callgrind says at its end: `==1== Collected : 123`.
fn collected(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once("Collected : ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Enough that what happens now and then, such as a buffer that grows, does not count.
const ITERATIONS: u64 = 1_000;

/// The same number of digits, so that the arguments are as long.
const _: () = assert!(ITERATIONS.ilog10() == (2 * ITERATIONS).ilog10());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_callgrind_says() {
        let check = |text, expected| assert_eq!(collected(text), expected, "{text}");
        check(
            "==7== Events    : Ir\n==7== Collected : 1500\n==7==",
            Some(1500),
        );
        check("==7== Collected : \n", None);
        check("valgrind: not found", None);
    }

    #[test]
    fn leaves_out_what_both_processes_do() {
        let check = |once, twice, count, expected: f64| {
            let found = per_request(once, twice, count);
            assert!((found - expected).abs() < 1e-9, "{found}");
        };
        check(500_000 + 3_000_000, 500_000 + 6_000_000, 1, 3_000.0);
        check(500_000 + 3_200_000, 500_000 + 6_400_000, 16, 200.0);
    }

    #[test]
    fn runs_only_what_there_is() {
        assert!(run_case("turn/plain", 2).is_ok());
        assert!(run_case("turn/none", 2).is_err());
    }

    #[test]
    fn tables_have_one_line_for_each() {
        let counts = [("a/b", 12.0), ("a/long", 1_234.5)].map(|(name, per_request)| {
            let name = name.to_owned();
            InstructionCount { name, per_request }
        });
        let expected = "instructions per request\n  a/b         12.0\n  a/long    1234.5\n";
        assert_eq!(table(&counts), expected);
    }
}
