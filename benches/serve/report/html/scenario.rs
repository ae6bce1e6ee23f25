//! The section of a group: its curves over connections, then each scenario with its plots, what
//! went wrong, and all figures as a table.

use super::super::figures::{Board, Figures, Line, Measured, Standing};
use super::super::{number, table};
use super::all_figures::{all_figures, extra_names};
use super::lines::PLOTS;
use super::{bars, element, prose, spans};

/// One group of scenarios.
pub(super) fn group(name: &str, boards: &[&Board<'_>], figures: &Figures<'_>) -> String {
    let (title, about) = prose::group(name);
    let mut content = element::text("h2", "", &title);
    if let Some(about) = about {
        content += &element::text("p", "class=\"about\"", about);
    }
    if name == CONNECTIONS {
        for series in series(boards, figures) {
            content += &curves(&series);
        }
    }
    for board in boards {
        content += &scenario(board, figures);
    }
    element::element(
        "section",
        &format!("id=\"{}\"", anchor("g", name)),
        &content,
    )
}

/// Something that may follow `#` in an address.
pub(super) fn anchor(kind: &str, name: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    format!("{kind}-{}", name.chars().map(letter).collect::<String>())
}

/// Scenarios of the whole run that differ in nothing but the number of connections, at least
/// three, by rising number; a series for each kind of work in `boards`.
fn series<'a, 'b>(boards: &[&Board<'a>], figures: &'b Figures<'a>) -> Vec<Vec<&'b Board<'a>>> {
    let mut works: Vec<String> = boards.iter().map(|board| work(board)).collect();
    works.dedup();
    let of = |name: &String| {
        let all = figures.scenarios.iter();
        let mut series: Vec<&Board<'a>> = all.filter(|board| work(board) == *name).collect();
        series.sort_by_key(|board| board.scenario.connections);
        series
    };
    let mut series: Vec<Vec<&Board<'a>>> = works.iter().map(of).collect();
    series.retain(|boards| boards.len() >= SERIES_LENGTH_MIN);
    series
}

/// The name without the number of connections.
fn work(board: &Board<'_>) -> String {
    let connections = format!("c{}", board.scenario.connections);
    let parts = board.scenario.name.split('-');
    let rest = parts.filter(|part| *part != connections);
    rest.collect::<Vec<&str>>().join("-")
}

fn curves(boards: &[&Board<'_>]) -> String {
    let plots: String = PLOTS.iter().filter_map(|plot| plot.draw(boards)).collect();
    let title = boards.first().map_or("", |board| &board.scenario.title);
    let subject = title.split(',').next().unwrap_or(title);
    let heading = element::text(
        "h3",
        "",
        &format!("{subject}, over the number of connections"),
    );
    let note = element::text("p", "class=\"conditions\"", CURVES_NOTE);
    let plots = element::element("div", "class=\"plots\"", &plots);
    element::element("article", "", &(heading + &note + &plots))
}

fn scenario(board: &Board<'_>, figures: &Figures<'_>) -> String {
    let scenario = board.scenario;
    let conditions = format!("{} · {}", scenario.name, table::conditions(board));
    let content = element::text("h3", "", &number::capitalised(&scenario.title))
        + &element::text("p", "class=\"conditions\"", &conditions)
        + &element::element("div", "class=\"panels\"", &panels(board, figures))
        + &faults(board)
        + &all_figures(board, figures.base);
    let attributes = format!("id=\"{}\"", anchor("s", &scenario.name));
    element::element("article", &attributes, &content)
}

fn panels(board: &Board<'_>, figures: &Figures<'_>) -> String {
    let has = |value: fn(&Measured) -> bool| board.measured().any(|(_, measured)| value(measured));
    let mut panels = String::new();
    let extras = extra_names(board);
    if board.has_requests() {
        panels += &bars::cpu(board, figures);
        panels += &bars::requests(board);
    }
    panels += &spans::latency(board).unwrap_or_default();
    for name in &extras {
        panels += &bars::extra(board, name);
    }
    if !extras.is_empty() && has(|measured| measured.memory_bytes.is_some()) {
        panels += &bars::memory(board);
    }
    panels
}

fn faults(board: &Board<'_>) -> String {
    let fault = |line: &Line<'_>| match line.standing {
        Standing::Failed(why) => Some(format!("{} failed: {why}.", line.server.name)),
        Standing::Measured(_) | Standing::Missing(_) | Standing::Skipped => None,
    };
    let faults = board.shown().filter_map(fault);
    faults
        .map(|fault| element::text("p", "class=\"fault\"", &fault))
        .collect()
}

/// The group that is plotted over the number of connections.
const CONNECTIONS: &str = "connections";
const SERIES_LENGTH_MIN: usize = 3;
const CURVES_NOTE: &str = "Both axes are logarithmic: equal ratios are equally far apart.";
