//! One request, decided in advance: what is sent, what an upstream must see, what it answers, and
//! what the client must get. No I/O; everything follows from a seed.

use crate::prng::Prng;

/// A request and what has to come of it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// In the target and in `X-Id`; no two requests share one.
    pub(crate) id: u64,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) host: &'static str,
    /// Fields that have to arrive as they are.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Fields that are for the next hop only, and must not arrive.
    pub(crate) hop_fields: Vec<(&'static str, &'static str)>,
    pub(crate) upload: Upload,
    pub(crate) work: Work,
    pub(crate) abort: Option<Abort>,
}

/// The content of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    Nothing,
    /// As long as `Content-Length` says.
    Length(usize),
    Chunked(usize),
}

/// What answers a request.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// The files.
    Asset(Wanted),
    /// The files, with 405.
    Refusal,
    /// The upstream.
    Proxied(Reply),
    /// The upstream, event by event: each once the one before has been seen.
    Events(usize),
    /// The upstream, over WebSocket: messages of these lengths come back.
    Echo(Vec<usize>),
}

/// What is asked of an asset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The number of the file.
    pub(crate) file: usize,
    pub(crate) accept_encoding: Option<&'static str>,
    pub(crate) range: Option<Range>,
    /// Whether the client has it already.
    pub(crate) is_cached: bool,
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range {
    Between(usize, usize),
    From(usize),
    Last(usize),
}

/// What an upstream answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) frame: Frame,
    pub(crate) bytes: usize,
    /// Whether it comes in pieces with pauses.
    pub(crate) is_slow: bool,
    /// Whether 103 comes before.
    pub(crate) has_hints: bool,
    /// Whether it comes before the content of the request was read.
    pub(crate) is_early: bool,
    /// Whether the upstream closes its connection behind it.
    pub(crate) closes: bool,
}

/// How the end of an upstream's answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// There is no content (204, 304).
    Nothing,
    Length,
    Chunked,
    ChunkedWithTrailers,
    Close,
}

/// Where a client goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// When so many thousandths of its request have been sent.
    Sending(usize),
    /// When so many bytes of the answer's content have come.
    Receiving(usize),
}

/// Who a client is to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http1Tls,
    Http2Tls,
    Http2,
}

impl Protocol {
    pub(crate) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2Tls)
    }

    /// What upstreams are told.
    pub(crate) const fn scheme(self) -> &'static str {
        match self {
            Self::Http1 | Self::Http2 => "http",
            Self::Http1Tls | Self::Http2Tls => "https",
        }
    }
}

impl Upload {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Length(bytes) | Self::Chunked(bytes) => bytes,
        }
    }
}

impl Plan {
    /// Whether an upstream has to see it.
    pub(crate) const fn is_proxied(&self) -> bool {
        !matches!(self.work, Work::Asset(_) | Work::Refusal)
    }

    /// Whether the client waits for 100 before it sends its content.
    pub(crate) fn expects_continue(&self) -> bool {
        self.hop_fields.iter().any(|(name, _)| *name == "Expect")
    }

    /// The content it sends.
    pub(crate) fn upload_content(&self) -> Vec<u8> {
        content(self.id.wrapping_mul(2), self.upload.bytes())
    }

    /// The content that comes back from an upstream.
    pub(crate) fn reply_content(&self) -> Vec<u8> {
        match &self.work {
            Work::Proxied(reply) => content(self.id.wrapping_mul(2) + 1, reply.bytes),
            Work::Events(count) => (0..*count).flat_map(|index| self.event(index)).collect(),
            Work::Asset(_) | Work::Refusal | Work::Echo(_) => Vec::new(),
        }
    }

    /// One server-sent event.
    pub(crate) fn event(&self, index: usize) -> Vec<u8> {
        format!("id: {index}\ndata: {}\n\n", self.id).into_bytes()
    }

    /// One message over WebSocket.
    pub(crate) fn message(&self, index: usize, bytes: usize) -> Vec<u8> {
        content(!self.id ^ (index as u64) << 48, bytes)
    }

    /// The `Sec-WebSocket-Key` of an [`Work::Echo`].
    pub(crate) fn websocket_key(&self) -> String {
        // 16 bytes in base64 (RFC 6455 §4.1); the last character holds two bits.
        format!("{:0>21}A==", self.id)
    }
}

/// Bytes in which every stretch differs from those of other seeds.
pub(crate) fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut prng = Prng::new(seed.wrapping_mul(SALT));
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        content.extend_from_slice(&prng.next().to_le_bytes());
    }
    content.truncate(bytes);
    content
}

const SALT: u64 = 0x9E37_79B9_7F4A_7C15;
