//! What application servers are sent: nothing that a client can use to pretend or to smuggle.

use super::*;

/// Asks with `fields` and looks for what is in the head the application reads, and for what is not.
fn check(line: &str, fields: &[&str], contains: &[&str], lacks: &[&str]) {
    check_with(false, line, fields, contains, lacks);
}

fn check_with(
    trust_forwarded: bool,
    line: &str,
    fields: &[&str],
    contains: &[&str],
    lacks: &[&str],
) {
    run(async || {
        let application = Application::start(&[Act::Last(OK)]).await;
        let options = Options {
            trust_forwarded,
            ..options(&[&application])
        };
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let text = format!("{line}\r\nConnection: close\r\n{fields}\r\n");
        let answer = ask(proxy(options).await, &text).await;
        assert_eq!(status(&answer), "200", "{text}{answer}");
        let seen = application.seen().concat();
        for part in contains {
            assert!(seen.contains(part), "{text}lacks {part:?}: {seen}");
        }
        let seen = seen.to_ascii_lowercase();
        for part in lacks {
            assert!(!seen.contains(part), "{text}has {part:?}: {seen}");
        }
    });
}

#[test]
fn a_client_can_neither_hide_nor_pretend_who_asks() {
    let line = "GET / HTTP/1.1";
    check(
        line,
        &[
            "Host: a",
            "X-Forwarded-For: 6.6.6.6",
            "X_Forwarded_For: 6.6.6.6",
        ],
        &["x-forwarded-for: 127.0.0.1\r\n"],
        &["6.6.6.6"],
    );
    check(
        line,
        &[
            "Host: a",
            "Connection: X-Forwarded-For, Host, Forwarded, X-Mine",
            "X-Mine: 1",
        ],
        &[
            "x-forwarded-for: 127.0.0.1\r\n",
            "host: a\r\n",
            "forwarded: for=127.0.0.1;",
        ],
        &["x-mine", "connection"],
    );
    // What a trusted proxy has said of its client cannot be taken away by that client.
    check_with(
        true,
        line,
        &[
            "Host: a",
            "X-Forwarded-For: 10.0.0.1",
            "X-Real-IP: 10.0.0.1",
            "Connection: X-Forwarded-For, X-Real-IP",
        ],
        &[
            "x-forwarded-for: 10.0.0.1, 127.0.0.1\r\n",
            "x-real-ip: 10.0.0.1\r\n",
        ],
        &["connection"],
    );
}

#[test]
fn targets_are_passed_on_as_they_are() {
    let target = |target: &str, expected: &str| {
        let line = format!("GET {target} HTTP/1.1");
        check(
            &line,
            &["Host: a"],
            &[&format!("GET {expected} HTTP/1.1\r\n")],
            &[],
        );
    };
    target("//b/%2e%2e/%2F?a=%00&b", "//b/%2e%2e/%2F?a=%00&b");
    target("/a;b=c/../d?", "/a;b=c/../d?");
    target("http://b.example/x?y", "/x?y");
    target("http://b.example", "/");
    target("http://b.example?y", "/?y");
    check(
        "GET http://b.example:81/x HTTP/1.1",
        &["Host: a"],
        &[
            "host: b.example:81\r\n",
            "x-forwarded-host: b.example:81\r\n",
        ],
        &["host: a\r\n"],
    );
    check(
        "OPTIONS * HTTP/1.1",
        &["Host: a"],
        &["OPTIONS * HTTP/1.1\r\n"],
        &[],
    );
    check(
        "GET / HTTP/1.0",
        &[],
        &["GET / HTTP/1.1\r\n", "host: 127.0.0.1:"],
        &[],
    );
}

#[test]
fn bodies_are_framed_anew() {
    let post = "POST / HTTP/1.1";
    check(
        post,
        &["Host: a"],
        &["content-length: 0\r\n"],
        &["transfer-encoding"],
    );
    check(
        post,
        &["Host: a", "Connection: Content-Length", "Content-Length: 0"],
        &["content-length: 0\r\n"],
        &[],
    );
    check(
        post,
        &["Host: a", "Transfer-Encoding: chunked", "\r\n0", ""],
        &["transfer-encoding: chunked\r\n"],
        &["content-length"],
    );
    check(
        "GET / HTTP/1.1",
        &["Host: a", "Expect: 100-continue"],
        &[],
        &["expect", "content-length"],
    );
}

#[test]
fn what_names_no_host_goes_nowhere() {
    let check = |fields: &str| {
        run(async || {
            let application = Application::start(&[Act::Last(OK)]).await;
            let address = proxy(options(&[&application])).await;
            let text = format!("GET / HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
            let answer = ask(address, &text).await;
            assert_eq!(status(&answer), "400", "{text}{answer}");
            assert_eq!(application.seen(), [""; 0], "{text}");
        });
    };
    check("Host: a\r\nHost: a\r\n");
    check("Host: a/b\r\n");
    check("Host: a b\r\n");
    check("Host: u@a\r\n");
    check("Host: a:b\r\n");
    check("Host: a\"\r\n");
    check("Host: [::1\r\n");
    check("Host:\r\n");
}

#[test]
fn forwards_are_counted() {
    let check = |line: &str, expected: &str, seen_count: usize| {
        run(async || {
            let application = Application::start(&[Act::Last(OK)]).await;
            let address = proxy(options(&[&application])).await;
            let answer = ask(address, &format!("{line}Connection: close\r\n\r\n")).await;
            assert_eq!(status(&answer), expected, "{line}{answer}");
            assert_eq!(application.seen().len(), seen_count, "{line}");
        });
    };
    check(
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n",
        "204",
        0,
    );
    check(
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n",
        "200",
        1,
    );
    check("GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n", "200", 1);
}

#[test]
fn methods_that_end_at_a_proxy_go_nowhere() {
    run(async || {
        let application = Application::start(&[Act::Last(OK)]).await;
        let address = proxy(options(&[&application])).await;
        for line in ["TRACE /", "CONNECT a:1"] {
            let text = format!("{line} HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n");
            let answer = ask(address, &text).await;
            assert_eq!(status(&answer), "405", "{line}: {answer}");
        }
        assert_eq!(application.seen(), [""; 0]);
    });
}
