//! `whitering run`: starts an application server, serves files in front of it, and passes the
//! other requests on to it.

use std::ffi::OsString;

use whitering::{Application, ApplicationArguments, ServeArguments};

use super::{Exit, say, serve};

/// Start an application server, and serve files in front of it.
///
/// The application is started first, and told where to listen; once it takes connections, the
/// public addresses are opened. Requests that name no file go on to it. TERM, INT and QUIT end
/// the requests under way, then the application, then this process; HUP reads files and
/// certificates again, and is passed on to gunicorn and granian.
#[derive(Debug, clap::Args)]
#[command(override_usage = "whitering run [OPTIONS] [ROOT] -- CMD…", after_help = AFTER_HELP)]
#[command(after_long_help = AFTER_LONG_HELP)]
// One sentence below says how all variables are named.
#[command(mut_args(|argument| argument.hide_env(true)))]
pub(super) struct Arguments {
    #[command(flatten)]
    application: ApplicationArguments,

    #[command(flatten)]
    serve: ServeArguments,

    // Behind ROOT: positions are counted in this order.
    /// The application server and its arguments; everything after --.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: Arguments) -> Exit {
    let (mut serve, mut application) = (arguments.serve, arguments.application);
    let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
    let unheard = serve.fill_in_from_thruster(&mut application, variable);
    if let Some(warning) = warning(&unheard) {
        say(&warning);
    }
    serve.application = Some(Application::new(arguments.command, &application));
    serve::serve(serve)
}

/// What is said of variables that are set to no effect.
fn warning(unheard: &[String]) -> Option<String> {
    let names = unheard.join(", ");
    let text = format!("warning: without effect here: {names}; see whitering run --help");
    (!unheard.is_empty()).then_some(text)
}

const AFTER_HELP: &str = "\
Each option has an environment variable: --max-age is WHITERING_MAX_AGE, ROOT is WHITERING_ROOT.
More about each option, and examples: whitering run --help";

const AFTER_LONG_HELP: &str = "\
The application:
  gunicorn and uvicorn are told of a Unix socket that only this user can reach, granian, puma and
  all others of a free port of 127.0.0.1 in PORT; HOST is set to 127.0.0.1 if it is not set. That
  is known by the name of the program, also behind python -m, uv run, poetry run, bundle exec and
  the like. A program that takes neither gets {port}, {socket} or {address} in its arguments, or is
  found at a port of its own with --app-listen NUMBER.
  It runs in a process group of its own: what it has started ends with it.
  gunicorn is passed HUP, USR1, TTIN and TTOU, granian HUP, puma USR1 and USR2; the others would
  end by them. Behind uv run, hatch, pdm and rye no signal is passed on but the last one.

Environment:
  Each option has a variable, which the command line overrides: --max-age is WHITERING_MAX_AGE,
  ROOT is WHITERING_ROOT. PORT is where this server listens; the application gets another one.
  The variables of Thruster are understood, with THRUSTER_ before their names or without:
  TARGET_PORT (--app-listen), HTTP_PORT (--bind), HTTPS_PORT (--tls-bind), HTTP_IDLE_TIMEOUT,
  HTTP_READ_TIMEOUT, HTTP_WRITE_TIMEOUT, MAX_REQUEST_BODY (--max-upload), FORWARD_HEADERS
  (--trust-forwarded), H2C_ENABLED. TLS_DOMAIN and HTTPS_PORT need --tls-cert and --tls-key,
  X_SENDFILE_ENABLED needs --sendfile-root; the others have no effect.

Exit codes:
  0   drained after TERM, INT or QUIT
  1   could not start, or failed
  2   wrong usage
  3   stopped with responses under way: drain deadline, or a second signal
  78  PORT, WHITERING_CORS or WHITERING_INDEX_FILE cannot be understood
  If the application ends by itself: its code, or 128 and the number of its signal.

Examples:
  whitering run staticfiles --prefix /static/ -- gunicorn mysite.wsgi
  whitering run staticfiles --prefix /static/ -- uvicorn mysite.asgi:application
  whitering run --source /assets/=public/assets -- bundle exec puma
  whitering run dist --bind :8000 --restart on-failure -- node server.js
  whitering run public -- granian --interface wsgi app:app
  whitering run public -- hypercorn --bind {address} app:app";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_variables_without_effect_in_one_line() {
        assert_eq!(warning(&[]), None);
        let names = ["TLS_DOMAIN", "THRUSTER_DEBUG"].map(str::to_owned);
        assert_eq!(
            warning(&names).unwrap(),
            "warning: without effect here: TLS_DOMAIN, THRUSTER_DEBUG; see whitering run --help"
        );
    }
}
