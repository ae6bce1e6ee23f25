//! Certificates and the configuration of TLS: loaded from files, chosen by name, exchanged while
//! connections go on. It shakes no hands: lanes do, with what [`Certificates::config`] gives.

mod by_name;
mod certificate;
mod error;
mod files;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::UnixTime;
use rustls::server::NoServerSessionStorage;

use by_name::{ByName, Loaded, Resolver};
use certificate::Certificate;

pub use error::{Fault, Part, TlsError};

/// What TLS is set up with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Chain and key in PEM; the first answers clients that name no host, or an unknown one. Of
    /// several for one name the first is used, but one with an RSA key only for clients that
    /// cannot verify the others.
    pub(crate) certificates: Vec<(PathBuf, PathBuf)>,
    /// Whether HTTP/2 is offered.
    pub(crate) http2: bool,
}

/// The certificates in use, and the configuration that serves them.
#[derive(Debug)]
pub(crate) struct Certificates {
    options: Options,
    provider: Arc<CryptoProvider>,
    resolver: Arc<Resolver>,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Loads the files. What deserves attention but works is logged as a warning.
    ///
    /// # Errors
    /// [`TlsError`]: which file, and why.
    pub(crate) fn load(options: Options) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let resolver = Arc::new(Resolver::new(load(&options, &provider)?));
        let config = Arc::new(config(&options, &provider, &resolver)?);
        Ok(Self {
            options,
            provider,
            resolver,
            config,
        })
    }

    /// Loads the files again, all or none. Connections that are open keep what they have, and
    /// clients may resume the sessions they had for as long as their tickets live.
    ///
    /// # Errors
    /// [`TlsError`]: the certificates loaded before stay in use, and [`Self::have_changed`] goes
    /// on to say so. A chain whose key has not been exchanged yet is such an error: try again.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.resolver.publish(load(&self.options, &self.provider)?);
        Ok(())
    }

    /// Whether a file is another than the one that was loaded, or is gone. Symbolic links are
    /// followed, since ACME clients and Kubernetes exchange those instead of files.
    pub(crate) fn have_changed(&self) -> bool {
        self.resolver.current().files.iter().any(files::has_changed)
    }

    /// What acceptors are made of; stays the same when certificates are exchanged.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn load(options: &Options, provider: &CryptoProvider) -> Result<Loaded, TlsError> {
    if options.certificates.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let mut files = Vec::with_capacity(2 * options.certificates.len());
    let mut certificates = Vec::with_capacity(options.certificates.len());
    let mut warnings = Vec::new();
    for (chain, key) in &options.certificates {
        let chain = files::read(chain, Part::Certificate)?;
        let key = files::read(key, Part::Key)?;
        let certificate = Certificate::of(&chain, &key, provider)?;
        warnings.extend(files::warning(&key));
        warnings.extend(certificate.warnings(UnixTime::now()));
        files.extend([chain.file, key.file]);
        certificates.push(certificate);
    }
    let by_name = ByName::of(&certificates);
    warnings.extend(by_name.warnings(&certificates));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(Loaded { by_name, files })
}

fn config(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    resolver: &Arc<Resolver>,
) -> Result<ServerConfig, TlsError> {
    let resolver: Arc<Resolver> = Arc::clone(resolver);
    // The versions and suites are those of rustls: 1.2 with forward secrecy and authenticated
    // encryption only, 1.3, and the hybrid key exchange first.
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = alpn_protocols(options.http2);
    // Tickets hold the sessions; a table of them would be a lock that all lanes share.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    config.send_tls13_tickets = TICKET_COUNT;
    // Early data can be sent again by anybody who saw it (RFC 8446 §8).
    config.max_early_data_size = 0;
    Ok(config)
}

fn alpn_protocols(http2: bool) -> Vec<Vec<u8>> {
    let offered: &[&[u8]] = if http2 { &[H2, HTTP_1_1] } else { &[HTTP_1_1] };
    offered.iter().map(|protocol| protocol.to_vec()).collect()
}

/// RFC 9113 §3.1.
const H2: &[u8] = b"h2";

/// RFC 7301 §6.
const HTTP_1_1: &[u8] = b"http/1.1";

/// A browser opens several connections to a site it comes back to, and uses each ticket once
/// (RFC 8446 §C.4).
const TICKET_COUNT: usize = 2;

#[cfg(test)]
mod tests;
