//! This package's own binary, once for each engine.

use super::{Call, Setting};

/// The call of `engine`.
pub(super) fn call(engine: &str, setting: Setting<'_>, port: u16) -> Call {
    let workers = setting.workers.to_string();
    let bind = format!("127.0.0.1:{port}");
    let words = [
        env!("CARGO_BIN_EXE_whitering").into(),
        "serve".into(),
        setting.root.into(),
        "--engine".into(),
        engine.into(),
        "--workers".into(),
        workers.into(),
        "--bind".into(),
        bind.into(),
    ];
    Call {
        words: words.into(),
        variables: Vec::new(),
    }
}

/// The call with words for what changes.
pub(super) fn shown(engine: &str) -> String {
    format!("whitering serve SITE --engine {engine} --workers WORKERS --bind 127.0.0.1:PORT")
}
