//! io_uring, safe: operations that own their memory go in, completions come out. The only place
//! where the `io-uring` crate is used.
#![expect(unsafe_code, reason = "hands memory to the kernel")]

mod buffers;
mod operation;
mod prepare;
mod probe;
mod registered;
mod token;

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, squeue};

use buffers::{GROUP, ProvidedBuffers};
pub use operation::{Completion, DISCARD_BYTES_MAX, Operation, Returned, SendPayload, SharedSlice};
pub use probe::{Features, probe};
use registered::{register_ring, unregister_ring};
pub use token::{Kind, Token};

/// How large a ring is made.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Operations that can be handed over at once.
    pub entry_count: u32,
    /// Receive buffers; a power of two.
    pub buffer_count: u16,
    /// Bytes of each receive buffer.
    pub buffer_bytes: u32,
}

/// One io_uring, used by the thread that made it.
pub struct Ring {
    ring: ManuallyDrop<IoUring>,
    buffers: ManuallyDrop<ProvidedBuffers>,
    /// What operations in flight own, by slot: at most one such operation for each.
    ///
    /// Invariant: an entry stays from before its submission until after its last completion.
    owned: ManuallyDrop<Vec<Option<Box<Owned>>>>,
    /// Boxes for later use, so that sending allocates nothing.
    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    spare: Vec<Box<Owned>>,
    owned_count: usize,
    /// Operations whose last completion was not taken yet.
    in_flight_count: usize,
    /// Entries for which the submission queue had no room.
    backlog: VecDeque<squeue::Entry>,
    /// The ring's place among the thread's registered rings, which saves a look-up per enter.
    registered: Option<RawFd>,
    enter_flags: EnterFlags,
}

/// What the kernel may touch for one operation.
enum Owned {
    Nothing,
    Send {
        payload: SendPayload,
        message: libc::msghdr,
        vectors: [libc::iovec; 2],
    },
    Connect {
        address: libc::sockaddr_in,
    },
    Open {
        _path: CString,
    },
    Read {
        buffer: Vec<u8>,
        _file: Rc<File>,
    },
}

impl Ring {
    /// Makes a ring with everything in `features` that concerns set-up.
    ///
    /// # Errors
    /// What `io_uring_setup(2)` or `io_uring_register(2)` answered.
    pub fn new(features: &Features, sizes: Sizes) -> io::Result<Self> {
        let ring = features
            .builder(sizes.entry_count)
            .build(sizes.entry_count)?;
        let buffers =
            ProvidedBuffers::register(&ring.submitter(), sizes.buffer_count, sizes.buffer_bytes)?;
        let mut enter_flags = EnterFlags::GETEVENTS;
        enter_flags.set(EnterFlags::NO_IOWAIT, features.no_iowait);
        let mut made = Self {
            ring: ManuallyDrop::new(ring),
            buffers: ManuallyDrop::new(buffers),
            owned: ManuallyDrop::new(Vec::new()),
            spare: Vec::new(),
            owned_count: 0,
            in_flight_count: 0,
            backlog: VecDeque::new(),
            registered: None,
            enter_flags,
        };
        if features.registered_ring {
            made.registered = Some(register_ring(&made.ring)?);
            made.enter_flags.insert(EnterFlags::REGISTERED_RING);
        }
        Ok(made)
    }

    /// Keeps the ring's own threads (for files that cannot be read without waiting) on `cpu`,
    /// and few.
    ///
    /// # Errors
    /// What `io_uring_register(2)` answered.
    pub fn bound_threads(&self, cpu: Option<usize>, count: u32) -> io::Result<()> {
        self.ring
            .submitter()
            .register_iowq_max_workers(&mut [count, count])?;
        // A set has bits for so many only.
        let Some(cpu) = cpu.filter(|cpu| *cpu < libc::CPU_SETSIZE as usize) else {
            return Ok(());
        };
        // SAFETY: a CPU set is an array of integers, for which zeroes are valid.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: the set is ours, and it has a bit of this index.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        self.ring.submitter().register_iowq_aff(&set)
    }

    /// Hands `operation` over with the next [`Self::enter`], or before if there are many.
    ///
    /// # Panics
    /// If an operation that owns memory is in flight for the same slot, or if the token is of
    /// another kind: by its kind a completion frees memory and takes descriptors.
    pub fn push(&mut self, token: Token, operation: Operation) {
        assert!(token.kind == operation.kind());
        let entry = self.prepare(token, operation).user_data(token.to_bits());
        self.in_flight_count += 1;
        if self.backlog.is_empty() {
            if self.queue(&entry) {
                return;
            }
            // A failure shows again in `enter`, where something can be done about it.
            let _ = self.call_enter(0);
        }
        self.backlog.push_back(entry);
        self.fill_queue();
    }

    /// Puts an entry into the submission queue; false if it is full.
    fn queue(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: every pointer in the entry is to memory in `self.owned`, which stays where it
        // is until the operation has completed, or to constants; or it is null, where the kernel
        // puts a provided buffer's address instead or copies nothing (see `prepare_discard`).
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Moves entries to the submission queue, in order, as far as there is room.
    fn fill_queue(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            if !self.queue(&entry) {
                return self.backlog.push_front(entry);
            }
        }
    }

    /// Submits what was pushed, and waits for at least one completion if `wait` says so.
    ///
    /// # Errors
    /// What `io_uring_enter(2)` answered, except for interruption and congestion, after which
    /// looking at the completions is the right thing to do.
    pub fn enter(&mut self, wait: bool) -> io::Result<()> {
        self.submit(|ring| ring.call_enter(u32::from(wait)))
    }

    /// Submits what was pushed, and waits for at least one completion, but not beyond `deadline`
    /// (`IORING_ENTER_EXT_ARG`, Linux 5.11, which is older than what [`Features::missing`] asks
    /// for). How late it returns is up to the thread's timer slack (`prctl(2)`).
    ///
    /// # Errors
    /// As for [`Self::enter`].
    pub fn enter_until(&mut self, deadline: Instant) -> io::Result<()> {
        self.submit(|ring| {
            let left = deadline.saturating_duration_since(Instant::now());
            ring.call_enter_for(Timespec::from(left))
        })
    }

    /// Submits everything, the last of it with `enter`, which may wait.
    fn submit(&mut self, mut enter: impl FnMut(&mut Self) -> io::Result<i64>) -> io::Result<()> {
        self.buffers.publish();
        loop {
            // Nothing is waited for before everything is submitted.
            let is_last = self.backlog.is_empty();
            let entered = if is_last {
                enter(self)
            } else {
                self.call_enter(0)
            };
            match entered {
                Ok(_) if is_last => return Ok(()),
                Ok(_) => self.fill_queue(),
                Err(error) => match error.raw_os_error() {
                    // EBUSY, EAGAIN: completions have to be taken first (io_uring_enter(2)).
                    // ETIME: the deadline has passed.
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ETIME) => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
    }

    fn call_enter(&mut self, completion_count_min: u32) -> io::Result<i64> {
        let (descriptor, count) = self.submission();
        // SAFETY: the descriptor is this ring's. All `count` entries were pushed by `push`, whose
        // operations own what they point to.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                descriptor,
                count,
                completion_count_min,
                self.enter_flags.bits(),
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        checked(result)
    }

    /// Waits for a completion as long as `timeout`.
    fn call_enter_for(&mut self, timeout: Timespec) -> io::Result<i64> {
        let (descriptor, count) = self.submission();
        let arguments = SubmitArgs::new().timespec(&timeout);
        // SAFETY: as in `call_enter`. The arguments, which are of the size passed with them, and
        // the time they point to outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                descriptor,
                count,
                1_u32,
                (self.enter_flags | EnterFlags::EXT_ARG).bits(),
                &raw const arguments,
                mem::size_of_val(&arguments),
            )
        };
        checked(result)
    }

    /// The ring's descriptor, or its index among the registered ones, and how many entries wait.
    fn submission(&mut self) -> (RawFd, u32) {
        let mut queue = self.ring.submission();
        queue.sync();
        let count = u32::try_from(queue.len()).expect("invariant: queues have u32 indexes");
        drop(queue);
        let descriptor = self.registered.unwrap_or_else(|| self.ring.as_raw_fd());
        (descriptor, count)
    }

    /// The next completion, if there is one.
    pub fn complete(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let token = Token::from_bits(entry.user_data())
            .expect("invariant: every completion is of an operation pushed here");
        Some(self.completion(token, &entry))
    }

    fn completion(&mut self, token: Token, entry: &cqueue::Entry) -> Completion {
        let more = cqueue::more(entry.flags());
        self.in_flight_count -= usize::from(!more);
        let buffer_id = cqueue::buffer_select(entry.flags());
        if let Some(id) = buffer_id {
            self.buffers.take(id);
        }
        let result = entry.result();
        let accepted = (token.kind == Kind::Accept && result >= 0).then(|| {
            // SAFETY: a completed accept gives a new descriptor to whoever takes the completion.
            unsafe { OwnedFd::from_raw_fd(result) }
        });
        let returned = match token.kind {
            Kind::Send | Kind::Open | Kind::Read | Kind::Connect if !more => {
                self.give_back(token, result)
            }
            _ => Returned::Nothing,
        };
        Completion {
            token,
            result,
            more,
            buffer_id,
            has_more_to_receive: cqueue::sock_nonempty(entry.flags()),
            accepted,
            returned,
        }
    }

    /// The operation is over, and what it owned is the caller's again.
    fn give_back(&mut self, token: Token, result: i32) -> Returned {
        match self.take_owned(token) {
            Owned::Nothing | Owned::Connect { .. } => Returned::Nothing,
            Owned::Send { payload, .. } => Returned::Sent(payload),
            Owned::Open { .. } if result >= 0 => {
                // SAFETY: a completed open gives a new descriptor to whoever takes the completion.
                Returned::Opened(unsafe { OwnedFd::from_raw_fd(result) })
            }
            Owned::Open { .. } => Returned::Nothing,
            Owned::Read { buffer, .. } => Returned::Read(buffer),
        }
    }

    /// What was received into buffer `id`.
    ///
    /// # Panics
    /// If the buffer has been recycled already.
    pub fn received(&self, id: u16, length: usize) -> &[u8] {
        self.buffers.filled(id, length)
    }

    /// Gives buffer `id` back to the kernel.
    pub fn recycle(&mut self, id: u16) {
        self.buffers.recycle(id);
    }

    /// How many operations that own memory are in flight, and how many buffers are lent to the
    /// caller.
    pub fn outstanding(&self) -> (usize, usize) {
        (self.owned_count, self.buffers.count_ours())
    }

    /// Keeps what an operation owns, in a place that does not move.
    fn put_owned(&mut self, token: Token, owned: Owned) -> &mut Owned {
        let index = token.slot_index as usize;
        if self.owned.len() <= index {
            self.owned.resize_with(index + 1, || None);
        }
        let place = &mut self.owned[index];
        assert!(
            place.is_none(),
            "invariant: one operation with memory for each slot"
        );
        self.owned_count += 1;
        match self.spare.pop() {
            None => place.insert(Box::new(owned)),
            Some(mut spare) => {
                *spare = owned;
                place.insert(spare)
            }
        }
    }

    fn take_owned(&mut self, token: Token) -> Owned {
        let place = self.owned.get_mut(token.slot_index as usize);
        let Some(mut owned) = place.and_then(Option::take) else {
            return Owned::Nothing;
        };
        self.owned_count -= 1;
        let content = mem::replace(&mut *owned, Owned::Nothing);
        self.spare.push(owned);
        content
    }

    /// Ends all operations and waits for them, so that nothing is the kernel's any more.
    fn quiesce(&mut self) -> bool {
        // What is submitted after a cancellation would not be cancelled by it.
        self.take_completions();
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        while self.in_flight_count > 0 {
            // Returns before the operations have ended that another thread is working on.
            let timeout = Timespec::from(CLOSE_TIMEOUT);
            let submitter = self.ring.submitter();
            let _ = submitter.register_sync_cancel(Some(timeout), CancelBuilder::any());
            self.take_completions();
            if self.in_flight_count > 0 && Instant::now() >= deadline {
                return false;
            }
        }
        true
    }

    /// Submits everything and drops all completions there are. Their queue may be shorter than
    /// they are many: the kernel keeps the rest until there is room (`IORING_FEAT_NODROP`).
    fn take_completions(&mut self) {
        loop {
            let entered = self.enter(false);
            let mut count = 0;
            loop {
                let Some(entry) = self.ring.completion().next() else {
                    break;
                };
                count += 1;
                // What is no token cannot be accounted for; dropping must not panic.
                if let Some(token) = Token::from_bits(entry.user_data()) {
                    drop(self.completion(token, &entry));
                }
            }
            if count == 0 || entered.is_err() {
                return;
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.quiesce() {
            // What the kernel may still touch is never freed: a leak is the lesser evil.
            return;
        }
        let _ = self.ring.submitter().unregister_buf_ring(GROUP);
        if let Some(index) = self.registered {
            // If it fails the ring lives as long as its thread, and keeps one of few places.
            let _ = unregister_ring(&self.ring, index);
        }
        // SAFETY: dropped once, here; no operation is in flight.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        // SAFETY: as above, and the ring that knew the buffers is closed.
        unsafe { ManuallyDrop::drop(&mut self.buffers) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.owned) };
    }
}

fn checked(result: i64) -> io::Result<i64> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// How long a closing ring waits for its operations.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
