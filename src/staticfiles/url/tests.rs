//! Names and the URLs that Django 5.2, 6.0 and 6.1 give for them, all the same.

use tempfile::TempDir;

use super::*;

const STATIC: &str = "/static/";

fn manifest() -> Manifest {
    let names = [
        ("a.css", "a.111111111111.css"),
        ("css/b c.css", "css/b c.222222222222.css"),
        ("é.txt", "é.333333333333.txt"),
        ("100%.txt", "100%.444444444444.txt"),
        ("font.eot", "font.555555555555.eot"),
        ("a+b.txt", "a+b.666666666666.txt"),
        ("it's.txt", "it's.777777777777.txt"),
        ("same.txt", "same.txt"),
        ("a;b.txt", "a;b.888888888888.txt"),
        ("a:b.txt", "a:b.999999999999.txt"),
        ("x\\y.txt", "x\\y.aaaaaaaaaaaa.txt"),
        ("d/", "d/.bbbb"),
        ("tab.txt", "tab.cccccccccccc.txt"),
        ("[1].txt", "[1].dddddddddddd.txt"),
        ("a#b.txt", "a.eeeeeeeeeeee#b.txt"),
        ("q?r.txt", "q.131313131313?r.txt"),
    ];
    let bytes = |name: &str| name.as_bytes().to_vec();
    Manifest::from_paths(names.map(|(logical, published)| (bytes(logical), bytes(published))))
}

#[track_caller]
fn check(static_url: &str, name: &str, expected: Option<&str>) {
    let url = manifest().url(static_url, name).ok();
    assert_eq!(url.as_deref(), expected, "{name}");
}

#[test]
fn reads_names_as_django_does() {
    check(STATIC, "a.css", Some("/static/a.111111111111.css"));
    check(
        STATIC,
        "css/b c.css",
        Some("/static/css/b c.222222222222.css"),
    );
    check(
        STATIC,
        "css/b%20c.css",
        Some("/static/css/b c.222222222222.css"),
    );
    check(STATIC, "css/b%2520c.css", None);
    check(STATIC, "é.txt", Some("/static/é.333333333333.txt"));
    check(STATIC, "%c3%a9.txt", Some("/static/é.333333333333.txt"));
    check(STATIC, "%ff.txt", None);
    check(STATIC, "100%.txt", Some("/static/100%.444444444444.txt"));
    check(STATIC, "100%25.txt", Some("/static/100%.444444444444.txt"));
    check(
        STATIC,
        "100%.txt?%20=%41",
        Some("/static/100%.444444444444.txt? =A"),
    );
    check(STATIC, "a+b.txt", Some("/static/a+b.666666666666.txt"));
    check(STATIC, "it's.txt", Some("/static/it's.777777777777.txt"));
    check(STATIC, "same.txt", Some("/static/same.txt"));
    check(STATIC, "a;b.txt", Some("/static/a;b.888888888888.txt"));
    check(STATIC, "a:b.txt", None);
    check(STATIC, "x\\y.txt", Some("/static/x/y.aaaaaaaaaaaa.txt"));
    check(STATIC, "x%5Cy.txt", Some("/static/x/y.aaaaaaaaaaaa.txt"));
    check(STATIC, "d/", Some("/static/d/"));
    check(STATIC, "d/?x=1", Some("/static/d/?x=1"));
    check(STATIC, "d/#f", Some("/static/d/#f#f"));
    check(STATIC, "dir/?#iefix", Some("/static/dir/?#iefix?#iefix"));
    check(STATIC, "a.css?x=1", Some("/static/a.111111111111.css?x=1"));
    check(STATIC, "a.css#f", Some("/static/a.111111111111.css#f"));
    check(
        STATIC,
        "a.css?x=1#f",
        Some("/static/a.111111111111.css?x=1#f"),
    );
    check(
        STATIC,
        "a.css?x#y#z",
        Some("/static/a.111111111111.css?x#y#z"),
    );
    check(STATIC, "a.css?#", Some("/static/a.111111111111.css?"));
    check(
        STATIC,
        "font.eot?#iefix",
        Some("/static/font.555555555555.eot?#iefix"),
    );
    check(STATIC, "font.eot#", Some("/static/font.555555555555.eot"));
    check(
        STATIC,
        "a.css?a=%26%3D#%2B",
        Some("/static/a.111111111111.css?a=&=#+"),
    );
    check(
        STATIC,
        "a.css%3Fx=1",
        Some("/static/a.111111111111.css?x=1"),
    );
    check(STATIC, "a.css%23f", Some("/static/a.111111111111.css#f"));
    check(STATIC, "a#b.txt", None);
    check(STATIC, "a%23b.txt", None);
    check(STATIC, "q?r.txt", None);
    check(STATIC, " a.css", Some("/static/a.111111111111.css"));
    check(STATIC, "a.css ", Some("/static/a.111111111111.css"));
    check(STATIC, " a.css#f", Some("/static/a.111111111111.css#f"));
    check(STATIC, "t\tab.txt", Some("/static/tab.cccccccccccc.txt"));
    check(STATIC, "tab.txt\n", Some("/static/tab.cccccccccccc.txt"));
    check(
        STATIC,
        "tab.txt\u{3000}",
        Some("/static/tab.cccccccccccc.txt"),
    );
    check(STATIC, "./a.css", None);
    check(STATIC, "/a.css", None);
    check(STATIC, "css//b c.css", None);
    check(STATIC, "A.css", None);
    check(STATIC, "%61.css", Some("/static/a.111111111111.css"));
    check(
        STATIC,
        "http:a.css",
        Some("/static/http:a.111111111111.css"),
    );
    check(STATIC, "http://host/a.css", None);
    check(STATIC, "//host/a.css", None);
    check(STATIC, "[1].txt?x", Some("/static/[1].dddddddddddd.txt?x"));
    check(STATIC, "//[x/a.css", None);
    check(STATIC, "//a\u{2100}/a.css", None);
    check(STATIC, "a.css\0", None);
    check(STATIC, "", None);
    check(STATIC, "?x", None);
    check(STATIC, "#f", None);
    check(STATIC, "/", Some("/static/"));
}

#[test]
fn joins_with_the_static_url_as_django_does() {
    check(
        "/static",
        "a.css?x=1#f",
        Some("/static/a.111111111111.css?x=1#f"),
    );
    check(
        "/static",
        "css/b c.css",
        Some("/static/css/b c.222222222222.css"),
    );
    check(
        "static/",
        "a.css?x=1#f",
        Some("/static/a.111111111111.css?x=1#f"),
    );
    check(
        "static/",
        "css/b c.css",
        Some("/static/css/b c.222222222222.css"),
    );
    check(
        "https://cdn.example/s/",
        "a.css?x=1#f",
        Some("https://cdn.example/s/a.111111111111.css?x=1#f"),
    );
    check(
        "https://cdn.example/s/",
        "css/b c.css",
        Some("https://cdn.example/s/css/b c.222222222222.css"),
    );
    check(
        "//cdn.example/s",
        "a.css?x=1#f",
        Some("//cdn.example/s/a.111111111111.css?x=1#f"),
    );
    check(
        "//cdn.example/s",
        "css/b c.css",
        Some("//cdn.example/s/css/b c.222222222222.css"),
    );
    check("/", "a.css?x=1#f", Some("/a.111111111111.css?x=1#f"));
    check("/", "css/b c.css", Some("/css/b c.222222222222.css"));
    check(
        "https://cdn.example",
        "a.css?x=1#f",
        Some("https://cdn.example/a.111111111111.css?x=1#f"),
    );
    check(
        "https://cdn.example",
        "css/b c.css",
        Some("https://cdn.example/css/b c.222222222222.css"),
    );
    check(
        "/a b/é/",
        "a.css?x=1#f",
        Some("/a b/é/a.111111111111.css?x=1#f"),
    );
    check(
        "/a b/é/",
        "css/b c.css",
        Some("/a b/é/css/b c.222222222222.css"),
    );
    check("/x?y=1/", "a.css?x=1#f", Some("/a.111111111111.css?x=1#f"));
    check("/x?y=1/", "css/b c.css", Some("/css/b c.222222222222.css"));
    check(
        "/x/../y/",
        "a.css?x=1#f",
        Some("/y/a.111111111111.css?x=1#f"),
    );
    check(
        "/x/../y/",
        "css/b c.css",
        Some("/y/css/b c.222222222222.css"),
    );
    check(
        "/p%20q/",
        "a.css?x=1#f",
        Some("/p q/a.111111111111.css?x=1#f"),
    );
    check(
        "/p%20q/",
        "css/b c.css",
        Some("/p q/css/b c.222222222222.css"),
    );
}

/// With `manifest_strict = False`, twice the query included.
#[test]
fn hashes_what_the_manifest_does_not_hold() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("un d")).unwrap();
    fs::create_dir(root.path().join("dir")).unwrap();
    for (name, content) in [
        ("un.css", "un"),
        ("un d/x y.css", "x"),
        ("noext", "n"),
        (".hidden", "n"),
    ] {
        fs::write(root.path().join(name), content).unwrap();
    }
    let check = |name: &str, expected: &str| {
        let url = manifest().url_lenient(STATIC, name, Some(root.path()));
        assert_eq!(url.as_deref(), Ok(expected), "{name}");
    };
    check("a.css", "/static/a.111111111111.css");
    check("un.css", "/static/un.0674272bac07.css");
    check("un.css?x=1", "/static/un.0674272bac07.css?x=1?x=1");
    check("un.css#f", "/static/un.0674272bac07.css#f");
    check("un.css?#iefix", "/static/un.0674272bac07.css?#iefix");
    check("un%20d/x%20y.css", "/static/un d/x y.9dd4e461268c.css");
    check("un d//x y.css", "/static/un d/x y.9dd4e461268c.css");
    check("un d/./x y.css", "/static/un d/x y.9dd4e461268c.css");
    check("dir", "/static/dir");
    check("dir?x", "/static/dir?x?x");
    check("noext", "/static/noext.7b8b965ad4bc");
    check(".hidden", "/static/.hidden.7b8b965ad4bc");
    check("./un.css", "/static/un.0674272bac07.css");
    check("un.css?a//b", "/static/un.0674272bac07.css?a/b?a/b");
    check("un.css ", "/static/un.0674272bac07.css");
    check("", "/static/");
    // Here Django gives up.
    check("no.css?x#f", "/static/no.css?x#f");
    check("../un.css", "/un.css");
    check("/un.css", "/static/un.css");
    let url = manifest().url_lenient(STATIC, "un.css", None);
    assert_eq!(url.as_deref(), Ok("/static/un.css"));
    let invalid = manifest().url_lenient(STATIC, "//[x/a.css", None);
    assert!(matches!(invalid, Err(UrlError::Invalid(_))));
}

#[test]
fn says_what_was_meant() {
    let check = |name: &str, expected: &str| {
        let error = manifest().url(STATIC, name).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        "b.css",
        "Missing staticfiles manifest entry for 'b.css'; did you mean 'a.css'?",
    );
    check(
        "none%20at all.svg?x",
        "Missing staticfiles manifest entry for 'none at all.svg'",
    );
    check(
        "//[x/a.css",
        "'//[x/a.css' reads as an invalid URL; percent-encode its brackets",
    );
}

#[test]
fn opens_a_directory_or_its_manifest() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("staticfiles.json");
    let error = |path: &Path| Manifest::open(path).unwrap_err().to_string();
    assert!(error(directory.path()).contains("staticfiles.json (No such file"));
    assert!(error(&directory.path().join("none")).contains("name the published directory"));
    fs::write(&file, "{}").unwrap();
    assert!(
        error(directory.path()).contains("staticfiles.json is of no use: it is not a manifest")
    );
    fs::write(&file, manifest().to_text()).unwrap();
    assert_eq!(Manifest::open(directory.path()).unwrap(), manifest());
    assert_eq!(Manifest::open(&file).unwrap(), manifest());
}
