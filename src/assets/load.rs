//! Loads a snapshot: walks the sources, pairs, reads everything once, builds the index.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::ThreadPoolBuilder;
use rayon::iter::{
    IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator,
};

use super::build::{Builder, Built, not_found_page};
use super::headers::Headers;
use super::index::entries;
use super::pair::{Group, divide_memory, pair, shadow};
use super::problem::{Cause, LoadError, Warning};
use super::read::Buffer;
use super::sources::Sources;
use super::{Asset, Body, Entry, NotFound, NotFoundFile, Options, Snapshot, Totals, Variant};

/// What a load has brought.
#[derive(Debug)]
pub struct Loaded {
    /// Everything that can be served.
    pub snapshot: Snapshot,
    /// What was left out.
    pub warnings: Vec<Warning>,
}

/// Loads what `options` name. The same files give the same snapshot, whatever the order in which
/// threads read them.
pub fn load(options: &Options) -> Result<Loaded, LoadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_seconds = now.map_or(0, |now| now.as_secs());
    let cpu_count = available_parallelism().map_or(1, NonZeroUsize::get);
    let thread_count = cpu_count.saturating_mul(THREADS_PER_CPU);
    load_at(options, now_seconds, thread_count.min(THREAD_COUNT_MAX))
}

pub(super) fn load_at(
    options: &Options,
    now_seconds: u64,
    thread_count: usize,
) -> Result<Loaded, LoadError> {
    let mut warnings = Vec::new();
    let (sources, mut files) = Sources::walk(options, now_seconds, &mut warnings)?;
    let shadowed_count = shadow(&mut files);
    tracing::debug!(
        files = files.len(),
        shadowed = shadowed_count,
        "walked the sources"
    );
    let mut groups = pair(files);
    divide_memory(
        &mut groups,
        options.memory_budget_bytes,
        options.file_memory_bytes_max,
    );

    let headers = Headers::new(options, sources.hashed(), &mut warnings);
    let builder = Builder {
        roots: &sources.roots,
        headers: &headers,
        now_seconds,
    };
    let mut published = Published::default();
    for (group, built) in groups.iter().zip(build(&builder, &groups, thread_count)?) {
        warnings.extend(built.warnings);
        published.add(&group.original.key, built.asset);
    }
    let totals = published.totals();
    let not_found = match &options.not_found {
        Some(file) => published.not_found(file, &sources, &headers, &mut warnings)?,
        None => None,
    };
    warnings.sort_by_cached_key(Warning::order);
    let snapshot = published.into_snapshot(options, sources, not_found, totals);
    Ok(Loaded { snapshot, warnings })
}

fn build(
    builder: &Builder<'_>,
    groups: &[Group],
    thread_count: usize,
) -> Result<Vec<Built>, LoadError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(thread_count)
        .thread_name(|index| format!("load {index}"))
        .build()?;
    pool.install(|| {
        let mut contents = groups
            .par_iter()
            .map_init(Buffer::new, |buffer, group| builder.read(group, buffer))
            .collect::<Result<Vec<_>, _>>()?;
        contents
            .par_iter_mut()
            .try_for_each_init(Buffer::new, |buffer, contents| {
                builder.prove(contents, buffer)
            })?;
        let assets = groups
            .par_iter()
            .zip(contents)
            .map(|(group, contents)| builder.build(group, contents));
        Ok(assets.collect())
    })
}

/// The assets so far.
#[derive(Default)]
struct Published {
    assets: Vec<Asset>,
    /// Invariant: sorted by URL.
    keys: Vec<(Vec<u8>, u32)>,
}

impl Published {
    fn add(&mut self, key: &[u8], asset: Option<Asset>) {
        if let Some(asset) = asset {
            let index = self.push(asset);
            self.keys.push((key.to_vec(), index));
        }
    }

    fn push(&mut self, asset: Asset) -> u32 {
        let index = u32::try_from(self.assets.len());
        self.assets.push(asset);
        index.expect("invariant: the walk ends at fewer files")
    }

    /// Finds the file that answers what is not found.
    fn not_found(
        &mut self,
        file: &NotFoundFile,
        sources: &Sources<'_>,
        headers: &Headers<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<NotFound>, LoadError> {
        let (option, name) = match file {
            NotFoundFile::Page(name) => ("--not-found", name),
            NotFoundFile::Spa(name) => ("--spa", name),
        };
        let found = sources.keys_of(name).into_iter().find_map(|key| {
            let position = self.keys.binary_search_by(|(other, _)| other.cmp(&key));
            Some(&self.keys[position.ok()?])
        });
        let Some((key, index)) = found else {
            let name = name.clone();
            return Err(LoadError::NotFoundFileMissing { option, name });
        };
        if let NotFoundFile::Spa(_) = file {
            return Ok(Some(NotFound::Spa(*index)));
        }
        let fields = headers.fields(key, 0);
        let Some(page) = not_found_page(&self.assets[*index as usize], &fields) else {
            warnings.push(Warning::file(name, Cause::HeadTooLarge));
            return Ok(None);
        };
        Ok(Some(NotFound::Page(self.push(page))))
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals {
            assets: self.assets.len(),
            ..Totals::default()
        };
        for variant in self.assets.iter().flat_map(|asset| &asset.variants) {
            totals.variants += 1;
            match &variant.body {
                Body::Memory(bytes) => totals.memory_bytes += bytes.len() as u64,
                Body::File(file) => totals.disk_bytes += file.identity.bytes,
            }
        }
        totals.variants -= totals.assets;
        totals
    }

    fn into_snapshot(
        self,
        options: &Options,
        sources: Sources<'_>,
        not_found: Option<NotFound>,
        totals: Totals,
    ) -> Snapshot {
        let mut snapshot = Snapshot {
            entries: entries(self.keys, options.index_file.as_deref()),
            assets: self.assets,
            not_found,
            redirect_fields: redirect_fields(options),
            roots: sources
                .roots
                .into_iter()
                .map(|root| root.descriptor)
                .collect(),
            totals,
        };
        snapshot.totals.index_bytes = index_bytes(&snapshot);
        snapshot
    }
}

/// As `WhiteNoise`: a redirect is kept as long as what it leads to, and never for ever.
fn redirect_fields(options: &Options) -> Box<str> {
    options
        .max_age_seconds
        .map_or_else(Box::default, |seconds| {
            format!("Cache-Control: max-age={seconds}, public\r\n").into_boxed_str()
        })
}

/// User memory of everything but bodies, without what the allocator adds.
fn index_bytes(snapshot: &Snapshot) -> u64 {
    let slots = snapshot.entries.capacity() * (size_of::<(Box<[u8]>, Entry)>() + 1);
    let texts = snapshot.entries.iter().map(|(key, entry)| match entry {
        Entry::Asset(_) => key.len(),
        Entry::Redirect(location) => key.len() + location.len(),
    });
    let variants = snapshot.assets.iter().flat_map(|asset| &asset.variants);
    let variants = variants.map(|variant| {
        let file = match &variant.body {
            Body::Memory(_) => 0,
            Body::File(file) => size_of_val(&**file) + file.path.as_bytes_with_nul().len(),
        };
        size_of::<Variant>() + variant.heads.bytes() + file
    });
    let assets = snapshot.assets.capacity() * size_of::<Asset>();
    (slots + assets + texts.sum::<usize>() + variants.sum::<usize>()) as u64
}

/// While one waits for a cold disk the others go on.
const THREADS_PER_CPU: usize = 4;

/// More threads than this wait for the same disk.
const THREAD_COUNT_MAX: usize = 16;
