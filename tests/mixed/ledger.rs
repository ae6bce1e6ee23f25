//! Who has sent, seen and got what. Clients and upstreams write here from their threads; at the
//! end the books have to balance.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::plan::{Plan, Protocol};

/// The books of one run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Books {
    entries: HashMap<u64, Entry>,
    faults: Vec<String>,
    fault_count: usize,
    /// Requests that an upstream has begun to read and not answered yet.
    open_count: usize,
    /// When the server was told to end.
    ended_at: Option<Instant>,
}

/// What has become of one request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) plan: Arc<Plan>,
    pub(crate) protocol: Protocol,
    /// How often an upstream has seen its head.
    arrived_count: usize,
    /// Whether an upstream has had all of it.
    is_complete: bool,
    /// Whether the client has had all of the answer.
    is_answered: bool,
    /// Whether the client went away, as planned or because the server had ended.
    is_abandoned: bool,
    /// Bytes of the answer's content that the client has seen.
    seen_bytes: usize,
    /// When the last of its bytes was given to the kernel, where that is known.
    sent_at: Option<Instant>,
}

/// What the books say at the end.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) sent: usize,
    pub(crate) arrived: usize,
    pub(crate) answered: usize,
    pub(crate) abandoned: usize,
    pub(crate) uploaded_bytes: usize,
}

impl Ledger {
    /// A client is about to send `plan`.
    pub(crate) fn announce(&self, plan: &Arc<Plan>, protocol: Protocol) {
        let entry = Entry {
            plan: Arc::clone(plan),
            protocol,
            arrived_count: 0,
            is_complete: false,
            is_answered: false,
            is_abandoned: false,
            seen_bytes: 0,
            sent_at: None,
        };
        let doubled = self.books().entries.insert(plan.id, entry).is_some();
        assert!(!doubled, "the number {} is given twice", plan.id);
    }

    /// All bytes of request `id` are with the kernel.
    pub(crate) fn send(&self, id: u64) {
        self.change(id, |entry| entry.sent_at = Some(Instant::now()));
    }

    /// The server is about to be told to end.
    pub(crate) fn end(&self) {
        self.books().ended_at = Some(Instant::now());
    }

    /// Whether the server was told to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.books().ended_at.is_some()
    }

    /// The server has ended a connection on which `id` was or would have been asked. It may, if it
    /// was told to end before it could have known of the request.
    pub(crate) fn cut_off(&self, id: u64) {
        let mut books = self.books();
        let ended_at = books.ended_at;
        let Some(entry) = books.entries.get_mut(&id) else {
            return;
        };
        entry.is_abandoned = true;
        let was_known = entry.sent_at.is_some_and(|sent| ended_at > Some(sent));
        let plan = Arc::clone(&entry.plan);
        drop(books);
        self.changed.notify_all();
        if was_known || ended_at.is_none() {
            self.fault(format!("sent before the end, not answered: {plan:?}"));
        }
    }

    /// An upstream has read the head of request `id`; what was planned for it.
    pub(crate) fn arrive(&self, id: u64) -> Result<(Arc<Plan>, Protocol), String> {
        let mut books = self.books();
        let Some(entry) = books.entries.get_mut(&id) else {
            return Err(format!("request {id} arrives, which nobody sent"));
        };
        if !entry.plan.is_proxied() {
            return Err(format!("request {id} arrives, which names a file"));
        }
        entry.arrived_count += 1;
        if entry.arrived_count > 1 {
            return Err(format!("request {id} arrives again"));
        }
        let planned = (Arc::clone(&entry.plan), entry.protocol);
        books.open_count += 1;
        Ok(planned)
    }

    /// An upstream has had all of request `id`.
    pub(crate) fn complete(&self, id: u64) {
        self.change(id, |entry| entry.is_complete = true);
    }

    /// An upstream is done with a request, one way or the other.
    pub(crate) fn leave(&self) {
        self.books().open_count -= 1;
        self.changed.notify_all();
    }

    /// A client has had all of the answer to `id`.
    pub(crate) fn answer(&self, id: u64) {
        self.change(id, |entry| {
            assert!(!entry.is_answered, "{id} is answered twice");
            entry.is_answered = true;
        });
    }

    /// The client of `id` has gone away.
    pub(crate) fn abandon(&self, id: u64) {
        self.change(id, |entry| entry.is_abandoned = true);
    }

    /// Like [`Self::abandon`], for requests that may not have been sent at all.
    pub(crate) fn abandon_if_announced(&self, id: u64) {
        if let Some(entry) = self.books().entries.get_mut(&id) {
            entry.is_abandoned = true;
        }
        self.changed.notify_all();
    }

    /// A client has seen so many bytes of the content of the answer to `id`.
    pub(crate) fn see(&self, id: u64, bytes: usize) {
        self.change(id, |entry| entry.seen_bytes = bytes);
    }

    /// Waits until the client of `id` has seen `bytes`; whether it has not gone away.
    pub(crate) fn wait_for_sight(&self, id: u64, bytes: usize) -> Result<bool, String> {
        let started = Instant::now();
        let mut books = self.books();
        loop {
            let entry = &books.entries[&id];
            if entry.seen_bytes >= bytes {
                return Ok(true);
            }
            if entry.is_abandoned {
                return Ok(false);
            }
            if started.elapsed() > PATIENCE {
                let seen = entry.seen_bytes;
                return Err(format!("{id}: {bytes} bytes sent, {seen} seen: held back"));
            }
            books = self.changed.wait_timeout(books, TURN).unwrap().0;
        }
    }

    /// Something is wrong.
    pub(crate) fn fault(&self, mut what: String) {
        let end = what.floor_char_boundary(FAULT_BYTES_SHOWN);
        what.truncate(end);
        let mut books = self.books();
        books.fault_count += 1;
        if books.faults.len() < FAULTS_SHOWN {
            books.faults.push(what);
        }
    }

    /// Waits until no upstream is at work, then balances the books.
    pub(crate) fn close(&self) -> Result<Totals, String> {
        let started = Instant::now();
        let mut books = self.books();
        while books.open_count > 0 && started.elapsed() < PATIENCE {
            books = self.changed.wait_timeout(books, TURN).unwrap().0;
        }
        let mut totals = Totals::default();
        let mut faults = std::mem::take(&mut books.faults);
        let mut count = books.fault_count;
        if books.open_count > 0 {
            count += 1;
            faults.push(format!("{} requests never end upstream", books.open_count));
        }
        for (id, entry) in &books.entries {
            totals.add(entry);
            if let Some(fault) = entry.fault() {
                count += 1;
                faults.push(format!("request {id}: {fault}: {:?}", entry.plan));
            }
        }
        if count == 0 {
            return Ok(totals);
        }
        faults.truncate(FAULTS_SHOWN);
        Err(format!("{count} faults, {totals:?}\n{}", faults.join("\n")))
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        change(self.books().entries.get_mut(&id).expect("announced"));
        self.changed.notify_all();
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }
}

impl Entry {
    /// What is wrong with how it ended.
    fn fault(&self) -> Option<&'static str> {
        match self {
            _ if self.is_abandoned || self.plan.abort.is_some() => None,
            Self {
                is_answered: false, ..
            } => Some("is not answered"),
            _ if !self.plan.is_proxied() => None,
            Self {
                arrived_count: 0, ..
            } => Some("is lost"),
            Self {
                is_complete: false, ..
            } => Some("arrived in part"),
            _ => None,
        }
    }
}

impl Totals {
    fn add(&mut self, entry: &Entry) {
        self.sent += 1;
        self.arrived += entry.arrived_count;
        self.answered += usize::from(entry.is_answered);
        self.abandoned += usize::from(entry.is_abandoned || entry.plan.abort.is_some());
        self.uploaded_bytes += entry.plan.upload.bytes() * usize::from(entry.is_complete);
    }
}

/// How long anybody waits for somebody else, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const TURN: Duration = Duration::from_millis(100);
const FAULTS_SHOWN: usize = 12;
const FAULT_BYTES_SHOWN: usize = 1500;
