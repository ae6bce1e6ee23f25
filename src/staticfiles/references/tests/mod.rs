//! What becomes of references: a small site, the checks, and the rules for URLs.

mod hostile;
mod syntax;

use super::*;
use Compat::{V5_2, V6_0, V6_1};

/// The collected files. Their published names have the hash `111111111111`, their unprocessed
/// copies `555555555555`; the tables write `P` and `U`.
const COLLECTED: [&str; 8] = [
    "css/app.css",
    "css/base.css",
    "css/img/x.png",
    "img/a b.png",
    "img/é.png",
    "fonts/f.eot",
    "js/m.js",
    "js/lib/u.js",
];

/// In the static root, but not collected.
const LEFT_OVER: &str = "img/old.png";

struct Site;

impl Targets for Site {
    fn published(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let published = Fingerprint::from_md5([0x11; 16]);
        let collected = COLLECTED.iter().any(|file| file.as_bytes() == name);
        collected.then(|| hashed_name(name, &published).unwrap())
    }

    fn stored(&mut self, name: &[u8]) -> Stored {
        let name = str::from_utf8(name).unwrap();
        let mut segments = name.split('/');
        assert!(
            segments.all(|segment| !["", ".", ".."].contains(&segment)),
            "{name:?}"
        );
        let mut files = COLLECTED.iter().chain([&LEFT_OVER]);
        if COLLECTED.contains(&name) || name == LEFT_OVER {
            Stored::File(Fingerprint::from_md5([0x55; 16]))
        } else if files.any(|file| file.starts_with(&format!("{name}/"))) {
            Stored::Directory
        } else {
            Stored::Missing
        }
    }
}

/// Publishes every name as it is.
struct Everything;

impl Targets for Everything {
    fn published(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        Some(name.to_vec())
    }

    fn stored(&mut self, _name: &[u8]) -> Stored {
        Stored::Missing
    }
}

const ALL: &[Compat] = &[V5_2, V6_0, V6_1];

#[track_caller]
fn check(series: &[Compat], name: &str, text: &str, expected: &str) {
    check_below("/static/", series, name, text, expected);
}

#[track_caller]
fn check_below(static_url: &str, series: &[Compat], name: &str, text: &str, expected: &str) {
    for &compat in series {
        let rules = Rules::new(compat, true, static_url);
        let rewritten = rules.rewrite(name.as_bytes(), text, &mut Site);
        let short = rewritten
            .text
            .replace("111111111111", "P")
            .replace("555555555555", "U");
        assert_eq!(short, expected, "{compat:?} {text:?}");
        assert_eq!(rewritten.missing, [], "{compat:?} {text:?}");
    }
}

#[track_caller]
fn check_css(series: &[Compat], text: &str, expected: &str) {
    check(series, "css/app.css", text, expected);
}

/// A reference of `css/app.css`, in quotes.
#[track_caller]
fn check_url(url: &str, expected: &str) {
    check_css(
        ALL,
        &format!("url(\"{url}\")"),
        &format!("url(\"{expected}\")"),
    );
}

/// These references of a file lead to nothing: where each is, what it is, what was looked for.
#[track_caller]
fn check_missing(series: &[Compat], name: &str, text: &str, expected: &[(usize, &str, &str)]) {
    for &compat in series {
        let rules = Rules::new(compat, true, "/static/");
        let missing = rules.rewrite(name.as_bytes(), text, &mut Site).missing;
        let missing: Vec<_> = missing
            .iter()
            .map(|it| {
                (
                    it.offset,
                    it.matched.as_str(),
                    str::from_utf8(&it.target).unwrap(),
                )
            })
            .collect();
        assert_eq!(missing, expected, "{compat:?} {text:?}");
    }
}

#[test]
fn resolves_from_the_file_that_refers() {
    check_url("img/x.png", "img/x.P.png");
    check_url("./img/../base.css", "./img/../base.P.css");
    check_url("../fonts/f.eot", "../fonts/f.P.eot");
    check_url("/static/fonts/f.eot", "/static/fonts/f.P.eot");
    check(
        ALL,
        "root.css",
        "url(css/base.css)",
        "url(\"css/base.P.css\")",
    );
    check(
        ALL,
        "a/b/c.css",
        "url(../../js/m.js)",
        "url(\"../../js/m.P.js\")",
    );
}

#[test]
fn leaves_alone_what_is_not_ours() {
    for url in [
        "https://cdn/x.png",
        "data:image/png;base64,AAAA",
        "//cdn/x.png",
        "/media/x.png",
        "#gradient",
        "",
    ] {
        check_css(ALL, &format!("url('{url}')"), &format!("url('{url}')"));
    }
    let cdn = "https://cdn.example/static/";
    let absolute = "url(/static/img/x.png)";
    check_below(cdn, ALL, "css/app.css", absolute, absolute);
    check_below(
        cdn,
        ALL,
        "css/app.css",
        "url(img/x.png)",
        "url(\"img/x.P.png\")",
    );
    check(ALL, "page.html", "url(img/x.png)", "url(img/x.png)");
    check(
        ALL,
        "module.mjs",
        "import './lib/u.js';",
        "import './lib/u.js';",
    );
}

#[test]
fn keeps_queries_and_fragments() {
    check_url("../fonts/f.eot#a", "../fonts/f.P.eot#a");
    check_url("../fonts/f.eot?#iefix", "../fonts/f.P.eot?#iefix");
    check_url("../fonts/f.eot#a/b?c", "../fonts/f.P.eot#a/b?c");
    // A name with a query is none of the collected ones: the unprocessed copy is hashed.
    check_url("../fonts/f.eot?v=1", "../fonts/f.U.eot?v=1");
    check_url("../fonts/f.eot?v=1#a", "../fonts/f.U.eot?v=1#a");
    check_url("../img/old.png", "../img/old.U.png");
}

#[test]
fn decodes_what_is_percent_encoded() {
    check_url("../img/a%20b.png", "../img/a b.P.png");
    check_url("../img/%C3%A9.png", "../img/é.P.png");
    check_url("../img/é.png", "../img/é.P.png");
    // The blank at its end is not part of the name, but of the text that is looked up.
    check_css(ALL, "url(base.css )", "url(\"base.U.css\")");
}

#[test]
fn keeps_directories() {
    check_url("img/", "img/");
    check_url("img", "img");
    check_url(".", "css");
    check_url("..", "");
}

#[test]
fn tells_what_leads_to_nothing_and_goes_on() {
    let text = "é url(a.png) url(css/base.css) @import 'b.css';";
    let expected = [(3, "url(a.png)", "a.png"), (32, "@import 'b.css'", "b.css")];
    check_missing(ALL, "root.css", text, &expected);
    let rules = Rules::new(V6_1, false, "/static/");
    let rewritten = rules.rewrite(b"root.css", text, &mut Site);
    let expected = "é url(a.png) url(\"css/base.111111111111.css\") @import 'b.css';";
    assert_eq!(rewritten.text, expected);
    assert_eq!(line_and_column(text, rewritten.missing[1].offset), (1, 32));
}

#[test]
fn what_leaves_the_root_leads_to_nothing() {
    let check = |text: &str, target| check_missing(ALL, "a.css", text, &[(0, text, target)]);
    check("url(../x.png)", "../x.png");
    check("url(%2e%2e/x.png)", "../x.png");
    check("url(/static//x)", "/x");
    check("url(x%2500)", "x\0");
}

#[test]
fn what_python_cannot_express_leads_to_nothing() {
    let text = "url(HTTP://[#x)";
    check_missing(ALL, "a.css", text, &[(0, text, "HTTP://[#x")]);
    let rules = Rules::new(V6_1, false, "/static/");
    let rewritten = rules.rewrite(b"\xff/a.css", "url(x)url(../css/)", &mut Everything);
    assert_eq!(rewritten.text, "url(x)url(../css/)");
    assert_eq!(rewritten.missing.len(), 2);
}

#[test]
fn borrows_what_has_no_reference() {
    for name in ["a.css", "a.js"] {
        let rules = Rules::new(V6_1, true, "/static/");
        let text = "a { color: rgb(0, 0, 0) } // important; exported = 1";
        let rewritten = rules.rewrite(name.as_bytes(), text, &mut Site);
        assert!(matches!(rewritten.text, Cow::Borrowed(_)), "{name}");
    }
}

#[test]
fn keeps_marks_and_line_breaks() {
    let text = "\u{feff}a\r\nurl(base.css)\r\n";
    check_css(ALL, text, "\u{feff}a\r\nurl(\"base.P.css\")\r\n");
}
