//! The real ring with hard sizes, in this process: too few entries, too few buffers, too many
//! clients, clients that leave, snapshots that change, and rings dropped with work in flight.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
#![allow(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod cancelled;
#[path = "../integration/support/client.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use more of it"
)]
mod client;
mod client_side;
mod crowd;
mod dropped;
mod hand_over;
mod outlet;
mod publish;
#[path = "../integration/support/response.rs"]
#[expect(
    dead_code,
    reason = "shared with the integration tests, which use more of it"
)]
mod response;
mod site;
mod worker;
