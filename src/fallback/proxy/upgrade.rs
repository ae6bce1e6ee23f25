//! A connection after a switch of protocols (RFC 9110 §7.8): bytes both ways, until both sides have
//! ended, or one has and the other makes no progress. The lane cuts the client's side when it ends.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::HeaderValue;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::Instant;

use super::fields;
use super::upstream::Lease;

/// What is needed to switch protocols.
pub(super) struct Switch {
    /// The client's side, once it was told.
    pub(super) on_upgrade: OnUpgrade,
    /// What it asked for.
    pub(super) protocols: HeaderValue,
}

impl Switch {
    /// Whether the client asked for `protocol`: to no other may be switched (RFC 9110 §7.8).
    pub(super) fn asks_for(&self, protocol: &HeaderValue) -> bool {
        let is_asked = |token: &[u8]| {
            fields::tokens(&self.protocols).any(|asked| asked.eq_ignore_ascii_case(token))
        };
        let mut tokens = fields::tokens(protocol).peekable();
        tokens.peek().is_some() && tokens.all(is_asked)
    }

    /// Passes bytes on until the sides end; once one has, the other has `timeout` for each part.
    /// The connection of `lease` counts until then.
    pub(super) async fn run(self, mut lease: Lease, timeout: Duration) {
        let Some(link) = lease.take_link() else {
            return;
        };
        let switching = tokio::time::timeout(SWITCH_TIMEOUT, async {
            let upstream = link.into_socket().await?;
            Some((self.on_upgrade.await.ok()?, upstream))
        });
        let Ok(Some((client, (upstream, received)))) = switching.await else {
            return;
        };
        let mut client = TokioIo::new(client);
        if client.write_all(&received).await.is_ok() && client.flush().await.is_ok() {
            drop(received);
            copy_both(client, upstream, timeout).await;
        }
    }
}

/// Copies both ways until both sides have ended; once one has, the other may pause for `timeout`.
async fn copy_both(
    client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: impl AsyncRead + AsyncWrite + Unpin,
    timeout: Duration,
) {
    let progress = Progress::default();
    let (mut client, mut upstream) = (progress.watch(client), progress.watch(upstream));
    let copying = copy_bidirectional_with_sizes(&mut client, &mut upstream, COPY_BYTES, COPY_BYTES);
    let (mut copying, mut alarm) = (pin!(copying), pin!(tokio::time::sleep(timeout)));
    let mut bytes_then = None;
    poll_fn(|context| {
        if copying.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !progress.has_ended.get() {
            return Poll::Pending;
        }
        let bytes = Some(progress.bytes.get());
        if bytes_then != bytes {
            bytes_then = bytes;
            alarm.as_mut().reset(Instant::now() + timeout);
        }
        alarm.as_mut().poll(context)
    })
    .await;
}

/// What has come from both sides.
#[derive(Debug, Default)]
struct Progress {
    bytes: Cell<u64>,
    /// Whether a side has nothing more to say.
    has_ended: Cell<bool>,
}

/// One side.
struct Watched<'a, S> {
    stream: S,
    progress: &'a Progress,
}

impl Progress {
    const fn watch<S>(&self, stream: S) -> Watched<'_, S> {
        Watched {
            stream,
            progress: self,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let count = buffer.filled().len() - before;
        let Progress { bytes, has_ended } = self.progress;
        bytes.set(bytes.get() + count as u64);
        has_ended.set(has_ended.get() || count == 0);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// For both sides to have switched, once the response is there.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Of each direction: many such connections are open at once, and idle.
const COPY_BYTES: usize = 4 << 10;
