//! What counts as a reference, series by series.

use super::*;

#[track_caller]
fn check_js(series: &[Compat], text: &str, expected: &str) {
    check(series, "js/app.js", text, expected);
}

#[test]
fn finds_urls_in_all_quotes() {
    check_css(ALL, "URL('base.css')", "url(\"base.P.css\")");
    check_css(ALL, "url('  base.css')", "url(\"base.P.css\")");
    check_css(ALL, "url(\n\u{3000}\x1cbase.css)", "url(\"base.P.css\")");
    check_css(ALL, "url(base.css)url(", "url(\"base.P.css\")url(");
    check_css(ALL, "url(base\n.css)", "url(base\n.css)");
    check_css(ALL, "curl(base.css)", "curl(\"base.P.css\")");
    check_css(&[V5_2], "url('base.css)", "url(\"base.P.css\")");
    check_css(&[V5_2], "url(base.css\")", "url(\"base.P.css\")");
    let text = "url('b.css)";
    check_missing(&[V6_0, V6_1], "a.css", text, &[(0, text, "'b.css")]);
}

#[test]
fn turns_imports_into_urls() {
    let expected = "@import url(\"base.P.css\")";
    check_css(
        ALL,
        "@import 'base.css' print;",
        &format!("{expected} print;"),
    );
    check_css(ALL, "@IMPORT\n\" base.css\"", expected);
    check_css(ALL, "@import'base.css\"", expected);
    check_css(ALL, "@import url(base.css)", expected);
    // Two letters that Python takes for an `i` in another case.
    check_css(ALL, "@\u{130}mport 'base.css'", expected);
    check_css(ALL, "@\u{131}mport 'base.css'", expected);
}

#[test]
fn rewrites_source_maps_in_lines_of_their_own() {
    let expected = "/*# sourceMappingURL=base.P.css */";
    check_css(ALL, "/*# sourceMappingURL=base.css*/", expected);
    check_css(ALL, "/*#\tsourceMappingURL=base.css*/", expected);
    check_css(
        ALL,
        "a\n/*# sourceMappingURL=base.css*/\n",
        &format!("a\n{expected}\n"),
    );
    for other in [
        "a /*# sourceMappingURL=base.css*/",
        "/*# sourceMappingURL=base.css*/\r\n",
        "/*# sourcemappingurl=base.css*/",
        "/*#  sourceMappingURL=base.css*/",
    ] {
        check_css(ALL, other, other);
    }
    let expected = "//# sourceMappingURL=m.P.js";
    check_js(
        ALL,
        "a\n//# sourceMappingURL=m.js\nb",
        &format!("a\n{expected}\nb"),
    );
    check_js(
        ALL,
        " //# sourceMappingURL=m.js",
        " //# sourceMappingURL=m.js",
    );
    // The line break is taken for a part of the name, and lost.
    let expected = "//# sourceMappingURL=m.U.js\n";
    check_js(ALL, "//# sourceMappingURL=m.js\r\n", expected);
}

#[test]
fn leaves_comments_and_strings_alone_since_6_1() {
    for text in [
        "/* url(base.css) */",
        "'url(base.css)'",
        "\"\\\"url(base.css)\"",
        "/**/ '' /* @import 'base.css' */",
    ] {
        check_css(&[V6_1], text, text);
    }
    let expected = "/* url(\"base.P.css\") */";
    check_css(&[V5_2, V6_0], "/* url(base.css) */", expected);
    check_css(ALL, "/* url(base.css)", "/* url(\"base.P.css\")");
    check_css(ALL, "'\nurl(base.css)", "'\nurl(\"base.P.css\")");
    for text in [
        "/* import './m.js'; */",
        "// import './m.js';",
        "'import \"./m.js\";'",
        "`import './m.js';`",
        "/'/; import './m.js';",
    ] {
        check_js(&[V6_1], text, text);
    }
    let expected = "// import\"./m.P.js\";";
    check_js(&[V5_2, V6_0], "// import './m.js';", expected);
    // A block that begins where the reference begins is none.
    let expected = "//# sourceMappingURL=m.P.js";
    check_js(&[V6_1], "//# sourceMappingURL=m.js", expected);
}

#[test]
fn rewrites_imports_and_exports_of_modules() {
    let clauses = " a|{a}| {a, b as c}| a, {b}| * as x|* as x|*as é| {\n a\n}| a from";
    for clause in clauses.split('|') {
        let text = format!("import{clause} from './m.js';");
        check_js(ALL, &text, &format!("import{clause} from \"./m.P.js\";"));
    }
    for (text, expected) in [
        (
            "export * from '/static/js/m.js';",
            "export * from \"/static/js/m.P.js\";",
        ),
        ("export{a}from'./m.js';", "export{a} from \"./m.P.js\";"),
        ("import './m.js';", "import\"./m.P.js\";"),
        ("import('./lib/u.js')", "import(\"./lib/u.P.js\")"),
        (
            "\u{130}mport{a}FROM\u{1d}'./m.js';",
            "import{a} from \"./m.P.js\";",
        ),
        (
            "import*a\u{17f} x from './m.js';",
            "import*a\u{17f} x from \"./m.P.js\";",
        ),
    ] {
        check_js(ALL, text, expected);
    }
    for other in [
        "import a from 'react';",
        "import ('./m.js')",
        "import(`./m.js`)",
        "import* as a\u{301} from './m.js';",
        "export {a};",
    ] {
        check_js(ALL, other, other);
    }
}

#[test]
fn wants_a_semicolon_before_6_1() {
    let before = &[V5_2, V6_0];
    check_js(
        &[V6_1],
        "import a from './m.js'\n",
        "import a from \"./m.P.js\"\n",
    );
    check_js(
        before,
        "import a from './m.js'\n",
        "import a from './m.js'\n",
    );
    check_js(&[V6_1], "import './m.js' ;", "import\"./m.P.js\" ;");
    check_js(before, "import './m.js' ;", "import\"./m.P.js\";");
    check_js(
        &[V6_1],
        "import a; b from './m.js';",
        "import a; b from './m.js';",
    );
    check_js(
        before,
        "import a; b from './m.js';",
        "import a; b from \"./m.P.js\";",
    );
}

#[test]
fn imports_from_packages_lead_to_nothing_before_6_1() {
    let text = "import('react')";
    check_missing(&[V5_2, V6_0], "a.js", text, &[(0, text, "react")]);
    check_js(&[V6_1], text, text);
}

#[test]
fn rewrites_modules_only_where_asked() {
    let rules = Rules::new(V6_1, false, "/static/");
    let text = "import './m.js';";
    assert_eq!(rules.rewrite(b"js/app.js", text, &mut Site).text, text);
}
