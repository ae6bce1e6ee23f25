//! Response times, one line for each server: from the median to the slowest hundredth.

use super::super::figures::{Board, Line, Measured};
use super::super::number;
use super::panel::{self, Panel};
use super::scale::Log;

/// p50, p90 and p99 on a logarithmic axis; nothing if no server has them.
pub(super) fn latency(board: &Board<'_>) -> Option<String> {
    let times = |line: &Line<'_>| line.measured().and_then(times);
    let all: Vec<f64> = board.shown().filter_map(times).flatten().collect();
    let end = Panel::plot_end(COLUMNS.len());
    let axis = Log::over(all.iter().copied(), panel::START, end)?;
    let draw = |(index, line): (usize, &Line<'_>)| match times(line) {
        Some(found) => {
            let figures = [found[0], found[2]].map(|time| number::figure(time / 1e3));
            panel::line(index, line.server, &figures, |y| span(axis, found, y))
        }
        None => panel::empty_line(index, line),
    };
    let panel = Panel {
        title: "Response time".to_owned(),
        hint: "in ms: ● median, | p90, ○ p99".to_owned(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        lines: board.shown().enumerate().map(draw).collect(),
        background: grid(axis, board.shown().count()),
        axis_height: 16.0,
    };
    Some(panel.draw())
}

fn times(measured: &Measured) -> Option<[f64; 3]> {
    let (p50, p90, p99) = (measured.p50?, measured.p90?, measured.p99?);
    Some([p50.median, p90.median, p99.median])
}

fn span(axis: Log, found: [f64; 3], y: f64) -> String {
    let [p50, p90, p99] = found.map(|time| axis.place(time));
    let (top, bottom) = (y - 4.5, y + 4.5);
    format!(
        "<path class=\"span\" d=\"M{p50:.1} {y}H{p99:.1}M{p90:.1} {top}V{bottom}\"></path>\
         <circle class=\"hollow\" cx=\"{p99:.1}\" cy=\"{y}\" r=\"3.2\"></circle>\
         <circle class=\"dot\" cx=\"{p50:.1}\" cy=\"{y}\" r=\"3.8\"></circle>"
    )
}

fn grid(axis: Log, line_count: usize) -> String {
    let (top, bottom) = (panel::TOP, Panel::bottom(line_count));
    let tick = |tick: f64| {
        let x = axis.place(tick);
        let text_y = bottom + 13.0;
        let label = number::plain(tick / 1e3);
        format!(
            "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"></path>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{text_y}\">{label}</text>"
        )
    };
    axis.ticks(TICK_COUNT_MAX).into_iter().map(tick).collect()
}

const COLUMNS: [&str; 2] = ["p50", "p99"];
const TICK_COUNT_MAX: usize = 5;
