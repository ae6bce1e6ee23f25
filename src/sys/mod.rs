//! The only unsafe code: thin safe wrappers over Linux calls, one file per kernel interface.

pub mod beneath;
pub mod brotli;
pub mod cgroup;
pub mod child;
pub mod cpus;
pub mod epoll;
pub mod event;
pub mod file;
pub mod identity;
pub mod kernel;
pub mod limits;
pub mod memory;
pub mod rename;
pub mod signal;
pub mod socket;
pub mod uring;
