//! `whitering serve`: starts a server, says where it listens, and waits for its end.

use whitering::{Config, Ended, Environment, ServeArguments, Server, StartError, Summary};

use super::{Exit, say, say_error, text};

/// Serve directories over HTTP.
///
/// Every file is read and hashed at start; SIGHUP reads them again without a failed request, and
/// TERM, INT and QUIT end the process after the responses under way.
#[derive(Debug, clap::Args)]
#[command(override_usage = "whitering serve [OPTIONS] [ROOT]", after_help = AFTER_HELP)]
#[command(after_long_help = AFTER_LONG_HELP)]
// One sentence below says how all variables are named.
#[command(mut_args(|argument| argument.hide_env(true)))]
pub(super) struct Arguments {
    #[command(flatten)]
    serve: ServeArguments,
}

pub(super) fn run(arguments: Arguments) -> Exit {
    serve(arguments.serve)
}

/// Serves as `arguments` and the environment have it, until the end.
pub(super) fn serve(arguments: ServeArguments) -> Exit {
    let config = match Config::check(ServeArguments {
        environment: Environment::read(),
        ..arguments
    }) {
        Ok(config) => config,
        Err(error) => {
            say_error(&error);
            return if error.is_usage() {
                Exit::Usage
            } else {
                Exit::Configuration
            };
        }
    };
    let server = match Server::start(config) {
        Ok(server) => server,
        Err(error) => return not_started(&error),
    };
    for line in announcement(server.summary()) {
        say(&line);
    }
    match server.run() {
        Ended::Drained => Exit::Success,
        Ended::DrainDeadlinePassed => Exit::DrainDeadline,
        Ended::Failed => Exit::Failure,
        Ended::Application(code) => Exit::Application(code),
    }
}

fn not_started(error: &StartError) -> Exit {
    if matches!(error, StartError::Interrupted) {
        // Nobody was being served: a drain with nothing to do.
        return Exit::Success;
    }
    say_error(error);
    match error {
        // Without an error of its own it has failed all the same: nothing was served.
        StartError::ApplicationEnded(exit) if !exit.is_success() => Exit::Application(exit.code()),
        _ => Exit::Failure,
    }
}

/// One line per address; the first says what serves them all.
fn announcement(summary: &Summary) -> Vec<String> {
    let facts = facts(summary);
    let lines = summary.addresses.iter().enumerate();
    lines
        .map(|(index, address)| match index {
            0 => format!("listening on {address} ({facts})"),
            _ => format!("listening on {address}"),
        })
        .collect()
}

fn facts(summary: &Summary) -> String {
    let mut facts = format!(
        "{}, {}, {}, {} in memory, indexed in {}",
        summary.engine,
        text::count(summary.worker_count, "worker"),
        text::count(summary.assets, "file"),
        text::bytes(summary.memory_bytes),
        text::duration(summary.index_time),
    );
    if let Some(note) = &summary.engine_note {
        facts.push_str("; ");
        facts.push_str(note);
    }
    facts
}

const AFTER_HELP: &str = "\
Each option has an environment variable: --max-age is WHITERING_MAX_AGE, ROOT is WHITERING_ROOT.
More about each option: whitering serve --help";

const AFTER_LONG_HELP: &str = "\
Environment:
  Each option has a variable, which the command line overrides: --max-age is WHITERING_MAX_AGE,
  ROOT is WHITERING_ROOT. Switches take true or false (WHITERING_NO_PIN=true, WHITERING_CORS=false);
  an empty WHITERING_INDEX_FILE is --no-index-file. Of repeatable options, WHITERING_BIND holds
  values with commas between them, the others one value a line.

Exit codes:
  0   drained after TERM, INT or QUIT
  1   could not start, or failed
  2   wrong usage
  3   stopped with responses under way: drain deadline, or a second signal
  78  PORT, WHITERING_CORS or WHITERING_INDEX_FILE cannot be understood

Examples:
  whitering serve public
  whitering serve staticfiles --prefix /static/ --bind :8000
  whitering serve --source /media/=uploads --source /=site --max-age 300
  whitering serve dist --spa index.html --immutable '-[0-9a-zA-Z_-]{8}\\.(js|css)$'
  whitering serve public --header '/fonts/*: Timing-Allow-Origin: *'";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use whitering::Engine;

    #[test]
    fn announces_each_address_and_the_facts_once() {
        let summary = Summary {
            addresses: vec!["http://127.0.0.1:8080".to_owned(), "unix:/x".to_owned()],
            engine: Engine::Epoll,
            engine_note: Some("io_uring is forbidden".to_owned()),
            worker_count: 2,
            assets: 27,
            memory_bytes: 412 << 10,
            index_time: Duration::from_millis(4),
        };
        assert_eq!(
            announcement(&summary),
            [
                "listening on http://127.0.0.1:8080 (epoll, 2 workers, 27 files, \
                 412 KiB in memory, indexed in 4 ms; io_uring is forbidden)",
                "listening on unix:/x",
            ]
        );
    }
}
