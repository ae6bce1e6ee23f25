//! Names with the hash of a content in them: Django's `hashed_name`, which reads names as URLs.

use super::Fingerprint;
use crate::staticfiles::python::path::{below_root, join, split, split_extension};
use crate::staticfiles::python::quote::unquote;
use crate::staticfiles::python::strip;
use crate::staticfiles::python::url::{InvalidUrl, SplitUrl};

/// A name that waits for its hash.
#[derive(Debug)]
pub(super) struct Unhashed {
    parts: SplitUrl,
    /// `font.eot?#iefix`: an empty query that is kept.
    has_empty_query: bool,
}

impl Unhashed {
    /// Understands `name` as Django does: percent-decoded and with a query.
    pub(super) fn parse(name: &[u8]) -> Result<Self, InvalidUrl> {
        let mut parts = SplitUrl::parse(&unquote(name))?;
        parts.path = strip(&parts.path).to_vec();
        let has_empty_query = parts.query.is_empty() && memchr::memmem::find(name, b"?#").is_some();
        Ok(Self {
            parts,
            has_empty_query,
        })
    }

    /// The path of the file whose content is hashed.
    pub(super) fn path(&self) -> &[u8] {
        &self.parts.path
    }

    /// The name with the hash before its last extension.
    pub(super) fn with(mut self, fingerprint: &Fingerprint) -> Vec<u8> {
        let (directory, file) = split(&self.parts.path);
        let (root, extension) = split_extension(file);
        let hashed = [root, b".", fingerprint.as_bytes(), extension].concat();
        self.parts.path = join(directory, &hashed);
        if self.has_empty_query {
            self.parts.path.push(b'?');
        }
        self.parts.unsplit()
    }
}

/// The published name of a file `name` with this content, as Django's storage saves it. `None`
/// where Django fails: the name reads as an invalid URL, or as one that leads out of the root.
pub(crate) fn hashed_name(name: &[u8], fingerprint: &Fingerprint) -> Option<Vec<u8>> {
    let hashed = Unhashed::parse(name).ok()?.with(fingerprint);
    below_root(&hashed).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_hash_before_the_last_extension() {
        check("css/app.css", Some("css/app.d41d8cd98f00.css"));
        check("a.tar.gz", Some("a.tar.d41d8cd98f00.gz"));
        check("LICENSE", Some("LICENSE.d41d8cd98f00"));
        check(".htaccess", Some(".htaccess.d41d8cd98f00"));
        check("trailing.", Some("trailing.d41d8cd98f00."));
    }

    #[test]
    fn reads_names_as_urls() {
        check("a%20b.txt", Some("a b.d41d8cd98f00.txt"));
        check("a#b.txt", Some("a.d41d8cd98f00#b.txt"));
        check("c?d.txt", Some("c.d41d8cd98f00?d.txt"));
        check("c?#d.txt", Some("c.d41d8cd98f00?#d.txt"));
        check(" \ta\tb.txt", Some("ab.d41d8cd98f00.txt"));
        check("a.txt\u{3000}", Some("a.d41d8cd98f00.txt"));
        check("Data:b.txt", Some("data:b.d41d8cd98f00.txt"));
        check("é.txt", Some("é.d41d8cd98f00.txt"));
    }

    #[test]
    fn knows_names_that_django_fails_on() {
        check("%2e%2e%2fa.txt", None);
        check("a%2f%2e%2e%2f%2e%2e%2fa.txt", None);
        check("%2fa.txt", None);
        check("%2f%2f[.txt", None);
        check("a%00.txt", None);
        // What is behind the mark takes the name back to the root itself.
        check("a#%2f..", None);
    }

    fn check(name: &str, expected: Option<&str>) {
        let hashed = hashed_name(name.as_bytes(), &Fingerprint::of(b""));
        let hashed = hashed.map(|name| String::from_utf8(name).unwrap());
        assert_eq!(hashed.as_deref(), expected, "{name:?}");
    }
}
