//! Request heads as clients send them: wrk, curl, a browser.

/// What wrk sends, for the small file.
pub(super) const PLAIN: &str = "GET /a.css HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// What a browser sends with every request, behind the request line.
const BROWSER_FIELDS: &str = "Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
Accept: text/css,*/*;q=0.1\r\n\
Accept-Language: en-GB,en;q=0.5\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Connection: keep-alive\r\n\
Referer: https://www.example.org/index.html\r\n\
Sec-Fetch-Dest: style\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Sec-Fetch-Site: same-origin\r\n\
Priority: u=2\r\n";

/// `Accept-Encoding` of a browser over plain text, of `curl --compressed`, and with weights.
pub(super) const ACCEPT_BROWSER: &str = "gzip, deflate, br, zstd";
pub(super) const ACCEPT_CURL: &str = "deflate, gzip, br, zstd";
pub(super) const ACCEPT_WEIGHTS: &str = "br;q=1.0, gzip;q=0.8, zstd;q=0.85, *;q=0.1";

/// A browser asks for `target`; `further` are field lines.
pub(super) fn browser(target: &str, further: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{BROWSER_FIELDS}{further}\r\n")
}

/// As wrk does, with another method or target, or with `further` field lines.
pub(super) fn plain(method: &str, target: &str, further: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{further}\r\n")
}
