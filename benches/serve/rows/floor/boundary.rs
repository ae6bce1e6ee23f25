//! Finds where requests end, and nothing else about them.

use memchr::memmem::Finder;

/// How much of an empty line has arrived; the rest may come with the next bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seam(usize);

/// Counts the ends of requests without bodies.
#[derive(Debug)]
pub(super) struct Boundaries(Finder<'static>);

impl Boundaries {
    pub(super) fn new() -> Self {
        Self(Finder::new(END))
    }

    /// How many requests end in `bytes`, which follow on what `seam` stands for.
    pub(super) fn count(&self, bytes: &[u8], seam: &mut Seam) -> usize {
        if seam.0 == 0 {
            return self.count_whole(bytes, seam);
        }
        let joined = [&END[..seam.0], bytes].concat();
        self.count_whole(&joined, seam)
    }

    fn count_whole(&self, bytes: &[u8], seam: &mut Seam) -> usize {
        let (mut count, mut rest) = (0, 0);
        for end in self.0.find_iter(bytes) {
            count += 1;
            rest = end + END.len();
        }
        let rest = &bytes[rest..];
        let begun = (1..END.len())
            .rev()
            .find(|part| rest.ends_with(&END[..*part]));
        seam.0 = begun.unwrap_or(0);
        count
    }
}

const END: &[u8] = b"\r\n\r\n";

#[cfg(test)]
mod tests {
    #[test]
    fn counts_requests_however_they_are_torn() {
        let check = |chunks: &[&str], expected: usize| {
            let boundaries = super::Boundaries::new();
            let mut seam = super::Seam::default();
            let counts = chunks
                .iter()
                .map(|chunk| boundaries.count(chunk.as_bytes(), &mut seam));
            assert_eq!(counts.sum::<usize>(), expected, "{chunks:?}");
        };
        check(&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], 1);
        check(&["a\r\n\r\nb\r\n\r\nc"], 2);
        check(&["a\r\n", "\r\nb\r", "\n\r\nc"], 2);
        check(&["a", "\r", "\n", "\r", "\n", "b"], 1);
        check(&["a\r\n", "b\r\n", "\r", "\n"], 1);
        check(&["a\r\n\r\n\r\n", "\r\n"], 2);
        check(&["a\r\nb\r\n"], 0);
    }
}
