//! How hyper is set up: what its connections are held to, and where it puts its tasks.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};

use super::Options;
use super::run::PanicGuard;

/// What serves connections by version.
pub(super) struct Servers {
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<LocalTasks>,
}

/// Makes a task of the lane of each stream.
#[derive(Clone)]
pub(super) struct LocalTasks {
    panic_count: Rc<Cell<u64>>,
}

impl<F: Future + 'static> Executor<F> for LocalTasks {
    fn execute(&self, future: F) {
        // A panic there costs the stream: its answer is dropped, and the client sees a reset.
        let guard = PanicGuard::new(&self.panic_count);
        tokio::task::spawn_local(async move {
            future.await;
            drop(guard);
        });
    }
}

/// Sets both up. Their own timers are not used: the lane looks after waits itself.
pub(super) fn servers(options: &Options, panic_count: &Rc<Cell<u64>>) -> Servers {
    let head_bytes_max = options.settings.head_bytes_max;
    let mut http1 = http1::Builder::new();
    http1
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(head_bytes_max)
        .max_buf_size(head_bytes_max.max(BUFFER_BYTES_MAX))
        .writev(true);
    let mut http2 = http2::Builder::new(LocalTasks {
        panic_count: Rc::clone(panic_count),
    });
    http2
        .max_concurrent_streams(options.http2.stream_count_max)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESET_COUNT_MAX)
        .max_local_error_reset_streams(ERROR_RESET_COUNT_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .adaptive_window(false)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX);
    Servers { http1, http2 }
}

/// What HTTP/1.1 keeps of a body that is passed on, in each direction.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Streams that a client opened and reset before they were looked at; more is an attack.
const PENDING_RESET_COUNT_MAX: usize = 32;

/// Streams that were reset because of the client's mistakes, over the whole connection.
const ERROR_RESET_COUNT_MAX: usize = 256;

/// What one upload may have sent that nobody has taken yet.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The same of all uploads on a connection.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What is kept of each answer that the client does not take.
const SEND_BUFFER_BYTES_MAX: usize = 128 * 1024;
