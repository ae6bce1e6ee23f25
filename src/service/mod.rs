//! Assets as answers to `http` requests: what lanes give HTTP/2 and whoever was handed over, and
//! the adapter for programs with a server of their own. Chooses as `connection` does, by the same
//! code; performs no I/O but opening files.

mod content;
mod fields;
mod files;
mod respond;

use std::fs::File;
use std::sync::Arc;

use ::http::Response;
use ::http::request::Parts;

pub use content::{Content, FilePart, Part};

use crate::assets::{Choice, FileBody, OpenError, Policy, Snapshot, choose};
use crate::http::request::{Fields, Request, check_host};
use fields::Cache;
use files::OpenFiles;
use respond::Responder;

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered from the files.
    Response(Response<Content>),
    /// It names none, and somebody else answers it.
    Fallback,
}

/// Answers many requests from one snapshot: the same status, fields and bytes that a worker would
/// send, without `Date` and `Connection`, which belong to whoever writes them.
///
/// Keeps the fields of answers it has given: for one thread.
#[derive(Debug)]
pub struct Answerer {
    snapshot: Arc<Snapshot>,
    target_bytes_max: usize,
    cache: Cache,
    files: OpenFiles,
    path_scratch: Vec<u8>,
}

impl Answerer {
    /// Answers from `snapshot` what has a path and query of up to `target_bytes_max` bytes.
    pub fn new(snapshot: Arc<Snapshot>, target_bytes_max: usize) -> Self {
        Self {
            snapshot,
            target_bytes_max,
            cache: Cache::default(),
            files: OpenFiles::default(),
            path_scratch: Vec::new(),
        }
    }

    /// Answers from `snapshot` from now on.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>) {
        self.snapshot = snapshot;
        self.cache = Cache::default();
        self.files = OpenFiles::default();
    }

    /// Opens the file of `body`, which is variant `key` of the snapshot, or finds it open.
    ///
    /// # Errors
    /// It cannot be opened, or is another file.
    pub fn open(&mut self, key: (u32, u8), body: &FileBody) -> Result<Arc<File>, OpenError> {
        self.files.open(key, body, &self.snapshot)
    }

    /// Whether a file was not what the snapshot says, since this was last asked.
    pub fn take_stale(&mut self) -> bool {
        self.files.take_stale()
    }

    /// What requests are answered from.
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Answers `request`.
    pub fn answer(&mut self, request: &Parts, policy: Policy) -> Answer {
        let mut responder = Responder {
            snapshot: &self.snapshot,
            head_only: request.method == ::http::Method::HEAD,
            cache: Some(&mut self.cache),
            files: Some(&mut self.files),
        };
        match check_host(request) {
            Ok(()) => respond(
                request,
                policy,
                self.target_bytes_max,
                &mut self.path_scratch,
                responder,
            ),
            Err(error) => Answer::Response(responder.refusal(error.status())),
        }
    }
}

/// Answers `request` from `snapshot` as [`Answerer::answer`], but keeps nothing.
pub fn answer(
    request: &Parts,
    snapshot: &Arc<Snapshot>,
    policy: Policy,
    path_scratch: &mut Vec<u8>,
) -> Answer {
    match check_host(request) {
        Ok(()) => answer_checked(request, snapshot, policy, path_scratch),
        Err(error) => {
            let mut responder = Responder {
                snapshot,
                head_only: request.method == ::http::Method::HEAD,
                cache: None,
                files: None,
            };
            Answer::Response(responder.refusal(error.status()))
        }
    }
}

/// Answers `request`, whose host and length are the business of the server it has passed.
pub fn answer_checked(
    request: &Parts,
    snapshot: &Arc<Snapshot>,
    policy: Policy,
    path_scratch: &mut Vec<u8>,
) -> Answer {
    let responder = Responder {
        snapshot,
        head_only: request.method == ::http::Method::HEAD,
        cache: None,
        files: None,
    };
    respond(request, policy, usize::MAX, path_scratch, responder)
}

fn respond(
    parts: &Parts,
    policy: Policy,
    target_bytes_max: usize,
    path_scratch: &mut Vec<u8>,
    mut responder: Responder<'_>,
) -> Answer {
    let mut fields = Fields::new();
    let request = match Request::from_parts(parts, &mut fields, target_bytes_max) {
        Ok(request) => request,
        Err(error) => return Answer::Response(responder.refusal(error.status())),
    };
    match choose(&request, responder.snapshot, policy, path_scratch) {
        Choice::Fallback => Answer::Fallback,
        choice => Answer::Response(responder.response(&request, choice)),
    }
}
