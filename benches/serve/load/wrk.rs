//! A plan for wrk: its arguments, the script that asks, and what its last line says.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;

use super::super::results::Latency;
use super::super::servers::process::pinned;
use super::{Ask, CIPHER_SUITE, LOAD_CPU, Outcome, Plan, Wire};

/// Carries out `plan`; the script goes to `folder`.
///
/// # Errors
/// If wrk is missing or fails, or the plan is nothing for it.
pub(crate) fn carry_out(plan: &Plan, folder: &Path) -> io::Result<Outcome> {
    if let Some(reason) = refusal(plan) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    }
    let path = folder.join("wrk.lua");
    fs::write(&path, script(plan))?;
    let mut command = pinned(LOAD_CPU);
    if plan.wire == Wire::Tls {
        let path = folder.join("openssl.cnf");
        fs::write(&path, openssl_configuration())?;
        command.env("OPENSSL_CONF", path);
    }
    command.args(["wrk", "-t1", "--timeout", "10s"]);
    command.arg(format!("-c{}", plan.connections));
    command.arg(format!("-d{}s", whole_seconds(plan.seconds)));
    command.arg("-s").arg(&path).arg(url(plan));
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    parse(&said).ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("wrk: {} {}", error.trim(), said.trim()))
    })
}

/// What wrk cannot do about `plan`.
pub(crate) fn refusal(plan: &Plan) -> Option<&'static str> {
    // wrk would wait for the body of an answer to HEAD.
    if plan.requests.iter().any(|ask| ask.method == "HEAD") {
        Some("wrk does not know HEAD")
    } else if plan.rate.is_some() {
        Some("wrk has no fixed rate")
    } else if plan.idle_connections > 0 {
        Some("wrk has no idle connections")
    } else if plan.requests.is_empty() {
        Some("there is nothing to ask")
    } else if plan.wire == Wire::Http2 {
        Some("wrk does not know HTTP/2")
    } else {
        None
    }
}

fn url(plan: &Plan) -> String {
    let scheme = if plan.wire == Wire::Plain {
        "http"
    } else {
        "https"
    };
    let target = &plan.requests[0].target;
    format!("{scheme}://127.0.0.1:{}{target}", plan.port)
}

/// wrk has no argument for the cipher; its OpenSSL has a file.
fn openssl_configuration() -> String {
    format!(
        "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = offered\n\
         [offered]\nMinProtocol = TLSv1.3\nCiphersuites = {CIPHER_SUITE}\n"
    )
}

fn whole_seconds(seconds: f64) -> u64 {
    seconds.ceil().max(1.0) as u64
}

/// One request is formatted once and then sent without asking Lua; several are taken in turn.
fn script(plan: &Plan) -> String {
    let mut script = String::new();
    match plan.requests.as_slice() {
        [ask] if plan.pipeline <= 1 => {
            let method = quoted(&ask.method);
            let _ = writeln!(script, "wrk.method = {method}");
            for (name, value) in fields(plan, ask) {
                let (name, value) = (quoted(&name), quoted(&value));
                let _ = writeln!(script, "wrk.headers[{name}] = {value}");
            }
        }
        _ => {
            script.push_str("local requests = {\n");
            for request in batches(plan) {
                let _ = writeln!(script, "  {},", quoted(&request));
            }
            script.push_str(TAKE_TURNS);
        }
    }
    script.push_str(DONE);
    script
}

/// The requests as bytes, as many together as are to be on the way at once. A batch begins where
/// the one before ended, round and round, until each request was first once.
fn batches(plan: &Plan) -> Vec<String> {
    let size = plan.pipeline.max(1) as usize;
    let count = plan.requests.len();
    let mut around = plan.requests.iter().cycle();
    let batch_count = if count.is_multiple_of(size) {
        count / size
    } else {
        count
    };
    let batch = |_| {
        around
            .by_ref()
            .take(size)
            .map(|ask| raw(plan, ask))
            .collect()
    };
    (0..batch_count.max(1)).map(batch).collect()
}

fn raw(plan: &Plan, ask: &Ask) -> String {
    let mut request = format!(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n",
        ask.method, ask.target, plan.port
    );
    for (name, value) in fields(plan, ask) {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    request
}

fn fields(plan: &Plan, ask: &Ask) -> Vec<(String, String)> {
    let mut fields = ask.fields.clone();
    if plan.close {
        fields.push(("Connection".to_owned(), "close".to_owned()));
    }
    fields
}

/// `text` as a string of Lua, whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' || byte == b' ' {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "\\{byte:03}");
        }
    }
    quoted.push('"');
    quoted
}

const TAKE_TURNS: &str = "}
local count, at = #requests, 0
request = function()
  at = at % count + 1
  return requests[at]
end
";

/// Whole microseconds, but for the duration nothing that a double of Lua would round.
const DONE: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%d,"duration":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d}\n',
    summary.requests, summary.bytes, summary.duration,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
"#;

/// What the script's last line holds; times in microseconds.
#[derive(Debug, Deserialize)]
struct Summary {
    requests: u64,
    bytes: u64,
    duration: u64,
    connect: u64,
    read: u64,
    write: u64,
    status: u64,
    timeout: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

fn parse(said: &str) -> Option<Outcome> {
    let line = said.lines().find(|line| line.starts_with('{'))?;
    let summary: Summary = serde_json::from_str(line).ok()?;
    let errors = [
        (summary.connect, "could not connect"),
        (summary.read, "a connection was lost while reading"),
        (summary.write, "a connection was lost while writing"),
        (summary.status, "a status of 400 or more"),
        (summary.timeout, "no answer within 10 s"),
    ];
    let first = errors.iter().find(|(count, _)| *count > 0);
    Some(Outcome {
        // wrk counts answers of any status.
        request_count: summary.requests.saturating_sub(summary.status),
        error_count: errors.iter().map(|(count, _)| count).sum(),
        first_error: first.map(|(_, words)| (*words).to_owned()),
        received_bytes: summary.bytes,
        seconds: summary.duration as f64 / 1e6,
        latency: Some(Latency {
            p50: summary.p50 as f64,
            p90: summary.p90 as f64,
            p99: summary.p99 as f64,
            max: summary.max as f64,
        }),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn one_request_needs_no_lua_while_loading() {
        let script = script(&plan(&["/a"], 1));
        assert!(script.contains("wrk.method = \"GET\""), "{script}");
        assert!(script.contains("wrk.headers[\"Accept-Encoding\"] = \"br\""));
        assert!(!script.contains("request = function"));
    }

    #[test]
    fn several_are_asked_in_turn() {
        let script = script(&plan(&["/a", "/b"], 1));
        assert!(script.contains("request = function"));
        let (a, b) = (
            script.find("GET /a HTTP").unwrap(),
            script.find("GET /b").unwrap(),
        );
        assert!(a < b);
    }

    #[test]
    fn pipelined_requests_are_sent_together() {
        let check = |targets: &[&str], pipeline, expected: &[&str]| {
            let batches = batches(&plan(targets, pipeline));
            let targets = |batch: &String| -> String {
                let lines = batch.lines().filter_map(|line| line.strip_prefix("GET /"));
                lines.filter_map(|line| line.chars().next()).collect()
            };
            let found: Vec<String> = batches.iter().map(targets).collect();
            assert_eq!(found, expected);
        };
        check(&["/a"], 3, &["aaa"]);
        check(&["/a", "/b"], 2, &["ab"]);
        check(&["/a", "/b", "/c"], 2, &["ab", "ca", "bc"]);
    }

    #[test]
    fn closing_is_asked_for() {
        let mut plan = plan(&["/a"], 1);
        plan.close = true;
        assert!(script(&plan).contains("wrk.headers[\"Connection\"] = \"close\""));
    }

    #[test]
    fn quotes_whatever_it_is() {
        let check = |text, expected| assert_eq!(quoted(text), expected);
        check("W/\"a\\b\"", r#""W/\034a\092b\034""#);
        check("a\r\n1", r#""a\013\0101""#);
    }

    #[test]
    fn reads_what_wrk_says() {
        let line = r#"{"requests":100,"bytes":5000,"duration":1000500,"connect":0,"read":0,"write":0,"status":3,"timeout":0,"p50":10,"p90":20,"p99":30,"max":40}"#;
        let outcome = parse(&format!("Running 1s test\n  1 threads\n{line}\n")).unwrap();
        assert_eq!((outcome.request_count, outcome.error_count), (97, 3));
        assert_eq!(outcome.first_error.unwrap(), "a status of 400 or more");
        assert!((outcome.seconds - 1.0005).abs() < 1e-9);
        assert!(parse("unable to connect").is_none());
    }

    #[test]
    fn knows_what_it_cannot_do() {
        let mut plan = plan(&["/a"], 1);
        assert_eq!(refusal(&plan), None);
        plan.rate = Some(1.0);
        assert!(refusal(&plan).is_some());
        plan.rate = None;
        plan.wire = Wire::Http2;
        assert!(refusal(&plan).is_some());
        plan.wire = Wire::Tls;
        assert_eq!(refusal(&plan), None);
        assert!(url(&plan).starts_with("https://"));
        plan.requests[0].method = "HEAD".into();
        assert!(refusal(&plan).is_some());
    }

    fn plan(targets: &[&str], pipeline: u32) -> Plan {
        let ask = |target: &&str| Ask {
            method: "GET".into(),
            target: (*target).into(),
            fields: vec![("Accept-Encoding".into(), "br".into())],
            status: 200,
        };
        Plan {
            port: 1,
            wire: Wire::Plain,
            requests: targets.iter().map(ask).collect(),
            connections: 1,
            pipeline,
            close: false,
            rate: None,
            idle_connections: 0,
            seconds: 0.5,
            warm_up_seconds: 0.0,
        }
    }
}
