//! What the operator has to mend before TLS can be set up, and what works but deserves attention:
//! what is wrong, the likely reason and the remedy, in one line. Never a word of a key.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why TLS cannot be set up.
///
/// ```
/// let error = whitering::TlsError::NoCertificate;
/// assert!(error.to_string().contains("name the files"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Nothing to load.
    #[error("TLS has no certificate; name the files of a chain and its key")]
    NoCertificate,
    /// A file cannot be read.
    #[error("cannot read {path}: {error}{remedy}", path = .path.display(), remedy = remedy(.error))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} {fault}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A certificate that is none.
    #[error("certificate {number} in {path} {text}", path = .path.display(), text = certificate(.reason))]
    Certificate {
        /// The file of the chain.
        path: PathBuf,
        /// The place in the file, from 1.
        number: usize,
        /// What is wrong with it.
        reason: webpki::Error,
    },
    /// The leaf does not come first.
    #[error(
        "the key belongs to certificate {number} in {path}; put that one first, and after it its issuers in order",
        path = .path.display()
    )]
    Order {
        /// The file of the chain.
        path: PathBuf,
        /// The place of the leaf, from 1.
        number: usize,
    },
    /// Two files that do not belong together.
    #[error(
        "the key in {key} is not that of the certificate in {chain}; one of them may have been renewed without the other, or they are in another order than the others given",
        key = .key.display(),
        chain = .chain.display()
    )]
    Mismatch {
        /// The file of the chain.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The system gives no random numbers, or rustls refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What a file should hold.
///
/// ```
/// assert_ne!(whitering::TlsFilePart::Certificate, whitering::TlsFilePart::Key);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A chain of certificates.
    Certificate,
    /// A private key.
    Key,
}

/// What is wrong with a file.
///
/// ```
/// use whitering::{TlsError, TlsFileFault};
///
/// let fault = TlsFileFault::Empty;
/// let error = TlsError::File { path: "key.pem".into(), fault };
/// assert!(error.to_string().starts_with("key.pem is empty"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a file whose content stays.
    #[error("is no regular file; name the file itself that holds the {0}")]
    Special(Part),
    /// Somebody writes to it.
    #[error("changes while it is read; try again when it has been written")]
    Changing,
    /// Nothing in it.
    #[error("is empty; it may still be written, or a disk was full when it was")]
    Empty,
    /// Too much in it.
    #[error("has more than 1 MiB, too much for a {0}; is it another file?")]
    TooLarge(Part),
    /// A part without an end.
    #[error(
        "has a part without an end; it was copied in part, its lines were joined, or it is still written"
    )]
    Cut,
    /// A part that begins wrong.
    #[error("has a malformed line of -----BEGIN …-----; copy the file again as a whole")]
    Begin,
    /// A part that is garbled.
    #[error("has a part that is not base64; copy the file again as a whole")]
    Base64,
    /// No text at all.
    #[error("holds no PEM; if it is DER or PKCS #12, convert it: {command}", command = conversion(.0))]
    NotPem(Part),
    /// The other file, perhaps.
    #[error("holds {1} but no {0}; {hint}", hint = hint(.0))]
    Other(Part, &'static str),
    /// A key with a passphrase.
    #[error(
        "holds an encrypted key, and nobody is there to type its passphrase; decrypt it: openssl pkey -in FILE -out NEW-FILE"
    )]
    Encrypted,
    /// A key that cannot sign.
    #[error(
        "holds a private key of no use here; take ECDSA on P-256, P-384 or P-521, RSA from 2048 to 8192 bits, or Ed25519"
    )]
    Key,
}

/// What works but deserves attention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Warning {
    /// A key that is no secret.
    #[error("every user may read the private key in {path}; take that away: chmod o= {path}", path = .path.display())]
    KeyReadable {
        /// The file of the key.
        path: PathBuf,
    },
    /// Too late.
    #[error("the certificate in {path} expired {day_count} days ago; clients refuse it, renew it", path = .path.display())]
    Expired {
        /// The file of the chain.
        path: PathBuf,
        /// Whole days since then.
        day_count: u64,
    },
    /// Too early.
    #[error("the certificate in {path} is valid only in {day_count} days; clients refuse it until then, or is this clock wrong?", path = .path.display())]
    NotYetValid {
        /// The file of the chain.
        path: PathBuf,
        /// Whole days until then.
        day_count: u64,
    },
    /// A certificate for something else.
    #[error("the certificate in {path} is not meant for servers; clients refuse it, have it issued with the extended key usage serverAuth", path = .path.display())]
    NotForServers {
        /// The file of the chain.
        path: PathBuf,
    },
    /// Certificates that do not follow from each other.
    #[error("certificate {number} in {path} is not the issuer of the one before it; clients may find no way to a root, put each issuer after what it issued", path = .path.display())]
    BrokenChain {
        /// The file of the chain.
        path: PathBuf,
        /// The place in the file, from 1.
        number: usize,
    },
    /// No name to choose it by.
    #[error("the certificate in {path} names no host in its subjectAltName and is not the first; no client gets it", path = .path.display())]
    Nameless {
        /// The file of the chain.
        path: PathBuf,
    },
    /// Others answer for all its names.
    #[error("certificates given before that in {path} have all its names and the same kind of key; no client gets it", path = .path.display())]
    Shadowed {
        /// The file of the chain.
        path: PathBuf,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
        })
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; is the path right, and has the certificate been issued?",
        io::ErrorKind::PermissionDenied => {
            "; let the user that runs this read it, and search the directories above it"
        }
        _ => "",
    }
}

fn certificate(reason: &webpki::Error) -> String {
    match reason {
        webpki::Error::UnsupportedCertVersion => {
            "is of X.509 version 1, which names no hosts; have it issued with a subjectAltName"
                .to_owned()
        }
        _ => format!("cannot be understood ({reason}); copy it again, or have it issued again"),
    }
}

fn conversion(part: &Part) -> &'static str {
    match part {
        Part::Certificate => "openssl x509 -inform DER -in FILE -out NEW-FILE",
        Part::Key => "openssl pkey -inform DER -in FILE -out NEW-FILE",
    }
}

fn hint(part: &Part) -> &'static str {
    match part {
        Part::Certificate => "name the chain, often called fullchain.pem",
        Part::Key => "name the key of the certificate, often called privkey.pem",
    }
}
