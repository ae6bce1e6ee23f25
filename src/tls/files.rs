//! The files of certificates and keys: read whole as one content, and known again. What their PEM
//! lacks is named; what it holds is not looked at.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem;

use super::error::{Fault, Part, TlsError, Warning};
use crate::sys::identity::{self, Identity, ReadError};

/// A file that was loaded.
#[derive(Debug)]
pub(super) struct LoadedFile {
    path: PathBuf,
    identity: Identity,
}

/// A file's content, in PEM as we hope.
pub(super) struct Pem {
    pub(super) file: LoadedFile,
    pub(super) text: Vec<u8>,
    mode: u32,
}

impl Pem {
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// What is wrong with the PEM. Says nothing of the content, which may be a key.
    pub(super) fn error(&self, error: &pem::Error) -> TlsError {
        self.fault(match error {
            pem::Error::MissingSectionEnd { .. } => Fault::Cut,
            pem::Error::IllegalSectionStart { .. } => Fault::Begin,
            // The encryption before PKCS #8 is named inside the part (RFC 1421 §4.6.1.1).
            _ if contains(&self.text, "Proc-Type: 4,ENCRYPTED") => Fault::Encrypted,
            _ => Fault::Base64,
        })
    }

    /// Why no `part` was found.
    pub(super) fn lacks(&self, part: Part) -> TlsError {
        let has = |words: &str| contains(&self.text, words);
        self.fault(match part {
            _ if !has(BEGIN) => Fault::NotPem(part),
            Part::Key if has("BEGIN ENCRYPTED PRIVATE KEY") => Fault::Encrypted,
            Part::Key if has("BEGIN CERTIFICATE") => Fault::Other(part, "certificates"),
            Part::Key if has("PUBLIC KEY") => Fault::Other(part, "a public key"),
            Part::Certificate if has("PRIVATE KEY") => Fault::Other(part, "a private key"),
            _ if has("CERTIFICATE REQUEST") => Fault::Other(part, "a request for a certificate"),
            _ => Fault::Other(part, "something else"),
        })
    }

    /// Why the key cannot be used.
    pub(super) fn unusable_key(&self) -> TlsError {
        self.fault(Fault::Key)
    }

    fn fault(&self, fault: Fault) -> TlsError {
        TlsError::File {
            path: self.file.path.clone(),
            fault,
        }
    }
}

/// Reads what should hold `part`.
pub(super) fn read(path: &Path, part: Part) -> Result<Pem, TlsError> {
    let fault = |fault| {
        let path = path.to_owned();
        TlsError::File { path, fault }
    };
    let read = identity::unchanged(|| open(path), |file, _| content(file));
    let (identity, (mode, text)) = read.map_err(|error| match error {
        ReadError::Changing => fault(Fault::Changing),
        ReadError::Special => fault(Fault::Special(part)),
        ReadError::Io(error) => TlsError::Read {
            path: path.to_owned(),
            error,
        },
    })?;
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(fault(Fault::Empty));
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(Fault::TooLarge(part)));
    }
    let path = path.to_owned();
    let file = LoadedFile { path, identity };
    Ok(Pem { file, text, mode })
}

/// Whether another file is there now, or none.
pub(super) fn has_changed(file: &LoadedFile) -> bool {
    let metadata = std::fs::metadata(&file.path);
    metadata.map_or(true, |metadata| Identity::of(&metadata) != file.identity)
}

/// That everybody may read the file of a key.
pub(super) fn warning(key: &Pem) -> Option<Warning> {
    let path = || key.file.path.clone();
    (key.mode & READABLE_BY_OTHERS != 0).then(|| Warning::KeyReadable { path: path() })
}

fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Mode and content; one byte more than allowed tells that there is too much of it.
fn content(file: &mut File) -> io::Result<(u32, Vec<u8>)> {
    let mode = file.metadata().map(|metadata: Metadata| metadata.mode())?;
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    Ok((mode, text))
}

fn contains(text: &[u8], words: &str) -> bool {
    memchr::memmem::find(text, words.as_bytes()).is_some()
}

const BEGIN: &str = "-----BEGIN ";

/// Chains have a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The bit of `st_mode` that lets everybody read.
const READABLE_BY_OTHERS: u32 = 0o004;
