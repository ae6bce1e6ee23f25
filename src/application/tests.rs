//! The whole module with real processes: shells, and where it is there, Python.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::*;

/// An application made of a shell script, and what it does.
struct Case {
    application: Application,
    events: Receiver<Event>,
    directory: tempfile::TempDir,
}

/// Says how to be started; `{dir}` in `script` is a directory of its own.
fn options(script: &str, directory: &Path) -> Options {
    let script = script.replace("{dir}", directory.to_str().unwrap());
    Options {
        command: ["sh", "-c", &script].map(OsString::from).into(),
        listen: Listen::Port,
        wait: Some(SOON),
        restart: Restart::Never,
        stop_timeout: SOON,
    }
}

fn start(script: &str, change: impl FnOnce(&mut Options)) -> Case {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(script, directory.path());
    change(&mut options);
    let (sender, events) = unbounded();
    Case {
        application: Application::start(options, sender).unwrap(),
        events,
        directory,
    }
}

impl Case {
    fn event(&self) -> Event {
        self.events.recv_timeout(SOON).expect("an event")
    }

    fn file(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        let started = Instant::now();
        loop {
            match fs::read_to_string(&path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => assert!(started.elapsed() < SOON, "no {name}"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn check_end(script: &str, expected: Exit) {
    let mut case = start(script, |_| {});
    let event = case.event();
    assert!(
        matches!(event, Event::Ended(exit) if exit == expected),
        "{script}: {event:?}"
    );
    assert_eq!(case.application.join(), Some(expected), "{script}");
    assert_eq!(case.application.join(), None, "only once");
}

#[test]
fn tells_how_it_ended() {
    check_end("exit 0", Exit::Code(0));
    check_end("exit 3", Exit::Code(3));
    check_end("exit 255", Exit::Code(255));
    check_end("kill -9 $$", Exit::Signal(9));
    // What blocks here must not be blocked there.
    crate::sys::signal::block();
    check_end("kill -TERM $$", Exit::Signal(15));
    assert_eq!(Exit::Signal(15).code(), 143);
}

#[test]
fn is_told_its_port() {
    let mut case = start("echo $PORT $HOST >{dir}/told; exec sleep 600", |options| {
        options.listen = Listen::PortNumber(4321);
    });
    assert_eq!(case.application.address(), &Address::Tcp(4321));
    assert!(case.file("told").starts_with("4321 "));
    case.application.stop();
    assert_eq!(case.application.join(), Some(Exit::Signal(15)));
    assert!(
        case.events.is_empty(),
        "nothing is said of an end that was asked for"
    );
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let check = |command: &str, expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options("", directory.path());
        options.command = vec![command.into()];
        let error = Application::start(options, unbounded().0).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        "no-such-program",
        "cannot start no-such-program: there is no such program",
    );
    check("/etc/passwd", "may not be executed");
    check("/", "may not be executed");
}

#[test]
fn ends_what_it_has_started_and_what_does_not_listen() {
    // The inner shell is not the process that was started, and refuses TERM.
    let script = "sh -c 'trap : TERM; echo $$ >{dir}/inner; while :; do sleep 0.1; done'; :";
    let mut case = start(script, |options| {
        options.stop_timeout = Duration::from_millis(200)
    });
    let inner = case.file("inner");
    case.application.stop();
    assert!(case.application.join().is_some());
    assert_gone(&inner);
}

#[test]
fn a_second_word_kills_at_once() {
    let mut case = start(
        "trap : TERM; echo >{dir}/up; while :; do sleep 0.1; done",
        |_| {},
    );
    case.file("up");
    case.application.stop();
    case.application.kill();
    assert_eq!(case.application.join(), Some(Exit::Signal(9)));
}

/// Was not heard while those were waited for that it had left behind.
#[test]
fn a_second_word_kills_whom_it_leaves_behind() {
    let stubborn = "trap '' TERM; echo $$ >{dir}/left; while :; do sleep 0.1; done";
    let script = format!("sh -c \"{}\" & wait", stubborn.replace('$', "\\$"));
    let mut case = start(&script, |options| {
        options.stop_timeout = Duration::from_secs(600);
    });
    let left = case.file("left");
    case.application.stop();
    let alone = case.application.over().recv_timeout(SOON / 20);
    assert!(alone.is_err_and(|error| error.is_timeout()), "it waits");
    case.application.kill();
    assert_eq!(case.application.join(), Some(Exit::Signal(15)));
    assert_gone(&left);
}

/// Requests would have gone to whoever listens there.
#[test]
fn a_port_that_is_taken_is_not_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let mut options = options("sleep 600", directory.path());
    options.listen = Listen::PortNumber(port);
    let error = Application::start(options, unbounded().0).unwrap_err();
    let expected = format!("port {port} is taken by another program");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn whom_it_leaves_behind_is_ended() {
    let mut case = start("sleep 600 & echo $! >{dir}/left; exit 0", |_| {});
    let left = case.file("left");
    assert!(matches!(case.event(), Event::Ended(Exit::Code(0))));
    case.application.join();
    assert_gone(&left);
}

#[test]
fn dropping_it_ends_it() {
    let case = start("echo $$ >{dir}/id; exec sleep 600", |_| {});
    let id = case.file("id");
    drop(case.application);
    assert_gone(&id);
}

#[test]
fn silence_is_an_error_that_names_the_address() {
    let mut case = start("exec sleep 600", |options| {
        options.wait = Some(Duration::from_millis(100));
        options.listen = Listen::PortNumber(1);
    });
    let Event::Silent(error) = case.event() else {
        panic!("not silent");
    };
    let expected = "sh does not listen on 127.0.0.1:1 after 0.1 s; ";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(case.application.join(), Some(Exit::Signal(15)));
}

fn check_restart(script: &str, restart: Restart, is_started_again: bool) {
    let script = format!("echo x >>{{dir}}/runs; {script}");
    let mut case = start(&script, |options| options.restart = restart);
    if is_started_again {
        let started = Instant::now();
        while case.file("runs").lines().count() < 2 {
            assert!(started.elapsed() < SOON, "{script}");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(case.events.is_empty());
        case.application.stop();
    } else {
        assert!(matches!(case.event(), Event::Ended(_)), "{script}");
    }
    case.application.join();
}

#[test]
fn starts_it_again_as_it_was_asked_to() {
    check_restart("exit 0", Restart::Always, true);
    check_restart("exit 1", Restart::OnFailure, true);
    check_restart("kill -9 $$", Restart::OnFailure, true);
    check_restart("exit 0", Restart::OnFailure, false);
    check_restart("exit 1", Restart::Never, false);
}

#[test]
fn what_never_answers_is_silent_over_restarts() {
    let mut case = start("exit 1", |options| {
        options.restart = Restart::Always;
        options.wait = Some(Duration::from_millis(700));
    });
    assert!(matches!(case.event(), Event::Silent(_)));
    case.application.join();
}

/// Listens on its first argument until there is a file of the name of its second one; then it
/// takes that away and ends, without tidying up.
const SERVER: &str = r#"
import os, signal, socket, sys, time
where, last = sys.argv[1:]
is_path = "/" in where
server = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(where if is_path else ("127.0.0.1", int(where)))
server.listen()
def note(number, frame): open(last + "-signals", "a").write("%d\n" % number)
for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2): signal.signal(number, note)
while not os.path.exists(last): time.sleep(0.02)
os.unlink(last)
os._exit(7)
"#;

fn check_answers(argument: &str, listen: Listen) {
    if !has_python() {
        return;
    }
    let script = format!("exec python3 -c '{SERVER}' {argument} {{dir}}/last");
    let mut case = start(&script, |options| {
        options.listen = listen;
        options.restart = Restart::Always;
    });
    assert!(matches!(case.event(), Event::Answers));
    let address = case.application.address().clone();
    // The socket of the first run is in the way of the second one.
    fs::write(case.directory.path().join("last"), "").unwrap();
    assert!(matches!(case.event(), Event::Answers), "again");
    assert_eq!(case.application.address(), &address);
    case.application.stop();
    assert_eq!(case.application.join(), Some(Exit::Signal(15)));
    if let Address::Unix(path) = address {
        assert!(!path.parent().unwrap().exists(), "{}", path.display());
    }
}

#[test]
fn answers_at_the_same_address_after_each_start() {
    check_answers("{port}", Listen::Auto);
    check_answers("$PORT", Listen::Auto);
    check_answers("{socket}", Listen::Auto);
}

#[test]
fn passes_on_the_signals_that_the_program_understands() {
    if !has_python() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Whatever is called so counts as it.
    let program = directory.path().join("gunicorn");
    let last = directory.path().join("last");
    let told = "$(eval set -- $GUNICORN_CMD_ARGS; echo ${2#unix:})";
    let script = format!(
        "#!/bin/sh\nexec python3 -c '{SERVER}' {told} {}\n",
        last.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut case = start("", |options| {
        options.command = vec![program.into()];
        options.listen = Listen::Auto;
    });
    assert!(matches!(case.application.address(), Address::Unix(_)));
    assert!(matches!(case.event(), Event::Answers));
    for signal in [
        Signal::Replace,
        Signal::Reload,
        Signal::Window,
        Signal::Reopen,
    ] {
        case.application.relay(signal);
        // Signals of different numbers may overtake each other.
        thread::sleep(Duration::from_millis(50));
    }
    let signals = directory.path().join("last-signals");
    let started = Instant::now();
    while fs::read_to_string(&signals).unwrap_or_default() != "1\n10\n" {
        assert!(
            started.elapsed() < SOON,
            "{:?}",
            fs::read_to_string(&signals)
        );
        thread::sleep(Duration::from_millis(10));
    }
    fs::write(last, "").unwrap();
    assert!(matches!(case.event(), Event::Ended(Exit::Code(7))));
    case.application.join();
}

fn has_python() -> bool {
    std::process::Command::new("python3")
        .arg("-V")
        .output()
        .is_ok()
}

/// Nobody has this number, or only what init has not yet waited for.
fn assert_gone(id: &str) {
    let path = format!("/proc/{}/stat", id.trim());
    let is_there = || {
        let text = fs::read_to_string(&path).ok()?;
        let (_, state) = text.rsplit_once(") ")?;
        (!state.starts_with('Z')).then_some(())
    };
    let started = Instant::now();
    while is_there().is_some() {
        assert!(started.elapsed() < SOON, "{id} is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

const SOON: Duration = Duration::from_secs(10);
