//! All entries of a volume, found by one walk through its directories.

use super::boot::{Geometry, Root, Variant};
use super::chain::{self, Chain};
use super::directory::{self, Found, SLOT};
use super::exfat;
use super::table::{Bitmap, Table};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, EntryId, EntryKind, Place};
use crate::io::{ReadAt, read_vec};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

/// The root directory's number, as The Sleuth Kit counts.
pub(super) const ROOT: EntryId = EntryId(2);
/// Number of the first slot.
pub(super) const SLOT_FIRST: u64 = 3;
/// Bytes of one directory: 65,536 slots on FAT.
const FAT_DIRECTORY_MAX: u64 = 1 << 21;
/// Bytes of one directory on exFAT (specification, section 7.2).
const EXFAT_DIRECTORY_MAX: u64 = 1 << 28;
/// Entries of one volume.
const ENTRIES_MAX: usize = 1 << 24;

/// An entry as the index keeps it; the rest is read again.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: EntryId,
    pub(super) parent: EntryId,
    /// Number of the slot that the place of the content is kept in.
    pub(super) stream: u64,
    pub(super) kind: EntryKind,
    pub(super) deleted: bool,
    pub(super) name: Box<[u8]>,
}

/// What the walk came to.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By number.
    nodes: Vec<Node>,
    /// Children of each directory, in stored order, as indices into the nodes.
    children: HashMap<EntryId, Vec<usize>>,
    pub(super) label: Option<Vec<u8>>,
    pub(super) bitmap: Option<Bitmap>,
    pub(super) root: Vec<DataRun>,
    pub(super) problems: Vec<(EntryId, String)>,
}

impl Index {
    pub(super) fn node(&self, id: EntryId) -> Option<&Node> {
        self.nodes.binary_search_by_key(&id, |node| node.id).ok().and_then(|at| self.nodes.get(at))
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn children(&self, id: EntryId) -> impl Iterator<Item = &Node> {
        let children = self.children.get(&id).map(Vec::as_slice).unwrap_or_default();
        children.iter().filter_map(|&at| self.nodes.get(at))
    }
}

/// Text of a name in UTF-8; `None` where it is empty or holds what no name holds.
pub(super) fn name(units: impl Iterator<Item = u16>) -> Option<Vec<u8>> {
    let text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    (!text.is_empty() && !text.contains(['/', '\0'])).then(|| text.into_bytes())
}

/// A directory that is still to be read.
struct Pending {
    id: EntryId,
    runs: Vec<DataRun>,
    deleted: bool,
}

/// Walks all directories.
pub(super) fn build(volume: &dyn ReadAt, geometry: &Geometry, table: &Table) -> Index {
    let mut walk = Walk { volume, geometry, table, index: Index::default(), seen: HashSet::new() };
    let root = walk.root();
    let mut pending = VecDeque::from([root]);
    let mut nodes = 0_usize;
    while let Some(directory) = pending.pop_front() {
        for node in walk.directory(&directory) {
            nodes = nodes.saturating_add(1);
            pending.extend(node);
        }
        if nodes > ENTRIES_MAX {
            let message = format!("more than {ENTRIES_MAX} entries: the others are not listed");
            walk.index.problems.push((ROOT, message));
            break;
        }
    }
    walk.finish()
}

struct Walk<'a> {
    volume: &'a dyn ReadAt,
    geometry: &'a Geometry,
    table: &'a Table,
    index: Index,
    /// First bytes of directories that were read, so that none is read twice.
    seen: HashSet<u64>,
}

impl Walk<'_> {
    fn root(&mut self) -> Pending {
        let runs = match self.geometry.root {
            Root::Fixed(start, length) => vec![DataRun { logical: 0, length, place: Place::At(start) }],
            Root::Chain(first) => {
                let chain = chain::follow(self.geometry, self.table, first, None, self.directory_max());
                self.note(ROOT, chain.error.as_ref());
                chain.runs
            }
        };
        self.index.root.clone_from(&runs);
        Pending { id: ROOT, runs, deleted: false }
    }

    fn directory_max(&self) -> u64 {
        if self.geometry.variant == Variant::ExFat { EXFAT_DIRECTORY_MAX } else { FAT_DIRECTORY_MAX }
    }

    fn note(&mut self, id: EntryId, error: Option<&Error>) {
        self.index.problems.extend(error.map(|error| (id, error.to_string())));
    }

    /// Reads a directory; for each entry, the directory that it is.
    fn directory(&mut self, directory: &Pending) -> Vec<Option<Pending>> {
        let start = directory.runs.first().and_then(|run| at(run, 0));
        if start.is_none_or(|start| !self.seen.insert(start)) {
            let error =
                Error::corrupt(start.unwrap_or(0), "directory", "one of its own", "one that was read");
            if start.is_some() && !directory.deleted {
                self.note(directory.id, Some(&error));
            }
            return Vec::new();
        }
        let (bytes, error) = self.read(&directory.runs);
        self.note(directory.id, error.as_ref());
        let found = if self.geometry.variant == Variant::ExFat {
            let (found, label, bitmap) = exfat::entries(&bytes);
            if directory.id == ROOT {
                self.index.label = label;
                self.bitmap(bitmap);
            }
            found
        } else {
            let (found, label) = directory::entries(&bytes);
            if directory.id == ROOT {
                self.index.label = label;
            }
            found
        };
        found.into_iter().filter_map(|found| self.entry(directory, found)).collect()
    }

    fn bitmap(&mut self, place: exfat::BitmapPlace) {
        let Some((first, length)) = place else { return };
        let wanted = u64::from(self.geometry.clusters).div_ceil(8);
        let Chain { runs, error } =
            chain::follow(self.geometry, self.table, first, Some(wanted.min(length)), 0);
        self.note(ROOT, error.as_ref());
        let places = runs.iter().filter_map(|run| Some((at(run, 0)?, run.length)));
        self.index.bitmap = Some(places.collect());
    }

    /// The bytes of a directory as far as they can be read.
    fn read(&self, runs: &[DataRun]) -> (Vec<u8>, Option<Error>) {
        let mut bytes = Vec::new();
        let mut left = self.directory_max();
        for run in runs {
            let length = run.length.min(left);
            let Some(place) = at(run, 0) else { continue };
            match read_vec(self.volume, place, usize::try_from(length).unwrap_or(0)) {
                Ok(more) => bytes.extend(more),
                Err(error) => return (bytes, Some(error)),
            }
            left = left.saturating_sub(length);
        }
        (bytes, None)
    }

    /// Keeps an entry; the outer `None` where it has no number, the inner one where it is no directory.
    #[allow(clippy::option_option, reason = "an entry without a directory is still an entry")]
    fn entry(&mut self, directory: &Pending, found: Found) -> Option<Option<Pending>> {
        let number = |slot: usize| slot_number(self.geometry, &directory.runs, slot);
        let (id, stream) = (EntryId(number(found.slot)?), number(found.stream)?);
        let deleted = found.deleted || directory.deleted;
        let described = &found.described;
        self.index.nodes.push(Node {
            id,
            parent: directory.id,
            stream,
            kind: described.kind,
            deleted,
            name: found.name.into_boxed_slice(),
        });
        if described.kind != EntryKind::Directory {
            return Some(None);
        }
        let runs = if deleted {
            self.removed_directory(described.first)
        } else {
            let size = (self.geometry.variant == Variant::ExFat).then_some(described.size);
            let chain = if described.contiguous {
                chain::contiguous(self.geometry, described.first, described.size)
            } else {
                chain::follow(self.geometry, self.table, described.first, size, self.directory_max())
            };
            self.note(id, chain.error.as_ref());
            chain.runs
        };
        Some((!runs.is_empty()).then_some(Pending { id, runs, deleted }))
    }

    /// The first cluster of a directory that was removed, where it is free and still looks like one.
    fn removed_directory(&self, first: u32) -> Vec<DataRun> {
        let Some(start) = self.geometry.offset(first) else { return Vec::new() };
        let is_free = match self.geometry.variant {
            Variant::ExFat => {
                let free = self.table.free(self.index.bitmap.as_ref()).unwrap_or_default();
                let at = free.partition_point(|range| range.end <= first);
                free.get(at).is_some_and(|range| range.contains(&first))
            }
            _ => self.table.next(first).is_ok_and(|link| link == super::table::Link::Free),
        };
        let head = read_vec(self.volume, start, SLOT.saturating_mul(2)).unwrap_or_default();
        let looks = match self.geometry.variant {
            Variant::ExFat => head.first().is_some_and(|first| first & 0x7f == 0x05),
            _ => {
                head.starts_with(b".          ")
                    && head.get(32..).is_some_and(|up| up.starts_with(b"..         "))
            }
        };
        if is_free && looks {
            vec![DataRun { logical: 0, length: self.geometry.cluster, place: Place::At(start) }]
        } else {
            Vec::new()
        }
    }

    fn finish(mut self) -> Index {
        self.index.nodes.sort_by_key(|node| node.id);
        self.index.nodes.dedup_by_key(|node| node.id);
        for (at, node) in self.index.nodes.iter().enumerate() {
            self.index.children.entry(node.parent).or_default().push(at);
        }
        self.index
    }
}

fn at(run: &DataRun, inside: u64) -> Option<u64> {
    match run.place {
        Place::At(start) => start.checked_add(inside),
        _ => None,
    }
}

/// The number of a slot of a directory, from its place on the volume.
fn slot_number(geometry: &Geometry, runs: &[DataRun], slot: usize) -> Option<u64> {
    let logical = u64::try_from(slot.checked_mul(SLOT)?).ok()?;
    let run = runs.iter().find(|run| run.logical <= logical && logical < run.end())?;
    let place = at(run, logical.checked_sub(run.logical)?)?;
    let number = place.checked_sub(geometry.slots())?.checked_div(u64::try_from(SLOT).ok()?)?;
    number.checked_add(SLOT_FIRST)
}

/// The place of a slot by its number.
pub(super) fn slot_place(geometry: &Geometry, number: u64) -> Result<Range<u64>> {
    let length = u64::try_from(SLOT).unwrap_or(32);
    let index = number.checked_sub(SLOT_FIRST).and_then(|index| index.checked_mul(length));
    let start = index.and_then(|index| index.checked_add(geometry.slots()));
    let start =
        start.ok_or_else(|| Error::new(Kind::NotFound, format!("no entry has the number {number}")))?;
    Ok(start..start.saturating_add(length))
}
