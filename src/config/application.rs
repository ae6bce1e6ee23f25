//! `run -- CMD…`: the application server that is started, and how it is lived with.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::duration::parse_duration;

/// The settings of the application server that `run` starts.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ApplicationArguments {
    /// How the application learns where to listen [default: auto].
    ///
    /// port sets PORT to a free one of 127.0.0.1, a number sets it to that, unix makes a socket;
    /// auto takes what the program understands. {port}, {socket} and {address} in CMD stand for
    /// it.
    #[arg(long, value_name = "HOW", env = "WHITERING_APP_LISTEN", help_heading = APPLICATION)]
    #[arg(value_parser = AppListen::parse)]
    pub app_listen: Option<AppListen>,

    /// Time for the application to answer at first; until then nothing is accepted [default: 60s].
    #[arg(long, value_name = "TIME", env = "WHITERING_WAIT", help_heading = APPLICATION)]
    #[arg(value_parser = parse_duration, overrides_with = "no_wait")]
    pub wait: Option<Duration>,

    /// Accept at once; until the application answers, 503.
    #[arg(long, env = "WHITERING_NO_WAIT", help_heading = APPLICATION, overrides_with = "wait")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub no_wait: bool,

    /// What to do when the application ends [default: never].
    ///
    /// never: end with its exit code; on-failure, always: start it again, after a pause that
    /// grows from 0.5 to 30 seconds.
    #[arg(long, value_name = "WHEN", env = "WHITERING_RESTART", help_heading = APPLICATION)]
    pub restart: Option<Restart>,

    /// Time for the application to end after TERM; then KILL [default: 30s].
    #[arg(long, value_name = "TIME", env = "WHITERING_STOP_TIMEOUT", help_heading = APPLICATION)]
    #[arg(value_parser = parse_duration)]
    pub stop_timeout: Option<Duration>,
}

/// The application server that is started, and how it is lived with.
///
/// ```
/// use whitering::{Application, ApplicationArguments, Config, Restart};
///
/// let command = ["gunicorn", "mysite.wsgi"].map(Into::into).to_vec();
/// let mut application = Application::new(command, &ApplicationArguments::default());
/// application.restart = Restart::OnFailure;
/// let mut config = Config::for_directory("staticfiles");
/// config.application = Some(application);
/// ```
#[derive(Debug, Clone)]
pub struct Application {
    /// The program and its arguments; never empty.
    pub command: Vec<OsString>,
    /// How it learns where to listen.
    pub listen: AppListen,
    /// How long is waited for its first answer; none: not at all.
    pub wait: Option<Duration>,
    /// Whether it is started again.
    pub restart: Restart,
    /// What it has to end.
    pub stop_timeout: Duration,
}

/// How an application learns where to listen.
///
/// ```
/// use whitering::AppListen;
///
/// assert_eq!(AppListen::parse("unix"), Ok(AppListen::Unix));
/// assert_eq!(AppListen::parse("3000"), Ok(AppListen::PortNumber(3_000)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AppListen {
    /// By what the program is known to understand, else as [`Self::Port`].
    #[default]
    Auto,
    /// `PORT` in its environment, a free one.
    Port,
    /// `PORT` in its environment, this one.
    PortNumber(u16),
    /// The path of a Unix socket.
    Unix,
}

impl AppListen {
    /// Parses `auto`, `port`, `unix` or a number.
    ///
    /// # Errors
    /// What may be written.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "auto" => Ok(Self::Auto),
            "port" => Ok(Self::Port),
            "unix" => Ok(Self::Unix),
            _ => {
                let number = text.parse().ok().filter(|number| *number != 0);
                number
                    .map(Self::PortNumber)
                    .ok_or("write auto, port, unix, or the number of a port from 1 to 65535")
            }
        }
    }
}

/// When an application that has ended is started again.
///
/// ```
/// use whitering::{Application, ApplicationArguments, Restart};
///
/// let arguments = ApplicationArguments {
///     restart: Some(Restart::Always),
///     ..ApplicationArguments::default()
/// };
/// let application = Application::new(vec!["node".into(), "server.js".into()], &arguments);
/// assert_eq!(application.restart, Restart::Always);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Restart {
    /// Never: the server ends with its exit code.
    #[default]
    Never,
    /// If it failed.
    OnFailure,
    /// Whatever it ended with.
    Always,
}

impl Application {
    /// `command` with what `arguments` and the defaults come to.
    pub fn new(command: Vec<OsString>, arguments: &ApplicationArguments) -> Self {
        let wait = arguments.wait.unwrap_or(WAIT);
        Self {
            command,
            listen: arguments.app_listen.unwrap_or_default(),
            wait: (!arguments.no_wait).then_some(wait),
            restart: arguments.restart.unwrap_or_default(),
            stop_timeout: arguments.stop_timeout.unwrap_or(STOP_TIMEOUT),
        }
    }
}

const WAIT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

const APPLICATION: &str = "The application";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<AppListen>) {
        assert_eq!(AppListen::parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn parses_where_an_application_listens() {
        check("auto", Some(AppListen::Auto));
        check("port", Some(AppListen::Port));
        check("unix", Some(AppListen::Unix));
        check("3000", Some(AppListen::PortNumber(3000)));
        check("0", None);
        check("65536", None);
        check("unix:/x", None);
        check("", None);
    }

    #[test]
    fn not_to_wait_wins_over_a_time() {
        let mut arguments = ApplicationArguments {
            wait: Some(Duration::from_secs(1)),
            ..ApplicationArguments::default()
        };
        let wait = |arguments: &_| Application::new(vec!["a".into()], arguments).wait;
        assert_eq!(wait(&arguments), Some(Duration::from_secs(1)));
        arguments.no_wait = true;
        assert_eq!(wait(&arguments), None);
        arguments = ApplicationArguments::default();
        assert_eq!(wait(&arguments), Some(WAIT));
    }
}
