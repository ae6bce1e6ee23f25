//! Assets for programs with a server of their own: a `tower` service over the same snapshot,
//! choices and answers as the workers'. Needs a tokio runtime for files that are not in memory,
//! and no ring.

mod body;
mod fallback;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::request::Parts;
use ::http::{Request, Response};

pub use body::AssetBody;
pub use fallback::{FallbackFuture, WithFallback};

use crate::assets::{self, Live, Packed, PackedSource, Policy};
use crate::config::Config;
use crate::server::{self, StartError};
use crate::service::{Answer, answer_checked};
use crate::sys::limits::SystemLimits;

/// The files of a [`Config`], as a `tower` service for axum, hyper, or any server that speaks
/// `http`. Clones share the files; a clone costs one reference count.
///
/// Answers are those that [`Server`](crate::Server) gives: conditional and range requests,
/// precompressed variants, redirects to directories, 404 for what names no file. Of the
/// configuration, what concerns sources, memory and responses counts; listening is the
/// program's own. Bodies that are not in memory are read in pieces of 128 KiB on tokio's threads
/// for blocking work.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use whitering::{Assets, Config};
///
/// # let public = tempfile::tempdir()?;
/// # let public = public.path();
/// let assets = Assets::load(&Config::for_directory(public))?;
/// let app: Router = Router::new()
///     .route("/api/hello", get(|| async { "hello" }))
///     .fallback_service(assets);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Assets {
    shared: Arc<Shared>,
}

struct Shared {
    options: assets::Options,
    live: Live,
}

impl Assets {
    /// Reads and hashes every file that `config` names. Takes as long as reading them does, and
    /// blocks meanwhile.
    ///
    /// # Errors
    /// [`StartError::Load`] if the files cannot be served, [`StartError::Limits`] if the memory
    /// that they may take cannot be found out.
    pub fn load(config: &Config) -> Result<Self, StartError> {
        let limits = SystemLimits::read().map_err(StartError::Limits)?;
        Self::load_with(server::asset_options(config, &limits))
    }

    /// Takes a release that is a part of the program, and serves it below `prefix`: `/`, or a path
    /// with a slash on both ends. Of `config`, what concerns responses counts, and its sources
    /// have precedence.
    ///
    /// # Errors
    /// As those of [`Self::load`].
    pub fn packed(
        config: &Config,
        prefix: impl Into<String>,
        release: Packed,
    ) -> Result<Self, StartError> {
        let limits = SystemLimits::read().map_err(StartError::Limits)?;
        let mut options = server::asset_options(config, &limits);
        options.packed.push(PackedSource {
            prefix: prefix.into(),
            release,
        });
        Self::load_with(options)
    }

    fn load_with(options: assets::Options) -> Result<Self, StartError> {
        let loaded = assets::load(&options)?;
        server::log_warnings(&loaded.warnings);
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                live: Live::new(Arc::new(loaded.snapshot)),
            }),
        })
    }

    /// Reads the files again. Requests are answered from what was loaded before until all of it
    /// is there. Blocks as [`Self::load`] does: call it from `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    /// [`StartError::Load`]; then the files that were loaded before are served on.
    pub fn reload(&self) -> Result<(), StartError> {
        let loaded = assets::load(&self.shared.options)?;
        server::log_warnings(&loaded.warnings);
        self.shared.live.publish(Arc::new(loaded.snapshot));
        Ok(())
    }

    /// How many files can be asked for, variants not counted.
    pub fn file_count(&self) -> usize {
        self.shared.live.current().totals.assets
    }

    /// Bytes of file content held in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.shared.live.current().totals.memory_bytes
    }

    /// The files first, and `service` for requests that name none.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use whitering::{Assets, Config};
    ///
    /// # fn example(assets: Assets) {
    /// let app = assets.with_fallback(tower::service_fn(|request: Request<String>| async move {
    ///     Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
    /// }));
    /// # }
    /// ```
    pub fn with_fallback<S>(self, service: S) -> WithFallback<S> {
        WithFallback::new(self, service)
    }

    fn answer(&self, request: &Parts, has_fallback: bool) -> Answer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let policy = Policy {
            cors: self.shared.options.cors,
            has_fallback,
            unix_seconds: now.map_or(0, |now| now.as_secs()),
        };
        let snapshot = self.shared.live.current();
        answer_checked(request, &snapshot, policy, &mut Vec::new())
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.shared.live.current().totals;
        formatter.debug_tuple("Assets").field(&totals).finish()
    }
}

impl<B> tower_service::Service<Request<B>> for Assets {
    type Response = Response<AssetBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<AssetBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, _) = request.into_parts();
        match self.answer(&parts, false) {
            Answer::Response(response) => ready(Ok(response.map(AssetBody::new))),
            Answer::Fallback => unreachable!("invariant: there is none in the policy"),
        }
    }
}
