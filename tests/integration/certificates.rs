//! Certificates that are exchanged while a server runs.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::server::{Serve, Server};
use crate::support::site::Site;
use crate::support::{Engine, SOON, eventually};

/// Writes a new certificate and its key.
fn make(site: &Site) {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    fs::write(site.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(site.path("chain.pem"), made.cert.pem()).unwrap();
}

fn count(server: &Server, text: &str) -> usize {
    server.stderr().matches(text).count()
}

/// Was said every two seconds.
#[test]
fn a_certificate_that_cannot_be_used_is_spoken_of_once() {
    let site = Site::small();
    make(&site);
    let (chain, key) = (site.path("chain.pem"), site.path("key.pem"));
    let server = Serve::new(Engine::Epoll, site.root())
        .flags(["--tls-bind", "127.0.0.1:0", "--tls-cert"])
        .flags([&chain])
        .flags(["--tls-key"])
        .flags([&key])
        .start();
    fs::write(&chain, "nonsense").unwrap();
    let failed = "those loaded before stay in use";
    eventually("it is noticed", SOON, || count(&server, failed) > 0);
    // It is looked at again meanwhile.
    thread::sleep(Duration::from_millis(4_500));
    assert_eq!(count(&server, failed), 1, "{}", server.stderr());
    server.signal(libc::SIGHUP);
    eventually("who asks is told", SOON, || count(&server, failed) == 2);
    make(&site);
    eventually("it is mended", SOON, || {
        count(&server, "certificates reloaded") > 0
    });
    assert!(TcpStream::connect(server.tls_address()).is_ok());
}
