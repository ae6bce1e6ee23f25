//! What is said while a run works, on standard error: a bar on a terminal, a line for each file
//! where that is asked for, otherwise next to nothing.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use whitering::staticfiles::{Event, Observer, Options, Problem};

use super::super::{colours_on, say};
use super::text;

/// Hears a run and tells the operator.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    has_bar: bool,
    done_count: Arc<AtomicUsize>,
    verbosity: u8,
    /// What is done with a file that is new.
    verb: &'static str,
    is_dry: bool,
    warnings: Mutex<Vec<Problem>>,
}

impl Progress {
    /// For a run with `options`.
    pub(super) fn new(options: &Options, verbosity: u8) -> Self {
        let has_bar = verbosity == 1 && is_capable_terminal() && !options.dry_run;
        let target = match has_bar {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            bar: ProgressBar::with_draw_target(None, target),
            has_bar,
            done_count: Arc::default(),
            verbosity,
            verb: verb(options),
            is_dry: options.dry_run,
            warnings: Mutex::default(),
        }
    }

    /// Takes the bar away and returns what was warned of, each once, in an order that does not
    /// depend on threads.
    pub(super) fn finish(self) -> Vec<Problem> {
        self.bar.finish_and_clear();
        let warnings = self.warnings.into_inner();
        let mut warnings = warnings.unwrap_or_else(PoisonError::into_inner);
        warnings.sort();
        warnings.dedup();
        warnings
    }

    /// The line for `event`; none if it has none at this verbosity.
    fn line(&self, event: &Event<'_>) -> Option<String> {
        let (least, line) = match event {
            Event::Found { file_count, bytes } if !self.has_bar => {
                let files = text::count(*file_count, "file");
                (1, format!("found {files}, {}", text::bytes(*bytes)))
            }
            Event::Shadowed { name, path } => {
                let [name, path] = [*name, path.as_os_str().as_encoded_bytes()].map(text::name);
                (2, format!("Skipping '{path}': '{name}' was found before"))
            }
            Event::Done {
                name,
                modified: true,
                ..
            } => {
                // Telling what would be done is all that a dry run is for.
                let least = if self.is_dry { 1 } else { 2 };
                (least, format!("{} '{}'", self.verb, text::name(name)))
            }
            Event::Done {
                name,
                modified: false,
                ..
            } => (2, format!("Keeping '{}' (not modified)", text::name(name))),
            Event::PostProcessed { name, published } => {
                let [name, published] = [*name, *published].map(text::name);
                let verb = if self.is_dry {
                    "Would publish"
                } else {
                    "Post-processed"
                };
                (2, format!("{verb} '{name}' as '{published}'"))
            }
            Event::Deleted { name } if self.is_dry => {
                (1, format!("Would delete '{}'", text::name(name)))
            }
            Event::Deleted { name } => (2, format!("Deleting '{}'", text::name(name))),
            Event::Publishing => (3, "Publishing".to_owned()),
            Event::Waiting { output } => {
                let output = text::name(output.as_os_str().as_encoded_bytes());
                (
                    1,
                    format!("another run works on '{output}'; waiting for its end"),
                )
            }
            _ => return None,
        };
        (self.verbosity >= least).then_some(line)
    }

    fn advance(&self, event: &Event<'_>) {
        match event {
            Event::Found { file_count, bytes } => {
                // The style first: every other change is drawn in the one that is set.
                let style = style(*file_count, Arc::clone(&self.done_count));
                self.bar.set_style(style);
                self.bar.set_message("collecting");
                self.bar.set_length(*bytes);
                self.bar.enable_steady_tick(TICK);
            }
            Event::Done { bytes, .. } => {
                self.done_count.fetch_add(1, Ordering::Relaxed);
                self.bar.inc(*bytes);
            }
            Event::Publishing => self.bar.set_message("publishing"),
            _ => {}
        }
    }
}

impl Observer for Progress {
    fn on_event(&self, event: Event<'_>) {
        if let Some(line) = self.line(&event) {
            self.bar.suspend(|| say(&line));
        }
        if let Event::Warning(problem) = event {
            let warnings = self.warnings.lock();
            let mut warnings = warnings.unwrap_or_else(PoisonError::into_inner);
            warnings.push(problem.clone());
        } else if self.has_bar {
            self.advance(&event);
        }
    }
}

fn verb(options: &Options) -> &'static str {
    match (options.dry_run, options.link) {
        (false, false) => "Copying",
        (false, true) => "Linking",
        (true, false) => "Would copy",
        (true, true) => "Would link",
    }
}

/// Whether standard error is a terminal that can go back in a line.
fn is_capable_terminal() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

fn style(file_count: usize, done_count: Arc<AtomicUsize>) -> ProgressStyle {
    let template = match colours_on(&io::stderr()) {
        true => "{msg:10} {wide_bar:.cyan/dim} {numbers}",
        false => "{msg:10} {wide_bar} {numbers}",
    };
    let style = ProgressStyle::with_template(template);
    let style = style.expect("invariant: the template is one of two constants");
    let numbers = move |state: &ProgressState, output: &mut dyn std::fmt::Write| {
        let done_count = done_count.load(Ordering::Relaxed);
        let bytes = text::bytes(state.pos());
        let bytes_all = text::bytes(state.len().unwrap_or(0));
        let _ = write!(
            output,
            "{done_count}/{file_count} files  {bytes} of {bytes_all}"
        );
    };
    style.with_key("numbers", numbers).progress_chars("━╸─")
}

const TICK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn check(change: fn(&mut Options), event: Event<'_>, expected: (u8, &str)) {
        let mut options = Options::new("/out");
        change(&mut options);
        let (least, line) = expected;
        for verbosity in 0..=3 {
            let progress = Progress {
                has_bar: false,
                ..Progress::new(&options, verbosity)
            };
            let expected = (verbosity >= least).then_some(line);
            assert_eq!(
                progress.line(&event).as_deref(),
                expected,
                "{event:?} {verbosity}"
            );
        }
    }

    #[test]
    fn says_as_much_as_is_asked_for() {
        let done = |modified| Event::Done {
            name: b"a.css",
            bytes: 1,
            modified,
        };
        let found = Event::Found {
            file_count: 2,
            bytes: 2_048,
        };
        check(|_| (), found, (1, "found 2 files, 2 KiB"));
        check(|_| (), done(true), (2, "Copying 'a.css'"));
        check(|_| (), done(false), (2, "Keeping 'a.css' (not modified)"));
        check(
            |options| options.link = true,
            done(true),
            (2, "Linking 'a.css'"),
        );
        check(
            |options| options.dry_run = true,
            done(true),
            (1, "Would copy 'a.css'"),
        );
        check(|_| (), Event::Deleted { name: b"a" }, (2, "Deleting 'a'"));
        check(
            |options| options.dry_run = true,
            Event::Deleted { name: b"a" },
            (1, "Would delete 'a'"),
        );
        check(
            |_| (),
            Event::PostProcessed {
                name: b"a",
                published: b"a.1",
            },
            (2, "Post-processed 'a' as 'a.1'"),
        );
        let path = Path::new("/x/a\x1b[2J");
        check(
            |_| (),
            Event::Shadowed { name: b"a\n", path },
            (2, r"Skipping '/x/a\u{1b}[2J': 'a\n' was found before"),
        );
        check(
            |_| (),
            Event::Waiting {
                output: Path::new("/out"),
            },
            (1, "another run works on '/out'; waiting for its end"),
        );
    }

    #[test]
    fn warns_in_one_order_and_once() {
        let progress = Progress::new(&Options::new("/out"), 1);
        let problems = ["/b", "/a", "/b"].map(|path| Problem::Changing { path: path.into() });
        for problem in &problems {
            progress.on_event(Event::Warning(problem));
        }
        assert_eq!(
            progress.finish(),
            [problems[1].clone(), problems[0].clone()]
        );
    }
}
