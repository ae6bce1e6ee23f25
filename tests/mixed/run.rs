//! One run: the upstreams, a server before them, clients that visit it, and the balance.

use std::env;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::answer::Answer;
use crate::client::{self, World};
use crate::files::Files;
use crate::ledger::Ledger;
use crate::server::Front;
use crate::support::client::Client;
use crate::support::{Engine, SOON};
use crate::traffic::{Repertoire, Visit};
use crate::upstream;

/// How much is asked, and of which seed.
pub(crate) struct Run {
    seed: u64,
    request_count: usize,
    /// Only this visit, to look into what it found.
    only: Option<usize>,
    /// What happens meanwhile, every so often.
    disturbance: Option<fn(&mut Front)>,
    /// Whether the server is told to end in the middle.
    is_drained: bool,
}

impl Run {
    /// `request_count` requests, or what `WHITERING_MIXED_REQUESTS` says; `WHITERING_SEED` repeats
    /// a run, and `WHITERING_VISIT` one connection of it.
    pub(crate) fn new(request_count: usize) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let chance = now.unwrap_or_default().as_nanos() as u64 & 0xffff_ffff;
        Self {
            seed: variable("WHITERING_SEED").unwrap_or(chance),
            request_count: variable("WHITERING_MIXED_REQUESTS")
                .map_or(request_count, |count| count as usize),
            only: variable("WHITERING_VISIT").map(|number| number as usize),
            disturbance: None,
            is_drained: false,
        }
    }

    /// With something that happens to the server meanwhile.
    pub(crate) fn disturbed(mut self, disturbance: fn(&mut Front)) -> Self {
        self.disturbance = Some(disturbance);
        self
    }

    /// With the server told to end when everything has been asked and not all is answered.
    pub(crate) fn drained(mut self) -> Self {
        self.is_drained = true;
        self
    }

    pub(crate) fn against_whitering(self, engine: Engine) {
        let repertoire = Repertoire {
            has_hop_fields: true,
            has_half_closes: true,
            has_prior_knowledge: true,
            has_hints: true,
            is_strict: true,
        };
        self.go(repertoire, |files, upstream| {
            Front::whitering(engine, files.root(), upstream.tcp, &upstream.unix)
        });
    }

    /// nginx 1.22 hands on what `Connection` names, takes a half-closed client for a gone one and
    /// 103 for an answer, and is not strict.
    pub(crate) fn against_nginx(self) {
        let repertoire = Repertoire {
            has_hop_fields: false,
            has_half_closes: false,
            has_prior_knowledge: false,
            has_hints: false,
            is_strict: false,
        };
        self.go(repertoire, |files, upstream| {
            Front::nginx(files.root(), upstream.tcp, &upstream.unix)
        });
    }

    fn go(self, repertoire: Repertoire, start: impl FnOnce(&Files, &Upstreams) -> Front) {
        let ledger = Arc::new(Ledger::default());
        let upstreams = Upstreams::start(&ledger);
        let mut files = Files::new();
        let mut front = start(&files, &upstreams);
        files.learn(|url, coding| fetch(&front, url, coding));
        let world = Rc::new(World {
            plain: front.plain,
            tls: front.tls,
            files,
            ledger: Arc::clone(&ledger),
            repertoire,
            http1: front.client(b"http/1.1"),
            http2: front.client(b"h2"),
        });
        let started = Instant::now();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let local = LocalSet::new();
        local.block_on(&runtime, self.visits(&world, repertoire, &mut front));
        drop(local);
        let seed = self.seed;
        let totals = ledger.close().unwrap_or_else(|faults| {
            let repeat = format!("WHITERING_SEED={seed:#x} cargo test --test mixed");
            panic!("seed {seed:#x} (repeat with {repeat}): {faults}")
        });
        if self.is_drained {
            assert_eq!(front.server().exit_code_within(SOON), 0, "no clean drain");
        }
        if self.disturbance.is_some() {
            let said = front.server().stderr();
            assert!(
                said.contains("reloaded"),
                "nothing happened meanwhile: {said}"
            );
            assert!(!said.contains("failed"), "{said}");
        }
        let taken = started.elapsed();
        eprintln!("seed {seed:#x}: {totals:?} in {taken:.1?}");
    }

    /// Makes visits, a few at a time, until enough has been asked.
    async fn visits(&self, world: &Rc<World>, repertoire: Repertoire, front: &mut Front) {
        let places = Arc::new(Semaphore::new(VISIT_COUNT_AT_ONCE));
        let mut asked = 0;
        let mut disturbed = Instant::now();
        for number in 0.. {
            if asked >= self.request_count {
                break;
            }
            let visit = Visit::new(self.seed, number, &world.files, repertoire);
            asked += visit.plans.len();
            if self.only.is_some_and(|only| only != number) {
                continue;
            }
            if self.only.is_some() {
                eprintln!("{visit:#?}");
            }
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            let world = Rc::clone(world);
            tokio::task::spawn_local(async move {
                client::visit(world, visit).await;
                drop(place);
            });
            if let Some(disturbance) = self.disturbance
                && disturbed.elapsed() > DISTURBANCE_PERIOD
            {
                disturbance(front);
                disturbed = Instant::now();
            }
        }
        if self.is_drained {
            world.ledger.end();
            front.server().signal(libc::SIGTERM);
        }
        drop(places.acquire_many(VISIT_COUNT_AT_ONCE as u32).await);
    }
}

/// Where upstreams listen.
struct Upstreams {
    tcp: std::net::SocketAddr,
    unix: PathBuf,
    _directory: TempDir,
}

impl Upstreams {
    fn start(ledger: &Arc<Ledger>) -> Self {
        let directory = TempDir::new().unwrap();
        let unix = directory.path().join("app.sock");
        upstream::listen_unix(&unix, ledger);
        Self {
            tcp: upstream::listen(ledger),
            unix,
            _directory: directory,
        }
    }
}

/// What a fresh connection gets.
fn fetch(front: &Front, url: &str, coding: &str) -> Answer {
    let mut client = Client::connect(front.plain);
    client.send_request("GET", url, &[("Accept-Encoding", coding)]);
    let response = client.response("GET");
    let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
    Answer {
        status: response.status,
        fields: response.fields.into_iter().map(lower).collect(),
        content: response.body,
        trailers: Vec::new(),
    }
}

/// A number, decimal or hexadecimal.
fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {value:?}")))
}

const VISIT_COUNT_AT_ONCE: usize = 24;
const DISTURBANCE_PERIOD: Duration = Duration::from_millis(300);
