//! From operations to submission queue entries: what the kernel is pointed at, and who keeps it.
#![expect(unsafe_code, reason = "points the kernel at memory")]

use std::mem;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::types::{Fd, OpenHow, Timespec};
use io_uring::{opcode, squeue};

use super::buffers::GROUP;
use super::{DISCARD_BYTES_MAX, Operation, Owned, Ring, SendPayload, Token};
use crate::sys::{beneath, socket};

impl Ring {
    /// The entry of `operation`; what it owns is kept until [`Ring::take_owned`].
    pub(super) fn prepare(&mut self, token: Token, operation: Operation) -> squeue::Entry {
        match operation {
            Operation::Accept { listener } => opcode::AcceptMulti::new(Fd(listener))
                .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
                .build(),
            Operation::Receive { socket } => opcode::RecvMulti::new(Fd(socket), GROUP).build(),
            Operation::ReceiveOnce { socket, bytes_max } => {
                // The address is the provided buffer's.
                opcode::Recv::new(Fd(socket), std::ptr::null_mut(), bytes_max)
                    .buf_group(GROUP)
                    .build()
                    .flags(squeue::Flags::BUFFER_SELECT)
            }
            Operation::Discard { socket, count_max } => prepare_discard(socket, count_max),
            Operation::Connect { socket, address } => self.prepare_connect(token, socket, address),
            Operation::Send {
                socket,
                payload,
                more_follows,
                waits,
            } => {
                let mut flags = libc::MSG_NOSIGNAL;
                for (wanted, flag) in [(more_follows, libc::MSG_MORE), (!waits, libc::MSG_DONTWAIT)]
                {
                    flags |= if wanted { flag } else { 0 };
                }
                self.prepare_send(token, socket, payload, flags)
            }
            Operation::Writable { socket, goes_on } => {
                opcode::PollAdd::new(Fd(socket), libc::POLLOUT as u32)
                    .multi(goes_on)
                    .build()
            }
            Operation::Open { root, path } => {
                let pointer = path.as_ptr();
                self.put_owned(token, Owned::Open { _path: path });
                opcode::OpenAt2::new(Fd(root), pointer, &raw const OPEN_HOW.0).build()
            }
            Operation::Read {
                file,
                offset,
                count,
                mut buffer,
            } => {
                assert!(count as usize <= buffer.capacity());
                let (descriptor, pointer) = (file.as_raw_fd(), buffer.as_mut_ptr());
                self.put_owned(
                    token,
                    Owned::Read {
                        buffer,
                        _file: file,
                    },
                );
                opcode::Read::new(Fd(descriptor), pointer, count)
                    .offset(offset)
                    .build()
            }
            Operation::Cancel { target } => opcode::AsyncCancel::new(target.to_bits()).build(),
            Operation::Tick => opcode::Timeout::new(&raw const SECOND.0).build(),
            Operation::Wake { event } => opcode::PollAdd::new(Fd(event), libc::POLLIN as u32)
                .multi(true)
                .build(),
        }
    }

    fn prepare_connect(
        &mut self,
        token: Token,
        socket: RawFd,
        address: SocketAddrV4,
    ) -> squeue::Entry {
        let address = socket::raw_v4(address);
        let owned = self.put_owned(token, Owned::Connect { address });
        let Owned::Connect { address } = owned else {
            unreachable!("invariant: put there the line before")
        };
        let length = mem::size_of_val(address) as libc::socklen_t;
        opcode::Connect::new(Fd(socket), (&raw const *address).cast(), length).build()
    }

    fn prepare_send(
        &mut self,
        token: Token,
        socket: RawFd,
        payload: SendPayload,
        flags: i32,
    ) -> squeue::Entry {
        let head = &payload.buffer[payload.from..];
        let (head, head_bytes) = (head.as_ptr(), head.len());
        let body = payload
            .body
            .as_ref()
            .map(|body| (body.as_ptr(), body.len()));
        let vector = |base: *const u8, bytes| libc::iovec {
            iov_base: base.cast_mut().cast(),
            iov_len: bytes,
        };
        let vectors = body.map_or([vector(head, head_bytes); 2], |(body, body_bytes)| {
            [vector(head, head_bytes), vector(body, body_bytes)]
        });
        // SAFETY: a message header is made of integers and pointers, for which zeroes are valid.
        let message: libc::msghdr = unsafe { mem::zeroed() };
        let owned = self.put_owned(
            token,
            Owned::Send {
                payload,
                message,
                vectors,
            },
        );
        let Owned::Send {
            message, vectors, ..
        } = owned
        else {
            unreachable!("invariant: put there the line before")
        };
        if body.is_none() {
            let bytes = u32::try_from(head_bytes).expect("invariant: buffers are small");
            return opcode::Send::new(Fd(socket), head, bytes)
                .flags(flags)
                .build();
        }
        message.msg_iov = vectors.as_mut_ptr();
        message.msg_iovlen = vectors.len();
        opcode::SendMsg::new(Fd(socket), message)
            .flags(flags as u32)
            .build()
    }
}

/// Without an address: TCP's `MSG_TRUNC` copies nothing. Any other socket would copy to address
/// 0, and the operation fails with EFAULT: nothing is mapped there, neither by this package nor,
/// with `vm.mmap_min_addr` as it is set everywhere, by others in the process.
///
/// `MSG_WAITALL` does not go with it: large bodies hung with both on Linux 6.18, probably because
/// what was not copied is taken for not received.
fn prepare_discard(socket: RawFd, count_max: u32) -> squeue::Entry {
    assert!(count_max <= DISCARD_BYTES_MAX);
    opcode::Recv::new(Fd(socket), std::ptr::null_mut(), count_max)
        .flags(libc::MSG_TRUNC)
        .build()
}

/// A constant the kernel reads; shared between threads because nobody writes to it.
struct Constant<T>(T);

// SAFETY: never written to.
unsafe impl<T> Sync for Constant<T> {}

static SECOND: Constant<Timespec> = Constant(Timespec::new().sec(1));

static OPEN_HOW: Constant<OpenHow> = Constant(
    OpenHow::new()
        .flags(beneath::OPEN_FLAGS)
        .resolve(beneath::RESOLVE_FLAGS),
);
