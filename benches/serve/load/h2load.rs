//! A plan for h2load: its arguments, and what it says at its end.

use std::io;
use std::process::Stdio;

use super::super::servers::process::pinned;
use super::{CIPHER_SUITE, LOAD_CPU, Outcome, Plan};

/// Carries out `plan`, which is for one request, asked again and again.
///
/// # Errors
/// If h2load is missing or fails, or the plan is for several requests.
pub(crate) fn carry_out(plan: &Plan) -> io::Result<Outcome> {
    let [ask] = plan.requests.as_slice() else {
        let reason = "h2load is given one request";
        return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
    };
    let mut command = pinned(LOAD_CPU);
    command.args(["h2load", "-t1"]);
    command.arg(format!("-c{}", plan.connections));
    command.arg(format!("-m{}", plan.pipeline.max(1)));
    command.arg(format!("--duration={}ms", plan.seconds * 1000.0));
    command.arg(format!("--tls13-ciphers={CIPHER_SUITE}"));
    for (name, value) in &ask.fields {
        command.arg(format!("--header={name}: {value}"));
    }
    command.arg(format!("https://127.0.0.1:{}{}", plan.port, ask.target));
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    parse(&said, plan.seconds, ask.status).ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("h2load: {} {}", error.trim(), said.trim()))
    })
}

/// What its last lines say; none if they are not there, or HTTP/2 was not spoken.
fn parse(said: &str, seconds: f64, status: u16) -> Option<Outcome> {
    let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start));
    if line("Application protocol: ")? != "h2" {
        return None;
    }
    let requests = line("requests: ")?;
    let codes = line("status codes: ")?;
    let succeeded = number_before(requests, " succeeded")?;
    let failed = number_before(requests, " failed")?;
    let class = format!(" {}xx", status / 100);
    let right = number_before(codes, &class)?;
    let wrong = succeeded.saturating_sub(right);
    // What was under way at the end is neither.
    let first_error = match (failed, wrong) {
        (0, 0) => None,
        (0, _) => Some("a status of another class"),
        _ => Some("a request failed"),
    };
    Some(Outcome {
        request_count: right.min(succeeded),
        error_count: failed + wrong,
        first_error: first_error.map(str::to_owned),
        received_bytes: data_bytes(line("traffic: ")?)?,
        seconds,
        // It keeps the mean only, which says little.
        latency: None,
    })
}

/// The number that stands before `word`.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let (before, _) = line.split_once(word)?;
    before.rsplit([' ', '(']).next()?.parse().ok()
}

/// Of `12.34MB (12340000) total, …, 11.2MB (11200000) data`, the last in parentheses.
fn data_bytes(line: &str) -> Option<u64> {
    let (before, _) = line.split_once(") data")?;
    before.rsplit('(').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]
    use super::*;

    #[test]
    fn reads_what_h2load_says() {
        let outcome = parse(SAID, 1.0, 200).unwrap();
        assert_eq!((outcome.request_count, outcome.error_count), (24_000, 0));
        assert_eq!(outcome.received_bytes, 245_760_000);
        assert_eq!(outcome.first_error, None);
        assert!(parse("failed to resolve", 1.0, 200).is_none());
        assert!(
            parse(
                &SAID.replace("protocol: h2", "protocol: http/1.1"),
                1.0,
                200
            )
            .is_none()
        );
    }

    #[test]
    fn counts_what_went_wrong() {
        let check = |from: &str, to: &str, errors, requests| {
            let outcome = parse(&SAID.replace(from, to), 1.0, 200).unwrap();
            assert_eq!(
                (outcome.error_count, outcome.request_count),
                (errors, requests)
            );
            assert!(outcome.first_error.is_some());
        };
        check(" 0 failed", " 7 failed", 7, 24_000);
        check(
            "24000 2xx, 0 3xx, 0 4xx",
            "23990 2xx, 0 3xx, 10 4xx",
            10,
            23_990,
        );
    }

    const SAID: &str = "TLS Protocol: TLSv1.3\n\
        Cipher: TLS_AES_128_GCM_SHA256\n\
        Application protocol: h2\n\
        \n\
        finished in 1.00s, 24000.00 req/s, 235.1MB/s\n\
        requests: 24000 total, 24160 started, 24000 done, 24000 succeeded, 0 failed, 0 errored, 0 timeout\n\
        status codes: 24000 2xx, 0 3xx, 0 4xx, 0 5xx\n\
        traffic: 234.98MB (246396160) total, 234.47KB (240100) headers (space savings 94.29%), 234.38MB (245760000) data\n";
}
