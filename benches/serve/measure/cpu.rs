//! CPU time of process trees, from `/proc`: nanoseconds of each thread, checked against the clock
//! ticks of the processes. Interrupt work done in the time of others is counted by neither.

use std::collections::HashMap;
use std::fs;

/// What a tree had used at one moment.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// By thread: time on a CPU, user and system together (`schedstat`). Workers of `io_uring`
    /// are threads of the process.
    nanoseconds: HashMap<u32, u64>,
    /// Of all processes, with their threads and children that have ended.
    ticks: u64,
}

impl Reading {
    /// Of the processes `pids`.
    pub(crate) fn of(pids: &[u32]) -> Self {
        let mut reading = Self::default();
        for pid in pids {
            reading.ticks += ticks(&format!("/proc/{pid}/stat"), &TICK_FIELDS);
            let threads = fs::read_dir(format!("/proc/{pid}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                let on_cpu = fs::read_to_string(thread.path().join("schedstat")).ok();
                let on_cpu = on_cpu.and_then(|text| text.split(' ').next()?.parse().ok());
                let id = thread.file_name().to_string_lossy().parse();
                // A thread that has just ended is found in the ticks.
                if let (Some(on_cpu), Ok(id)) = (on_cpu, id) {
                    reading.nanoseconds.insert(id, on_cpu);
                }
            }
        }
        reading
    }

    /// What was used since `before`.
    pub(crate) fn seconds_since(&self, before: &Self) -> f64 {
        let used = self.nanoseconds.iter().map(|(id, now)| {
            let then = before.nanoseconds.get(id).unwrap_or(&0);
            now.saturating_sub(*then)
        });
        let fine = used.sum::<u64>() as f64 / 1e9;
        let coarse = self.ticks.saturating_sub(before.ticks) as f64 / TICKS_PER_SECOND;
        // What ended in between took its nanoseconds along; the ticks keep it.
        if coarse > fine * 1.1 + 0.05 {
            coarse
        } else {
            fine
        }
    }
}

/// What the children of this process used that have ended and were waited for.
pub(crate) fn ended_children_seconds() -> f64 {
    ticks("/proc/self/stat", &TICK_FIELDS[2..]) as f64 / TICKS_PER_SECOND
}

fn ticks(path: &str, fields: &[usize]) -> u64 {
    let stat = fs::read_to_string(path).unwrap_or_default();
    // The name of the program is in parentheses and may hold anything.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let values: Vec<&str> = rest.split(' ').collect();
    let value = |field: &usize| values.get(*field)?.parse::<u64>().ok();
    fields.iter().filter_map(value).sum()
}

/// utime, stime, cutime and cstime of proc_pid_stat(5), counted from the field after the name.
const TICK_FIELDS: [usize; 4] = [11, 12, 13, 14];
/// `USER_HZ`, which is 100 on every architecture that matters here.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn counts_every_thread() {
        let before = Reading::of(&[std::process::id()]);
        let burn = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(150) {
                std::hint::spin_loop();
            }
        };
        std::thread::scope(|scope| {
            let thread = scope.spawn(burn);
            // Scoped threads are gone from /proc when joined; read while it is there.
            std::thread::sleep(Duration::from_millis(100));
            let used = Reading::of(&[std::process::id()]).seconds_since(&before);
            assert!(used > 0.01, "{used}");
            drop(thread);
        });
    }

    #[test]
    fn takes_the_ticks_where_a_thread_took_its_time_along() {
        let reading = |nanoseconds: &[(u32, u64)], ticks| Reading {
            nanoseconds: nanoseconds.iter().copied().collect(),
            ticks,
        };
        let before = reading(&[(1, 1_000_000_000), (2, 5_000_000_000)], 600);
        let check = |after: Reading, expected: f64| {
            assert!((after.seconds_since(&before) - expected).abs() < 1e-9);
        };
        check(reading(&[(1, 1_500_000_000), (2, 5_000_000_000)], 649), 0.5);
        check(reading(&[(1, 1_500_000_000)], 750), 1.5);
        check(reading(&[(3, 200_000_000)], 620), 0.2);
    }
}
