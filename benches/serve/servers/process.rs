//! A program's processes: started on given CPUs, told to end, and never left behind. If the
//! harness dies in whatever way, the kernel tells them to end (`PR_SET_PDEATHSIG`).

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Call;

/// A program that runs, and all its descendants. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `call` on the CPUs of `cpus`; what it says goes to `log`.
    pub(super) fn start(call: &Call, cpus: &str, log: &Path) -> io::Result<Self> {
        let output = File::create(log)?;
        let mut command = pinned(cpus);
        command.args(&call.words);
        command.envs(call.variables.iter().map(|(name, value)| (name, value)));
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let log = log.to_owned();
        Ok(Self { child, log })
    }

    /// Waits until somebody listens on `port`.
    pub(super) fn wait_until_accepting(&mut self, port: u16) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + START_TIME_MAX;
        while Instant::now() < deadline {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(self.last_words(&status.to_string())));
            }
            sleep(START_PAUSE);
        }
        Err(io::Error::other(self.last_words("does not listen")))
    }

    /// The process and its descendants, as they are now.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut index = 0;
        while let Some(&pid) = tree.get(index) {
            tree.extend(children(pid));
            index += 1;
        }
        tree
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn stop(&mut self) {
        if !self.is_alive() {
            return;
        }
        let tree = self.tree();
        signal("TERM", &tree[..1]);
        let deadline = Instant::now() + STOP_TIME_MAX;
        while self.is_alive() && Instant::now() < deadline {
            sleep(STOP_PAUSE);
        }
        // Also what the first process left behind; most leave nothing.
        let left: Vec<u32> = tree.into_iter().filter(|pid| exists(*pid)).collect();
        if !left.is_empty() {
            signal("KILL", &left);
        }
        // A failure here leaves nothing to do: the signal is on its way.
        let _ = self.child.wait();
    }

    /// What happened and the end of what it said.
    fn last_words(&self, what: &str) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(LAST_LINE_COUNT).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("{what}: {}", lines.join(" | "))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A command that runs what is added on the CPUs of `cpus`, and ends when the harness does.
pub(crate) fn pinned(cpus: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--", "taskset", "-c", cpus]);
    // lighttpd with several workers ends by a signal to its whole process group.
    command.process_group(0);
    for (name, _) in std::env::vars_os() {
        // The environment of the harness configures no server.
        if name.to_string_lossy().starts_with("WHITERING_") {
            command.env_remove(name);
        }
    }
    command
}

/// The processes that any thread of `pid` has started.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads.flatten().filter_map(|thread| {
        let path = thread.path().join("children");
        fs::read_to_string(path).ok()
    });
    let parse = |list: String| -> Vec<u32> {
        let words = list.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    lists.flat_map(parse).collect()
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn signal(name: &str, pids: &[u32]) {
    let mut command = Command::new("kill");
    command.arg(format!("-{name}"));
    command.args(pids.iter().map(u32::to_string));
    // Whoever is gone already needs no signal.
    let _ = command.stderr(Stdio::null()).status();
}

/// Indexing 100,000 files takes some servers a while.
const START_TIME_MAX: Duration = Duration::from_secs(60);
const START_PAUSE: Duration = Duration::from_millis(2);
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
const STOP_PAUSE: Duration = Duration::from_millis(5);
const LAST_LINE_COUNT: usize = 5;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn ends_the_whole_tree() {
        let (process, _log) = shell("sleep 60 & wait");
        let deadline = Instant::now() + Duration::from_secs(5);
        while process.tree().len() < 2 && Instant::now() < deadline {
            sleep(STOP_PAUSE);
        }
        let tree = process.tree();
        assert_eq!(tree.len(), 2, "a shell and what it started");
        drop(process);
        assert!(!exists(tree[0]));
        // Whoever inherited the second process buries it when it comes to it.
        let stat = fs::read_to_string(format!("/proc/{}/stat", tree[1]));
        assert!(!stat.is_ok_and(|stat| stat.contains(" S ")));
    }

    #[test]
    fn a_process_that_ignores_the_signal_is_killed() {
        let (mut process, _log) = shell("trap '' TERM; while :; do sleep 0.1; done");
        sleep(Duration::from_millis(200));
        assert!(process.is_alive());
        process.stop();
        assert!(!process.is_alive());
    }

    #[test]
    fn says_why_it_did_not_start() {
        let (mut process, _log) = shell("echo no such site; exit 3");
        let error = process.wait_until_accepting(1).unwrap_err().to_string();
        assert!(error.contains("exit status: 3: no such site"), "{error}");
    }

    fn shell(script: &str) -> (Process, tempfile::NamedTempFile) {
        let words = ["sh", "-c", script].map(Into::into).into();
        let variables = Vec::new();
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = Process::start(&Call { words, variables }, "0", log.path());
        (process.unwrap(), log)
    }
}
