//! The real binary over loopback: what a client, a signal or an operator meets, once per engine.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
#![allow(clippy::print_stderr, reason = "a test that cannot run here says so")]

#[macro_use]
mod support;

mod bodies;
mod certificates;
mod changing_files;
mod cli;
mod closing;
mod conditional;
mod drain;
mod fallback;
mod hand_over;
mod http2;
mod index_files;
mod limits;
mod negotiation;
mod pipelining;
mod proxying;
mod ranges;
mod release;
mod reload;
mod requests;
mod run;
mod serving;
mod slow_clients;
mod sources;
mod tls;
