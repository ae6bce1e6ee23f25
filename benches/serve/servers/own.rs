//! This package's own binary, once for each engine; and another build of it to compare with.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::load::Wire;
use super::{Call, Setting};

/// The binary that was built for the harness.
pub(super) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_whitering"))
}

/// What the other build says of itself, or why it cannot be measured.
pub(super) fn version(before: Option<&Path>) -> Result<String, String> {
    let program = before.ok_or("no other build: --before PATH")?;
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.trim().trim_start_matches("whitering ").to_owned())
}

/// The call of `program` with `engine`.
pub(super) fn call(program: &Path, engine: &str, setting: Setting<'_>, port: u16) -> Call {
    let workers = setting.workers.to_string();
    let address = format!("127.0.0.1:{port}");
    let mut words = vec![
        program.into(),
        "serve".into(),
        setting.root.into(),
        "--engine".into(),
        engine.into(),
        "--workers".into(),
        workers.into(),
    ];
    if setting.wire == Wire::Plain {
        words.extend(["--bind".into(), address.into()]);
    } else {
        let (chain, key) = (&setting.certificate.chain, &setting.certificate.key);
        words.extend(["--tls-bind".into(), address.into()]);
        words.extend(["--tls-cert".into(), chain.into()]);
        words.extend(["--tls-key".into(), key.into()]);
    }
    if let Some(port) = setting.upstream {
        words.push("--upstream".into());
        words.push(format!("http://127.0.0.1:{port}").into());
    }
    Call {
        words,
        variables: Vec::new(),
    }
}

/// The call with words for what changes.
pub(super) fn shown(engine: &str) -> String {
    format!("whitering serve SITE --engine {engine} --workers WORKERS --bind 127.0.0.1:PORT")
}
