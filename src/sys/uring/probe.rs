//! What this kernel's io_uring can do, tried once at start. Nothing asks for a version.

use std::io;

use io_uring::{IoUring, Probe, opcode};

use super::buffers::{GROUP, ProvidedBuffers};

/// What set-up and operations may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// `IORING_SETUP_SINGLE_ISSUER`, Linux 6.0.
    pub single_issuer: bool,
    /// `IORING_SETUP_DEFER_TASKRUN`, Linux 6.1.
    pub defer_taskrun: bool,
    /// `IORING_SETUP_COOP_TASKRUN`, Linux 5.19; used where deferring is refused.
    pub coop_taskrun: bool,
    /// `IORING_SETUP_SUBMIT_ALL`, Linux 5.18.
    pub submit_all: bool,
    /// `IORING_SETUP_NO_SQARRAY`, Linux 6.6.
    pub no_sqarray: bool,
    /// `IORING_REGISTER_RING_FDS`, Linux 5.18.
    pub registered_ring: bool,
    /// `IORING_ENTER_NO_IOWAIT`, Linux 6.15.
    pub no_iowait: bool,
    /// `IORING_FEAT_NODROP`, Linux 5.5: completions are kept when their queue is full.
    pub no_drop: bool,
    /// `IORING_REGISTER_PBUF_RING`, Linux 5.19.
    pub buffer_ring: bool,
    /// `IORING_ACCEPT_MULTISHOT`, Linux 5.19.
    pub multishot_accept: bool,
    /// `IORING_RECV_MULTISHOT`, Linux 6.0.
    pub multishot_receive: bool,
    /// `IORING_OP_OPENAT2`, Linux 5.6.
    pub openat2: bool,
}

impl Features {
    /// Every feature by its kernel name.
    pub const fn list(&self) -> [(&'static str, bool); 12] {
        [
            ("SINGLE_ISSUER", self.single_issuer),
            ("DEFER_TASKRUN", self.defer_taskrun),
            ("COOP_TASKRUN", self.coop_taskrun),
            ("SUBMIT_ALL", self.submit_all),
            ("NO_SQARRAY", self.no_sqarray),
            ("REGISTER_RING_FDS", self.registered_ring),
            ("NO_IOWAIT", self.no_iowait),
            ("NODROP", self.no_drop),
            ("PBUF_RING", self.buffer_ring),
            ("ACCEPT_MULTISHOT", self.multishot_accept),
            ("RECV_MULTISHOT", self.multishot_receive),
            ("OPENAT2", self.openat2),
        ]
    }

    /// The first feature that the engine cannot do without and that is missing.
    pub fn missing(&self) -> Option<&'static str> {
        let needed = [
            "NODROP",
            "PBUF_RING",
            "ACCEPT_MULTISHOT",
            "RECV_MULTISHOT",
            "OPENAT2",
        ];
        self.list()
            .into_iter()
            .find(|(name, has)| !has && needed.contains(name))
            .map(|(name, _)| name)
    }

    /// A builder with every set-up flag there is; completions get 8 times the room.
    pub(super) fn builder(&self, entry_count: u32) -> io_uring::Builder {
        let mut builder = IoUring::builder();
        builder
            .setup_cqsize(entry_count * COMPLETIONS_PER_ENTRY)
            .setup_clamp();
        if self.single_issuer {
            builder.setup_single_issuer();
        }
        if self.defer_taskrun {
            builder.setup_defer_taskrun();
        } else if self.coop_taskrun {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        if self.submit_all {
            builder.setup_submit_all();
        }
        if self.no_sqarray {
            builder.setup_no_sqarray();
        }
        builder
    }
}

/// Tries every feature.
///
/// # Errors
/// What `io_uring_setup(2)` answered to the plainest request: EPERM where a seccomp profile or
/// `kernel.io_uring_disabled` forbids it, ENOSYS where it is not built in; and ENOMEM where
/// RLIMIT_MEMLOCK leaves no room for a ring.
pub fn probe() -> io::Result<Features> {
    let ring = IoUring::new(PROBE_ENTRY_COUNT)?;
    let mut operations = Probe::new();
    ring.submitter().register_probe(&mut operations)?;
    let has = |code| operations.is_supported(code);
    Ok(Features {
        single_issuer: works(|builder| builder.setup_single_issuer())?,
        defer_taskrun: works(|builder| builder.setup_single_issuer().setup_defer_taskrun())?,
        coop_taskrun: works(|builder| builder.setup_coop_taskrun().setup_taskrun_flag())?,
        submit_all: works(|builder| builder.setup_submit_all())?,
        no_sqarray: works(|builder| builder.setup_no_sqarray())?,
        registered_ring: super::register_ring(&ring)
            .and_then(|index| super::unregister_ring(&ring, index))
            .is_ok(),
        no_iowait: ring.params().is_feature_no_iowait(),
        no_drop: ring.params().is_feature_nodrop(),
        buffer_ring: has_buffer_ring(&ring)?,
        // Came with the buffer rings, in 5.19.
        multishot_accept: has(opcode::Socket::CODE),
        // Came with zero-copy sending, in 6.0.
        multishot_receive: has(opcode::SendZc::CODE),
        openat2: has(opcode::OpenAt2::CODE),
    })
}

fn works(set: impl Fn(&mut io_uring::Builder) -> &mut io_uring::Builder) -> io::Result<bool> {
    let mut builder = IoUring::builder();
    set(&mut builder);
    let ring: io::Result<IoUring> = builder.build(PROBE_ENTRY_COUNT);
    supported(ring.map(drop))
}

fn has_buffer_ring(ring: &IoUring) -> io::Result<bool> {
    let registered = ProvidedBuffers::register(&ring.submitter(), 1, PROBE_BUFFER_BYTES);
    let unregistered = registered.and_then(|buffers| {
        let unregistered = ring.submitter().unregister_buf_ring(GROUP);
        if unregistered.is_err() {
            // The kernel knows the memory still.
            std::mem::forget(buffers);
        }
        unregistered
    });
    supported(unregistered)
}

/// Whether a trial went well. Want of memory says nothing about the kernel.
fn supported(trial: io::Result<()>) -> io::Result<bool> {
    match trial {
        Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => Err(error),
        result => Ok(result.is_ok()),
    }
}

const PROBE_BUFFER_BYTES: u32 = 64;

const PROBE_ENTRY_COUNT: u32 = 2;

/// Multishot operations complete many times for one entry.
const COMPLETIONS_PER_ENTRY: u32 = 8;
