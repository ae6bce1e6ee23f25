//! The application server that is started with the server: it answers before the listeners are
//! opened, and is stopped after the last answer.

use crossbeam_channel::{Receiver, never, select, unbounded};

use super::StartError;
use crate::application::{self, Address, Application, Event, Listen, Restart};
use crate::config::{self, Bind};
use crate::fallback::proxy;
use crate::sys::signal::Signal;
use crate::sys::socket;

/// An application server, and what happens to it. Dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) application: Application,
    pub(super) events: Receiver<Event>,
    signals: Receiver<Signal>,
    waits: bool,
}

impl Hosted {
    /// Starts it; `signals` are heard whenever it is waited for.
    pub(super) fn start<'a>(
        config: &config::Application,
        binds: impl Iterator<Item = &'a Bind>,
        signals: &Receiver<Signal>,
    ) -> Result<Self, StartError> {
        let (sender, events) = unbounded();
        keep_listeners(binds);
        let application = Application::start(options(config), sender)?;
        Ok(Self {
            application,
            events,
            signals: signals.clone(),
            waits: config.wait.is_some(),
        })
    }

    /// Where requests for it go.
    pub(super) fn address(&self) -> proxy::Address {
        match self.application.address() {
            Address::Tcp(port) => proxy::Address::Tcp("127.0.0.1".to_owned(), *port),
            Address::Unix(path) => proxy::Address::Unix(path.clone()),
        }
    }

    /// Waits for its first answer, if that is configured.
    pub(super) fn wait(&self) -> Result<(), StartError> {
        if !self.waits {
            return Ok(());
        }
        let mut signals = self.signals.clone();
        loop {
            select! {
                recv(self.events) -> event => match event {
                    Ok(Event::Answers) => return Ok(()),
                    Ok(Event::Silent(error)) => return Err(error.into()),
                    Ok(Event::Ended(exit)) => return Err(StartError::ApplicationEnded(exit)),
                    Err(_) => return Err(StartError::Interrupted),
                },
                recv(signals) -> signal => match signal {
                    Ok(Signal::End) => return Err(StartError::Interrupted),
                    Ok(signal) => self.application.relay(signal),
                    Err(_) => signals = never(),
                },
            }
        }
    }

    /// Ends it with TERM, and with KILL after its time for that or at the next signal that ends.
    pub(super) fn stop(&mut self) {
        self.application.stop();
        let (mut signals, over) = (self.signals.clone(), self.application.over().clone());
        loop {
            select! {
                recv(over) -> _ => break,
                recv(signals) -> signal => match signal {
                    Ok(Signal::End) => {
                        tracing::info!("stopping the application now");
                        self.application.kill();
                    }
                    Ok(_) => {}
                    Err(_) => signals = never(),
                },
            }
        }
        self.application.join();
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Those that this process was started with, but for the standard streams: a program expects them.
fn keep_listeners<'a>(binds: impl Iterator<Item = &'a Bind>) {
    for bind in binds {
        if let Bind::Fd(number @ 3..) = bind {
            // If it is no descriptor, listening says so.
            let _ = socket::keep_from_children(*number);
        }
    }
}

fn options(config: &config::Application) -> application::Options {
    application::Options {
        command: config.command.clone(),
        listen: match config.listen {
            config::AppListen::Auto => Listen::Auto,
            config::AppListen::Port => Listen::Port,
            config::AppListen::PortNumber(number) => Listen::PortNumber(number),
            config::AppListen::Unix => Listen::Unix,
        },
        wait: config.wait,
        restart: match config.restart {
            config::Restart::Never => Restart::Never,
            config::Restart::OnFailure => Restart::OnFailure,
            config::Restart::Always => Restart::Always,
        },
        stop_timeout: config.stop_timeout,
    }
}
