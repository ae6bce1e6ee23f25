//! Application servers that fail, and what is tried again.

use super::super::exchange::FRESH_TIMEOUT;
use super::*;

const SHORT: Duration = Duration::from_millis(200);

fn request(method: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    )
}

/// Over a connection that the application closes instead of answering the second request: how the
/// client is answered, and how often the application has seen each request.
fn check_again(method: &str, body: &str, expected: &str, seen_count: usize) {
    run(async || {
        let acts = [Act::Answer(OK), Act::Last(""), Act::Answer(OK)];
        let application = Application::start(&acts).await;
        let address = proxy(options(&[&application])).await;
        assert_eq!(status(&ask(address, &request("GET", "")).await), "200");
        let answer = ask(address, &request(method, body)).await;
        assert_eq!(status(&answer), expected, "{method} {body:?}: {answer}");
        let seen = application.seen();
        assert_eq!(seen.len(), seen_count, "{method} {body:?}: {seen:?}");
    });
}

#[test]
fn only_what_may_be_done_twice_is_sent_twice() {
    check_again("GET", "", "200", 3);
    check_again("HEAD", "", "200", 3);
    check_again("DELETE", "", "200", 3);
    check_again("POST", "", "502", 2);
    check_again("POST", "a", "502", 2);
    check_again("PUT", "a", "502", 2);
    check_again("PATCH", "", "502", 2);
}

/// Application servers close what is idle, and what is on its way then is lost.
#[test]
fn what_may_be_sent_only_once_takes_no_connection_that_has_been_idle() {
    let check = |method, connection_count| {
        run(async || {
            let application = Application::start(&[Act::Answer(OK)]).await;
            let address = proxy(options(&[&application])).await;
            assert_eq!(status(&ask(address, &request("GET", "")).await), "200");
            assert_eq!(status(&ask(address, &request(method, "")).await), "200");
            assert_eq!(application.connection_count.get(), 1, "{method}");
            tokio::time::sleep(FRESH_TIMEOUT).await;
            assert_eq!(status(&ask(address, &request(method, "")).await), "200");
            let count = application.connection_count.get();
            assert_eq!(count, connection_count, "{method}");
        });
    };
    check("GET", 1);
    check("POST", 2);
}

#[test]
fn over_a_new_connection_nothing_is_sent_twice() {
    run(async || {
        let application = Application::start(&[Act::Last("")]).await;
        let address = proxy(options(&[&application])).await;
        let answer = ask(address, &request("GET", "")).await;
        assert_eq!(status(&answer), "502", "{answer}");
        assert_eq!(application.seen().len(), 1);
    });
}

/// A client that goes away in the middle must leave no connection behind on which its response is
/// still to come.
#[test]
fn an_aborted_request_takes_its_connection_with_it() {
    run(async || {
        let late = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nevil";
        let application = Application::start(&[Act::Answer(late), Act::Answer(OK)]).await;
        let address = proxy(options(&[&application])).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        let text = request("GET", "");
        socket.write_all(text.as_bytes()).await.unwrap();
        socket.read_exact(&mut [0; 12]).await.unwrap();
        drop(socket);
        let answer = ask(address, &text).await;
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    });
}

/// Was answered with 502: what is written to a connection that is closed over there fails, and
/// the answer that explains it was never read.
#[test]
fn a_refusal_that_comes_before_the_body_is_over_reaches_the_client() {
    run(async || {
        let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\
                       Connection: close\r\n\r\nno";
        let application = Application::start(&[Act::Break(refusal)]).await;
        let options = Options {
            upload_bytes_max: 1 << 30,
            ..options(&[&application])
        };
        let address = proxy(options).await;
        for _ in 0..20 {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
            let (mut reading, mut writing) = socket.into_split();
            let writing =
                spawn_local(
                    async move { while writing.write_all(&[b'x'; 65_536]).await.is_ok() {} },
                );
            let mut answer = [0; 12];
            reading.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer.as_slice(), b"HTTP/1.1 413");
            drop(reading);
            writing.abort();
        }
    });
}

#[test]
fn every_wait_has_an_end() {
    let check = |act, method, body: &str, expected| {
        run(async || {
            let application = Application::start(&[act]).await;
            let options = Options {
                timeout: SHORT,
                ..options(&[&application])
            };
            let address = proxy(options).await;
            let text = request(method, body);
            let answer = ask(address, &text).await;
            assert_eq!(status(&answer), expected, "{act:?}: {answer}");
        });
    };
    check(Act::Silence, "GET", "", "504");
    check(Act::Silence, "POST", "abc", "504");
    check(Act::Answer("HTTP/1.1 200 OK\r\nA: b"), "GET", "", "504");
    check(
        Act::Answer("HTTP/1.1 100 Continue\r\n\r\n"),
        "GET",
        "",
        "504",
    );
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab";
    check(Act::Answer(part), "GET", "", "200");
}

/// A head that comes byte by byte has the time of a whole one.
#[test]
fn a_head_that_trickles_is_too_late() {
    run(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let application = Application::at(listener.local_addr().unwrap());
        spawn_local(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nA: ").await;
            while socket.write_all(b"b").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        let options = Options {
            timeout: SHORT,
            ..options(&[&application])
        };
        let answer = ask(proxy(options).await, &request("GET", "")).await;
        assert_eq!(status(&answer), "504", "{answer}");
    });
}

#[test]
fn a_head_without_an_end_is_no_response() {
    run(async || {
        let endless: &'static str =
            Box::leak(format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(1 << 20)).into_boxed_str());
        let application = Application::start(&[Act::Break(endless)]).await;
        let address = proxy(options(&[&application])).await;
        let answer = ask(address, &request("GET", "")).await;
        assert_eq!(status(&answer), "502", "{answer}");
    });
}

/// It takes connections and answers none: half of all requests went there, for as long as it was
/// so, because only the connection was looked at.
#[test]
fn a_server_that_never_answers_is_left_out() {
    run(async || {
        let silent = Application::start(&[Act::Silence]).await;
        let other = Application::start(&[Act::Answer(OK)]).await;
        let options = Options {
            timeout: Duration::from_millis(300),
            ..options(&[&silent, &other])
        };
        let address = proxy(options).await;
        let text = request("GET", "");
        assert_eq!(status(&ask(address, &text).await), "504");
        for _ in 0..6 {
            assert_eq!(status(&ask(address, &text).await), "200");
        }
        assert_eq!(silent.seen().len(), 1);
    });
}

#[test]
fn a_server_that_is_not_there_is_passed_over() {
    run(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = Application::at(listener.local_addr().unwrap());
        drop(listener);
        let other = Application::start(&[Act::Answer(OK)]).await;
        let address = proxy(options(&[&gone, &other])).await;
        for method in ["GET", "POST"] {
            assert_eq!(status(&ask(address, &request(method, "")).await), "200");
        }
        let alone = proxy(options(&[&gone])).await;
        assert_eq!(status(&ask(alone, &request("GET", "")).await), "502");
    });
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    run(async || {
        let application = Application::start(&[Act::Silence]).await;
        let options = Options {
            upload_bytes_max: 3,
            ..options(&[&application])
        };
        let address = proxy(options).await;
        assert_eq!(status(&ask(address, &request("POST", "four")).await), "413");
        assert_eq!(application.seen(), [""; 0]);
        let chunks = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                      Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n";
        assert_eq!(status(&ask(address, chunks).await), "413");
    });
}
