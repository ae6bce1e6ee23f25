//! The rows of this harness: its own binary again, in a process that only serves.

use std::io;

use clap::ValueEnum;

use super::super::rows::Kind;
use super::{Call, Setting};

/// What is wrong with a row, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It burns time.
    Slow,
    /// It sends wrong bytes.
    Corrupt,
    /// It answers 500.
    Fail,
}

impl Fault {
    fn words(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Slow => vec!["--burn-microseconds".into(), BURN_MICROSECONDS.to_string()],
            Self::Corrupt => vec!["--corrupt".into()],
            Self::Fail => vec!["--fail".into()],
        }
    }
}

/// The call of the row `kind`.
pub(super) fn call(kind: Kind, fault: Fault, setting: Setting<'_>, port: u16) -> io::Result<Call> {
    let mut words = vec![
        std::env::current_exe()?.into(),
        "row".into(),
        name(kind).into(),
        "--address".into(),
        format!("127.0.0.1:{port}").into(),
        "--root".into(),
        setting.root.into(),
        "--workers".into(),
        setting.workers.to_string().into(),
    ];
    if let (Kind::Floor, Some(canned)) = (kind, setting.canned) {
        words.extend(["--canned".into(), canned.into()]);
    }
    words.extend(fault.words().into_iter().map(Into::into));
    let variables = Vec::new();
    Ok(Call { words, variables })
}

/// The call with words for what changes.
pub(super) fn shown(kind: Kind, fault: Fault) -> String {
    let shown = format!(
        "HARNESS row {} --address 127.0.0.1:PORT --root SITE --workers WORKERS",
        name(kind)
    );
    let mut words = vec![shown];
    words.extend(fault.words());
    words.join(" ")
}

fn name(kind: Kind) -> String {
    let value = kind.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What the slow row burns for each read: several times what the floor takes for a request.
const BURN_MICROSECONDS: u64 = 20;
