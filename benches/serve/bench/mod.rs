//! One scenario: all its servers up at once, checked to answer the same, then measured in turns
//! whose order rotates from round to round.

mod cold;
mod idle;
mod lane;
mod start;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use super::arguments::Tool;
use super::certificate::Certificate;
use super::check;
use super::load::{self, Plan, Wire};
use super::measure;
use super::results::{Round, Scenario};
use super::scenarios::{Definition, Prepared, Turn};
use super::servers::{CANDIDATES, Candidate, Running, Setting, find_program};
use super::site::{SiteError, Sites};
use lane::Lane;

/// How everything is measured, and where.
pub(crate) struct Bench<'a> {
    /// Who is compared with, and whose answers are right.
    pub(crate) base: &'a str,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    /// What loads; without, what the scenario says.
    pub(crate) tool: Option<Tool>,
    pub(crate) sites: Sites,
    /// Of every server that speaks TLS.
    pub(crate) certificate: Certificate,
    /// Another build of this package.
    pub(crate) before: Option<PathBuf>,
    /// For configuration, scripts and logs.
    pub(crate) folder: PathBuf,
    /// Told what is going on.
    pub(crate) say: &'a dyn Fn(&str),
}

impl Bench<'_> {
    /// Measures `candidates`, which are installed, at `definition`.
    ///
    /// # Errors
    /// If there is no site. What goes wrong with a server is in its row.
    pub(crate) fn scenario(
        &self,
        definition: &Definition,
        candidates: &[Candidate],
    ) -> Result<Scenario, SiteError> {
        let mut prepared = definition.prepare(&self.sites)?;
        let mut lanes: Vec<Lane> = candidates
            .iter()
            .map(|candidate| Lane::new(*candidate, self.plan(definition, &prepared)))
            .collect();
        let mut rate = None;
        // It ends with the scenario.
        let application = self.start_application(definition, &prepared);
        match &application {
            Ok(running) => prepared.upstream_port = running.as_ref().map(|running| running.port),
            Err(reason) => fail_all(&mut lanes, reason),
        }
        if definition.wire == Wire::Http2 && find_program("h2load").is_none() {
            fail_all(&mut lanes, "h2load is not installed: scripts/bench-setup");
        }
        if definition.turn == Turn::Start {
            self.rotate(&mut lanes, |lane| {
                start::turn(self, definition, &prepared, lane)
            });
        } else {
            self.bring_up(definition, &prepared, &mut lanes);
            rate = self.settle_rate(definition, &mut lanes);
            self.rotate(&mut lanes, |lane| self.turn(definition, &prepared, lane));
        }
        let tool = self.tool(definition, &self.plan(definition, &prepared));
        Ok(Scenario {
            name: definition.name.to_owned(),
            title: definition.title.to_owned(),
            group: definition.group.to_owned(),
            load: tool.name().to_owned(),
            connections: definition.connections,
            workers: definition.workers,
            rate,
            rows: lanes.into_iter().map(Lane::into_row).collect(),
        })
    }

    /// The application server behind the servers, if the scenario has one: the floor, on the CPU
    /// of the load.
    fn start_application(
        &self,
        definition: &Definition,
        prepared: &Prepared,
    ) -> Result<Option<Running>, String> {
        let Some(root) = &prepared.upstream_root else {
            return Ok(None);
        };
        let canned = definition.canned();
        let setting = Setting {
            root,
            workers: 1,
            folder: &self.folder.join("application"),
            canned: canned.as_deref(),
            wire: Wire::Plain,
            upstream: None,
            certificate: &self.certificate,
            before: None,
        };
        let mut rows = CANDIDATES.iter();
        let floor = rows.find(|candidate| candidate.is_floor());
        let floor = floor.ok_or("there is no floor")?;
        let running = floor.start(setting, load::LOAD_CPU);
        running
            .map(Some)
            .map_err(|error| format!("the application did not start: {error}"))
    }

    fn plan(&self, definition: &Definition, prepared: &Prepared) -> Plan {
        Plan {
            port: 0,
            wire: definition.wire,
            requests: prepared.asks.clone(),
            connections: definition.connections,
            pipeline: definition.pipeline,
            close: definition.close,
            rate: (definition.turn == Turn::BesideCold).then_some(HOT_RATE),
            idle_connections: 0,
            seconds: self.seconds,
            warm_up_seconds: 0.0,
        }
    }

    /// Starts, checks and warms up.
    fn bring_up(&self, definition: &Definition, prepared: &Prepared, lanes: &mut [Lane]) {
        for lane in lanes.iter_mut() {
            lane.start(self, definition, prepared);
        }
        self.check(definition, prepared, lanes);
        for lane in lanes.iter_mut() {
            lane.attempt(|lane| {
                let plan = Plan {
                    seconds: WARM_UP_SECONDS,
                    rate: None,
                    ..lane.plan.clone()
                };
                self.load(definition, lane, &plan).map(drop)
            });
        }
    }

    /// Whether all answer as the base does, or as the file says.
    fn check(&self, definition: &Definition, prepared: &Prepared, lanes: &mut [Lane]) {
        let asks = check::sample(&prepared.asks);
        for ask in asks {
            let root = prepared.upstream_root.as_ref().unwrap_or(&prepared.root);
            let mut right = check::expected_from(root, &ask);
            for index in lane::base_first(lanes, self.base) {
                lanes[index].attempt(|lane| lane.check(self, &ask, definition, &mut right));
            }
        }
    }

    /// The rate that a scenario with one is measured at.
    fn settle_rate(&self, definition: &Definition, lanes: &mut [Lane]) -> Option<f64> {
        let rate = match definition.turn {
            Turn::BesideCold => HOT_RATE,
            Turn::HalfRate => {
                let mut weakest = f64::INFINITY;
                for lane in lanes.iter_mut() {
                    lane.attempt(|lane| {
                        let round = self.load(definition, lane, &lane.plan)?;
                        weakest = weakest.min(round.request_count as f64 / round.seconds);
                        Ok(())
                    });
                }
                (weakest / 2.0).floor()
            }
            _ => return None,
        };
        for lane in lanes.iter_mut() {
            lane.plan.rate = Some(rate);
        }
        rate.is_finite().then_some(rate)
    }

    /// Gives every lane its turns.
    fn rotate(&self, lanes: &mut [Lane], mut turn: impl FnMut(&mut Lane) -> Result<Round, String>) {
        for number in 0..self.rounds as usize {
            let count = lanes.len();
            for index in 0..count {
                let lane = &mut lanes[(index + number) % count];
                lane.attempt(|lane| {
                    let round = turn(lane)?;
                    lane.rounds.push(round);
                    Ok(())
                });
            }
        }
        for lane in lanes {
            if let Some(failure) = &lane.failure {
                (self.say)(&format!("  {}: {failure}", lane.candidate.name));
            }
        }
    }

    fn turn(
        &self,
        definition: &Definition,
        prepared: &Prepared,
        lane: &mut Lane,
    ) -> Result<Round, String> {
        match definition.turn {
            Turn::BesideIdle => idle::turn(self, definition, prepared, lane),
            Turn::BesideCold => cold::turn(self, definition, prepared, lane),
            Turn::Load | Turn::HalfRate | Turn::Start => self.load(definition, lane, &lane.plan),
        }
    }

    /// Loads the lane's server once.
    fn load(&self, definition: &Definition, lane: &Lane, plan: &Plan) -> Result<Round, String> {
        // What the one before left undone is over by then.
        sleep(PAUSE);
        let server = lane.running.as_ref().ok_or("it does not run")?;
        let tool = self.tool(definition, plan);
        let round = measure::round(server, plan, tool, &self.folder)?;
        lane.refuse_other_bytes(&round, plan)?;
        Ok(round)
    }

    /// What was chosen, if it can do it.
    fn tool(&self, definition: &Definition, plan: &Plan) -> Tool {
        match self.tool.unwrap_or(definition.tool) {
            _ if plan.wire == Wire::Http2 => Tool::H2load,
            // The generator speaks no TLS.
            _ if plan.wire == Wire::Tls => Tool::Wrk,
            Tool::Wrk if load::wrk::refusal(plan).is_none() => Tool::Wrk,
            _ => Tool::Ring,
        }
    }
}

fn fail_all(lanes: &mut [Lane], reason: &str) {
    for lane in lanes {
        lane.attempt(|_| Err(reason.to_owned()));
    }
}

const WARM_UP_SECONDS: f64 = 1.0;
const PAUSE: Duration = Duration::from_millis(20);
/// Requests per second of the hot load beside a cold disk: easy for every server.
const HOT_RATE: f64 = 2_000.0;
