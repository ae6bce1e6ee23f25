//! The servers under test: the real binary, and nginx, which shows that the judges judge right.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use crate::support::Engine;
use crate::support::server::{Serve, Server};

/// A server in front of the upstreams.
pub(crate) struct Front {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) process: Process,
    pub(crate) certificates: Certificates,
}

/// What runs.
pub(crate) enum Process {
    Whitering(Server),
    Nginx(Child),
}

/// A certificate on disk, and what trusts it.
pub(crate) struct Certificates {
    directory: TempDir,
    roots: rustls::RootCertStore,
}

impl Front {
    /// The binary with `engine`, the files of `root` before two upstreams.
    pub(crate) fn whitering(
        engine: Engine,
        root: &Path,
        upstream: SocketAddr,
        unix: &Path,
    ) -> Self {
        let certificates = Certificates::new();
        let server = Serve::new(engine, root)
            .flags(["--upstream", &format!("http://{upstream}")])
            .flags(["--upstream", &format!("unix:{}", unix.display())])
            .flags(["--tls-bind", "127.0.0.1:0", "--h2c"])
            .flags([Path::new("--tls-cert"), &certificates.chain()])
            .flags([Path::new("--tls-key"), &certificates.key()])
            .start();
        Self {
            plain: server.address(),
            tls: server.tls_address(),
            process: Process::Whitering(server),
            certificates,
        }
    }

    /// nginx as a reverse proxy that serves the same files.
    pub(crate) fn nginx(root: &Path, upstream: SocketAddr, unix: &Path) -> Self {
        let certificates = Certificates::new();
        let [plain, tls] = [0, 1].map(|_| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap()
        });
        let directory = certificates.directory.path().to_owned();
        let configuration = NGINX
            .replace("DIRECTORY", directory.to_str().unwrap())
            .replace("ROOT", root.to_str().unwrap())
            .replace("PLAIN", &plain.to_string())
            .replace("TLS", &tls.to_string())
            .replace("UPSTREAM", &upstream.to_string())
            .replace("UNIX", unix.to_str().unwrap());
        let path = directory.join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        let child = Command::new("nginx")
            .args([Path::new("-c"), &path, Path::new("-p"), &directory])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let connects = || std::net::TcpStream::connect(tls).is_ok();
        crate::support::eventually("nginx listens", crate::support::SOON, connects);
        Self {
            plain,
            tls,
            process: Process::Nginx(child),
            certificates,
        }
    }

    /// A client's side of TLS that offers `protocol`.
    pub(crate) fn client(&self, protocol: &[u8]) -> Arc<rustls::ClientConfig> {
        let roots = self.certificates.roots.clone();
        let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }

    /// The binary.
    pub(crate) fn server(&mut self) -> &mut Server {
        match &mut self.process {
            Process::Whitering(server) => server,
            Process::Nginx(_) => unreachable!("nginx is not told anything"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Nginx(child) = self {
            // TERM ends its workers too; they would outlive a KILL.
            crate::support::sandbox::signal(child.id(), libc::SIGTERM);
            drop(child.wait());
        }
    }
}

impl Certificates {
    fn new() -> Self {
        let mut certificates = Self {
            directory: TempDir::new().unwrap(),
            roots: rustls::RootCertStore::empty(),
        };
        // The one that is there, and the one that it is exchanged for.
        let other = certificates.make();
        fs::write(certificates.directory.path().join("other.pem"), other.0).unwrap();
        fs::write(certificates.directory.path().join("other.key"), other.1).unwrap();
        let first = certificates.make();
        fs::write(certificates.chain(), first.0).unwrap();
        fs::write(certificates.key(), first.1).unwrap();
        certificates
    }

    pub(crate) fn chain(&self) -> std::path::PathBuf {
        self.directory.path().join("chain.pem")
    }

    pub(crate) fn key(&self) -> std::path::PathBuf {
        self.directory.path().join("key.pem")
    }

    /// Puts the other certificate and its key in place.
    pub(crate) fn exchange(&self) {
        let directory = self.directory.path();
        for (here, other) in [(self.chain(), "other.pem"), (self.key(), "other.key")] {
            let aside = directory.join("aside");
            fs::rename(&here, &aside).unwrap();
            fs::rename(directory.join(other), &here).unwrap();
            fs::rename(aside, directory.join(other)).unwrap();
        }
    }

    fn make(&mut self) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["mixed.test".to_owned()]).unwrap();
        let der = CertificateDer::from(made.cert.der().to_vec());
        self.roots.add(der).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }
}

/// Streams both ways, as the binary does; otherwise as it is.
const NGINX: &str = "
user root; daemon off; worker_processes 2; pid DIRECTORY/pid; error_log DIRECTORY/errors warn;
events { worker_connections 2000; }
http {
  access_log off; client_max_body_size 100m; large_client_header_buffers 8 32k;
  client_body_temp_path DIRECTORY/b; proxy_temp_path DIRECTORY/p; fastcgi_temp_path DIRECTORY/f;
  uwsgi_temp_path DIRECTORY/u; scgi_temp_path DIRECTORY/s;
  map $http_upgrade $connection_said { default upgrade; '' ''; }
  upstream application { server UPSTREAM; server unix:UNIX; keepalive 64; }
  server {
    listen PLAIN; listen TLS ssl http2; root ROOT;
    ssl_certificate DIRECTORY/chain.pem; ssl_certificate_key DIRECTORY/key.pem;
    location /app/ {
      proxy_pass http://application; proxy_http_version 1.1; proxy_buffering off;
      proxy_request_buffering off; proxy_next_upstream off; proxy_pass_header Server;
      proxy_set_header Host $http_host; proxy_set_header Connection $connection_said;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Forwarded ''; proxy_hide_header X-Hop;
    }
  }
}
";
