//! From places in a rewritten text back to those in the original.

use std::ops::Range;

/// What was replaced, one set of replacements after another.
#[derive(Debug, Default)]
pub(super) struct Edits {
    passes: Vec<Vec<Edit>>,
}

/// One replacement.
#[derive(Debug)]
pub(super) struct Edit {
    /// Where the old text was.
    pub(super) old: Range<usize>,
    /// Where the new text is.
    pub(super) new: Range<usize>,
}

impl Edits {
    /// The replacements of one pass, in ascending order.
    pub(super) fn push(&mut self, pass: Vec<Edit>) {
        self.passes.push(pass);
    }

    /// The place in the original text of `offset` in the text after all passes so far; what is in
    /// a replacement comes from where that begins.
    pub(super) fn original(&self, offset: usize) -> usize {
        self.passes
            .iter()
            .rev()
            .fold(offset, |offset, pass| before(pass, offset))
    }
}

fn before(pass: &[Edit], offset: usize) -> usize {
    let count = pass.partition_point(|edit| edit.new.start <= offset);
    match count.checked_sub(1).map(|index| &pass[index]) {
        None => offset,
        Some(edit) if offset < edit.new.end => edit.old.start,
        Some(edit) => offset - edit.new.end + edit.old.end,
    }
}

/// The line and the column in characters of `offset` in `text`, both from 1.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |end| end + 1);
    let line_count = memchr::memchr_iter(b'\n', before.as_bytes()).count();
    (line_count + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_way_back_through_two_passes() {
        let mut edits = Edits::default();
        edits.push(vec![
            Edit {
                old: 2..4,
                new: 2..8,
            },
            Edit {
                old: 10..20,
                new: 14..15,
            },
        ]);
        edits.push(vec![Edit {
            old: 0..1,
            new: 0..3,
        }]);
        // Before, at the end of the first pass, in and behind its replacements.
        for (offset, expected) in [
            (0, 0),
            (2, 0),
            (3, 1),
            (4, 2),
            (9, 2),
            (10, 4),
            (16, 10),
            (17, 20),
        ] {
            assert_eq!(edits.original(offset), expected, "{offset}");
        }
    }

    #[test]
    fn counts_lines_and_characters() {
        check("", 0, (1, 1));
        check("aé\nbc", 3, (1, 3));
        check("aé\nbc", 4, (2, 1));
        check("é", 1, (1, 1));
        check("a\n", 99, (2, 1));
    }

    fn check(text: &str, offset: usize, expected: (usize, usize)) {
        assert_eq!(line_and_column(text, offset), expected, "{text:?} {offset}");
    }
}
