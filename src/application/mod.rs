//! The application server that `run` starts: its process, its first answer, and its end.
//! Knows processes and where they listen; no HTTP.

mod directory;
mod place;
mod process;
mod program;
mod supervise;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::sys::signal::Signal;
use supervise::{Order, Supervisor};

/// An application server that was started, with a thread of its own that looks after it.
/// Dropping it ends the process as [`Self::stop`] does, and waits for that.
#[derive(Debug)]
pub(crate) struct Application {
    address: Address,
    orders: Sender<Order>,
    supervisor: Option<JoinHandle<Option<Exit>>>,
    /// Loses its sender when the thread ends.
    over: Receiver<()>,
}

/// What is started, and how it is lived with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The program and its arguments; never empty.
    pub(crate) command: Vec<OsString>,
    /// How it learns where to listen.
    pub(crate) listen: Listen,
    /// How long is waited for its first answer; none: without end.
    pub(crate) wait: Option<Duration>,
    /// Whether it is started again.
    pub(crate) restart: Restart,
    /// What it has to end after TERM; then KILL.
    pub(crate) stop_timeout: Duration,
}

/// How an application learns where to listen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Listen {
    /// By what the program is known to understand, else as [`Self::Port`].
    #[default]
    Auto,
    /// `PORT` in its environment is a free one of 127.0.0.1.
    Port,
    /// `PORT` in its environment is this one.
    PortNumber(u16),
    /// The path of a Unix socket.
    Unix,
}

/// When an application that has ended is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Restart {
    /// Never.
    #[default]
    Never,
    /// If its code was not 0, or a signal ended it.
    OnFailure,
    /// Whatever it ended with.
    Always,
}

/// Where an application was told to listen; the same after each restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A port of 127.0.0.1.
    Tcp(u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// What happens to an application while nobody asks.
#[derive(Debug)]
pub(crate) enum Event {
    /// It takes connections: at first, and after each restart.
    Answers,
    /// It has ended, and is not started again. Nothing follows. Not sent after
    /// [`Application::stop`].
    Ended(Exit),
    /// It did not answer within the wait, and is being stopped. Nothing follows.
    Silent(ApplicationError),
}

/// How a process ended.
///
/// ```
/// use whitering::{ApplicationExit, StartError};
///
/// fn code(error: &StartError) -> u8 {
///     match error {
///         StartError::ApplicationEnded(ApplicationExit::Code(code)) => *code,
///         StartError::ApplicationEnded(ApplicationExit::Signal(number)) => 128 + number,
///         _ => 1,
///     }
/// }
/// assert_eq!(code(&StartError::ApplicationEnded(ApplicationExit::Signal(9))), 137);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By the signal of this number.
    Signal(u8),
}

/// Why there is no application, each one line with its remedy; all for the operator to mend.
///
/// ```
/// let error = whitering::ApplicationError::NotFound("gunicorn".to_owned());
/// assert!(error.to_string().contains("install it"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// No such program.
    #[error("cannot start {0}: there is no such program; install it, or name it with its path")]
    NotFound(String),
    /// It may not be executed.
    #[error("cannot start {0}: it may not be executed; chmod +x it, or name what runs it")]
    NotExecutable(String),
    /// Another reason of the system's.
    #[error("cannot start {program}: {error}; run it alone to see what it lacks")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// Its own arguments say where it listens.
    #[error(
        "{program} has {flag}, but is told where to listen; leave {flag} out, or write {{address}} for its value"
    )]
    ListensElsewhere {
        /// The program.
        program: &'static str,
        /// The argument.
        flag: &'static str,
    },
    /// `{port}` for a socket, `{socket}` for a port, or both.
    #[error(
        "{0} is not where the application is told to listen; write {{address}}, or mend --app-listen"
    )]
    Contradiction(&'static str),
    /// A socket for a program that would not hear of it.
    #[error(
        "{0} is not known to take a Unix socket; write {{socket}} or {{address}} in its arguments, or use --app-listen port"
    )]
    NoSocket(String),
    /// No place for a socket.
    #[error(
        "no directory for the application's socket: {0}; set TMPDIR to a writable directory, or use --app-listen port"
    )]
    Directory(io::Error),
    /// Somebody else listens where it is to.
    #[error(
        "port {0} is taken by another program, which would be asked in its place; end that, or choose another with --app-listen"
    )]
    Taken(u16),
    /// No free port, or no thread.
    #[error("cannot prepare the application: {0}; raise ulimit -n or -u")]
    System(io::Error),
    /// It does not listen where it was told to.
    #[error(
        "{program} does not listen on {address} after {} s; see --app-listen, write {{address}} in its arguments, or raise --wait",
        wait.as_secs_f64()
    )]
    Silent {
        /// The program.
        program: String,
        /// Where it was told to listen.
        address: Address,
        /// How long was waited.
        wait: Duration,
    },
}

impl Application {
    /// Starts the process and returns at once; `events` tells what becomes of it.
    ///
    /// # Errors
    /// [`ApplicationError`]: no process, thread or file is left behind.
    pub(crate) fn start(options: Options, events: Sender<Event>) -> Result<Self, ApplicationError> {
        let (orders, received) = unbounded();
        let (report, reported) = bounded(1);
        let (alive, over) = bounded(0);
        // The process is bound to the thread that starts it, so one thread starts them all.
        let supervise = move || {
            let _alive: Sender<()> = alive;
            match Supervisor::start(options, events, received) {
                Ok(supervisor) => {
                    // The receiver waits for it.
                    let _ = report.send(Ok(supervisor.address().clone()));
                    supervisor.run()
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                    None
                }
            }
        };
        let supervisor = thread::Builder::new()
            .name("application".to_owned())
            .spawn(supervise)
            .map_err(ApplicationError::System)?;
        let address = reported
            .recv()
            .expect("invariant: the thread reports before anything else")?;
        Ok(Self {
            address,
            orders,
            supervisor: Some(supervisor),
            over,
        })
    }

    /// Where it was told to listen, before and after each restart.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Passes `signal` on, if the program is known to understand it. [`Signal::End`] is not
    /// passed on: that is [`Self::stop`].
    pub(crate) fn relay(&self, signal: Signal) {
        self.order(Order::Relay(signal));
    }

    /// Ends the process: TERM, and KILL after the stop time. It is not started again.
    pub(crate) fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Ends the process now: KILL, to everything it has started.
    pub(crate) fn kill(&self) {
        self.order(Order::Kill);
    }

    /// Waits for the end of the process, which has to be coming: after [`Self::stop`],
    /// [`Event::Ended`] or [`Event::Silent`]. None if it never ran to an end of its own, as when
    /// it was stopped between two restarts, and at the second call.
    pub(crate) fn join(&mut self) -> Option<Exit> {
        // A panic of the thread has been reported by it.
        self.supervisor.take()?.join().ok().flatten()
    }

    /// Disconnected once [`Self::join`] has nothing to wait for; nothing is ever sent.
    pub(crate) const fn over(&self) -> &Receiver<()> {
        &self.over
    }

    fn order(&self, order: Order) {
        // Nobody listens only if the process has ended for good.
        let _ = self.orders.send(order);
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

impl Exit {
    /// What a shell would tell: the code, or 128 and the signal.
    pub const fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 | number,
        }
    }

    /// Whether it did what it was started for.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "ended with code {code}"),
            Self::Signal(number) => write!(formatter, "was ended by signal {number}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(formatter, "127.0.0.1:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
