//! Assets in front of another service.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body;
use http_body_util::Either;

use super::{AssetBody, Assets};
use crate::service::Answer;

/// [`Assets`] in front of a service that answers requests that name no file; made by
/// [`Assets::with_fallback`].
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use whitering::{Assets, Config};
///
/// let app: Router = Router::new().route("/hello", get(|| async { "hello" }));
/// let service = Assets::load(&Config::for_directory("public"))?.with_fallback(app);
/// # drop(service);
/// # Ok::<(), whitering::StartError>(())
/// ```
#[derive(Debug, Clone)]
pub struct WithFallback<S> {
    assets: Assets,
    service: S,
}

/// The answer that [`WithFallback`] gives.
pub struct FallbackFuture<F> {
    state: State<F>,
}

enum State<F> {
    /// From the files; none when it has been taken.
    Files(Option<Response<AssetBody>>),
    Service(Pin<Box<F>>),
}

impl<S> WithFallback<S> {
    pub(super) const fn new(assets: Assets, service: S) -> Self {
        Self { assets, service }
    }
}

impl<S, A, B> tower_service::Service<Request<A>> for WithFallback<S>
where
    S: tower_service::Service<Request<A>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    type Response = Response<Either<AssetBody, B>>;
    type Error = S::Error;
    type Future = FallbackFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let state = match self.assets.answer(&parts, true) {
            Answer::Response(response) => State::Files(Some(response.map(AssetBody::new))),
            Answer::Fallback => {
                let request = Request::from_parts(parts, body);
                State::Service(Box::pin(self.service.call(request)))
            }
        };
        FallbackFuture { state }
    }
}

impl<F, B, E> Future for FallbackFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Either<AssetBody, B>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Files(response) => {
                let response = response.take().expect("invariant: polled once when ready");
                Poll::Ready(Ok(response.map(Either::Left)))
            }
            State::Service(future) => future
                .as_mut()
                .poll(context)
                .map_ok(|response| response.map(Either::Right)),
        }
    }
}
