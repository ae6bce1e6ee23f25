//! The command line of the harness. What it means is in `command`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::rows::{Kind, Options};

/// Measures whitering beside other static file servers on this machine.
///
/// Every server is started by the harness on CPU 0 and loaded from CPU 1. All that take part in a
/// scenario are checked to return the same bytes, and then measured in turns, so that a slow
/// minute of the machine hits all of them. A difference smaller than the spread is called none.
#[derive(Debug, Parser)]
#[command(name = "serve", bin_name = "cargo bench --bench serve --")]
#[command(max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) measure: Measure,

    /// What `cargo bench` passes; without it, nothing is measured.
    #[arg(long, hide = true, global = true)]
    pub(crate) bench: bool,
}

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// Every scenario with every server: about 35 minutes [default: a selection, 5 minutes].
    #[arg(long, conflicts_with = "quick")]
    pub(crate) full: bool,

    /// Two scenarios with four servers: a minute.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only scenarios whose name matches, whatever the selection; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) scenario: Vec<String>,

    /// Only this server; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,

    /// The server that the others are compared with, and whose answers are taken as right.
    #[arg(long, value_name = "NAME", default_value = "nginx")]
    pub(crate) base: String,

    /// Turns of each server; with fewer than 5, nothing is called ahead or behind.
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=101))]
    pub(crate) rounds: u32,

    /// How long one turn takes; wrk knows whole seconds only.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_seconds)]
    pub(crate) seconds: f64,

    /// Another whitering to measure beside this one, as the servers `before` and `before-epoll`.
    #[arg(long, value_name = "PATH")]
    pub(crate) before: Option<PathBuf>,

    /// What loads, where both can.
    #[arg(long, value_name = "TOOL")]
    pub(crate) load: Option<Tool>,

    /// Keep the run under `benches/runs/`, to be committed.
    #[arg(long)]
    pub(crate) record: bool,

    /// List scenarios and servers, and measure nothing.
    #[arg(long)]
    pub(crate) list: bool,

    /// Count the instructions of the pure path under valgrind, and measure nothing. A run that is
    /// kept or full has them too.
    #[arg(long)]
    pub(crate) instructions: bool,

    /// Test the harness itself: servers made slow and wrong on purpose must be found out.
    #[arg(long)]
    pub(crate) self_test: bool,
}

impl Measure {
    /// What the self test measures with.
    pub(crate) fn of_self_test() -> Self {
        Self {
            full: false,
            quick: false,
            scenario: Vec::new(),
            server: Vec::new(),
            base: "floor".to_owned(),
            rounds: 5,
            seconds: 1.0,
            before: None,
            load: None,
            record: false,
            list: false,
            instructions: false,
            self_test: true,
        }
    }
}

/// What loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// wrk, as users do.
    Wrk,
    /// The generator of this harness, on the ring.
    Ring,
    /// h2load, wherever HTTP/2 is spoken and nowhere else.
    #[value(skip)]
    H2load,
}

impl Tool {
    /// Its name in the results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Ring => "ring",
            Self::H2load => "h2load",
        }
    }
}

/// What to do instead of measuring.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the table and the page of a kept run again.
    Report {
        /// The directory with `results.json`.
        directory: PathBuf,
        /// Print the table in Markdown, as the README has it.
        #[arg(long)]
        markdown: bool,
    },
    /// Serve one of the rows, in this process.
    #[command(hide = true)]
    Row(RowArguments),
    /// Carry out the plan that standard input holds, in this process.
    #[command(hide = true)]
    Load,
    /// Do the work of a case of the pure path: what is counted under valgrind.
    #[command(hide = true)]
    Pure {
        /// Which case.
        name: String,
        /// How often.
        iterations: u64,
    },
}

/// How a row is started: [`Options`] as arguments.
#[derive(Debug, Args)]
pub(crate) struct RowArguments {
    kind: Kind,
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    root: PathBuf,
    #[arg(long, default_value_t = 1)]
    workers: usize,
    #[arg(long)]
    canned: Option<String>,
    #[arg(long, default_value_t = 0)]
    burn_microseconds: u64,
    #[arg(long)]
    corrupt: bool,
    #[arg(long)]
    fail: bool,
}

impl From<RowArguments> for Options {
    fn from(row: RowArguments) -> Self {
        Self {
            kind: row.kind,
            address: row.address,
            root: row.root,
            workers: row.workers,
            canned: row.canned,
            burn: Duration::from_micros(row.burn_microseconds),
            corrupt: row.corrupt,
            fail: row.fail,
        }
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.1 to 60".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn takes_what_cargo_bench_passes_last() {
        let check = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap();
        assert!(check("serve --bench").bench);
        assert!(check("serve report here --bench").bench);
        assert!(check("serve --quick --server ring --server nginx --bench").bench);
        assert!(!check("serve --list").bench);
    }

    #[test]
    fn a_row_is_started_with_its_options() {
        let line = "serve row tokio-uring --address 127.0.0.1:1 --root /x --burn-microseconds 7";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Some(Command::Row(row)) = arguments.command else {
            unreachable!("a row was asked for");
        };
        let options = Options::from(row);
        assert_eq!(options.kind, Kind::TokioUring);
        assert_eq!(options.burn, Duration::from_micros(7));
        assert_eq!(options.workers, 1);
    }
}
