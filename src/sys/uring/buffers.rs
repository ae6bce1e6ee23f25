//! Provided buffers: one block of memory, lent to the kernel piece by piece through a ring that
//! both sides share (`IORING_REGISTER_PBUF_RING`, Linux 5.19).
#![expect(unsafe_code, reason = "shares memory with the kernel")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// Buffers of one size. Each is at any moment either the kernel's or ours.
#[derive(Debug)]
pub(super) struct ProvidedBuffers {
    /// `count` entries, shared with the kernel.
    entries: NonNull<BufRingEntry>,
    entries_layout: Layout,
    /// `count` buffers of `bytes` each.
    memory: NonNull<u8>,
    memory_layout: Layout,
    count: u16,
    bytes: u32,
    tail: u16,
    /// Which buffers are ours now. Invariant: the kernel writes to no buffer that is.
    ours: Vec<bool>,
}

impl ProvidedBuffers {
    /// Makes the memory and lends all of it to the kernel, as buffer group [`GROUP`].
    pub(super) fn register(submitter: &Submitter<'_>, count: u16, bytes: u32) -> io::Result<Self> {
        assert!(count.is_power_of_two() && bytes > 0);
        let entries_layout = Layout::array::<BufRingEntry>(usize::from(count))
            .and_then(|layout| layout.align_to(PAGE_BYTES))
            .expect("invariant: a ring of u16 entries fits the address space");
        let memory_layout =
            Layout::from_size_align(usize::from(count) * bytes as usize, PAGE_BYTES)
                .expect("invariant: the buffers fit the address space");
        let mut buffers = Self {
            entries: allocate(entries_layout).cast(),
            entries_layout,
            memory: allocate(memory_layout),
            memory_layout,
            count,
            bytes,
            tail: 0,
            ours: vec![true; usize::from(count)],
        };
        let address = buffers.entries.as_ptr() as u64;
        // SAFETY: the entries are zeroed, page-aligned and `count` long. They are freed in `drop`
        // only, which callers reach after `unregister`, or leak; see `Ring::drop`.
        unsafe { submitter.register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        for id in 0..count {
            buffers.lend(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first `length` bytes of a buffer that the kernel has filled.
    ///
    /// # Panics
    /// If the buffer is lent to the kernel.
    pub(super) fn filled(&self, id: u16, length: usize) -> &[u8] {
        assert!(self.ours[usize::from(id)] && length <= self.bytes as usize);
        // SAFETY: `id < count`, as indexing has checked, so this stays inside the memory.
        let start = unsafe { self.memory.add(usize::from(id) * self.bytes as usize) };
        // SAFETY: the buffer is ours, so nobody writes to it while `self` is borrowed; `length`
        // bytes of it are initialised, all memory having been zeroed.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    /// Notes that the kernel has handed buffer `id` over with a completion.
    pub(super) fn take(&mut self, id: u16) {
        let ours = &mut self.ours[usize::from(id)];
        assert!(!*ours, "invariant: the kernel fills only what it was lent");
        *ours = true;
    }

    /// Lends buffer `id` to the kernel again; [`Self::publish`] makes that known.
    pub(super) fn recycle(&mut self, id: u16) {
        self.lend(id);
    }

    fn lend(&mut self, id: u16) {
        let ours = &mut self.ours[usize::from(id)];
        assert!(*ours, "invariant: only what is ours can be lent");
        *ours = false;
        let index = usize::from(self.tail & (self.count - 1));
        // SAFETY: `index < count`, so this stays inside the entries.
        let mut entry = unsafe { self.entries.add(index) };
        // SAFETY: the kernel reads entries only between its head and the published tail; this
        // one is beyond, there being no more buffers than entries. It is initialised (zeroed).
        let entry = unsafe { entry.as_mut() };
        let offset = usize::from(id) * self.bytes as usize;
        entry.set_addr(self.memory.as_ptr() as u64 + offset as u64);
        entry.set_len(self.bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was lent since the last time.
    pub(super) fn publish(&self) {
        // SAFETY: the pointer is to the first entry, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is a properly aligned u16 inside the entries, which both sides access
        // atomically only.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: the kernel must see the entries before it sees the tail.
        tail.store(self.tail, Ordering::Release);
    }

    /// How many buffers are ours.
    pub(super) fn count_ours(&self) -> usize {
        self.ours.iter().filter(|ours| **ours).count()
    }
}

impl Drop for ProvidedBuffers {
    fn drop(&mut self) {
        // SAFETY: allocated in `register` with this layout; no operation can touch it any more.
        unsafe { dealloc(self.entries.as_ptr().cast(), self.entries_layout) };
        // SAFETY: as above.
        unsafe { dealloc(self.memory.as_ptr(), self.memory_layout) };
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    assert!(layout.size() > 0);
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// The buffer group all receives choose from.
pub(super) const GROUP: u16 = 0;

/// The alignment the kernel asks for; a multiple of the page size everywhere.
const PAGE_BYTES: usize = 64 * 1024;
