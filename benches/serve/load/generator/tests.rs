//! The generator against small servers of std that are right, wrong, silent and gone.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Ask, Outcome, Plan, Wire};
use super::{Moment, run, run_observed};

/// What a server does with the request whose place on its connection is given.
type Serve = fn(&mut TcpStream, u64) -> std::io::Result<()>;

/// A server at a port of its own, with a thread for each connection, until the process ends.
fn server(serve: Serve) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || converse(stream, serve));
        }
    });
    port
}

fn converse(mut stream: TcpStream, serve: Serve) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let (mut place, mut close) = (0, false);
    while let Some(line) = lines.next().transpose()? {
        close |= line == "Connection: close";
        if line.is_empty() {
            serve(&mut stream, place)?;
            place += 1;
            if close {
                return stream.shutdown(Shutdown::Both);
            }
        }
    }
    Ok(())
}

fn plan(port: u16) -> Plan {
    Plan {
        port,
        wire: Wire::Plain,
        requests: vec![ask("GET", "/a"), ask("GET", "/b")],
        connections: 3,
        pipeline: 1,
        close: false,
        rate: None,
        idle_connections: 0,
        // Silence of so long is an error, and a busy machine is silent at times.
        seconds: 1.0,
        warm_up_seconds: 0.05,
    }
}

fn ask(method: &str, target: &str) -> Ask {
    Ask {
        method: method.to_owned(),
        target: target.to_owned(),
        fields: vec![("Accept".to_owned(), "*/*".to_owned())],
        status: 200,
    }
}

fn small(stream: &mut TcpStream, _: u64) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
}

fn large(stream: &mut TcpStream, _: u64) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n")?;
    stream.write_all(&[b'x'; 3_000_000])
}

/// Runs `plan`; none where this kernel has no ring.
fn outcome(plan: &Plan) -> Option<Outcome> {
    match run(plan) {
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => panic!("{error}"),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => panic!("{error}"),
        outcome => outcome.ok(),
    }
}

/// Runs `plan`, in which nothing may go wrong.
#[track_caller]
fn check_right(plan: &Plan) -> Option<Outcome> {
    let outcome = outcome(plan)?;
    assert_eq!(outcome.error_count, 0, "{outcome:?}");
    assert!(outcome.request_count > 0, "{outcome:?}");
    assert!(
        outcome.received_bytes > outcome.request_count,
        "{outcome:?}"
    );
    let latency = outcome.latency.unwrap();
    assert!(latency.p50 <= latency.p90 && latency.p90 <= latency.p99 && latency.p99 <= latency.max);
    assert!(outcome.seconds >= plan.seconds, "{outcome:?}");
    Some(outcome)
}

/// Runs a plan in which something goes wrong, which is told with `words`.
#[track_caller]
fn check_wrong(plan: &Plan, words: &str) {
    let started = Instant::now();
    let Some(outcome) = outcome(plan) else { return };
    assert!(outcome.error_count > 0, "{outcome:?}");
    assert!(
        outcome.first_error.as_ref().unwrap().contains(words),
        "{outcome:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(30), "it hung");
}

#[test]
fn asks_and_counts() {
    let port = server(small);
    check_right(&plan(port));
    check_right(&Plan {
        pipeline: 7,
        ..plan(port)
    });
    check_right(&Plan {
        close: true,
        ..plan(port)
    });
    check_right(&Plan {
        idle_connections: 200,
        ..plan(port)
    });
}

#[test]
fn receives_large_bodies() {
    let port = server(large);
    for plan in [
        plan(port),
        Plan {
            close: true,
            ..plan(port)
        },
        Plan {
            pipeline: 2,
            ..plan(port)
        },
    ] {
        if let Some(outcome) = check_right(&plan) {
            assert!(outcome.received_bytes >= (outcome.request_count - 3) * 3_000_000);
        }
    }
}

#[test]
fn keeps_to_a_rate() {
    let port = server(small);
    for close in [false, true] {
        let plan = Plan {
            rate: Some(500.0),
            close,
            ..plan(port)
        };
        if let Some(outcome) = check_right(&plan) {
            // Not faster; how much slower is the machine's affair. What was due while it warmed
            // up may be answered late.
            let due_count = 500.0 * (plan.warm_up_seconds + outcome.seconds) + 1.0;
            assert!(outcome.request_count as f64 <= due_count, "{outcome:?}");
        }
    }
}

/// A server that pauses does not pause what is asked of it: the wait of every request that was
/// due meanwhile shows (coordinated omission).
#[test]
fn counts_from_when_a_request_was_due() {
    let port = server(|stream, place| {
        if place == 30 {
            thread::sleep(Duration::from_millis(300));
        }
        small(stream, place)
    });
    let plan = Plan {
        connections: 1,
        rate: Some(200.0),
        ..plan(port)
    };
    let Some(outcome) = check_right(&plan) else {
        return;
    };
    let latency = outcome.latency.unwrap();
    assert!(latency.max > 250_000.0, "{outcome:?}");
    // 60 of 200 requests were due while it slept, the later the shorter their wait.
    assert!(latency.p90 > 150_000.0, "{outcome:?}");
}

/// What a server that is too slow leaves unanswered counts as slow.
#[test]
fn counts_what_was_not_answered() {
    let port = server(|stream, place| {
        thread::sleep(Duration::from_millis(20 * place.min(1)));
        small(stream, place)
    });
    let plan = Plan {
        connections: 1,
        rate: Some(1_000.0),
        ..plan(port)
    };
    let Some(outcome) = check_right(&plan) else {
        return;
    };
    assert!(outcome.request_count < 75, "{outcome:?}");
    assert!(outcome.latency.unwrap().p50 > 100_000.0, "{outcome:?}");
}

#[test]
fn tells_what_went_wrong() {
    let check = |serve, words| check_wrong(&plan(server(serve)), words);
    check(
        |stream, _| stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        "status 404, not 200",
    );
    check(|stream, _| stream.write_all(b"What?\n"), "status line");
    check(
        |stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "chunked",
    );
    check(
        |stream, place| {
            // In one write: what comes later would begin the next answer.
            let more = &"!"[..usize::from(place == 5)];
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx{more}");
            stream.write_all(answer.as_bytes())
        },
        "bytes behind the end",
    );
    check(
        |stream, place| {
            let body = "x".repeat(1 + usize::from(place > 5));
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        },
        "2 bytes, after 1",
    );
}

#[test]
fn tells_how_a_connection_was_lost() {
    let check = |serve, words| check_wrong(&plan(server(serve)), words);
    let cut: Serve = |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell")?;
        stream.shutdown(Shutdown::Both)
    };
    check(cut, "within an answer");
    let cut: Serve = |stream, place| match place {
        0..=3 => small(stream, place),
        _ => stream.shutdown(Shutdown::Both),
    };
    check(cut, "without an answer");
    let cut: Serve = |stream, place| {
        small(stream, place)?;
        thread::sleep(Duration::from_millis(100));
        stream.shutdown(Shutdown::Both)
    };
    // Whether a request was on its way by then is a matter of chance.
    let lost = Plan {
        rate: Some(3.0),
        ..plan(server(cut))
    };
    if let Some(outcome) = outcome(&lost) {
        let first = outcome.first_error.unwrap_or_default();
        let words = ["that was to stay", "without an answer"];
        assert!(words.iter().any(|words| first.contains(words)), "{first}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    check_wrong(&plan(port), "cannot connect");
}

#[test]
fn ends_when_the_server_hangs() {
    let port = server(|stream, place| match place {
        0..=3 => small(stream, place),
        _ => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    });
    for pipeline in [1, 4] {
        check_wrong(
            &Plan {
                pipeline,
                ..plan(port)
            },
            "nothing came for",
        );
    }
    check_wrong(
        &Plan {
            rate: Some(1_000.0),
            ..plan(port)
        },
        "nothing came for",
    );
}

#[test]
fn says_when_measuring_begins_and_ends() {
    let mut moments = Vec::new();
    let port = server(small);
    if run_observed(&plan(port), |moment| moments.push((moment, Instant::now()))).is_ok() {
        let [(Moment::Begin, begin), (Moment::End, end)] = moments[..] else {
            panic!("{moments:?}");
        };
        assert!((end - begin).as_secs_f64() >= 1.0);
    }
}

#[test]
fn refuses_plans_that_make_no_sense() {
    let check = |plan: Plan| {
        let error = run(&plan).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{plan:?}");
    };
    check(Plan {
        connections: 0,
        ..plan(1)
    });
    check(Plan {
        requests: vec![],
        ..plan(1)
    });
    check(Plan {
        rate: Some(0.0),
        ..plan(1)
    });
    check(Plan {
        close: true,
        pipeline: 2,
        ..plan(1)
    });
}
