//! All figures of a scenario as a table, with their intervals. A column that would be empty is
//! left out.

use super::super::super::statistics::Estimate;
use super::super::figures::{Board, Line, Measured};
use super::super::number;
use super::{colour, element};

/// The table, folded away below the plots.
pub(super) fn all_figures(board: &Board<'_>, base: &str) -> String {
    let columns = columns(board, base);
    let mut names = vec!["Server"];
    names.extend(columns.iter().map(|column| column.name.as_str()));
    names.push("Verdict");
    let rows: String = board
        .shown()
        .map(|line| row(line, &columns, base))
        .collect();
    let caption = format!("{}: medians and intervals", board.scenario.title);
    let content = element::headings(&names) + &element::element("tbody", "", &rows);
    let summary = element::text("summary", "", "All figures");
    let table = element::table("figures", &caption, &content);
    element::element("details", "", &(summary + &table))
}

/// A cell with a median and, smaller, its interval.
pub(super) fn interval(found: Option<Estimate>, write: impl Fn(f64) -> String) -> String {
    let Some(found) = found else {
        return element::text("td", "", "–");
    };
    let (low, high) = (write(found.low), write(found.high));
    if low == high {
        return element::text("td", "", &low);
    }
    let ends = format!("{low}–{high}");
    let content = element::escape(&write(found.median)) + " " + &element::text("small", "", &ends);
    element::element("td", "", &content)
}

type Value = dyn Fn(&Measured) -> Option<Estimate>;

struct Column {
    name: String,
    value: Box<Value>,
    write: Box<dyn Fn(f64) -> String>,
}

impl Column {
    fn new(
        name: &str,
        value: impl Fn(&Measured) -> Option<Estimate> + 'static,
        write: impl Fn(f64) -> String + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            value: Box::new(value),
            write: Box::new(write),
        }
    }
}

fn columns(board: &Board<'_>, base: &str) -> Vec<Column> {
    let milliseconds = |value: f64| number::figure(value / 1e3);
    let ratio = |measured: &Measured| measured.ratio.map(|(ratio, _)| ratio);
    let mut columns = vec![
        Column::new(
            "Requests/s",
            |found| found.requests_per_second,
            number::figure,
        ),
        Column::new("CPU, µs", |found| found.cpu_microseconds, number::figure),
        Column::new(&format!("CPU ÷ {base}"), ratio, number::ratio),
        Column::new("p50, ms", |found| found.p50, milliseconds),
        Column::new("p90, ms", |found| found.p90, milliseconds),
        Column::new("p99, ms", |found| found.p99, milliseconds),
        Column::new("MB/s", |found| found.megabytes_per_second, number::figure),
    ];
    columns.extend(extra_names(board).into_iter().map(extra));
    columns.push(Column::new(
        "Memory",
        |found| found.memory_bytes,
        number::bytes,
    ));
    columns.retain(|column| {
        board
            .measured()
            .any(|(_, found)| (column.value)(found).is_some())
    });
    columns
}

/// The further measurements of the scenario.
pub(super) fn extra_names(board: &Board<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for (name, _) in board.measured().flat_map(|(_, measured)| &measured.extra) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn extra(name: String) -> Column {
    let label = number::extra_label(&name);
    let key = name.clone();
    let value = move |measured: &Measured| measured.extra(&key);
    Column::new(&label, value, move |value| {
        number::extra_value(&name, value)
    })
}

fn row(line: &Line<'_>, columns: &[Column], base: &str) -> String {
    let class = format!("scope=\"row\" class=\"{}\"", colour::class(line.server));
    let mut cells = vec![element::text("th", &class, &line.server.name)];
    match line.measured() {
        Some(measured) => {
            let cell = |column: &Column| interval((column.value)(measured), &column.write);
            cells.extend(columns.iter().map(cell));
            cells.push(element::text("td", "class=\"words\"", &line.verdict(base)));
        }
        None => {
            let attributes = format!("class=\"words none\" colspan=\"{}\"", columns.len() + 1);
            cells.push(element::text("td", &attributes, &line.verdict(base)));
        }
    }
    element::row(&cells)
}
