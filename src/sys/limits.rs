//! Limits the system sets this process: resource limits, and all others gathered for `doctor`.
#![expect(
    unsafe_code,
    reason = "getrlimit(2) and setrlimit(2) take a struct by pointer"
)]

use std::path::Path;
use std::sync::OnceLock;
use std::{fs, io, thread};

use super::cgroup::CgroupLimits;
use super::cpus;

/// Everything around this process that can limit a server.
///
/// ```
/// let limits = whitering::SystemLimits::read()?;
/// println!("{} CPUs, {:?} bytes", limits.usable_cpu_count(), limits.usable_memory_bytes());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemLimits {
    /// Open files and sockets (`RLIMIT_NOFILE`).
    pub descriptors: ResourceLimit,
    /// Bytes that can be locked in memory (`RLIMIT_MEMLOCK`).
    pub locked_memory: ResourceLimit,
    /// The longest accept queue of a listener (`net.core.somaxconn`), if it can be read.
    pub accept_queue_max: Option<u64>,
    /// The CPUs this process may run on.
    pub cpus: Vec<usize>,
    /// CPU time the control group allows, in thousandths of one CPU; none if unlimited.
    pub cgroup_cpu_millis: Option<u64>,
    /// Bytes of memory the control group allows; none if unlimited.
    pub cgroup_memory_bytes: Option<u64>,
    /// Bytes of memory the machine has, if it can be read.
    pub memory_bytes: Option<u64>,
}

impl SystemLimits {
    /// Asks the running system; to be called before any thread is pinned.
    ///
    /// # Errors
    /// What `getrlimit(2)` or `sched_getaffinity(2)` says.
    pub fn read() -> io::Result<Self> {
        let root = Path::new("/");
        let cgroup = CgroupLimits::read(root);
        Ok(Self {
            descriptors: descriptors()?,
            locked_memory: locked_memory()?,
            accept_queue_max: accept_queue_max(root),
            cpus: cpus_or_all()?,
            cgroup_cpu_millis: cgroup.cpu_millis,
            cgroup_memory_bytes: cgroup.memory_bytes,
            memory_bytes: memory_bytes(root),
        })
    }

    /// How many CPUs can be kept busy: those of the affinity mask, as far as the control group
    /// gives time for them, a part counting as a whole. At least 1.
    pub fn usable_cpu_count(&self) -> usize {
        let quota = self.cgroup_cpu_millis.map_or(usize::MAX, |millis| {
            usize::try_from(millis.div_ceil(1_000)).unwrap_or(usize::MAX)
        });
        self.cpus.len().min(quota).max(1)
    }

    /// Bytes of memory this process can use: the machine's, or what the control group allows.
    pub fn usable_memory_bytes(&self) -> Option<u64> {
        let limits = [self.memory_bytes, self.cgroup_memory_bytes];
        limits.into_iter().flatten().min()
    }
}

/// A soft limit, which holds, and a hard one, up to which the process may raise it.
///
/// ```
/// let descriptors = whitering::SystemLimits::read()?.descriptors;
/// if descriptors.soft.is_some_and(|count| count < 20_000) {
///     println!("raise it: ulimit -n");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceLimit {
    /// The limit that holds; none if unlimited.
    pub soft: Option<u64>,
    /// The most it can be raised to; none if unlimited.
    pub hard: Option<u64>,
}

/// How many files and sockets this process may have open.
pub fn descriptors() -> io::Result<ResourceLimit> {
    read_limit(libc::RLIMIT_NOFILE)
}

/// How many bytes this process may lock in memory; some kernels count rings and their buffers.
pub fn locked_memory() -> io::Result<ResourceLimit> {
    read_limit(libc::RLIMIT_MEMLOCK)
}

/// Raises the soft limit of open files to the hard one; returns what holds then.
pub fn raise_descriptors() -> io::Result<ResourceLimit> {
    let mut limit = raw_limit(libc::RLIMIT_NOFILE)?;
    if limit.rlim_cur != limit.rlim_max {
        DESCRIPTORS_AT_START.get_or_init(|| limit);
        limit.rlim_cur = limit.rlim_max;
        set_descriptors(&limit)?;
    }
    descriptors()
}

/// The limit of open files before it was raised; none if it was not. Programs that were written
/// for the usual one, with `select(2)`, are started with it.
pub(super) fn descriptors_at_start() -> Option<libc::rlimit> {
    DESCRIPTORS_AT_START.get().copied()
}

/// Sets the limit of open files. Also called between fork and exec.
pub(super) fn set_descriptors(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is a whole rlimit, which the kernel only reads.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The longest accept queue of a listener: what `net.core.somaxconn` below `root` says.
pub fn accept_queue_max(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/sys/net/core/somaxconn")).ok()?;
    text.trim().parse().ok()
}

/// The CPUs of the affinity mask; where a sandbox forbids the question, as many as std counts.
fn cpus_or_all() -> io::Result<Vec<usize>> {
    cpus::affinity().or_else(|_| Ok((0..thread::available_parallelism()?.get()).collect()))
}

fn memory_bytes(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

fn read_limit(resource: Resource) -> io::Result<ResourceLimit> {
    let limit = raw_limit(resource)?;
    let finite = |value| (value != libc::RLIM_INFINITY).then_some(value);
    Ok(ResourceLimit {
        soft: finite(limit.rlim_cur),
        hard: finite(limit.rlim_max),
    })
}

fn raw_limit(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a whole rlimit, ours to write until the call returns.
    let result = unsafe { libc::getrlimit(resource, &mut limit) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit)
}

static DESCRIPTORS_AT_START: OnceLock<libc::rlimit> = OnceLock::new();

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_the_soft_limit_to_the_hard_one() {
        let before = descriptors().unwrap();
        let after = raise_descriptors().unwrap();
        assert_eq!(after.soft, before.hard);
        assert_eq!(after.hard, before.hard);
    }

    #[test]
    fn reads_the_running_system() {
        let limits = SystemLimits::read().unwrap();
        assert!(limits.usable_cpu_count() <= limits.cpus.len());
        assert!(limits.usable_memory_bytes().unwrap() > 0);
        assert!(limits.accept_queue_max.unwrap() > 0);
    }

    fn check_cpus(cpu_count: usize, cgroup_cpu_millis: Option<u64>, expected: usize) {
        let unlimited = ResourceLimit {
            soft: None,
            hard: None,
        };
        let limits = SystemLimits {
            descriptors: unlimited,
            locked_memory: unlimited,
            accept_queue_max: None,
            cpus: (0..cpu_count).collect(),
            cgroup_cpu_millis,
            cgroup_memory_bytes: None,
            memory_bytes: None,
        };
        assert_eq!(limits.usable_cpu_count(), expected);
    }

    #[test]
    fn a_part_of_a_cpu_counts_as_a_whole() {
        check_cpus(4, None, 4);
        check_cpus(4, Some(8_000), 4);
        check_cpus(4, Some(2_000), 2);
        check_cpus(4, Some(1_001), 2);
        check_cpus(4, Some(200), 1);
        check_cpus(4, Some(0), 1);
        check_cpus(4, Some(u64::MAX), 4);
    }

    #[test]
    fn reads_proc_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(accept_queue_max(root.path()), None);
        assert_eq!(memory_bytes(root.path()), None);
        fs::create_dir_all(root.path().join("proc/sys/net/core")).unwrap();
        fs::write(root.path().join("proc/sys/net/core/somaxconn"), "128\n").unwrap();
        let text = "MemFree:   1 kB\nMemTotal:        2048 kB\n";
        fs::write(root.path().join("proc/meminfo"), text).unwrap();
        assert_eq!(accept_queue_max(root.path()), Some(128));
        assert_eq!(memory_bytes(root.path()), Some(2 << 20));
    }
}
