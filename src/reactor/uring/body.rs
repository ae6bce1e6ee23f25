//! Bodies that are in files: opened through the ring, sent from the page cache, and read into it
//! first where a disk would have to be waited for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::{Engine, Kernel};
use crate::connection::{OpenError, Want};
use crate::reactor::files::OpenFile;
use crate::reactor::transfer::{self, Outcome, Plan, WINDOW_BYTES};
use crate::sys::uring::{Completion, Kind, Operation, Returned};

impl<K: Kernel> Engine<K> {
    pub(super) fn on_opened(&mut self, index: u32, completion: Completion) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let Some(source) = client
            .connection
            .file_part()
            .map(|part| part.source().clone())
        else {
            return;
        };
        let opened = match completion.returned {
            Returned::Opened(descriptor) => {
                self.core.files.admit(descriptor, &source, &self.core.held)
            }
            _ => Err(OpenError::of(&io::Error::from_raw_os_error(
                -completion.result,
            ))),
        };
        match opened {
            Ok(file) => {
                client.file = Some(file);
                client.warm_end = 0;
                client.connection.on_opened();
            }
            Err(error) => {
                self.core.notice_open_error(error);
                self.core
                    .report(&mut client.connection, |connection, context| {
                        connection.on_open_failed(error, context);
                    });
            }
        }
    }

    pub(super) fn on_read(&mut self, completion: Completion) {
        if let Returned::Read(buffer) = completion.returned {
            self.read_buffers.push(buffer);
        }
    }

    /// Opens the file the connection wants; false if that has to be waited for.
    pub(super) fn open(&mut self, index: u32) -> bool {
        let Some(client) = self.slots.at(index) else {
            return false;
        };
        let Some(part) = client.connection.file_part() else {
            return false;
        };
        if let Some(file) = self.core.files.find(part.source(), &self.core.held) {
            client.file = Some(file);
            client.warm_end = 0;
            client.connection.on_opened();
            return true;
        }
        let (root, path) =
            transfer::place(part.source()).expect("invariant: what is opened is in a file");
        let (root, path) = (root.as_raw_fd(), path.to_owned());
        self.submit(index, Kind::Open, Operation::Open { root, path });
        false
    }

    /// Sends from the open file; false if something has to be waited for, or others have their
    /// turn.
    pub(super) fn send_file(&mut self, index: u32) -> bool {
        let mut had_turn = false;
        loop {
            let Some(client) = self.slots.at(index) else {
                return false;
            };
            if client.waits_for_turn {
                return false;
            }
            if had_turn || self.turns.is_used_up() {
                client.waits_for_turn = true;
                self.turns.wait(index);
                return false;
            }
            let (Some(part), Some(file)) = (client.connection.file_part(), &client.file) else {
                return true;
            };
            let (kernel, warm_end) = (&mut self.kernel, client.warm_end);
            let plan = transfer::plan(part, file, |offset| {
                offset < warm_end || kernel.is_cached(file.as_fd(), offset)
            });
            had_turn = true;
            let result = match plan {
                Plan::Send { offset, count } => {
                    kernel.send_file(client.socket.as_fd(), file.as_fd(), offset, count)
                }
                Plan::Read { offset, count } => {
                    self.read_cold(index, offset, count);
                    return false;
                }
                Plan::GiveUp => Ok(0),
            };
            match transfer::outcome(result) {
                Outcome::Sent(count) => {
                    self.turns.spend(count);
                    self.core
                        .report(&mut client.connection, |connection, context| {
                            connection.on_file_sent(count, context);
                        });
                }
                Outcome::Blocked => {
                    self.wait_writable(index);
                    return false;
                }
                Outcome::Truncated => {
                    client.connection.on_file_changed();
                    self.core.notice_stale();
                    return true;
                }
                Outcome::Failed => {
                    client.connection.on_error();
                    return true;
                }
            }
            if client.connection.file_part().is_none() {
                client.file = None;
            }
            // Behind this part there may be the head of another (RFC 9110 §14.6).
            if client.connection.want() != Want::SendFile {
                return true;
            }
        }
    }

    /// Reads a part of a file only so that it is in the page cache.
    fn read_cold(&mut self, index: u32, offset: u64, count: u32) {
        let Some(client) = self.slots.at(index) else {
            return;
        };
        let Some(file) = client.file.as_ref().map(OpenFile::shared) else {
            return;
        };
        self.turns.spend(count as usize);
        // Tried once: what cannot be read shows when it is sent.
        client.warm_end = offset + u64::from(count);
        let buffer = self.read_buffers.pop().unwrap_or_else(new_read_buffer);
        self.submit(
            index,
            Kind::Read,
            Operation::Read {
                file,
                offset,
                count,
                buffer,
            },
        )
    }
}

fn new_read_buffer() -> Vec<u8> {
    Vec::with_capacity(usize::try_from(WINDOW_BYTES).expect("invariant: a window is small"))
}
