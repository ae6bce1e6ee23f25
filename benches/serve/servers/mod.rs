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
            Program::Own(_) => ServerKind::Engine,
            Program::Row(..) => ServerKind::Row,
            Program::Peer(_) => ServerKind::Peer,
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
            Program::Own(_) | Program::Row(..) => None,
        }
    }

    /// Whether it is there, in which version, and how it is started.
    pub(crate) fn describe(&self) -> Server {
        let (version, missing) = match self.program {
            Program::Own(_) | Program::Row(..) => (env!("CARGO_PKG_VERSION").to_owned(), None),
            Program::Peer(name) => match peers::version(peers::named(name)) {
                Ok(version) => (version, None),
                Err(missing) => (String::new(), Some(missing)),
            },
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
            Program::Own(engine) => Ok(own::call(engine, setting, port)),
            Program::Row(kind, fault) => rows::call(kind, fault, setting, port),
            Program::Peer(name) => peers::call(peers::named(name), setting, port),
        }
    }

    /// The command with words for what changes.
    fn command_shown(&self) -> String {
        match self.program {
            Program::Own(engine) => own::shown(engine),
            Program::Row(kind, fault) => rows::shown(kind, fault),
            Program::Peer(name) => peers::shown(peers::named(name)),
        }
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
pub(crate) static CANDIDATES: [Candidate; 15] = [
    candidate("ring", Program::Own("uring")),
    candidate("epoll", Program::Own("epoll")),
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
        for candidate in CANDIDATES {
            let setting = Setting {
                root: Path::new("/the-site"),
                workers: 1,
                folder: folder.path(),
                canned: Some("/1k.bin"),
            };
            let call = candidate.call(setting, 4711).unwrap();
            let mut said = format!("{:?}", call.words);
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                said.push_str(&std::fs::read_to_string(&path).unwrap());
                std::fs::remove_file(path).unwrap();
            }
            assert!(said.contains("/the-site"), "{}: {said}", candidate.name);
            assert!(said.contains("4711"), "{}: {said}", candidate.name);
        }
    }
}
