//! Seeded simulations: one connection between a scripted peer and a hostile socket, and the ring
//! engine on a ring that delays, reorders and fails. The same seed does the same again.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod buffers;
mod connection;
mod engine;
mod handing;
mod kernel;
mod model;
mod network;
mod opened;
mod operation;
mod others;
mod peer;
mod prng;
mod reader;
mod regressions;
mod request;
mod script;
mod seeds;
mod site;
mod watchdog;
mod world;

use peer::HANDED_OVER;

#[test]
fn a_connection_keeps_its_promises() {
    let statuses = [
        HANDED_OVER,
        100,
        200,
        204,
        206,
        302,
        304,
        400,
        404,
        405,
        408,
        412,
        413,
        414,
        416,
        417,
        431,
        501,
        503,
        505,
    ];
    seeds::run(32_000, connection::run, &statuses);
}

#[test]
fn the_ring_engine_keeps_its_promises() {
    let statuses = [
        HANDED_OVER,
        100,
        200,
        204,
        206,
        302,
        304,
        400,
        404,
        405,
        408,
        412,
        416,
        431,
        503,
    ];
    seeds::run(8_000, engine::run, &statuses);
}

#[test]
fn a_completion_delivered_twice_is_noticed() {
    seeds::fail(50, engine::run_with_a_doubled_completion);
}
