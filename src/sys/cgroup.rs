//! What the control groups of this process allow: memory and CPU time, version 1 and 2.
//! Reads files below a root that tests can choose; no system calls of its own.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Limits of the control groups this process is in; none where nothing limits it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Thousandths of one CPU's time, such as 1500 for one and a half CPUs.
    pub cpu_millis: Option<u64>,
}

impl CgroupLimits {
    /// Reads the limits from `proc` and `sys` below `root`, `/` on a real system.
    ///
    /// A limit anywhere on the way up holds for all groups below it, so the smallest one counts.
    pub fn read(root: &Path) -> Self {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        groups
            .lines()
            .filter_map(|line| hierarchy(root, line))
            .fold(Self::default(), |limits, hierarchy| {
                limits.and(&hierarchy.limits())
            })
    }

    /// The stricter of both, limit by limit.
    fn and(self, other: &Self) -> Self {
        Self {
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            cpu_millis: least(self.cpu_millis, other.cpu_millis),
        }
    }
}

/// One mounted hierarchy and where this process is in it.
struct Hierarchy {
    mount: PathBuf,
    group: PathBuf,
    limits_of: fn(&Path) -> CgroupLimits,
}

impl Hierarchy {
    fn limits(&self) -> CgroupLimits {
        // In a container the path may be the host's and not exist here: its ancestors then lead
        // up to the mount itself, which is the container's own group.
        self.group
            .ancestors()
            .map(|group| (self.limits_of)(&self.mount.join(group)))
            .fold(CgroupLimits::default(), |limits, group| limits.and(&group))
    }
}

/// The hierarchy of a line `ID:CONTROLLERS:PATH` (cgroups(7)), if it has limits to read.
fn hierarchy(root: &Path, line: &str) -> Option<Hierarchy> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let mounts = root.join("sys/fs/cgroup");
    let has = |name| controllers.split(',').any(|controller| controller == name);
    let (mount, limits_of): (_, fn(&Path) -> CgroupLimits) = if controllers.is_empty() {
        let unified = mounts.join("unified");
        let mount = if unified.is_dir() { unified } else { mounts };
        (mount, unified_limits)
    } else if has("memory") {
        (mounts.join(controllers), memory_limits)
    } else if has("cpu") {
        (mounts.join(controllers), cpu_limits)
    } else {
        return None;
    };
    Some(Hierarchy {
        mount,
        group: group(path),
        limits_of,
    })
}

/// The path without its leading slash; the mount itself for a group outside our namespace.
fn group(path: &str) -> PathBuf {
    let path = Path::new(path.trim_start_matches('/'));
    let inside = |component| matches!(component, Component::Normal(_));
    if !path.components().all(inside) {
        return PathBuf::new();
    }
    path.to_owned()
}

/// Version 2: `memory.max` is bytes or `max`; `cpu.max` is `QUOTA PERIOD`, the quota or `max`.
fn unified_limits(group: &Path) -> CgroupLimits {
    let cpu = fs::read_to_string(group.join("cpu.max")).unwrap_or_default();
    let mut cpu = cpu.split_ascii_whitespace().map(|word| word.parse().ok());
    CgroupLimits {
        memory_bytes: number(&group.join("memory.max")),
        cpu_millis: millis(cpu.next().flatten(), cpu.next().flatten()),
    }
}

/// Version 1: no limit is a number near 2^63, rounded to pages.
fn memory_limits(group: &Path) -> CgroupLimits {
    let bytes = number(&group.join("memory.limit_in_bytes"));
    CgroupLimits {
        memory_bytes: bytes.filter(|bytes| *bytes < UNLIMITED_BYTES),
        cpu_millis: None,
    }
}

/// Version 1: no limit is a quota of -1.
fn cpu_limits(group: &Path) -> CgroupLimits {
    let quota = number(&group.join("cpu.cfs_quota_us"));
    CgroupLimits {
        memory_bytes: None,
        cpu_millis: millis(quota, number(&group.join("cpu.cfs_period_us"))),
    }
}

fn millis(quota_micros: Option<u64>, period_micros: Option<u64>) -> Option<u64> {
    quota_micros?
        .checked_mul(1_000)?
        .checked_div(period_micros?)
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// 1 EiB: beyond any memory, below version 1's way of saying "no limit".
const UNLIMITED_BYTES: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], memory_bytes: Option<u64>, cpu_millis: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let expected = CgroupLimits {
            memory_bytes,
            cpu_millis,
        };
        assert_eq!(CgroupLimits::read(root.path()), expected, "{files:?}");
    }

    #[test]
    fn reads_version_2_and_its_ancestors() {
        let own = ("proc/self/cgroup", "0::/a/b\n");
        check(&[own], None, None);
        check(
            &[
                own,
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ],
            None,
            None,
        );
        check(
            &[
                own,
                ("sys/fs/cgroup/a/b/memory.max", "2097152\n"),
                ("sys/fs/cgroup/a/memory.max", "1048576\n"),
                ("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"),
                ("sys/fs/cgroup/a/cpu.max", "400000 100000\n"),
            ],
            Some(1_048_576),
            Some(1_500),
        );
    }

    #[test]
    fn reads_the_mount_where_the_path_is_the_hosts() {
        check(
            &[
                ("proc/self/cgroup", "0::/../../outside\n"),
                ("sys/fs/cgroup/memory.max", "1048576\n"),
            ],
            Some(1_048_576),
            None,
        );
        check(
            &[
                ("proc/self/cgroup", "4:memory:/docker/0123\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n"),
            ],
            Some(1_048_576),
            None,
        );
    }

    #[test]
    fn reads_version_1_beside_an_empty_version_2() {
        let own = "12:cpu,cpuacct:/x\n4:memory:/x\n3:cpuset:/\n1:name=systemd:/\n0::/\n";
        check(
            &[
                ("proc/self/cgroup", own),
                ("sys/fs/cgroup/unified/cgroup.procs", "1\n"),
                ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4096\n"),
                (
                    "sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712\n",
                ),
                ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n"),
                ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ],
            Some(4_096),
            Some(500),
        );
    }

    #[test]
    fn survives_files_that_make_no_sense() {
        check(
            &[
                ("proc/self/cgroup", "\nx\n0::\n1:memory\n"),
                ("sys/fs/cgroup/memory.max", "lots\n"),
                ("sys/fs/cgroup/cpu.max", "1 0\n"),
            ],
            None,
            None,
        );
        check(&[], None, None);
    }
}
