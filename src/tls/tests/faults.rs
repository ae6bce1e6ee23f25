//! Every error and warning, by its words.

use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};

use super::*;

/// The error with `chain` and `key`, without the path of the directory.
#[track_caller]
fn check(files: &Files, chain: &str, key: &str, expected: &str) {
    let pair = (files.path(chain), files.path(key));
    let error = Certificates::load(options(&[pair])).unwrap_err();
    let directory = format!("{}/", files.directory.path().display());
    assert_eq!(error.to_string().replace(&directory, ""), expected);
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let files = Files::new();
    files.pair("good", &["a.test"]);
    let check = |chain, key, expected| check(&files, chain, key, expected);
    check(
        "absent",
        "good.key",
        "cannot read absent: No such file or directory (os error 2); is the path right, and has \
         the certificate been issued?",
    );
    fs::create_dir(files.path("directory")).unwrap();
    check(
        "directory",
        "good.key",
        "directory is no regular file; name the file itself that holds the certificate",
    );
    files.write("empty", "\n");
    check(
        "good.crt",
        "empty",
        "empty is empty; it may still be written, or a disk was full when it was",
    );
    files.write("large", &"x".repeat((1 << 20) + 1));
    check(
        "large",
        "good.key",
        "large has more than 1 MiB, too much for a certificate; is it another file?",
    );
}

#[test]
fn says_what_is_wrong_with_pem() {
    let files = Files::new();
    let (chain, key) = files.pair("good", &["a.test"]);
    let check = |chain, key, expected| check(&files, chain, key, expected);
    let text = fs::read_to_string(&chain).unwrap();
    files.write("cut", &text[..text.len() / 2]);
    check(
        "cut",
        "good.key",
        "cut has a part without an end; it was copied in part, its lines were joined, or it is still \
         written",
    );
    files.write("garbled", &text.replacen("MII", "M!I", 1));
    check(
        "garbled",
        "good.key",
        "garbled has a part that is not base64; copy the file again as a whole",
    );
    // All of a key in one line: it must not appear in a message.
    let secret = fs::read_to_string(key).unwrap().replace('\n', "");
    files.write("line", &secret);
    check(
        "good.crt",
        "line",
        "line has a part without an end; it was copied in part, its lines were joined, or it is \
         still written",
    );
    files.write(
        "begin",
        &text.replacen("CERTIFICATE-----", "CERTIFICATE", 1),
    );
    check(
        "begin",
        "good.key",
        "begin has a malformed line of -----BEGIN …-----; copy the file again as a whole",
    );
    fs::write(files.path("der"), leaf(&chain)).unwrap();
    check(
        "der",
        "good.key",
        "der holds no PEM; if it is DER or PKCS #12, convert it: openssl x509 -inform DER -in \
         FILE -out NEW-FILE",
    );
}

#[test]
fn says_which_file_is_which() {
    let files = Files::new();
    files.pair("good", &["a.test"]);
    let check = |chain, key, expected| check(&files, chain, key, expected);
    check(
        "good.key",
        "good.crt",
        "good.key holds a private key but no certificate; name the chain, often called \
         fullchain.pem",
    );
    check(
        "good.crt",
        "good.crt",
        "good.crt holds certificates but no private key; name the key of the certificate, often \
         called privkey.pem",
    );
    let part = |label: &str, header: &str| {
        format!("-----BEGIN {label}-----\n{header}AAAA\n-----END {label}-----\n")
    };
    files.write("request", &part("CERTIFICATE REQUEST", ""));
    check(
        "request",
        "good.key",
        "request holds a request for a certificate but no certificate; name the chain, often \
         called fullchain.pem",
    );
    files.write("public", &part("PUBLIC KEY", ""));
    check(
        "good.crt",
        "public",
        "public holds a public key but no private key; name the key of the certificate, often \
         called privkey.pem",
    );
    files.write("parameters", &part("DH PARAMETERS", ""));
    check(
        "parameters",
        "good.key",
        "parameters holds something else but no certificate; name the chain, often called \
         fullchain.pem",
    );
}

#[test]
fn says_what_is_wrong_with_a_key() {
    let files = Files::new();
    files.pair("good", &["a.test"]);
    files.pair("other", &["b.test"]);
    let check = |chain, key: &str, expected: &str| check(&files, chain, key, expected);
    let encrypted = "holds an encrypted key, and nobody is there to type its passphrase; decrypt \
                     it: openssl pkey -in FILE -out NEW-FILE";
    files.write(
        "pkcs8",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    check("good.crt", "pkcs8", &format!("pkcs8 {encrypted}"));
    files.write(
        "old",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
         AAAA\n-----END RSA PRIVATE KEY-----\n",
    );
    check("good.crt", "old", &format!("old {encrypted}"));
    files.write(
        "useless",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    check(
        "good.crt",
        "useless",
        "useless holds a private key of no use here; take ECDSA on P-256, P-384 or P-521, RSA \
         from 2048 to 8192 bits, or Ed25519",
    );
    check(
        "good.crt",
        "other.key",
        "the key in other.key is not that of the certificate in good.crt; one of them may have \
         been renewed without the other, or they are in another order than the others given",
    );
}

#[test]
fn says_what_is_wrong_with_a_chain() {
    let files = Files::new();
    let (chain, _) = files.pair("good", &["a.test"]);
    let leaf = fs::read_to_string(chain).unwrap();
    let check = |chain, key, expected| check(&files, chain, key, expected);
    files.write("reversed", &(files.authority.pem() + &leaf));
    check(
        "reversed",
        "good.key",
        "the key belongs to certificate 2 in reversed; put that one first, and after it its \
         issuers in order",
    );
    files.write(
        "garbage",
        &(leaf + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    );
    check(
        "garbage",
        "good.key",
        "certificate 2 in garbage cannot be understood (TrailingData(SignedData)); copy it again, or \
         have it issued again",
    );
    files.write("version-1", VERSION_1);
    check(
        "version-1",
        "good.key",
        "certificate 1 in version-1 is of X.509 version 1, which names no hosts; have it issued \
         with a subjectAltName",
    );
}

#[test]
fn needs_a_certificate() {
    let error = Certificates::load(options(&[])).unwrap_err();
    let expected = "TLS has no certificate; name the files of a chain and its key";
    assert_eq!(error.to_string(), expected);
}

/// What is said of a certificate that was changed by `change`.
#[track_caller]
fn check_warning(change: impl FnOnce(&mut CertificateParams), expected: Option<&str>) {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let chain = files.issue_with(&["a.test"], &key, change);
    check_warnings(&files, &chain, &key, expected);
}

#[track_caller]
fn check_warnings(files: &Files, chain: &str, key: &KeyPair, expected: Option<&str>) {
    let provider = aws_lc_rs::default_provider();
    let chain = files::read(&files.write("c", chain), Part::Certificate).unwrap();
    let key = files::read(&files.write("k", &key.serialize_pem()), Part::Key).unwrap();
    let certificate = Certificate::of(&chain, &key, &provider).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW));
    let warnings = certificate.warnings(now);
    let directory = format!("{}/", files.directory.path().display());
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let expected: Vec<&str> = expected.into_iter().collect();
    assert_eq!(said.join("\n").replace(&directory, ""), expected.join("\n"));
}

#[test]
fn warns_of_what_clients_refuse() {
    check_warning(|_| {}, None);
    // What `openssl req -x509` makes.
    check_warning(
        |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        None,
    );
    check_warning(
        |params| params.not_after = rcgen::date_time_ymd(2026, 1, 1),
        Some("the certificate in c expired 31 days ago; clients refuse it, renew it"),
    );
    check_warning(
        |params| params.not_before = rcgen::date_time_ymd(2026, 2, 3),
        Some(
            "the certificate in c is valid only in 2 days; clients refuse it until then, or is \
             this clock wrong?",
        ),
    );
    let client = vec![ExtendedKeyUsagePurpose::ClientAuth];
    check_warning(
        |params| params.extended_key_usages = client,
        Some(
            "the certificate in c is not meant for servers; clients refuse it, have it issued \
             with the extended key usage serverAuth",
        ),
    );
}

#[test]
fn warns_of_a_broken_chain() {
    let (files, stranger) = (Files::new(), Files::new());
    let key = KeyPair::generate().unwrap();
    let leaf = files.issue(&["a.test"], &key);
    let whole = leaf.clone() + &files.authority.pem();
    check_warnings(&files, &whole, &key, None);
    let other = stranger.issue(&["b.test"], &KeyPair::generate().unwrap());
    let broken = whole + &other;
    let expected = "certificate 3 in c is not the issuer of the one before it; clients may find \
                    no way to a root, put each issuer after what it issued";
    check_warnings(&files, &broken, &key, Some(expected));
}

#[test]
fn warns_of_a_key_that_everybody_may_read() {
    let files = Files::new();
    let (_, path) = files.pair("a", &["a.test"]);
    let check = |mode, expected: Option<&str>| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let warning = files::warning(&files::read(&path, Part::Key).unwrap());
        let said = warning.map(|warning| warning.to_string());
        let path = path.display().to_string();
        let expected = expected.map(|text| text.replace("PATH", &path));
        assert_eq!(said, expected, "{mode:o}");
    };
    let expected = "every user may read the private key in PATH; take that away: chmod o= PATH";
    check(0o600, None);
    check(0o640, None);
    check(0o644, Some(expected));
}

/// 2026-02-01.
const NOW: u64 = 1_769_904_000;

/// As `openssl x509 -req` makes without extensions.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBITCByQIUQfAwvN+8A/neA7NwSjRx9YJuqOkwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJdmVyc2lvbi0xMB4XDTI2MTEyNDAzMTIxNloXDTM2MTEyMTAzMTIxNlow
FDESMBAGA1UEAwwJdmVyc2lvbi0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
MENypp2aBYaXVJkJivhllj2WBdTtByTEk746myDY+93UdLdm9CEY3mOByP8LFWvW
LIs/t4fTXswPWva7MKTjYTAKBggqhkjOPQQDAgNHADBEAiAGvR//qWhLGWtPr75z
yqe9MH6Jm+r0mSHl29E2Uk8k6QIgcQa8z1Lzyn5lQJoyFG/AnuL4Vpd5qif36jZG
DA12LOc=
-----END CERTIFICATE-----";
