//! Runs the command line: the only code of the harness that prints.
#![expect(clippy::print_stdout, reason = "what was found")]
#![expect(clippy::print_stderr, reason = "what is going on, and what went wrong")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command as Program, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;

use super::arguments::{Arguments, Command, Measure};
use super::bench::Bench;
use super::certificate::Certificate;
use super::load::{self, LOAD_CPU};
use super::results::{Run, Server};
use super::scenarios::{Definition, FEW, SCENARIOS};
use super::servers::{CANDIDATES, Candidate};
use super::site::Sites;
use super::{goals, instructions, record, report, rows, self_test};

/// Does what the process was started for.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Row(row)) => rows::serve(&row.into()).map_err(|error| error.to_string()),
        Some(Command::Load) => load(),
        Some(Command::Pure { name, iterations }) => instructions::run_case(&name, iterations),
        Some(Command::Report {
            directory,
            markdown,
        }) => render(&directory, markdown),
        None if arguments.measure.list => {
            list();
            Ok(())
        }
        // As `cargo test --benches` does.
        None if !arguments.bench => {
            println!("nothing is measured without: cargo bench --bench serve");
            Ok(())
        }
        None if arguments.measure.self_test => test_self(),
        None if arguments.measure.instructions => {
            instructions::count().map(|counts| print!("{}", instructions::table(&counts)))
        }
        None => measure(&arguments.measure),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<(), String> {
    let mut text = String::new();
    let mut carry_out = || -> std::io::Result<()> {
        std::io::stdin().read_to_string(&mut text)?;
        let outcome = load::generator::run(&serde_json::from_str(&text)?)?;
        std::io::stdout().write_all(&serde_json::to_vec(&outcome)?)
    };
    carry_out().map_err(|error| error.to_string())
}

fn render(directory: &Path, markdown: bool) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", directory.display());
    let run = record::read(directory).map_err(fail)?;
    record::render(&run, directory).map_err(fail)?;
    let show = if markdown {
        report::markdown
    } else {
        report::table
    };
    println!("{}", show(&run));
    Ok(())
}

fn list() {
    println!("Scenarios (* in the selection that is measured by default):");
    for scenario in &SCENARIOS {
        let mark = if scenario.short.is_empty() { ' ' } else { '*' };
        println!("{mark} {:18} {}", scenario.name, scenario.title);
    }
    println!("\nServers:");
    for candidate in CANDIDATES.iter().filter(|candidate| !candidate.hidden) {
        let server = candidate.describe(None);
        let state = server.missing.unwrap_or(server.version);
        println!("  {:18} {state}", server.name);
    }
}

fn test_self() -> Result<(), String> {
    prepare_process()?;
    let say = |line: &str| eprintln!("{line}");
    let found = self_test::run(&bench(&Measure::of_self_test(), &say)?)?;
    for line in &found {
        println!("ok: {line}");
    }
    Ok(())
}

fn measure(measure: &Measure) -> Result<(), String> {
    let chosen = scenarios(measure)?;
    let (begin, started) = (Instant::now(), record::now());
    let servers = servers(measure)?;
    // Before this process is pinned, while it sees all CPUs.
    let machine = record::machine();
    prepare_process()?;
    let say = |line: &str| eprintln!("{line}");
    let bench = bench(measure, &say)?;
    let mut run = Run {
        schema: record::SCHEMA,
        command: typed_command(),
        started,
        seconds: 0.0,
        revision: record::revision(),
        base: measure.base.clone(),
        machine,
        notes: notes(&servers),
        servers,
        scenarios: Vec::new(),
        instructions: Vec::new(),
    };
    for (index, definition) in chosen.iter().enumerate() {
        say(&format!(
            "{}/{} {}: {}",
            index + 1,
            chosen.len(),
            definition.name,
            definition.title
        ));
        let candidates = candidates(measure, definition, &run.servers);
        match bench.scenario(definition, &candidates) {
            Ok(scenario) => run.scenarios.push(scenario),
            Err(error) => {
                say(&format!("  {error}"));
                run.notes.push(format!("{}: {error}", definition.name));
            }
        }
    }
    if measure.full || measure.record {
        say("instructions of the pure path");
        match instructions::count() {
            Ok(counts) => run.instructions = counts,
            Err(error) => run.notes.push(format!("instructions: {error}")),
        }
    }
    run.seconds = begin.elapsed().as_secs_f64();
    let directory = record::keep(&run, measure.record).map_err(|error| error.to_string())?;
    println!("{}", report::table(&run));
    println!("{}", directory.join("report.html").display());
    Ok(())
}

fn bench<'a>(measure: &'a Measure, say: &'a dyn Fn(&str)) -> Result<Bench<'a>, String> {
    let folder = super::folder().join("work");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let certificate = Certificate::make(&folder).map_err(|error| error.to_string())?;
    Ok(Bench {
        base: &measure.base,
        rounds: measure.rounds,
        seconds: measure.seconds,
        tool: measure.load,
        sites: Sites::of_target_directory(),
        certificate,
        before: measure.before.clone(),
        folder,
        say,
    })
}

/// The scenarios that were asked for, in the order of the table.
fn scenarios(measure: &Measure) -> Result<Vec<&'static Definition>, String> {
    let is_chosen = |definition: &&Definition| {
        if !measure.scenario.is_empty() {
            let mut globs = measure.scenario.iter();
            return globs.any(|glob| goals::matches(glob, definition.name));
        }
        measure.full
            || if measure.quick {
                definition.quick
            } else {
                !definition.short.is_empty()
            }
    };
    let chosen: Vec<_> = SCENARIOS.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err("no scenario has such a name; --list shows them".to_owned());
    }
    Ok(chosen)
}

/// All servers that were asked for, missing ones too.
fn servers(measure: &Measure) -> Result<Vec<Server>, String> {
    for name in &measure.server {
        if !CANDIDATES.iter().any(|candidate| candidate.name == name) {
            return Err(format!("no server is called {name}; --list shows them"));
        }
    }
    let chosen = CANDIDATES.iter().filter(|candidate| {
        if measure.server.is_empty() {
            !candidate.hidden || candidate.is_before() && measure.before.is_some()
        } else {
            measure.server.iter().any(|name| name == candidate.name)
        }
    });
    let before = measure.before.as_deref();
    Ok(chosen.map(|candidate| candidate.describe(before)).collect())
}

/// Those of `servers` that take part in `definition`.
fn candidates(measure: &Measure, definition: &Definition, servers: &[Server]) -> Vec<Candidate> {
    let present = |candidate: &&Candidate| {
        let mut servers = servers.iter();
        servers.any(|server| server.name == candidate.name && server.missing.is_none())
    };
    let listed = |candidate: &&Candidate| {
        let named = !measure.server.is_empty() || !measure.scenario.is_empty() || measure.full;
        let list = if measure.quick { FEW } else { definition.short };
        named || candidate.is_before() || list.contains(&candidate.name)
    };
    let able = |candidate: &&Candidate| {
        let in_front = !definition.is_in_front() || candidate.can_be_in_front();
        in_front && (!candidate.is_floor() || definition.has_floor())
    };
    let all = CANDIDATES.iter().filter(present).filter(listed);
    all.filter(able).copied().collect()
}

fn notes(servers: &[Server]) -> Vec<String> {
    let missing = servers.iter().filter_map(|server| {
        let why = server.missing.as_ref()?;
        Some(format!("{}: {why}", server.name))
    });
    missing.collect()
}

/// What this process does, it does beside the load and not beside the servers.
fn prepare_process() -> Result<(), String> {
    for tool in ["taskset", "setpriv", "kill", "wrk"] {
        if super::servers::find_program(tool).is_none() {
            return Err(format!("{tool} is not installed: scripts/bench-setup"));
        }
    }
    let pid = std::process::id().to_string();
    let mut command = Program::new("taskset");
    command.args(["-a", "-c", "-p", LOAD_CPU, &pid]);
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("CPUs 0 and 1 are needed, one for servers and one for the load".to_owned()),
    }
}

/// How this can be typed again.
fn typed_command() -> String {
    let arguments = std::env::args().skip(1);
    let arguments: Vec<String> = arguments.filter(|word| word != "--bench").collect();
    if arguments.is_empty() {
        return "cargo bench --bench serve".to_owned();
    }
    format!("cargo bench --bench serve -- {}", arguments.join(" "))
}
