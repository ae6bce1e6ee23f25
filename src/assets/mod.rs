//! What can be served: assets, the snapshot that holds them all, and how one is loaded.

mod asset;
mod build;
mod choose;
mod decode;
mod headers;
mod index;
mod live;
mod load;
mod open;
mod options;
mod packed;
mod pair;
mod problem;
mod read;
mod recorded;
mod root;
mod snapshot;
mod sources;
#[cfg(test)]
mod tests;
mod walk;

pub use crate::http::media_type::MediaTypes;
pub use asset::{Asset, Body, FileBody, Variant};
pub use choose::{Choice, Chosen, OPTIONS_FIELDS, PREFLIGHT_FIELDS, Policy, choose};
pub use live::Live;
pub use load::{Loaded, load};
pub use open::OpenError;
pub use options::{HeaderRule, NotFoundFile, Options, SourceDirectory};
pub use packed::{Packed, PackedError, PackedSource};
pub use problem::{Cause, LoadError, Refusal, Warning};
pub use snapshot::{Entry, NotFound, Snapshot, Totals};
