//! `whitering collect`: sources, or a Django project, to a release. Puts the parts together: what
//! was asked for, what the project says, the run, and what is said about it.

mod arguments;
mod choices;
mod contradictions;
mod django;
mod json;
mod progress;
mod project;
mod settings;
mod summary;

use std::error::Error;
use std::fmt::Display;
use std::time::Instant;

use whitering::staticfiles::{self, CollectError, Options, Problem, Report};

use self::django::{DjangoError, Question};
use self::json::Ended;
use self::progress::Progress;
use self::project::Project;
use self::settings::{SettingsError, Surroundings};
use super::format::Format;
use super::{Exit, print, say, say_error, text};

pub(super) use self::arguments::Arguments;

pub(super) fn run(arguments: Arguments) -> Exit {
    let mut run = Run {
        format: arguments.format,
        verbosity: arguments.verbosity,
        started: Instant::now(),
        notes: Vec::new(),
    };
    if let Err(error) = contradictions::check(&arguments) {
        return run.refuse(&error);
    }
    let project = match run.ask(&arguments) {
        Ok(project) => project,
        Err(error) => return run.fail(&error, &[], &[]),
    };
    match settings::options(arguments, project, &Surroundings::read()) {
        Ok(options) => run.collect(&options),
        Err(error) => run.refuse(&error),
    }
}

/// One run of the command.
struct Run {
    format: Format,
    verbosity: u8,
    started: Instant,
    /// What was said about the project.
    notes: Vec<String>,
}

impl Run {
    /// What the project has to say, if there is one.
    fn ask(&mut self, arguments: &Arguments) -> Result<Option<Project>, DjangoError> {
        let Some(manage) = &arguments.django else {
            return Ok(None);
        };
        let question = Question {
            manage,
            python: arguments.python.as_deref(),
            ignore: &arguments.ignore,
            default_ignore: !arguments.no_default_ignore,
        };
        let project = question.ask()?;
        let settings = project.settings()?;
        self.notes = project.warnings(arguments.compat.is_some());
        if self.verbosity > 0 {
            say(&project.summary());
            if let Some(note) = settings::note(arguments, settings) {
                say_line("note: ", &note);
            }
        }
        self.warn(&self.notes);
        Ok(Some(project))
    }

    fn collect(&self, options: &Options) -> Exit {
        let progress = Progress::new(options, self.verbosity);
        let result = staticfiles::collect(options, &progress);
        let heard = progress.finish();
        match result {
            Ok(report) => self.succeed(options, &report),
            Err(error) => {
                self.warn(&heard);
                self.fail(&error, problems(&error), &heard)
            }
        }
    }

    fn succeed(&self, options: &Options, report: &Report) -> Exit {
        self.warn(&report.warnings);
        self.warn(report.cache_trouble.as_slice());
        let ended = Ended {
            report: Some((options, report)),
            warnings: &report.warnings,
            ..self.ended()
        };
        match self.format {
            Format::Json => print(&ended.json()),
            Format::Text if self.verbosity == 0 => Exit::Success,
            Format::Text => print(&summary::summary(options, report, ended.time)),
        }
    }

    /// Says what is wrong with the sources, all of it, then what that means and the remedy.
    fn fail(&self, error: &dyn Error, problems: &[Problem], warnings: &[Problem]) -> Exit {
        for problem in problems {
            say_line("", problem);
        }
        say_line("error: ", &format!("{error}{}", remedy(problems)));
        if matches!(self.format, Format::Json) {
            let ended = Ended {
                error: Some(error.to_string()),
                problems,
                warnings,
                ..self.ended()
            };
            print(&ended.json());
        }
        Exit::Failure
    }

    fn refuse(&self, error: &SettingsError) -> Exit {
        match error {
            SettingsError::Variable(_) => {
                say_error(error);
                Exit::Configuration
            }
            error if error.is_usage() => {
                say_error(error);
                Exit::Usage
            }
            error => self.fail(error, &[], &[]),
        }
    }

    fn warn(&self, warnings: &[impl Display]) {
        if self.verbosity > 0 {
            for warning in warnings {
                say_line("warning: ", warning);
            }
        }
    }

    fn ended(&self) -> Ended<'_> {
        Ended {
            notes: &self.notes,
            time: self.started.elapsed(),
            ..Ended::default()
        }
    }
}

/// One line, whatever the file names in it are.
fn say_line(start: &str, text: &dyn Display) {
    let text = text::name(text.to_string().as_bytes());
    say(&format!("{start}{text}"));
}

fn problems(error: &CollectError) -> &[Problem] {
    match error {
        CollectError::Problems(problems) => problems,
        _ => &[],
    }
}

/// What the operator can do beside mending the files.
fn remedy(problems: &[Problem]) -> &'static str {
    let is_missing = |problem: &Problem| matches!(problem, Problem::Missing { .. });
    if problems.iter().any(is_missing) {
        return ". Mend the references, or leave those to missing files as they are with --no-strict";
    }
    ""
}
