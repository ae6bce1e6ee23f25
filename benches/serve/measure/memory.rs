//! Memory of process trees: the proportional set size, which counts shared pages once.

use std::fs;

/// The sum over the processes `pids`; one that has ended counts nothing.
pub(crate) fn proportional_bytes(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| of_process(*pid)).sum()
}

fn of_process(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_was_touched() {
        let pids = [std::process::id()];
        let before = proportional_bytes(&pids);
        let memory = vec![1_u8; 32 << 20];
        let after = proportional_bytes(&pids);
        assert!(after > before + (16 << 20), "{before} {after}");
        assert_eq!(std::hint::black_box(&memory)[1], 1);
    }
}
