//! The frame of a small plot with a line for each server: names left, plot, figures right.
//! What is plotted is in `bars` and `spans`.

use super::super::super::results::Server;
use super::super::figures::{Line, Standing, is_engine};
use super::{colour, element};

/// A plot and its caption.
pub(super) struct Panel {
    pub(super) title: String,
    /// What is better, or what the marks are.
    pub(super) hint: String,
    /// Headings of the figures on the right, from left to right.
    pub(super) columns: Vec<String>,
    /// The lines, drawn with [`line`].
    pub(super) lines: Vec<String>,
    /// What lies behind the lines.
    pub(super) background: String,
    /// Room for an axis below the lines.
    pub(super) axis_height: f64,
}

impl Panel {
    /// Where the plot ends and the figures begin, with so many columns of figures.
    pub(super) fn plot_end(column_count: usize) -> f64 {
        WIDTH - COLUMN_WIDTH * column_count as f64 - GAP
    }

    /// How high so many lines are, from the top of the picture.
    pub(super) fn bottom(line_count: usize) -> f64 {
        TOP + LINE_HEIGHT * line_count as f64
    }

    pub(super) fn draw(&self) -> String {
        let height = Self::bottom(self.lines.len()) + self.axis_height;
        let picture = format!(
            "{}{}{}{}",
            element::text("title", "", &self.title),
            self.heads(),
            self.background,
            self.lines.concat()
        );
        let attributes = format!("viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"");
        let caption =
            element::text("b", "", &self.title) + " " + &element::text("span", "", &self.hint);
        let caption = element::element("figcaption", "", &caption);
        let picture = element::element("svg", &attributes, &picture);
        element::element("figure", "class=\"panel\"", &(caption + &picture))
    }

    fn heads(&self) -> String {
        let columns = self.columns.iter().enumerate();
        let head = |(index, name): (usize, &String)| {
            let x = column_end(index, self.columns.len());
            element::text("text", &format!("class=\"head\" x=\"{x}\" y=\"11\""), name)
        };
        columns.map(head).collect()
    }
}

/// One server's line: its name, `marks` drawn around the height that is given, and its figures.
pub(super) fn line(
    index: usize,
    server: &Server,
    figures: &[String],
    marks: impl Fn(f64) -> String,
) -> String {
    let y = middle(index);
    let cell = |(place, figure): (usize, &String)| {
        let x = column_end(place, figures.len());
        let text_y = y + 4.0;
        element::text(
            "text",
            &format!("class=\"num\" x=\"{x}\" y=\"{text_y}\""),
            figure,
        )
    };
    let cells: String = figures.iter().enumerate().map(cell).collect();
    group(server, &(name(server, y) + &marks(y) + &cells))
}

/// The line of a server that has nothing to plot, and why.
pub(super) fn empty_line(index: usize, line: &Line<'_>) -> String {
    let y = middle(index);
    let (x, text_y) = (START + 5.0, y + 4.0);
    let attributes = format!("class=\"none\" x=\"{x}\" y=\"{text_y}\"");
    let why = element::text("text", &attributes, absence(&line.standing));
    group(line.server, &(name(line.server, y) + &why))
}

/// Why there is nothing, in a word or two.
pub(super) fn absence(standing: &Standing<'_>) -> &'static str {
    match standing {
        Standing::Failed(_) => "failed",
        Standing::Missing(why) if why.starts_with("not installed") => "not installed",
        Standing::Missing(_) => "not there",
        Standing::Measured(_) | Standing::Skipped => "not measured",
    }
}

fn group(server: &Server, content: &str) -> String {
    let engine = if is_engine(server) { " engine" } else { "" };
    let class = format!("class=\"{}{engine}\"", colour::class(server));
    element::element("g", &class, content)
}

fn name(server: &Server, y: f64) -> String {
    let attributes = format!("class=\"name\" x=\"0\" y=\"{}\"", y + 4.0);
    element::text("text", &attributes, &server.name)
}

fn middle(index: usize) -> f64 {
    TOP + LINE_HEIGHT * (index as f64 + 0.5)
}

fn column_end(index: usize, count: usize) -> f64 {
    WIDTH - COLUMN_WIDTH * (count - 1 - index) as f64
}

/// Where plots begin.
pub(super) const START: f64 = 122.0;
/// Where the first line begins.
pub(super) const TOP: f64 = 18.0;
const WIDTH: f64 = 360.0;
const LINE_HEIGHT: f64 = 22.0;
const COLUMN_WIDTH: f64 = 54.0;
const GAP: f64 = 6.0;
