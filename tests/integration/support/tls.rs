//! Certificates made for a test, and clients that trust them.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use super::client::{Client, READ_TIMEOUT};

/// A client's stream over TLS.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Certificates and keys on disk.
pub(crate) struct Certificates {
    directory: TempDir,
    roots: RootCertStore,
}

impl Certificates {
    /// A certificate and key for each of `names`, in files called after them.
    pub(crate) fn new(names: &[&str]) -> Self {
        let mut certificates = Self {
            directory: TempDir::new().unwrap(),
            roots: RootCertStore::empty(),
        };
        for name in names {
            certificates.make(name, name);
        }
        certificates
    }

    /// Makes a certificate for `name`, in the files called after `file`; returns its leaf.
    pub(crate) fn make(&mut self, file: &str, name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let der = made.cert.der().to_vec();
        self.roots.add(CertificateDer::from(der.clone())).unwrap();
        fs::write(self.chain(file), made.cert.pem()).unwrap();
        fs::write(self.key(file), made.signing_key.serialize_pem()).unwrap();
        der
    }

    pub(crate) fn chain(&self, file: &str) -> PathBuf {
        self.path(&format!("{file}.pem"))
    }

    pub(crate) fn key(&self, file: &str) -> PathBuf {
        self.path(&format!("{file}.key"))
    }

    /// The arguments of a server with the certificate of `file` on a free port.
    pub(crate) fn flags(&self, file: &str) -> Vec<PathBuf> {
        let mut flags: Vec<PathBuf> = ["--tls-bind", "127.0.0.1:0", "--tls-cert"]
            .map(PathBuf::from)
            .into();
        flags.extend([self.chain(file), "--tls-key".into(), self.key(file)]);
        flags
    }

    /// A client's configuration that offers `protocols`.
    pub(crate) fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder().with_root_certificates(self.roots.clone());
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }

    /// Connects for HTTP/1.1 to the server called `name`.
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> Client<TlsStream> {
        let stream = self.stream(address, name, &["http/1.1"]).unwrap();
        Client::new(stream)
    }

    /// Connects and shakes hands.
    pub(crate) fn stream(
        &self,
        address: SocketAddr,
        name: &str,
        protocols: &[&str],
    ) -> io::Result<TlsStream> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(self.client(protocols), name).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(stream)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.directory.path(), name)
    }
}
