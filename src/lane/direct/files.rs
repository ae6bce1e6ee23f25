//! Answers out of files: read a part at a time, through the ring where there is one, and written
//! like any other bytes.

use std::pin::Pin;
use std::task::Poll;

use tokio::io::AsyncWrite;

use super::Direct;
use crate::assets::FileBody;
use crate::lane::files;

impl Direct<'_> {
    /// Opens the file that is to be sent.
    pub(super) fn open(&mut self) {
        let Some(part) = self.connection.file_part() else {
            return;
        };
        let source = part.source();
        let body = source
            .file()
            .expect("invariant: what is opened is in a file");
        match self.state.open(source, body) {
            Ok(file) => {
                self.file = Some(file);
                self.connection.on_opened();
            }
            Err(error) => self.with_context(|connection, context| {
                connection.on_open_failed(error, context);
            }),
        }
    }

    /// Sends the next bytes of the file.
    pub(super) async fn send_file(&mut self) {
        let (Some(part), Some(file)) = (self.connection.file_part(), &self.file) else {
            return self.connection.on_error();
        };
        let range = part.range();
        let is_unchanged = |body: &FileBody| {
            let metadata = file.metadata();
            metadata.is_ok_and(|metadata| body.is_unchanged(&metadata))
        };
        if !part.source().file().is_some_and(is_unchanged) {
            (self.state.options.on_stale)();
            return self.connection.on_file_changed();
        }
        let count_max = usize::try_from(range.end - range.start)
            .map_or(files::CHUNK_BYTES, |left| left.min(files::CHUNK_BYTES));
        let buffer = self.state.with_pool(|pool| pool.take());
        let uses_uring = self.state.uses_uring;
        let (result, buffer) = files::read(file, range.start, count_max, buffer, uses_uring).await;
        match result {
            Ok(0) => self.connection.on_file_changed(),
            Ok(_) => self.write_file(&buffer).await,
            Err(_) => self.connection.on_error(),
        }
        self.state.with_pool(|pool| pool.give(buffer));
    }

    /// Writes all of `bytes`, which were read from the file.
    async fn write_file(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = std::future::poll_fn(|context| {
                self.control.watch(context);
                if self.control.take_due() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut *self.transport)
                    .poll_write(context, bytes)
                    .map(Some)
            });
            match written.await {
                Some(Ok(count)) => {
                    bytes = &bytes[count..];
                    self.with_context(|connection, context| {
                        connection.on_file_sent(count, context);
                    });
                    let deadline = self.connection.deadline();
                    self.control.set_deadline(deadline, false);
                }
                Some(Err(_)) => return self.connection.on_error(),
                None => {
                    return self
                        .with_context(|connection, context| connection.on_deadline(context));
                }
            }
        }
    }
}
