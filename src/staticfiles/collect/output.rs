//! What a run puts into the release: each name once, from the last release where it is the same.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::content::{Content, Digests};
use super::last::LastRelease;
use crate::http::Coding;
use crate::http::media_type::MediaTypes;
use crate::manifest::release::{ReleaseFile, VariantFile};
use crate::staticfiles::compress::{Encoder, Encodings};
use crate::staticfiles::finders::Found;
use crate::staticfiles::publish::{Staging, Target};
use crate::staticfiles::{CollectError, VariantTotals};

/// The release in the making.
pub(super) struct Output<'a> {
    /// None in a dry run: then nothing is written.
    pub(super) target: Option<&'a Target>,
    pub(super) last: &'a LastRelease,
    /// Whether variants of the last release were made by the settings of this run.
    pub(super) same_compression: bool,
    pub(super) encoder: Option<Encoder>,
    pub(super) media_types: MediaTypes,
    /// Later times are not believed.
    pub(super) started: SystemTime,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Exists since the first file that the last release does not have.
    staging: Option<Arc<Staging>>,
    names: HashSet<Vec<u8>>,
    record: BTreeMap<Vec<u8>, ReleaseFile>,
    totals: Vec<VariantTotals>,
}

/// One name of a content.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) name: Vec<u8>,
    /// Whether it changes with the content.
    pub(super) immutable: bool,
    /// Where it leads, if it is to be a symbolic link.
    pub(super) link: Option<PathBuf>,
}

/// What became of one content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Put {
    /// Whether anything was written.
    pub(super) modified: bool,
    /// The variants by name that its names have.
    pub(super) variants: Vec<Vec<u8>>,
}

/// The variants of one content by extension.
type Variants = BTreeMap<String, VariantFile>;

/// How the variants of one content came about.
struct Made {
    variants: Variants,
    /// Whether anything was written.
    modified: bool,
    /// Those that did not have to be compressed, by extension.
    hits: Vec<String>,
}

impl Made {
    fn now(variants: Variants) -> Self {
        Self {
            variants,
            modified: true,
            hits: Vec::new(),
        }
    }
}

impl State {
    fn count(&mut self, digests: &Digests, made: &Made) {
        for totals in &mut self.totals {
            let Some(extension) = totals.coding.extension() else {
                continue;
            };
            if let Some(variant) = made.variants.get(extension) {
                totals.file_count += 1;
                totals.bytes_in += digests.bytes;
                totals.bytes_out += variant.bytes;
                let is_hit = made.hits.iter().any(|hit| hit == extension);
                totals.hit_count += usize::from(is_hit);
            }
        }
    }
}

impl<'a> Output<'a> {
    pub(super) fn new(
        target: Option<&'a Target>,
        last: &'a LastRelease,
        encoder: Option<Encoder>,
        same_compression: bool,
        codings: &[Coding],
    ) -> Self {
        let totals = codings.iter().map(|coding| VariantTotals {
            coding: *coding,
            file_count: 0,
            bytes_in: 0,
            bytes_out: 0,
            hit_count: 0,
        });
        let state = State {
            totals: totals.collect(),
            ..State::default()
        };
        Self {
            target,
            last,
            same_compression,
            encoder,
            media_types: MediaTypes::new("utf-8", &[]),
            started: SystemTime::now(),
            state: Mutex::new(state),
        }
    }

    /// Whether this run has put a file or a variant under `name`.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.state().names.contains(name)
    }

    /// Those of `names` that nothing stands under yet; they are taken.
    fn claim(&self, names: &[Name]) -> Vec<Name> {
        let mut state = self.state();
        let free = names
            .iter()
            .filter(|name| state.names.insert(name.name.clone()));
        free.cloned().collect()
    }

    /// Whether nothing is to be written.
    pub(super) fn is_dry(&self) -> bool {
        self.target.is_none()
    }

    /// Whether the last release may have this file under its plain name.
    pub(super) fn may_hold(&self, found: &Found) -> bool {
        self.same_compression && self.last.has_length(&found.name, found.bytes)
    }

    /// Puts `content` into the release under all of `names`, with its variants.
    pub(super) fn put(&self, content: &Content, names: &[Name]) -> Result<Put, CollectError> {
        let digests = &content.digests;
        if let Some(put) = self.put_held(digests, names) {
            return Ok(put);
        }
        let Some(staging) = self.staging()? else {
            return Ok(self.pretend(digests, names));
        };
        let names = &self.claim(names);
        let modified = content.modified.min(self.started);
        put_file(&staging, names, &mut |name| {
            staging.write(name, &content.bytes, modified)
        })?;
        let made = self.encode(content, names, &staging)?;
        Ok(self.record(digests, names, &made))
    }

    /// As [`Self::put`], for the content of the staged file `part`, which is taken away.
    pub(super) fn put_staged(
        &self,
        part: &[u8],
        digests: &Digests,
        modified: SystemTime,
        names: &[Name],
    ) -> Result<Put, CollectError> {
        let staging = self
            .staging()?
            .expect("invariant: the part was staged there");
        let names = &self.claim(names);
        let modified = modified.min(self.started);
        put_file(&staging, names, &mut |name| staging.link(part, name))?;
        let mut variants = Variants::new();
        if let (Some(encoder), Some(first)) = (&self.encoder, self.first_accepted(names)) {
            variants = encode_staged(encoder, &staging, part, &first.name, modified)?;
            self.link_variants(&staging, names, &variants)?;
        }
        staging.remove(part)?;
        Ok(self.record(digests, names, &Made::now(variants)))
    }

    /// What of `names` the last release has with this content, if it is all of them that are free.
    pub(super) fn put_held(&self, digests: &Digests, names: &[Name]) -> Option<Put> {
        if !self.same_compression {
            return None;
        }
        let is_free = |name: &&Name| !self.has(&name.name);
        let names: Vec<&Name> = names.iter().filter(is_free).collect();
        let held = |name: &&Name| {
            Some(
                self.last
                    .holds(&name.name, digests, name.link.as_deref())?
                    .variants
                    .clone(),
            )
        };
        let variants = names.iter().map(held).collect::<Option<Vec<_>>>()?;
        let mut put = Put::default();
        for (name, variants) in names.into_iter().zip(variants) {
            if self.claim(std::slice::from_ref(name)).is_empty() {
                continue;
            }
            let made = Made {
                hits: variants.keys().cloned().collect(),
                variants,
                modified: false,
            };
            let one = self.record(digests, std::slice::from_ref(name), &made);
            put.variants.extend(one.variants);
        }
        Some(put)
    }

    /// What a run that may not write says of a content that the last release lacks.
    pub(super) fn pretend(&self, digests: &Digests, names: &[Name]) -> Put {
        let names = self.claim(names);
        self.record(digests, &names, &Made::now(Variants::new()))
    }

    /// Writes the variants of `content` beside all of its names.
    fn encode(
        &self,
        content: &Content,
        names: &[Name],
        staging: &Staging,
    ) -> Result<Made, CollectError> {
        let (Some(encoder), Some(first)) = (&self.encoder, self.first_accepted(names)) else {
            return Ok(Made::now(Variants::new()));
        };
        let encodings = encoder.encodings(&content.bytes, &content.digests.sha256);
        let Encodings { encoded, hits } = encodings.map_err(failed(&first.name))?;
        let mut variants = Variants::new();
        for encoded in &encoded {
            let extension = encoded
                .coding
                .extension()
                .expect("invariant: it is encoded");
            let modified = content.modified.min(self.started);
            staging.write(
                &variant_name(&first.name, extension),
                &encoded.bytes,
                modified,
            )?;
            let variant = VariantFile {
                sha256: Sha256::digest(&encoded.bytes).into(),
                bytes: encoded.bytes.len() as u64,
            };
            variants.insert(extension.to_owned(), variant);
        }
        self.link_variants(staging, names, &variants)?;
        let hits = hits.iter().filter_map(|coding| coding.extension());
        Ok(Made {
            variants,
            modified: true,
            hits: hits.map(str::to_owned).collect(),
        })
    }

    /// Gives the variants, which stand beside the first name that may have some, to the others.
    fn link_variants(
        &self,
        staging: &Staging,
        names: &[Name],
        variants: &Variants,
    ) -> Result<(), CollectError> {
        let mut accepted = names.iter().filter(|name| self.accepts(&name.name));
        let Some(first) = accepted.next() else {
            return Ok(());
        };
        for other in accepted {
            for extension in variants.keys() {
                staging.link(
                    &variant_name(&first.name, extension),
                    &variant_name(&other.name, extension),
                )?;
            }
        }
        Ok(())
    }

    /// What compressing a content of this length and name takes beside it.
    pub(super) fn table_bytes(&self, name: &[u8], bytes: u64, is_stream: bool) -> u64 {
        match &self.encoder {
            Some(encoder) if encoder.compressor.accepts(name) => {
                encoder.compressor.table_bytes(bytes, is_stream)
            }
            _ => 0,
        }
    }

    /// Whether a file of this name is compressed.
    fn accepts(&self, name: &[u8]) -> bool {
        self.encoder
            .as_ref()
            .is_some_and(|encoder| encoder.compressor.accepts(name))
    }

    fn first_accepted<'n>(&self, names: &'n [Name]) -> Option<&'n Name> {
        names.iter().find(|name| self.accepts(&name.name))
    }

    /// Writes down what the release has of one content.
    fn record(&self, digests: &Digests, names: &[Name], made: &Made) -> Put {
        let mut put = Put {
            modified: made.modified,
            variants: Vec::new(),
        };
        let mut state = self.state();
        for name in names {
            let mut file = ReleaseFile {
                sha256: digests.sha256,
                bytes: digests.bytes,
                media_type: self.media_type(&name.name),
                immutable: name.immutable,
                other_settings: false,
                variants: Variants::new(),
            };
            if self.accepts(&name.name) {
                file.variants = made.variants.clone();
                state.count(digests, made);
            }
            for extension in file.variants.keys() {
                let variant = variant_name(&name.name, extension);
                state.names.insert(variant.clone());
                put.variants.push(variant);
            }
            state.record.insert(name.name.clone(), file);
        }
        put
    }

    fn media_type(&self, name: &[u8]) -> String {
        let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
        let full = self.media_types.of(&String::from_utf8_lossy(last));
        full.split(';').next().unwrap_or_default().trim().to_owned()
    }

    /// The new release's directory, which is made when the first file needs it; none in a dry run.
    pub(super) fn staging(&self) -> Result<Option<Arc<Staging>>, CollectError> {
        let Some(target) = self.target else {
            return Ok(None);
        };
        let mut state = self.state();
        if state.staging.is_none() {
            state.staging = Some(Arc::new(target.stage()?));
        }
        Ok(state.staging.clone())
    }

    /// Ends the writing: the staging directory if there is one, the record and the totals.
    pub(super) fn finish(self) -> Finished {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Finished {
            staging: state.staging,
            names: state.names,
            record: state.record,
            totals: state.totals,
            encoder: self.encoder,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run leaves to be published.
pub(super) struct Finished {
    pub(super) staging: Option<Arc<Staging>>,
    /// All names of this run's files and variants.
    pub(super) names: HashSet<Vec<u8>>,
    pub(super) record: BTreeMap<Vec<u8>, ReleaseFile>,
    pub(super) totals: Vec<VariantTotals>,
    pub(super) encoder: Option<Encoder>,
}

/// Writes a content under the first name that is no link, and gives it to the others.
fn put_file(
    staging: &Staging,
    names: &[Name],
    write: &mut dyn FnMut(&[u8]) -> Result<(), CollectError>,
) -> Result<(), CollectError> {
    let mut written: Option<&[u8]> = None;
    for name in names {
        match (&name.link, written) {
            (Some(source), _) => staging.symlink(source, &name.name)?,
            (None, Some(first)) => staging.link(first, &name.name)?,
            (None, None) => {
                write(&name.name)?;
                written = Some(&name.name);
            }
        }
    }
    Ok(())
}

/// Compresses the staged file `part` into variants beside `name`.
fn encode_staged(
    encoder: &Encoder,
    staging: &Staging,
    part: &[u8],
    name: &[u8],
    modified: SystemTime,
) -> Result<Variants, CollectError> {
    let mut content = staging.open(part)?;
    let mut created = Vec::new();
    let kept = encoder
        .compressor
        .compress_stream(&mut content, &mut |coding| {
            let extension = coding.extension().expect("invariant: it is encoded");
            let file = staging
                .create(&variant_name(name, extension))
                .map_err(io::Error::other)?;
            let sink = Arc::new(Mutex::new(Sink {
                file,
                hasher: Sha256::new(),
            }));
            created.push((coding, extension, Arc::clone(&sink)));
            Ok(Shared(sink))
        })
        .map_err(failed(name))?;
    let mut variants = Variants::new();
    for (coding, extension, sink) in created {
        let variant = variant_name(name, extension);
        let sink = Arc::into_inner(sink).expect("invariant: the compressor is done with it");
        let Sink { file, hasher } = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
        staging.finish(&variant, file, modified)?;
        match kept.iter().find(|(kept, _)| *kept == coding) {
            Some((_, bytes)) => {
                let sha256 = hasher.finalize().into();
                variants.insert(
                    extension.to_owned(),
                    VariantFile {
                        sha256,
                        bytes: *bytes,
                    },
                );
            }
            None => staging.remove(&variant)?,
        }
    }
    Ok(variants)
}

/// A file that is hashed while it is written.
struct Sink {
    file: std::fs::File,
    hasher: Sha256,
}

/// A sink that its maker keeps a hold of.
struct Shared(Arc<Mutex<Sink>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = sink.file.write(bytes)?;
        sink.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(name: &[u8]) -> impl FnOnce(io::Error) -> CollectError {
    move |cause| CollectError::Io {
        action: "cannot compress",
        path: PathBuf::from(OsStr::from_bytes(name)),
        cause,
    }
}

pub(super) fn variant_name(name: &[u8], extension: &str) -> Vec<u8> {
    [name, b".", extension.as_bytes()].concat()
}
