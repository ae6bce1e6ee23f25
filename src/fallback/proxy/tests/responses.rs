//! What clients are sent of what application servers answer.

use super::*;

/// Answers `method` with `answer`, and looks for what is in that which the client reads, and for
/// what is not. Another request follows: nothing of the first may be in its answer.
fn check(method: &str, answer: &'static str, expected: &str, contains: &[&str], lacks: &[&str]) {
    run(async || {
        let application = Application::start(&[Act::Answer(answer), Act::Answer(OK)]).await;
        let address = proxy(options(&[&application])).await;
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let seen = ask(address, &text).await;
        assert_eq!(status(&seen), expected, "{answer}{seen}");
        for part in contains {
            assert!(seen.contains(part), "{answer}lacks {part:?}: {seen}");
        }
        for part in lacks {
            assert!(!seen.contains(part), "{answer}has {part:?}: {seen}");
        }
        let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let seen = ask(address, text).await;
        assert_eq!(status(&seen), "200", "{answer}{seen}");
        assert!(seen.ends_with("\r\n\r\nok"), "{answer}{seen}");
    });
}

#[test]
fn what_follows_a_response_is_nobodys() {
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\
               Content-Length: 4\r\n\r\nevil";
    check("GET", two, "200", &["\r\n\r\na"], &["evil"]);
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    check("HEAD", body, "200", &["content-length: 4"], &["evil"]);
    let empty = "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil";
    check("GET", empty, "204", &[], &["evil", "content-length"]);
    let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil";
    check("GET", unchanged, "304", &[], &["evil"]);
}

#[test]
fn what_is_framed_in_two_ways_is_no_response() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
                0\r\n\r\n";
    check("GET", both, "502", &[], &[]);
    let other = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    check("GET", other, "502", &[], &[]);
    let lengths = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nevil";
    check("GET", lengths, "502", &[], &["evil"]);
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    check("GET", switch, "502", &[], &[]);
    check("GET", "garbage\r\n\r\n", "502", &[], &["garbage"]);
    check(
        "GET",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "502",
        &[],
        &[],
    );
}

#[test]
fn what_belongs_to_the_connection_stays_there() {
    let fields = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-own\r\n\
                  Keep-Alive: timeout=5\r\nX-Own: 1\r\nProxy-Connection: a\r\nUpgrade: h2c\r\n\
                  Set-Cookie: a\r\nSet-Cookie: b\r\n\r\nok";
    check(
        "GET",
        fields,
        "200",
        &["set-cookie: a\r\nset-cookie: b\r\n"],
        &["x-own", "keep-alive", "proxy-connection", "upgrade"],
    );
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                  3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    check("GET", chunks, "200", &["\r\n3\r\nabc\r\n0\r\n"], &["x-sum"]);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\
                 Content-Length: 2\r\n\r\nok";
    check("GET", early, "200", &["\r\n\r\nok"], &["103", "link"]);
}

#[test]
fn a_response_that_breaks_off_does_not_look_whole() {
    let check = |answer, whole: &str| {
        run(async || {
            let application = Application::start(&[Act::Last(answer)]).await;
            let address = proxy(options(&[&application])).await;
            let seen = ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            // What has come may have been sent on, or not.
            assert!(["200", "none"].contains(&status(&seen)), "{seen}");
            let body = seen.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            assert!(whole.starts_with(body) && body != whole, "{seen}");
        });
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "abc");
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    check(chunks, "2\r\nab\r\n0\r\n\r\n");
}
