//! The bodies of requests that are passed on, and of their responses.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::proxy::Download;
use super::upload::Upload;
use crate::http::request::check_values;

/// What can go wrong with a body.
///
/// ```
/// let error: whitering::BoxError = "the body broke off".into();
/// assert_eq!(error.to_string(), "the body broke off");
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, as it arrives from the client.
///
/// ```
/// use http_body_util::BodyExt;
/// use whitering::{BoxError, RequestBody};
///
/// async fn length(body: RequestBody) -> Result<usize, BoxError> {
///     Ok(body.collect().await?.to_bytes().len())
/// }
/// # let _ = length;
/// ```
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    /// Where its progress is noted, if anybody looks.
    upload: Option<Arc<Upload>>,
}

impl RequestBody {
    /// A body whose progress is noted in `upload`.
    pub fn watched(incoming: Incoming, upload: Arc<Upload>) -> Self {
        Self {
            incoming,
            upload: Some(upload),
        }
    }
}

/// The body of a response.
pub enum ResponseBody {
    /// None, or all of it.
    Bytes(Option<Bytes>),
    /// As it arrives from an application server.
    Upstream(Download),
    /// A service's own.
    Boxed(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>),
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        Self {
            incoming: body,
            upload: None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = &mut *self;
        let Some(upload) = &body.upload else {
            return Pin::new(&mut body.incoming)
                .poll_frame(context)
                .map_err(Into::into);
        };
        if upload.is_given_up() {
            return Poll::Ready(Some(
                Err("the client took too long to send the body".into()),
            ));
        }
        let result = Pin::new(&mut body.incoming).poll_frame(context);
        match &result {
            Poll::Pending => upload.on_wait(context),
            // What a head may not hold, trailers may not either.
            Poll::Ready(Some(Ok(frame))) if has_malformed(frame) => {
                return Poll::Ready(Some(Err("a trailer of the body is malformed".into())));
            }
            Poll::Ready(Some(Ok(frame))) => {
                upload.on_received(frame.data_ref().map_or(0, Bytes::len));
                if body.incoming.is_end_stream() {
                    upload.on_complete();
                }
            }
            Poll::Ready(None) => upload.on_complete(),
            Poll::Ready(Some(Err(_))) => {}
        }
        result.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

fn has_malformed(frame: &Frame<Bytes>) -> bool {
    let trailers = frame.trailers_ref();
    trailers.is_some_and(|fields| check_values(fields).is_err())
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(context),
            Self::Boxed(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Upstream(body) => body.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}
