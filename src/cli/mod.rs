//! The command line: one file per command, using only the library's public API.
//! The only code that prints, and the only code that chooses exit codes.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")
)]

mod collect;
mod compress;
mod doctor;
mod format;
mod run;
mod serve;
mod text;
mod url;
mod verify;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing::Level;

/// Static files for Linux, cached like WhiteNoise and served from io_uring.
#[derive(Debug, Parser)]
#[command(name = "whitering", version, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
struct CommandLine {
    /// What the log on standard error holds.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "WHITERING_LOG",
        hide_env = true,
        global = true
    )]
    #[arg(default_value = "info", help_heading = "Log")]
    log: LogLevel,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(Box<serve::Arguments>),
    Run(Box<run::Arguments>),
    Collect(Box<collect::Arguments>),
    Url(url::Arguments),
    Verify(verify::Arguments),
    Compress(compress::Arguments),
    Doctor(doctor::Arguments),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to, or drained cleanly.
    Success,
    /// It failed at run time.
    Failure,
    /// It was asked for something that makes no sense.
    Usage,
    /// It stopped with responses under way: at the drain deadline, or by a second signal.
    DrainDeadline,
    /// It compared, and found a difference.
    Difference,
    /// Its surroundings configure it wrongly (`EX_CONFIG` of sysexits(3)).
    Configuration,
    /// The application that it ran ended, with this code.
    Application(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::DrainDeadline => 3,
            Exit::Difference => 4,
            Exit::Configuration => 78,
            Exit::Application(code) => code,
        })
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> Exit {
    let line = CommandLine::parse();
    start_log(line.log);
    match line.command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Run(arguments) => run::run(*arguments),
        Command::Collect(arguments) => collect::run(*arguments),
        Command::Url(arguments) => url::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Compress(arguments) => compress::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}

fn start_log(level: LogLevel) {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_max_level(level)
        .with_ansi(colours_on(&io::stderr()))
        .with_writer(io::stderr)
        .init();
}

/// Colours only on a terminal, and not where <https://no-color.org> is set.
fn colours_on(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Says one line to the operator, on standard error. Nobody is left to tell if that fails.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says what ended the command before it could begin, and how to mend it.
fn say_error(error: &dyn std::error::Error) {
    say(&format!("error: {error}"));
}

/// Prints a result on standard output. A reader that has seen enough is no failure.
fn print(text: &str) -> Exit {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write the result: {error}"));
            Exit::Failure
        }
        _ => Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    fn check(flags: &[&str], expected: bool) {
        let parsed = CommandLine::try_parse_from(flags);
        assert_eq!(parsed.is_ok(), expected, "{flags:?}: {parsed:?}");
    }

    #[test]
    fn knows_its_commands() {
        check(&["whitering", "serve", "site"], true);
        check(&["whitering", "serve", "site", "--log", "debug"], true);
        check(
            &["whitering", "--log", "error", "doctor", "--format", "json"],
            true,
        );
        // As the documentation has it: a value that begins like an option.
        let immutable = r"-[0-9a-zA-Z_-]{8}\.(js|css)$";
        check(
            &["whitering", "serve", "dist", "--immutable", immutable],
            true,
        );
        check(
            &["whitering", "url", "--manifest", "static", "a.css", "b.css"],
            true,
        );
        check(&["whitering", "url", "--manifest", "static"], false);
        check(&["whitering", "verify", "static", "--format", "json"], true);
        check(&["whitering", "verify"], false);
        check(&["whitering", "run", "--", "gunicorn", "-b", "x"], true);
        check(&["whitering", "run", "site", "--", "node", "--bind"], true);
        check(&["whitering", "run", "site"], false);
        check(&["whitering", "run", "gunicorn", "app:wsgi"], false);
        check(&["whitering"], false);
        check(&["whitering", "doctor", "site"], false);
        check(&["whitering", "site"], false);
    }
}
