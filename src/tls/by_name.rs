//! Which certificate a client gets: by the name it asks for and the signatures it can verify.
//! Decided when certificates are loaded; a handshake only chooses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::certificate::Certificate;
use super::error::Warning;
use super::files::LoadedFile;

/// What has been loaded, in use until it is exchanged whole.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) by_name: ByName,
    /// The files it came from.
    pub(super) files: Vec<LoadedFile>,
}

/// Gives handshakes their certificate out of what was published last.
#[derive(Debug)]
pub(super) struct Resolver {
    loaded: ArcSwap<Loaded>,
}

impl Resolver {
    pub(super) fn new(loaded: Loaded) -> Self {
        let loaded = ArcSwap::from_pointee(loaded);
        Self { loaded }
    }

    /// Makes `loaded` what new handshakes choose from. Another source of certificates, one that
    /// changes at run time, joins here.
    pub(super) fn publish(&self, loaded: Loaded) {
        self.loaded.store(Arc::new(loaded));
    }

    pub(super) fn current(&self) -> Guard<Arc<Loaded>> {
        self.loaded.load()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let by_name = &self.current().by_name;
        by_name.choose(hello.server_name(), hello.signature_schemes())
    }
}

/// Certificates by the names they are for.
#[derive(Debug, Default)]
pub(super) struct ByName {
    exact: HashMap<Box<str>, Candidates>,
    /// Wildcards, by what follows their first label.
    below: HashMap<Box<str>, Candidates>,
    /// For clients that name no host, or an unknown one.
    otherwise: Candidates,
}

/// At most one for each kind of key, RSA last: its signatures cost the server most.
type Candidates = Vec<Arc<CertifiedKey>>;

impl ByName {
    /// Invariant: `certificates` is not empty.
    pub(super) fn of(certificates: &[Certificate]) -> Self {
        let mut by_name = Self::default();
        for certificate in certificates {
            for name in &certificate.names {
                let candidates = match name.strip_prefix(WILDCARD) {
                    Some(parent) => by_name.below.entry(parent.into()),
                    None => by_name.exact.entry(name.as_str().into()),
                };
                add(candidates.or_default(), &certificate.key);
            }
        }
        let first = certificates.first();
        let first = first.expect("invariant: there is a certificate");
        let named = first.names.first().and_then(|name| by_name.named(name));
        by_name.otherwise = named.map_or_else(|| vec![Arc::clone(&first.key)], Clone::clone);
        by_name
    }

    /// What a client gets that asks for `name` and can verify `schemes`.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let name = name.map(canonical);
        let named = name.and_then(|name| self.named(&name));
        let candidates = named.unwrap_or(&self.otherwise);
        if let [only] = candidates.as_slice() {
            return Some(Arc::clone(only));
        }
        let mut all = candidates.iter();
        let verifiable = all.find(|candidate| candidate.key.choose_scheme(schemes).is_some());
        // If none is, any will do for the alert.
        verifiable.or(candidates.first()).cloned()
    }

    /// Those that no client ever gets.
    pub(super) fn warnings(&self, certificates: &[Certificate]) -> Vec<Warning> {
        let unused = certificates.iter().filter(|certificate| {
            let named = certificate.names.iter().filter_map(|name| self.named(name));
            let mut candidates = named.chain([&self.otherwise]).flatten();
            !candidates.any(|candidate| Arc::ptr_eq(candidate, &certificate.key))
        });
        unused.map(Certificate::unused).collect()
    }

    /// Those for `name`, a host or a wildcard. A wildcard stands for one label (RFC 9525 §6.3).
    fn named(&self, name: &str) -> Option<&Candidates> {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        let exact = self.exact.get(name);
        exact.or_else(|| parent.and_then(|parent| self.below.get(parent)))
    }
}

fn add(candidates: &mut Candidates, key: &Arc<CertifiedKey>) {
    let kind = key.key.algorithm();
    let is_there = |candidate: &Arc<CertifiedKey>| candidate.key.algorithm() == kind;
    if candidates.iter().any(is_there) {
        return;
    }
    let is_rsa = |key: &Arc<CertifiedKey>| key.key.algorithm() == SignatureAlgorithm::RSA;
    let index = candidates.iter().position(is_rsa);
    let index = index.unwrap_or(candidates.len());
    candidates.insert(index, Arc::clone(key));
}

/// A host's name as it is looked up: in lower case, without the dot of the root.
pub(super) fn canonical(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase().into();
    }
    name.into()
}

/// How a name begins that stands for all hosts one label below it.
const WILDCARD: &str = "*.";
