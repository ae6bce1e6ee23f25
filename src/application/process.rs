//! One run of the application: from the start of its process to the end of its process group.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::{ApplicationError, Exit};
use crate::sys::child;

/// A process that runs, or has ended and is not yet forgotten.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    started: Instant,
    /// Tells when it has ended.
    ended: Receiver<()>,
}

impl Process {
    /// Starts `command` with `variables` added to those of this process, and those without a
    /// value taken away. It ends with the calling thread.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&'static str, Option<OsString>)],
    ) -> Result<Self, ApplicationError> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| ApplicationError::NotFound("an application".to_owned()))?;
        let mut prepared = Command::new(program);
        prepared.args(arguments);
        for (name, value) in variables {
            match value {
                Some(value) => prepared.env(name, value),
                None => prepared.env_remove(name),
            };
        }
        // In a process group of its own it is in the background: reading would stop it.
        if io::stdin().is_terminal() {
            prepared.stdin(Stdio::null());
        }
        child::separate(&mut prepared);
        let started = prepared.spawn();
        let child = started.map_err(|error| refusal(program.display().to_string(), error))?;
        Self::watch(child).map_err(ApplicationError::System)
    }

    fn watch(mut child: Child) -> io::Result<Self> {
        let (sender, ended) = bounded(1);
        let id = child.id();
        let wait = move || {
            // It fails only if there is no such child, which is an end as well.
            let _ = child::await_end(id);
            let _ = sender.send(());
        };
        let name = "application-end".to_owned();
        if let Err(error) = thread::Builder::new().name(name).spawn(wait) {
            let _ = child::send_group(id, child::KILL);
            let _ = child.wait();
            return Err(error);
        }
        Ok(Self {
            child,
            started: Instant::now(),
            ended,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long it has been running.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Tells, once, when it has ended.
    pub(super) const fn ended(&self) -> &Receiver<()> {
        &self.ended
    }

    /// Sends signal `number` to the process alone.
    pub(super) fn send(&self, number: i32) {
        // It has not been waited for; an ended one cannot be told anything.
        let _ = child::send(self.child.id(), number);
    }

    /// Sends signal `number` to the process and those it has started. Wrappers that keep signals
    /// for themselves keep nobody alive.
    pub(super) fn send_all(&self, number: i32) {
        let _ = child::send_group(self.child.id(), number);
    }

    /// How it ended, after [`Self::ended`]. Whom it has left behind in its group is ended as
    /// well, with TERM, and with KILL once the time for that `is_over`: they would keep the
    /// address.
    pub(super) fn finish(mut self, mut is_over: impl FnMut() -> bool) -> Exit {
        let id = self.child.id();
        // While it is not waited for, its number is nobody else's.
        let _ = child::send_group(id, TERM);
        let exit = self.child.wait().map_or(Exit::Code(FAILURE), exit);
        // The number of a group is not given away while it has members.
        while child::send_group(id, 0).is_ok() {
            child::forget_group(id);
            if is_over() {
                let _ = child::send_group(id, child::KILL);
                break;
            }
            thread::sleep(LEFT_BEHIND_INTERVAL);
        }
        exit
    }
}

fn exit(status: ExitStatus) -> Exit {
    let byte = |number: i32| u8::try_from(number).unwrap_or(FAILURE);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(byte(code)),
        (None, Some(number)) => Exit::Signal(byte(number)),
        (None, None) => Exit::Code(FAILURE),
    }
}

fn refusal(program: String, error: io::Error) -> ApplicationError {
    match error.kind() {
        io::ErrorKind::NotFound => ApplicationError::NotFound(program),
        io::ErrorKind::PermissionDenied => ApplicationError::NotExecutable(program),
        _ => ApplicationError::Start { program, error },
    }
}

const FAILURE: u8 = 1;
const TERM: i32 = crate::sys::signal::Signal::End.number();

/// How often it is looked whether those left behind have ended.
const LEFT_BEHIND_INTERVAL: Duration = Duration::from_millis(20);
