//! Operations and what they own. Whatever the kernel may touch belongs to the operation until
//! its completion; it comes back to the caller only then.

use std::any::Any;
use std::ffi::CString;
use std::fs::File;
use std::net::SocketAddrV4;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;

use super::{Kind, Token};

/// Work for the kernel.
///
/// Descriptors given as numbers have to stay open until the ring has been entered; from then on
/// the kernel holds the file itself.
#[derive(Debug)]
pub enum Operation {
    /// Accepts connections until cancelled or failed (`IORING_ACCEPT_MULTISHOT`, Linux 5.19).
    Accept {
        /// A listening socket.
        listener: RawFd,
    },
    /// Receives into provided buffers until cancelled, at the end of the stream, failed, or out
    /// of buffers (`IORING_RECV_MULTISHOT`, Linux 6.0).
    Receive {
        /// A connected socket.
        socket: RawFd,
    },
    /// Receives into one provided buffer, once. Its kind is [`Kind::Receive`] too.
    ReceiveOnce {
        /// A connected socket.
        socket: RawFd,
        /// How much of the buffer is filled at most.
        bytes_max: u32,
    },
    /// Takes bytes off the stream without copying them (`MSG_TRUNC`, see tcp(7)). Completes with
    /// how many there were, 0 at the end of the stream.
    Discard {
        /// A connected TCP socket.
        socket: RawFd,
        /// How many bytes at most; no more than [`DISCARD_BYTES_MAX`].
        count_max: u32,
    },
    /// Connects to a server.
    Connect {
        /// A new TCP socket.
        socket: RawFd,
        /// Where the server listens.
        address: SocketAddrV4,
    },
    /// Sends what there is room for.
    Send {
        /// A connected socket.
        socket: RawFd,
        /// What is sent.
        payload: SendPayload,
        /// Whether more follows at once (`MSG_MORE`).
        more_follows: bool,
        /// Whether it waits for room if there is none; else it completes with `EAGAIN`
        /// (`MSG_DONTWAIT`). To a half-closed client it does not wait well, see
        /// [`Operation::Writable`].
        waits: bool,
    },
    /// Waits until there is room in the send buffer, or the connection is gone.
    ///
    /// io_uring always polls for `POLLRDHUP` too, and the peer of a half-closed connection has
    /// caused that for good: such a wait completes at once, with nothing else in its result. One
    /// that goes on tells that once, and then only what is new.
    Writable {
        /// A connected socket.
        socket: RawFd,
        /// Whether it completes again and again until cancelled (`IORING_POLL_ADD_MULTI`).
        goes_on: bool,
    },
    /// Opens a regular file beneath a directory.
    Open {
        /// The directory.
        root: RawFd,
        /// The path beneath it.
        path: CString,
    },
    /// Reads a part of a file.
    Read {
        /// The file, kept open until the end.
        file: Rc<File>,
        /// Where to begin, in bytes.
        offset: u64,
        /// How many bytes to read; at most the capacity of the buffer.
        count: u32,
        /// Where to.
        buffer: Vec<u8>,
    },
    /// Ends another operation early; that one still completes.
    Cancel {
        /// The operation to end.
        target: Token,
    },
    /// Completes after a second, once: `IORING_TIMEOUT_MULTISHOT` is refused before Linux 6.4.
    Tick,
    /// Completes whenever a descriptor becomes readable (`IORING_POLL_ADD_MULTI`).
    Wake {
        /// An eventfd.
        event: RawFd,
    },
}

impl Operation {
    /// What its token has to say.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Accept { .. } => Kind::Accept,
            Self::Receive { .. } | Self::ReceiveOnce { .. } => Kind::Receive,
            Self::Discard { .. } => Kind::Discard,
            Self::Connect { .. } => Kind::Connect,
            Self::Send { .. } => Kind::Send,
            Self::Writable { .. } => Kind::Writable,
            Self::Open { .. } => Kind::Open,
            Self::Read { .. } => Kind::Read,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Tick => Kind::Tick,
            Self::Wake { .. } => Kind::Wake,
        }
    }
}

/// What one [`Operation::Discard`] can take; its count has to come back as an `i32`.
pub const DISCARD_BYTES_MAX: u32 = 1 << 30;

/// Bytes to send: the rest of a buffer, then a slice of something shared.
#[derive(Debug)]
pub struct SendPayload {
    /// Sent from `from` on.
    pub buffer: Vec<u8>,
    /// How much of the buffer is left out.
    pub from: usize,
    /// Sent behind the buffer.
    pub body: Option<SharedSlice>,
}

/// What comes back when an operation has ended.
#[derive(Debug)]
pub enum Returned {
    /// The operation owned nothing.
    Nothing,
    /// The payload of a send.
    Sent(SendPayload),
    /// The descriptor an open made.
    Opened(OwnedFd),
    /// The buffer of a read.
    Read(Vec<u8>),
}

/// One answer of the kernel.
#[derive(Debug)]
pub struct Completion {
    /// Which operation.
    pub token: Token,
    /// What it came to: a count, or a negated `errno`.
    pub result: i32,
    /// Whether the operation goes on and completes again (`IORING_CQE_F_MORE`).
    pub more: bool,
    /// The provided buffer that was filled; give it back with `recycle`.
    pub buffer_id: Option<u16>,
    /// Whether a receive has left something in the socket, if only its end
    /// (`IORING_CQE_F_SOCK_NONEMPTY`, Linux 5.19).
    pub has_more_to_receive: bool,
    /// A connection that was accepted.
    pub accepted: Option<OwnedFd>,
    /// What the operation owned, once it has ended.
    pub returned: Returned,
}

/// A slice of a value that is kept alive by a count in this thread.
#[derive(Clone)]
pub struct SharedSlice {
    // Held for its destructor only: it keeps the bytes where they are.
    _owner: Rc<dyn Any>,
    bytes: *const [u8],
}

impl SharedSlice {
    /// The slice of `owner` that `project` finds.
    pub fn new<T: 'static>(owner: Rc<T>, project: impl for<'a> FnOnce(&'a T) -> &'a [u8]) -> Self {
        let bytes: *const [u8] = project(&owner);
        Self {
            _owner: owner,
            bytes,
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) const fn as_ptr(&self) -> *const u8 {
        self.bytes.cast()
    }
}

impl std::fmt::Debug for SharedSlice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SharedSlice({} bytes)", self.len())
    }
}

impl SendPayload {
    /// How many bytes are to be sent.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.from + self.body.as_ref().map_or(0, SharedSlice::len)
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SharedSlice {
    /// The bytes, for rings that are not the kernel's.
    pub fn to_vec(&self) -> Vec<u8> {
        #[expect(
            unsafe_code,
            reason = "reads the slice that was projected out of the owner"
        )]
        // SAFETY: `bytes` was borrowed from `*owner`, which is kept alive, is never handed out
        // mutably (this type holds a count, so `Rc::get_mut` fails), and whose slice outlives
        // every shared borrow of it; see `new`.
        let bytes = unsafe { &*self.bytes };
        bytes.to_vec()
    }
}
