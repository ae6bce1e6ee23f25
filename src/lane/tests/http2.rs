//! HTTP/2, by ALPN and by prior knowledge.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use ::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt;

use super::super::preface::PREFACE;
use super::super::{Entry, Message};
use super::{Running, name, on_both, tls};

#[test]
fn answers_over_http2() {
    on_both(|uses_uring| {
        let (server, client) = tls(b"h2");
        let running = Running::start(uses_uring, |options| options.tls = Some(server));
        let plain = running.connect(Entry::Plain, PREFACE);
        let over_tls = running.connect(Entry::Tls, b"");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let plain = tokio_unix(plain);
            let (ours, mut theirs) = tokio::io::duplex(1 << 16);
            // The preface has been received already.
            let pass = async move {
                let mut plain = plain;
                let mut preface = [0; PREFACE.len()];
                tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut preface)
                    .await
                    .unwrap();
                let _ = tokio::io::copy_bidirectional(&mut theirs, &mut plain).await;
            };
            let passing = tokio::spawn(pass);
            ask_twice(ours).await;
            passing.await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(client);
            let stream = connector
                .connect(name(), tokio_unix(over_tls))
                .await
                .unwrap();
            ask_twice(stream).await;
        });
        assert_eq!(running.end(Message::Close).cut_count, 0);
    });
}

fn tokio_unix(stream: UnixStream) -> tokio::net::UnixStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::UnixStream::from_std(stream).unwrap()
}

/// Asks over HTTP/2 for two things at once, of which one makes the service panic.
async fn ask_twice<I>(stream: I)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let executor = hyper_util::rt::TokioExecutor::new();
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream)
        .await
        .unwrap();
    let driving = tokio::spawn(connection);
    let request = |path: &str, body: &'static str| {
        Request::post(format!("https://h{path}"))
            .body(http_body_util::Full::new(Bytes::from_static(
                body.as_bytes(),
            )))
            .unwrap()
    };
    let fails = sender.send_request(request("/panic", ""));
    let succeeds = sender.send_request(request("/a", "b"));
    assert!(fails.await.is_err());
    let body = succeeds.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "POST https://h/a b");
    drop(sender);
    driving.await.unwrap().unwrap();
}

/// The bytes of a request over HTTP/2, with `fields` as literals that are never indexed.
fn raw_request(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![];
    for (name, value) in fields {
        block.push(0x10);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 0x5, 0, 0, 0, 1];
    frame.extend_from_slice(&block);
    frame
}

/// The payload of the first frame of `kind`.
fn payload(client: &mut UnixStream, kind: u8) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        client.read_exact(&mut payload).unwrap();
        if head[3] == kind {
            return payload;
        }
    }
}

/// RFC 9113 §8.2.1: HTTP/1.1 cannot say them, so another parser reads them differently.
#[test]
fn refuses_values_with_blanks_around_them() {
    let check = |value: &str, expected: &str| {
        let running = Running::start(true, |_| {});
        let mut client = running.connect(Entry::Plain, PREFACE);
        client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let pseudo = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/a"),
            (":authority", "h"),
        ];
        let mut fields = pseudo.to_vec();
        fields.push(("x", value));
        client.write_all(&raw_request(&fields)).unwrap();
        let body = String::from_utf8(payload(&mut client, 0)).unwrap();
        assert!(body.starts_with(expected), "{value:?}: {body}");
        drop(client);
        running.end(Message::Stop);
    };
    check("a b", "GET ");
    check("", "GET ");
    check(" a", "400 ");
    check("a ", "400 ");
    check("\ta", "400 ");
    check(" ", "400 ");
}

/// Frames that mean nothing cost the sender its connection, before its idle time is over.
#[test]
fn a_flood_of_frames_is_cut() {
    let running = Running::start(true, |_| {});
    let mut client = running.connect(Entry::Plain, PREFACE);
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    // Of a type that nobody knows (RFC 9113 §5.5).
    let mut frame = vec![0, 0x40, 0, 0xb7, 0, 0, 0, 0, 0];
    frame.resize(9 + 0x4000, 0);
    client.set_write_timeout(Some(super::PATIENCE)).unwrap();
    let mut sent = 0;
    while client.write_all(&frame).is_ok() {
        sent += frame.len();
        // As fast as it can be, it is some gigabytes until the next look.
        if sent > 8 << 20 {
            std::thread::sleep(super::SETTLING);
        }
        assert!(sent < 64 << 20, "it goes on");
    }
    assert!(sent > 4 << 20, "{sent}");
    running.end(Message::Close);
}

/// Was taken for a connection, since hyper does not look (RFC 9113 §3.4).
#[test]
fn a_preface_without_settings_is_refused() {
    on_both(|uses_uring| {
        let running = Running::start(uses_uring, |_| {});
        let mut client = running.connect(Entry::Plain, PREFACE);
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        client.write_all(&ping).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        let (settings, goaway) = answer.split_at(9);
        assert_eq!(settings, [0, 0, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!(goaway[..9], [0, 0, 8, 7, 0, 0, 0, 0, 0]);
        assert_eq!(goaway[9..], [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(running.end(Message::Close).cut_count, 0);
    });
}
