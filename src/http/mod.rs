//! HTTP/1.1 text ↔ types. Pure: no I/O, no clock, no state between calls.

pub mod authority;
pub mod body;
mod coding;
pub mod conditional;
pub mod date;
pub mod head;
pub mod media_type;
pub mod multipart;
pub mod negotiate;
pub mod path;
pub mod range;
pub mod request;
pub mod status;

pub use coding::Coding;
