//! Certificates from files, and what clients in the same process get of them.

mod exchange;
mod faults;
mod handshake;
mod names;

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair, PublicKeyData};
use tempfile::TempDir;

use super::*;

/// A directory with the files of certificates, all of one authority.
struct Files {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Authority");
        let key = KeyPair::generate().unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The certificate of `key` for `names`, in PEM.
    fn issue(&self, names: &[&str], key: &impl PublicKeyData) -> String {
        self.issue_with(names, key, |_| {})
    }

    fn issue_with(
        &self,
        names: &[&str],
        key: &impl PublicKeyData,
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        params.signed_by(key, &self.authority).unwrap().pem()
    }

    /// Writes a certificate for `names` with a new key, as `NAME.crt` and `NAME.key`.
    fn pair(&self, name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        self.pair_of(name, names, &KeyPair::generate().unwrap())
    }

    fn pair_of(&self, name: &str, names: &[&str], key: &KeyPair) -> (PathBuf, PathBuf) {
        (
            self.write(&format!("{name}.crt"), &self.issue(names, key)),
            self.write(&format!("{name}.key"), &key.serialize_pem()),
        )
    }
}

fn options(certificates: &[(PathBuf, PathBuf)]) -> Options {
    Options {
        certificates: certificates.to_vec(),
        http2: true,
    }
}

fn rsa_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap()
}

/// The first certificate in a file.
fn leaf(path: &Path) -> rustls::pki_types::CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    PemObject::from_pem_file(path).unwrap()
}
