//! The words of the page that no run changes: what groups are about, and how to read it all.

use super::super::number;

/// A group's heading and what it is about; an unknown group is headed by its name.
pub(super) fn group(name: &str) -> (String, Option<&'static str>) {
    let known = GROUPS.iter().find(|(known, _, _)| *known == name);
    match known {
        Some((_, title, about)) => ((*title).to_owned(), Some(about)),
        None => (number::capitalised(name), None),
    }
}

const GROUPS: [(&str, &str, &str); 9] = [
    (
        "sizes",
        "File sizes",
        "One file of each size, asked for over and over on connections that stay open.",
    ),
    (
        "connections",
        "Number of connections",
        "The same file over few and many connections that stay open.",
    ),
    (
        "requests",
        "Kinds of requests",
        "What browsers and caches ask beside whole files: revalidation, heads, ranges, pipelines.",
    ),
    (
        "mixed",
        "Mixed sites",
        "Many files, most of them asked for rarely, compressed where the client accepts it.",
    ),
    (
        "latency",
        "Response times",
        "At a rate that every server can keep up with, and beside a slow disk. A response time begins when its \
         request was due, so a server that stalls is charged for all that had to wait.",
    ),
    (
        "idle",
        "Idle connections",
        "Thousands of connections that stay open and ask nothing, beside a load that does.",
    ),
    (
        "start",
        "Start-up and memory",
        "From the start of the process to the first answer, and what it then holds.",
    ),
    (
        "workers",
        "Workers",
        "One and two workers; with two, the load shares a CPU with the server.",
    ),
    (
        "front",
        "In front of an application, and over TLS",
        "Small answers passed on from an application server, connections kept open on both sides, and a file \
         over TLS 1.3 with one cipher suite for all. The time of the application is not counted.",
    ),
];

/// How to read the page: terms and what they mean.
pub(super) const READING: [(&str, &str); 8] = [
    (
        "One run, in turns",
        "All servers of a scenario are up at once and are checked to give the same answers. Then they are \
         loaded one after the other, and in the next round again in another order, so that a slow minute of \
         the machine hits all of them.",
    ),
    (
        "CPU per request",
        "User and system time of the whole server, every process and thread, divided by the answers the \
         client received whole. It is what a request costs, whether or not the load generator keeps up.",
    ),
    (
        "Requests per second",
        "What the client received. Where the client’s own CPU is the limit, fast servers look alike here and \
         differ in CPU per request.",
    ),
    (
        "Median and interval",
        "Figures are medians over the rounds. The thin bar, and the smaller figures in tables, are the \
         confidence interval of that median by order statistics: with five to eight rounds from the lowest \
         to the highest, with nine and more the outermost are left out.",
    ),
    (
        "Ratio",
        "A server’s CPU per request divided by that of the base in the same round; then the median of \
         these ratios. Below 1 is less CPU than the base.",
    ),
    (
        "Ahead, behind, equal",
        "Ahead is said only if the whole interval of the ratio lies below 1, behind only if it lies above. \
         Everything else, and everything with fewer than five rounds, is equal within the spread, marked ≈.",
    ),
    (
        "Floor",
        "A loop on the same kernel interface that sends a ready answer without reading the request. No \
         server can be expected to cost less.",
    ),
    (
        "Bars",
        "Bars begin at zero. A bar with two strokes through its end is longer than there is room for; its \
         figure is right.",
    ),
];
