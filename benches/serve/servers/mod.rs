//! Servers under test: which there are, and how each is found and started. What they do is their
//! own; what they use is measured elsewhere.

mod own;
mod peers;
pub(crate) mod process;
mod rows;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Instant;

use super::certificate::Certificate;
use super::load::Wire;
use super::results::{Server, ServerKind};
use super::rows::Kind;
pub(crate) use peers::find_program;
use process::Process;
use rows::Fault;

/// A server that can be measured if it is installed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// [`Server::name`].
    pub(crate) name: &'static str,
    /// What starts it.
    program: Program,
    /// Whether it is measured only when asked for by name.
    pub(crate) hidden: bool,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    /// This package, with `--engine` set to this.
    Own(&'static str),
    /// The same of another build.
    Before(&'static str),
    /// A row of this harness.
    Row(Kind, Fault),
    /// Somebody else's.
    Peer(&'static str),
}

/// What a server is started with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// What it serves.
    pub(crate) root: &'a Path,
    /// Processes or threads that serve.
    pub(crate) workers: u32,
    /// Its own, for configuration and logs.
    pub(crate) folder: &'a Path,
    /// What the floor answers, see [`super::rows::Options::canned`].
    pub(crate) canned: Option<&'a str>,
    /// What is spoken with clients.
    pub(crate) wire: Wire,
    /// The port of 127.0.0.1 that everything is passed on to, instead of serving files.
    pub(crate) upstream: Option<u16>,
    /// For TLS.
    pub(crate) certificate: &'a Certificate,
    /// The other build.
    pub(crate) before: Option<&'a Path>,
}

/// A server that accepts connections. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// Its processes.
    pub(crate) process: Process,
    /// When it was started.
    pub(crate) started: Instant,
}

/// How a program is called.
#[derive(Debug)]
struct Call {
    words: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Candidate {
    /// Whose server it is.
    pub(crate) const fn kind(&self) -> ServerKind {
        match self.program {
            Program::Own(_) | Program::Before(_) => ServerKind::Engine,
            Program::Row(..) => ServerKind::Row,
            Program::Peer(_) => ServerKind::Peer,
        }
    }

    /// Whether it is measured only if there is another build.
    pub(crate) const fn is_before(&self) -> bool {
        matches!(self.program, Program::Before(_))
    }

    /// Whether it can pass requests on, and speaks TLS and HTTP/2.
    pub(crate) fn can_be_in_front(&self) -> bool {
        match self.program {
            Program::Own(_) | Program::Before(_) => true,
            Program::Row(..) => false,
            Program::Peer(name) => peers::named(name).can_be_in_front,
        }
    }

    /// Whether it has one answer for everything.
    pub(crate) const fn is_floor(&self) -> bool {
        matches!(self.program, Program::Row(Kind::Floor, _))
    }

    /// Why it does not serve compressed variants, with the remedy.
    pub(crate) fn lacks_variants(&self) -> Option<&'static str> {
        match self.program {
            Program::Peer(name) => peers::lacks_variants(peers::named(name)),
            Program::Own(_) | Program::Before(_) | Program::Row(..) => None,
        }
    }

    /// Whether it is there, in which version, and how it is started.
    pub(crate) fn describe(&self, before: Option<&Path>) -> Server {
        let (version, missing) = match self.program {
            Program::Own(_) | Program::Row(..) => (env!("CARGO_PKG_VERSION").to_owned(), None),
            Program::Before(_) => present(own::version(before)),
            Program::Peer(name) => present(peers::version(peers::named(name))),
        };
        Server {
            name: self.name.to_owned(),
            kind: self.kind(),
            version,
            command: self.command_shown(),
            missing,
        }
    }

    /// Starts it on the CPUs of `cpus` and waits until it accepts connections.
    ///
    /// # Errors
    /// If it cannot be started; what it said is in the error.
    pub(crate) fn start(&self, setting: Setting<'_>, cpus: &str) -> io::Result<Running> {
        std::fs::create_dir_all(setting.folder)?;
        let port = free_port()?;
        let call = self.call(setting, port)?;
        let started = Instant::now();
        let process = Process::start(&call, cpus, &setting.folder.join("log"))?;
        let mut running = Running {
            port,
            process,
            started,
        };
        running.process.wait_until_accepting(port)?;
        Ok(running)
    }

    fn call(&self, setting: Setting<'_>, port: u16) -> io::Result<Call> {
        match self.program {
            Program::Own(engine) => Ok(own::call(own::program(), engine, setting, port)),
            Program::Before(engine) => {
                let program = setting.before.ok_or(io::ErrorKind::NotFound)?;
                Ok(own::call(program, engine, setting, port))
            }
            Program::Row(kind, fault) => rows::call(kind, fault, setting, port),
            Program::Peer(name) => peers::call(peers::named(name), setting, port),
        }
    }

    /// The command with words for what changes.
    fn command_shown(&self) -> String {
        match self.program {
            Program::Own(engine) | Program::Before(engine) => own::shown(engine),
            Program::Row(kind, fault) => rows::shown(kind, fault),
            Program::Peer(name) => peers::shown(peers::named(name)),
        }
    }
}

/// The version, or why there is none.
fn present(version: Result<String, String>) -> (String, Option<String>) {
    match version {
        Ok(version) => (version, None),
        Err(missing) => (String::new(), Some(missing)),
    }
}

/// A port that nobody listens on now.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

const fn candidate(name: &'static str, program: Program) -> Candidate {
    let hidden = false;
    Candidate {
        name,
        program,
        hidden,
    }
}

const fn before(name: &'static str, engine: &'static str) -> Candidate {
    Candidate {
        hidden: true,
        ..candidate(name, Program::Before(engine))
    }
}

const fn peer(name: &'static str) -> Candidate {
    candidate(name, Program::Peer(name))
}

const fn faulty(name: &'static str, fault: Fault) -> Candidate {
    let program = Program::Row(Kind::Floor, fault);
    let hidden = true;
    Candidate {
        name,
        program,
        hidden,
    }
}

/// All of them, in the order of the report.
pub(crate) static CANDIDATES: [Candidate; 17] = [
    candidate("ring", Program::Own("uring")),
    candidate("epoll", Program::Own("epoll")),
    before("before", "uring"),
    before("before-epoll", "epoll"),
    candidate("tokio-uring", Program::Row(Kind::TokioUring, Fault::None)),
    candidate("hyper", Program::Row(Kind::Hyper, Fault::None)),
    candidate("floor", Program::Row(Kind::Floor, Fault::None)),
    peer("nginx"),
    peer("nginx-buffered"),
    peer("h2o"),
    peer("lighttpd"),
    peer("static-web-server"),
    peer("caddy"),
    faulty("twin", Fault::None),
    faulty("slow", Fault::Slow),
    faulty("corrupt", Fault::Corrupt),
    faulty("failing", Fault::Fail),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn names_are_not_used_twice() {
        for (index, candidate) in CANDIDATES.iter().enumerate() {
            let mut others = CANDIDATES[..index].iter();
            assert!(others.all(|other| other.name != candidate.name));
        }
    }

    #[test]
    fn every_server_is_called_with_its_site_and_port() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::of_tests();
        for candidate in CANDIDATES {
            let setting = Setting {
                root: Path::new("/the-site"),
                workers: 1,
                folder: folder.path(),
                canned: Some("/1k.bin"),
                wire: Wire::Plain,
                upstream: None,
                certificate: &certificate,
                before: Some(Path::new("/usr/bin/whitering")),
            };
            let said = said(&candidate, setting);
            assert!(said.contains("/the-site"), "{}: {said}", candidate.name);
            assert!(said.contains("4711"), "{}: {said}", candidate.name);
        }
    }

    #[test]
    fn who_is_in_front_is_told_what_to_pass_on_to_and_its_certificate() {
        let check = |wire, upstream: Option<u16>, expected: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let certificate = Certificate::of_tests();
            for candidate in CANDIDATES.iter().filter(|each| each.can_be_in_front()) {
                let setting = Setting {
                    root: Path::new("/the-site"),
                    workers: 1,
                    folder: folder.path(),
                    canned: None,
                    wire,
                    upstream,
                    certificate: &certificate,
                    before: Some(Path::new("/usr/bin/whitering")),
                };
                let said = said(candidate, setting);
                for words in expected {
                    assert!(said.contains(words), "{}: {said}", candidate.name);
                }
            }
        };
        check(Wire::Plain, Some(4712), &["4711", "127.0.0.1:4712"]);
        check(Wire::Tls, None, &["4711", "/chain.pem", "/key.pem"]);
        check(Wire::Http2, None, &["4711", "/chain.pem", "/key.pem"]);
    }

    /// The words of the call and all configuration.
    fn said(candidate: &Candidate, setting: Setting<'_>) -> String {
        let call = candidate.call(setting, 4711).unwrap();
        let mut said = format!("{:?}", call.words);
        for entry in std::fs::read_dir(setting.folder).unwrap() {
            let path = entry.unwrap().path();
            said.push_str(&std::fs::read_to_string(&path).unwrap());
            std::fs::remove_file(path).unwrap();
        }
        said
    }
}
