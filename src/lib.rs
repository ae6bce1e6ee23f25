//! Static files for Linux, cached like WhiteNoise and served from io_uring.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")
)]

mod assets;
mod config;
mod connection;
mod http;
mod manifest;
mod reactor;
mod sys;

/// The parts, for this package's own benches and simulation. Not for anybody else: nothing here
/// keeps a promise from one version to the next.
#[doc(hidden)]
pub mod internal {
    pub mod assets {
        pub use crate::assets::*;
    }
    pub mod connection {
        pub use crate::connection::*;
    }
    pub mod http {
        pub use crate::http::*;
    }
    pub mod manifest {
        pub use crate::manifest::*;
    }
    pub mod reactor {
        pub use crate::reactor::*;
    }
    pub mod sys {
        pub use crate::sys::*;
    }
}
