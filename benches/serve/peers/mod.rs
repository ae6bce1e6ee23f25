//! Servers of other people: where each is found, its configuration and how it is started. Starts
//! nothing itself.
//!
//! Configurations are templates. Of all words in braces exactly seven are replaced, comments
//! included: `{root}`, `{port}`, `{folder}` (a directory of the server's own for its configuration
//! and scratch files), `{workers}`, `{chain}` and `{key}` of a certificate, and `{upstream}`, the
//! port of an application; any other brace belongs to the configuration. A line that ends in
//! `# if PATH` is left out where there is no PATH, one that ends in `# if root` unless root runs the
//! harness; `plain`, `tls`, `http2` stand for what is spoken with clients (one of the three),
//! `secure` for the latter two, `proxy` and `files` for what is done.

use std::fs;
use std::io;
use std::path::Path;

use super::certificate::Certificate;
use super::load::Wire;

/// A server that may be installed.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its name in the results.
    pub(crate) name: &'static str,
    /// The program: in `PATH`, in Debian's `/usr/sbin`, or in `tools/bin` of the harness's folder.
    pub(crate) program: &'static str,
    /// How to get it.
    pub(crate) remedy: &'static str,
    /// Makes the program say its version, in its first line on either output.
    pub(crate) version_argument: &'static str,
    /// Whether the templates know TLS, HTTP/2 and an application.
    pub(crate) can_be_in_front: bool,
    /// Names in `{folder}` and their templates.
    files: &'static [(&'static str, &'static str)],
    /// Templates of the command line; it stays in the foreground and ends on SIGTERM.
    arguments: &'static [&'static str],
    /// Templates of the environment.
    environment: &'static [(&'static str, &'static str)],
}

/// What the words in braces stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    /// `{root}`: what is served.
    pub(crate) root: &'a Path,
    /// `{port}` on 127.0.0.1.
    pub(crate) port: u16,
    /// `{folder}`: exists, and is this server's alone.
    pub(crate) folder: &'a Path,
    /// `{workers}`: processes or threads.
    pub(crate) workers: u32,
    /// What is spoken with clients.
    pub(crate) wire: Wire,
    /// `{upstream}`: the port of an application on 127.0.0.1.
    pub(crate) upstream: Option<u16>,
    /// `{chain}` and `{key}`.
    pub(crate) certificate: &'a Certificate,
}

impl Peer {
    /// Writes the configuration into the folder.
    pub(crate) fn configure(&self, values: &Values<'_>) -> io::Result<()> {
        for (name, template) in self.files {
            let kept = choose_lines(template, |condition| values.fulfil(condition));
            fs::write(values.folder.join(name), values.fill(&kept))?;
        }
        Ok(())
    }

    /// The arguments to start it with.
    pub(crate) fn arguments(&self, values: &Values<'_>) -> Vec<String> {
        self.arguments
            .iter()
            .map(|argument| values.fill(argument))
            .collect()
    }

    /// What is added to the environment.
    pub(crate) fn environment(&self, values: &Values<'_>) -> Vec<(&'static str, String)> {
        self.environment
            .iter()
            .map(|&(name, value)| (name, values.fill(value)))
            .collect()
    }
}

impl Values<'_> {
    /// Replaces the seven words.
    fn fill(&self, template: &str) -> String {
        let upstream = self.upstream.map(|port| port.to_string());
        template
            .replace("{upstream}", &upstream.unwrap_or_default())
            .replace("{chain}", &self.certificate.chain.to_string_lossy())
            .replace("{key}", &self.certificate.key.to_string_lossy())
            .replace("{root}", &self.root.to_string_lossy())
            .replace("{port}", &self.port.to_string())
            .replace("{folder}", &self.folder.to_string_lossy())
            .replace("{workers}", &self.workers.to_string())
    }

    /// Whether the condition of a line holds.
    fn fulfil(&self, condition: &str) -> bool {
        match condition {
            "plain" => self.wire == Wire::Plain,
            "tls" => self.wire == Wire::Tls,
            "http2" => self.wire == Wire::Http2,
            "secure" => self.wire != Wire::Plain,
            "proxy" => self.upstream.is_some(),
            "files" => self.upstream.is_none(),
            "root" => is_root(),
            path => Path::new(path).exists(),
        }
    }
}

/// All peers, in the order of the report.
pub(crate) const PEERS: [Peer; 6] = [
    Peer {
        name: "nginx",
        files: &[
            ("nginx.conf", include_str!("nginx.conf")),
            ("transfer.conf", include_str!("nginx-sendfile.conf")),
        ],
        ..NGINX
    },
    Peer {
        name: "nginx-buffered",
        files: &[
            ("nginx.conf", include_str!("nginx.conf")),
            ("transfer.conf", include_str!("nginx-buffered.conf")),
        ],
        ..NGINX
    },
    Peer {
        name: "h2o",
        program: "h2o",
        remedy: "apt-get install h2o",
        version_argument: "--version",
        can_be_in_front: true,
        files: &[("h2o.conf", include_str!("h2o.conf"))],
        arguments: &["-m", "worker", "-c", "{folder}/h2o.conf"],
        environment: &[],
    },
    Peer {
        name: "lighttpd",
        program: "lighttpd",
        remedy: "apt-get install lighttpd lighttpd-modules-lua",
        version_argument: "-v",
        can_be_in_front: false,
        files: &[
            ("lighttpd.conf", include_str!("lighttpd.conf")),
            ("lighttpd.lua", include_str!("lighttpd.lua")),
        ],
        arguments: &["-D", "-f", "{folder}/lighttpd.conf"],
        environment: &[],
    },
    Peer {
        name: "caddy",
        program: "caddy",
        remedy: "apt-get install caddy",
        version_argument: "version",
        can_be_in_front: true,
        files: &[("Caddyfile", include_str!("Caddyfile"))],
        arguments: &[
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            "{folder}/Caddyfile",
        ],
        // Fewer collections than by default, for memory that is there.
        environment: &[
            ("GOGC", "400"),
            ("GOMAXPROCS", "{workers}"),
            ("XDG_CONFIG_HOME", "{folder}"),
            ("XDG_DATA_HOME", "{folder}"),
        ],
    },
    Peer {
        name: "static-web-server",
        program: "static-web-server",
        remedy: "scripts/bench-setup",
        version_argument: "--version",
        can_be_in_front: false,
        files: &[(
            "static-web-server.toml",
            include_str!("static-web-server.toml"),
        )],
        arguments: &["--config-file", "{folder}/static-web-server.toml"],
        environment: &[],
    },
];

/// What both ways to run nginx share.
const NGINX: Peer = Peer {
    name: "nginx",
    program: "nginx",
    remedy: "apt-get install nginx-light libnginx-mod-http-brotli-static",
    version_argument: "-v",
    can_be_in_front: true,
    files: &[],
    arguments: &[
        "-p",
        "{folder}",
        "-e",
        "stderr",
        "-c",
        "{folder}/nginx.conf",
    ],
    environment: &[],
};

/// Leaves out the lines whose condition does not hold, and all conditions.
fn choose_lines(template: &str, holds: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(template.len());
    for line in template.lines() {
        let line = match line.rsplit_once("# if ") {
            Some((line, condition)) if holds(condition) => line.trim_end(),
            Some(_) => continue,
            None => line,
        };
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// A process's own directory in /proc belongs to its effective user.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_in<'a>(folder: &'a Path, certificate: &'a Certificate) -> Values<'a> {
        Values {
            wire: Wire::Plain,
            upstream: None,
            certificate,
            root: Path::new("/the/site"),
            port: 8123,
            folder,
            workers: 2,
        }
    }

    #[test]
    fn fills_in_seven_words_and_leaves_other_braces() {
        let check = |template: &str, expected: &str| {
            let certificate = Certificate::of_tests();
            let mut values = values_in(Path::new("/the/folder"), &certificate);
            values.upstream = Some(8124);
            assert_eq!(values.fill(template), expected);
        };
        check(
            "server { root {root}; listen {port}; }",
            "server { root /the/site; listen 8123; }",
        );
        check("{folder}/{workers}", "/the/folder/2");
        check("{upstream} {chain} {key}", "8124 /chain.pem /key.pem");
        check(
            "{http.request.host} {{port}} {Root}",
            "{http.request.host} {8123} {Root}",
        );
    }

    #[test]
    fn chooses_lines() {
        let template = "a # if /there\nb # if /missing\nc # plain\n} # if root\n";
        let chosen = choose_lines(template, |condition| condition != "/missing");
        assert_eq!(chosen, "a\nc # plain\n}\n");
    }

    #[test]
    fn every_configuration_has_its_port_and_root() {
        for peer in &PEERS {
            let folder = tempfile::tempdir().unwrap();
            let certificate = Certificate::of_tests();
            let values = values_in(folder.path(), &certificate);
            peer.configure(&values).unwrap();
            let (name, _) = peer.files[0];
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains("8123"), "{name}");
            assert!(text.contains("127.0.0.1"), "{name}");
            assert!(text.contains("/the/site"), "{name}");
            assert!(!text.contains("# if "), "{name}");
            // The command names the file that was written.
            let path = folder.path().join(name).display().to_string();
            assert!(peer.arguments(&values).contains(&path), "{name}");
        }
    }

    #[test]
    fn names_differ() {
        for (at, peer) in PEERS.iter().enumerate() {
            assert!(
                PEERS[..at].iter().all(|other| other.name != peer.name),
                "{}",
                peer.name
            );
        }
    }
}
