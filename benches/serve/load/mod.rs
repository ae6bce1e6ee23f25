//! What asks the servers: a plan, carried out by wrk or by the generator on the ring.

pub(crate) mod generator;
pub(crate) mod h2load;
pub(crate) mod wrk;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use serde::{Deserialize, Serialize};

pub(crate) use super::arguments::Tool;
use super::results::Latency;
use super::servers::process::pinned;

/// Carries out `plan` with `tool`, in a process of its own on the CPU of the load.
///
/// # Errors
/// If the tool is missing or fails; wrong answers are in the outcome.
pub(crate) fn carry_out(plan: &Plan, tool: Tool, folder: &Path) -> io::Result<Outcome> {
    match tool {
        Tool::Wrk => wrk::carry_out(plan, folder),
        Tool::Ring => Generator::start(plan)?.outcome(),
        Tool::H2load => h2load::carry_out(plan),
    }
}

/// A plan that the generator is carrying out. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Generator {
    child: Option<Child>,
}

impl Generator {
    /// Starts `plan` and returns at once.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub(crate) fn start(plan: &Plan) -> io::Result<Self> {
        let mut command = pinned(LOAD_CPU);
        command.arg(std::env::current_exe()?).arg("load");
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.stderr(Stdio::piped()).spawn()?;
        let written = child.stdin.take().map(|mut pipe| {
            // Dropping the pipe says that the plan is whole.
            pipe.write_all(&serde_json::to_vec(plan).map_err(io::Error::other)?)
        });
        let generator = Self { child: Some(child) };
        written.transpose()?;
        Ok(generator)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it did not say what it saw.
    pub(crate) fn outcome(mut self) -> io::Result<Outcome> {
        let child = self.child.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = child.wait_with_output()?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("load: {} ({error})", said.trim()))
        })
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The CPU of the load, where servers with one worker are not.
pub(crate) const LOAD_CPU: &str = "1";

/// What is asked, and how. Written as JSON to the standard input of the load's own process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where the server listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// What is spoken there.
    pub(crate) wire: Wire,
    /// Asked in turn, each connection beginning elsewhere; the order is the caller's.
    pub(crate) requests: Vec<Ask>,
    /// Connections that ask.
    pub(crate) connections: u32,
    /// Requests on the way at once on each connection: one behind the other, or streams of HTTP/2.
    pub(crate) pipeline: u32,
    /// Whether each request has a connection of its own (`Connection: close`).
    pub(crate) close: bool,
    /// Requests per second over all connections; latency is counted from when a request was
    /// due. Without, as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// Connections that are opened first and ask once, and then only stay.
    pub(crate) idle_connections: u32,
    /// How long to measure.
    pub(crate) seconds: f64,
    /// How long to load before that.
    pub(crate) warm_up_seconds: f64,
}

/// What client and server speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wire {
    /// HTTP/1.1 over TCP.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    Http2,
}

/// The one cipher suite that loads and checks offer over TLS 1.3, so that every server uses it.
pub(crate) const CIPHER_SUITE: &str = "TLS_AES_128_GCM_SHA256";

/// One request and what has to come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// GET or HEAD.
    pub(crate) method: String,
    /// The request target.
    pub(crate) target: String,
    /// Further fields.
    pub(crate) fields: Vec<(String, String)>,
    /// The status that is right; any other is an error.
    pub(crate) status: u16,
}

/// What the load saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Right answers, received whole.
    pub(crate) request_count: u64,
    /// Wrong status, broken framing, refused or lost connections.
    pub(crate) error_count: u64,
    /// The first of them, in words.
    pub(crate) first_error: Option<String>,
    /// Bytes received, heads included.
    pub(crate) received_bytes: u64,
    /// How long it ran.
    pub(crate) seconds: f64,
    /// Response times.
    pub(crate) latency: Option<Latency>,
}
