//! The files that are asked for, what a fresh connection gets for each of them, and whether a
//! later answer is the same.

use std::path::Path;

use crate::answer::Answer;
use crate::plan::{Plan, Range, Wanted, content};
use crate::support::site::{CSS_BROTLI, Site, css, gzip, zstd};

/// All files below one root.
pub(crate) struct Files {
    site: Site,
    files: Vec<File>,
}

/// One file and the ways in which it may come.
struct File {
    url: String,
    representations: Vec<Representation>,
}

/// One encoding of a file.
struct Representation {
    coding: &'static str,
    content: Vec<u8>,
    /// What a fresh connection got with it, without what varies; empty until one has.
    fields: Vec<(String, String)>,
}

impl Files {
    /// Files of many sizes, with and without variants.
    pub(crate) fn new() -> Self {
        let mut files = Self {
            site: Site::empty(),
            files: Vec::new(),
        };
        for (index, bytes) in SIZES.into_iter().enumerate() {
            files.add(
                &format!("data/{bytes}.bin"),
                content(index as u64, bytes),
                &[],
            );
        }
        let css = css();
        let variants = [("br", CSS_BROTLI.to_vec()), ("gzip", gzip(css.as_bytes()))];
        files.add("css/site.css", css.into_bytes(), &variants);
        let text: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        let variants = [
            ("gzip", gzip(text.as_bytes())),
            ("zstd", zstd(text.as_bytes())),
        ];
        files.add("a b/é.txt", text.into_bytes(), &variants);
        files.files.last_mut().unwrap().url = "/a%20b/%C3%A9.txt".to_owned();
        files
    }

    pub(crate) fn root(&self) -> &Path {
        self.site.root()
    }

    pub(crate) const fn count(&self) -> usize {
        self.files.len()
    }

    /// Whether every representation of `file` is long enough for ranges within 200 bytes.
    pub(crate) fn has_ranges(&self, file: usize) -> bool {
        let mut all = self.files[file].representations.iter();
        all.all(|representation| representation.content.len() >= 200)
    }

    pub(crate) fn url(&self, file: usize) -> &str {
        &self.files[file].url
    }

    /// The tag under which a fresh connection got `file` in its own encoding.
    pub(crate) fn etag(&self, file: usize) -> &str {
        let fields = &self.files[file].representations[0].fields;
        let tag = fields.iter().find(|(name, _)| name == "etag");
        tag.map_or("\"unknown\"", |(_, value)| value)
    }

    /// Asks for each representation on a fresh connection and remembers the fields that came.
    pub(crate) fn learn(&mut self, mut fetch: impl FnMut(&str, &str) -> Answer) {
        for file in &mut self.files {
            for representation in &mut file.representations {
                let answer = fetch(&file.url, representation.coding);
                let coding = answer.field("content-encoding").unwrap_or("identity");
                if coding == representation.coding {
                    assert_eq!(answer.content, representation.content, "{}", file.url);
                    representation.fields = lasting(&answer);
                }
            }
        }
    }

    /// Compares an answer with the file and with what a fresh connection got.
    pub(crate) fn check(&self, plan: &Plan, wanted: Wanted, answer: &Answer) -> Result<(), String> {
        let coding = answer.field("content-encoding").unwrap_or("identity");
        let acceptable = wanted.accept_encoding.unwrap_or_default();
        if coding != "identity" && !acceptable.contains(coding) {
            return Err(format!("{coding} is not acceptable"));
        }
        let all = &self.files[wanted.file].representations;
        let Some(representation) = all.iter().find(|other| other.coding == coding) else {
            return Err(format!("there is no {coding}"));
        };
        let whole = &representation.content;
        let is_known = wanted.is_cached && coding == "identity";
        let expected = match wanted.range {
            _ if is_known && answer.status == 304 => &[],
            Some(range) if answer.status == 206 => part(whole, range, answer)?,
            None if answer.status == 200 && !is_known => &whole[..],
            _ => return Err(format!("status {}", answer.status)),
        };
        let expected = if plan.method == "HEAD" { &[] } else { expected };
        if answer.content != expected {
            return Err(format!("{} bytes, not these", answer.content.len()));
        }
        representation.check_fields(answer)
    }

    fn add(&mut self, name: &str, content: Vec<u8>, variants: &[(&'static str, Vec<u8>)]) {
        self.site.file(name, &content);
        for (coding, content) in variants {
            let suffix = match *coding {
                "gzip" => "gz",
                "zstd" => "zst",
                coding => coding,
            };
            self.site.file(&format!("{name}.{suffix}"), content);
        }
        let own = ("identity", content);
        let all = std::iter::once(own).chain(variants.iter().cloned());
        self.files.push(File {
            url: format!("/{name}"),
            representations: all
                .map(|(coding, content)| Representation {
                    coding,
                    content,
                    fields: Vec::new(),
                })
                .collect(),
        });
    }
}

impl Representation {
    /// The same fields as on a fresh connection, in any order.
    fn check_fields(&self, answer: &Answer) -> Result<(), String> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let fields = lasting(answer);
        let is_known = |field: &&(String, String)| !self.fields.contains(field);
        if let Some(strange) = fields.iter().find(is_known) {
            return Err(format!("{strange:?} is not in {:?}", self.fields));
        }
        // RFC 9110 §15.4.5: a 304 says less, and that a part is one goes without saying.
        let is_said = |field: &&(String, String)| {
            fields.contains(field) || (answer.status == 206 && field.0 == "accept-ranges")
        };
        if answer.status != 304 && !self.fields.iter().all(|field| is_said(&field)) {
            return Err(format!("{fields:?} is not {:?}", self.fields));
        }
        Ok(())
    }
}

/// The bytes of `whole` that `range` names, if the answer says the same.
fn part<'a>(whole: &'a [u8], range: Range, answer: &Answer) -> Result<&'a [u8], String> {
    let (first, end) = match range {
        Range::Between(first, last) => (first, (last + 1).min(whole.len())),
        Range::From(first) => (first, whole.len()),
        Range::Last(count) => (whole.len() - count, whole.len()),
    };
    let expected = format!("bytes {first}-{}/{}", end - 1, whole.len());
    match answer.field("content-range") {
        Some(said) if said == expected => Ok(&whole[first..end]),
        said => Err(format!("Content-Range is {said:?}, not {expected}")),
    }
}

/// The fields that say something of the representation.
fn lasting(answer: &Answer) -> Vec<(String, String)> {
    let passing = [
        "date",
        "connection",
        "keep-alive",
        "content-length",
        "content-range",
        "transfer-encoding",
    ];
    let mut fields = answer.fields.clone();
    fields.retain(|(name, _)| !passing.contains(&name.as_str()));
    fields.sort();
    fields
}

const SIZES: [usize; 8] = [0, 1, 300, 1_024, 10_240, 100_000, 300_000, 2_500_000];
