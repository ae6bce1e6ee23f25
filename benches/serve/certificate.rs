//! The certificate that every server uses for TLS: signed by itself, made for each run.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Files in PEM. The key is of the kind that is cheapest to sign with, P-256, so that handshakes
/// weigh little.
#[derive(Debug, Clone, Default)]
pub(crate) struct Certificate {
    /// The certificate, for `localhost` and 127.0.0.1.
    pub(crate) chain: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one in `folder`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let certificate = Self {
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        };
        fs::write(&certificate.chain, made.cert.pem())?;
        let key = made.signing_key.serialize_pem();
        // Nobody else may read it, or this package's server warns.
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        remove(&certificate.key)?;
        options.open(&certificate.key)?.write_all(key.as_bytes())?;
        Ok(certificate)
    }

    /// Paths without files.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        Self {
            chain: "/chain.pem".into(),
            key: "/key.pem".into(),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
