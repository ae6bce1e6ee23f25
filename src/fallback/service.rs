//! The service behind the files, as lanes call it.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Body;

use super::proxy::Passage;
use super::{BoxError, RequestBody, ResponseBody};

/// A future of one lane.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What one lane calls with the requests that name no file. What goes wrong is a response too.
pub trait Service {
    /// Answers `request`, whose extensions hold its [`Peer`], and hyper's `OnUpgrade` if it may
    /// switch protocols.
    fn call(&self, request: Request<RequestBody>) -> LocalFuture<Response<ResponseBody>>;

    /// A shorter way for simple requests, if it has one.
    fn passage(&self) -> Option<Passage> {
        None
    }
}

/// Makes the service of each lane, in the lane's own thread.
pub trait MakeService: Send + Sync {
    /// Makes one.
    fn make(&self) -> Rc<dyn Service>;
}

/// Who asks; in the extensions of every request.
///
/// ```
/// use whitering::{Peer, RequestBody};
///
/// fn came_over_tls(request: &http::Request<RequestBody>) -> bool {
///     request.extensions().get::<Peer>().is_some_and(|peer| peer.is_tls)
/// }
/// # let _ = came_over_tls;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; none over a Unix socket.
    pub address: Option<SocketAddr>,
    /// The address it connected to; none over a Unix socket.
    pub local: Option<SocketAddr>,
    /// Whether it came over TLS.
    pub is_tls: bool,
}

/// A service of the `tower` kind.
pub struct FromTower<S, B> {
    service: S,
    body: PhantomData<fn() -> B>,
}

impl<S, B> FromTower<S, B> {
    /// Calls a clone of `service` for each request.
    pub fn new(service: S) -> Self {
        Self {
            service,
            body: PhantomData,
        }
    }
}

impl<S, B> MakeService for FromTower<S, B>
where
    S: tower_service::Service<Request<RequestBody>, Response = Response<B>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Error: Into<BoxError>,
    S::Future: 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    fn make(&self) -> Rc<dyn Service> {
        Rc::new(Local {
            service: self.service.clone(),
        })
    }
}

struct Local<S> {
    service: S,
}

impl<S, B> Service for Local<S>
where
    S: tower_service::Service<Request<RequestBody>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    S::Future: 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    fn call(&self, request: Request<RequestBody>) -> LocalFuture<Response<ResponseBody>> {
        use http_body_util::BodyExt;
        let mut service = self.service.clone();
        let mut answering = Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await?;
            service.call(request).await
        });
        // The service is dropped with the future that has panicked, and never seen again.
        let caught = poll_fn(move |context| {
            catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)))
                .map_or(Poll::Ready(None), |poll| poll.map(Some))
        });
        Box::pin(async move {
            match caught.await {
                Some(Ok(response)) => {
                    response.map(|body| ResponseBody::Boxed(Box::pin(body.map_err(Into::into))))
                }
                Some(Err(_)) | None => {
                    let mut response = Response::new(ResponseBody::Bytes(None));
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                }
            }
        })
    }
}
