//! What is measured: the table of scenarios, and what each asks of which site. How a turn goes is
//! in `bench`.

use std::path::PathBuf;

use super::arguments::Tool;
use super::load::{Ask, Wire};
use super::site::{SiteError, Sites};

/// One kind of work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    /// Short and stable.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// Which plots it belongs to.
    pub(crate) group: &'static str,
    /// What loads, unless the command line says otherwise.
    pub(crate) tool: Tool,
    pub(crate) connections: u32,
    pub(crate) workers: u32,
    pub(crate) pipeline: u32,
    pub(crate) close: bool,
    pub(crate) wire: Wire,
    pub(crate) work: Work,
    pub(crate) turn: Turn,
    /// Who takes part when not everything is measured; nobody if it is left out then.
    pub(crate) short: &'static [&'static str],
    /// Whether it is one of the few of `--quick`.
    pub(crate) quick: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One file, again and again.
    File(&'static str),
    /// The same with HEAD.
    Head(&'static str),
    /// The same by someone who has it already.
    NotModified(&'static str),
    /// A KiB from the middle of a file.
    Range(&'static str),
    /// Real packages with `Accept-Encoding: br`.
    Mixed,
    /// Twenty of their files, with `Accept-Encoding: br, gzip`.
    Twenty,
    /// One of very many files.
    Many,
    /// A small file that lies beside large ones.
    Cold,
    /// A small answer of an application server, which is passed on.
    Proxied(&'static str),
}

/// What a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The load.
    Load,
    /// The load, beside connections that say nothing.
    BesideIdle,
    /// The load at a fixed rate, without and beside someone who fetches what no cache holds.
    BesideCold,
    /// The load at half of what the weakest server can do.
    HalfRate,
    /// The start of the server until its first answer.
    Start,
}

/// A scenario's work, ready to be done.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What is served.
    pub(crate) root: PathBuf,
    /// What is asked for, in this order.
    pub(crate) asks: Vec<Ask>,
    /// Large files of the site that a [`Turn::BesideCold`] fetches.
    pub(crate) cold: Vec<String>,
    /// What the application server behind [`Work::Proxied`] answers from.
    pub(crate) upstream_root: Option<PathBuf>,
    /// Where that listens, once it does.
    pub(crate) upstream_port: Option<u16>,
}

impl Prepared {
    /// Work on the files of `root`.
    pub(crate) fn new(root: PathBuf, asks: Vec<Ask>) -> Self {
        Self {
            root,
            asks,
            cold: Vec::new(),
            upstream_root: None,
            upstream_port: None,
        }
    }
}

impl Definition {
    /// Builds the site if it is not there, and lists what to ask of it.
    pub(crate) fn prepare(&self, sites: &Sites) -> Result<Prepared, SiteError> {
        let sizes = |ask: Ask| -> Result<Prepared, SiteError> {
            let site = sites.sizes()?;
            Ok(Prepared::new(site.root, vec![ask]))
        };
        match self.work {
            Work::Proxied(target) => {
                let mut prepared = sizes(ask("GET", target, &[], 200))?;
                prepared.upstream_root = Some(sites.application()?.root);
                Ok(prepared)
            }
            Work::File(target) => sizes(ask("GET", target, &[], 200)),
            Work::Head(target) => sizes(ask("HEAD", target, &[], 200)),
            // Each server gets its own validator before it is asked.
            Work::NotModified(target) => sizes(ask("GET", target, &[], 304)),
            Work::Range(target) => sizes(ask("GET", target, &[("Range", MIDDLE_KIB)], 206)),
            Work::Mixed => {
                let site = sites.mixed()?;
                Ok(Prepared::new(site.root, encoded(&site.targets, "br")))
            }
            Work::Twenty => {
                let site = sites.twenty()?;
                Ok(Prepared::new(site.root, encoded(&site.targets, "br, gzip")))
            }
            Work::Many => {
                let site = sites.many(MANY_FILE_COUNT)?;
                let first = site.targets.first().map(String::as_str);
                let ask = ask("GET", first.unwrap_or("/"), &[], 200);
                Ok(Prepared::new(site.root, vec![ask]))
            }
            Work::Cold => {
                let site = sites.cold()?;
                let small = super::folder().join("sites/sizes/1k.bin");
                sites.sizes()?;
                let hot = site.root.join(HOT_FILE);
                if !hot.exists() {
                    std::fs::copy(small, &hot)
                        .map_err(|source| SiteError::System { path: hot, source })?;
                }
                let mut prepared = Prepared::new(site.root, vec![ask("GET", "/hot.bin", &[], 200)]);
                prepared.cold = site.targets;
                Ok(prepared)
            }
        }
    }

    /// Whether compressed variants are asked for.
    pub(crate) const fn is_encoded(&self) -> bool {
        matches!(self.work, Work::Mixed | Work::Twenty)
    }

    /// Whether the floor can take part: it has one answer, and no range of a large file.
    pub(crate) const fn has_floor(&self) -> bool {
        let varies = self.is_encoded() || matches!(self.work, Work::Range(_));
        !varies && !self.is_in_front() && !matches!(self.turn, Turn::Start | Turn::BesideCold)
    }

    /// Whether it takes more than files over plain HTTP/1.1.
    pub(crate) const fn is_in_front(&self) -> bool {
        !matches!(self.wire, Wire::Plain) || matches!(self.work, Work::Proxied(_))
    }

    /// What the floor answers, here or as the application server; see [`super::rows::Options::canned`].
    pub(crate) fn canned(&self) -> Option<String> {
        match self.work {
            Work::File(target) if self.close => Some(format!("GET {target}\nConnection: close")),
            Work::File(target) | Work::Proxied(target) => Some(target.to_owned()),
            Work::Head(target) => Some(format!("HEAD {target}")),
            Work::NotModified(target) => Some(format!("GET {target}\nIf-None-Match: *")),
            Work::Range(target) => Some(format!("GET {target}\nRange: {MIDDLE_KIB}")),
            Work::Mixed | Work::Twenty | Work::Many | Work::Cold => None,
        }
    }
}

fn encoded(targets: &[String], codings: &str) -> Vec<Ask> {
    let fields = [("Accept-Encoding", codings)];
    let asks = targets.iter();
    asks.map(|target| ask("GET", target, &fields, 200))
        .collect()
}

fn ask(method: &str, target: &str, fields: &[(&str, &str)], status: u16) -> Ask {
    let fields = fields.iter();
    Ask {
        method: method.to_owned(),
        target: target.to_owned(),
        fields: fields
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        status,
    }
}

const fn load(
    name: &'static str,
    title: &'static str,
    group: &'static str,
    connections: u32,
    work: Work,
) -> Definition {
    Definition {
        name,
        title,
        group,
        tool: Tool::Wrk,
        connections,
        workers: 1,
        pipeline: 1,
        close: false,
        wire: Wire::Plain,
        work,
        turn: Turn::Load,
        short: &[],
        quick: false,
    }
}

impl Definition {
    const fn short(mut self, servers: &'static [&'static str]) -> Self {
        self.short = servers;
        self
    }

    const fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    const fn on_ring(mut self) -> Self {
        self.tool = Tool::Ring;
        self
    }

    const fn pipelined(mut self, pipeline: u32) -> Self {
        self.pipeline = pipeline;
        self
    }

    const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    const fn over(mut self, wire: Wire) -> Self {
        if matches!(wire, Wire::Http2) {
            self.tool = Tool::H2load;
        }
        self.wire = wire;
        self
    }

    const fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    const fn turn(mut self, turn: Turn) -> Self {
        self.turn = turn;
        self.tool = Tool::Ring;
        self
    }
}

/// Those that the goals compare.
pub(crate) const FEW: &[&str] = &["ring", "epoll", "floor", "nginx"];
/// One of each kind.
const ALL: &[&str] = &[
    "ring",
    "epoll",
    "tokio-uring",
    "hyper",
    "floor",
    "nginx",
    "h2o",
    "lighttpd",
    "static-web-server",
    "caddy",
];

/// Those that a proxy, or TLS, is compared with.
const FRONT: &[&str] = &["ring", "epoll", "nginx", "nginx-buffered"];

/// Files of [`Work::Many`].
pub(crate) const MANY_FILE_COUNT: usize = 100_000;
/// Connections of [`Turn::BesideIdle`].
pub(crate) const IDLE_CONNECTION_COUNT: u32 = 9_000;

const HOT_FILE: &str = "hot.bin";
const MIDDLE_KIB: &str = "bytes=524288-525311";

const ONE: Work = Work::File("/1k.bin");
const TEN: Work = Work::File("/10k.bin");
const SMALL: Work = Work::Proxied("/answer.bin");

/// All of them, in the order of the report.
#[rustfmt::skip]
pub(crate) static SCENARIOS: [Definition; 29] = [
    load("1k-c64", "1 KiB, 64 connections", "sizes", 64, ONE).short(ALL).quick(),
    load("10k-c64", "10 KiB, 64 connections", "sizes", 64, TEN).short(FEW),
    load("100k-c64", "100 KiB, 64 connections", "sizes", 64, Work::File("/100k.bin")),
    load("1m-c16", "1 MiB, 16 connections", "sizes", 16, Work::File("/1m.bin")).on_ring().short(FEW).quick(),
    load("10m-c16", "10 MiB, 16 connections", "sizes", 16, Work::File("/10m.bin")).on_ring(),
    load("1k-c64-own", "1 KiB, 64 connections, our own load", "sizes", 64, ONE).on_ring(),
    load("1k-c1", "1 KiB, 1 connection", "connections", 1, ONE),
    load("1k-c8", "1 KiB, 8 connections", "connections", 8, ONE),
    load("1k-c256", "1 KiB, 256 connections", "connections", 256, ONE).short(FEW),
    load("1k-c1024", "1 KiB, 1024 connections", "connections", 1024, ONE),
    load("10k-c1", "10 KiB, 1 connection", "connections", 1, TEN),
    load("10k-c8", "10 KiB, 8 connections", "connections", 8, TEN),
    load("10k-c256", "10 KiB, 256 connections", "connections", 256, TEN),
    load("10k-c1024", "10 KiB, 1024 connections", "connections", 1024, TEN),
    load("304-c64", "304 Not Modified", "requests", 64, Work::NotModified("/1k.bin")).short(FEW),
    load("head-c64", "HEAD", "requests", 64, Work::Head("/1k.bin")).on_ring(),
    load("range-c64", "1 KiB from the middle of 1 MiB", "requests", 64, Work::Range("/1m.bin")),
    load("pipeline-c64", "16 requests pipelined", "requests", 64, ONE).pipelined(16).short(FEW),
    load("close-c64", "connection per request", "requests", 64, ONE).closing().short(FEW),
    load("mixed-br-c64", "thousands of real files, br", "mixed", 64, Work::Mixed),
    load("mixed-twenty-c64", "20 files of 3–300 KiB, br and gzip", "mixed", 64, Work::Twenty).short(ALL),
    load("idle-9000", "beside 9,000 idle connections", "idle", 64, ONE).turn(Turn::BesideIdle),
    load("cold-beside-hot", "beside a cold disk", "latency", 64, Work::Cold).turn(Turn::BesideCold),
    load("latency-half", "half of the weakest server's rate", "latency", 64, ONE).turn(Turn::HalfRate),
    load("start-100k", "start with 100,000 files", "start", 1, Work::Many).turn(Turn::Start),
    load("1k-c64-w2", "1 KiB, two workers", "workers", 64, ONE).workers(2),
    load("proxy-small", "200 bytes of an application, 64 connections", "front", 64, SMALL).short(FRONT),
    load("tls-10k", "10 KiB over TLS, 64 connections", "front", 64, TEN).over(Wire::Tls).short(FRONT),
    load("h2-10k", "10 KiB over HTTP/2, 16 connections of 10 streams", "front", 16, TEN).over(Wire::Http2).pipelined(10).short(FRONT),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::goals;
    use crate::serve::servers::CANDIDATES;

    #[test]
    fn names_are_not_used_twice() {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            let mut others = SCENARIOS[..index].iter();
            assert!(others.all(|other| other.name != scenario.name));
        }
    }

    #[test]
    fn every_goal_is_about_a_scenario() {
        for goal in &goals::GOALS {
            for glob in goal.scenarios {
                let mut names = SCENARIOS.iter().map(|scenario| scenario.name);
                assert!(names.any(|name| goals::matches(glob, name)), "{glob}");
            }
        }
    }

    #[test]
    fn lists_name_servers_that_exist() {
        let shown = CANDIDATES.iter().filter(|candidate| !candidate.hidden);
        let shown: Vec<&str> = shown.map(|candidate| candidate.name).collect();
        assert!(ALL.iter().all(|name| shown.contains(name)));
        assert!(FEW.iter().all(|name| ALL.contains(name)));
        assert!(FRONT.iter().all(|name| shown.contains(name)));
    }

    #[test]
    fn a_file_alone_is_asked_for_plainly() {
        let bench = tempfile::tempdir().unwrap();
        let prepared = SCENARIOS[0].prepare(&Sites::below(bench.path())).unwrap();
        assert_eq!(prepared.asks.len(), 1);
        assert!(prepared.asks[0].fields.is_empty());
        assert!(prepared.root.join("1k.bin").exists());
    }
}
