//! Releases packed as tar files are served as the directories they were made from.

use tar::{Builder, EntryType, Header};

use super::*;

/// Packs what `site` has at `/`, as `tar cf - -C 0 .` does.
fn pack(site: &Site) -> &'static [u8] {
    let mut builder = Builder::new(Vec::new());
    builder.append_dir_all(".", site.path("0")).unwrap();
    builder.into_inner().unwrap().leak()
}

/// One entry of its own.
fn entry(kind: EntryType, name: &str, link: Option<&str>, content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_size(content.len() as u64);
    header.set_mtime(1_700_000_000);
    header.set_cksum();
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

/// Everything a client can see of `snapshot`.
fn seen(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (path, entry) in &snapshot.entries {
        let path = path.escape_ascii();
        let Entry::Asset(index) = entry else {
            lines.push(format!("{path} {entry:?}"));
            continue;
        };
        for variant in &snapshot.asset(*index).variants {
            let Body::Memory(bytes) = &variant.body else {
                panic!("{path} is on disk");
            };
            let heads = [variant.heads.ok(), variant.heads.not_modified()].concat();
            let (heads, bytes) = (heads.escape_ascii(), bytes.escape_ascii());
            lines.push(format!("{path} {heads} {bytes}"));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_packed_release_is_what_was_packed() {
    let long = format!("{}/{}.css", "d".repeat(120), "f".repeat(150));
    let manifest = br#"{"version": "1.1", "hash": "", "paths": {"a.css": "a.0123456789ab.css"}}"#;
    let mut site = Site::new(&[
        ("a.css", A1000),
        ("a.css.br", BROTLI_A1000),
        ("a.0123456789ab.css", A1000),
        ("index.html", b"<h1>"),
        ("d/index.html", b""),
        (&long, b"long"),
        (".hidden", b"x"),
        (".well-known/security.txt", b"x"),
        ("d/.hidden/x", b"x"),
        ("staticfiles.json", manifest),
    ]);
    for name in ["a.css", "a.0123456789ab.css", "index.html", "d/index.html"] {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        site.set_modified(&format!("0/{name}"), modified);
    }
    let archive = pack(&site);
    let directory = site.load(&[]);

    site.options.sources.clear();
    site.options.memory_budget_bytes = 0;
    site.options.packed.push(PackedSource {
        prefix: "/".to_owned(),
        release: Packed::parse(archive).unwrap(),
    });
    let packed = site.load(&[]);
    assert_eq!(seen(&packed), seen(&directory));
    assert!(head(asset(&packed, "/a.0123456789ab.css")).contains("immutable"));
    assert_eq!(codings(asset(&packed, "/a.css")).len(), 2);

    // Nothing is copied.
    let within = archive.as_ptr_range();
    for variant in packed.assets.iter().flat_map(|asset| &asset.variants) {
        let Body::Memory(bytes) = &variant.body else {
            panic!("on disk");
        };
        assert!(bytes.is_empty() || within.contains(&bytes.as_ptr()));
    }
}

#[test]
fn directories_have_precedence() {
    let mut site = Site::new(&[("a", b"packed"), ("b", b"packed")]);
    let release = Packed::parse(pack(&site)).unwrap();
    fs::write(site.path("0/a"), "directory").unwrap();
    fs::remove_file(site.path("0/b")).unwrap();
    for prefix in ["/", "/p/"] {
        site.options.packed.push(PackedSource {
            prefix: prefix.to_owned(),
            release: release.clone(),
        });
    }
    let snapshot = site.load(&[]);
    let body = |path| match &asset(&snapshot, path).variants[0].body {
        Body::Memory(bytes) => bytes.clone(),
        Body::File(_) => panic!("{path} is on disk"),
    };
    assert_eq!(body("/a"), "directory");
    assert_eq!(body("/b"), "packed");
    assert_eq!(body("/p/a"), "packed");
}

#[test]
fn says_what_is_no_packed_release() {
    let check = |archive: Vec<u8>, expected: Result<usize, &str>| {
        let found = Packed::parse(archive.leak());
        let found = found.map(|packed| packed.file_count());
        match (found, expected) {
            (Ok(count), Ok(expected)) => assert_eq!(count, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    };
    let file = entry(EntryType::Regular, "a", None, b"abc");
    let end = file.len() - 1024;
    let hard = entry(EntryType::Link, "b", Some("./a"), b"");
    check(file.clone(), Ok(1));
    check([&file[..end], &hard].concat(), Ok(2));
    check(hard, Err("neither a file nor"));
    check(file[..513].to_vec(), Err("damaged"));
    check(b"x".repeat(2_000), Err("damaged"));
    check(vec![0; 1024], Ok(0));
    check(vec![], Ok(0));
    check(gzip(&file), Err("compressed"));
    check(zstd(&file), Err("compressed"));
    let link = entry(EntryType::Symlink, "c", Some("a"), b"");
    check(link, Err("--dereference"));
    check(entry(EntryType::Regular, "../x", None, b"abc"), Ok(0));
}
