//! What a request must look like when it arrives: everything that the client said end to end,
//! nothing that it said to the server alone, and what the server adds.

use super::reader::Head;
use crate::plan::{Abort, Plan, Protocol, Upload, Work};

/// The number of a request, which its target and a field have to agree on.
pub(super) fn id(head: &Head) -> Result<u64, String> {
    let in_target = head.target.strip_prefix("/app/").and_then(|rest| {
        let digits = rest.split(['/', '?']).next()?;
        digits.parse::<u64>().ok()
    });
    let in_field = head.field("x-id").and_then(|digits| digits.parse().ok());
    match (in_target, in_field) {
        (Some(id), Some(other)) if id == other => Ok(id),
        _ => Err(format!("a request that nobody sends: {head:?}")),
    }
}

/// Compares a head with what was planned.
pub(super) fn head(head: &Head, plan: &Plan, protocol: Protocol) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{what} in {head:?}"));
    if (head.method.as_str(), head.target.as_str()) != (plan.method, plan.target.as_str()) {
        return wrong("another request line".to_owned());
    }
    if let Some(name) = first_unknown(head, plan) {
        return wrong(format!("{name}, which nobody sends"));
    }
    for (name, _) in &plan.fields {
        let sent = plan.fields.iter().filter(|(other, _)| other == name);
        let sent: Vec<&str> = sent.map(|(_, value)| value.as_str()).collect();
        let name = name.to_ascii_lowercase();
        let arrived: Vec<&str> = head.all(&name).collect();
        let arrived_joined = arrived.join(", ");
        if arrived != sent && arrived_joined != sent.join(", ") {
            return wrong(format!("{name} is {arrived:?}, not {sent:?}"));
        }
    }
    for (name, value) in added(plan, protocol) {
        let arrived: Vec<&str> = head.all(name).collect();
        if arrived != [value] {
            return wrong(format!("{name} is {arrived:?}, not {value:?}"));
        }
    }
    connection(head, plan)
        .and_then(|()| framing(head, plan))
        .or_else(wrong)
}

/// What the server has to add.
fn added(plan: &Plan, protocol: Protocol) -> [(&'static str, &'static str); 4] {
    [
        ("host", plan.host),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", protocol.scheme()),
        ("x-forwarded-host", plan.host),
    ]
}

fn first_unknown<'a>(head: &'a Head, plan: &Plan) -> Option<&'a str> {
    let is_sent = |name: &str| {
        let mut names = plan.fields.iter().map(|(sent, _)| *sent);
        names.any(|sent| sent.eq_ignore_ascii_case(name))
    };
    let mut names = head.fields.iter().map(|(name, _)| name.as_str());
    names.find(|name| !is_sent(name) && !ADDED.contains(name))
}

/// Only what concerns this connection may be said of it (RFC 9110 §7.6.1).
fn connection(head: &Head, plan: &Plan) -> Result<(), String> {
    let said: Vec<String> = head.all("connection").map(str::to_lowercase).collect();
    let upgrades: Vec<&str> = head.all("upgrade").collect();
    if matches!(plan.work, Work::Echo(_)) {
        let is_handed_on = upgrades == ["websocket"] && said == ["upgrade"];
        return is_handed_on.then_some(()).ok_or("no upgrade".to_owned());
    }
    // What the server itself says of TE concerns this connection (RFC 9110 §10.1.4).
    let takes_trailers = head.field("te") == Some("trailers");
    let may_say = |said: &String| said == "keep-alive" || (said == "te" && takes_trailers);
    let is_plain = said.iter().all(may_say) && upgrades.is_empty();
    is_plain
        .then_some(())
        .ok_or(format!("Connection: {said:?}, Upgrade: {upgrades:?}"))
}

/// The length that the client announced is announced; no content is made up.
fn framing(head: &Head, plan: &Plan) -> Result<(), String> {
    let framing = head.framing()?;
    match (plan.upload, framing) {
        (Upload::Length(bytes), Some(length)) if bytes == length => Ok(()),
        (Upload::Nothing, Some(0)) => Ok(()),
        // A server may know the length by having taken all of it.
        (Upload::Chunked(bytes), Some(length)) if bytes == length => Ok(()),
        (Upload::Chunked(_), None) => Ok(()),
        // A stream that was reset before its end was not known to have no content.
        (Upload::Nothing, None) if matches!(plan.abort, Some(Abort::Sending(_))) => Ok(()),
        (upload, framing) => Err(format!("{upload:?} is framed {framing:?}")),
    }
}

/// What may arrive without having been sent.
const ADDED: [&str; 13] = [
    "host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "forwarded",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "te",
    "upgrade",
    "via",
    "trailer",
];
