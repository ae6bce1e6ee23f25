//! From sources to a release: what `collectstatic` does with WhiteNoise's storage, offline and in
//! parallel. Finds, hashes, rewrites, compresses, publishes; serves nothing.
//!
//! [`collect()`] makes a release, [`verify()`] checks one, [`precompress()`] writes variants into any
//! directory, and [`crate::Manifest`] gives the URLs of a release's files. The rules are Django's,
//! byte for byte: on the same files there are the same hashed names, the same rewritten bytes and
//! the same `staticfiles.json`.

mod cache;
mod collect;
mod compress;
mod finders;
mod fingerprint;
mod ignore;
mod options;
mod precompress;
mod problem;
mod publish;
mod python;
mod references;
mod report;
mod suggest;
mod url;
mod verify;

pub use crate::http::Coding;
pub use collect::collect;
pub use options::{
    CacheOptions, Compat, Compression, DEFAULT_IGNORE, DEFAULT_SKIP_EXTENSIONS, Level, ListedFile,
    Options, Source, Storage,
};
pub use precompress::{PrecompressEvent, PrecompressOptions, PrecompressReport, precompress};
pub use problem::{CollectError, Problem};
pub use report::{Event, Observer, Report, Silent, VariantTotals};
pub use url::{ManifestOpenError, UrlError};
pub use verify::{Difference, Verified, VerifyError, verify};
