//! All forms of the report together, over a run that was never measured.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use super::super::results::Run;
use super::fixture::{self, HOSTILE};
use super::{markdown, page, table};

#[test]
fn every_form_has_every_server_and_scenario() {
    let run = fixture::run();
    let page = page(&run);
    let check = |text: &str, name: &str| assert!(text.contains(name), "{name} is missing");
    for server in &run.servers {
        check(&table(&run), &server.name);
        check(&page, &format!("\">{}</th>", server.name));
    }
    for scenario in &run.scenarios {
        check(&table(&run), &scenario.name);
        check(&page, &format!("id=\"s-{}\"", scenario.name));
    }
    check(&markdown(&run), "| 10 KiB, 64 connections | **");
    check(&page, &run.command);
    check(&page, &run.machine.kernel);
}

#[test]
fn the_table_fits_a_terminal() {
    let text = table(&fixture::run());
    // Reasons, commands and notes are as long as they are.
    let tables = text
        .lines()
        .filter(|line| !line.contains("wrk") && !line.contains("failed"));
    for line in tables {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn says_ahead_only_where_the_run_does() {
    let check = |scenario: &str, server: &str, words: &str| {
        let text = table(&fixture::run());
        let part = text
            .split("\n\n")
            .find(|part| part.trim_start().starts_with(&format!("{scenario}: ")));
        let line = part
            .unwrap()
            .lines()
            .find(|line| line.starts_with(&format!("{server} ")));
        assert!(line.unwrap().ends_with(words), "{}", line.unwrap());
    };
    check("1k-c64", "ring", " ahead");
    check("1k-c64", "static-web-server", " behind");
    check("1k-c1", "hyper", " behind");
    check("1k-c8", "h2o", " equal within the spread");
    check("1k-c64", "nginx", " base");
    check("1k-c64", "caddy", " not installed: apt-get install caddy");
    check(
        "304-c64",
        "hyper",
        " failed: status 200 instead of 304 <html>",
    );
}

#[test]
fn a_server_made_slower_is_called_behind() {
    let mut run = fixture::run();
    for row in run
        .scenarios
        .iter_mut()
        .flat_map(|scenario| &mut scenario.rows)
    {
        if row.server == "ring" {
            row.rounds
                .iter_mut()
                .for_each(|round| round.server_cpu_seconds *= 20.0);
        }
    }
    let rows = |text: String| {
        text.split("<tr>")
            .filter(|row| row.contains(">ring<"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for row in rows(page(&run)) {
        assert!(!row.contains(">ahead<"), "{row}");
    }
    assert!(page(&run).contains("ring is ahead in 0, equal within the spread in 0 and behind in"));
    assert!(table(&run).contains("ahead 0, equal within the spread 0, behind 10"));
    assert!(
        page(&fixture::run()).contains(">ahead<") && table(&fixture::run()).contains("  ahead\n")
    );
}

#[test]
fn ratios_refer_to_the_base_that_is_there() {
    let check = |base: &str, expected: &str| {
        let mut run = fixture::run();
        run.base = base.into();
        let heading = format!("CPU to {expected} ");
        assert!(table(&run).contains(&heading), "{base}");
        assert!(page(&run).contains(&format!(">÷ {expected}<")), "{base}");
    };
    check("epoll", "epoll");
    check("caddy", "nginx");
    check("", "nginx");
}

#[test]
fn says_by_how_much_a_goal_is_missed() {
    let words = "missed by 10 %";
    assert!(table(&fixture::run()).contains(words));
    assert!(page(&fixture::run()).contains(&format!("<td class=\"words missed\">{words}</td>")));
}

#[test]
fn few_rounds_win_nothing() {
    let mut run = fixture::run();
    for row in run
        .scenarios
        .iter_mut()
        .flat_map(|scenario| &mut scenario.rows)
    {
        row.rounds.truncate(3);
    }
    assert!(!table(&run).contains("  ahead\n"));
    assert!(!page(&run).contains(">ahead<"));
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&fixture::run());
    for word in [
        "http://", "https://", "src=", "url(", "@import", "<script", "<link",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    let targets = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    for target in targets {
        let id = target.strip_prefix('#').unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{target}");
    }
}

#[test]
fn elements_are_nested() {
    check_nested(&page(&fixture::run()));
    let mut empty = fixture::run();
    empty.servers.clear();
    empty.scenarios.clear();
    check_nested(&page(&empty));
    assert!(std::panic::catch_unwind(|| check_nested("<a><b></a></b>")).is_err());
    assert!(std::panic::catch_unwind(|| check_nested("<a>")).is_err());
}

#[test]
fn text_stays_text() {
    let (run, escaped) = (
        fixture::run(),
        "a &lt;b&gt;&quot;bold&quot;&lt;/b&gt; &amp; &#39;quoted&#39; name",
    );
    let page = page(&run);
    assert!(page.contains(escaped) && !page.contains("<b>\"bold"));
    assert!(!page.contains(HOSTILE) && !page.contains("<html>."));
    assert!(markdown(&run).contains("a \\<b>\"bold\"\\</b> & 'quoted' name"));
}

#[test]
fn a_run_without_anything_has_a_report() {
    let nothing: Run = {
        let mut run = fixture::run();
        run.scenarios
            .iter_mut()
            .for_each(|scenario| scenario.rows.clear());
        run
    };
    assert!(table(&nothing).contains("not measured"));
    assert!(page(&nothing).contains("not measured"));
    assert!(markdown(&nothing).starts_with("| µs of CPU per request | ring | epoll |"));
}

/// Writes the page where it can be looked at: `REPORT_SAMPLE=FOLDER cargo test --test harness`.
#[test]
fn writes_a_sample_where_asked() {
    let Some(folder) = std::env::var_os("REPORT_SAMPLE") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let run = fixture::run();
    std::fs::write(folder.join("report.html"), page(&run)).unwrap();
    std::fs::write(folder.join("summary.txt"), table(&run)).unwrap();
    std::fs::write(folder.join("README.md"), markdown(&run)).unwrap();
}

#[track_caller]
fn check_nested(page: &str) {
    let mut open = Vec::new();
    for rest in page.split('<').skip(1) {
        let tag = rest.split('>').next().unwrap();
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "at </{closed}>"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

/// What has no end tag.
const VOID: [&str; 2] = ["!DOCTYPE", "meta"];
