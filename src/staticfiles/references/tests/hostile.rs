//! Texts that nobody would write, from a seed.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use regex::Regex;

use super::*;
use crate::staticfiles::references::blocks::Language;

/// Whatever the text, it is rewritten without a panic, and what is missing is where it says.
#[test]
fn stands_hostile_texts() {
    let pieces = "url(|URL('|url(\"|'|\"|`|)|@import |import |import(|export {|* as x| from |./|../|\
        /static/|css/base.css|x|?|#|?#|%2e%2e/|%ff|%00|%25|/*|*/|//|\\|\n|\r\n|;|:|é|\u{130}|\u{3000}|\
        \n/*# sourceMappingURL=|\n//# sourceMappingURL=|HTTP://[|]| |\t|\0";
    for_texts(pieces, 24, |rules, text| {
        for name in ["css/app.css", "js/app.js"] {
            let rewritten = rules.rewrite(name.as_bytes(), text, &mut Site);
            for missing in rewritten.missing {
                prop_assert!(text.is_char_boundary(missing.offset));
                prop_assert!(missing.offset < text.len());
            }
        }
        Ok(())
    });
}

/// What was rewritten once stays as it is, if every name stays as it is. (Not so a style sheet's
/// source map: the blank before its end is taken for a part of the name.)
#[test]
fn is_settled_after_one_pass() {
    let pieces = "url(a.png)|url('a.png')|url(\"./b/c.png#d\")|@import 'a.css';|a { b: c }\n|\
        \n//# sourceMappingURL=a.map\n|import './a.js';|import * as a from './a.js';|\
        export {a}from'./b.js';|import('./c.js');|f();\n";
    for_texts(pieces, 12, |rules, text| {
        for name in ["css/app.css", "js/app.js"] {
            let once = rules.rewrite(name.as_bytes(), text, &mut Everything);
            prop_assert_eq!(&once.missing, &[]);
            let twice = rules.rewrite(name.as_bytes(), &once.text, &mut Everything);
            prop_assert_eq!(&twice.text, &once.text);
        }
        Ok(())
    });
}

/// The scans by hand find what the regular expressions find that they stand for.
#[test]
fn scans_agree_with_regular_expressions() {
    let loose = r#"(?i:url)\(['"]?[\s\x1c-\x1f]*(.*?)["']?\)"#;
    let space = r"[\s\x1c-\x1f]*";
    let agreeing = format!(r#"(?i:url)\((?:'{space}(.*?)'|"{space}(.*?)"|{space}(.*?))\)"#);
    let css = r#"(?s)/\*.*?\*/|\\.|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*""#;
    let script = format!(r"{css}|//[^\n]*|`(?:[^`\\]|\\.)*`");
    let [loose, agreeing, css, script] =
        [loose, &agreeing, css, &script].map(|regex| Regex::new(regex).unwrap());
    let pieces = "url(|URL('|url(\"|'|\"|)|a|b| |\n|\x1c|\u{3000}|/*|*/|//|\\|\\'|`|é";
    for_texts(pieces, 16, |_, text| {
        for (regex, quotes_agree) in [(&loose, false), (&agreeing, true)] {
            let found: Vec<_> = css::urls(text, quotes_agree)
                .map(|it| (it.range, it.url))
                .collect();
            prop_assert_eq!(found, urls_by(regex, text));
        }
        for (regex, language) in [(&css, Language::Css), (&script, Language::JavaScript)] {
            let mut blocks = Blocks::new(text, language);
            for position in 0..text.len() {
                let mut all = regex.find_iter(text);
                let expected = all.any(|it| it.start() < position && position < it.end());
                prop_assert_eq!(blocks.contain(position), expected, "{}", position);
            }
        }
        Ok(())
    });
}

type Span = std::ops::Range<usize>;

/// Each match and its only group.
fn urls_by(regex: &Regex, text: &str) -> Vec<(Span, Span)> {
    regex
        .captures_iter(text)
        .map(|captures| {
            let url = captures.iter().skip(1).flatten().next().unwrap();
            (captures.get(0).unwrap().range(), url.range())
        })
        .collect()
}

/// Tries texts made of `pieces`, which bars separate, with the rules of every series.
fn for_texts(
    pieces: &'static str,
    piece_count_max: usize,
    property: impl Fn(&Rules, &str) -> Result<(), TestCaseError>,
) {
    let rules = [V5_2, V6_0, V6_1].map(|compat| Rules::new(compat, true, "/static/"));
    let config = Config {
        cases: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let piece = prop::sample::select(pieces.split('|').collect::<Vec<_>>());
    let texts = prop::collection::vec(piece, 0..piece_count_max);
    TestRunner::new_with_rng(config, seed)
        .run(&texts.prop_map(|pieces| pieces.concat()), |text| {
            rules.iter().try_for_each(|rules| property(rules, &text))
        })
        .unwrap();
}

/// A mismatched quote once made each reference look at the whole rest of its line.
#[test]
fn many_mismatched_quotes_do_not_take_for_ever() {
    let text = "url(' x)".repeat(200_000);
    let rules = Rules::new(V6_0, false, "/static/");
    assert_eq!(
        rules.rewrite(b"a.css", &text, &mut Site).missing.len(),
        200_000
    );
}
