//! Which CPUs a thread may run on: sched_getaffinity(2) and sched_setaffinity(2).
#![expect(unsafe_code, reason = "masks are passed by pointer and length")]

use std::io;

/// The CPUs the calling thread may run on, in ascending order.
///
/// Asked by the main thread before any worker is pinned, it is the mask of the process, which
/// already holds what `taskset`, a cpuset or a container allows.
pub fn affinity() -> io::Result<Vec<usize>> {
    let mut words = WORD_COUNT_FIRST;
    loop {
        match affinity_mask(words) {
            Ok(mask) => return Ok(cpus_of(&mask)),
            // EINVAL: the kernel's own mask is longer than ours.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && words < WORD_COUNT_MAX => {
                words *= 2;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Lets the calling thread run on `cpu` only.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= WORD_COUNT_MAX * WORD_BITS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut mask: Vec<Word> = vec![0; WORD_COUNT_FIRST.max(cpu / WORD_BITS + 1)];
    mask[cpu / WORD_BITS] = 1 << (cpu % WORD_BITS);
    // SAFETY: the kernel reads exactly as many bytes of `mask` as it is told it has.
    let result = unsafe {
        libc::sched_setaffinity(CALLING_THREAD, size_of_val(&mask[..]), mask.as_ptr().cast())
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn affinity_mask(words: usize) -> io::Result<Vec<Word>> {
    let mut mask: Vec<Word> = vec![0; words];
    // SAFETY: the kernel writes at most as many bytes to `mask` as it is told it has.
    let result = unsafe {
        libc::sched_getaffinity(
            CALLING_THREAD,
            size_of_val(&mask[..]),
            mask.as_mut_ptr().cast(),
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(mask)
}

fn cpus_of(mask: &[Word]) -> Vec<usize> {
    let is_set = |cpu: &usize| mask[cpu / WORD_BITS] & (1 << (cpu % WORD_BITS)) != 0;
    (0..mask.len() * WORD_BITS).filter(is_set).collect()
}

/// The kernel's masks are arrays of `unsigned long`.
type Word = libc::c_ulong;

const WORD_BITS: usize = Word::BITS as usize;

/// 1,024 CPUs on 64-bit machines, as many as glibc's `cpu_set_t`.
const WORD_COUNT_FIRST: usize = 16;

/// 65,536 CPUs: beyond any kernel's `NR_CPUS`.
const WORD_COUNT_MAX: usize = 1_024;

const CALLING_THREAD: libc::pid_t = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mask: &[Word], expected: &[usize]) {
        assert_eq!(cpus_of(mask), expected);
    }

    #[test]
    fn lists_the_bits_of_a_mask() {
        check(&[], &[]);
        check(&[0b1011], &[0, 1, 3]);
        check(&[0, 1], &[WORD_BITS]);
        check(&[1 << (WORD_BITS - 1)], &[WORD_BITS - 1]);
    }

    #[test]
    fn a_pinned_thread_has_one_cpu() {
        let pinned = std::thread::spawn(|| {
            let cpu = *affinity().unwrap().last().unwrap();
            pin(cpu).unwrap();
            (cpu, affinity().unwrap())
        });
        let (cpu, after) = pinned.join().unwrap();
        assert_eq!(after, [cpu]);
    }

    #[test]
    fn refuses_a_cpu_that_is_not_there() {
        let refused = std::thread::spawn(|| (pin(60_000), pin(usize::MAX)));
        let (absent, absurd) = refused.join().unwrap();
        assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(absurd.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
