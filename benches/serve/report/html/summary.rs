//! What a run comes to: the engine against every other server, the goals, and CPU per request of
//! everything in one table.

use super::super::super::goals::{self, Judgement, Reached};
use super::super::super::statistics::{Estimate, Verdict};
use super::super::figures::{self, Board, Figures, Line};
use super::super::standings::{self, Other, Standings};
use super::super::{number, table};
use super::all_figures::interval;
use super::scenario::anchor;
use super::{bars, element, panel};

/// The section that is read first.
pub(super) fn summary(figures: &Figures<'_>) -> String {
    let content = element::text("h2", "", "Summary")
        + &standing(figures)
        + &goal_table(figures)
        + &overview(figures);
    element::element("section", "id=\"summary\"", &content)
}

fn standing(figures: &Figures<'_>) -> String {
    let Some(engine) = standings::engine(figures.run) else {
        return String::new();
    };
    let all = standings::standings(figures.run);
    let rows: String = all.iter().map(standing_row).collect();
    let names = ["Against", "Ahead", "Equal", "Behind", "Not ahead"];
    let content = element::headings(&names) + &element::element("tbody", "", &rows);
    let title = format!("The {engine} engine against each server");
    element::text("h3", "", &title)
        + &element::text("p", "class=\"lead\"", &sentence(engine, &all))
        + &element::table("standings", &title, &content)
}

fn sentence(engine: &str, all: &[Standings<'_>]) -> String {
    let count = |verdict| {
        all.iter()
            .map(|standings| standings.count(verdict))
            .sum::<usize>()
    };
    let (ahead, equal, behind) = (
        count(Verdict::Ahead),
        count(Verdict::Equal),
        count(Verdict::Behind),
    );
    format!(
        "Of {} comparisons of CPU per request, each one scenario against one server, {engine} is ahead in \
         {ahead}, equal within the spread in {equal} and behind in {behind}.",
        ahead + equal + behind
    )
}

fn standing_row(standings: &Standings<'_>) -> String {
    let count = |verdict| element::text("td", "", &standings.count(verdict).to_string());
    let place = |other: &Other<'_>| {
        let words = if other.verdict == Verdict::Equal {
            "equal at"
        } else {
            "behind at"
        };
        let ratio = number::ratio_interval(other.ratio);
        element::text("div", "", &format!("{words} {}: {ratio}", other.title))
    };
    let places: String = standings.others.iter().map(place).collect();
    element::row(&[
        element::text("th", "scope=\"row\"", standings.opponent),
        count(Verdict::Ahead),
        count(Verdict::Equal),
        count(Verdict::Behind),
        element::element("td", "class=\"words\"", &places),
    ])
}

fn goal_table(figures: &Figures<'_>) -> String {
    let judgements = goals::judge(figures.run);
    let by_work = judgements.chunk_by(|one, other| one.goal.work == other.goal.work);
    let rows: String = by_work.map(goal_rows).collect();
    let names = ["Goal", "Scenario", "Limit", "Measured", "Result", ""];
    let content = element::headings(&names) + &element::element("tbody", "", &rows);
    element::text("h3", "", "Goals")
        + &element::text("p", "class=\"lead\"", &goal_sentence(&judgements))
        + &element::table("goals", "Goals", &content)
}

fn goal_sentence(judgements: &[Judgement]) -> String {
    let count = |wanted: fn(Reached) -> bool| {
        let reached = judgements
            .iter()
            .filter(|judgement| wanted(judgement.reached()));
        reached.count()
    };
    let met = count(|reached| matches!(reached, Reached::Met(_)));
    let missed = count(|reached| matches!(reached, Reached::Missed(_)));
    let open = count(|reached| reached == Reached::NotMeasured);
    format!("{met} met, {missed} missed, {open} not measured. The median decides.")
}

/// The rows of one kind of work, which is named once.
fn goal_rows(judgements: &[Judgement]) -> String {
    let row = |(index, judgement): (usize, &Judgement)| {
        let mut cells = goal_cells(judgement);
        if index == 0 {
            let attributes = format!("scope=\"rowgroup\" rowspan=\"{}\"", judgements.len());
            let work = number::capitalised(judgement.goal.work);
            cells.insert(0, element::text("th", &attributes, &work));
        }
        element::row(&cells)
    };
    judgements.iter().enumerate().map(row).collect()
}

fn goal_cells(judgement: &Judgement) -> Vec<String> {
    let goal = judgement.goal;
    let class = match judgement.reached() {
        Reached::Met(_) => "class=\"words met\"",
        Reached::Missed(_) => "class=\"words missed\"",
        Reached::NotMeasured => "class=\"words none\"",
    };
    let base = goal
        .base
        .map_or_else(String::new, |base| format!(" × {base}"));
    let limit = format!("≤ {}{base}", number::ratio(goal.limit));
    let found = judgement.found;
    let gauge = found.map_or_else(String::new, |found| gauge(found, goal.limit));
    vec![
        element::element("td", "class=\"words\"", &link(&judgement.scenario)),
        element::text("td", "class=\"words\"", &limit),
        interval(found, number::ratio),
        element::text("td", class, &table::reached(judgement.reached())),
        element::element("td", "class=\"gauge\"", &gauge),
    ]
}

fn link(scenario: &str) -> String {
    let address = format!("href=\"#{}\"", anchor("s", scenario));
    if scenario.is_empty() {
        "–".to_owned()
    } else {
        element::text("a", &address, scenario)
    }
}

/// Where a measurement lies between nothing and one and a half of the limit.
fn gauge(found: Estimate, limit: f64) -> String {
    let place = |value: f64| 80.0 * (value / limit).clamp(0.0, 1.5);
    let (low, median, high) = (place(found.low), place(found.median), place(found.high));
    let class = if found.median > limit {
        "missed"
    } else {
        "met"
    };
    format!(
        "<svg viewBox=\"-4 0 128 16\" class=\"{class}\" aria-hidden=\"true\">\
         <path class=\"grid\" d=\"M0 8H120\"></path><path class=\"limit\" d=\"M80 1V15\"></path>\
         <path class=\"range\" d=\"M{low:.1} 8H{high:.1}\"></path>\
         <circle cx=\"{median:.1}\" cy=\"8\" r=\"3\"></circle></svg>"
    )
}

fn overview(figures: &Figures<'_>) -> String {
    let mut names = vec!["Scenario".to_owned()];
    names.extend(figures.run.servers.iter().map(|server| server.name.clone()));
    let boards = figures.scenarios.iter();
    let rows: String = boards
        .filter(|board| board.has_requests())
        .map(overview_row)
        .collect();
    let content = element::headings(&names) + &element::element("tbody", "", &rows);
    let note = format!(
        "Median in µs; below it the ratio to {}, with ≈ where that is no difference.",
        figures.base
    );
    element::text("h3", "", "CPU per request, everything")
        + &element::text("p", "class=\"conditions\"", &note)
        + &element::table("overview", "CPU per request, everything", &content)
}

fn overview_row(board: &Board<'_>) -> String {
    let address = format!("href=\"#{}\"", anchor("s", &board.scenario.name));
    let title = element::text("a", &address, &number::capitalised(&board.scenario.title));
    let mut cells = vec![element::element("th", "scope=\"row\"", &title)];
    cells.extend(board.lines.iter().map(overview_cell));
    element::row(&cells)
}

fn overview_cell(line: &Line<'_>) -> String {
    let Some((measured, cpu)) = line
        .measured()
        .and_then(|measured| Some((measured, measured.cpu_microseconds?)))
    else {
        return element::text("td", "class=\"none\"", panel::absence(&line.standing));
    };
    let ratio = measured.ratio.map_or_else(|| "1".to_owned(), bars::ratio);
    let content =
        element::escape(&number::figure(cpu.median)) + " " + &element::text("small", "", &ratio);
    let class = if figures::is_engine(line.server) {
        "class=\"engine\""
    } else {
        ""
    };
    element::element("td", class, &content)
}
