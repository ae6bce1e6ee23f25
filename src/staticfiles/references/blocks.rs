//! Comments and strings, in which Django 6.1 leaves references alone: its regular expressions for
//! them as a scan. No lexer: a quote in a regular expression literal begins a string here too.

use std::ops::Range;

/// Whose comments and strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Css,
    JavaScript,
}

/// The blocks of one text, found as far as they are asked for.
#[derive(Debug)]
pub(super) struct Blocks<'t> {
    text: &'t str,
    language: Language,
    /// The last block found; behind the text when there are no more.
    current: Range<usize>,
    /// Nothing after the last block closes a comment: it need not be looked for again.
    unclosed: bool,
}

impl<'t> Blocks<'t> {
    pub(super) fn new(text: &'t str, language: Language) -> Self {
        Self {
            text,
            language,
            current: 0..0,
            unclosed: false,
        }
    }

    /// Whether `position` is in a block and not its beginning. Positions must ascend from one
    /// question to the next.
    pub(super) fn contain(&mut self, position: usize) -> bool {
        while self.current.end <= position {
            self.current = self
                .after(self.current.end)
                .unwrap_or(usize::MAX - 1..usize::MAX);
        }
        self.current.start < position
    }

    /// The first block at or after `from`.
    fn after(&mut self, from: usize) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let mut start = from;
        loop {
            start += bytes
                .get(start..)?
                .iter()
                .position(|&byte| self.begins(byte))?;
            if let Some(end) = self.end(start) {
                return Some(start..end);
            }
            start += 1;
        }
    }

    /// Whether a block can begin with this byte.
    fn begins(&self, byte: u8) -> bool {
        match byte {
            b'/' | b'\\' | b'\'' | b'"' => true,
            b'`' => self.language == Language::JavaScript,
            _ => false,
        }
    }

    /// The end of the block at `start`, if there is one.
    fn end(&mut self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        match (bytes[start], bytes.get(start + 1)?) {
            (b'/', b'*') => self.comment_end(start + 2),
            (b'/', b'/') if self.language == Language::JavaScript => {
                let length = memchr::memchr(b'\n', &bytes[start..]);
                Some(length.map_or(bytes.len(), |length| start + length))
            }
            (b'/', _) => None,
            (b'\\', _) => self.character_end(start + 1),
            (quote, _) => self.string_end(start + 1, quote),
        }
    }

    fn comment_end(&mut self, from: usize) -> Option<usize> {
        if self.unclosed {
            return None;
        }
        let length = memchr::memmem::find(&self.text.as_bytes()[from..], b"*/");
        self.unclosed = length.is_none();
        length.map(|length| from + length + 2)
    }

    fn character_end(&self, from: usize) -> Option<usize> {
        Some(from + self.text[from..].chars().next()?.len_utf8())
    }

    /// Linear over all strings of a text: where one is not closed, no quote of its kind is left
    /// before the place where it was given up.
    fn string_end(&self, from: usize, quote: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            match *bytes.get(at)? {
                byte if byte == quote => return Some(at + 1),
                b'\\' => at = self.character_end(at + 1)?,
                b'\n' if quote != b'`' => return None,
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_blocks_of_style_sheets() {
        let check = |text, expected: &[&str]| check(Language::Css, text, expected);
        check("a /* b */ c 'd' \"e\"", &["/* b */", "'d'", "\"e\""]);
        check("/* never closed 'a'", &["'a'"]);
        check("/* a /* b */ c */", &["/* a /* b */"]);
        check("'a\\'b'", &["'a\\'b'"]);
        check("'a\nb' 'c'", &["' '"]);
        check("'a\\\nb'", &["'a\\\nb'"]);
        check("\\' 'a'", &["\\'", "'a'"]);
        check("// a 'b' `c`", &["'b'"]);
        check("\\é\\", &["\\é"]);
        check("/*/", &[]);
    }

    #[test]
    fn finds_the_blocks_of_scripts() {
        let check = |text, expected: &[&str]| check(Language::JavaScript, text, expected);
        check("// a 'b'\nc", &["// a 'b'"]);
        check("//", &["//"]);
        check("`a\n'b' ${c}` 'd'", &["`a\n'b' ${c}`", "'d'"]);
        check("`a 'b'", &["'b'"]);
        check("a = /'/; b = 'c'", &["'/; b = '"]);
        check("/", &[]);
    }

    fn check(language: Language, text: &str, expected: &[&str]) {
        let mut blocks = Blocks::new(text, language);
        let mut found = Vec::new();
        while let Some(block) = blocks.after(blocks.current.end) {
            found.push(&text[block.clone()]);
            blocks.current = block;
        }
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_block_begins_after_its_first_byte() {
        let mut blocks = Blocks::new("a'b'c\"d\"", Language::Css);
        let contained: Vec<bool> = (0..9).map(|position| blocks.contain(position)).collect();
        let expected = [false, false, true, true, false, false, true, true, false];
        assert_eq!(contained, expected);
    }
}
