//! One certificate with its key: whether they belong together, which names they are for, and what
//! clients may dislike about them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use webpki::{EndEntityCert, KeyUsage};

use super::by_name::canonical;
use super::error::{Part, TlsError, Warning};
use super::files::Pem;

/// A chain and the key of its leaf.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The hosts of the leaf's subjectAltName, wildcards included. The subject's common name
    /// counts for no client any more (RFC 9525 §2).
    pub(super) names: Vec<String>,
    path: PathBuf,
}

impl Certificate {
    /// Takes the chain out of one file and the key out of another, or the same.
    pub(super) fn of(chain: &Pem, key: &Pem, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let certificates = chain_of(chain)?;
        let names = names(&certificates, chain.path())?;
        let key_pair = signing_key(key, provider)?;
        let certified = CertifiedKey::new(certificates, key_pair);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Self {
                key: Arc::new(certified),
                names,
                path: chain.path().to_owned(),
            }),
            Err(_) => Err(mismatch(certified, chain.path(), key.path())),
        }
    }

    /// What clients may dislike at the time `now`.
    pub(super) fn warnings(&self, now: UnixTime) -> Vec<Warning> {
        let path = || self.path.clone();
        let Some(leaf) = self.key.cert.first().map(EndEntityCert::try_from) else {
            return Vec::new();
        };
        // Without anchors there is no path, but what needs none is looked at first.
        let checked = leaf.and_then(|leaf| {
            let usage = KeyUsage::server_auth();
            let checked = leaf.verify_for_usage(&[], &[], &[], now, usage, None, None);
            checked.map(|_| ())
        });
        let warning = match checked {
            Err(webpki::Error::CertExpired { not_after, .. }) => Some(Warning::Expired {
                path: path(),
                day_count: days(not_after, now),
            }),
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => Some(Warning::NotYetValid {
                path: path(),
                day_count: days(now, not_before),
            }),
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) => {
                Some(Warning::NotForServers { path: path() })
            }
            _ => None,
        };
        warning.into_iter().chain(self.broken_chain()).collect()
    }

    /// That no client ever gets it.
    pub(super) fn unused(&self) -> Warning {
        let path = self.path.clone();
        if self.names.is_empty() {
            return Warning::Nameless { path };
        }
        Warning::Shadowed { path }
    }

    /// The first certificate that is not the issuer of the one before it (RFC 8446 §4.4.2).
    fn broken_chain(&self) -> Option<Warning> {
        let parsed = self.key.cert.iter().map(EndEntityCert::try_from);
        let chain: Vec<_> = parsed.map_while(Result::ok).collect();
        let mut pairs = chain.windows(2);
        let index = pairs.position(|pair| pair[0].issuer() != pair[1].subject())?;
        Some(Warning::BrokenChain {
            path: self.path.clone(),
            number: index + 2,
        })
    }
}

fn chain_of(chain: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let sections = CertificateDer::pem_slice_iter(&chain.text);
    let certificates: Result<Vec<_>, _> = sections.collect();
    let certificates = certificates.map_err(|error| chain.error(&error))?;
    if certificates.is_empty() {
        return Err(chain.lacks(Part::Certificate));
    }
    Ok(certificates)
}

fn signing_key(key: &Pem, provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, TlsError> {
    let first = PrivateKeyDer::pem_slice_iter(&key.text).next();
    let first = first.ok_or_else(|| key.lacks(Part::Key))?;
    let der = first.map_err(|error| key.error(&error))?;
    let loaded = provider.key_provider.load_private_key(der);
    loaded.map_err(|_| key.unusable_key())
}

/// The names of the leaf; every certificate of the chain must be one.
fn names(chain: &[CertificateDer<'static>], path: &Path) -> Result<Vec<String>, TlsError> {
    let mut names = Vec::new();
    for (index, certificate) in chain.iter().enumerate() {
        let parsed = EndEntityCert::try_from(certificate);
        let parsed = parsed.map_err(|reason| TlsError::Certificate {
            path: path.to_owned(),
            number: index + 1,
            reason,
        })?;
        if index == 0 {
            let found = parsed.valid_dns_names();
            names.extend(found.map(|name| canonical(name).into_owned()));
        }
    }
    Ok(names)
}

/// Why the key is not that of the first certificate.
fn mismatch(certified: CertifiedKey, chain: &Path, key: &Path) -> TlsError {
    let CertifiedKey {
        cert, key: pair, ..
    } = certified;
    let belongs = |certificate: &CertificateDer<'static>| {
        let alone = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&pair));
        alone.keys_match().is_ok()
    };
    let (chain, key) = (chain.to_owned(), key.to_owned());
    match cert.iter().position(belongs) {
        Some(index) => TlsError::Order {
            path: chain,
            number: index + 1,
        },
        None => TlsError::Mismatch { chain, key },
    }
}

/// Whole days between two times.
fn days(earlier: UnixTime, later: UnixTime) -> u64 {
    later.as_secs().saturating_sub(earlier.as_secs()) / (24 * 60 * 60)
}
