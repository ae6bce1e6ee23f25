//! Which certificate answers for which name and to which client, without a handshake.

use rustls::SignatureScheme;

use super::super::error::Warning;
use super::*;

/// Loads certificates for `names` each; those that begin with `rsa:` have an RSA key.
fn load_names(files: &Files, names: &[&[&str]]) -> Vec<Certificate> {
    let rsa = rsa_key();
    let provider = aws_lc_rs::default_provider();
    let load = |(index, names): (usize, &&[&str])| {
        let hosts: Vec<&str> = names.iter().copied().filter(|name| *name != RSA).collect();
        let name = format!("{index}");
        let (chain, key) = match names.contains(&RSA) {
            true => files.pair_of(&name, &hosts, &rsa),
            false => files.pair(&name, &hosts),
        };
        let chain = files::read(&chain, Part::Certificate).unwrap();
        let key = files::read(&key, Part::Key).unwrap();
        Certificate::of(&chain, &key, &provider).unwrap()
    };
    names.iter().enumerate().map(load).collect()
}

/// The place of the certificate that is chosen.
#[track_caller]
fn check(
    certificates: &[Certificate],
    name: Option<&str>,
    schemes: &[SignatureScheme],
    expected: usize,
) {
    let chosen = ByName::of(certificates).choose(name, schemes).unwrap();
    let mut all = certificates.iter();
    let index = all.position(|certificate| Arc::ptr_eq(&certificate.key, &chosen));
    assert_eq!(index, Some(expected), "{name:?} {schemes:?}");
}

#[test]
fn answers_for_names() {
    let files = Files::new();
    let names: [&[&str]; 4] = [
        &["192.0.2.1"],
        &["*.example.org", "example.org"],
        &["a.Example.org"],
        &["*.a.example.org", "*.example.org"],
    ];
    let certificates = load_names(&files, &names);
    let check = |name, expected| check(&certificates, name, MODERN, expected);
    check(None, 0);
    check(Some("unknown.test"), 0);
    check(Some("org"), 0);
    check(Some(""), 0);
    check(Some("."), 0);
    check(Some("example.org"), 1);
    check(Some("example.org."), 1);
    check(Some("b.example.org"), 1);
    check(Some("B.EXAMPLE.ORG."), 1);
    check(Some("a.example.org"), 2);
    check(Some("b.a.example.org"), 3);
    // A wildcard stands for one label.
    check(Some("c.b.a.example.org"), 0);
    check(Some("c.b.example.org"), 0);
    // And is no host.
    check(Some("*.example.org"), 1);
}

#[test]
fn answers_with_a_key_the_client_can_verify() {
    let files = Files::new();
    let names: [&[&str]; 5] = [
        &["a.test", RSA],
        &["a.test"],
        &["a.test"],
        &["b.test", RSA],
        &["c.test"],
    ];
    let certificates = load_names(&files, &names);
    let check = |name, schemes, expected| check(&certificates, Some(name), schemes, expected);
    check("a.test", MODERN, 1);
    check("a.test", OLD, 0);
    check("b.test", MODERN, 3);
    check("b.test", OLD, 3);
    check("c.test", MODERN, 4);
    // The handshake will fail, and say so.
    check("c.test", OLD, 4);
    check("a.test", &[], 1);
    // Both certificates of the first name answer for unknown ones.
    check("unknown.test", MODERN, 1);
    check("unknown.test", OLD, 0);
}

#[test]
fn warns_of_what_is_never_chosen() {
    let files = Files::new();
    let names: [&[&str]; 5] = [
        &["a.test", "*.b.test"],
        &["a.test", RSA],
        &["A.test"],
        &["192.0.2.1"],
        &["*.b.test", "c.test"],
    ];
    let certificates = load_names(&files, &names);
    let warnings = ByName::of(&certificates).warnings(&certificates);
    let expected = [
        Warning::Shadowed {
            path: files.path("2.crt"),
        },
        Warning::Nameless {
            path: files.path("3.crt"),
        },
    ];
    assert_eq!(warnings, expected);
}

/// Not a host: the certificate has an RSA key.
const RSA: &str = "rsa:";

const MODERN: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::ECDSA_NISTP256_SHA256,
];

const OLD: &[SignatureScheme] = &[SignatureScheme::RSA_PKCS1_SHA256];
