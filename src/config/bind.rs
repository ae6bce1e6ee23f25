//! One address to listen on, in gunicorn's grammar. Parses and prints; opens nothing.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::Ipv6Addr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// An address to listen on.
///
/// ```
/// use whitering::Bind;
///
/// let bind = Bind::parse("[::1]:8080")?;
/// assert_eq!(bind, Bind::Tcp { host: "::1".to_owned(), port: 8080 });
/// assert_eq!(bind.to_string(), "[::1]:8080");
/// assert_eq!(Bind::parse("unix:/run/w.sock")?, Bind::Unix("/run/w.sock".into()));
/// # Ok::<(), whitering::BindError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// `HOST:PORT`, `[V6]:PORT` or `:PORT`.
    Tcp {
        /// A host name or an IP address, without brackets.
        host: String,
        /// The port; the kernel chooses a free one for 0.
        port: u16,
    },
    /// `unix:PATH`: a socket in the file system.
    Unix(PathBuf),
    /// `fd://N`: a listening socket inherited from the parent process.
    Fd(i32),
}

impl Bind {
    /// Parses `HOST:PORT`, `[V6]:PORT`, `:PORT` (every IPv4 address), `unix:PATH` or `fd://N`.
    ///
    /// # Errors
    /// [`BindError`]: what is wrong, and how to write it.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, BindError> {
        let bytes = text.as_ref().as_bytes();
        if let Some(path) = bytes.strip_prefix(b"unix:") {
            return unix(path.strip_prefix(b"//").unwrap_or(path));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BindError::Host)?;
        if let Some(number) = text.strip_prefix("fd://") {
            let number = number.parse().ok().filter(|number| *number >= 0);
            return number.map(Self::Fd).ok_or(BindError::Descriptor);
        }
        tcp(text.strip_prefix("tcp://").unwrap_or(text))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => {
                write!(formatter, "[{host}]:{port}")
            }
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Fd(number) => write!(formatter, "fd://{number}"),
        }
    }
}

/// Why a text is no address; all for the operator to mend.
///
/// ```
/// use whitering::{Bind, BindError};
///
/// let error = Bind::parse("127.0.0.1").unwrap_err();
/// assert_eq!(error, BindError::PortMissing);
/// assert!(error.to_string().contains("write HOST:PORT"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// An `http://` address.
    #[error("an address has no scheme; write HOST:PORT")]
    Scheme,
    /// Nothing after a colon, or no colon.
    #[error("the port is missing; write HOST:PORT, such as 127.0.0.1:8080 or :8080")]
    PortMissing,
    /// The port is no 16-bit number.
    #[error("the port must be a number from 0 to 65535")]
    Port,
    /// An IPv6 address without brackets, or brackets around something else.
    #[error("an IPv6 address is written in brackets, such as [::1]:8080")]
    Brackets,
    /// A host that cannot be one.
    #[error("the host holds characters that no host name has")]
    Host,
    /// `fd://` without a number.
    #[error("a descriptor is written fd://N, such as fd://3")]
    Descriptor,
    /// `unix:` without a path, or with one that no socket address can hold.
    #[error("the path of a Unix socket is from 1 to 107 bytes long")]
    UnixPath,
}

fn unix(path: &[u8]) -> Result<Bind, BindError> {
    if path.is_empty() || path.len() > UNIX_PATH_BYTES_MAX {
        return Err(BindError::UnixPath);
    }
    Ok(Bind::Unix(OsString::from_vec(path.to_vec()).into()))
}

fn tcp(text: &str) -> Result<Bind, BindError> {
    if text.contains("://") {
        return Err(BindError::Scheme);
    }
    let (host, port) = text.rsplit_once(':').ok_or(BindError::PortMissing)?;
    let host = host_name(host)?;
    if port.is_empty() {
        return Err(BindError::PortMissing);
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BindError::Port);
    }
    let port = port.parse().map_err(|_| BindError::Port)?;
    Ok(Bind::Tcp { host, port })
}

fn host_name(host: &str) -> Result<String, BindError> {
    if host.is_empty() {
        return Ok(ANY_HOST.to_owned());
    }
    if host.contains([':', '[', ']']) {
        let inner = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let inner = inner.ok_or(BindError::Brackets)?;
        // A zone such as `%eth0` is no part of the address proper (RFC 4007 §11).
        let address = inner.split_once('%').map_or(inner, |(address, _)| address);
        address
            .parse::<Ipv6Addr>()
            .map_err(|_| BindError::Brackets)?;
        return Ok(inner.to_owned());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !host.bytes().all(allowed) {
        return Err(BindError::Host);
    }
    Ok(host.to_owned())
}

/// What `:PORT` listens on, as in gunicorn: every IPv4 address.
pub(super) const ANY_HOST: &str = "0.0.0.0";

/// `sun_path` holds 108 bytes with its end (unix(7)).
const UNIX_PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, BindError>) {
        let printed = Bind::parse(text).map(|bind| bind.to_string());
        assert_eq!(printed, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn parses_gunicorn_addresses() {
        check("127.0.0.1:8080", Ok("127.0.0.1:8080"));
        check("localhost:0", Ok("localhost:0"));
        check(":80", Ok("0.0.0.0:80"));
        check("[::]:65535", Ok("[::]:65535"));
        check("[fe80::1%eth0]:80", Ok("[fe80::1%eth0]:80"));
        check("tcp://127.0.0.1:80", Ok("127.0.0.1:80"));
        check("unix:/run/x.sock", Ok("unix:/run/x.sock"));
        check("unix:///run/x.sock", Ok("unix:/run/x.sock"));
        check("unix:x.sock", Ok("unix:x.sock"));
        check("fd://3", Ok("fd://3"));
    }

    #[test]
    fn keeps_the_host_without_brackets() {
        let host = "::1".to_owned();
        assert_eq!(Bind::parse("[::1]:1"), Ok(Bind::Tcp { host, port: 1 }));
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        check("", Err(BindError::PortMissing));
        check("8080", Err(BindError::PortMissing));
        check("localhost:", Err(BindError::PortMissing));
        check("localhost:http", Err(BindError::Port));
        check("localhost:65536", Err(BindError::Port));
        check("localhost:+80", Err(BindError::Port));
        check("localhost:-1", Err(BindError::Port));
        check("::1:8080", Err(BindError::Brackets));
        check("[localhost]:80", Err(BindError::Brackets));
        check("[::1]", Err(BindError::Brackets));
        check("http://localhost:80", Err(BindError::Scheme));
        check("my host:80", Err(BindError::Host));
        check("host/path:80", Err(BindError::Host));
        check("fd://", Err(BindError::Descriptor));
        check("fd://-1", Err(BindError::Descriptor));
        check("unix:", Err(BindError::UnixPath));
        check(
            &format!("unix:{}", "x".repeat(108)),
            Err(BindError::UnixPath),
        );
    }
}
