//! The same question over TLS, with HTTP/1.1 and with HTTP/2. Servers that speak another version of
//! TLS, another cipher suite or another protocol than the load asks for are refused here.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_rustls::TlsConnector;

use super::super::certificate::Certificate;
use super::super::load::Ask;
use super::{ANSWER_TIME_MAX, Answer, ask_on};

/// Asks once over TLS, on a connection of its own.
///
/// # Errors
/// If there is no whole answer, or the server insists on other protocols.
pub(crate) fn ask_over_tls(port: u16, certificate: &Certificate, ask: &Ask) -> io::Result<Answer> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    let configuration = Arc::new(configuration(certificate, b"http/1.1")?);
    let client = ClientConnection::new(configuration, server_name()).map_err(io::Error::other)?;
    ask_on(&mut StreamOwned::new(client, socket), port, ask, false)
}

/// Asks once over HTTP/2, on a connection of its own.
///
/// # Errors
/// As [`ask_over_tls`].
pub(crate) fn ask_over_http2(
    port: u16,
    certificate: &Certificate,
    ask: &Ask,
) -> io::Result<Answer> {
    let connector = TlsConnector::from(Arc::new(configuration(certificate, b"h2")?));
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        let asked = ask_in_time(port, connector, ask);
        tokio::time::timeout(ANSWER_TIME_MAX, asked).await?
    })
}

async fn ask_in_time(port: u16, connector: TlsConnector, ask: &Ask) -> io::Result<Answer> {
    let socket = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let stream = connector.connect(server_name(), socket).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("HTTP/2 is not spoken"));
    }
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let request = request(port, ask)?;
    let response = sender.send_request(request).await;
    let (head, body) = response.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let text =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let fields = head.headers.iter();
    Ok(Answer {
        status: head.status.as_u16(),
        fields: fields
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_bytes().to_vec(),
        // What heads come to on the wire depends on those before.
        head_bytes: 0,
    })
}

fn request(port: u16, ask: &Ask) -> io::Result<hyper::Request<Empty<Bytes>>> {
    let mut request = hyper::Request::builder()
        .method(ask.method.as_str())
        .uri(format!("https://127.0.0.1:{port}{}", ask.target));
    for (name, value) in &ask.fields {
        request = request.header(name, value);
    }
    request.body(Empty::new()).map_err(io::Error::other)
}

/// What the loads offer too: TLS 1.3 with [`super::super::load::CIPHER_SUITE`].
fn configuration(certificate: &Certificate, protocol: &[u8]) -> io::Result<ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites = vec![suite];
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(&certificate.chain).map_err(io::Error::other)?;
    roots.add(trusted).map_err(io::Error::other)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]);
    let mut configuration = builder
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    configuration.alpn_protocols = vec![protocol.to_vec()];
    Ok(configuration)
}

fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(Ipv4Addr::LOCALHOST.into())
}
