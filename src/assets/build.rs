//! Makes one asset of an original and its variants: reads, proves, renders their heads.

use std::io::BufReader;
use std::path::PathBuf;

use super::decode::prove;
use super::headers::{Fields, Headers};
use super::pair::Group;
use super::problem::{Cause, LoadError, Warning, is_exhaustion};
use super::read::{Buffer, Content, Place};
use super::root::Root;
use super::{Asset, Body, Variant};
use crate::http::head::{Heads, Representation};
use crate::http::{Coding, date};
use crate::sys::identity::ReadError;

/// What assets are made with; the same for all.
pub(super) struct Builder<'a> {
    pub(super) roots: &'a [Root],
    pub(super) headers: &'a Headers<'a>,
    /// Later modification times are wrong, and none is sent (RFC 9110 §8.8.2.1).
    pub(super) now_seconds: u64,
}

/// What was read of a group, and what was left out.
pub(super) struct Contents<'a> {
    original: Option<Content>,
    /// At first all that claim to be variants, then those that are.
    variants: Vec<(Coding, &'a Place, Content)>,
    warnings: Vec<Warning>,
}

/// An asset, if its original could be read, and what was left out.
pub(super) struct Built {
    pub(super) asset: Option<Asset>,
    pub(super) warnings: Vec<Warning>,
}

/// The three steps of making an asset. Each is taken for all assets before the next: what the
/// decoders of the second allocate and free must not lie between what the others keep.
///
/// They fail only for what concerns the other files too.
impl Builder<'_> {
    /// First: reads everything of `group`.
    pub(super) fn read<'a>(
        &self,
        group: &'a Group,
        buffer: &mut Buffer,
    ) -> Result<Contents<'a>, LoadError> {
        let mut contents = Contents {
            original: None,
            variants: Vec::with_capacity(group.variants.len()),
            warnings: Vec::new(),
        };
        let mut read = |place: &Place| {
            let content = place.read(self.roots, buffer).map_err(cause);
            self.keep(place, content, &mut contents.warnings)
        };
        contents.original = read(&group.original.place)?;
        for (coding, place) in &group.variants {
            if let Some(content) = read(place)? {
                contents.variants.push((*coding, place, content));
            }
        }
        Ok(contents)
    }

    /// Second: keeps the variants that are their original.
    ///
    /// Only content counts. A variant older than its original is most often stale, but file
    /// times prove nothing either way: neither git nor container layers keep them.
    pub(super) fn prove(
        &self,
        contents: &mut Contents<'_>,
        buffer: &mut Buffer,
    ) -> Result<(), LoadError> {
        let Some(original) = &contents.original else {
            return Ok(());
        };
        let mut result = Ok(());
        contents.variants.retain(|(coding, place, content)| {
            let proof = self.prove_one(*coding, place, content, original, buffer);
            match self.keep(place, proof, &mut contents.warnings) {
                Ok(proof) => proof.is_some(),
                Err(error) => {
                    result = Err(error);
                    false
                }
            }
        });
        result
    }

    /// Third: renders the heads.
    pub(super) fn build(&self, group: &Group, contents: Contents<'_>) -> Built {
        let mut built = Built {
            asset: None,
            warnings: contents.warnings,
        };
        let Some(original) = contents.original else {
            return built;
        };
        let place = &group.original.place;
        let modified_seconds = self.modified_seconds(&original);
        let mut variants = vec![(Coding::Identity, original)];
        let proven = contents.variants.into_iter();
        variants.extend(proven.map(|(coding, _, content)| (coding, content)));
        variants.sort_by_key(|(coding, content)| (content.identity.bytes, *coding));
        let varies = variants.len() > 1;
        let fields = self.headers.fields(&group.original.key, place.root_index);
        let variants: Option<Box<[Variant]>> = variants
            .into_iter()
            .map(|(coding, content)| variant(coding, content, &fields, modified_seconds, varies))
            .collect();
        match variants {
            Some(variants) => {
                built.asset = Some(Asset {
                    variants,
                    modified_seconds,
                });
            }
            None => {
                let path = self.path(place);
                built
                    .warnings
                    .push(Warning::file(path, Cause::HeadTooLarge));
            }
        }
        built
    }

    fn prove_one(
        &self,
        coding: Coding,
        place: &Place,
        content: &Content,
        original: &Content,
        buffer: &mut Buffer,
    ) -> Result<(), Cause> {
        let sha256 = &original.sha256;
        let length = original.identity.bytes;
        if let Some(recorded) = &place.recorded
            && recorded.is_variant_of(&content.sha256, sha256)
        {
            return Ok(());
        }
        let proof = match &content.body {
            Body::Memory(bytes) => prove(coding, &bytes[..], length, sha256, buffer),
            Body::File(_) => {
                let (identity, proof) = place
                    .read_with(self.roots, |file, _| {
                        let file = BufReader::new(file);
                        Ok(prove(coding, file, length, sha256, buffer))
                    })
                    .map_err(cause)?;
                if identity != content.identity {
                    return Err(Cause::Changing);
                }
                proof
            }
        };
        proof.map_err(|reason| Cause::Refused { coding, reason })
    }

    fn modified_seconds(&self, original: &Content) -> Option<u64> {
        let seconds = original.identity.modified_nanos.div_euclid(1_000_000_000);
        let seconds = u64::try_from(seconds).ok()?;
        (1..=self.now_seconds).contains(&seconds).then_some(seconds)
    }

    /// What was done, or nothing and a warning.
    fn keep<T>(
        &self,
        place: &Place,
        content: Result<T, Cause>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<T>, LoadError> {
        match content {
            Ok(content) => Ok(Some(content)),
            Err(Cause::Unreadable(error)) if is_exhaustion(&error) => {
                Err(LoadError::Exhausted(error))
            }
            Err(cause) => {
                warnings.push(Warning::file(self.path(place), cause));
                Ok(None)
            }
        }
    }

    fn path(&self, place: &Place) -> PathBuf {
        let root = self.roots.get(usize::from(place.root_index));
        let name = place.path.as_bytes();
        root.map_or_else(|| super::sources::packed_path(name), |root| root.join(name))
    }
}

/// `asset` as the answer to what is not found: the same bytes, but nothing to revalidate or cut,
/// and nothing that a cache would keep beyond the moment a file appears.
pub(super) fn not_found_page(asset: &Asset, fields: &Fields) -> Option<Asset> {
    let varies = asset.variants.len() > 1;
    let page = |variant: &Variant| {
        let heads = Heads::render(&Representation {
            status: "404 Not Found",
            content_type: &fields.content_type,
            cache_control: Some("no-cache"),
            etag: None,
            last_modified: None,
            coding: variant.coding,
            varies,
            ranges: false,
            extra: &fields.extra,
            length: variant.body.bytes(),
        })?;
        Some(Variant {
            coding: variant.coding,
            heads,
            body: variant.body.clone(),
        })
    };
    Some(Asset {
        variants: asset.variants.iter().map(page).collect::<Option<_>>()?,
        modified_seconds: None,
    })
}

fn variant(
    coding: Coding,
    content: Content,
    fields: &Fields,
    modified_seconds: Option<u64>,
    varies: bool,
) -> Option<Variant> {
    let last_modified = modified_seconds.map(date::format);
    let last_modified = last_modified
        .as_ref()
        .map(|date| std::str::from_utf8(date).expect("invariant: dates are ASCII"));
    let heads = Heads::render(&Representation {
        status: "200 OK",
        content_type: &fields.content_type,
        cache_control: fields.cache_control.as_deref(),
        etag: Some(&etag(&content.sha256, coding)),
        last_modified,
        coding,
        varies,
        ranges: true,
        extra: &fields.extra,
        length: content.identity.bytes,
    })?;
    Some(Variant {
        coding,
        heads,
        body: content.body,
    })
}

/// A strong entity tag: 128 bits of the SHA-256 of the bytes that are sent, and their coding.
fn etag(sha256: &[u8; 32], coding: Coding) -> String {
    let mut tag = String::with_capacity(40);
    tag.push('"');
    for byte in &sha256[..16] {
        for digit in [byte >> 4, byte & 15] {
            tag.push(char::from_digit(digit.into(), 16).expect("invariant: below 16"));
        }
    }
    if let Some(extension) = coding.extension() {
        tag.extend(["-", extension]);
    }
    tag.push('"');
    tag
}

fn cause(error: ReadError) -> Cause {
    match error {
        ReadError::Changing => Cause::Changing,
        ReadError::Special => Cause::Special("special file"),
        ReadError::Io(error) => Cause::Unreadable(error),
    }
}
