//! Kernels and containers that refuse io_uring: the epoll engine takes over and says why.

use crate::support::server::{Serve, Server, StartFailure};
use crate::support::site::{DIGITS, Site};
use crate::support::{Engine, skip};

/// How io_uring is refused, and what the operator must be told.
const REFUSALS: [(i32, &[&str]); 2] = [
    (libc::EPERM, &["permitted", "EPERM", "forbid", "seccomp"]),
    (libc::ENOSYS, &["implemented", "ENOSYS", "lacks", "kernel"]),
];

/// The server, unless filters cannot be installed here.
#[track_caller]
fn started(result: Result<Server, StartFailure>) -> Option<Server> {
    match result {
        Ok(server) => Some(server),
        Err(StartFailure::NoProcess(error)) => {
            skip(&format!("seccomp filters cannot be installed: {error}"));
            None
        }
        Err(failure) => panic!("{failure:?}"),
    }
}

/// A server with `--engine auto` that is refused io_uring.
#[track_caller]
fn start_refused(site: &Site, errno: i32) -> Option<Server> {
    let serve = Serve::new(Engine::Epoll, site.root()).engine("auto");
    started(serve.refused_io_uring(errno).try_start())
}

#[track_caller]
fn says_one_of(said: &str, words: &[&str]) {
    assert!(said.contains("io_uring"), "{said}");
    assert!(
        words.iter().any(|word| said.contains(word)),
        "none of {words:?} in: {said}"
    );
}

#[test]
fn auto_falls_back_and_says_why() {
    for (errno, words) in REFUSALS {
        let site = Site::small();
        let Some(server) = start_refused(&site, errno) else {
            return;
        };
        let said = server.stderr();
        let line = said
            .lines()
            .find(|line| line.contains("listening on"))
            .unwrap();
        assert!(line.contains("(epoll,"), "{line}");
        says_one_of(&said, words);
        assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    }
}

#[test]
fn a_demanded_ring_is_not_replaced() {
    for (errno, words) in REFUSALS {
        let site = Site::small();
        if start_refused(&site, errno).is_none() {
            return;
        }
        let (code, said) = Serve::new(Engine::Uring, site.root())
            .refused_io_uring(errno)
            .fail();
        assert_eq!(code, 1, "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "not one line: {said}");
        says_one_of(&said, words);
    }
}

#[test]
fn epoll_needs_no_ring() {
    let site = Site::small();
    let serve = Serve::new(Engine::Epoll, site.root()).refused_io_uring(libc::EPERM);
    if let Some(server) = started(serve.try_start()) {
        assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    }
}
