//! The thread of an application: starts its process, looks whether it answers, and starts it
//! again. Processes are bound to this thread: if it ends, so do they.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, at, never, select};

use super::place::{self, Place};
use super::process::Process;
use super::program::recognise;
use super::{Address, ApplicationError, Event, Exit, Listen, Options, Restart};
use crate::sys::signal::Signal;
use crate::sys::socket;

/// What the thread is told to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Relay(Signal),
    Stop,
    Kill,
}

/// One application, and the process that it is at the moment.
pub(super) struct Supervisor {
    options: Options,
    place: Place,
    /// The command with the place in it.
    command: Vec<OsString>,
    variables: Vec<(&'static str, Option<OsString>)>,
    events: Sender<Event>,
    orders: Receiver<Order>,
    /// None between two runs.
    process: Option<Process>,
    /// Whether this run has answered.
    answers: bool,
    /// When a first answer would be too late; none after it.
    silent_at: Option<Instant>,
    /// Before the next start.
    pause: Duration,
    /// Whether it is to end for good.
    stopping: bool,
    /// When whatever is left of it is killed.
    kill_at: Option<Instant>,
    /// Whether it was.
    is_killed: bool,
}

impl Supervisor {
    /// Starts the first process.
    pub(super) fn start(
        options: Options,
        events: Sender<Event>,
        orders: Receiver<Order>,
    ) -> Result<Self, ApplicationError> {
        let recognised = recognise(&options.command);
        let place = Place::choose(options.listen, &options.command, &recognised)?;
        if let (Listen::PortNumber(number), true) = (options.listen, is_listening(&place.address)) {
            return Err(ApplicationError::Taken(number));
        }
        let look_up = |name: &str| std::env::var_os(name);
        let variables = place::variables(&recognised, &place.address, look_up);
        let command = place::filled_in(&options.command, &place.address);
        let mut supervisor = Self {
            silent_at: options.wait.map(|wait| Instant::now() + wait),
            options,
            place,
            command,
            variables,
            events,
            orders,
            process: None,
            answers: false,
            pause: PAUSE_MIN,
            stopping: false,
            kill_at: None,
            is_killed: false,
        };
        supervisor.start_process()?;
        Ok(supervisor)
    }

    /// Where it was told to listen.
    pub(super) const fn address(&self) -> &Address {
        &self.place.address
    }

    /// Looks after it until it has ended for good; none if it had ended before it was to.
    pub(super) fn run(mut self) -> Option<Exit> {
        loop {
            let exit = self.run_process();
            if self.stopping {
                return exit;
            }
            if let Some(exit) = exit
                && !self.is_started_after(exit)
            {
                tracing::error!("{} {exit}", self.name());
                self.tell(Event::Ended(exit));
                return Some(exit);
            }
            self.take_a_pause(exit);
            if self.stopping {
                return None;
            }
            if let Err(error) = self.start_process() {
                tracing::error!("{error}");
            }
        }
    }

    fn start_process(&mut self) -> Result<(), ApplicationError> {
        if let Address::Unix(path) = &self.place.address {
            // What a killed one has left there would be taken for an address in use.
            let _ = fs::remove_file(path);
        }
        let process = Process::start(&self.command, &self.variables)?;
        let (name, address, id) = (self.name(), self.address(), process.id());
        tracing::info!("started {name} to listen on {address} (process {id})");
        self.process = Some(process);
        self.answers = false;
        Ok(())
    }

    /// Does what is asked until the process has ended; none if there is none.
    fn run_process(&mut self) -> Option<Exit> {
        let ended = self.process.as_ref()?.ended().clone();
        loop {
            let look = if self.answers {
                never()
            } else {
                after(LOOK_INTERVAL)
            };
            let kill = self.kill_at.map_or_else(never, at);
            select! {
                recv(ended) -> _ => break,
                recv(self.orders) -> order => self.on_order(order.unwrap_or(Order::Stop)),
                recv(look) -> _ => self.look(),
                recv(kill) -> _ => self.on_order(Order::Kill),
            }
        }
        let process = self.process.take()?;
        if process.age() >= RUN_MIN {
            self.pause = PAUSE_MIN;
        }
        let deadline = Instant::now() + self.options.stop_timeout.min(LEFT_BEHIND_MAX);
        Some(process.finish(|| {
            while let Ok(order) = self.orders.try_recv() {
                self.on_order(order);
            }
            self.is_killed || Instant::now() >= self.kill_at.unwrap_or(deadline)
        }))
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Relay(signal) => self.relay(signal),
            Order::Stop if self.stopping => {}
            Order::Stop => {
                self.stopping = true;
                self.kill_at = Some(Instant::now() + self.options.stop_timeout);
                self.end();
            }
            Order::Kill => {
                self.stopping = true;
                // Once is enough, as nobody can refuse.
                self.kill_at = None;
                self.is_killed = true;
                if let Some(process) = &self.process {
                    process.send_all(KILL);
                }
            }
        }
    }

    /// Before it answers, a signal that it will understand may still end it.
    fn relay(&self, signal: Signal) {
        let Some(process) = &self.process else {
            return;
        };
        if self.answers && recognise(&self.options.command).relays(signal) {
            process.send(signal.number());
        }
    }

    /// A program that is known ends its workers itself, and better. Of others, what was started
    /// may be a wrapper that keeps the signal for itself.
    fn end(&self) {
        let Some(process) = &self.process else {
            return;
        };
        let recognised = recognise(&self.options.command);
        if recognised.program.is_some() && recognised.is_direct {
            process.send(Signal::End.number());
        } else {
            process.send_all(Signal::End.number());
        }
    }

    fn look(&mut self) {
        if self.stopping {
            return;
        }
        if is_listening(&self.place.address) {
            tracing::debug!("{} answers", self.name());
            self.answers = true;
            self.silent_at = None;
            self.tell(Event::Answers);
        } else if self.silent_at.is_some_and(|at| Instant::now() >= at) {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.tell(Event::Silent(ApplicationError::Silent {
            program: self.name(),
            address: self.place.address.clone(),
            wait: self.options.wait.unwrap_or_default(),
        }));
        self.on_order(Order::Stop);
    }

    const fn is_started_after(&self, exit: Exit) -> bool {
        match self.options.restart {
            Restart::Never => false,
            Restart::OnFailure => !exit.is_success(),
            Restart::Always => true,
        }
    }

    /// Waits before the next start, longer each time.
    fn take_a_pause(&mut self, exit: Option<Exit>) {
        let (name, seconds) = (self.name(), self.pause.as_secs_f64());
        if let Some(exit) = exit {
            tracing::warn!("{name} {exit}; starting it again in {seconds} s");
        }
        let over = after(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        while !self.stopping {
            let silent = self.silent_at.map_or_else(never, at);
            select! {
                recv(over) -> _ => return,
                recv(self.orders) -> order => self.on_order(order.unwrap_or(Order::Stop)),
                recv(silent) -> _ => self.give_up(),
            }
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens only if the server is ending.
        let _ = self.events.send(event);
    }

    fn name(&self) -> String {
        recognise(&self.options.command).name
    }
}

/// Whether a connection can be made: servers take them before they can answer, and the kernel
/// keeps them until then.
fn is_listening(address: &Address) -> bool {
    match address {
        Address::Tcp(port) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
        }
        Address::Unix(path) => socket::is_listening(path),
    }
}

const KILL: i32 = crate::sys::child::KILL;

/// How often it is looked whether it answers.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// On this machine a connection takes no time, unless the queue is full.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// Before the next start, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What those whom it leaves behind have to end.
const LEFT_BEHIND_MAX: Duration = Duration::from_secs(5);

/// After such a run the next pause is a short one again.
const RUN_MIN: Duration = Duration::from_secs(60);
