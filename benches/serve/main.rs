//! Measures whitering beside other servers: `cargo bench --bench serve -- --help`. The harness is
//! in `mod.rs`, so that `tests/harness.rs` can test it.
#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "the tests run in tests/harness.rs"
    )
)]

#[cfg_attr(
    test,
    allow(unused_imports, reason = "its tests are run by tests/harness.rs")
)]
#[path = "mod.rs"]
mod serve;

fn main() -> std::process::ExitCode {
    serve::main()
}
