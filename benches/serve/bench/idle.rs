//! A turn beside connections that asked once and then say nothing: what each costs in memory, and
//! what all of them cost the load.

use std::collections::HashSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::load::{Generator, Plan};
use super::super::measure::memory;
use super::super::results::Round;
use super::super::scenarios::{Definition, IDLE_CONNECTION_COUNT, Prepared};
use super::Bench;
use super::lane::Lane;

pub(super) fn turn(
    bench: &Bench<'_>,
    definition: &Definition,
    prepared: &Prepared,
    lane: &mut Lane,
) -> Result<Round, String> {
    // Anew: memory that earlier connections have left behind would be used for these.
    lane.restart(bench, definition, prepared)?;
    let warm_up = Plan {
        seconds: WARM_UP_SECONDS,
        ..lane.plan.clone()
    };
    bench.load(definition, lane, &warm_up)?;
    let server = lane.running.as_ref().ok_or("it does not run")?;
    let before = memory::proportional_bytes(&server.process.tree());
    let holder = Generator::start(&holding(&lane.plan)).map_err(|error| error.to_string())?;
    wait_until_connected(server.port)?;
    let with = memory::proportional_bytes(&server.process.tree());
    let mut round = bench.load(definition, lane, &lane.plan)?;
    let connected = established_count(server.port);
    if connected < IDLE_CONNECTION_COUNT as usize {
        return Err(format!("only {connected} connections stayed open"));
    }
    drop(holder);
    wait_until_gone(server.port);
    let each = with.saturating_sub(before) as f64 / f64::from(IDLE_CONNECTION_COUNT);
    round.extra.push(("idle_connection_bytes".to_owned(), each));
    Ok(round)
}

/// Opens the idle connections and stays; one more asks once a second.
fn holding(plan: &Plan) -> Plan {
    Plan {
        connections: 1,
        pipeline: 1,
        rate: Some(1.0),
        idle_connections: IDLE_CONNECTION_COUNT,
        seconds: HOLD_SECONDS,
        ..plan.clone()
    }
}

fn wait_until_connected(port: u16) -> Result<(), String> {
    let deadline = Instant::now() + CONNECT_TIME_MAX;
    while established_count(port) < IDLE_CONNECTION_COUNT as usize {
        if Instant::now() > deadline {
            let count = established_count(port);
            return Err(format!("only {count} idle connections could be opened"));
        }
        sleep(PAUSE);
    }
    // Each of them still asks once.
    sleep(SETTLE_TIME);
    Ok(())
}

fn wait_until_gone(port: u16) {
    let deadline = Instant::now() + CONNECT_TIME_MAX;
    while established_count(port) > 0 && Instant::now() < deadline {
        sleep(PAUSE);
    }
}

/// Connections to `port` that are open, seen from the server's side.
fn established_count(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    // The fields are: number, local address, remote address, state. A table that changes while it
    // is read has lines twice.
    let established = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (at, from, state) = (words.next()?, words.next()?, words.next()?);
        (at == local && state == "01").then_some(from)
    });
    established.collect::<HashSet<_>>().len()
}

const WARM_UP_SECONDS: f64 = 0.2;
const HOLD_SECONDS: f64 = 120.0;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
const SETTLE_TIME: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn counts_connections_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(established_count(address.port()), 0);
        let clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
        assert_eq!(established_count(address.port()), clients.len());
    }
}
