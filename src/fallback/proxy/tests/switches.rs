//! Connections that switch protocols, and those that only ask for it.

use super::*;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\n\r\nfirst";
const ASK: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\n\r\n";

/// A client that has switched.
async fn switched(timeout: Duration) -> TcpStream {
    let application = Application::start(&[Act::Echo(SWITCH)]).await;
    let options = Options {
        timeout,
        ..options(&[&application])
    };
    let mut socket = TcpStream::connect(proxy(options).await).await.unwrap();
    socket.write_all(ASK.as_bytes()).await.unwrap();
    let head = head(&mut socket).await.unwrap();
    assert_eq!(status(&head), "101", "{head}");
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    if !head.ends_with("first") {
        socket.read_exact(&mut [0; 5]).await.unwrap();
    }
    socket
}

#[test]
fn bytes_go_both_ways() {
    run(async || {
        let mut socket = switched(PATIENCE).await;
        for text in [b"one", b"two"] {
            socket.write_all(text).await.unwrap();
            let mut echoed = [0; 3];
            socket.read_exact(&mut echoed).await.unwrap();
            assert_eq!(&echoed, text);
        }
    });
}

/// Was kept for ever: one side had ended, and the other said nothing more.
#[test]
fn a_side_that_has_ended_does_not_keep_the_other_for_ever() {
    run(async || {
        let mut socket = switched(Duration::from_millis(100)).await;
        socket.write_all(b"last").await.unwrap();
        socket.shutdown().await.unwrap();
        let mut rest = String::new();
        socket.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "last");
    });
}

#[test]
fn to_no_other_protocol_is_switched() {
    let check = |answer, expected| {
        run(async || {
            let application = Application::start(&[Act::Last(answer)]).await;
            let address = proxy(options(&[&application])).await;
            let ask_last = ASK.replace("Connection: ", "Connection: close, ");
            let answer = ask(address, &ask_last).await;
            assert_eq!(status(&answer), expected, "{answer}");
        });
    };
    check(SWITCH, "101");
    let other = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n";
    for upgrade in [
        "",
        "Upgrade:\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket, h2c\r\n",
    ] {
        let answer = format!("{other}{upgrade}Content-Length: 0\r\n\r\n");
        check(Box::leak(answer.into_boxed_str()), "502");
    }
}

#[test]
fn only_a_plain_wish_is_passed_on() {
    let check = |fields: &str, is_passed_on: bool| {
        run(async || {
            let application = Application::start(&[Act::Last(OK)]).await;
            let address = proxy(options(&[&application])).await;
            let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let answer = ask(address, &text).await;
            assert_eq!(status(&answer), "200", "{text}{answer}");
            let seen = application.seen().concat();
            assert_eq!(seen.contains("upgrade: "), is_passed_on, "{text}{seen}");
        });
    };
    check("Connection: close, upgrade\r\nUpgrade: websocket\r\n", true);
    check("Connection: close\r\nUpgrade: websocket\r\n", false);
    check("Connection: close, upgrade\r\nUpgrade: h2c\r\n", false);
    check(
        "Connection: close, upgrade\r\nUpgrade: websocket, h2c\r\n",
        false,
    );
    check("Connection: close, upgrade\r\nUpgrade: TLS/1.2\r\n", false);
    check(
        "Connection: close, upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n",
        false,
    );
    check(
        "Connection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\na",
        false,
    );
}
