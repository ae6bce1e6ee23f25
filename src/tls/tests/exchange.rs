//! Files exchanged under open connections, one after the other, and by their links.

use std::os::unix::fs::symlink;

use super::handshake::{Pair, both_versions};
use super::*;

/// Whether a change is noticed, loaded, and then over.
#[track_caller]
fn check_noticed(change: impl FnOnce(&Files)) {
    let files = Files::new();
    let old = leaf(&files.pair("a", &["a.test"]).0);
    fs::create_dir(files.path("1")).unwrap();
    fs::rename(files.path("a.crt"), files.path("1/a.crt")).unwrap();
    fs::rename(files.path("a.key"), files.path("1/a.key")).unwrap();
    symlink("1", files.path("live")).unwrap();
    symlink("live/a.crt", files.path("a.crt")).unwrap();
    symlink("live/a.key", files.path("a.key")).unwrap();
    let names = (files.path("a.crt"), files.path("a.key"));
    let certificates = Certificates::load(options(std::slice::from_ref(&names))).unwrap();
    assert!(!certificates.have_changed());
    let mut open = connect(&files, &certificates);
    assert_eq!(open.leaf(), old);

    change(&files);
    assert!(certificates.have_changed());
    certificates.reload().unwrap();
    assert!(!certificates.have_changed());
    let new = leaf(&names.0);
    assert_ne!(new, old);
    assert_eq!(connect(&files, &certificates).leaf(), new);
    open.echo(b"still here");
}

fn connect(files: &Files, certificates: &Certificates) -> Pair {
    Pair::connect(certificates.config(), &both_versions(files), "a.test").unwrap()
}

#[test]
fn notices_what_acme_clients_and_kubernetes_do() {
    // Written in place.
    check_noticed(|files| {
        files.pair("live/a", &["a.test"]);
    });
    // Renamed over.
    check_noticed(|files| {
        files.pair("live/new", &["a.test"]);
        fs::rename(files.path("live/new.crt"), files.path("live/a.crt")).unwrap();
        fs::rename(files.path("live/new.key"), files.path("live/a.key")).unwrap();
    });
    // The links of the files exchanged, as certbot does.
    check_noticed(|files| {
        files.pair("new", &["a.test"]);
        for name in ["a.crt", "a.key"] {
            fs::remove_file(files.path(name)).unwrap();
            symlink(name.replace('a', "new"), files.path(name)).unwrap();
        }
    });
    // The link of the directory exchanged, as Kubernetes does.
    check_noticed(|files| {
        fs::create_dir(files.path("2")).unwrap();
        files.pair("2/a", &["a.test"]);
        symlink("2", files.path("next")).unwrap();
        fs::rename(files.path("next"), files.path("live")).unwrap();
    });
}

#[test]
fn waits_for_the_other_file() {
    let files = Files::new();
    let names = files.pair("a", &["a.test"]);
    let old = leaf(&names.0);
    let certificates = Certificates::load(options(std::slice::from_ref(&names))).unwrap();
    let key = KeyPair::generate().unwrap();
    files.write("a.crt", &files.issue(&["a.test"], &key));
    for _ in 0..2 {
        assert!(certificates.have_changed());
        let error = certificates.reload().unwrap_err();
        assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
        assert_eq!(connect(&files, &certificates).leaf(), old);
    }
    files.write("a.key", &key.serialize_pem());
    certificates.reload().unwrap();
    assert!(!certificates.have_changed());
    assert_eq!(connect(&files, &certificates).leaf(), leaf(&names.0));
}

#[test]
fn loads_all_or_none() {
    let files = Files::new();
    let (a, b) = (files.pair("a", &["a.test"]), files.pair("b", &["b.test"]));
    let old = leaf(&a.0);
    let certificates = Certificates::load(options(&[a.clone(), b.clone()])).unwrap();
    files.pair("a", &["a.test"]);
    fs::remove_file(&b.1).unwrap();
    assert!(certificates.have_changed());
    assert!(certificates.reload().is_err());
    assert_eq!(connect(&files, &certificates).leaf(), old);
    assert!(certificates.have_changed());
}
