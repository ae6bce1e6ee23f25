//! An answer, as a client of any protocol gets it, and whether it is the one that was planned.

use crate::client::World;
use crate::plan::{Frame, Plan, Reply, Work};

/// An answer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Answer {
    /// The value of a field that may occur once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(other, _)| other == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// Compares it with what was planned.
    pub(crate) fn check(&self, plan: &Plan, world: &World) -> Result<(), String> {
        let checked = match &plan.work {
            Work::Asset(wanted) => world.files.check(plan, *wanted, self),
            Work::Refusal => self.check_refusal(world.repertoire.is_strict),
            Work::Proxied(reply) => self.check_reply(plan, reply),
            Work::Events(_) => self.check_content(plan, 200),
            Work::Echo(_) => self.check_upgrade(plan),
        };
        checked
            .and_then(|()| self.check_fields())
            .map_err(|fault| format!("{fault}: {:?} {:?}", self.status, self.fields))
    }

    fn check_refusal(&self, is_strict: bool) -> Result<(), String> {
        let default = if is_strict { "" } else { "GET" };
        let allowed = self.field("allow").unwrap_or(default);
        match (self.status, allowed.contains("GET")) {
            // RFC 9110 §15.5.6.
            (405, true) | (413, _) => Ok(()),
            _ => Err("no refusal".to_owned()),
        }
    }

    fn check_reply(&self, plan: &Plan, reply: &Reply) -> Result<(), String> {
        self.check_content(plan, reply.status)?;
        let cookies = self.fields.iter().filter(|(name, _)| name == "set-cookie");
        let cookies: Vec<&str> = cookies.map(|(_, value)| value.as_str()).collect();
        if cookies != [&format!("a={}", plan.id), "b=2; Path=/"] {
            return Err(format!("cookies {cookies:?}"));
        }
        let length = self.field("content-length");
        if reply.frame == Frame::Length && length != Some(&reply.bytes.to_string()) {
            return Err(format!("the length {length:?}"));
        }
        if matches!(reply.frame, Frame::Nothing) && reply.status == 204 && length.is_some() {
            return Err(format!("the length {length:?}"));
        }
        // Trailers may be dropped (RFC 9110 §6.5.1), not changed.
        let known = ("x-trailer".to_owned(), plan.id.to_string());
        match self.trailers.iter().find(|trailer| **trailer != known) {
            Some(trailer) => Err(format!("the trailer {trailer:?}")),
            None => Ok(()),
        }
    }

    fn check_content(&self, plan: &Plan, status: u16) -> Result<(), String> {
        if self.status != status {
            return Err(format!("not {status}"));
        }
        if self.field("x-answer") != Some(&plan.id.to_string()) {
            return Err("the answer to another request".to_owned());
        }
        let expected = match plan.method {
            "HEAD" => Vec::new(),
            _ => plan.reply_content(),
        };
        let got = self.content.len();
        match self.content == expected {
            true => Ok(()),
            false => Err(format!("{got} bytes of content, not {}", expected.len())),
        }
    }

    fn check_upgrade(&self, plan: &Plan) -> Result<(), String> {
        let key = plan.websocket_key();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let upgrade = self.field("upgrade").unwrap_or_default();
        let is_accepted = self.field("sec-websocket-accept") == Some(&accept)
            && upgrade.eq_ignore_ascii_case("websocket");
        match (self.status, is_accepted) {
            (101, true) => self.check_content(plan, 101),
            _ => Err("no WebSocket".to_owned()),
        }
    }

    /// What no answer may lack, have twice or let through (RFC 9110 §6.6.1, §7.6.1).
    fn check_fields(&self) -> Result<(), String> {
        let count = |name: &str| {
            self.fields
                .iter()
                .filter(|(other, _)| other == name)
                .count()
        };
        if self.status >= 200 && count("date") != 1 {
            return Err(format!("{} times Date", count("date")));
        }
        if count("content-length") > 1 || count("x-hop") > 0 || count("connection") > 1 {
            return Err("a field that may not be".to_owned());
        }
        Ok(())
    }
}
