//! Names that are passed over: Python's `fnmatch.fnmatchcase` on normalised patterns.

use super::python::code_points;
use super::python::path::normalise;

/// Patterns of names.
#[derive(Debug)]
pub(crate) struct Ignore {
    patterns: Vec<Vec<Token>>,
}

/// A part of a pattern. Characters are numbers: those of a name that is no UTF-8 are surrogates.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`: anything, slashes too.
    Star,
    /// One character of these ranges, or of none of them.
    OneOf {
        ranges: Vec<(u32, u32)>,
        negated: bool,
    },
}

impl Ignore {
    /// Understands `patterns` as `collectstatic --ignore` does: each is normalised first.
    pub(crate) fn new(patterns: &[String]) -> Self {
        let normal = patterns.iter().map(|pattern| normalise(pattern.as_bytes()));
        Self {
            patterns: normal
                .map(|pattern| tokens(&code_points(&pattern)))
                .collect(),
        }
    }

    /// Whether any pattern matches the whole of `name`.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let name = code_points(name);
        self.patterns.iter().any(|pattern| matches(pattern, &name))
    }
}

/// Whether `tokens` match all of `name`. Of several stars only the last has to be tried again.
fn matches(tokens: &[Token], name: &[u32]) -> bool {
    let (mut token, mut character) = (0, 0);
    let mut retry = None;
    loop {
        match tokens.get(token) {
            Some(Token::Star) => {
                token += 1;
                retry = Some((token, character));
                continue;
            }
            Some(one) if name.get(character).is_some_and(|&point| one.holds(point)) => {
                token += 1;
                character += 1;
                continue;
            }
            None if character == name.len() => return true,
            _ => {}
        }
        match retry {
            Some((after_star, from)) if from < name.len() => {
                retry = Some((after_star, from + 1));
                (token, character) = (after_star, from + 1);
            }
            _ => return false,
        }
    }
}

impl Token {
    fn any() -> Self {
        Self::OneOf {
            ranges: Vec::new(),
            negated: true,
        }
    }

    fn literal(point: u32) -> Self {
        Self::OneOf {
            ranges: vec![(point, point)],
            negated: false,
        }
    }

    fn holds(&self, point: u32) -> bool {
        match self {
            Self::Star => false,
            Self::OneOf { ranges, negated } => {
                ranges
                    .iter()
                    .any(|&(first, last)| (first..=last).contains(&point))
                    != *negated
            }
        }
    }
}

fn tokens(pattern: &[u32]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some((&point, after)) = rest.split_first() {
        rest = after;
        tokens.push(match char::from_u32(point) {
            Some('*') => Token::Star,
            Some('?') => Token::any(),
            Some('[') => match set_length(after) {
                Some(length) => {
                    rest = &after[length + 1..];
                    set(&after[..length])
                }
                None => Token::literal(point),
            },
            _ => Token::literal(point),
        });
    }
    tokens.dedup_by(|one, next| *one == Token::Star && *next == Token::Star);
    tokens
}

/// The length of a set up to its closing bracket; one at its beginning does not close it.
fn set_length(pattern: &[u32]) -> Option<usize> {
    let mut start = usize::from(pattern.first() == Some(&EXCLAMATION_MARK));
    start += usize::from(pattern.get(start) == Some(&CLOSING_BRACKET));
    let length = pattern
        .get(start..)?
        .iter()
        .position(|&point| point == CLOSING_BRACKET)?;
    Some(start + length)
}

/// Understands a set as Python's `fnmatch.translate` does, whose empty ranges vanish before it
/// looks for the exclamation mark.
fn set(text: &[u32]) -> Token {
    let mut chunks = chunks(text);
    for index in (1..chunks.len()).rev() {
        let (last, first) = (
            chunks[index - 1].last().copied(),
            chunks[index].first().copied(),
        );
        if last > first {
            let next = chunks.remove(index);
            chunks[index - 1].pop();
            chunks[index - 1].extend_from_slice(&next[1..]);
        }
    }
    let negated = chunks[0].first() == Some(&EXCLAMATION_MARK);
    if negated {
        chunks[0].remove(0);
    }
    let mut ranges = Vec::new();
    for pair in chunks.windows(2) {
        if let (Some(&first), Some(&last)) = (pair[0].last(), pair[1].first()) {
            ranges.push((first, last));
        }
    }
    ranges.extend(chunks.into_iter().flatten().map(|point| (point, point)));
    Token::OneOf { ranges, negated }
}

/// Splits a set at the hyphens that stand for ranges.
fn chunks(text: &[u32]) -> Vec<Vec<u32>> {
    let mut chunks = Vec::new();
    let mut chunk_start = 0;
    let mut from = if text.first() == Some(&EXCLAMATION_MARK) {
        2
    } else {
        1
    };
    while let Some(hyphen) = (from..text.len()).find(|&index| text[index] == HYPHEN) {
        chunks.push(text[chunk_start..hyphen].to_vec());
        chunk_start = hyphen + 1;
        from = hyphen + 3;
    }
    match (chunks.last_mut(), &text[chunk_start..]) {
        (Some(last), []) => last.push(HYPHEN),
        (_, rest) => chunks.push(rest.to_vec()),
    }
    chunks
}

const EXCLAMATION_MARK: u32 = '!' as u32;
const CLOSING_BRACKET: u32 = ']' as u32;
const HYPHEN: u32 = '-' as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_names() {
        check("*.css", "a/b.css", true);
        check("*.css", "a.css.map", false);
        check("a*b*c", "a/x/b/y/c", true);
        check("a*b*c", "a/x/b/y/", false);
        check(".*", ".htaccess", true);
        check(".*", "a/.htaccess", false);
        check("*~", "a~", true);
        check("CVS", "cvs", false);
        check("a?c", "aéc", true);
        check("a?c", "a/c", true);
        check("*", "", true);
        check("a**b", "ab", true);
        check("*.txt", "a\nb.txt", true);
    }

    #[test]
    fn normalises_patterns() {
        check("./a//b/", "a/b", true);
        check("a/../b", "b", true);
        check("", ".", true);
    }

    #[test]
    fn reads_sets_as_python_does() {
        check("[a-c]", "b", true);
        check("[!a-c]", "b", false);
        check("[]]", "]", true);
        check("[!]]", "]", false);
        check("[a", "[a", true);
        check("[-a]", "-", true);
        check("[a-]", "-", true);
        check("[a-c-e]", "-", true);
        check("[a-c-e]", "d", false);
        check("[c-a]", "b", false);
        check("[!c-a]", "b", true);
        check("[^a]", "^", true);
        check("[\\]", "\\", true);
        // An empty range in front makes the mark behind it the first.
        check("[b-a!c]", "c", false);
        check("[b-a!c]", "x", true);
    }

    fn check(pattern: &str, name: &str, expected: bool) {
        let ignore = Ignore::new(&[pattern.to_owned()]);
        assert_eq!(
            ignore.matches(name.as_bytes()),
            expected,
            "{pattern:?} {name:?}"
        );
    }

    #[test]
    fn a_byte_that_is_no_utf8_is_one_character() {
        assert!(Ignore::new(&["a?c".to_owned()]).matches(b"a\xFFc"));
        assert!(!Ignore::new(&["a?c".to_owned()]).matches(b"a\xFF\xFEc"));
        assert!(Ignore::new(&["[!a]*".to_owned()]).matches(b"\xC3"));
    }
}
