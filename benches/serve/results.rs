//! What a run found, as it is kept in `results.json`. Measurements only: medians, spreads and
//! verdicts are derived from them in `statistics`.

use serde::{Deserialize, Serialize};

/// One call of the harness.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Version of this format.
    pub(crate) schema: u32,
    /// The exact command, as it can be typed again.
    pub(crate) command: String,
    /// When it began, RFC 3339 in UTC.
    pub(crate) started: String,
    /// How long it took.
    pub(crate) seconds: f64,
    /// The version of this package and the commit it was built from.
    pub(crate) revision: String,
    /// [`Server::name`] of the one that the others are compared with.
    #[serde(default)]
    pub(crate) base: String,
    /// Where.
    pub(crate) machine: Machine,
    /// What was measured, in the order of the report.
    pub(crate) servers: Vec<Server>,
    /// What each scenario found.
    pub(crate) scenarios: Vec<Scenario>,
    /// Instructions of the pure path for one request; these repeat exactly.
    pub(crate) instructions: Vec<InstructionCount>,
    /// What a reader has to know, such as a peer that is not installed.
    pub(crate) notes: Vec<String>,
}

/// The machine, without its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// `model name` of `/proc/cpuinfo`.
    pub(crate) cpu: String,
    /// CPUs that may be used.
    pub(crate) cpu_count: usize,
    /// `MemTotal`.
    pub(crate) memory_bytes: u64,
    /// `uname -sr`.
    pub(crate) kernel: String,
    /// `net.ipv4.tcp_congestion_control`, and whatever else moves the figures.
    pub(crate) settings: Vec<(String, String)>,
    /// Versions of the tools: wrk, rustc.
    pub(crate) tools: Vec<(String, String)>,
}

/// A server that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Its name in the results, such as `ring` or `nginx`.
    pub(crate) name: String,
    /// What kind.
    pub(crate) kind: ServerKind,
    /// Its version, empty if it is missing.
    pub(crate) version: String,
    /// How it was started.
    pub(crate) command: String,
    /// Why it was not measured, with the remedy: `not installed: apt-get install h2o`.
    pub(crate) missing: Option<String>,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServerKind {
    /// One of whitering's engines.
    Engine,
    /// Written for comparison, in this harness: floor, tokio-uring, hyper.
    Row,
    /// Somebody else's program.
    Peer,
}

/// One kind of work, and every server at it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// Short and stable: `1k-c64`.
    pub(crate) name: String,
    /// For people: `1 KiB, 64 connections`.
    pub(crate) title: String,
    /// Which plots it belongs to: `sizes`, `connections`, `requests`, `mixed`, `latency`, …
    pub(crate) group: String,
    /// The load: `wrk` or `ring`.
    pub(crate) load: String,
    /// Connections of the load.
    pub(crate) connections: u32,
    /// Workers of each server.
    pub(crate) workers: u32,
    /// What was asked for, per second, if it was not as fast as can be.
    pub(crate) rate: Option<f64>,
    /// What its rows say, in the order of [`Run::servers`].
    pub(crate) rows: Vec<Row>,
}

/// One server at one scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// [`Server::name`].
    pub(crate) server: String,
    /// Why there is no result: wrong bytes, errors, not supported. The rounds may be empty.
    pub(crate) failure: Option<String>,
    /// The measurements; round `n` of every server was taken within the same minute.
    pub(crate) rounds: Vec<Round>,
}

/// One server under load once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Answers received whole.
    pub(crate) request_count: u64,
    /// How long the load ran.
    pub(crate) seconds: f64,
    /// User and system time of the whole server, every thread and child process.
    pub(crate) server_cpu_seconds: f64,
    /// The same of the load; near `seconds`, the load was the limit.
    pub(crate) load_cpu_seconds: f64,
    /// Bytes received, heads included.
    pub(crate) received_bytes: u64,
    /// From request to the last byte of the answer.
    pub(crate) latency: Option<Latency>,
    /// Proportional set size of the server afterwards.
    pub(crate) memory_bytes: u64,
    /// What else the scenario measures, by name with its unit: `start_seconds`,
    /// `idle_connection_bytes`, `hot_p99_microseconds`.
    pub(crate) extra: Vec<(String, f64)>,
}

/// Response times in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half were no slower.
    pub(crate) p50: f64,
    /// Nine of ten were no slower.
    pub(crate) p90: f64,
    /// 99 of 100 were no slower.
    pub(crate) p99: f64,
    /// The slowest.
    pub(crate) max: f64,
}

/// Instructions of one request on the pure path, counted by callgrind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InstructionCount {
    /// What was counted: `turn/plain`.
    pub(crate) name: String,
    /// Instructions for each request.
    pub(crate) per_request: f64,
}
