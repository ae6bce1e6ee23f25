//! What is kept of a run: the facts of the machine, and a directory with the results, the table,
//! the page and the exact command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::report;
use super::results::{Machine, Run};

/// Version of the format of `results.json`.
pub(crate) const SCHEMA: u32 = 1;

/// Writes `run` to its directory and returns that.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep(run: &Run, record: bool) -> io::Result<PathBuf> {
    let directory = if record {
        free_directory(&package().join("benches/runs"), run)
    } else {
        super::folder().join("runs/latest")
    };
    fs::create_dir_all(&directory)?;
    let results = serde_json::to_string_pretty(run).map_err(io::Error::other)?;
    fs::write(directory.join("results.json"), results + "\n")?;
    fs::write(directory.join("command"), run.command.clone() + "\n")?;
    render(run, &directory)?;
    Ok(directory)
}

/// Reads the run that `directory` holds.
///
/// # Errors
/// If there is none that this version understands.
pub(crate) fn read(directory: &Path) -> io::Result<Run> {
    let results = fs::read_to_string(directory.join("results.json"))?;
    let run: Run = serde_json::from_str(&results).map_err(io::Error::other)?;
    if run.schema == SCHEMA {
        Ok(run)
    } else {
        Err(io::Error::other("results.json has another format"))
    }
}

/// Writes the table and the page of `run` to `directory`.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn render(run: &Run, directory: &Path) -> io::Result<()> {
    fs::write(directory.join("summary.txt"), report::table(run))?;
    fs::write(directory.join("report.html"), report::page(run))
}

/// `<date>-<machine>`, with a number if that is taken.
fn free_directory(runs: &Path, run: &Run) -> PathBuf {
    let date = run.started.split('T').next().unwrap_or_default();
    let name = format!("{date}-{}", slug(&run.machine));
    let numbered = |number: u32| match number {
        1 => runs.join(&name),
        _ => runs.join(format!("{name}-{number}")),
    };
    let mut directories = (1..).map(numbered);
    let free = directories.find(|directory| !directory.exists());
    free.unwrap_or_else(|| runs.join(name))
}

/// `AMD EPYC` with two CPUs is `amd-epyc-2cpu`.
fn slug(machine: &Machine) -> String {
    let model = machine.cpu.to_lowercase();
    let words = model.split(|character: char| !character.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && *word != "r" && *word != "tm");
    let mut parts: Vec<String> = words.take(SLUG_WORD_COUNT).map(str::to_owned).collect();
    parts.push(format!("{}cpu", machine.cpu_count));
    parts.join("-")
}

/// The facts of this machine; what cannot be read is left empty.
pub(crate) fn machine() -> Machine {
    Machine {
        cpu: after_colon("/proc/cpuinfo", "model name"),
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: memory_bytes(),
        kernel: said_by("uname", &["-sr"]),
        settings: SETTINGS.iter().filter_map(|name| setting(name)).collect(),
        tools: [
            ("wrk", first_words(&said_by("wrk", &["-v"]), 2)),
            ("h2load", said_by("h2load", &["--version"])),
            ("rustc", said_by("rustc", &["--version"])),
        ]
        .map(|(name, version)| (name.to_owned(), version))
        .into(),
    }
}

/// The version of this package and the commit it was built from.
pub(crate) fn revision() -> String {
    let directory = package().to_string_lossy();
    let arguments = ["-C", &directory, "describe", "--always", "--dirty"];
    let commit = said_by("git", &arguments);
    format!("{} ({commit})", env!("CARGO_PKG_VERSION"))
}

/// Now, in UTC, as RFC 3339 has it.
pub(crate) fn now() -> String {
    said_by("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn setting(name: &str) -> Option<(String, String)> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let value = fs::read_to_string(path).ok()?;
    Some((name.to_owned(), value.trim().to_owned()))
}

fn memory_bytes() -> u64 {
    let total = after_colon("/proc/meminfo", "MemTotal");
    let kibibytes = total.strip_suffix(" kB").and_then(|text| text.parse().ok());
    kibibytes.unwrap_or(0_u64) << 10
}

/// What the first line that begins with `name` says.
fn after_colon(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|(key, _)| key.trim() == name);
    line.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// The first line that a program says; empty if there is no such program.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or_default().trim().to_owned()
}

fn first_words(text: &str, count: usize) -> String {
    let words: Vec<&str> = text.split(' ').take(count).collect();
    words.join(" ")
}

const SLUG_WORD_COUNT: usize = 4;
const SETTINGS: [&str; 6] = [
    "net.ipv4.tcp_congestion_control",
    "net.core.somaxconn",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_wmem",
    "kernel.io_uring_disabled",
    "kernel.sched_autogroup_enabled",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn directories_are_named_for_date_and_machine() {
        let runs = tempfile::tempdir().unwrap();
        let run = run("AMD EPYC(TM) 7B13 64-Core Processor");
        let first = free_directory(runs.path(), &run);
        assert!(
            first.ends_with("2026-01-02-amd-epyc-7b13-64-2cpu"),
            "{first:?}"
        );
        fs::create_dir(&first).unwrap();
        let second = free_directory(runs.path(), &run);
        assert!(second.ends_with("2026-01-02-amd-epyc-7b13-64-2cpu-2"));
    }

    #[test]
    fn reads_what_it_wrote_and_nothing_newer() {
        let directory = tempfile::tempdir().unwrap();
        let write = |run: &Run| {
            let text = serde_json::to_string(run).unwrap();
            fs::write(directory.path().join("results.json"), text).unwrap();
        };
        let mut run = run("A");
        write(&run);
        assert_eq!(read(directory.path()).unwrap().machine.cpu, "A");
        run.schema += 1;
        write(&run);
        assert!(read(directory.path()).is_err());
    }

    #[test]
    fn knows_this_machine() {
        let machine = machine();
        assert!(machine.kernel.starts_with("Linux "));
        assert!(machine.memory_bytes > 1 << 20);
        assert_eq!(now().len(), "2026-01-02T03:04:05Z".len());
    }

    fn run(cpu: &str) -> Run {
        let cpu = cpu.to_owned();
        Run {
            schema: SCHEMA,
            command: "x".into(),
            started: "2026-01-02T03:04:05Z".into(),
            seconds: 1.0,
            revision: "1".into(),
            base: "nginx".into(),
            machine: Machine {
                cpu,
                cpu_count: 2,
                memory_bytes: 1,
                kernel: "Linux 6".into(),
                settings: Vec::new(),
                tools: Vec::new(),
            },
            servers: Vec::new(),
            scenarios: Vec::new(),
            instructions: Vec::new(),
            notes: Vec::new(),
        }
    }
}
