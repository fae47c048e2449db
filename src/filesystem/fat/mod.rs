//! FAT12, FAT16, FAT32 and exFAT (Microsoft, "FAT: General Overview of On-Disk Format", version 1.03, and "exFAT
//! file system specification").
//!
//! Entries are numbered by the place of their slot, as The Sleuth Kit does. A deleted file's chain is gone from
//! the table; it is taken to lie in the free clusters from its first one on, as it does where a file was written
//! in one go.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)
)]

mod boot;
mod chain;
mod directory;
mod exfat;
mod index;
mod table;
mod time;

use super::{
    DataRun, DirEntry, Entry, EntryId, EntryKind, EntryState, Facts, FileSystem, Kind, Layout, Paths,
    Recognised, RunReader, Stream, StreamName, Walked,
};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::io::{Fields, ReadAt, read_vec};
use boot::{FIRST, Geometry, Variant};
use directory::Described;
use index::{Index, Node, ROOT};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use table::Table;

/// Directories of one path.
const DEPTH_MAX: usize = 512;

/// FAT and exFAT by their boot sector.
pub(super) const KIND: Kind = Kind { name: "fat", probe };

fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let geometry = Geometry::read(volume.as_ref())?;
    Some(Recognised::Opened(Arc::new(Fat::open(volume, geometry))))
}

/// A volume of the family.
#[derive(Debug)]
struct Fat {
    volume: Arc<dyn ReadAt>,
    geometry: Geometry,
    table: Table,
    index: Index,
    facts: Facts,
}

impl Fat {
    fn open(volume: &Arc<dyn ReadAt>, geometry: Geometry) -> Self {
        let table = Table::new(volume.clone(), geometry.clone());
        let index = index::build(volume.as_ref(), &geometry, &table);
        let mut notes = Vec::new();
        if table.differs() {
            notes.push("the two copies of the allocation table differ; the first is used".to_owned());
        }
        if geometry.variant != Variant::ExFat {
            notes.push("times are those of the machine's clock, shown as if it ran in UTC".to_owned());
        }
        let label = index.label.as_deref().map(crate::location::escape).or_else(|| geometry.label.clone());
        let facts = Facts {
            kind: geometry.variant.name(),
            label,
            uuid: geometry.serial.clone(),
            block_size: geometry.cluster,
            size: geometry.size,
            features: Vec::new(),
            notes,
        };
        Self { volume: volume.clone(), geometry, table, index, facts }
    }

    fn slot(&self, number: u64) -> Result<Vec<u8>> {
        let place = index::slot_place(&self.geometry, number)?;
        read_vec(self.volume.as_ref(), place.start, directory::SLOT)
    }

    fn described(&self, node: &Node) -> Result<Described> {
        let slot = self.slot(node.id.0)?;
        let fields = Fields::new("directory entry", &slot, 0);
        if self.geometry.variant != Variant::ExFat {
            return directory::describe(&fields);
        }
        let stream = self.slot(node.stream)?;
        exfat::describe(&fields, &Fields::new("stream entry", &stream, 0))
    }

    /// The runs of an entry's content, its length, and what is wrong with them.
    fn content(&self, node: &Node, described: &Described) -> (Vec<DataRun>, u64, Option<Error>) {
        let directory = node.kind == EntryKind::Directory;
        let fat_directory = directory && self.geometry.variant != Variant::ExFat;
        if described.size == 0 && !fat_directory {
            return (Vec::new(), 0, None);
        }
        let first = described.first;
        if node.deleted {
            // A removed directory says nothing of its length; its first cluster is what can be told.
            let size = if fat_directory { self.geometry.cluster } else { described.size };
            let free = self.table.free(self.index.bitmap.as_ref());
            let runs = free.and_then(|free| chain::assumed(&self.geometry, free, first, size));
            return match runs {
                Ok(runs) => (runs, size, None),
                Err(error) => (Vec::new(), described.size, Some(error)),
            };
        }
        let chain = if described.contiguous {
            chain::contiguous(&self.geometry, first, described.size)
        } else {
            let size = (!fat_directory).then_some(described.size);
            chain::follow(&self.geometry, &self.table, first, size, u64::MAX)
        };
        let size = if fat_directory { chain.length() } else { described.size };
        (chain.runs, size, chain.error)
    }

    fn assemble(&self, node: &Node) -> Result<(Entry, Option<Error>)> {
        let described = self.described(node)?;
        let (runs, size, error) = self.content(node, &described);
        let state = if node.deleted { EntryState::Deleted } else { EntryState::Allocated };
        let mut entry = Entry {
            id: node.id,
            kind: node.kind,
            state,
            links: 1,
            times: described.times,
            ..Entry::default()
        };
        let initialised = if node.kind == EntryKind::File { described.written.min(size) } else { size };
        if node.deleted {
            // What a removed file had is guessed; that nothing is left of it is no damage.
            entry.notes.extend(error.as_ref().map(|error| format!("content not recovered: {error}")));
        }
        // Where the chain is broken, the clusters that are known still belong to the file.
        let initialised = initialised.min(runs.last().map_or(0, DataRun::end));
        entry.streams.push(Stream { name: StreamName::Data, size, initialised, layout: Layout::Runs(runs) });
        Ok((entry, error.filter(|_| !node.deleted)))
    }

    fn root_entry(&self) -> Entry {
        let size = self.index.root.last().map_or(0, DataRun::end);
        let layout = Layout::Runs(self.index.root.clone());
        let stream = Stream { name: StreamName::Data, size, initialised: size, layout };
        Entry { id: ROOT, kind: EntryKind::Directory, links: 1, streams: vec![stream], ..Entry::default() }
    }

    fn known(&self, id: EntryId) -> Result<&Node> {
        let missing = || Error::new(ErrorKind::NotFound, format!("no entry has the number {}", id.0));
        self.index.node(id).ok_or_else(missing)
    }
}

impl FileSystem for Fat {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        if visit(Walked::Entry(self.root_entry())).is_break() {
            return Ok(());
        }
        for (id, message) in &self.index.problems {
            let error = Error::new(ErrorKind::Corrupt, message.clone());
            if visit(Walked::Problem { entry: Some(*id), error }).is_break() {
                return Ok(());
            }
        }
        for node in self.index.nodes() {
            let (entry, error) = match self.assemble(node) {
                Ok((entry, error)) => (Some(entry), error),
                Err(error) => (None, Some(error)),
            };
            if let Some(entry) = entry
                && visit(Walked::Entry(entry)).is_break()
            {
                return Ok(());
            }
            if let Some(error) = error
                && visit(Walked::Problem { entry: Some(node.id), error }).is_break()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        if id == ROOT {
            return Ok(self.root_entry());
        }
        self.assemble(self.known(id)?).map(|(entry, _)| entry)
    }

    fn root(&self) -> EntryId {
        ROOT
    }

    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        if directory != ROOT && self.known(directory)?.kind != EntryKind::Directory {
            return Err(Error::new(ErrorKind::NotFound, "not a directory"));
        }
        for node in self.index.children(directory).filter(|node| !node.deleted) {
            let entry = DirEntry { name: node.name.to_vec(), id: node.id, kind: node.kind };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        if id == ROOT {
            return Ok(Paths { all: vec![b"/".to_vec()] });
        }
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = id;
        while at != ROOT && names.len() < DEPTH_MAX {
            let node = self.known(at)?;
            names.push(&node.name);
            at = node.parent;
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        Ok(Paths { all: vec![path] })
    }

    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let missing = || Error::new(ErrorKind::NotFound, "no such stream");
        let stream = entry.stream(stream).ok_or_else(missing)?;
        if entry.id != ROOT {
            let node = self.known(entry.id)?;
            let (_, _, error) = self.content(node, &self.described(node)?);
            if let Some(error) = error {
                return Err(error);
            }
        }
        Ok(Arc::new(RunReader::new(self.volume.clone(), stream)))
    }

    fn unallocated(&self, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        for range in self.table.free(self.index.bitmap.as_ref())? {
            let start = self.geometry.offset(range.start);
            let count = u64::from(range.end.saturating_sub(range.start.max(FIRST)));
            if let Some(start) = start {
                visit(start..start.saturating_add(count.saturating_mul(self.geometry.cluster)));
            }
        }
        Ok(())
    }

    /// Names differ only in case on no volume of the family.
    fn same_name(&self, one: &[u8], other: &[u8]) -> bool {
        let folded = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
        one == other || folded(one) == folded(other)
    }
}
