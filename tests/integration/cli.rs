//! What an operator meets: the start-up line, addresses, errors with their exit codes, `doctor`.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};

use crate::support::client::Client;
use crate::support::sandbox::is_root;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site};
use crate::support::{Engine, SOON, eventually, skip};

reactor_test!(says_where_it_listens, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    let said = server.stderr();
    let line = said
        .lines()
        .find(|line| line.contains("listening on"))
        .unwrap();
    for part in [
        engine.name(),
        "2 workers",
        " files, ",
        " in memory, indexed in ",
    ] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");

    let extra = ["--bind", "127.0.0.1:0"];
    let server = Serve::new(engine, site.root()).flags(extra).start();
    assert_eq!(
        server
            .stderr()
            .matches("listening on http://127.0.0.1:")
            .count(),
        2,
        "{}",
        server.stderr()
    );
});

reactor_test!(listens_on_a_unix_socket, |engine| {
    let site = Site::small();
    let directory = Site::empty();
    let path = directory.path("socket");
    let bind = format!("unix:{}", path.display());
    let serves = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut client = Client::new(stream);
        for _ in 0..2 {
            assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        }
    };
    let mut server = Serve::new(engine, site.root()).bind(Some(&bind)).start();
    assert!(
        server.stderr().contains(&format!("listening on {bind}")),
        "{}",
        server.stderr()
    );
    serves();
    // A socket that nobody listens on any more must not be in the way of the next start. The
    // kernel takes a ring apart some time after its process has ended.
    server.kill();
    eventually("the socket is dead", SOON, || {
        UnixStream::connect(&path).is_err()
    });
    let mut server = Serve::new(engine, site.root()).bind(Some(&bind)).start();
    serves();
    server.signal(libc::SIGTERM);
    assert_eq!(server.exit_code_within(SOON), 0);
});

reactor_test!(takes_a_socket_it_is_given, |engine| {
    let site = Site::small();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Serve::new(engine, site.root())
        .bind(Some("fd://0"))
        .stdin(OwnedFd::from(listener));
    let _server = serve.start();
    for _ in 0..5 {
        let mut client = Client::connect(address);
        assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
        client.finish();
    }
});

reactor_test!(honours_the_environment, |engine| {
    let site = Site::small();
    let port = free_port().to_string();
    let serve = Serve::new(engine, site.root())
        .bind(None)
        .environment("PORT", &port);
    let server = serve.environment("WHITERING_MAX_AGE", "7").start();
    assert_eq!(server.address().port().to_string(), port);
    let answer = server.get("/digits.txt").expect(200);
    assert_eq!(answer.field("Cache-Control"), Some("max-age=7, public"));
    drop(server);

    let serve = Serve::new(engine, site.root()).environment("WHITERING_MAX_AGE", "7");
    let server = serve
        .environment("PORT", "1")
        .flags(["--max-age", "8"])
        .start();
    let answer = server.get("/digits.txt").expect(200);
    assert_eq!(
        answer.field("Cache-Control"),
        Some("max-age=8, public"),
        "a flag goes first"
    );
});

/// A start that must fail with `code` and one line that holds every one of `parts`.
#[track_caller]
fn check_failure(serve: Serve, code: i32, parts: &[&str]) {
    let (actual, stderr) = serve.fail();
    assert_eq!(actual, code, "{stderr}");
    assert_eq!(
        stderr.trim_end().lines().count(),
        1,
        "not one line: {stderr}"
    );
    for part in parts {
        assert!(stderr.contains(part), "no {part:?}: {stderr}");
    }
}

reactor_test!(says_what_hinders_the_start, |engine| {
    let site = Site::small();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_failure(
        Serve::new(engine, site.root()).bind(Some(&address)),
        1,
        &[&address],
    );
    check_failure(Serve::new(engine, &site.path("absent")), 1, &["absent"]);
    check_failure(
        Serve::new(engine, &site.path("digits.txt")),
        1,
        &["digits.txt"],
    );
    let absent = ["--not-found", "absent.html"];
    check_failure(
        Serve::new(engine, site.root()).flags(absent),
        1,
        &["absent.html"],
    );
    let nowhere = [
        "--upstream",
        "http://127.0.0.1:1",
        "--sendfile-root",
        "/proc/nowhere",
    ];
    check_failure(
        Serve::new(engine, site.root()).flags(nowhere),
        1,
        &["/proc/nowhere", "--sendfile-root"],
    );
    let nowhere = "unix:/proc/nowhere/socket";
    check_failure(
        Serve::new(engine, site.root()).bind(Some(nowhere)),
        1,
        &["/proc/nowhere/socket"],
    );
});

reactor_test!(a_second_server_does_not_steal_the_port, |engine| {
    let site = Site::small();
    let first = Serve::new(engine, site.root()).start();
    let address = first.address().to_string();
    check_failure(
        Serve::new(engine, site.root()).bind(Some(&address)),
        1,
        &[&address],
    );
    first.get("/").expect(200);
});

reactor_test!(says_what_it_may_not_read, |engine| {
    let directory = Site::empty();
    std::fs::create_dir(directory.path("closed")).unwrap();
    std::fs::set_permissions(directory.path("closed"), Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(directory.root(), Permissions::from_mode(0o755)).unwrap();
    let mut serve = Serve::new(engine, &directory.path("closed"));
    if is_root() {
        let nobody = [
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ];
        let binary = env!("CARGO_BIN_EXE_whitering");
        let probe = Command::new(nobody[0])
            .args(&nobody[1..])
            .args([binary, "--version"])
            .output();
        if !probe.is_ok_and(|output| output.status.success()) {
            return skip("root reads everything, and nobody may not run the binary");
        }
        serve = serve.wrapped(&nobody);
    }
    check_failure(serve, 1, &["closed", "ermission"]);
});

#[test]
fn refuses_wrong_usage() {
    let site = Site::small();
    let root = site.root().to_str().unwrap();
    for (arguments, part) in [
        (&["serve", root, "--no-such-flag"][..], "--no-such-flag"),
        (&["serve"], "nothing to serve"),
        (&["no-such-command"], "no-such-command"),
        (&["serve", root, "--engine", "kqueue"], "kqueue"),
        (&["serve", root, "--workers", "0"], "workers"),
        (&["serve", root, "--bind", "nonsense"], "nonsense"),
        (&["serve", root, "--max-age", "soon"], "soon"),
        (&["serve", root, "--head-timeout", "soon"], "soon"),
        (&["serve", root, "--memory-budget", "much"], "much"),
        (&["serve", root, "--header", "nonsense"], "nonsense"),
        (
            &["serve", root, "--header", "*: Content-Length: 5"],
            "Content-Length",
        ),
        (&["serve", root, "--immutable", "("], "immutable"),
        (&["serve", root, "--not-found", "a", "--spa", "b"], "--spa"),
    ] {
        let output = whitering(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "no {part:?}: {stderr}");
        assert!(
            output.stdout.is_empty(),
            "an error on standard output: {arguments:?}"
        );
    }
}

#[test]
fn helps() {
    for (arguments, part) in [
        (&["--help"][..], "serve"),
        (&["serve", "--help"], "--drain-timeout"),
        (&["--version"], "whitering"),
    ] {
        let output = whitering(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(part),
            "{arguments:?}"
        );
    }
}

#[test]
fn doctor_knows_the_machine() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let text = whitering(&["doctor"]);
    assert_eq!(text.status.code(), Some(0));
    let text = String::from_utf8(text.stdout).unwrap();
    for part in [
        release.trim(),
        "io_uring",
        "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK",
        "somaxconn",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let json = whitering(&["doctor", "--format", "json"]);
    assert_eq!(json.status.code(), Some(0));
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(value.is_object(), "{value}");
    let said = value.to_string();
    assert!(
        said.contains(release.trim()) && said.contains("engine"),
        "{said}"
    );
}

#[test]
fn the_default_engine_serves() {
    let site = Site::small();
    let server: Server = Serve::new(Engine::Epoll, site.root())
        .engine("auto")
        .start();
    server.get("/").expect(200);
}

/// Runs the binary to its end.
fn whitering(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whitering"));
    command.args(arguments).env_clear().output().unwrap()
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
