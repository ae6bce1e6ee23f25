//! A run that was never measured: many servers, a missing one, a failure, names that need
//! escaping. Its figures follow from names only, so it is always the same.

use super::super::results::{
    InstructionCount, Latency, Machine, Round, Row, Run, Scenario, Server, ServerKind,
};

/// What this run's reader must never see as markup.
pub(super) const HOSTILE: &str = "a <b>\"bold\"</b> & 'quoted' name";

/// The run.
pub(super) fn run() -> Run {
    Run {
        schema: 1,
        command: "cargo bench --bench serve -- --full --rounds 7 --seconds 3 --record".into(),
        started: "2026-11-23T19:02:11Z".into(),
        seconds: 5231.0,
        revision: "0.1.0 (aa6faf5)".into(),
        base: "nginx".into(),
        machine: machine(),
        servers: SERVERS.iter().map(server).collect(),
        scenarios: scenarios(),
        instructions: [
            ("turn/plain", 1846.0),
            ("turn/not-modified", 1712.0),
            ("turn/range", 2301.5),
        ]
        .map(|(name, per_request)| InstructionCount {
            name: name.into(),
            per_request,
        })
        .to_vec(),
        notes: vec![
            HOSTILE.into(),
            "caddy is not installed: apt-get install caddy".into(),
        ],
    }
}

fn machine() -> Machine {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Machine {
        cpu: "Intel(R) Xeon(R) Processor @ 2.60GHz".into(),
        cpu_count: 2,
        memory_bytes: 7_800_000_000,
        kernel: "Linux 6.18.5".into(),
        settings: vec![pair("net.ipv4.tcp_congestion_control", "cubic")],
        tools: vec![pair("wrk", "4.1.0"), pair("rustc", "1.95.0")],
    }
}

fn server((name, kind, _): &(&str, ServerKind, f64)) -> Server {
    let missing = *name == MISSING;
    Server {
        name: (*name).into(),
        kind: *kind,
        version: if missing {
            String::new()
        } else {
            "1.2.3".into()
        },
        command: format!("{name} --workers 1 --root SITE"),
        missing: missing.then(|| format!("not installed: apt-get install {name}")),
    }
}

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for connections in [1, 8, 64, 256, 1024] {
        let (name, title) = (
            format!("1k-c{connections}"),
            format!("1 KiB, {connections} connections"),
        );
        let work = 1.0 + 0.9 / f64::from(connections) + f64::from(connections) / 4000.0;
        scenarios.push(scenario(&name, &title, "connections", connections, work));
    }
    for (name, title, work) in [
        ("10k", "10 KiB", 1.2),
        ("100k", "100 KiB", 4.1),
        ("1m", "1 MiB", 31.0),
    ] {
        let connections = if name == "1m" { 16 } else { 64 };
        let title = format!("{title}, {connections} connections");
        scenarios.push(scenario(
            &format!("{name}-c{connections}"),
            &title,
            "sizes",
            connections,
            work,
        ));
    }
    scenarios.push(scenario("304-c64", "304 Not Modified", "requests", 64, 0.9));
    scenarios.push(scenario("head-c64", HOSTILE, "requests", 64, 0.85));
    scenarios.push(start());
    scenarios
}

fn scenario(name: &str, title: &str, group: &str, connections: u32, work: f64) -> Scenario {
    let present = SERVERS.iter().filter(|(name, ..)| *name != MISSING);
    let row = |(server, _, cost): &(&str, ServerKind, f64)| {
        // One that is behind, one that is equal; and the ring engine is not always ahead.
        let cost = match (*server, name) {
            ("hyper", "1k-c1") => 20.0,
            ("h2o", "1k-c8") => 13.2,
            ("lighttpd", "1m-c16") => 5.1,
            ("nginx", "1m-c16") => 7.6,
            ("tokio-uring", "1k-c1") => 6.7,
            _ => *cost,
        };
        let failure = *server == FAILING && name == "304-c64";
        Row {
            server: (*server).into(),
            failure: failure.then(|| "status 200 instead of 304 <html>".into()),
            rounds: (0..7)
                .map(|turn| round(server, turn, cost * work, connections))
                .collect(),
        }
    };
    Scenario {
        name: name.into(),
        title: title.into(),
        group: group.into(),
        load: "wrk".into(),
        connections,
        workers: 1,
        rate: None,
        rows: present.map(row).collect(),
    }
}

/// Nothing is asked here; it has further measurements only.
fn start() -> Scenario {
    let mut start = scenario("start-100k", "100,000 files", "start", 1, 1.0);
    for row in &mut start.rows {
        for (turn, round) in row.rounds.iter_mut().enumerate() {
            (round.request_count, round.received_bytes) = (0, 0);
            round.latency = None;
            let seconds = 0.3 + noise(&row.server, turn) * 2.0 + row.server.len() as f64 / 9.0;
            round.extra = vec![
                ("start_seconds".into(), seconds),
                ("index_bytes_per_file".into(), seconds * 400.0),
            ];
        }
    }
    start
}

fn round(server: &str, turn: usize, cost: f64, connections: u32) -> Round {
    let cpu = cost * (1.0 + noise(server, turn));
    // The load needs about 5 µs of its own CPU for each request.
    let per_request = cpu.max(5.0) * 1.08;
    let count = (3e6 / per_request).round();
    let p50 = per_request * f64::from(connections).max(2.0);
    Round {
        request_count: count as u64,
        seconds: 3.0,
        server_cpu_seconds: count * cpu / 1e6,
        load_cpu_seconds: 2.6,
        received_bytes: (count * 1270.0) as u64,
        latency: Some(Latency {
            p50,
            p90: p50 * 1.3,
            p99: p50 * (1.9 + noise(server, turn) * 9.0),
            max: p50 * 8.0,
        }),
        memory_bytes: 3_000_000 + server.len() as u64 * 900_000 + u64::from(connections) * 2048,
        extra: Vec::new(),
    }
}

/// Between 0 and 0.06, the same for the same arguments.
fn noise(server: &str, turn: usize) -> f64 {
    let mixed = server
        .bytes()
        .fold(turn + 7, |sum, byte| sum * 31 % 1009 + usize::from(byte));
    (mixed * 7919 % 1000) as f64 / 1000.0 * 0.06
}

const MISSING: &str = "caddy";
const FAILING: &str = "hyper";

/// Name, kind, and µs of CPU per request at the easiest work.
const SERVERS: [(&str, ServerKind, f64); 10] = [
    ("ring", ServerKind::Engine, 6.7),
    ("epoll", ServerKind::Engine, 7.9),
    ("floor", ServerKind::Row, 6.2),
    ("tokio-uring", ServerKind::Row, 8.4),
    ("hyper", ServerKind::Row, 11.2),
    ("nginx", ServerKind::Peer, 13.2),
    ("h2o", ServerKind::Peer, 10.1),
    ("lighttpd", ServerKind::Peer, 10.4),
    (MISSING, ServerKind::Peer, 68.0),
    ("static-web-server", ServerKind::Peer, 65.0),
];
