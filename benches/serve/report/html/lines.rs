//! A measurement over the number of connections, a line for each server, both axes logarithmic.

use super::super::super::results::Server;
use super::super::super::statistics::Estimate;
use super::super::figures::{Board, Measured, is_engine};
use super::super::number;
use super::scale::{self, Log};
use super::{colour, element};

/// What is plotted.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: fn(&Measured) -> Option<Estimate>,
    /// What the value is divided by, so that it has the unit of the hint.
    pub(super) unit: f64,
}

impl Plot {
    /// The plot over `boards`, one for each number of connections.
    pub(super) fn draw(&self, boards: &[&Board<'_>]) -> Option<String> {
        let curves = self.curves(boards);
        let points = || curves.iter().flat_map(|curve| curve.points.iter());
        let across = Log::over(points().map(|point| point.0), LEFT, RIGHT)?;
        let ends = points().flat_map(|(_, found)| [found.low, found.high]);
        let up = Log::over(ends, BOTTOM, TOP)?;
        let axes = Axes { across, up };
        let picture = element::text("title", "", &format!("{} over connections", self.title))
            + &Self::grid(axes, boards)
            + &curves
                .iter()
                .map(|curve| curve.draw(axes))
                .collect::<String>()
            + &labels(&curves, axes);
        let attributes = format!("viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"");
        let caption =
            element::text("b", "", self.title) + " " + &element::text("span", "", self.hint);
        let caption = element::element("figcaption", "", &caption);
        let picture = element::element("svg", &attributes, &picture);
        Some(element::element(
            "figure",
            "class=\"plot\"",
            &(caption + &picture),
        ))
    }

    fn curves<'a>(&self, boards: &[&Board<'a>]) -> Vec<Curve<'a>> {
        let mut curves: Vec<Curve<'a>> = Vec::new();
        for board in boards {
            let connections = f64::from(board.scenario.connections);
            for (server, measured) in board.measured() {
                let Some(found) = (self.value)(measured) else {
                    continue;
                };
                let point = (connections, divided(found, self.unit));
                match curves
                    .iter_mut()
                    .find(|curve| curve.server.name == server.name)
                {
                    Some(curve) => curve.points.push(point),
                    None => curves.push(Curve {
                        server,
                        points: vec![point],
                    }),
                }
            }
        }
        // The engines are drawn last, above the others.
        curves.sort_by_key(|curve| is_engine(curve.server));
        curves
    }

    fn grid(axes: Axes, boards: &[&Board<'_>]) -> String {
        let row = |tick: f64| {
            let y = axes.up.place(tick);
            let label = number::plain(tick);
            let (x, text_y) = (LEFT - 8.0, y + 4.0);
            format!(
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"></path>\
                 <text class=\"tick end\" x=\"{x}\" y=\"{text_y:.1}\">{label}</text>"
            )
        };
        let column = |board: &&Board<'_>| {
            let connections = board.scenario.connections;
            let x = axes.across.place(f64::from(connections));
            let (end, text_y) = (BOTTOM + 4.0, BOTTOM + 17.0);
            format!(
                "<path class=\"axis\" d=\"M{x:.1} {BOTTOM}V{end}\"></path>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{text_y}\">{connections}</text>"
            )
        };
        let rows: String = axes.up.ticks(TICK_COUNT_MAX).into_iter().map(row).collect();
        let columns: String = boards.iter().map(column).collect();
        let (x, y) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 4.0);
        let unit = format!("<text class=\"tick\" x=\"{x}\" y=\"{y}\">connections</text>");
        let base = format!("<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"></path>");
        rows + &columns + &unit + &base
    }
}

#[derive(Clone, Copy)]
struct Axes {
    across: Log,
    up: Log,
}

struct Curve<'a> {
    server: &'a Server,
    /// Number of connections, and what was found.
    points: Vec<(f64, Estimate)>,
}

impl Curve<'_> {
    fn class(&self) -> String {
        let engine = if is_engine(self.server) {
            " engine"
        } else {
            ""
        };
        format!("class=\"{}{engine}\"", colour::class(self.server))
    }

    fn draw(&self, axes: Axes) -> String {
        let mut path = String::new();
        let mut marks = String::new();
        for (connections, found) in &self.points {
            let (x, y) = (axes.across.place(*connections), axes.up.place(found.median));
            let (low, high) = (axes.up.place(found.low), axes.up.place(found.high));
            let step = if path.is_empty() { 'M' } else { 'L' };
            path += &format!("{step}{x:.1} {y:.1}");
            marks += &format!(
                "<path class=\"whisker\" d=\"M{x:.1} {low:.1}V{high:.1}\"></path>\
                 <circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"></circle>"
            );
        }
        let line = format!("<path class=\"line\" d=\"{path}\"></path>");
        element::element("g", &self.class(), &(line + &marks))
    }

    fn end(&self, axes: Axes) -> (f64, f64) {
        let last = self.points.last();
        last.map_or((LEFT, BOTTOM), |(connections, found)| {
            (axes.across.place(*connections), axes.up.place(found.median))
        })
    }
}

fn divided(found: Estimate, unit: f64) -> Estimate {
    Estimate {
        median: found.median / unit,
        low: found.low / unit,
        high: found.high / unit,
        ..found
    }
}

/// The servers' names at the ends of their lines, moved apart where they would meet.
fn labels(curves: &[Curve<'_>], axes: Axes) -> String {
    let ends: Vec<(f64, f64)> = curves.iter().map(|curve| curve.end(axes)).collect();
    let places: Vec<f64> = ends.iter().map(|(_, y)| *y).collect();
    let moved = scale::spread_out(&places, LABEL_GAP, TOP, BOTTOM);
    let label = |((curve, (x, y)), to): ((&Curve<'_>, &(f64, f64)), f64)| {
        let (from, bend, end) = (x + 6.0, RIGHT + 6.0, RIGHT + 18.0);
        let leader = format!(
            "<path class=\"leader\" d=\"M{from:.1} {y:.1}H{bend:.1}L{end} {to:.1}\"></path>"
        );
        let attributes = format!("class=\"label\" x=\"{}\" y=\"{:.1}\"", end + 4.0, to + 4.0);
        let name = element::text("text", &attributes, &curve.server.name);
        element::element("g", &curve.class(), &(leader + &name))
    };
    curves.iter().zip(&ends).zip(moved).map(label).collect()
}

/// The plots that a series of numbers of connections gets.
pub(super) const PLOTS: [Plot; 4] = [
    Plot {
        title: "CPU per request",
        hint: "µs, less is better",
        value: |measured| measured.cpu_microseconds,
        unit: 1.0,
    },
    Plot {
        title: "Requests per second",
        hint: "more is better",
        value: |measured| measured.requests_per_second,
        unit: 1.0,
    },
    Plot {
        title: "Response time, p99",
        hint: "ms, less is better",
        value: |measured| measured.p99,
        unit: 1e3,
    },
    Plot {
        title: "Memory",
        hint: "MiB, less is better",
        value: |measured| measured.memory_bytes,
        unit: 1024.0 * 1024.0,
    },
];

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 372.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 280.0;
const LABEL_GAP: f64 = 15.0;
const TICK_COUNT_MAX: usize = 8;
