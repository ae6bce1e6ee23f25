//! What answers requests that name no file: an application server behind a proxy, or a service of
//! the program that embeds this library. Knows requests and responses, no sockets of clients.

mod body;
pub mod proxy;
mod service;
mod upload;

pub use body::{BoxError, RequestBody, ResponseBody};
pub use service::{FromTower, LocalFuture, MakeService, Peer, Service};
pub use upload::Upload;
