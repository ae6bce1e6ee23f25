//! Where an application listens, and how it is told: the command and the variables it starts with.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::directory::Directory;
use super::program::{Recognised, ToldBy};
use super::{Address, ApplicationError, Listen};

/// A place to listen, kept over restarts.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) address: Address,
    /// Holds the socket.
    _directory: Option<Directory>,
}

impl Place {
    /// Chooses one for the program of `command`, as `listen` has it.
    pub(super) fn choose(
        listen: Listen,
        command: &[OsString],
        recognised: &Recognised<'_>,
    ) -> Result<Self, ApplicationError> {
        let any_port = || {
            free_port()
                .map(Self::port)
                .map_err(ApplicationError::System)
        };
        match kind(listen, command, recognised)? {
            Kind::Port(Some(number)) => Ok(Self::port(number)),
            Kind::Port(None) => any_port(),
            Kind::Socket { or_port } => match Directory::make() {
                Ok(directory) => Ok(Self::socket(directory)),
                Err(_) if or_port => any_port(),
                Err(error) => Err(ApplicationError::Directory(error)),
            },
        }
    }

    const fn port(number: u16) -> Self {
        Self {
            address: Address::Tcp(number),
            _directory: None,
        }
    }

    fn socket(directory: Directory) -> Self {
        Self {
            address: Address::Unix(directory.socket()),
            _directory: Some(directory),
        }
    }
}

/// What kind of place it has to be.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A port; none: any that is free.
    Port(Option<u16>),
    /// A socket, or, where none can be made and nobody insists, a port.
    Socket { or_port: bool },
}

fn kind(
    listen: Listen,
    command: &[OsString],
    recognised: &Recognised<'_>,
) -> Result<Kind, ApplicationError> {
    let has = |name: &str| command.iter().any(|word| contains(word, name));
    let (port, socket) = (has(PORT), has(SOCKET));
    let is_told = port || socket || has(ADDRESS);
    let program = recognised.program;
    if let (Some(program), Some(flag), false) = (program, recognised.listen_flag(), is_told)
        && !matches!(listen, Listen::PortNumber(_))
    {
        let program = program.name;
        return Err(ApplicationError::ListensElsewhere { program, flag });
    }
    let understands_socket = program.is_some_and(|program| program.told_by != ToldBy::Port);
    match (listen, port, socket) {
        (_, true, true) | (Listen::Unix, true, _) => Err(ApplicationError::Contradiction("{port}")),
        (Listen::Port | Listen::PortNumber(_), _, true) => {
            Err(ApplicationError::Contradiction("{socket}"))
        }
        (Listen::PortNumber(number), ..) => Ok(Kind::Port(Some(number))),
        (Listen::Unix, ..) if !is_told && !understands_socket => {
            Err(ApplicationError::NoSocket(recognised.name.clone()))
        }
        (Listen::Unix, ..) | (Listen::Auto, _, true) => Ok(Kind::Socket { or_port: false }),
        (Listen::Port, ..) | (Listen::Auto, true, _) => Ok(Kind::Port(None)),
        (Listen::Auto, false, false) => {
            let prefers_socket = program.is_some_and(|program| program.prefers_socket);
            Ok(match prefers_socket {
                true => Kind::Socket { or_port: true },
                false => Kind::Port(None),
            })
        }
    }
}

/// A port that nobody has now. Somebody else may take it before the application does, which then
/// says so and ends.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// `command` with the place in it.
pub(super) fn filled_in(command: &[OsString], address: &Address) -> Vec<OsString> {
    let (port, socket) = match address {
        Address::Tcp(port) => (port.to_string().into_bytes(), Vec::new()),
        Address::Unix(path) => (Vec::new(), path.as_os_str().as_bytes().to_vec()),
    };
    let values = [
        (PORT, port),
        (SOCKET, socket),
        (ADDRESS, text(address).into_vec()),
    ];
    let fill = |word: &OsString| {
        let mut bytes = word.as_bytes().to_vec();
        for (name, value) in &values {
            bytes = replaced(&bytes, name.as_bytes(), value);
        }
        OsString::from_vec(bytes)
    };
    command.iter().map(fill).collect()
}

/// The variables that tell the program, and those that must not: without a value. `variable`
/// looks up what it would have otherwise.
pub(super) fn variables(
    recognised: &Recognised<'_>,
    address: &Address,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, Option<OsString>)> {
    let is_uvicorn = recognised.name == "uvicorn";
    let told_by = recognised.program.map(|program| program.told_by);
    let mut variables = Vec::new();
    match address {
        Address::Tcp(number) => {
            let port = OsString::from(number.to_string());
            if let Some(ToldBy::Variables {
                host, port: name, ..
            }) = told_by
            {
                variables.push((host, Some(HOST.into())));
                variables.push((name, Some(port.clone())));
            }
            variables.push(("PORT", Some(port)));
            // Servers of Node.js would listen on every address without it.
            if variable("HOST").is_none() {
                variables.push(("HOST", Some(HOST.into())));
            }
        }
        Address::Unix(path) => {
            if let Some(ToldBy::Variables { socket, .. }) = told_by {
                variables.push((socket, Some(path.into())));
            }
            // It is the public one, as the platform has set it.
            variables.push(("PORT", None));
            // Who comes through a socket has no address that could be trusted otherwise, and
            // only this user comes through this one.
            if is_uvicorn && variable(TRUSTED).is_none() {
                variables.push((TRUSTED, Some("*".into())));
            }
        }
    }
    if told_by == Some(ToldBy::GunicornArguments) {
        let mut arguments = OsString::from("--bind ");
        arguments.push(quoted(&text(address)));
        if let Some(others) = variable(GUNICORN_ARGUMENTS) {
            arguments.push(" ");
            arguments.push(others);
        }
        variables.push((GUNICORN_ARGUMENTS, Some(arguments)));
    }
    variables
}

/// As servers take it for `--bind`.
fn text(address: &Address) -> OsString {
    match address {
        Address::Tcp(port) => format!("{HOST}:{port}").into(),
        Address::Unix(path) => {
            let mut text = OsString::from("unix:");
            text.push(path);
            text
        }
    }
}

/// One word for Python's `shlex`.
fn quoted(text: &OsStr) -> OsString {
    let mut bytes = vec![b'\''];
    bytes.extend(replaced(text.as_bytes(), b"'", b"'\"'\"'"));
    bytes.push(b'\'');
    OsString::from_vec(bytes)
}

fn contains(word: &OsStr, name: &str) -> bool {
    memchr::memmem::find(word.as_bytes(), name.as_bytes()).is_some()
}

fn replaced(bytes: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for at in memchr::memmem::find_iter(bytes, name) {
        result.extend_from_slice(&bytes[done..at]);
        result.extend_from_slice(value);
        done = at + name.len();
    }
    result.extend_from_slice(&bytes[done..]);
    result
}

const HOST: &str = "127.0.0.1";
const GUNICORN_ARGUMENTS: &str = "GUNICORN_CMD_ARGS";
const TRUSTED: &str = "FORWARDED_ALLOW_IPS";

/// What stands for the place in a command.
const PORT: &str = "{port}";
const SOCKET: &str = "{socket}";
const ADDRESS: &str = "{address}";

#[cfg(test)]
mod tests {
    use super::super::program::recognise;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn check_kind(listen: Listen, line: &str, expected: Result<Kind, &str>) {
        let command = words(line);
        let kind = kind(listen, &command, &recognise(&command));
        let kind = kind.map_err(|error| error.to_string());
        match (&kind, &expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{line}: {error}"),
            _ => assert_eq!(kind, expected.map_err(str::to_owned), "{line}"),
        }
    }

    #[test]
    fn chooses_what_the_program_understands() {
        let any_port = || Ok(Kind::Port(None));
        let socket = || Ok(Kind::Socket { or_port: false });
        check_kind(
            Listen::Auto,
            "gunicorn a",
            Ok(Kind::Socket { or_port: true }),
        );
        check_kind(Listen::Auto, "granian a", any_port());
        check_kind(Listen::Auto, "node a.js", any_port());
        check_kind(Listen::Auto, "node a.js --at {socket}", socket());
        check_kind(Listen::Auto, "gunicorn --bind :{port} a", any_port());
        check_kind(Listen::Port, "gunicorn a", any_port());
        check_kind(Listen::Unix, "granian a", socket());
        check_kind(Listen::Unix, "hypercorn --bind {address} a", socket());
        check_kind(Listen::PortNumber(3), "node a.js", Ok(Kind::Port(Some(3))));
        check_kind(Listen::PortNumber(3), "puma -p 3", Ok(Kind::Port(Some(3))));
    }

    #[test]
    fn says_what_cannot_be() {
        check_kind(Listen::Auto, "gunicorn -b :80 a", Err("gunicorn has -b"));
        check_kind(Listen::Auto, "x {port} {socket}", Err("{port}"));
        check_kind(Listen::Unix, "x {port}", Err("{port}"));
        check_kind(Listen::Port, "x {socket}", Err("{socket}"));
        check_kind(Listen::Unix, "node a.js", Err("node"));
    }

    fn check_told(line: &str, address: &Address, expected: &[&str]) {
        let command = words(line);
        let told = variables(&recognise(&command), address, |name| {
            (name == GUNICORN_ARGUMENTS).then(|| "--workers 2".into())
        });
        let told: Vec<String> = told
            .into_iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={}", value.display()),
                None => name.to_owned(),
            })
            .collect();
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn tells_the_program() {
        let socket = Address::Unix("/run/it's/a.sock".into());
        let bind = "GUNICORN_CMD_ARGS=--bind 'unix:/run/it'\"'\"'s/a.sock' --workers 2";
        check_told("gunicorn a", &socket, &["PORT", bind]);
        let variable = "UVICORN_UDS=/run/it's/a.sock";
        let trusted = "FORWARDED_ALLOW_IPS=*";
        check_told("uvicorn a", &socket, &[variable, "PORT", trusted]);
        check_told("hypercorn a", &socket, &["PORT"]);
        let port = Address::Tcp(8001);
        let both = ["PORT=8001", "HOST=127.0.0.1"];
        check_told("node a", &port, &both);
        let bind = "GUNICORN_CMD_ARGS=--bind '127.0.0.1:8001' --workers 2";
        check_told("gunicorn a", &port, &[both[0], both[1], bind]);
        let granian = ["GRANIAN_HOST=127.0.0.1", "GRANIAN_PORT=8001"];
        check_told(
            "granian a",
            &port,
            &[granian[0], granian[1], both[0], both[1]],
        );
    }

    fn check_filled(line: &str, address: &Address, expected: &str) {
        assert_eq!(filled_in(&words(line), address), words(expected), "{line}");
    }

    #[test]
    fn fills_the_command_in() {
        let (port, socket) = (Address::Tcp(81), Address::Unix("/s".into()));
        check_filled("a --bind {address}", &port, "a --bind 127.0.0.1:81");
        check_filled("a --bind={address}", &socket, "a --bind=unix:/s");
        check_filled("a :{port}/{port} {x}", &port, "a :81/81 {x}");
        check_filled("a {socket}", &socket, "a /s");
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
