//! Real handshakes in memory: who gets which certificate, version, protocol and session.

use std::io::{Read, Write};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, HandshakeKind, ProtocolVersion, RootCertStore,
    ServerConnection, SupportedProtocolVersion,
};

use super::*;

/// A client that trusts the authority of `files`.
fn client(files: &Files, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(files.authority.der().clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Both ends of a connection after their handshake.
pub(super) struct Pair {
    pub(super) client: Connection,
    pub(super) server: Connection,
}

impl Pair {
    pub(super) fn connect(
        server: Arc<ServerConfig>,
        client: &Arc<ClientConfig>,
        name: &str,
    ) -> Result<Self, rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let server = ServerConnection::new(server).unwrap();
        let mut pair = Self {
            client: client.into(),
            server: server.into(),
        };
        pair.exchange()?;
        assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
        Ok(pair)
    }

    /// Moves records until neither end has any.
    fn exchange(&mut self) -> Result<(), rustls::Error> {
        while self.client.wants_write() || self.server.wants_write() {
            let to_server = carry(&mut self.client, &mut self.server);
            let to_client = carry(&mut self.server, &mut self.client);
            to_server.and(to_client)?;
        }
        Ok(())
    }

    /// Sends `text` each way.
    pub(super) fn echo(&mut self, text: &[u8]) {
        for from_client in [true, false] {
            let (from, to) = match from_client {
                true => (&mut self.client, &mut self.server),
                false => (&mut self.server, &mut self.client),
            };
            from.writer().write_all(text).unwrap();
            carry(from, to).unwrap();
            let mut received = vec![0; text.len()];
            to.reader().read_exact(&mut received).unwrap();
            assert_eq!(received, text);
        }
    }

    /// What the client was shown.
    pub(super) fn leaf(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone()
    }
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), rustls::Error> {
    let mut records = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut records).unwrap();
    }
    let mut rest = records.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

pub(super) fn both_versions(files: &Files) -> Arc<ClientConfig> {
    Arc::new(client(files, rustls::ALL_VERSIONS))
}

/// Which of the certificates `a`, `b` … a client of `versions` gets that asks for `name`.
#[track_caller]
fn check_name(
    files: &Files,
    certificates: &Certificates,
    versions: &[&'static SupportedProtocolVersion],
    name: &str,
    expected: &str,
) {
    let client = Arc::new(client(files, versions));
    let pair = Pair::connect(certificates.config(), &client, name).unwrap();
    let expected = leaf(&files.path(&format!("{expected}.crt")));
    assert_eq!(pair.leaf(), expected, "{name}");
}

#[test]
fn chooses_by_name() {
    let files = Files::new();
    let certificates = Certificates::load(options(&[
        files.pair("a", &["example.org", "www.example.org", "127.0.0.1"]),
        files.pair("b", &["*.example.org"]),
        files.pair("c", &["example.net", "WWW.example.org"]),
    ]))
    .unwrap();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let check = |name, expected| check_name(&files, &certificates, versions, name, expected);
        check("example.org", "a");
        check("EXAMPLE.org", "a");
        check("www.example.org", "a");
        check("other.example.org", "b");
        check("example.net", "c");
        // No name is sent for an address.
        check("127.0.0.1", "a");
    }
}

#[track_caller]
fn check_protocol(http2: bool, offered: &[&[u8]], expected: Result<Option<&[u8]>, ()>) {
    let files = Files::new();
    let mut options = options(&[files.pair("a", &["a.test"])]);
    options.http2 = http2;
    let server = Certificates::load(options).unwrap().config();
    let mut client = client(&files, rustls::ALL_VERSIONS);
    client.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
    let pair = Pair::connect(server, &Arc::new(client), "a.test");
    let chosen = pair.as_ref().map(|pair| pair.server.alpn_protocol());
    assert_eq!(chosen.map_err(|_| ()), expected, "{http2} {offered:?}");
}

#[test]
fn chooses_a_protocol() {
    check_protocol(true, &[], Ok(None));
    check_protocol(true, &[HTTP_1_1, H2], Ok(Some(H2)));
    check_protocol(true, &[HTTP_1_1], Ok(Some(HTTP_1_1)));
    check_protocol(false, &[H2, HTTP_1_1], Ok(Some(HTTP_1_1)));
    check_protocol(false, &[H2], Err(()));
    check_protocol(true, &[b"h3"], Err(()));
}

#[track_caller]
fn check_resumption(version: &'static SupportedProtocolVersion, expected: ProtocolVersion) {
    let files = Files::new();
    let certificates = Certificates::load(options(&[files.pair("a", &["a.test"])])).unwrap();
    let client = Arc::new(client(&files, &[version]));
    let connect = || {
        let pair = Pair::connect(certificates.config(), &client, "a.test").unwrap();
        assert_eq!(pair.client.protocol_version(), Some(expected));
        pair.client.handshake_kind().unwrap()
    };
    assert!(matches!(connect(), HandshakeKind::Full), "{version:?}");
    assert_eq!(connect(), HandshakeKind::Resumed, "{version:?}");
    files.pair("a", &["a.test"]);
    certificates.reload().unwrap();
    assert_eq!(connect(), HandshakeKind::Resumed, "{version:?}");
}

#[test]
fn resumes_sessions_over_a_reload() {
    check_resumption(&rustls::version::TLS12, ProtocolVersion::TLSv1_2);
    check_resumption(&rustls::version::TLS13, ProtocolVersion::TLSv1_3);
}

#[test]
fn takes_no_early_data() {
    let files = Files::new();
    let server = Certificates::load(options(&[files.pair("a", &["a.test"])]));
    let server = server.unwrap().config();
    let mut client = client(&files, &[&rustls::version::TLS13]);
    client.enable_early_data = true;
    let client = Arc::new(client);
    Pair::connect(Arc::clone(&server), &client, "a.test").unwrap();
    let name = ServerName::try_from("a.test").unwrap();
    let mut again = ClientConnection::new(client, name).unwrap();
    assert!(again.early_data().is_none());
    assert_eq!(server.max_early_data_size, 0);
}
