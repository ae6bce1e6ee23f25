//! `url(…)` in style sheets: a scan that finds what Django's regular expression finds. By hand,
//! because of what a mismatched quote costs there: a look at the rest of its line each time.

use std::iter;

use memchr::memmem;

use super::patterns::Found;
use crate::staticfiles::python::is_space;

/// All `url(…)` of `text`. Where `quotes_agree`, an opening quote counts only if the same one
/// closes; otherwise (Django 5.2) any quote or none may stand at either end.
pub(super) fn urls(text: &str, quotes_agree: bool) -> impl Iterator<Item = Found> {
    let mut scan = Scan::new(text);
    let mut from = 0;
    iter::from_fn(move || {
        loop {
            let start = next_start(text.as_bytes(), from)?;
            let inner = start + OPENING.len();
            from = inner;
            let found = if quotes_agree {
                scan.agreeing(inner)
            } else {
                scan.loose(inner)
            };
            if let Some((url, end)) = found {
                from = end;
                return Some(Found {
                    range: start..end,
                    clause: start..start,
                    url,
                });
            }
        }
    })
}

/// The next opening at or after `from`.
fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let rest = &text[from..];
    memchr::memchr_iter(b'(', rest).find_map(|at| {
        let start = (at + 1).checked_sub(OPENING.len())?;
        rest[start..=at]
            .eq_ignore_ascii_case(OPENING)
            .then_some(from + start)
    })
}

/// Looks ahead from places that ascend, or nearly so.
struct Scan<'t> {
    text: &'t str,
    line_end: Ahead,
    close: Ahead,
    single_close: Ahead,
    double_close: Ahead,
}

/// The inside of a reference and where the whole ends.
type UrlAndEnd = (std::ops::Range<usize>, usize);

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            line_end: Ahead::new(b"\n"),
            close: Ahead::new(b")"),
            single_close: Ahead::new(b"')"),
            double_close: Ahead::new(b"\")"),
        }
    }

    /// The reference whose opening ends at `inner`, by the rules since Django 6.0.
    fn agreeing(&mut self, inner: usize) -> Option<UrlAndEnd> {
        let text = self.text.as_bytes();
        if let Some(quote @ (b'\'' | b'"')) = text.get(inner) {
            let start = self.after_space(inner + 1);
            let line_end = self.line_end.next(text, start);
            let close = if *quote == b'"' {
                &mut self.double_close
            } else {
                &mut self.single_close
            };
            let end = close.next(text, start);
            if end < line_end {
                return Some((start..end, end + 2));
            }
        }
        let start = self.after_space(inner);
        let end = self.close_in_line(start)?;
        Some((start..end, end + 1))
    }

    /// The same by the rules of Django 5.2.
    fn loose(&mut self, inner: usize) -> Option<UrlAndEnd> {
        let text = self.text.as_bytes();
        let is_quote = |index: usize| matches!(text.get(index), Some(b'\'' | b'"'));
        let start = self.after_space(if is_quote(inner) { inner + 1 } else { inner });
        let close = self.close_in_line(start)?;
        let end = if close > start && is_quote(close - 1) {
            close - 1
        } else {
            close
        };
        Some((start..end, close + 1))
    }

    /// The first `)` at or after `start` in its line.
    fn close_in_line(&mut self, start: usize) -> Option<usize> {
        let text = self.text.as_bytes();
        let close = self.close.next(text, start);
        (close < self.line_end.next(text, start)).then_some(close)
    }

    fn after_space(&self, from: usize) -> usize {
        let rest = &self.text[from..];
        from + (rest.len() - rest.trim_start_matches(is_space).len())
    }
}

/// Where something comes next, remembered: what lies far ahead is not searched for twice.
struct Ahead {
    needle: &'static [u8],
    /// Invariant: nothing begins between here and `found`.
    from: usize,
    found: usize,
}

impl Ahead {
    fn new(needle: &'static [u8]) -> Self {
        Self {
            needle,
            from: 1,
            found: 0,
        }
    }

    /// Where it begins at or after `from`; the end of the text if nowhere.
    fn next(&mut self, text: &[u8], from: usize) -> usize {
        let searched = self.from..=self.found;
        if searched.contains(&from) {
            return self.found;
        }
        // A step back is short: only what was not searched yet is.
        let known = from < self.from && self.from <= self.found;
        let end = if known {
            self.from + self.needle.len() - 1
        } else {
            text.len()
        };
        let window = &text[from..end.min(text.len())];
        let fallback = if known { self.found } else { text.len() };
        self.found = memmem::find(window, self.needle).map_or(fallback, |length| from + length);
        self.from = from;
        self.found
    }
}

const OPENING: &[u8] = b"url(";
