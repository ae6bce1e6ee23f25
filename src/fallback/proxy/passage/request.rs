//! The head of a request, rewritten from bytes to bytes: as [`super::super::forward`] does it, for
//! the requests that come most often. All others are none for this way.

use crate::fallback::Peer;
use crate::fallback::proxy::forward::Rules;
use crate::fallback::proxy::{fields, forwarded};
use crate::http::request::{BodyFraming, Fields, Method, Request, Version, head_end};

/// A request that may be asked on the short way.
pub struct Prepared {
    /// What the application server is sent.
    pub(super) head: Vec<u8>,
    pub(super) is_head: bool,
    pub(super) takes_html: bool,
    received_bytes: usize,
    persistent: bool,
}

impl Prepared {
    /// How long its head was.
    pub const fn received_bytes(&self) -> usize {
        self.received_bytes
    }

    /// Whether the client keeps the connection (RFC 9112 §9.3).
    pub const fn is_persistent(&self) -> bool {
        self.persistent
    }
}

/// Rewrites the head that `received` begins with.
pub(super) fn prepare(received: &[u8], peer: &Peer, rules: &Rules) -> Option<Prepared> {
    let length = received.len();
    let received_bytes = head_end(received, 0, length, length).ok()??;
    let head = &received[..received_bytes];
    let mut room = Fields::new();
    let request = Request::parse_over(head, &mut room, length, peer.is_tls).ok()?;
    if request.version != Version::Http11 || request.body != BodyFraming::None {
        return None;
    }
    let start = match request.method {
        Method::Get => b"GET ".as_slice(),
        Method::Head => b"HEAD ",
        Method::Options | Method::Other => return None,
    };
    let mut writing = Writing {
        out: Vec::with_capacity(received_bytes + ADDED_BYTES_USUAL),
        trusts: rules.trust_forwarded,
        ..Writing::default()
    };
    writing.out.extend_from_slice(start);
    writing.out.extend_from_slice(target(&head[start.len()..])?);
    writing.out.extend_from_slice(b" HTTP/1.1\r\n");
    for line in request.lines() {
        writing.field(line.name, line.value)?;
    }
    writing.asker(peer)?;
    Some(Prepared {
        head: writing.out,
        is_head: request.method == Method::Head,
        takes_html: writing.takes_html,
        received_bytes,
        persistent: request.persistent,
    })
}

/// The target that `rest` of the request line begins with, if it is a path and holds nothing that
/// two parsers could read differently.
fn target(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|&byte| byte == b' ')?;
    let target = &rest[..end];
    let is_plain = |&byte: &u8| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#'
            )
    };
    (target.starts_with(b"/") && target.iter().all(is_plain)).then_some(target)
}

/// A head in the making.
#[derive(Default)]
struct Writing<'a> {
    out: Vec<u8>,
    /// Whether what the client says about who asks is passed on.
    trusts: bool,
    takes_html: bool,
    has_accept: bool,
    host: Option<&'a [u8]>,
    /// What was said before about who asks, in the fields that are added to.
    forwarded: Option<&'a [u8]>,
    forwarded_for: Option<&'a [u8]>,
    has_proto: bool,
    has_host: bool,
}

impl<'a> Writing<'a> {
    /// Passes a field on, unless it ends here; none if it means that this is not the way.
    fn field(&mut self, name: &str, mut value: &'a [u8]) -> Option<()> {
        let start = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        self.out[start..].make_ascii_lowercase();
        let name = std::str::from_utf8(&self.out[start..]).ok()?;
        let ends_here = match name {
            "host" => {
                self.host = Some(value);
                false
            }
            "accept" => {
                // The first says which kind of page is wanted.
                let is_first = !std::mem::replace(&mut self.has_accept, true);
                self.takes_html |= is_first && memchr::memmem::find(value, b"text/html").is_some();
                false
            }
            "connection" if is_usual_connection(value) => true,
            "connection" | "te" | "upgrade" | "expect" | "max-forwards" | "transfer-encoding" => {
                return None;
            }
            "content-length" => {
                // However that was written: there is no body.
                value = b"0";
                false
            }
            "forwarded" if self.trusts => {
                once(&mut self.forwarded, value)?;
                true
            }
            "x-forwarded-for" if self.trusts => {
                once(&mut self.forwarded_for, value)?;
                true
            }
            "x-forwarded-proto" if self.trusts => {
                self.has_proto = true;
                false
            }
            "x-forwarded-host" if self.trusts => {
                self.has_host = true;
                false
            }
            name => {
                fields::is_hop_by_hop(name)
                    || fields::is_dangerous(name)
                    || !self.trusts && fields::is_forwarding(name)
            }
        };
        if ends_here {
            self.out.truncate(start);
        } else {
            self.out.extend_from_slice(b": ");
            self.out.extend_from_slice(value);
            self.out.extend_from_slice(b"\r\n");
        }
        Some(())
    }

    /// Says who asks (RFC 9110 §7.6.3, RFC 7239), and ends the head.
    fn asker(&mut self, peer: &Peer) -> Option<()> {
        let host = self.host?;
        let (address, proto) = forwarded::asker(Some(*peer));
        let out = &mut self.out;
        out.extend_from_slice(b"via: 1.1 whitering\r\nforwarded: ");
        list(out, self.forwarded);
        let written = forwarded::write_element(out, address, Some(host), proto);
        if address.is_some() {
            out.extend_from_slice(b"\r\nx-forwarded-for: ");
            list(out, self.forwarded_for);
            out.extend_from_within(written);
        } else if let Some(before) = self.forwarded_for {
            out.extend_from_slice(b"\r\nx-forwarded-for: ");
            out.extend_from_slice(before);
        }
        if !self.has_proto {
            out.extend_from_slice(b"\r\nx-forwarded-proto: ");
            out.extend_from_slice(proto.as_bytes());
        }
        if !self.has_host {
            out.extend_from_slice(b"\r\nx-forwarded-host: ");
            out.extend_from_slice(host);
        }
        out.extend_from_slice(b"\r\n\r\n");
        Some(())
    }
}

/// Begins a list with what was in it before.
fn list(out: &mut Vec<u8>, before: Option<&[u8]>) {
    if let Some(before) = before {
        out.extend_from_slice(before);
        out.extend_from_slice(b", ");
    }
}

/// A field that may come once here.
fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// Whether `Connection` names nothing but what becomes of the connection.
fn is_usual_connection(value: &[u8]) -> bool {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(|option| {
            option.is_empty()
                || option.eq_ignore_ascii_case(b"keep-alive")
                || option.eq_ignore_ascii_case(b"close")
        })
}

/// Room for what is added to most.
const ADDED_BYTES_USUAL: usize = 256;
