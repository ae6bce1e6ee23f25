//! `whitering doctor`: what this kernel offers, which engine would run and why, and every limit
//! that will bite. Asks and prints; changes nothing.

mod hints;

use serde::Serialize;
use whitering::{Engine, Kernel, Probe, SystemLimits};

use super::format::Format;
use super::{Exit, print, say_error, text};

/// Say which engine would run here and why, and which limits will bite.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How the result is written.
    #[arg(long, value_name = "FORMAT", env = "WHITERING_FORMAT", hide_env = true)]
    #[arg(default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let limits = match SystemLimits::read() {
        Ok(limits) => limits,
        Err(error) => {
            say_error(&error);
            return Exit::Failure;
        }
    };
    let report = Report::new(Kernel::read(), whitering::probe(), &limits);
    match arguments.format {
        Format::Text => print(&report.text()),
        Format::Json => print(&report.json()),
    }
}

/// All findings, named as in the JSON.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    kernel: String,
    io_uring_disabled: Option<u32>,
    engine: String,
    engine_reason: Option<String>,
    /// What applications, TLS and HTTP/2 are served on, beside the workers.
    lanes: &'static str,
    io_uring: Vec<Feature>,
    limits: Limits,
    worker_count: usize,
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Feature {
    name: &'static str,
    available: bool,
}

#[derive(Debug, Serialize)]
struct Limits {
    nofile_soft: Option<u64>,
    nofile_hard: Option<u64>,
    memlock_soft_bytes: Option<u64>,
    memlock_hard_bytes: Option<u64>,
    somaxconn: Option<u64>,
    cpus: Vec<usize>,
    cgroup_cpu_millis: Option<u64>,
    cgroup_memory_bytes: Option<u64>,
    memory_bytes: Option<u64>,
}

impl Report {
    fn new(kernel: Kernel, probe: Probe, limits: &SystemLimits) -> Self {
        let feature = |(name, available)| Feature { name, available };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            hints: hints::hints(&kernel, limits),
            kernel: kernel.release,
            io_uring_disabled: kernel.io_uring_disabled,
            lanes: match probe.engine {
                Engine::Uring => "tokio-uring",
                Engine::Epoll => "tokio",
            },
            engine: probe.engine.to_string(),
            engine_reason: probe.reason,
            io_uring: probe.features.into_iter().map(feature).collect(),
            worker_count: limits.usable_cpu_count(),
            limits: Limits {
                nofile_soft: limits.descriptors.soft,
                nofile_hard: limits.descriptors.hard,
                memlock_soft_bytes: limits.locked_memory.soft,
                memlock_hard_bytes: limits.locked_memory.hard,
                somaxconn: limits.accept_queue_max,
                cpus: limits.cpus.clone(),
                cgroup_cpu_millis: limits.cgroup_cpu_millis,
                cgroup_memory_bytes: limits.cgroup_memory_bytes,
                memory_bytes: limits.memory_bytes,
            },
        }
    }

    fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("invariant: the report has only named fields") + "\n"
    }

    fn text(&self) -> String {
        let mut parts = vec![format!("system\n{}", section(self.summary()))];
        let features = self.io_uring.iter().map(Feature::row).collect();
        parts.push(format!("io_uring\n{}", section(features)));
        parts.push(format!("limits\n{}", section(self.limits.rows())));
        if !self.hints.is_empty() {
            let hints: Vec<_> = self.hints.iter().map(|hint| wrap(hint)).collect();
            parts.push(format!("hints\n{}", hints.concat()));
        }
        parts.join("\n")
    }

    fn summary(&self) -> Vec<Row> {
        let engine = match &self.engine_reason {
            Some(reason) => format!("{}, because {reason}", self.engine),
            None => self.engine.clone(),
        };
        let mut rows = vec![
            ("whitering", self.version.to_owned()),
            ("kernel", self.kernel.clone()),
        ];
        if let Some(disabled) = self.io_uring_disabled {
            rows.push(("kernel.io_uring_disabled", disabled.to_string()));
        }
        rows.push(("engine", engine));
        rows.push(("lanes", self.lanes.to_owned()));
        rows.push(("workers", self.worker_count.to_string()));
        rows
    }
}

impl Feature {
    fn row(&self) -> Row {
        let available = if self.available { "yes" } else { "no" };
        (self.name, available.to_owned())
    }
}

impl Limits {
    fn rows(&self) -> Vec<Row> {
        let pair = |soft, hard, text: fn(u64) -> String| {
            let [soft, hard] = [soft, hard].map(|limit| text::or_unlimited(limit, text));
            format!("{soft} (at most {hard})")
        };
        let known = |number: Option<u64>, text: fn(u64) -> String| {
            number.map_or_else(|| "unknown".to_owned(), text)
        };
        let descriptors = pair(self.nofile_soft, self.nofile_hard, |number| {
            number.to_string()
        });
        let locked = pair(
            self.memlock_soft_bytes,
            self.memlock_hard_bytes,
            text::bytes,
        );
        let cpu_time = text::or_unlimited(self.cgroup_cpu_millis, text::cpus);
        vec![
            ("RLIMIT_NOFILE", descriptors),
            ("RLIMIT_MEMLOCK", locked),
            (
                "net.core.somaxconn",
                known(self.somaxconn, |number| number.to_string()),
            ),
            ("CPUs", text::ranges(&self.cpus)),
            ("cgroup CPU time", cpu_time),
            (
                "cgroup memory",
                text::or_unlimited(self.cgroup_memory_bytes, text::bytes),
            ),
            ("memory", known(self.memory_bytes, text::bytes)),
        ]
    }
}

/// A name and its value.
type Row = (&'static str, String);

fn section(rows: Vec<Row>) -> String {
    rows.into_iter()
        .map(|(name, value)| format!("  {name:<NAME_WIDTH$} {value}\n"))
        .collect()
}

/// A list item of lines that fit a terminal.
fn wrap(text: &str) -> String {
    let mut item = String::from("  -");
    let mut column = item.len();
    for word in text.split(' ') {
        if column + 1 + word.len() > LINE_WIDTH {
            item.push_str("\n   ");
            column = 3;
        }
        item.push(' ');
        item.push_str(word);
        column += 1 + word.chars().count();
    }
    item.push('\n');
    item
}

const NAME_WIDTH: usize = 24;
const LINE_WIDTH: usize = 90;

#[cfg(test)]
mod tests {
    use super::*;
    use whitering::ResourceLimit;

    fn report() -> Report {
        let limits = SystemLimits {
            descriptors: ResourceLimit {
                soft: Some(1_024),
                hard: None,
            },
            locked_memory: ResourceLimit {
                soft: Some(8 << 20),
                hard: Some(8 << 20),
            },
            accept_queue_max: Some(128),
            cpus: vec![0, 1, 3],
            cgroup_cpu_millis: Some(1_500),
            cgroup_memory_bytes: None,
            memory_bytes: Some(4 << 30),
        };
        let kernel = Kernel {
            release: "6.12.1".to_owned(),
            io_uring_disabled: Some(0),
        };
        let probe = Probe {
            engine: Engine::Epoll,
            reason: Some("io_uring_setup answers EPERM".to_owned()),
            features: vec![("multishot receive", true), ("send_zc", false)],
        };
        Report::new(kernel, probe, &limits)
    }

    #[test]
    fn prints_text() {
        let text = report().text();
        let (facts, hints) = text.split_once("\nhints\n").unwrap();
        assert_eq!(
            facts.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            "\
system
  whitering                VERSION
  kernel                   6.12.1
  kernel.io_uring_disabled 0
  engine                   epoll, because io_uring_setup answers EPERM
  lanes                    tokio
  workers                  2

io_uring
  multishot receive        yes
  send_zc                  no

limits
  RLIMIT_NOFILE            1024 (at most unlimited)
  RLIMIT_MEMLOCK           8 MiB (at most 8 MiB)
  net.core.somaxconn       128
  CPUs                     0-1,3
  cgroup CPU time          1.5 CPUs
  cgroup memory            unlimited
  memory                   4 GiB
"
        );
        assert!(hints.starts_with("  - "), "{hints}");
        assert!(
            hints.lines().all(|line| line.len() <= LINE_WIDTH),
            "{hints}"
        );
    }

    #[test]
    fn prints_json() {
        let value: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(value["engine"], "epoll");
        assert_eq!(value["lanes"], "tokio");
        assert_eq!(value["io_uring"][1]["name"], "send_zc");
        assert_eq!(value["io_uring"][1]["available"], false);
        assert_eq!(value["limits"]["nofile_soft"], 1_024);
        assert_eq!(value["limits"]["nofile_hard"], serde_json::Value::Null);
        assert_eq!(value["worker_count"], 2);
    }
}
