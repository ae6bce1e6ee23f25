//! `whitering run`: an application server is started, awaited, asked, restarted and stopped. The
//! application is this test program itself: see [`application`].

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site};
use crate::support::{Engine, SOON, eventually, sandbox};

/// A server with the application behind a small site, not yet started.
fn run(engine: Engine, site: &Site, argument: &str) -> Serve {
    let program = std::env::current_exe().unwrap();
    let words = [
        program.to_str().unwrap(),
        APPLICATION,
        "--exact",
        "--nocapture",
        argument,
    ];
    Serve::new(engine, site.root())
        .environment(DIRECTORY, site.root().to_str().unwrap())
        .running(words)
}

/// The process id of the application that answers.
fn application_id(server: &Server) -> u32 {
    let response = server.get("/id").expect(200);
    response.text().parse().unwrap()
}

reactor_test!(files_come_first_and_the_rest_goes_on, |engine| {
    let site = Site::small();
    for argument in ["{port}", "{socket}"] {
        let mut server = run(engine, &site, argument).start();
        let mut client = server.connect();
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        assert_eq!(client.get("/api?x=1").expect(200).body, b"/api?x=1");
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        drop(client);
        let id = application_id(&server);
        server.signal(libc::SIGTERM);
        assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
});

reactor_test!(
    nothing_is_accepted_before_the_application_answers,
    |engine| {
        let site = Site::small();
        let server = run(engine, &site, "{port}")
            .environment(DELAY, "300")
            .start();
        // Written when it began to listen, which the server has waited for.
        assert!(site.path(LISTENS).exists(), "{}", server.stderr());
        assert!(server.stderr().contains("to listen on 127.0.0.1:"));
    }
);

reactor_test!(
    an_application_that_does_not_listen_is_named_with_its_address,
    |engine| {
        let site = Site::small();
        let serve = Serve::new(engine, site.root()).flags(["--wait", "200ms"]);
        let (code, stderr) = serve.running(["sleep", "600"]).fail();
        assert_eq!(code, 1, "{stderr}");
        assert!(
            stderr.contains("error: sleep does not listen on 127.0.0.1:"),
            "{stderr}"
        );
    }
);

reactor_test!(not_to_wait_is_to_answer_503_or_502, |engine| {
    let site = Site::small();
    let serve = Serve::new(engine, site.root()).flags(["--no-wait"]);
    let server = serve.running(["sleep", "600"]).start();
    server.get("/digits.txt").expect(200);
    let status = server.get("/api").status;
    assert!([502, 503].contains(&status), "{status}");
});

fn check_refused(serve: Serve, expected_code: i32, expected: &str) {
    let (code, stderr) = serve.fail();
    assert!(stderr.contains(expected), "{stderr}");
    assert_eq!(code, expected_code, "{stderr}");
}

reactor_test!(says_why_it_cannot_start, |engine| {
    let site = Site::small();
    let serve = || Serve::new(engine, site.root());
    let missing = "error: cannot start no-such-program: there is no such program; ";
    check_refused(serve().running(["no-such-program"]), 1, missing);
    let ended = "ended with code 5 before it answered";
    check_refused(serve().running(["sh", "-c", "exit 5"]), 5, ended);
    let ended = "ended with code 0 before it answered";
    check_refused(serve().running(["true"]), 1, ended);
    let both = serve().flags(["--upstream", "http://127.0.0.1:1"]);
    check_refused(both.running(["true"]), 2, "leave --upstream out");
    let elsewhere = serve().running(["gunicorn", "-b", ":8000", "app"]);
    check_refused(elsewhere, 1, "gunicorn has -b");
});

reactor_test!(
    the_end_of_the_application_is_the_end_of_the_server,
    |engine| {
        let site = Site::small();
        for (target, code) in [
            ("/exit/7", 7),
            ("/exit/0", 0),
            ("/kill", 128 + libc::SIGKILL),
        ] {
            let mut server = run(engine, &site, "{port}").start();
            server.connect().send_request("GET", target, &[]);
            assert_eq!(server.exit_code_within(SOON), code, "{}", server.stderr());
            let stderr = server.stderr();
            assert_eq!(stderr.matches("ERROR").count(), 1, "{stderr}");
        }
    }
);

reactor_test!(
    a_failed_application_is_started_again_at_the_same_place,
    |engine| {
        let site = Site::small();
        for argument in ["{port}", "{socket}"] {
            let serve = run(engine, &site, argument);
            let server = serve.flags(["--restart", "on-failure"]).start();
            let first = application_id(&server);
            server.connect().send_request("GET", "/kill", &[]);
            eventually("it answers again", SOON, || {
                let response = server.get("/id");
                // The files do not wait for it.
                server.get("/digits.txt").expect(200);
                response.status == 200 && response.text() != first.to_string()
            });
        }
    }
);

reactor_test!(the_application_ends_after_the_last_answer, |engine| {
    let site = Site::small();
    let mut server = run(engine, &site, "{port}").start();
    let id = application_id(&server);
    let mut client = server.connect();
    client.send_request("GET", "/slow", &[]);
    eventually("it has been asked", SOON, || site.path(ASKED).exists());
    server.signal(libc::SIGTERM);
    assert_eq!(client.response("GET").expect(200).body, b"/slow");
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
    assert!(!Path::new(&format!("/proc/{id}")).exists());
});

/// An application that refuses TERM.
const STUBBORN: &str = "trap '' TERM; while :; do sleep 0.1; done";

/// Was waited for to the end of its time, with all signals unheard.
#[test]
fn a_second_signal_ends_an_application_that_refuses_the_first() {
    let site = Site::small();
    let serve = Serve::new(Engine::Epoll, site.root()).flags(["--no-wait"]);
    let mut server = serve.running(["sh", "-c", STUBBORN]).start();
    let address = server.address();
    server.signal(libc::SIGTERM);
    eventually("it has drained", SOON, || {
        TcpStream::connect(address).is_err()
    });
    server.signal(libc::SIGTERM);
    assert_eq!(server.exit_code_within(SOON), 0, "{}", server.stderr());
}

/// Ended with 1 and an error, and with the time of the application.
#[test]
fn who_is_told_to_end_before_the_first_answer_ends_well() {
    let site = Site::small();
    for script in [
        "kill -TERM $PPID; sleep 600",
        "trap '' TERM; while :; do kill -TERM $PPID; sleep 0.1; done",
    ] {
        let serve = Serve::new(Engine::Epoll, site.root());
        let (code, stderr) = serve.running(["sh", "-c", script]).fail();
        assert_eq!(code, 0, "{stderr}");
        assert!(!stderr.contains("error"), "{stderr}");
    }
}

/// The application had it open, and took connections that it knew nothing of.
#[test]
fn a_listener_of_this_process_is_not_the_applications() {
    let site = Site::small();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, stderr) = Serve::new(Engine::Epoll, site.root())
        .after("exec 9<&0 0</dev/null")
        .stdin(OwnedFd::from(listener))
        .bind(Some("fd://9"))
        .flags(["--no-wait"])
        .running(["sh", "-c", "test -e /proc/self/fd/9; exit $((40 + $?))"])
        .fail();
    assert_eq!(code, 41, "{stderr}");
}

reactor_test!(a_reload_leaves_alone_who_does_not_understand_it, |engine| {
    let site = Site::small();
    let server = run(engine, &site, "{port}").start();
    let id = application_id(&server);
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH, libc::SIGTTIN] {
        server.signal(signal);
    }
    site.file("new.txt", "new");
    server.reload();
    server.get("/new.txt").expect(200);
    assert_eq!(application_id(&server), id);
});

reactor_test!(a_killed_server_leaves_no_application_behind, |engine| {
    let site = Site::small();
    let mut server = run(engine, &site, "{port}").start();
    let id = application_id(&server);
    server.kill();
    eventually("the application ends", SOON, || {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
});

reactor_test!(understands_the_variables_of_thruster, |engine| {
    let site = Site::small();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = run(engine, &site, "")
        .environment("THRUSTER_TARGET_PORT", &port.to_string())
        .environment("TLS_DOMAIN", "example.org")
        .environment("THRUSTER_CACHE_SIZE", "1")
        .start();
    let stderr = server.stderr();
    let names = "warning: without effect here: TLS_DOMAIN, THRUSTER_CACHE_SIZE;";
    assert!(stderr.contains(names), "{stderr}");
    assert!(
        stderr.contains(&format!("to listen on 127.0.0.1:{port}")),
        "{stderr}"
    );
    assert_eq!(server.get("/api").expect(200).body, b"/api");
});

/// The application, in a process of its own: echoes the target of each request, one for each
/// connection. Does nothing where it is run as a test.
#[test]
fn application() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let delay = std::env::var(DELAY).map_or(0, |delay| delay.parse().unwrap());
    thread::sleep(Duration::from_millis(delay));
    let last = std::env::args().next_back().unwrap();
    let listens = || fs::write(directory.join(LISTENS), "").unwrap();
    if last.starts_with('/') {
        let listener = UnixListener::bind(last).unwrap();
        listens();
        serve_all(listener.incoming().map(Result::unwrap), directory);
    } else {
        let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listens();
        serve_all(listener.incoming().map(Result::unwrap), directory);
    }
}

fn serve_all<S>(connections: impl Iterator<Item = S>, directory: &Path)
where
    S: Read + Write + Send + 'static,
{
    for connection in connections {
        let directory = directory.to_owned();
        // A connection that is only made, to see whether it listens, says nothing.
        thread::spawn(move || answer(connection, &directory));
    }
}

fn answer(connection: impl Read + Write, directory: &Path) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    while !lines.last().is_some_and(String::is_empty) {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0)?;
        lines.push(line.trim_end().to_owned());
    }
    let target = lines[0].split(' ').nth(1)?;
    let body = match target {
        "/id" => std::process::id().to_string(),
        "/kill" => {
            sandbox::signal(std::process::id(), libc::SIGKILL);
            String::new()
        }
        "/slow" => {
            fs::write(directory.join(ASKED), "").ok()?;
            thread::sleep(Duration::from_millis(500));
            target.to_owned()
        }
        _ => match target.strip_prefix("/exit/") {
            Some(code) => std::process::exit(code.parse().ok()?),
            None => target.to_owned(),
        },
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let connection = reader.get_mut();
    connection.write_all((head + &body).as_bytes()).ok()
}

/// The name of the test that is the application.
const APPLICATION: &str = "run::application";

/// Where it leaves its marks; set only where it is the application.
const DIRECTORY: &str = "APPLICATION_DIRECTORY";

/// Milliseconds until it listens.
const DELAY: &str = "APPLICATION_DELAY";

/// Files it makes: when it listens, and when it is asked for something slow.
const LISTENS: &str = "listens.mark";
const ASKED: &str = "asked.mark";
