//! Somebody else's servers: where each is found, what version it says, and how it is called.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::certificate::Certificate;
use super::super::load::Wire;
use super::super::peers::{PEERS, Peer, Values};
use super::{Call, Setting};

/// The peer `name`.
///
/// # Panics
/// If there is none; the table of candidates names only those there are, which is tested.
pub(super) fn named(name: &str) -> &'static Peer {
    const ALL: &[Peer] = &PEERS;
    let mut peers = ALL.iter();
    let peer = peers.find(|peer| peer.name == name);
    peer.expect("invariant: candidates name peers that exist")
}

/// What `peer` says of itself, or what to do if it is not installed.
pub(super) fn version(peer: &Peer) -> Result<String, String> {
    let missing = || format!("not installed: {}", peer.remedy);
    let program = find_program(peer.program).ok_or_else(missing)?;
    let mut command = Command::new(program);
    command.arg(peer.version_argument).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    // nginx says it on standard error.
    let said = [output.stdout, output.stderr].concat();
    Ok(version_in(&String::from_utf8_lossy(&said)))
}

/// Why `peer` does not serve `.br` and `.gz` beside a file, with the remedy.
pub(super) fn lacks_variants(peer: &Peer) -> Option<&'static str> {
    let (module, remedy) = match peer.program {
        "nginx" => (
            NGINX_BROTLI,
            "apt-get install libnginx-mod-http-brotli-static",
        ),
        "lighttpd" => (LIGHTTPD_LUA, "apt-get install lighttpd-modules-lua"),
        _ => return None,
    };
    (!Path::new(module).exists()).then_some(remedy)
}

/// Writes the configuration to the server's folder and says how it is called.
pub(super) fn call(peer: &Peer, setting: Setting<'_>, port: u16) -> io::Result<Call> {
    let values = values(setting, port);
    peer.configure(&values)?;
    let program = find_program(peer.program).unwrap_or_else(|| peer.program.into());
    let mut words = vec![program.into()];
    words.extend(peer.arguments(&values).into_iter().map(Into::into));
    let variables = peer.environment(&values).into_iter();
    Ok(Call {
        words,
        variables: variables
            .map(|(name, value)| (name, value.into()))
            .collect(),
    })
}

/// The call with words for what changes.
pub(super) fn shown(peer: &Peer) -> String {
    let setting = Setting {
        root: Path::new("SITE"),
        workers: 1,
        folder: Path::new("FOLDER"),
        canned: None,
        wire: Wire::Plain,
        upstream: None,
        certificate: &Certificate::default(),
        before: None,
    };
    let arguments = peer.arguments(&values(setting, 0));
    format!("{} {}", peer.program, arguments.join(" "))
}

fn values(setting: Setting<'_>, port: u16) -> Values<'_> {
    Values {
        wire: setting.wire,
        upstream: setting.upstream,
        certificate: setting.certificate,
        root: setting.root,
        port,
        folder: setting.folder,
        workers: setting.workers,
    }
}

/// Where `name` is: what was built for the harness first, then as a shell would look, then where
/// Debian puts servers.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let mut folders = vec![super::super::folder().join("tools/bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.push("/usr/sbin".into());
    let mut paths = folders.into_iter().map(|folder| folder.join(name));
    paths.find(|path| path.is_file())
}

/// The first word with a digit in what a program says about its version.
fn version_in(said: &str) -> String {
    let words = said.split([' ', '/', '\n', '\t']);
    let mut versions = words.map(|word| word.trim_start_matches('v'));
    let version = versions.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    version.unwrap_or_default().to_owned()
}

const NGINX_BROTLI: &str = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";
const LIGHTTPD_LUA: &str = "/usr/lib/lighttpd/mod_magnet.so";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_what_is_said() {
        let check = |said, version| assert_eq!(version_in(said), version);
        check("nginx version: nginx/1.22.1\n", "1.22.1");
        check("h2o version 2.2.5\nOpenSSL: OpenSSL 3.0.19", "2.2.5");
        check("lighttpd/1.4.69 (ssl) - a light", "1.4.69");
        check("2.6.2\n", "2.6.2");
        check("v2.8.0 h1:abc=", "2.8.0");
        check("static-web-server 2.38.0", "2.38.0");
        check("", "");
    }
}
