//! What counts as a reference in each series of Django, and what is written in its place.

use std::ops::Range;

use regex::Regex;

use super::blocks::Language;
use super::css;
use crate::staticfiles::Compat;

/// One kind of reference.
#[derive(Debug)]
pub(super) struct Pattern {
    syntax: Syntax,
    template: Template,
    /// Whose comments and strings hold no references; none where Django takes them all.
    pub(super) blocks: Option<Language>,
}

/// A reference in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// What stands between `import` or `export` and `from`; empty for other patterns.
    pub(super) clause: Range<usize>,
    pub(super) url: Range<usize>,
}

#[derive(Debug)]
enum Syntax {
    CssUrl {
        quotes_agree: bool,
    },
    /// With a group `url` and perhaps one `clause`.
    Regex(Regex),
}

/// What a reference becomes: these three with the clause and the URL between them.
type Template = [&'static str; 3];

impl Pattern {
    /// All references of this kind, in order.
    pub(super) fn find_in<'t>(&'t self, text: &'t str) -> Box<dyn Iterator<Item = Found> + 't> {
        match &self.syntax {
            Syntax::CssUrl { quotes_agree } => Box::new(css::urls(text, *quotes_agree)),
            Syntax::Regex(regex) => Box::new(regex.captures_iter(text).filter_map(|captures| {
                let range = captures.get(0)?.range();
                let clause = captures
                    .name("clause")
                    .map_or(range.start..range.start, |it| it.range());
                Some(Found {
                    url: captures.name("url")?.range(),
                    clause,
                    range,
                })
            })),
        }
    }

    /// Writes a reference with this clause and URL.
    pub(super) fn write(&self, clause: &str, url: &str, output: &mut String) {
        let [before, between, after] = self.template;
        for part in [before, clause, between, url, after] {
            output.push_str(part);
        }
    }
}

/// The patterns for style sheets, in the order they are applied.
pub(super) fn css(compat: Compat) -> Vec<Pattern> {
    let quotes_agree = compat >= Compat::V6_0;
    let url = Pattern {
        syntax: Syntax::CssUrl { quotes_agree },
        template: ["", "url(\"", "\")"],
        blocks: None,
    };
    let import = format!(r#"@{IMPORT}{SPACE}*["']{SPACE}*(?P<url>.*?)["']"#);
    let source_map = r"(?m)^/\*#[ \t]sourceMappingURL=(?P<url>.*)[ \t]*\*/$";
    let patterns = vec![
        url,
        pattern(&import, ["", "@import url(\"", "\")"]),
        pattern(source_map, ["", "/*# sourceMappingURL=", " */"]),
    ];
    with_blocks(patterns, compat, Language::Css)
}

/// The patterns for scripts, in the order they are applied.
pub(super) fn js(compat: Compat, modules: bool) -> Vec<Pattern> {
    let source_map = r"(?m)^//# sourceMappingURL=(?P<url>.*)$";
    let mut patterns = vec![pattern(source_map, ["", "//# sourceMappingURL=", ""])];
    if modules {
        patterns.extend(js_modules(compat));
    }
    with_blocks(patterns, compat, Language::JavaScript)
}

fn js_modules(compat: Compat) -> [Pattern; 4] {
    // A statement ends with its semicolon in one form, with its quote in the other.
    let has_end = compat < Compat::V6_1;
    let end = if has_end {
        format!("{SPACE}*;")
    } else {
        String::new()
    };
    let within = if has_end { "(?s:.)" } else { "[^;]" };
    let clause = format!(r"[\s\x1c-\x1f\{{]{within}*?");
    let star = format!(r"\*{SPACE}*(?i:as){SPACE}*{WORD}+");
    let url = r#"["'](?P<url>[./].*?)["']"#;
    let dynamic = if has_end { ".*?" } else { "[./].*?" };
    let [from_after, after] = if has_end {
        ["\";", "\";"]
    } else {
        ["\"", "\""]
    };
    [
        pattern(
            &format!("{IMPORT}(?P<clause>{clause}|{star}){SPACE}*(?i:from){SPACE}*{url}{end}"),
            ["import", " from \"", from_after],
        ),
        pattern(
            &format!("(?i:export)(?P<clause>{clause}){SPACE}*(?i:from){SPACE}*{url}{end}"),
            ["export", " from \"", from_after],
        ),
        pattern(
            &format!("{IMPORT}{SPACE}*{url}{end}"),
            ["import\"", "", after],
        ),
        pattern(
            &format!(r#"{IMPORT}\(["'](?P<url>{dynamic})["']\)"#),
            ["import(\"", "", "\")"],
        ),
    ]
}

fn pattern(regex: &str, template: Template) -> Pattern {
    let regex = Regex::new(regex).expect("invariant: the patterns are fixed, and tests build all");
    Pattern {
        syntax: Syntax::Regex(regex),
        template,
        blocks: None,
    }
}

/// Comments and strings are left alone since Django 6.1.
fn with_blocks(mut patterns: Vec<Pattern>, compat: Compat, language: Language) -> Vec<Pattern> {
    if compat >= Compat::V6_1 {
        for pattern in &mut patterns {
            pattern.blocks = Some(language);
        }
    }
    patterns
}

/// Python's `\s`.
const SPACE: &str = r"[\s\x1c-\x1f]";

/// Python's `\w`.
const WORD: &str = r"[\p{L}\p{N}_]";

/// `import` in any case: Python counts the Turkish letters as cases of `i`.
const IMPORT: &str = "[iI\u{130}\u{131}](?i:mport)";
