//! The page: one HTML file with style and plots in it. It needs no network and no script.

mod all_figures;
mod bars;
mod colour;
mod element;
mod lines;
mod panel;
mod prose;
mod scale;
mod scenario;
mod spans;
mod summary;

use super::super::results::{Run, Server};
use super::figures::Figures;
use super::number;

/// The page of a run.
pub(crate) fn page(run: &Run) -> String {
    let figures = Figures::new(run);
    let groups = figures.groups();
    let sections: String = groups
        .iter()
        .map(|(name, boards)| scenario::group(name, boards, &figures))
        .collect();
    let names = groups.iter().map(|(name, _)| *name);
    let main = heading(run)
        + &contents(names)
        + &summary::summary(&figures)
        + &sections
        + &instructions(run)
        + &servers(&run.servers)
        + &notes(run)
        + &reading();
    let body = element::element("body", "", &element::element("main", "", &main));
    let html = element::element("html", "lang=\"en\"", &(head(run) + &body));
    format!("<!DOCTYPE html>\n{html}\n")
}

fn head(run: &Run) -> String {
    let title = format!("whitering benchmark, {}", run.started);
    let style = format!("{STYLE}{}", colour::rules());
    let content = "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
                   <meta name=\"color-scheme\" content=\"light dark\">"
        .to_owned()
        + &element::text("title", "", &title)
        + &element::element("style", "", &style);
    element::element("head", "", &content)
}

fn heading(run: &Run) -> String {
    let machine = &run.machine;
    let what = format!("whitering {}", run.revision);
    let memory = number::bytes(machine.memory_bytes as f64);
    let mut facts = vec![
        ("Measured".to_owned(), what),
        (
            "When".to_owned(),
            format!("{}, for {}", run.started, number::duration(run.seconds)),
        ),
        (
            "Machine".to_owned(),
            format!("{}, {} CPUs, {memory}", machine.cpu, machine.cpu_count),
        ),
        ("Kernel".to_owned(), machine.kernel.clone()),
    ];
    facts.extend(machine.settings.iter().cloned());
    facts.extend(machine.tools.iter().cloned());
    let facts: String = facts
        .iter()
        .map(|(name, fact)| fact_of(name, fact))
        .collect();
    let content = element::text("p", "class=\"kicker\"", "Benchmark report")
        + &element::text("h1", "", "Serving static files")
        + &element::element("dl", "class=\"facts\"", &facts)
        + &element::element("pre", "", &element::text("code", "", &run.command));
    element::element("header", "", &content)
}

fn fact_of(name: &str, fact: &str) -> String {
    let pair = element::text("dt", "", name) + &element::text("dd", "", fact);
    element::element("div", "", &pair)
}

fn servers(servers: &[Server]) -> String {
    let row = |server: &Server| {
        let class = format!("scope=\"row\" class=\"{}\"", colour::class(server));
        let (version, command) = match &server.missing {
            Some(why) => ("–", element::text("td", "class=\"words none\"", why)),
            None => (
                server.version.as_str(),
                element::element(
                    "td",
                    "class=\"words\"",
                    &element::text("code", "", &server.command),
                ),
            ),
        };
        element::row(&[
            element::text("th", &class, &server.name),
            element::text("td", "class=\"words\"", version),
            command,
        ])
    };
    let rows: String = servers.iter().map(row).collect();
    let content = element::headings(&["Server", "Version", "Started with"])
        + &element::element("tbody", "", &rows);
    let content =
        element::text("h2", "", "Servers") + &element::table("servers", "Servers", &content);
    element::element("section", "id=\"servers\"", &content)
}

fn contents<'a>(groups: impl Iterator<Item = &'a str>) -> String {
    let link = |address: &str, name: &str| {
        let address = format!("href=\"#{address}\"");
        element::element("li", "", &element::text("a", &address, name))
    };
    let groups: String = groups
        .map(|name| link(&scenario::anchor("g", name), &prose::group(name).0))
        .collect();
    let links = link("summary", "Summary")
        + &groups
        + &link("servers", "Servers")
        + &link("reading", "How to read this");
    element::element(
        "nav",
        "aria-label=\"Contents\"",
        &element::element("ul", "", &links),
    )
}

fn instructions(run: &Run) -> String {
    if run.instructions.is_empty() {
        return String::new();
    }
    let rows: String = run
        .instructions
        .iter()
        .map(|count| {
            let per_request = number::figure(count.per_request);
            element::row(&[
                element::text("th", "scope=\"row\"", &count.name),
                element::text("td", "", &per_request),
            ])
        })
        .collect();
    let content = element::headings(&["Path", "Instructions per request"])
        + &element::element("tbody", "", &rows);
    let content = element::text("h2", "", "Instructions")
        + &element::text(
            "p",
            "class=\"about\"",
            "Counted by callgrind in the parts that do no I/O; they repeat exactly.",
        )
        + &element::table("standings", "Instructions", &content);
    element::element("section", "id=\"instructions\"", &content)
}

fn notes(run: &Run) -> String {
    if run.notes.is_empty() {
        return String::new();
    }
    let notes: String = run
        .notes
        .iter()
        .map(|note| element::text("li", "", note))
        .collect();
    let content =
        element::text("h2", "", "Notes") + &element::element("ul", "class=\"notes\"", &notes);
    element::element("section", "id=\"notes\"", &content)
}

fn reading() -> String {
    let terms: String = prose::READING
        .iter()
        .map(|(term, meaning)| fact_of(term, meaning))
        .collect();
    let content = element::text("h2", "", "How to read this")
        + &element::element("dl", "class=\"reading\"", &terms);
    element::element("section", "id=\"reading\"", &content)
}

const STYLE: &str = include_str!("style.css");
