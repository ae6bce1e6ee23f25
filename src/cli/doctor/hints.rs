//! What the limits of this system will do to a server, one hint per limit, with its remedy.
//! Silent about limits that do not bite.

use whitering::{CONNECTION_COUNT_MAX, Kernel, ResourceLimit, SystemLimits};

use crate::cli::text;

/// The hints for this kernel under these limits.
pub(super) fn hints(kernel: &Kernel, limits: &SystemLimits) -> Vec<String> {
    [
        kernel.io_uring_disabled.and_then(io_uring_disabled),
        descriptors(&limits.descriptors, limits.usable_cpu_count()),
        limits.locked_memory.soft.and_then(locked_memory),
        limits.accept_queue_max.and_then(accept_queue),
        limits
            .cgroup_cpu_millis
            .and_then(|millis| cpu_time(millis, limits)),
        limits.cgroup_memory_bytes.and_then(memory),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn io_uring_disabled(value: u32) -> Option<String> {
    match value {
        0 => None,
        1 => Some(
            "io_uring is left to processes with CAP_SYS_ADMIN and to the group of \
             kernel.io_uring_group; allow it to all with: sysctl -w kernel.io_uring_disabled=0"
                .to_owned(),
        ),
        _ => Some(
            "io_uring is forbidden to every process; allow it with: \
             sysctl -w kernel.io_uring_disabled=0"
                .to_owned(),
        ),
    }
}

/// The server raises the soft limit itself, so that only the hard one bites.
fn descriptors(limit: &ResourceLimit, worker_count: usize) -> Option<String> {
    let wanted = worker_count as u64 * u64::from(CONNECTION_COUNT_MAX) + DESCRIPTORS_OF_A_WORKER;
    let hard = limit.hard.filter(|hard| *hard < wanted)?;
    Some(format!(
        "RLIMIT_NOFILE allows {hard} descriptors, fewer than {} with {CONNECTION_COUNT_MAX} \
         connections each need; lower --max-connections, or raise it with LimitNOFILE={wanted} \
         in the systemd unit or ulimit -Hn {wanted}",
        text::count(worker_count, "worker"),
    ))
}

fn locked_memory(bytes: u64) -> Option<String> {
    (bytes < LOCKED_MEMORY_BYTES).then(|| {
        format!(
            "RLIMIT_MEMLOCK is {}: the kernel may refuse rings of the usual size; raise it with \
             LimitMEMLOCK=8M in the systemd unit or ulimit -l 8192",
            text::bytes(bytes)
        )
    })
}

fn accept_queue(length: u64) -> Option<String> {
    (length < ACCEPT_QUEUE_LENGTH).then(|| {
        format!(
            "net.core.somaxconn is {length}: a burst of more new connections is dropped and tried \
             again a second later; raise it with: sysctl -w net.core.somaxconn=4096"
        )
    })
}

fn cpu_time(millis: u64, limits: &SystemLimits) -> Option<String> {
    (millis < limits.cpus.len() as u64 * 1_000).then(|| {
        format!(
            "the control group allows the time of {} on {}; beyond it the process is stopped \
             until the next period, which shows as latency",
            text::cpus(millis),
            text::count(limits.cpus.len(), "CPU"),
        )
    })
}

fn memory(bytes: u64) -> Option<String> {
    (bytes < MEMORY_BYTES).then(|| {
        format!(
            "the control group allows {} of memory, page cache included; set --memory-budget if \
             the process is killed",
            text::bytes(bytes)
        )
    })
}

/// Listeners, rings, sources and files being sent, beside the connections.
const DESCRIPTORS_OF_A_WORKER: u64 = 1_024;

/// What distributions gave before systemd 246 is enough for the rings of one worker.
const LOCKED_MEMORY_BYTES: u64 = 64 << 10;

/// Below it, a load test's first burst already overflows.
const ACCEPT_QUEUE_LENGTH: u64 = 1_024;

const MEMORY_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const UNLIMITED: ResourceLimit = ResourceLimit {
        soft: None,
        hard: None,
    };

    /// Applies `change` to a system without limits and expects one hint for each of `parts`.
    fn check(change: impl FnOnce(&mut Kernel, &mut SystemLimits), parts: &[&str]) {
        let mut kernel = Kernel {
            release: String::new(),
            io_uring_disabled: Some(0),
        };
        let mut limits = SystemLimits {
            descriptors: UNLIMITED,
            locked_memory: UNLIMITED,
            accept_queue_max: Some(4_096),
            cpus: vec![0, 1],
            cgroup_cpu_millis: None,
            cgroup_memory_bytes: None,
            memory_bytes: None,
        };
        change(&mut kernel, &mut limits);
        let hints = hints(&kernel, &limits);
        assert_eq!(hints.len(), parts.len(), "{hints:?}");
        for (hint, part) in hints.iter().zip(parts) {
            assert!(hint.contains(part), "{hint}");
        }
    }

    #[test]
    fn says_only_what_bites() {
        check(|_, _| {}, &[]);
        check(
            |kernel, _| kernel.io_uring_disabled = Some(1),
            &["kernel.io_uring_group"],
        );
        check(
            |kernel, _| kernel.io_uring_disabled = Some(2),
            &["forbidden to every process"],
        );
        check(|_, limits| limits.descriptors.soft = Some(1_024), &[]);
        check(
            |_, limits| limits.descriptors.hard = Some(4_096),
            &["2 workers with 16384 connections each"],
        );
        check(
            |_, limits| limits.locked_memory.soft = Some(0),
            &["RLIMIT_MEMLOCK is 0 bytes"],
        );
        check(
            |_, limits| limits.accept_queue_max = Some(128),
            &["somaxconn is 128"],
        );
        check(
            |_, limits| limits.cgroup_cpu_millis = Some(500),
            &["the time of 0.5 CPUs on 2 CPUs"],
        );
        check(|_, limits| limits.cgroup_cpu_millis = Some(2_000), &[]);
        check(
            |_, limits| limits.cgroup_memory_bytes = Some(32 << 20),
            &["32 MiB of memory"],
        );
    }
}
