//! Files that an application names, found, chosen from and refused.

use std::path::PathBuf;

use super::*;
use ::http::Request;

struct Fixture {
    _directory: tempfile::TempDir,
    root: PathBuf,
    roots: Rc<[Root]>,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    std::fs::create_dir_all(root.join("a b")).unwrap();
    std::fs::write(root.join("a b/f"), "0123456789").unwrap();
    std::fs::write(directory.path().join("out"), "out").unwrap();
    std::os::unix::fs::symlink("../out", root.join("leaves")).unwrap();
    let roots = open_roots(&[("/kept/".to_owned(), root.clone())]);
    Fixture {
        _directory: directory,
        root,
        roots,
    }
}

fn answer(fixture: &Fixture, request: Request<()>, name: &str, file: &str) -> Response<Content> {
    let (parts, ()) = request.into_parts();
    let sendfile = Sendfile::for_request(&parts, &fixture.roots).unwrap();
    let mut app = Response::new(());
    let fields = app.headers_mut();
    set(fields, HeaderName::try_from(name).unwrap(), file);
    set(fields, header::CONTENT_LENGTH, "0");
    set(fields, header::ETAG, "\"e\"");
    set(fields, header::SET_COOKIE, "c=d");
    let named = take_fields(fields).unwrap();
    let response = sendfile.answer(&named, app.into_parts().0, 1 << 40);
    assert!(!response.headers().contains_key(name));
    response
}

fn get() -> Request<()> {
    Request::new(())
}

#[test]
fn finds_files_below_its_directories_only() {
    let fixture = fixture();
    let check = |name: &str, file: &str, expected: u16| {
        let found = answer(&fixture, get(), name, file);
        assert_eq!(found.status().as_u16(), expected, "{name}: {file}");
    };
    let root = fixture.root.display();
    check("x-sendfile", &format!("{root}/a b/f"), 200);
    check("x-sendfile", &format!("{root}/a b/../a b/f"), 200);
    check("x-sendfile", &format!("{root}/../out"), 404);
    check("x-sendfile", &format!("{root}/leaves"), 404);
    check("x-sendfile", &format!("{root}x/f"), 404);
    check("x-sendfile", &format!("{root}/a b"), 404);
    check("x-sendfile", &format!("{root}"), 404);
    check("x-sendfile", "a b/f", 404);
    check("x-sendfile", "/etc/passwd", 404);
    check("x-accel-redirect", "/kept/a%20b/f", 200);
    check("x-accel-redirect", "/kept/a%20b/f?x", 200);
    check("x-accel-redirect", "/kept/a b/f", 200);
    check("x-accel-redirect", "/kept/%2e%2e/out", 404);
    check("x-accel-redirect", "/kept/../kept/a b/f", 200);
    check("x-accel-redirect", "/kept/leaves", 404);
    check("x-accel-redirect", "/kepta b/f", 404);
    check("x-accel-redirect", "/kept/", 404);
    check("x-accel-redirect", "/other/f", 404);
}

#[test]
fn honours_conditions_and_ranges() {
    let fixture = fixture();
    let check = |fields: &[(&str, &str)], status: u16, bytes: u64, range: Option<&str>| {
        let mut request = get();
        for (name, value) in fields {
            set(
                request.headers_mut(),
                HeaderName::try_from(*name).unwrap(),
                value,
            );
        }
        let found = answer(&fixture, request, "x-accel-redirect", "/kept/a b/f");
        assert_eq!(found.status().as_u16(), status, "{fields:?}");
        assert_eq!(found.body().bytes(), bytes, "{fields:?}");
        let told = found.headers().get(header::CONTENT_RANGE);
        assert_eq!(told.map(|value| value.to_str().unwrap()), range);
        if status == 200 {
            assert_eq!(found.headers()[header::SET_COOKIE], "c=d");
            assert_eq!(found.headers()[header::CONTENT_LENGTH], "10");
            assert!(found.headers().contains_key(header::LAST_MODIFIED));
        }
    };
    check(&[], 200, 10, None);
    check(&[("range", "bytes=2-3")], 206, 2, Some("bytes 2-3/10"));
    check(&[("range", "bytes=20-")], 416, 0, Some("bytes */10"));
    // Those that are near are merged, and several parts are not worth it.
    check(&[("range", "bytes=0-0,5-5")], 206, 6, Some("bytes 0-5/10"));
    check(&[("if-none-match", "\"e\"")], 304, 0, None);
    check(&[("if-none-match", "\"x\"")], 200, 10, None);
    check(&[("if-match", "\"x\"")], 412, 0, None);
    let other = [("range", "bytes=2-3"), ("if-range", "\"x\"")];
    check(&other, 200, 10, None);
}

#[test]
fn an_answer_to_head_has_the_length_and_no_body() {
    let mut request = get();
    *request.method_mut() = Method::HEAD;
    let found = answer(&fixture(), request, "x-accel-redirect", "/kept/a b/f");
    assert_eq!(found.headers()[header::CONTENT_LENGTH], "10");
    assert_eq!(found.body().bytes(), 0);
}
