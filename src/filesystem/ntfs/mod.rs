//! NTFS: records of the master file table, read in order, and what hangs on them.
//!
//! Structures and field offsets follow the NTFS documentation of the Linux-NTFS project and the names of
//! Windows' own headers. The table is scanned linearly and names are resolved through parent references, so
//! that deleted records come out of the same loop and no directory index can lead astray.

mod assemble;
mod attribute;
mod attribute_list;
mod bitmap;
mod boot;
mod compressed;
mod content;
mod former;
mod index;
mod log;
mod mft;
mod name;
mod overwritten;
mod paths;
mod record;
mod reparse;
mod run_list;
mod shadow;
mod standard_information;
mod upcase;
mod usn;
mod volume_information;
mod wof;

use super::{
    DirEntry, Entry, EntryId, EntryNumber, EntryState, Facts, FileSystem, Kind, Layout, Paths, Recognised,
    Role,
};
use super::{StreamName, Walked};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::io::ReadAt;
use assemble::{Assembled, Assembly};
use attribute::code;
use boot::Geometry;
use compressed::Compressed;
use content::{Clusters, Resident};
use index::Index;
use log::History;
use mft::Mft;
use overwritten::Free;
use record::{Record, Reference};
use reparse::Elsewhere;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, OnceLock};
use upcase::UpCase;
use usn::Changes;
use wof::Overlaid;

/// NTFS.
pub(super) const KIND: Kind = Kind { name: "ntfs", probe };

/// `$LogFile`.
const LOG_FILE: u64 = 2;
/// `$Volume`.
const VOLUME: u64 = 3;
/// The root directory.
const ROOT: u64 = 5;
/// `$Bitmap`.
const BITMAP: u64 = 6;
/// `$UpCase`.
const UPCASE: u64 = 10;
/// The first record that is not reserved for the file system.
const FIRST_USER: u64 = 16;
/// Bytes of attribute lists that one walk compares with the records.
const LIST_BUDGET: u64 = 256 << 20;

/// Bytes of directory indexes whose slack one walk looks through.
const INDEX_BUDGET: u64 = 4 << 30;
/// Pieces into which the runs of deleted entries may fall in one walk.
const CLIP_BUDGET: usize = 1 << 25;

/// Work that one walk may do beyond what the table's own size bounds.
#[derive(Debug)]
struct Budget {
    /// Bytes of attribute lists.
    lists: u64,
    /// Bytes of directory indexes.
    indexes: u64,
    /// Pieces of runs of deleted entries.
    pieces: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { lists: LIST_BUDGET, indexes: INDEX_BUDGET, pieces: CLIP_BUDGET }
    }
}

/// An NTFS file system.
#[derive(Debug)]
struct Ntfs {
    volume: Arc<dyn ReadAt>,
    geometry: Geometry,
    facts: Facts,
    mft: Mft,
    index: OnceLock<Index>,
    upcase: OnceLock<UpCase>,
    free: OnceLock<Free>,
    changes: OnceLock<Changes>,
    history: OnceLock<History>,
    directories: paths::Directories,
}

/// Looks for NTFS. Opaque where the boot sector says so and the table cannot be found.
fn probe(volume: &Arc<dyn ReadAt>) -> Option<Recognised> {
    let found = boot::find(&**volume)?;
    let mut facts = Facts { kind: "ntfs", ..Facts::default() };
    let mut geometry = match found {
        Ok(found) => {
            facts.notes.extend(found.note);
            found.geometry
        }
        Err(error) => return Some(Recognised::Opaque { facts, error }),
    };
    facts.uuid = Some(format!("{:016X}", geometry.serial));
    facts.block_size = geometry.cluster_size;
    facts.size = geometry.size;
    if geometry.size.checked_sub(geometry.sector_size) == Some(volume.size()) {
        facts.notes.push("the volume ends before the backup boot sector".to_owned());
        geometry.size = volume.size();
        facts.size = geometry.size;
    }
    if geometry.size > volume.size() {
        facts.notes.push(format!("the volume ends at byte {}, before the file system does", volume.size()));
    }
    facts.notes.extend(shadow::describe(&**volume));
    Some(match Mft::open(volume, &geometry, &mut facts.notes) {
        Ok(mft) => Recognised::Opened(Arc::new(Ntfs::new(Arc::clone(volume), geometry, facts, mft))),
        Err(error) => Recognised::Opaque { facts, error },
    })
}

impl Ntfs {
    fn new(volume: Arc<dyn ReadAt>, geometry: Geometry, facts: Facts, mft: Mft) -> Self {
        let mut ntfs = Self {
            volume,
            geometry,
            facts,
            mft,
            index: OnceLock::new(),
            upcase: OnceLock::new(),
            free: OnceLock::new(),
            changes: OnceLock::new(),
            history: OnceLock::new(),
            directories: paths::Directories::default(),
        };
        let mut facts = std::mem::take(&mut ntfs.facts);
        if let Err(error) =
            ntfs.with_record(VOLUME, |record| volume_information::describe(record, &mut facts))
        {
            facts.notes.push(format!("$Volume is not readable: {error}"));
        }
        ntfs.facts = facts;
        ntfs
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::build(&self.mft))
    }

    fn upcase(&self) -> &UpCase {
        self.upcase.get_or_init(|| UpCase::read(self.open_system(UPCASE).ok().as_deref()))
    }

    /// Whether the record that a reference means has been given to another file, or is no more.
    fn is_gone(&self, record: Reference) -> bool {
        match self.index().record(record.number) {
            Some(known) => !record.means(known.sequence, known.in_use),
            None => true,
        }
    }

    /// What the change journal says of records that are gone; nothing where there is none.
    fn changes(&self) -> &Changes {
        self.changes.get_or_init(|| {
            let read = || -> Result<Changes> {
                let id = self.find_path(b"/$Extend/$UsnJrnl")?;
                let journal = self.open(&self.assembled(id.0)?.entry, &StreamName::Named(b"$J".to_vec()))?;
                let is_live = |directory| self.is_live_directory(directory);
                Ok(Changes::read(journal.as_ref(), id.0, &|record| self.is_gone(record), &is_live))
            };
            // Most volumes have none; the walk reports one that is damaged.
            read().unwrap_or_default()
        })
    }

    /// What the log remembers of records; nothing where there is none.
    fn history(&self) -> &History {
        self.history.get_or_init(|| {
            let log = self.assembled(LOG_FILE).ok();
            log.and_then(|log| History::read(self, &log.entry)).unwrap_or_default()
        })
    }

    /// Notes the names that a directory once held, of records that are gone: from its own index, and from the
    /// change journal.
    fn note_former_names(&self, assembled: &mut Assembled, budget: &mut Budget) {
        let former = self.former_names(assembled, budget);
        let told = self.changes().of(assembled.entry.id.0);
        let more = told
            .iter()
            .filter(|(change, _)| !former.iter().any(|former| former.is(change.file, &change.name)));
        let more: Vec<_> =
            more.take(former::NAMES_MAX).map(|(change, parent)| change.note(*parent)).collect();
        let notes = &mut assembled.entry.notes;
        notes.extend(former.iter().map(former::Former::note));
        notes.extend(more);
    }

    /// Names in the slack of a directory's index.
    fn former_names(&self, assembled: &mut Assembled, budget: &mut Budget) -> Vec<former::Former> {
        let entry = &assembled.entry;
        let name = StreamName::Attribute(b"$INDEX_ALLOCATION:$I30".to_vec());
        let Some(stream) = entry.stream(&name) else { return Vec::new() };
        let (Ok(index), Ok(sequence)) = (self.open(entry, &name), u16::try_from(entry.generation)) else {
            return Vec::new();
        };
        match budget.indexes.checked_sub(stream.size) {
            Some(left) => {
                budget.indexes = left;
                let directory = Reference { number: entry.id.0, sequence };
                former::names(&*index, self.geometry.index_size, directory, &|record| self.is_gone(record))
            }
            None => {
                let note = "slack of its index not looked through: too many bytes";
                assembled.entry.notes.push(note.to_owned());
                Vec::new()
            }
        }
    }

    /// The free ranges, where they are few enough to be kept.
    fn free(&self) -> &Free {
        self.free.get_or_init(|| {
            let mut ranges = Vec::new();
            let outcome = self.unallocated(&mut |range| {
                if ranges.len() <= overwritten::RANGES_MAX {
                    ranges.push(range);
                }
            });
            let known = outcome.is_ok() && ranges.len() <= overwritten::RANGES_MAX;
            Free(known.then_some(ranges))
        })
    }

    /// The unnamed stream of one of the file system's own files.
    fn open_system(&self, number: u64) -> Result<Arc<dyn ReadAt>> {
        // Alone, without the former names that need some of these files themselves.
        self.open(&self.assembled(number)?.entry, &StreamName::Data)
    }

    /// Reads record `number`, from `$MFTMirr` where the table's own copy is damaged, and passes it on.
    fn with_record<T>(&self, number: u64, then: impl FnOnce(&Record<'_>) -> Result<T>) -> Result<T> {
        let unused = || Error::new(ErrorKind::NotFound, format!("record {number} was never used"));
        let mut owned = self.mft.read(number)?;
        let problem = match owned.record() {
            Ok(Some(record)) => return then(&record),
            Ok(None) => unused(),
            Err(error) => error,
        };
        let Some(mut copy) = self.mft.read_mirrored(number) else { return Err(problem) };
        match copy.record() {
            Ok(Some(record)) => then(&record),
            _ => Err(problem),
        }
    }

    /// The entry that starts at the record `number`.
    fn assembled(&self, number: u64) -> Result<Assembled> {
        if number > u64::from(u32::MAX) {
            let former = self.history().assembled(self, number);
            return former.ok_or_else(|| {
                let shown = self.number(EntryId(number));
                Error::new(ErrorKind::NotFound, format!("record {shown}: the log knows no such state"))
            });
        }
        self.with_record(number, |record| {
            if let Some(base) = record.extends()
                && self.index().is_joined(base, record.in_use)
            {
                let message = format!("record {number} is a part of record {}", base.number);
                return Err(Error::new(ErrorKind::NotFound, message));
            }
            Ok(self.assemble(record, &mut Budget::default()))
        })
    }

    /// What one record says of its entry, without the records that extend it.
    fn assemble_alone(&self, base: &Record<'_>) -> Assembled {
        let mut assembly = Assembly::new(&self.geometry, base);
        if assembly.has_list() {
            assembly.note("what further records held of it is not known".to_owned());
        }
        assembly.finish()
    }

    /// Puts the entry of a base record together.
    fn assemble(&self, base: &Record<'_>, budget: &mut Budget) -> Assembled {
        let mut assembly = Assembly::new(&self.geometry, base);
        if let Some(gone) = base.extends() {
            assembly.note(format!("a part of record {}, which does not exist any more", gone.number));
        } else if assembly.has_list() {
            let mut joined = Vec::new();
            for number in self.index().extensions(base.number, base.sequence, base.in_use) {
                let added = self.with_record(number, |record| {
                    assembly.add(record);
                    Ok(())
                });
                match added {
                    Ok(()) => joined.push(number),
                    Err(error) => assembly.problem(error),
                }
            }
            if base.in_use
                && let Err(error) = self.compare_list(base, &joined, &mut budget.lists)
            {
                assembly.problem(error);
            }
        }
        let mut assembled = assembly.finish();
        self.place(base, &mut assembled);
        // The bitmap's own record is among the reserved ones.
        if !base.in_use && base.number >= FIRST_USER {
            self.free().clip(&mut assembled.entry, self.geometry.cluster_size, &mut budget.pieces);
        }
        assembled
    }

    /// Whether all records that the attribute list of `base` names are among those `joined`.
    fn compare_list(&self, base: &Record<'_>, joined: &[u64], budget: &mut u64) -> Result<()> {
        for attribute in base.attributes() {
            let attribute = attribute?;
            if attribute.code != code::ATTRIBUTE_LIST {
                continue;
            }
            let Some(left) = budget.checked_sub(attribute_list::LIST_SIZE_MAX) else {
                let message =
                    format!("record {}: attribute list not compared, {LIST_BUDGET} bytes read", base.number);
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            };
            let list = mft::list_bytes(&self.volume, &self.geometry, &attribute)?;
            *budget = left.saturating_add(attribute_list::LIST_SIZE_MAX.saturating_sub(list.size()));
            for listed in attribute_list::parse(&list, attribute.at) {
                let (number, listed) = listed.map(|listed| (listed.record.number, listed))?;
                if number != base.number && joined.binary_search(&number).is_err() {
                    let kind = attribute::type_name(listed.code);
                    let message =
                        format!("record {number}, which holds a part of {kind}, is damaged or not its own");
                    return Err(Error::new(ErrorKind::Corrupt, message).at(attribute.at));
                }
            }
        }
        Ok(())
    }

    /// Says what the entry is to the file system as a whole: in use or not, orphaned, content or metadata.
    fn place(&self, base: &Record<'_>, assembled: &mut Assembled) {
        let entry = &mut assembled.entry;
        entry.role = match base.number {
            LOG_FILE => Role::Journal,
            ROOT => Role::Content,
            number if number < FIRST_USER => Role::Metadata,
            number if base.in_use && self.index().is_metadata(number) => Role::Metadata,
            _ => Role::Content,
        };
        let named = || assembled.names.iter().any(|name| self.is_live_directory(name.parent));
        entry.state = if !base.in_use {
            EntryState::Deleted
        } else if base.number >= FIRST_USER && !named() {
            EntryState::Orphan
        } else {
            EntryState::Allocated
        };
        if !base.in_use {
            // Damage is what to expect in a record that was given up.
            let expected = std::mem::take(&mut assembled.problems);
            entry.notes.extend(expected.iter().map(ToString::to_string));
        }
    }

    /// Visits what a record comes to.
    fn walk_record(
        &self,
        record: &Record<'_>,
        budget: &mut Budget,
        visit: &mut dyn FnMut(Walked) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if record.extends().is_some_and(|base| self.index().is_joined(base, record.in_use)) {
            return ControlFlow::Continue(());
        }
        let mut assembled = self.assemble(record, budget);
        if !record.in_use && assembled.is_blank() {
            return ControlFlow::Continue(());
        }
        self.note_former_names(&mut assembled, budget);
        for problem in assembled.problems {
            let error = problem.context(format!("record {}", record.number));
            visit(Walked::Problem { entry: Some(EntryId(record.number)), error })?;
        }
        visit(Walked::Entry(assembled.entry))
    }

    /// Visits what the records of the table come to.
    fn walk_table(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let mut budget = Budget::default();
        let mut walk_one = |number: u64, place: Option<u64>, bytes: Result<&mut [u8]>| {
            let problem = match bytes.and_then(|bytes| Record::parse(number, place, bytes)) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(record)) => return self.walk_record(&record, &mut budget, visit),
                Err(problem) => problem,
            };
            let error = problem.context(format!("record {number}"));
            visit(Walked::Problem { entry: Some(EntryId(number)), error })?;
            match self.mft.read_mirrored(number) {
                Some(mut copy) => match copy.record() {
                    Ok(Some(record)) => self.walk_record(&record, &mut budget, visit),
                    _ => ControlFlow::Continue(()),
                },
                None => ControlFlow::Continue(()),
            }
        };
        self.mft.scan(0, &mut |number, place, bytes| {
            flow = walk_one(number, place, bytes);
            flow
        });
        flow
    }

    /// Visits the former states of records that the log remembers.
    fn walk_history(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> ControlFlow<()> {
        let history = self.history();
        if history.is_cut() {
            let message = "$LogFile remembers more former states of files than are kept";
            let error = Error::new(ErrorKind::LimitExceeded, message);
            visit(Walked::Problem { entry: Some(EntryId(LOG_FILE)), error })?;
        }
        for id in history.ids() {
            if let Some(former) = history.assembled(self, id) {
                visit(Walked::Entry(former.entry))?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl FileSystem for Ntfs {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn walk(&self, visit: &mut dyn FnMut(Walked) -> ControlFlow<()>) -> Result<()> {
        if self.walk_table(visit).is_continue() {
            let _ = self.walk_history(visit);
        }
        Ok(())
    }

    fn large_files(&self, size: u64, visit: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
        let _ = self.walk_table(&mut |walked| match walked {
            Walked::Entry(entry) if entry.is_file_in_use() && entry.size() >= size => visit(entry),
            _ => ControlFlow::Continue(()),
        });
        Ok(())
    }

    fn number(&self, id: EntryId) -> EntryNumber {
        let version = Some(id.0 >> 32).filter(|&version| version > 0);
        EntryNumber { number: id.0 & u64::from(u32::MAX), version }
    }

    fn numbered(&self, number: EntryNumber) -> EntryId {
        EntryId(number.version.unwrap_or(0) << 32 | number.number)
    }

    fn about(&self, entry: EntryId, stream: &StreamName, offset: u64) -> Option<String> {
        let is_log = entry.0 == LOG_FILE && *stream == StreamName::Data;
        is_log.then(|| self.history().about(self, offset))?
    }

    fn entry(&self, id: EntryId) -> Result<Entry> {
        let mut assembled = self.assembled(id.0)?;
        if id.0 <= u64::from(u32::MAX) {
            self.note_former_names(&mut assembled, &mut Budget::default());
        }
        Ok(assembled.entry)
    }

    fn root(&self) -> EntryId {
        EntryId(ROOT)
    }

    fn list(&self, directory: EntryId, visit: &mut dyn FnMut(DirEntry) -> ControlFlow<()>) -> Result<()> {
        self.list_names(directory, &mut |name, id, kind| {
            if name.short {
                return ControlFlow::Continue(());
            }
            visit(DirEntry { name: name.name, id, kind })
        })
    }

    fn paths(&self, id: EntryId) -> Result<Paths> {
        self.paths_of(id)
    }

    fn open(&self, entry: &Entry, stream: &StreamName) -> Result<Arc<dyn ReadAt>> {
        let found = entry.stream(stream).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("record {} has no such stream", entry.id.0))
        })?;
        let volume = Arc::clone(&self.volume);
        match &found.layout {
            Layout::Resident { bytes, place } => Ok(Arc::new(Resident::new(volume, bytes.clone(), *place))),
            Layout::Runs(_) => Ok(Arc::new(Clusters::new(volume, found))),
            Layout::Encrypted(_) => {
                let message = format!("record {}: the stream is encrypted with EFS", entry.id.0);
                Err(Error::new(ErrorKind::Encrypted, message))
            }
            Layout::Encoded(_) => {
                let assembled = self.assembled(entry.id.0)?;
                match (stream, assembled.elsewhere) {
                    (StreamName::Data, Some(Elsewhere::Unread(why))) => return Err(Error::unsupported(why)),
                    (StreamName::Data, Some(Elsewhere::Overlaid(format))) => {
                        let stored = self.open(entry, &StreamName::Named(wof::STREAM.to_vec()))?;
                        return Ok(Arc::new(Overlaid::new(stored, format, found.size)?));
                    }
                    _ => {}
                }
                let unit =
                    assembled.units.iter().find(|(name, _)| name == stream).map_or(0, |(_, unit)| *unit);
                Ok(Arc::new(Compressed::new(volume, found, unit)?))
            }
        }
    }

    fn unallocated(&self, visit: &mut dyn FnMut(Range<u64>)) -> Result<()> {
        let bitmap = self.open_system(BITMAP)?;
        let end = self.volume.size();
        bitmap::free(&*bitmap, self.geometry.clusters, &mut |clusters| {
            let bytes = |cluster: u64| cluster.saturating_mul(self.geometry.cluster_size).min(end);
            let range = bytes(clusters.start)..bytes(clusters.end);
            if !range.is_empty() {
                visit(range);
            }
        })
    }

    fn find(&self, path: &[u8]) -> Result<EntryId> {
        self.find_path(path)
    }

    fn same_name(&self, one: &[u8], other: &[u8]) -> bool {
        one == other || self.upcase().fold(one) == self.upcase().fold(other)
    }
}
