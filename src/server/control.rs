//! The control thread: signals, reloads, and the end of workers.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, tick};

use super::Server;
use super::worker::End;
use crate::application::{Event, Exit};
use crate::assets::{self, LoadError, Loaded, Snapshot, Warning};
use crate::lane;
use crate::reactor::{self, Message, Notice};
use crate::sys::memory;
use crate::sys::signal::{self, Signal};
use crate::tls::Certificates;

/// How a server ended.
///
/// ```no_run
/// use whitering::{Ended, Server};
///
/// let code = match Server::builder().directory("public").signals(true).start()?.run() {
///     Ended::Drained => 0,
///     Ended::DrainDeadlinePassed => 3,
///     Ended::Failed => 1,
///     Ended::Application(code) => code,
/// };
/// # let _ = code;
/// # Ok::<(), whitering::StartError>(())
/// ```
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was asked for was answered.
    Drained,
    /// Some answers were cut off, at the drain deadline or by a second signal.
    DrainDeadlinePassed,
    /// A worker failed.
    Failed,
    /// The application ended by itself, with this code: its own, or 128 and its signal.
    Application(u8),
}

/// What happens while a server runs.
struct Control<'a> {
    server: &'a mut Server,
    reloads: Reloads,
    /// When files that were being written are looked at again.
    retry: Receiver<Instant>,
    retry_delay: Duration,
    /// Snapshots that workers may still answer from. Freeing one takes time, which workers do
    /// not have.
    retired: Vec<Arc<Snapshot>>,
    /// When the retired are looked through.
    sweep: Receiver<Instant>,
    /// When the last answer has to be out.
    deadline: Receiver<Instant>,
    draining: bool,
    stopped: bool,
    failed: bool,
    cut_count: usize,
    worker_count: usize,
    lane_count: usize,
    /// When it is looked whether certificates have changed.
    certificate_tick: Receiver<Instant>,
    /// Why they could not be loaded, if they could not: said once.
    certificate_error: Option<String>,
    /// How the application ended by itself.
    exit: Option<Exit>,
}

/// Loads in a thread of their own, one at a time.
struct Reloads {
    results: Receiver<Result<Loaded, LoadError>>,
    sender: Sender<Result<Loaded, LoadError>>,
    running: bool,
    /// Asked for while one was running.
    again: bool,
    last: Option<Instant>,
    /// How long the last one took.
    cost: Duration,
}

impl Server {
    /// Serves until a signal ends it: TERM, INT or QUIT drain, a second one stops; HUP reloads.
    /// A [`Handle`](super::Handle) does the same, and where signals are left to others nothing
    /// else.
    pub fn run(mut self) -> Ended {
        let (worker_count, lane_count) = (self.workers.len(), self.lanes.len());
        let certificate_tick = match &self.certificates {
            Some(_) => tick(CERTIFICATE_INTERVAL),
            None => never(),
        };
        let retry = if self.unsettled {
            after(RETRY_DELAY_MIN)
        } else {
            never()
        };
        let ended = Control {
            server: &mut self,
            reloads: Reloads::new(),
            retry,
            retry_delay: RETRY_DELAY_MIN,
            retired: Vec::new(),
            sweep: never(),
            deadline: never(),
            draining: false,
            stopped: false,
            failed: false,
            cut_count: 0,
            worker_count,
            lane_count,
            certificate_tick,
            certificate_error: None,
            exit: None,
        }
        .run();
        for worker in &mut self.workers {
            worker.join();
        }
        for lane in &mut self.lanes {
            lane.join();
        }
        ended
    }
}

impl Control<'_> {
    fn run(mut self) -> Ended {
        let mut signals = self.server.signals.clone();
        let (mut notices, ends) = (self.server.notices.clone(), self.server.ends.clone());
        let hosted = self.server.hosted.as_ref();
        let mut events = hosted.map_or_else(never, |hosted| hosted.events.clone());
        let certificate_tick = self.certificate_tick.clone();
        while self.worker_count + self.lane_count > 0 {
            let (results, retry) = (self.reloads.results.clone(), self.retry.clone());
            let (deadline, sweep) = (self.deadline.clone(), self.sweep.clone());
            select! {
                recv(signals) -> signal => match signal {
                    Ok(Signal::End) => self.end(),
                    Ok(signal) => {
                        if signal == Signal::Reload {
                            self.reload();
                        }
                        self.relay(signal);
                    }
                    Err(_) => signals = never(),
                },
                recv(events) -> event => match event {
                    Ok(event) => self.on_application(event),
                    Err(_) => events = never(),
                },
                recv(notices) -> notice => match notice {
                    Ok(Notice::Stale) => self.reload_if_due(),
                    // Every worker has ended, or is about to say so.
                    Err(_) => notices = never(),
                },
                recv(results) -> result => {
                    if let Ok(result) = result {
                        self.on_loaded(result);
                    }
                }
                recv(ends) -> end => {
                    if let Ok(end) = end {
                        self.on_end(end);
                    }
                }
                recv(retry) -> _ => {
                    self.retry = never();
                    self.reload();
                }
                recv(certificate_tick) -> _ => self.reload_changed_certificates(),
                recv(sweep) -> _ => self.free_retired(),
                recv(deadline) -> _ => self.stop(),
            }
        }
        self.stop_application();
        match (self.exit, self.failed, self.stopped && self.cut_count > 0) {
            (Some(exit), ..) => Ended::Application(exit.code()),
            (None, true, _) => Ended::Failed,
            (None, false, true) => Ended::DrainDeadlinePassed,
            (None, false, false) => Ended::Drained,
        }
    }

    /// Passes a signal on that the application may have a use for.
    fn relay(&self, signal: Signal) {
        if let Some(hosted) = &self.server.hosted {
            hosted.application.relay(signal);
        }
    }

    fn on_application(&mut self, event: Event) {
        match event {
            Event::Answers => tracing::info!("the application answers"),
            // It has been logged, with its name.
            Event::Ended(exit) => {
                self.exit = Some(exit);
                if !self.draining {
                    self.end();
                }
            }
            Event::Silent(error) => {
                tracing::error!("{error}");
                self.failed = true;
                if !self.draining {
                    self.end();
                }
            }
        }
    }

    /// The last answer is out: nobody asks the application any more.
    fn stop_application(&mut self) {
        let Some(hosted) = &mut self.server.hosted else {
            return;
        };
        if self.stopped {
            hosted.application.kill();
        }
        hosted.stop();
    }

    fn end(&mut self) {
        if self.draining {
            return self.stop();
        }
        self.draining = true;
        self.deadline = after(self.server.config.drain_timeout);
        tracing::info!("draining: no new connections, open ones end with their responses");
        self.tell(&Message::Drain, lane::Message::Drain);
    }

    fn stop(&mut self) {
        self.deadline = never();
        self.stopped = true;
        tracing::info!("stopping now");
        self.tell(&Message::Stop, lane::Message::Stop);
    }

    fn tell(&self, to_workers: &Message, to_lanes: lane::Message) {
        for worker in &self.server.workers {
            worker.tell(to_workers.clone());
        }
        for lane in &self.server.lanes {
            lane.tell(to_lanes.clone());
        }
    }

    /// Loads files and certificates again.
    fn reload(&mut self) {
        if self.draining {
            return;
        }
        // Who asks is told again.
        self.certificate_error = None;
        self.reload_certificates(|_| true);
        self.reloads.start(&self.server.asset_options);
    }

    /// A worker has found a file that is not what was loaded; others will find it as well.
    fn reload_if_due(&mut self) {
        let last = self.reloads.last;
        let pause = STALE_RELOAD_INTERVAL.max(self.reloads.cost * STALE_RELOAD_COST_SHARE);
        if !self.draining && last.is_none_or(|last| last.elapsed() > pause) {
            tracing::info!("files have changed since they were loaded");
            self.reload();
        }
    }

    fn on_loaded(&mut self, result: Result<Loaded, LoadError>) {
        match result {
            Ok(loaded) => {
                log_warnings(&loaded.warnings);
                self.retry_if_passing(&loaded.warnings);
                let totals = loaded.snapshot.totals;
                let snapshot = Arc::new(loaded.snapshot);
                self.retired.push(self.server.live.current());
                self.sweep = after(SWEEP_INTERVAL);
                self.server.live.publish(Arc::clone(&snapshot));
                let to_lanes = lane::Message::Publish(Arc::clone(&snapshot));
                self.tell(&Message::Publish(snapshot), to_lanes);
                tracing::info!(
                    files = totals.assets,
                    memory_bytes = totals.memory_bytes,
                    "reloaded"
                );
            }
            Err(error) => {
                tracing::error!("reload failed, the files loaded before are served on: {error}");
                memory::release_free();
            }
        }
        self.reloads.running = false;
        self.reloads.cost = self
            .reloads
            .last
            .map_or(Duration::ZERO, |last| last.elapsed());
        if std::mem::take(&mut self.reloads.again) {
            self.reload();
        }
    }

    /// Files that were being written are loaded a little later, less and less often.
    fn retry_if_passing(&mut self, warnings: &[Warning]) {
        if warnings.iter().any(Warning::is_passing) {
            self.retry = after(self.retry_delay);
            self.retry_delay = (self.retry_delay * 2).min(RETRY_DELAY_MAX);
        } else {
            self.retry_delay = RETRY_DELAY_MIN;
        }
    }

    /// Frees the snapshots that no worker has any more.
    fn free_retired(&mut self) {
        self.retired
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.sweep = if self.retired.is_empty() {
            memory::release_free();
            never()
        } else {
            after(SWEEP_INTERVAL)
        };
    }

    /// Certificates are exchanged by others, such as an ACME client; nobody has to send HUP.
    fn reload_changed_certificates(&mut self) {
        if !self.draining {
            self.reload_certificates(Certificates::have_changed);
        }
    }

    fn reload_certificates(&mut self, is_due: impl FnOnce(&Certificates) -> bool) {
        let Some(certificates) = self.server.certificates.as_ref() else {
            return;
        };
        if !is_due(certificates) {
            self.certificate_error = None;
            return;
        }
        match certificates.reload() {
            Ok(()) => {
                self.certificate_error = None;
                tracing::info!("certificates reloaded");
            }
            Err(error) => {
                let error = Some(error.to_string());
                if let Some(said) = error.as_ref().filter(|_| error != self.certificate_error) {
                    tracing::error!("certificates: those loaded before stay in use: {said}");
                }
                self.certificate_error = error;
            }
        }
    }

    fn on_end(&mut self, end: End) {
        match end {
            End::Worker { index, result } => self.on_worker_end(index, result),
            End::Lane { index, result } => self.on_lane_end(index, result),
        }
    }

    fn on_worker_end(&mut self, index: usize, result: io::Result<reactor::Ended>) {
        self.worker_count -= 1;
        match result {
            Ok(ended) => {
                self.cut_count += ended.cut_count;
                if ended.panic_count > 0 {
                    tracing::error!(worker = index, panics = ended.panic_count, "ended");
                }
            }
            Err(error) => {
                self.failed = true;
                tracing::error!(worker = index, "failed, the others serve on: {error}");
            }
        }
        // Only its worker puts connections there.
        if let Some(lane) = self.server.lanes.get(index) {
            lane.tell(lane::Message::Close);
        }
    }

    fn on_lane_end(&mut self, index: usize, result: io::Result<lane::Ended>) {
        self.lane_count -= 1;
        match result {
            Ok(ended) => self.cut_count += ended.cut_count,
            Err(error) => {
                self.failed = true;
                tracing::error!(lane = index, "failed, the others serve on: {error}");
                // Its worker would go on handing connections to nobody.
                if let Some(worker) = self.server.workers.get(index) {
                    worker.tell(Message::Drain);
                }
            }
        }
    }
}

impl Reloads {
    fn new() -> Self {
        let (sender, results) = bounded(1);
        Self {
            results,
            sender,
            running: false,
            again: false,
            last: None,
            cost: Duration::ZERO,
        }
    }

    fn start(&mut self, options: &assets::Options) {
        if self.running {
            self.again = true;
            return;
        }
        let (options, sender) = (options.clone(), self.sender.clone());
        let load = move || {
            // The receiver is gone only when the server is.
            let _ = sender.send(assets::load(&options));
        };
        match thread::Builder::new().name("reload".to_owned()).spawn(load) {
            Ok(_) => {
                self.running = true;
                self.last = Some(Instant::now());
            }
            Err(error) => tracing::error!("reload failed, no thread for it: {error}"),
        }
    }
}

/// Puts signals into a queue. The thread ends with the process: nothing can wake it but a signal.
pub(super) fn wait_for_signals(sender: Sender<Signal>) {
    let wait = move || {
        while let Ok(signal) = signal::wait() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    };
    if let Err(error) = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
    {
        tracing::error!("signals are not listened to, no thread for it: {error}");
    }
}

/// Says what was left out, but not for ever.
pub(crate) fn log_warnings(warnings: &[Warning]) {
    for warning in warnings.iter().take(WARNING_COUNT_MAX) {
        tracing::warn!("{warning}");
    }
    if let Some(count) = warnings.len().checked_sub(WARNING_COUNT_MAX + 1) {
        tracing::warn!("… and {} more files are not served", count + 1);
    }
}

/// How often it is looked whether certificates have changed.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(2);

/// Warnings of one load that are written out.
const WARNING_COUNT_MAX: usize = 20;

/// How often it is looked whether a retired snapshot can be freed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// After how long a file that was being written is looked at again, at first and at most.
const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);

/// A file that changes all the time must not keep the server loading all the time: at most one
/// part in so many.
const STALE_RELOAD_COST_SHARE: u32 = 10;
const STALE_RELOAD_INTERVAL: Duration = Duration::from_secs(1);
