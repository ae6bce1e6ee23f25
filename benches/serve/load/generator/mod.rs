//! The load generator on the ring: for what wrk cannot do, and cheap enough not to be the limit.
//! One thread, one ring; here are the phases of a run, `exchange` has the operations.
//!
//! Loopback has 28,232 ports per source address by default, and a port whose connection the
//! client has closed is taken for a minute. So connections come from several addresses of
//! 127.0.0.0/8, those that stay end with a reset once nothing is measured any more, and with a
//! connection for each request the server closes first, as it was asked to.

mod answer;
mod client;
mod exchange;
mod request;
mod schedule;
mod tally;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use whitering::internal::sys::limits::raise_descriptors;
use whitering::internal::sys::socket::reset_on_close;
use whitering::internal::sys::uring::{Ring, Sizes, probe};

use super::{Outcome, Plan};
use client::Client;
use request::Request;
use schedule::Schedule;
use tally::Tally;

/// What happens in a run, for whoever reads other clocks beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The warm-up is over: what comes now counts.
    Begin,
    /// What comes now does not count any more.
    End,
}

/// Carries out `plan` in this thread.
///
/// # Errors
/// If the ring or the connections cannot be made.
pub(crate) fn run(plan: &Plan) -> io::Result<Outcome> {
    run_observed(plan, |_| {})
}

/// Carries out `plan` in this thread, and calls `observe` when measuring begins and ends.
///
/// # Errors
/// If the ring or the connections cannot be made.
pub(crate) fn run_observed(plan: &Plan, mut observe: impl FnMut(Moment)) -> io::Result<Outcome> {
    check(plan)?;
    if plan.rate.is_some() {
        sharpen_timers();
    }
    let mut load = Load::new(plan)?;
    load.set_up()?;
    load.start();
    let begin = load.now + duration(plan.warm_up_seconds);
    load.run_until(begin)?;
    observe(Moment::Begin);
    load.now = Instant::now();
    load.tally.begin(load.now);
    let end = load.now + duration(plan.seconds);
    load.run_until(end)?;
    observe(Moment::End);
    load.finish();
    Ok(load.tally.outcome(load.now))
}

/// Everything of one run.
struct Load<'a> {
    plan: &'a Plan,
    requests: Vec<Request>,
    /// Those that ask, then those that only stay.
    clients: Vec<Client>,
    ring: Ring,
    tally: Tally,
    /// At a fixed rate, from the start of the warm-up on.
    schedule: Option<Schedule>,
    /// When the completions that are looked at were taken.
    now: Instant,
    /// Clients without an error, of those that ask.
    alive_count: usize,
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan) -> io::Result<Self> {
        let features = probe()?;
        if let Some(missing) = features.missing() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, missing));
        }
        let render = |ask| Request::render(ask, plan.port, plan.close);
        let (count, asking) = (plan.requests.len(), plan.connections as usize);
        // Those that ask begin evenly spread over the requests.
        let first = |index: usize| (index * count / asking + index / count) % count;
        let now = Instant::now();
        Ok(Self {
            plan,
            requests: plan.requests.iter().map(render).collect(),
            clients: (0..asking + plan.idle_connections as usize)
                .map(|index| Client::new(first(index), now))
                .collect(),
            ring: Ring::new(&features, sizes(plan))?,
            tally: Tally::new(),
            schedule: None,
            now,
            alive_count: asking,
        })
    }

    /// Opens all connections that stay, the idle ones first. Each asks once: then it is the
    /// server's too, and not only in its queue.
    fn set_up(&mut self) -> io::Result<()> {
        let (asking, all) = (self.plan.connections as usize, self.clients.len());
        let idle: Vec<_> = (asking..all).collect();
        let staying: Vec<_> = (0..asking).filter(|_| !self.plan.close).collect();
        let deadline = Instant::now() + SET_UP_TIMEOUT;
        for some in idle
            .chunks(OPENED_AT_ONCE)
            .chain(staying.chunks(OPENED_AT_ONCE))
        {
            for index in some {
                self.clients[*index].allowed_count = 1;
                self.clients[*index].set_up_count = 1;
                self.advance(*index);
            }
            let is_open = |client: &Client| client.answered_count() > 0 || client.has_failed;
            while !some.iter().all(|index| is_open(&self.clients[*index])) {
                if Instant::now() >= deadline {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "not all connections got their first answer",
                    ));
                }
                self.turn(deadline)?;
            }
        }
        Ok(())
    }

    /// Begins to ask.
    fn start(&mut self) {
        self.now = Instant::now();
        let asking = self.plan.connections;
        if let Some(rate) = self.plan.rate {
            self.schedule = Some(Schedule::new(self.now, rate, u64::from(asking)));
            return;
        }
        for index in 0..asking as usize {
            self.clients[index].allowed_count = u64::MAX;
            self.advance(index);
        }
    }

    /// Asks and takes answers until `end`, or until nobody is left who asks.
    fn run_until(&mut self, end: Instant) -> io::Result<()> {
        while self.alive_count > 0 {
            let wake = self.ask_what_is_due().map_or(end, |next| next.min(end));
            self.turn(wake)?;
            if self.now >= end {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lets every client ask whose next request is due; returns when the next one will be.
    fn ask_what_is_due(&mut self) -> Option<Instant> {
        loop {
            let schedule = self.schedule.as_mut()?;
            let Some(index) = schedule.take_due(self.now) else {
                return Some(schedule.next());
            };
            self.clients[index].allowed_count += 1;
            self.advance(index);
        }
    }

    /// Waits for something to happen, until `wake`, and goes on with it.
    fn turn(&mut self, wake: Instant) -> io::Result<()> {
        self.ring.enter_until(wake)?;
        self.now = Instant::now();
        while let Some(completion) = self.ring.complete() {
            self.on_completion(completion);
        }
        Ok(())
    }

    /// Looks at what was not answered, and ends all connections.
    fn finish(&mut self) {
        let silence_max = duration(self.plan.seconds).min(SILENCE_MAX);
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(schedule) = &self.schedule {
                // These have waited so long at least; leaving them out would favour a server
                // that is too slow.
                let first = client.answered_count().max(client.set_up_count);
                for due in first..client.allowed_count {
                    let due = schedule.due(index, due - client.set_up_count);
                    self.tally.wait(self.now.saturating_duration_since(due));
                }
            }
            let silent = self
                .now
                .saturating_duration_since(client.heard_at.max(client.asked_at));
            if client.is_waiting() && silent >= silence_max {
                let name = &client.request(&self.requests).name;
                self.tally
                    .error(name, format_args!("nothing came for {silent:.1?}"));
            }
            if let Some(socket) = &client.socket {
                reset_on_close(socket.as_fd());
            }
        }
        self.clients.clear();
    }
}

/// What cannot be carried out.
fn check(plan: &Plan) -> io::Result<()> {
    let fault = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    if plan.requests.is_empty() || plan.connections == 0 || plan.pipeline == 0 {
        return fault("a plan has requests, connections and a pipeline of at least 1");
    }
    if plan.close && (plan.idle_connections > 0 || plan.pipeline > 1) {
        return fault("with a connection for each request none stays, and none is pipelined");
    }
    if plan
        .rate
        .is_some_and(|rate| !(rate > 0.0 && rate.is_finite()))
    {
        return fault("a rate is positive");
    }
    let wanted = u64::from(plan.connections) + u64::from(plan.idle_connections) + SPARE_DESCRIPTORS;
    match raise_descriptors()?.soft {
        Some(limit) if limit < wanted => fault("RLIMIT_NOFILE is too low for so many connections"),
        _ => Ok(()),
    }
}

/// Lets this thread wake up when it asked to (timerslack_ns in proc(5)), not up to 50 µs later.
fn sharpen_timers() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else {
        return;
    };
    let id = thread.file_name().unwrap_or_default();
    // Where it is not allowed, requests are a little later than due, which shows as latency.
    let _ = fs::write(Path::new("/proc").join(id).join("timerslack_ns"), "1");
}

fn sizes(plan: &Plan) -> Sizes {
    let buffers = (plan.connections * 2).next_power_of_two().clamp(64, 1_024);
    Sizes {
        entry_count: 4_096,
        buffer_count: buffers as u16,
        buffer_bytes: BUFFER_BYTES,
    }
}

/// Where connections of client `index` come from.
const fn source(index: usize) -> Option<Ipv4Addr> {
    match index / CLIENTS_PER_SOURCE {
        0 => None,
        block => Some(Ipv4Addr::new(127, 0, (block >> 8) as u8, block as u8)),
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Few, so that no accept queue overflows.
const OPENED_AT_ONCE: usize = 64;

const SET_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that says nothing for so long, being asked, hangs.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Standard streams, the ring, whatever the process had open before.
const SPARE_DESCRIPTORS: u64 = 64;

const CLIENTS_PER_SOURCE: usize = 4_096;

/// Most answers that are not large come in one piece.
const BUFFER_BYTES: u32 = 16 * 1_024;
