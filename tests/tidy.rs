//! The architecture as a test: who may import whom, where unsafe code and output may be, and a
//! header on every file. It reads the sources as text; the compiler is asked nothing.
#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::fs;
use std::path::{Path, PathBuf};

/// Which top-level modules of the library each one may name. An edge that is not listed fails.
const IMPORTS: [(&str, &[&str]); 15] = [
    ("adapter", &["config", "server", "service", "assets", "sys"]),
    (
        "server",
        &[
            "config",
            "reactor",
            "lane",
            "fallback",
            "tls",
            "application",
            "assets",
            "sys",
        ],
    ),
    (
        "lane",
        &["connection", "service", "fallback", "assets", "http", "sys"],
    ),
    ("service", &["assets", "http"]),
    ("fallback", &["http"]),
    ("application", &["sys"]),
    ("tls", &["sys"]),
    ("reactor", &["connection", "sys"]),
    ("connection", &["http", "assets"]),
    ("assets", &["http", "manifest", "sys"]),
    ("staticfiles", &["http", "manifest", "sys"]),
    ("http", &[]),
    ("manifest", &[]),
    ("config", &[]),
    ("sys", &[]),
];

/// What only commands may use.
const OUTPUTS: [&str; 5] = [
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "process::exit",
];

/// The only file outside `src/sys` that may be unsafe.
const UNSAFE_TEST_SUPPORT: &str = "tests/integration/support/sandbox.rs";

#[test]
fn imports_follow_the_table() {
    let mut faults = Vec::new();
    for file in files("src") {
        let code = code_of(&file.text);
        let (module, depth) = place(&file.name);
        for name in crate_names(&code, depth) {
            if !may_name(&module, &name) {
                faults.push(format!("{}: {module} may not import {name}", file.name));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_table_has_no_circle() {
    // Whoever imports stands above whom it imports; so there is an order, found by peeling.
    let mut left: Vec<_> = IMPORTS.to_vec();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, imports)| imports.iter().any(|import| names.contains(import)));
        assert!(left.len() < before, "a circle among {names:?}");
    }
}

#[test]
fn only_sys_is_unsafe() {
    let mut faults = Vec::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(files) {
        let allowed = file.name.starts_with("src/sys/") || file.name == UNSAFE_TEST_SUPPORT;
        if !allowed && words(&code_of(&file.text)).any(|word| word == "unsafe") {
            faults.push(format!("{}: unsafe code", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn only_cli_prints_or_exits() {
    let mut faults = Vec::new();
    for file in files("src") {
        if file.name.starts_with("src/cli/") || file.name == "src/main.rs" {
            continue;
        }
        for output in outputs(&file) {
            faults.push(format!("{}: {output}", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn finds_what_is_printed() {
    let check = |name: &str, text: &str, expected: &[&str]| {
        let (name, text) = (name.to_owned(), text.to_owned());
        assert_eq!(outputs(&SourceFile { name, text }), expected);
    };
    check("src/a.rs", "fn a() { eprintln!(\"b\") }", &["eprintln!"]);
    check("src/a.rs", "std::process::exit(1)", &["process::exit"]);
    check("src/a.rs", "writeln!(a); // println!", &[]);
    // A test says why it does not run.
    check("src/a.rs", "mod tests { fn a() { eprintln!() } }", &[]);
    check("src/a/tests.rs", "fn a() { eprintln!() }", &[]);
    check("src/a/tests/b.rs", "fn a() { eprintln!() }", &[]);
}

#[test]
fn every_file_opens_with_a_header() {
    let mut faults = Vec::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(files) {
        let header = file.text.lines().take_while(|line| line.starts_with("//!"));
        let says_something = header.clone().any(|line| line.len() > "//! ".len());
        if !says_something {
            faults.push(format!("{}: no //! header", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn tells_code_from_text() {
    let check = |text: &str, code: &str| assert_eq!(code_of(text), code, "{text}");
    check("a // unsafe\nb", "a \nb");
    check("a /* b /* c */ d */ e", "a  e");
    check(r#"a("unsafe \" b", c)"#, r#"a("", c)"#);
    check("a(r#\"un\"safe\"#, br\"\\\", c)", "a(r\"\", br\"\", c)");
    check("'\"' 'a 'static '\\'' b\"c\"", "'' 'a 'static '' b\"\"");
}

#[test]
fn finds_the_names_that_are_imported() {
    let check = |code: &str, depth: usize, names: &[&str]| {
        assert_eq!(crate_names(code, depth), names, "{code}");
    };
    check("use crate::http::Coding;", 2, &["http"]);
    check(
        "use crate::{assets::{A, B}, http, sys::files};",
        2,
        &["assets", "http", "sys"],
    );
    check("let a = crate::sys::open();", 2, &["sys"]);
    check("pub(in crate::server) fn a() {}", 2, &["server"]);
    check("use super::Asset;", 2, &[]);
    check("use super::super::http::Coding;", 2, &["http"]);
    check("use super::{http, sys};", 1, &["http", "sys"]);
    check(
        "mod tests { use super::*; use super::super::http; }",
        2,
        &[],
    );
    check("mod tests { use super::super::super::http; }", 2, &["http"]);
}

#[test]
fn the_table_forbids() {
    assert!(may_name("connection", "http") && may_name("http", "http"));
    assert!(!may_name("http", "connection") && !may_name("sys", "assets"));
    assert!(!may_name("server", "Config") && !may_name("unheard_of", "http"));
    assert!(may_name("lib", "anything") && !may_name("cli", "sys"));
}

/// What `file` prints with or ends the process with, outside its tests.
fn outputs(file: &SourceFile) -> Vec<&'static str> {
    if file.name.ends_with("/tests.rs") || file.name.contains("/tests/") {
        return Vec::new();
    }
    let code = code_of(&file.text);
    let program = &code[..code.find("mod tests {").unwrap_or(code.len())];
    let is_used = |output: &&str| {
        let mut places = program.match_indices(output);
        places.any(|(at, _)| is_word_start(program, at))
    };
    OUTPUTS.into_iter().filter(is_used).collect()
}

/// Whether `module` may name `other` of the same crate.
fn may_name(module: &str, other: &str) -> bool {
    match module {
        // The façade names everything; commands are in a crate of their own with `main`.
        "lib" => true,
        "main" | "cli" => other == "cli",
        _ => IMPORTS.iter().any(|(name, imports)| {
            *name == module && (other == module || imports.contains(&other))
        }),
    }
}

/// The top-level module that a file belongs to, and how many modules deep it is.
fn place(name: &str) -> (String, usize) {
    let path = name
        .strip_prefix("src/")
        .unwrap()
        .strip_suffix(".rs")
        .unwrap();
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.last() == Some(&"mod") {
        parts.pop();
    }
    (parts[0].to_owned(), parts.len())
}

/// The first names below the crate's root that `code`, in a module `depth` deep, refers to.
fn crate_names(code: &str, depth: usize) -> Vec<String> {
    let inline = code.find("mod tests {").unwrap_or(code.len());
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if is_word_start(code, at) {
            names.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    for (at, _) in code.match_indices("super::") {
        let rest = code[at..].trim_start_matches("super::");
        let count = (code.len() - at - rest.len()) / "super::".len();
        let is_first = is_word_start(code, at) && !code[..at].ends_with("super::");
        if is_first && count >= depth + usize::from(at > inline) {
            names.extend(first_names(rest));
        }
    }
    names
}

/// The name that `path` begins with, or those of the group that it begins with.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return words(path).next().map(str::to_owned).into_iter().collect();
    };
    let (mut level, mut start, mut members) = (0_usize, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => level += 1,
            '}' if level > 0 => level -= 1,
            ',' | '}' if level == 0 => {
                members.push(&group[start..at]);
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    members
        .into_iter()
        .filter_map(|member| words(member).next().map(str::to_owned))
        .collect()
}

/// Identifiers and numbers.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !is_word(character))
        .filter(|word| !word.is_empty())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_word_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|character: char| is_word(character) || character == '$')
}

/// `text` without comments and without what is between quotes.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_bytes(rest)
        } else if character == '"' {
            code.push_str("\"\"");
            string_bytes(rest, raw_hash_count(&mut code))
        } else if let Some(bytes) = character_bytes(rest) {
            code.push_str("''");
            bytes
        } else {
            code.push(character);
            character.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// If the code ends with the start of a raw string and its quotes, how many hashes it has; they
/// are taken away, as the end of the string has them too.
fn raw_hash_count(code: &mut String) -> Option<usize> {
    let before = code.strip_suffix("\"\"").unwrap();
    let bare = before.trim_end_matches('#');
    let count = before.len() - bare.len();
    let prefix = words(bare).last().filter(|word| bare.ends_with(word))?;
    if !["r", "br", "cr"].contains(&prefix) {
        return None;
    }
    code.truncate(code.len() - 2 - count);
    code.push_str("\"\"");
    Some(count)
}

/// The length of the string literal that starts `rest`, raw with so many hashes.
fn string_bytes(rest: &str, raw_hash_count: Option<usize>) -> usize {
    if let Some(count) = raw_hash_count {
        let end = format!("\"{}", "#".repeat(count));
        return rest[1..]
            .find(&end)
            .map_or(rest.len(), |at| 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    rest.len()
}

/// The length of the character literal that starts `rest`; none if that is a lifetime or else.
fn character_bytes(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        return Some(3 + escape[1..].find('\'')? + 1);
    }
    let first = inner.chars().next()?.len_utf8();
    inner[first..].starts_with('\'').then_some(first + 2)
}

/// The length of the comment that starts `rest`; comments nest.
fn block_comment_bytes(rest: &str) -> usize {
    let mut level = 0_usize;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            level += 1;
        } else if rest[at..].starts_with("*/") {
            level -= 1;
            if level == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// A source file, its name relative to the package.
struct SourceFile {
    name: String,
    text: String,
}

/// All Rust files below `directory` of the package, which need not exist.
fn files(directory: &str) -> Vec<SourceFile> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![package.join(directory)];
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(directory).into_iter().flatten();
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(package)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push(SourceFile {
                    name,
                    text: fs::read_to_string(path).unwrap(),
                });
            }
        }
    }
    found
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
