//! Bars with error bars, one for each server: CPU per request, requests/s, memory.

use super::super::super::statistics::{Estimate, Verdict};
use super::super::figures::{Board, Figures, Line, Measured};
use super::super::number;
use super::panel::{self, Panel};
use super::scale;

/// Server CPU per request, with the ratio to the base.
pub(super) fn cpu(board: &Board<'_>, figures: &Figures<'_>) -> String {
    let columns = ["µs".to_owned(), format!("÷ {}", figures.base)];
    let value = |measured: &Measured| measured.cpu_microseconds;
    let figure = |measured: &Measured, found: Estimate| {
        let ratio = measured.ratio.map_or_else(|| "1".to_owned(), ratio);
        vec![number::figure(found.median), ratio]
    };
    let mut panel = draw(board, columns.to_vec(), value, figure);
    panel.title = "CPU per request".to_owned();
    panel.hint = "less is better".to_owned();
    panel.draw()
}

/// Requests per second.
pub(super) fn requests(board: &Board<'_>) -> String {
    let value = |measured: &Measured| measured.requests_per_second;
    let figure = |_: &Measured, found: Estimate| vec![number::figure(found.median)];
    let mut panel = draw(board, vec!["per s".to_owned()], value, figure);
    panel.title = "Requests".to_owned();
    panel.hint = "more is better".to_owned();
    panel.draw()
}

/// Memory of the server after the load.
pub(super) fn memory(board: &Board<'_>) -> String {
    let value = |measured: &Measured| measured.memory_bytes;
    let figure = |_: &Measured, found: Estimate| vec![number::bytes(found.median)];
    let mut panel = draw(board, vec![String::new()], value, figure);
    panel.title = "Memory".to_owned();
    panel.hint = "of the whole server; less is better".to_owned();
    panel.draw()
}

/// One of the further measurements.
pub(super) fn extra(board: &Board<'_>, name: &str) -> String {
    let value = |measured: &Measured| measured.extra(name);
    let figure = |_: &Measured, found: Estimate| vec![number::extra_value(name, found.median)];
    let mut panel = draw(board, vec![String::new()], value, figure);
    panel.title = number::extra_label(name);
    panel.hint = "less is better".to_owned();
    panel.draw()
}

/// A ratio; `≈` says that it is no difference.
pub(super) fn ratio((found, verdict): (Estimate, Verdict)) -> String {
    let text = number::ratio(found.median);
    match verdict {
        Verdict::Equal => format!("≈ {text}"),
        Verdict::Ahead | Verdict::Behind => text,
    }
}

fn draw(
    board: &Board<'_>,
    columns: Vec<String>,
    value: impl Fn(&Measured) -> Option<Estimate>,
    figure: impl Fn(&Measured, Estimate) -> Vec<String>,
) -> Panel {
    let found = |line: &Line<'_>| line.measured().and_then(&value);
    let highs = board.shown().filter_map(found).map(|found| found.high);
    let end = scale::end(&highs.collect::<Vec<f64>>());
    let axis = Axis {
        end,
        width: Panel::plot_end(columns.len()) - panel::START,
    };
    let draw = |(index, line): (usize, &Line<'_>)| match (line.measured(), found(line)) {
        (Some(measured), Some(found)) => {
            let figures = figure(measured, found);
            panel::line(index, line.server, &figures, |y| axis.bar(found, y))
        }
        _ => panel::empty_line(index, line),
    };
    Panel {
        title: String::new(),
        hint: String::new(),
        columns,
        lines: board.shown().enumerate().map(draw).collect(),
        background: zero(board.shown().count()),
        axis_height: 2.0,
    }
}

/// The line that bars stand on.
fn zero(line_count: usize) -> String {
    let (x, top, bottom) = (panel::START, panel::TOP, Panel::bottom(line_count));
    format!("<path class=\"axis\" d=\"M{x} {top}V{bottom}\"></path>")
}

/// From zero to a value, in pixels.
#[derive(Clone, Copy)]
struct Axis {
    end: f64,
    width: f64,
}

impl Axis {
    fn place(self, value: f64) -> f64 {
        panel::START + (value / self.end).clamp(0.0, 1.0) * self.width
    }

    fn bar(self, found: Estimate, y: f64) -> String {
        let width = self.place(found.median) - panel::START;
        let bar = format!(
            "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{width:.1}\" height=\"12\"></rect>",
            panel::START,
            y - 6.0
        );
        if found.median > self.end {
            return bar + &self.cut(y);
        }
        bar + &self.error_bar(found, y)
    }

    fn error_bar(self, found: Estimate, y: f64) -> String {
        let (low, high) = (self.place(found.low), self.place(found.high));
        let (top, bottom) = (y - 3.5, y + 3.5);
        let path =
            format!("M{low:.1} {top}V{bottom}M{low:.1} {y}H{high:.1}M{high:.1} {top}V{bottom}");
        format!(
            "<path class=\"halo\" d=\"{path}\"></path><path class=\"error\" d=\"{path}\"></path>"
        )
    }

    /// Marks a bar that would be longer.
    fn cut(self, y: f64) -> String {
        let x = panel::START + self.width - 14.0;
        let (top, bottom) = (y - 8.0, y + 8.0);
        format!(
            "<path class=\"cut\" d=\"M{x:.1} {bottom}L{:.1} {top}M{:.1} {bottom}L{:.1} {top}\"></path>",
            x + 5.0,
            x + 5.0,
            x + 10.0
        )
    }
}
