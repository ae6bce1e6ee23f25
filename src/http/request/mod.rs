//! Request heads: from received bytes to a checked request. httparse splits the fields; what it
//! tolerates and two parsers could read differently is refused here.

mod framing;
mod line;
mod parts;

use framing::FramingFields;
use httparse::Header;
use line::RequestLine;
pub use line::head_end;
pub use parts::{check_host, check_values};

use super::status::Status;

/// One request head, borrowing from the bytes it was parsed from.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method, as far as the server tells methods apart.
    pub method: Method,
    /// What the request is for.
    pub target: Target<'a>,
    /// The protocol version of the client.
    pub version: Version,
    /// Whether the client keeps the connection after the answer (RFC 9112 §9.3).
    pub persistent: bool,
    /// How long the body is.
    pub body: BodyFraming,
    /// Whether the client waits for a 100 before it sends the body (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// Whether another protocol is wanted behind it (RFC 9110 §7.8).
    pub upgrades: bool,
    lines: &'a [Header<'a>],
    present: u16,
}

/// The methods that are answered differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// RFC 9110 §9.3.1.
    Get,
    /// RFC 9110 §9.3.2.
    Head,
    /// RFC 9110 §9.3.7.
    Options,
    /// Any other token.
    Other,
}

/// The request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Origin-form, or absolute-form without its authority.
    Path {
        /// Raw path, starting with a slash.
        path: &'a [u8],
        /// Raw query without its question mark.
        query: Option<&'a [u8]>,
    },
    /// `*`, only with OPTIONS.
    Asterisk,
    /// Authority-form, only with CONNECT.
    Authority,
}

/// The protocol versions that are spoken; a higher 1.x is treated as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the end of a request body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    None,
    /// Exactly this many bytes; never zero.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
}

/// Why a request is refused: always the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not the grammar of RFC 9112, or framing that two parsers could read differently.
    #[error("malformed request")]
    Malformed,
    /// The head is longer than the limit, or has too many fields.
    #[error("request head too large")]
    HeadTooLarge,
    /// The target is longer than the limit.
    #[error("request target too long")]
    TargetTooLong,
    /// The body is longer than what is read and dropped.
    #[error("request body too large")]
    BodyTooLarge,
    /// An https target, over a connection without TLS.
    #[error("https target over plain TCP")]
    Misdirected,
    /// A major version that is not spoken here.
    #[error("unsupported HTTP version")]
    Version,
    /// A transfer coding other than chunked.
    #[error("unsupported transfer coding")]
    TransferCoding,
    /// An expectation other than 100-continue.
    #[error("unsupported expectation")]
    Expectation,
}

impl RequestError {
    /// What the request is refused with.
    pub const fn status(self) -> Status {
        match self {
            Self::Malformed => Status::BadRequest,
            Self::HeadTooLarge => Status::RequestHeaderFieldsTooLarge,
            Self::TargetTooLong => Status::UriTooLong,
            Self::BodyTooLarge => Status::ContentTooLarge,
            Self::Misdirected => Status::MisdirectedRequest,
            Self::Version => Status::HttpVersionNotSupported,
            Self::TransferCoding => Status::NotImplemented,
            Self::Expectation => Status::ExpectationFailed,
        }
    }
}

/// The field names whose lines are looked up after parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// `Accept-Encoding`
    AcceptEncoding,
    /// `Access-Control-Request-Method`
    AccessControlRequestMethod,
    /// `If-Match`
    IfMatch,
    /// `If-Modified-Since`
    IfModifiedSince,
    /// `If-None-Match`
    IfNoneMatch,
    /// `If-Range`
    IfRange,
    /// `If-Unmodified-Since`
    IfUnmodifiedSince,
    /// `Origin`
    Origin,
    /// `Range`
    Range,
}

/// Room for the fields of one head: on the caller's stack for as many as browsers send.
pub struct Fields<'a> {
    usual: [Header<'a>; FIELD_COUNT_USUAL],
    many: Vec<Header<'a>>,
}

impl Fields<'_> {
    /// Room without fields; allocates nothing.
    pub const fn new() -> Self {
        Self {
            usual: [httparse::EMPTY_HEADER; FIELD_COUNT_USUAL],
            many: Vec::new(),
        }
    }
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Request<'a> {
    /// Parses `head`, which [`head_end`] has delimited.
    ///
    /// # Errors
    /// [`RequestError`]: what to refuse the request with.
    pub fn parse(
        head: &'a [u8],
        fields: &'a mut Fields<'a>,
        target_bytes_max: usize,
    ) -> Result<Self, RequestError> {
        Self::parse_over(head, fields, target_bytes_max, false)
    }

    /// [`Self::parse`] over a connection that may be secured: then https targets are at home.
    ///
    /// # Errors
    /// [`RequestError`]: what to refuse the request with.
    pub fn parse_over(
        head: &'a [u8],
        fields: &'a mut Fields<'a>,
        target_bytes_max: usize,
        over_tls: bool,
    ) -> Result<Self, RequestError> {
        let line = RequestLine::split(head, target_bytes_max)?;
        let lines = parse_fields(&head[line.bytes..], fields)?;
        let method = match line.method {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"OPTIONS" => Method::Options,
            _ => Method::Other,
        };
        let target = line::parse_target(line.method, line.target, over_tls)?;
        let framing = FramingFields::collect(lines)?;
        framing.check_host(line.version)?;
        Ok(Self {
            method,
            target,
            version: line.version,
            persistent: match line.version {
                Version::Http11 => !framing.close,
                Version::Http10 => framing.keep_alive && !framing.close,
            },
            body: framing.body(line.version)?,
            expects_continue: framing.expects_continue(line.version)?,
            upgrades: framing.upgrade,
            lines,
            present: framing.present,
        })
    }

    /// All field lines, in order.
    pub const fn lines(&self) -> &'a [Header<'a>] {
        self.lines
    }

    /// The values of every line of `field`, in order.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let lines = if self.has(field) { self.lines } else { &[] };
        lines
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(field.name()))
            .map(|line| line.value)
    }

    /// Whether a line of `field` is there.
    pub const fn has(&self, field: Field) -> bool {
        self.present & field.bit() != 0
    }

    /// Whether any precondition is there (RFC 9110 §13.1, `If-Range` aside).
    pub const fn is_conditional(&self) -> bool {
        const CONDITIONS: u16 = Field::IfMatch.bit()
            | Field::IfNoneMatch.bit()
            | Field::IfModifiedSince.bit()
            | Field::IfUnmodifiedSince.bit();
        self.present & CONDITIONS != 0
    }
}

impl Field {
    const fn bit(self) -> u16 {
        1 << self as u8
    }

    fn of(name: &str) -> Option<Self> {
        // Length and last letter tell these apart, and from nearly all other names.
        let field = match (name.len(), name.as_bytes().last()?.to_ascii_lowercase()) {
            (5, b'e') => Self::Range,
            (6, b'n') => Self::Origin,
            (8, b'h') => Self::IfMatch,
            (8, b'e') => Self::IfRange,
            (13, b'h') => Self::IfNoneMatch,
            (15, b'g') => Self::AcceptEncoding,
            (17, b'e') => Self::IfModifiedSince,
            (19, b'e') => Self::IfUnmodifiedSince,
            (29, b'd') => Self::AccessControlRequestMethod,
            _ => return None,
        };
        name.eq_ignore_ascii_case(field.name()).then_some(field)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AcceptEncoding => "accept-encoding",
            Self::AccessControlRequestMethod => "access-control-request-method",
            Self::IfMatch => "if-match",
            Self::IfModifiedSince => "if-modified-since",
            Self::IfNoneMatch => "if-none-match",
            Self::IfRange => "if-range",
            Self::IfUnmodifiedSince => "if-unmodified-since",
            Self::Origin => "origin",
            Self::Range => "range",
        }
    }
}

/// Splits the field lines; `input` ends with the empty line.
fn parse_fields<'a>(
    input: &'a [u8],
    room: &'a mut Fields<'a>,
) -> Result<&'a [Header<'a>], RequestError> {
    let parsed = match httparse::parse_headers(input, &mut room.usual) {
        // Rare enough to be begun again.
        Err(httparse::Error::TooManyHeaders) => {
            room.many.resize(FIELD_COUNT_MAX, httparse::EMPTY_HEADER);
            httparse::parse_headers(input, &mut room.many)
        }
        parsed => parsed,
    };
    match parsed {
        Ok(httparse::Status::Complete((bytes, lines))) if bytes == input.len() => Ok(lines),
        Err(httparse::Error::TooManyHeaders) => Err(RequestError::HeadTooLarge),
        Ok(_) | Err(_) => Err(RequestError::Malformed),
    }
}

/// `tchar` of RFC 9110 §5.6.2.
pub(super) const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        | b'`' | b'|' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

/// More fields than this are refused with 431.
pub const FIELD_COUNT_MAX: usize = 100;

/// As many fields as cost no allocation.
const FIELD_COUNT_USUAL: usize = 32;

#[cfg(test)]
mod tests;
