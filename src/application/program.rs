//! What is known about application servers: how each learns where to listen, and which signals
//! it understands. Reads command lines; starts nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::sys::signal::Signal;

/// A program that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// What its command is called.
    pub(super) name: &'static str,
    /// How it is told where to listen, besides `PORT`.
    pub(super) told_by: ToldBy,
    /// Whether it is told of a Unix socket where the operator has no wish.
    pub(super) prefers_socket: bool,
    /// Arguments of its own that say where it listens, and win over what it is told.
    pub(super) listen_flags: &'static [&'static str],
    /// The signals it understands, whatever its own settings are: what it does not expect would
    /// end it.
    pub(super) relays: &'static [Signal],
}

/// Variables that say where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToldBy {
    /// `PORT` alone.
    Port,
    /// `GUNICORN_CMD_ARGS`, which holds arguments.
    GunicornArguments,
    /// One variable for each of host, port and socket.
    Variables {
        host: &'static str,
        port: &'static str,
        socket: &'static str,
    },
}

/// A command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recognised<'a> {
    /// What it is called in messages.
    pub(super) name: String,
    /// The program, if it is known.
    pub(super) program: Option<&'static Program>,
    /// Whether a signal for the process reaches the program itself.
    pub(super) is_direct: bool,
    /// The arguments of the program.
    pub(super) arguments: &'a [OsString],
}

/// Finds the program in `command`, also behind what runs it: `python -m`, `uv run`, `poetry run`,
/// `bundle exec` and the like.
pub(super) fn recognise(command: &[OsString]) -> Recognised<'_> {
    let mut rest = command;
    let mut is_direct = true;
    while let Some((first, arguments)) = rest.split_first() {
        let name = base_name(first);
        if let Some(program) = known(name) {
            let name = program.name.to_owned();
            let program = Some(program);
            return Recognised {
                name,
                program,
                is_direct,
                arguments,
            };
        }
        let Some(passes_signals) = passes_signals(name) else {
            break;
        };
        is_direct &= passes_signals;
        // Options of a wrapper may have values, so the next word that means something counts.
        let is_next = |word: &OsString| {
            let name = base_name(word);
            known(name).is_some() || self::passes_signals(name).is_some()
        };
        let next = arguments.iter().position(is_next);
        rest = next.map_or(&[], |index| &arguments[index..]);
    }
    let first = command.first().map(OsString::as_os_str);
    let name = String::from_utf8_lossy(base_name(first.unwrap_or_default())).into_owned();
    Recognised {
        name,
        program: None,
        is_direct: true,
        arguments: command.get(1..).unwrap_or_default(),
    }
}

impl Recognised<'_> {
    /// Whether `signal` may be passed on.
    pub(super) fn relays(&self, signal: Signal) -> bool {
        let understands = |program: &Program| program.relays.contains(&signal);
        self.is_direct && self.program.is_some_and(understands)
    }

    /// The argument that says where it listens, whatever it is told.
    pub(super) fn listen_flag(&self) -> Option<&'static str> {
        let flags = self.program?.listen_flags.iter().copied();
        flags
            .into_iter()
            .find(|flag| self.arguments.iter().any(|word| is_flag(word, flag)))
    }
}

fn known(name: &[u8]) -> Option<&'static Program> {
    PROGRAMS
        .iter()
        .find(|program| program.name.as_bytes() == name)
}

/// Whether what runs other programs lets signals reach them; none if it is not known to run any.
fn passes_signals(name: &[u8]) -> Option<bool> {
    let is_python = name
        .strip_prefix(b"python")
        .or_else(|| name.strip_prefix(b"pypy"))
        .is_some_and(|version| version.iter().all(|byte| b"0123456789.".contains(byte)));
    let has = |names: &[&str]| names.iter().any(|other| other.as_bytes() == name);
    if is_python || has(&BECOMES) {
        return Some(true);
    }
    has(&STARTS).then_some(false)
}

/// Whether `word` is `flag`, alone or with its value.
fn is_flag(word: &OsStr, flag: &str) -> bool {
    let Some(rest) = word.as_bytes().strip_prefix(flag.as_bytes()) else {
        return false;
    };
    let is_short = !flag.starts_with("--");
    rest.is_empty() || is_short || rest.starts_with(b"=")
}

fn base_name(word: &OsStr) -> &[u8] {
    Path::new(word).file_name().unwrap_or_default().as_bytes()
}

const PROGRAMS: [Program; 4] = [
    // USR2 starts a second one beside it, which nobody would look after; WINCH is for daemons.
    Program {
        name: "gunicorn",
        told_by: ToldBy::GunicornArguments,
        prefers_socket: true,
        listen_flags: &["--bind", "-b"],
        relays: &[Signal::Reload, Signal::Reopen, Signal::More, Signal::Fewer],
    },
    // HUP, TTIN and TTOU are understood with several workers only.
    Program {
        name: "uvicorn",
        told_by: ToldBy::Variables {
            host: "UVICORN_HOST",
            port: "UVICORN_PORT",
            socket: "UVICORN_UDS",
        },
        prefers_socket: true,
        listen_flags: &["--uds", "--fd"],
        relays: &[],
    },
    // Sockets came with 2.4; earlier ones would not notice that they are told of one.
    Program {
        name: "granian",
        told_by: ToldBy::Variables {
            host: "GRANIAN_HOST",
            port: "GRANIAN_PORT",
            socket: "GRANIAN_UDS",
        },
        prefers_socket: false,
        listen_flags: &["--host", "--port", "--uds"],
        relays: &[Signal::Reload],
    },
    // HUP ends it if it has no log files; TTIN and TTOU are understood in a cluster only.
    Program {
        name: "puma",
        told_by: ToldBy::Port,
        prefers_socket: false,
        listen_flags: &["--bind", "-b", "--port", "-p"],
        relays: &[Signal::Reopen, Signal::Replace],
    },
];

/// Commands that become the program they run, or pass every signal on to it.
const BECOMES: [&str; 10] = [
    "bundle",
    "ddtrace-run",
    "dumb-init",
    "env",
    "newrelic-admin",
    "nice",
    "opentelemetry-instrument",
    "pipenv",
    "poetry",
    "tini",
];

/// Commands that start the program they run, and end by signals they do not expect.
const STARTS: [&str; 4] = ["hatch", "pdm", "rye", "uv"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, name: &str, is_known: bool, is_direct: bool) {
        let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let found = recognise(&command);
        let seen = (&*found.name, found.program.is_some(), found.is_direct);
        assert_eq!(seen, (name, is_known, is_direct), "{line}");
    }

    #[test]
    fn finds_the_program_behind_what_runs_it() {
        check("gunicorn app:wsgi", "gunicorn", true, true);
        check("/venv/bin/gunicorn app:wsgi", "gunicorn", true, true);
        check("python -m gunicorn app:wsgi", "gunicorn", true, true);
        check("python3.13 -X dev -m uvicorn app:x", "uvicorn", true, true);
        check("python3 /venv/bin/gunicorn a", "gunicorn", true, true);
        check("poetry run gunicorn app", "gunicorn", true, true);
        check("uv run granian app:x", "granian", true, false);
        check(
            "uv run --env-file .env python -m gunicorn a",
            "gunicorn",
            true,
            false,
        );
        check("env A=b nice -n 5 bundle exec puma", "puma", true, true);
        check(
            "newrelic-admin run-program gunicorn a",
            "gunicorn",
            true,
            true,
        );
        check("node server.js", "node", false, true);
        check("node gunicorn", "node", false, true);
        check("python manage.py runserver", "python", false, true);
        check("uv run main.py", "uv", false, true);
        check("sh -c gunicorn", "sh", false, true);
        check("pythonic -m gunicorn", "pythonic", false, true);
    }

    fn check_flag(line: &str, expected: Option<&str>) {
        let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(recognise(&command).listen_flag(), expected, "{line}");
    }

    #[test]
    fn finds_the_flag_that_wins() {
        check_flag("gunicorn app", None);
        check_flag("gunicorn -b :8000 app", Some("-b"));
        check_flag("gunicorn -b:8000 app", Some("-b"));
        check_flag("gunicorn --bind=:8000 app", Some("--bind"));
        check_flag("gunicorn --binder app", None);
        check_flag("uvicorn --port 8000 app", None);
        check_flag("granian --port 8000 app", Some("--port"));
        check_flag("env --port=1 puma", None);
        check_flag("node --port 8000", None);
    }

    fn check_relay(line: &str, signal: Signal, expected: bool) {
        let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(
            recognise(&command).relays(signal),
            expected,
            "{line} {signal:?}"
        );
    }

    #[test]
    fn passes_on_what_is_understood() {
        check_relay("gunicorn app", Signal::Reload, true);
        check_relay("gunicorn app", Signal::Replace, false);
        check_relay("gunicorn app", Signal::End, false);
        check_relay("uv run gunicorn app", Signal::Reload, false);
        check_relay("uvicorn app", Signal::Reload, false);
        check_relay("puma", Signal::Reload, false);
        check_relay("puma", Signal::Reopen, true);
        // It would open its debugger.
        check_relay("node server.js", Signal::Reopen, false);
    }
}
