//! An application server for tests: keeps every request as it arrived, byte by byte, and answers
//! what it was told to. Reads bodies by the framing that it is told, and nothing behind them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What is answered: bytes, after which the connection stays open, or ends.
pub(crate) enum Reply {
    Keep(Vec<u8>),
    Close(Vec<u8>),
}

/// Answers requests until the process ends.
pub(crate) struct Upstream {
    pub(crate) address: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Upstream {
    /// One that answers every request with its own request line and body.
    pub(crate) fn echo() -> Self {
        Self::start(|request| {
            let mut body = format!("{} {}\n", request.method, request.target).into_bytes();
            body.extend_from_slice(&request.body);
            Reply::Keep(ok(&body))
        })
    }

    /// One that answers as `reply` says.
    pub(crate) fn start(reply: impl Fn(&Arrived) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            arrived: Arc::default(),
        };
        let (reply, arrived) = (Arc::new(reply), Arc::clone(&upstream.arrived));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (reply, arrived) = (Arc::clone(&reply), Arc::clone(&arrived));
                thread::spawn(move || serve(stream, &*reply, &arrived));
            }
        });
        upstream
    }

    /// All requests so far, in the order in which they were complete.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn only(&self) -> Arrived {
        let arrived = self.arrived();
        assert_eq!(arrived.len(), 1, "{arrived:?}");
        arrived[0].clone()
    }
}

impl Arrived {
    /// The values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// An answer with `body`.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    with_fields("200 OK", &[], body)
}

/// An answer with a status line's end, fields, and `body` in the length it has.
pub(crate) fn with_fields(status: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

fn serve(
    mut stream: TcpStream,
    reply: &(dyn Fn(&Arrived) -> Reply + Send + Sync),
    arrived: &Mutex<Vec<Arrived>>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    let mut received = Vec::new();
    loop {
        let request = request(&mut stream, &mut received)?;
        let answer = reply(&request);
        arrived.lock().unwrap().push(request);
        match answer {
            Reply::Keep(bytes) => stream.write_all(&bytes).ok()?,
            Reply::Close(bytes) => return stream.write_all(&bytes).ok(),
        }
    }
}

fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Arrived> {
    let head = until(stream, received, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let fields: Vec<_> = lines.filter_map(pair).collect();
    let value = |name: &str| fields.iter().find(|(other, _)| other == name);
    let mut body = Vec::new();
    if value("transfer-encoding").is_some() {
        loop {
            let line = until(stream, received, b"\r\n")?;
            let digits = String::from_utf8_lossy(&line).trim().to_owned();
            let bytes = usize::from_str_radix(&digits, 16).ok()?;
            let chunk = exactly(stream, received, bytes + 2)?;
            if bytes == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..bytes]);
        }
    } else if let Some((_, length)) = value("content-length") {
        body = exactly(stream, received, length.parse().ok()?)?;
    }
    Some(Arrived {
        method,
        target,
        fields,
        body,
    })
}

fn until(stream: &mut TcpStream, received: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = received.windows(end.len()).position(|bytes| bytes == end) {
            return Some(received.drain(..at + end.len()).collect());
        }
        fill(stream, received)?;
    }
}

fn exactly(stream: &mut TcpStream, received: &mut Vec<u8>, bytes: usize) -> Option<Vec<u8>> {
    while received.len() < bytes {
        fill(stream, received)?;
    }
    Some(received.drain(..bytes).collect())
}

fn fill(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk).ok().filter(|&count| count > 0)?;
    received.extend_from_slice(&chunk[..count]);
    Some(())
}
