//! References from style sheets and scripts to other files: found, resolved and rewritten as
//! Django's `HashedFilesMixin` does it. Reads no files; the caller says what stands behind a name.

mod blocks;
mod css;
mod edits;
mod hashed_name;
mod patterns;
mod resolve;

use std::borrow::Cow;

use super::Compat;
use super::fingerprint::Fingerprint;
use blocks::Blocks;
use edits::{Edit, Edits};
use patterns::Pattern;
use resolve::{Resolved, Resolver};

pub(crate) use edits::line_and_column;
pub(crate) use hashed_name::hashed_name;

/// The rules of one series of Django, ready to be applied.
#[derive(Debug)]
pub(crate) struct Rules {
    static_url: String,
    css: Vec<Pattern>,
    js: Vec<Pattern>,
}

/// What stands behind names. Names are bytes, with slashes between segments.
pub(crate) trait Targets {
    /// The published name of the collected file `name`, Django's `hashed_files[name]`.
    fn published(&mut self, name: &[u8]) -> Option<Vec<u8>>;

    /// What stands in the static root under `name`, which is no collected file's as written:
    /// unprocessed copies, published files, and what earlier runs left. The name is normal: it
    /// is not empty, has no `.`, `..` or empty segment and no null byte.
    fn stored(&mut self, name: &[u8]) -> Stored;
}

/// What stands in the static root under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A file with this content.
    File(Fingerprint),
    /// A directory; a reference to it is kept.
    Directory,
    /// Nothing.
    Missing,
}

/// A text after rewriting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rewritten<'t> {
    /// The new text; borrowed if nothing was replaced.
    pub(crate) text: Cow<'t, str>,
    /// References that lead to nothing; they stand unchanged in the text.
    pub(crate) missing: Vec<MissingReference>,
}

/// A reference that leads to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingReference {
    /// Where it begins in the original text, in bytes.
    pub(crate) offset: usize,
    /// The whole match.
    pub(crate) matched: String,
    /// The name that was looked for; the reference itself if no name could be made of it.
    pub(crate) target: Vec<u8>,
}

impl Rules {
    /// The rules of `compat` for files below `static_url`.
    pub(crate) fn new(compat: Compat, js_modules: bool, static_url: &str) -> Self {
        Self {
            static_url: static_url.to_owned(),
            css: patterns::css(compat),
            js: patterns::js(compat, js_modules),
        }
    }

    /// Whether files of this logical name are rewritten: `*.css` and `*.js`.
    pub(crate) fn is_adjustable(&self, name: &[u8]) -> bool {
        !self.patterns(name).is_empty()
    }

    /// Rewrites `text`, the content of `name`.
    pub(crate) fn rewrite<'t>(
        &self,
        name: &[u8],
        text: &'t str,
        targets: &mut dyn Targets,
    ) -> Rewritten<'t> {
        let mut resolver = Resolver {
            static_url: self.static_url.as_bytes(),
            name,
            targets,
        };
        let mut rewritten = Rewritten {
            text: Cow::Borrowed(text),
            missing: Vec::new(),
        };
        let mut edits = Edits::default();
        for pattern in self.patterns(name) {
            let mut pass = Pass::new(&rewritten.text, pattern);
            pass.run(&mut resolver, &edits, &mut rewritten.missing);
            let Pass {
                output,
                edits: replaced,
                ..
            } = pass;
            if !replaced.is_empty() {
                rewritten.text = Cow::Owned(output);
                edits.push(replaced);
            }
        }
        rewritten
    }

    /// What is applied to a file of this name.
    fn patterns(&self, name: &[u8]) -> &[Pattern] {
        if name.ends_with(b".css") {
            &self.css
        } else if name.ends_with(b".js") {
            &self.js
        } else {
            &[]
        }
    }
}

/// One pattern applied to one text.
struct Pass<'p> {
    text: &'p str,
    pattern: &'p Pattern,
    /// The new text up to the last replacement; the whole when the pass is over.
    output: String,
    /// Up to where `text` is in `output`.
    copied: usize,
    edits: Vec<Edit>,
}

impl<'p> Pass<'p> {
    fn new(text: &'p str, pattern: &'p Pattern) -> Self {
        Self {
            text,
            pattern,
            output: String::new(),
            copied: 0,
            edits: Vec::new(),
        }
    }

    fn run(
        &mut self,
        resolver: &mut Resolver<'_>,
        earlier: &Edits,
        missing: &mut Vec<MissingReference>,
    ) {
        let text = self.text;
        let mut blocks = self
            .pattern
            .blocks
            .map(|language| Blocks::new(text, language));
        for found in self.pattern.find_in(text) {
            let start = found.range.start;
            if blocks.as_mut().is_some_and(|blocks| blocks.contain(start)) {
                continue;
            }
            match resolver.resolve(&text[found.url.clone()]) {
                Resolved::Kept => {}
                Resolved::Replaced(url) => self.replace(&found, &url),
                Resolved::Missing(target) => missing.push(MissingReference {
                    offset: earlier.original(start),
                    matched: text[found.range].to_owned(),
                    target,
                }),
            }
        }
        if !self.edits.is_empty() {
            self.output.push_str(&text[self.copied..]);
        }
    }

    fn replace(&mut self, found: &patterns::Found, url: &str) {
        self.output
            .push_str(&self.text[self.copied..found.range.start]);
        let start = self.output.len();
        self.pattern
            .write(&self.text[found.clause.clone()], url, &mut self.output);
        self.edits.push(Edit {
            old: found.range.clone(),
            new: start..self.output.len(),
        });
        self.copied = found.range.end;
    }
}

#[cfg(test)]
mod tests;
