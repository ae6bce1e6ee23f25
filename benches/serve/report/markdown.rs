//! A run as a table in Markdown, compact enough for a README: server CPU per request.

use super::super::results::Run;
use super::figures::{self, Figures, Line, Standing};
use super::number;

/// Rows are scenarios, columns servers: µs of server CPU per request and the ratio to the base.
/// Servers that are missing have no column, scenarios without requests no row.
pub(crate) fn markdown(run: &Run) -> String {
    let figures = Figures::new(run);
    let present = |line: &&Line<'_>| line.server.missing.is_none();
    let servers = run.servers.iter().filter(|server| server.missing.is_none());
    let names: Vec<String> = servers.map(|server| escape(&server.name)).collect();
    let mut text = format!("| µs of CPU per request | {} |\n", names.join(" | "));
    text += &format!("|---|{}\n", "---:|".repeat(names.len()));
    for board in figures
        .scenarios
        .iter()
        .filter(|board| board.has_requests())
    {
        let lines = board.lines.iter().filter(present);
        let cells: Vec<String> = lines.map(|line| cell(line)).collect();
        let title = escape(&board.scenario.title);
        text += &format!("| {title} | {} |\n", cells.join(" | "));
    }
    text + &explanation(&figures)
}

fn cell(line: &Line<'_>) -> String {
    let measured = match &line.standing {
        Standing::Measured(measured) => measured,
        Standing::Failed(_) => return "failed".to_owned(),
        Standing::Missing(_) | Standing::Skipped => return "–".to_owned(),
    };
    let Some(cpu) = measured.cpu_microseconds else {
        return "–".to_owned();
    };
    let value = number::figure(cpu.median);
    let value = if figures::is_engine(line.server) {
        format!("**{value}**")
    } else {
        value
    };
    match measured.ratio {
        Some((ratio, _)) => format!("{value} ({})", number::ratio(ratio.median)),
        None => value,
    }
}

fn explanation(figures: &Figures<'_>) -> String {
    let machine = &figures.run.machine;
    format!(
        "\nMedians; in brackets the ratio to {}, taken round by round. {}, {} CPUs, {}; {}.\n",
        escape(figures.base),
        escape(&machine.cpu),
        machine.cpu_count,
        escape(&machine.kernel),
        escape(&figures.run.started),
    )
}

/// What would end a cell or begin markup.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '<' | '[' | '\\' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}
