//! Assets behind axum, hyper's bodies and a fallback, without a socket.

use std::fs;

use ::http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn site() -> (tempfile::TempDir, Assets) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.css"), "body {}").unwrap();
    let large = b"0123456789".repeat(100_000);
    fs::write(directory.path().join("large.bin"), large).unwrap();
    let assets = Assets::load(&Config::for_directory(directory.path())).unwrap();
    (directory, assets)
}

fn request(method: Method, path: &str, range: Option<&str>) -> Request<String> {
    let mut request = Request::new(String::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    if let Some(range) = range {
        let headers = request.headers_mut();
        headers.insert(header::RANGE, range.parse().unwrap());
    }
    request
}

#[test]
fn streams_files_in_windows() {
    let (_directory, assets) = site();
    let check = |method, path, range, status: u16, length: u64, frames: usize| {
        let request = request(method, path, range);
        let response = run(assets.clone().oneshot(request)).unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        let mut body = response.into_body();
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(length));
        let (mut count, mut bytes) = (0, Vec::new());
        run(async {
            while let Some(frame) = body.frame().await {
                count += 1;
                bytes.extend_from_slice(frame.unwrap().data_ref().unwrap());
            }
        });
        assert_eq!((bytes.len() as u64, count), (length, frames), "{path}");
        let is_digit = |(at, byte): (usize, &u8)| usize::from(byte - b'0') == at % 10;
        assert!(path != "/large.bin" || status != 200 || bytes.iter().enumerate().all(is_digit));
    };
    check(Method::GET, "/a.css", None, 200, 7, 1);
    check(Method::HEAD, "/a.css", None, 200, 0, 0);
    check(Method::GET, "/none", None, 404, 14, 1);
    check(Method::POST, "/a.css", None, 405, 23, 1);
    check(Method::GET, "/large.bin", None, 200, 1_000_000, 8);
    check(Method::HEAD, "/large.bin", None, 200, 0, 0);
    check(Method::GET, "/large.bin", Some("bytes=10-19"), 206, 10, 1);
}

#[test]
fn breaks_off_if_the_file_changes() {
    let (directory, assets) = site();
    let request = request(Method::GET, "/large.bin", None);
    let mut body = run(assets.oneshot(request)).unwrap().into_body();
    assert!(run(body.frame()).unwrap().is_ok());
    fs::write(directory.path().join("large.bin"), "short").unwrap();
    assert!(run(body.frame()).unwrap().is_err());
    assert!(run(body.frame()).is_none());
}

#[test]
fn serves_what_is_reloaded() {
    let (directory, assets) = site();
    let status = |path| {
        let response = assets.clone().oneshot(request(Method::GET, path, None));
        run(response).unwrap().status()
    };
    fs::write(directory.path().join("b.css"), "").unwrap();
    assert_eq!(status("/b.css"), StatusCode::NOT_FOUND);
    assets.reload().unwrap();
    assert_eq!(status("/b.css"), StatusCode::OK);
    assert_eq!((assets.file_count(), assets.memory_bytes()), (3, 7));
    fs::remove_dir_all(directory.path()).unwrap();
    assert!(assets.reload().is_err());
    assert_eq!(status("/b.css"), StatusCode::OK);
}

#[test]
fn passes_on_what_names_no_file() {
    let (_directory, assets) = site();
    let echo = tower::service_fn(|request: Request<String>| async move {
        Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
    });
    let app = assets.with_fallback(echo);
    let check = |method, path, expected: &str| {
        let response = run(app.clone().oneshot(request(method, path, None))).unwrap();
        let body = run(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body, expected, "{path}");
    };
    check(Method::GET, "/a.css", "body {}");
    check(Method::GET, "/none", "/none");
    check(Method::POST, "/a.css", "405 Method Not Allowed\n");
    check(Method::POST, "/none", "/none");
    check(Method::GET, "/%zz", "400 Bad Request\n");
}

#[test]
fn is_what_axum_takes() {
    let (_directory, assets) = site();
    let app: axum::Router = axum::Router::new()
        .route("/hello", axum::routing::get(|| async { "hello" }))
        .nest_service("/static", assets.clone())
        .fallback_service(assets);
    for (path, expected) in [
        ("/hello", "hello"),
        ("/static/a.css", "body {}"),
        ("/a.css", "body {}"),
        ("/none", "404 Not Found\n"),
    ] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = run(app.clone().oneshot(request)).unwrap();
        let body = run(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body, expected, "{path}");
    }
}
