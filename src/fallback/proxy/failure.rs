//! Why a request was not answered by an application server, and the status that says so.

use ::http::StatusCode;

/// Why there is no response of an application server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The client wants a method that ends here.
    #[error("this method is not passed on")]
    Method,
    /// The client's Host is missing, doubled or no host.
    #[error("the request names no host")]
    Host,
    /// The request body is longer than is passed on.
    #[error("the request body is too long")]
    TooLarge,
    /// The client stopped in the middle of its body.
    #[error("the client stopped in the middle of its request")]
    ClientSlow,
    /// The client's body broke off.
    #[error("the client's request broke off")]
    ClientGone,
    /// Nobody listens, or the connection was refused.
    #[error("cannot connect; is the application running and listening there?")]
    Connect,
    /// No connection in time.
    #[error("no connection in time; is the application overloaded, or a firewall between?")]
    ConnectTimeout,
    /// The connection ended before the response began.
    #[error("the application closed the connection without a response; look into its log")]
    Closed,
    /// What arrived is no response.
    #[error("the application sent what is no HTTP/1.1 response; does it speak HTTP there?")]
    Malformed,
    /// The response did not begin in time.
    #[error("the application did not answer in time; see --upstream-timeout")]
    Timeout,
    /// A response body stopped.
    #[error("a response of the application broke off or stopped")]
    Body,
    /// All connections are in use, and as many requests wait as may.
    #[error("all connections are in use and the queue is full; see --upstream-connections")]
    Busy,
    /// All connections were in use for as long as a request may wait.
    #[error("no connection became free in time; see --upstream-connections")]
    QueueTimeout,
    /// No address is known.
    #[error("no application server is configured")]
    Nowhere,
}

impl Failure {
    /// How many kinds there are.
    pub(super) const COUNT: usize = Self::Nowhere as usize + 1;

    /// Whether it says that the server may be out of order. That a connection ends before the
    /// response says so of a new one only: idle ones may end at any time.
    pub(super) const fn is_of_upstream(self, is_reused: bool) -> bool {
        match self {
            Self::Malformed | Self::Timeout => true,
            Self::Closed => !is_reused,
            _ => false,
        }
    }

    /// What the client is told (RFC 9110 §15.5, §15.6).
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ClientSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Connect | Self::Closed | Self::Malformed | Self::Body => StatusCode::BAD_GATEWAY,
            Self::Busy | Self::Nowhere => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::Timeout | Self::QueueTimeout => {
                StatusCode::GATEWAY_TIMEOUT
            }
        }
    }
}
