//! Former states of file records, out of the log: of files whose record has been used again, and of files that
//! had other content once.

use super::super::assemble::Assembled;
use super::super::name::FileName;
use super::super::record::Reference;
use super::super::{FIRST_USER, Ntfs};
use super::opened::Opened;
use super::operation::{Operation, code};
use super::rollback::Image;
use super::{Kept, Log};
use crate::filesystem::{
    DataRun, Entry, EntryId, EntryKind, EntryState, FileSystem, Layout, Place, Stream, StreamName,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

/// Operations that are kept of one log.
const OPERATIONS_MAX: usize = 1 << 21;
/// Former states of one record.
const EARLIER_MAX: u64 = 32;
/// Former states of one volume.
const STATES_MAX: usize = 1 << 14;

/// Note on everything that comes from the log.
const NOTE: &str = "recovered from $LogFile";

/// A former state of a record.
#[derive(Clone, Debug)]
pub(in super::super) struct State {
    image: Image,
    /// The record, and the file that had it by its sequence number.
    of: Reference,
    /// Whether the record is this file's to this day.
    is_current: bool,
    /// Whether a later state of the same file is known.
    is_earlier: bool,
}

/// What the log remembers.
#[derive(Debug, Default)]
pub(in super::super) struct History {
    log: Option<Log>,
    /// Read when an operation outside of file records is asked about.
    opened: OnceLock<Opened>,
    /// Where the log lies on the volume.
    runs: Vec<DataRun>,
    /// By id: how far it counts back above the record's number.
    states: BTreeMap<u64, State>,
    /// By record, ascending: at this number in the log the record was written as a whole for, or taken from,
    /// the file with this sequence number.
    eras: HashMap<u64, Vec<Era>>,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Era {
    lsn: u64,
    is_start: bool,
    sequence: u16,
}

/// Where an operation is written down.
#[derive(Clone, Copy, Debug)]
struct Written {
    number: u64,
    lsn: u64,
    page: u64,
    offset: usize,
    length: usize,
}

impl History {
    /// Reads the log of a file system, the content of `entry`.
    pub(in super::super) fn read(ntfs: &Ntfs, entry: &Entry) -> Option<Self> {
        let stream = entry.stream(&StreamName::Data)?;
        let log = Log::open(ntfs.open(entry, &stream.name).ok()?)?;
        let mut history = Self { runs: stream.runs().to_vec(), ..Self::default() };
        let operations = history.operations(ntfs, &log);
        let mut kept = Kept::default();
        for of_record in operations.chunk_by(|one, other| one.number == other.number) {
            history.roll_back(ntfs, &log, &mut kept, of_record);
        }
        history.log = Some(log);
        Some(history)
    }

    /// All operations on file records: by record, the latest first.
    fn operations(&mut self, ntfs: &Ntfs, log: &Log) -> Vec<Written> {
        let record_size = u64::try_from(ntfs.geometry.record_size).unwrap_or(u64::MAX);
        let mut all = Vec::new();
        log.pages(&mut |at, page| {
            log.in_page(at, page, &mut |lsn, offset, length| {
                if all.len() >= OPERATIONS_MAX {
                    self.is_cut = true;
                    return ControlFlow::Break(());
                }
                if let Some(operation) = log.operation(at, page, offset, length)
                    && let Some(number) = operation.number(ntfs.geometry.cluster_size, record_size)
                    && number >= FIRST_USER
                    && !ntfs.index().is_metadata(number)
                {
                    self.add_eras(number, &operation);
                    all.push(Written { number, lsn, page: at, offset, length });
                }
                ControlFlow::Continue(())
            });
        });
        // Pages in front are copies: of two records with one number the one behind is where it belongs.
        all.sort_unstable_by_key(|one| std::cmp::Reverse((std::cmp::Reverse(one.number), one.lsn, one.page)));
        all.dedup_by_key(|one| (one.number, one.lsn));
        #[allow(clippy::iter_over_hash_type, reason = "each one is sorted alone")]
        for eras in self.eras.values_mut() {
            eras.sort_unstable();
            eras.dedup();
        }
        all
    }

    fn add_eras(&mut self, number: u64, operation: &Operation) {
        for (half, is_start) in [(&operation.redo, true), (&operation.undo, false)] {
            let sequence = half.1.bytes.get(0x10..).and_then(|bytes| bytes.first_chunk::<2>());
            if half.0 == code::INITIALIZE_FILE_RECORD
                && let Some(sequence) = sequence
            {
                let sequence = u16::from_le_bytes(*sequence);
                self.eras.entry(number).or_default().push(Era { lsn: operation.lsn, is_start, sequence });
            }
        }
    }

    /// Goes back through the operations on one record, and keeps states with something that later ones lack.
    fn roll_back(&mut self, ntfs: &Ntfs, log: &Log, kept: &mut Kept, operations: &[Written]) {
        let Some(number) = operations.first().map(|one| one.number) else { return };
        let size = ntfs.geometry.record_size;
        let mut seen = Seen::default();
        let now = ntfs.with_record(number, |record| {
            let sequence = if record.in_use { record.sequence } else { before(record.sequence) };
            seen.current = record.in_use.then_some(sequence);
            if record.extends().is_none() {
                seen.all.push((sequence, ntfs.assemble_alone(record).entry.streams));
            }
            Ok((Image::of(record), record.lsn))
        });
        let (mut image, last) = match now {
            Ok((image, lsn)) => (Some(image), lsn),
            Err(_) => (None, u64::MAX),
        };
        let mut is_first = true;
        for written in operations {
            let page = kept.page(log, written.page);
            let operation =
                page.and_then(|page| log.operation(written.page, page, written.offset, written.length));
            let Some(operation) = operation else {
                image = None;
                continue;
            };
            if operation.lsn > last {
                // The table does not have it: the volume was not shut down.
                self.consider(ntfs, &mut seen, number, Image::written(&operation, size).as_ref());
                continue;
            }
            // The table names the last operation that it has.
            image = image.filter(|_| !is_first || operation.lsn == last);
            is_first = false;
            if image.is_none() {
                image = Image::written(&operation, size);
                self.consider(ntfs, &mut seen, number, image.as_ref());
            }
            let was_content = image.as_ref().is_none_or(|image| image.loses_content(&operation));
            image = Image::replaced(&operation, size)
                .or_else(|| image.and_then(|image| image.before(&operation, ntfs.geometry.clusters)));
            if was_content {
                self.consider(ntfs, &mut seen, number, image.as_ref());
            }
        }
    }

    /// Keeps a state where later ones lack something that it has.
    fn consider(&mut self, ntfs: &Ntfs, seen: &mut Seen, number: u64, image: Option<&Image>) {
        let Some((image, record)) = image.and_then(|image| Some((image, image.record(number)?))) else {
            return;
        };
        let sequence = if record.in_use { record.sequence } else { before(record.sequence) };
        if record.extends().is_some() || seen.kept >= EARLIER_MAX {
            return;
        }
        let mut assembled = ntfs.assemble_alone(&record);
        ntfs.free().clip(&mut assembled.entry, ntfs.geometry.cluster_size, &mut (1 << 16));
        let streams = assembled.entry.streams;
        let is_earlier = seen.all.iter().any(|(of, _)| *of == sequence);
        let is_new = if is_earlier {
            streams.iter().any(|stream| seen.lacks(sequence, stream))
        } else {
            !assembled.names.is_empty() || streams.iter().any(|stream| stream.size > 0)
        };
        if !is_new {
            return;
        }
        // What came before and has all of what came after stands for both.
        let last = seen.kept << 32 | number;
        let last_streams = seen.all.last().filter(|(of, _)| *of == sequence && seen.kept > 0);
        let stands_for_both = self.states.get(&last).is_some_and(|last| last.is_earlier || last.is_current)
            && last_streams.is_some_and(|(_, last)| last.iter().all(|stream| is_in(&streams, stream)));
        if stands_for_both {
            self.states.remove(&last);
            seen.kept = seen.kept.saturating_sub(1);
            seen.all.pop();
        }
        seen.all.push((sequence, streams));
        if self.states.len() >= STATES_MAX {
            self.is_cut = true;
            return;
        }
        seen.kept = seen.kept.saturating_add(1);
        let of = Reference { number, sequence };
        let is_current = seen.current == Some(sequence);
        let state = State { image: image.clone(), of, is_current, is_earlier };
        self.states.insert(seen.kept << 32 | number, state);
    }

    /// All ids, by how far they count back and by number.
    pub(in super::super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.states.keys().copied()
    }

    /// Whether there was more than is kept.
    pub(in super::super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The former state with this id.
    pub(in super::super) fn assembled(&self, ntfs: &Ntfs, id: u64) -> Option<Assembled> {
        let state = self.states.get(&id)?;
        let record = state.image.record(state.of.number)?;
        let mut assembled = ntfs.assemble_alone(&record);
        ntfs.free().clip(&mut assembled.entry, ntfs.geometry.cluster_size, &mut (1 << 16));
        let entry = &mut assembled.entry;
        entry.id = EntryId(id);
        entry.state = EntryState::Deleted;
        let mut notes = vec![NOTE.to_owned()];
        match (state.is_current, state.is_earlier) {
            (true, _) => {
                notes.push("content that the file no longer has: cut off or written anew".to_owned())
            }
            (false, true) => notes.push("an earlier state of a file that is gone".to_owned()),
            _ => {}
        }
        // Damage is what to expect in what was given up.
        notes.extend(assembled.problems.drain(..).map(|problem| problem.to_string()));
        notes.append(&mut entry.notes);
        entry.notes = notes;
        for stream in &mut entry.streams {
            if let Layout::Resident { bytes, place } = &mut stream.layout {
                *place = place.and_then(|at| self.place(&state.image, at, bytes.len()));
            }
        }
        Some(assembled)
    }

    /// Volume offset of bytes of a record's image, where they lie in the log as they are.
    fn place(&self, image: &Image, at: u64, length: usize) -> Option<u64> {
        let start = usize::try_from(at).ok()?;
        let offset = image.origin(&(start..start.checked_add(length)?))?;
        let length = u64::try_from(length).ok()?;
        let next = self.runs.partition_point(|run| run.logical <= offset);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let inside = offset.checked_sub(run.logical)?;
        match run.place {
            Place::At(place) if inside.checked_add(length)? <= run.length => place.checked_add(inside),
            _ => None,
        }
    }

    /// The long name of a directory that is gone.
    pub(in super::super) fn directory(&self, ntfs: &Ntfs, directory: Reference) -> Option<FileName> {
        let is_it = |state: &&State| state.of == directory;
        let states = self.states.iter().filter(|(id, _)| *id & u64::from(u32::MAX) == directory.number);
        let (_, state) = states.map(|(id, state)| (*id, state)).find(|(_, state)| is_it(state))?;
        let assembled = ntfs.assemble_alone(&state.image.record(directory.number)?);
        let is_directory = assembled.entry.kind == EntryKind::Directory;
        super::super::paths::long_names(&assembled.names).next().filter(|_| is_directory).cloned()
    }

    /// What the byte at `offset` of the log is about, for a reader of a report.
    pub(in super::super) fn about(&self, ntfs: &Ntfs, offset: u64) -> Option<String> {
        let log = self.log.as_ref()?;
        let operation = log.operation_at(offset)?;
        let record_size = u64::try_from(ntfs.geometry.record_size).ok()?;
        let (number, then) = if operation.is_on_record() {
            let number = operation.number(ntfs.geometry.cluster_size, record_size)?;
            (number, self.sequence_at(number, &operation))
        } else {
            operation.is_on_attribute().then_some(())?;
            let file = self.opened.get_or_init(|| Opened::read(log)).file(&operation)?;
            (file.number, Some(file.sequence).filter(|&sequence| sequence != 0))
        };
        let (whose, is_gone) = self.whose(ntfs, number, then);
        let since = if is_gone { ", used again since" } else { "" };
        let whose = whose.map(|path| format!(" ({})", crate::location::escape(&path))).unwrap_or_default();
        Some(format!("in the log's {} of record {number}{whose}{since}", operation.name()))
    }

    /// The path of the file that had a record with the sequence number `then`, and whether it is another's by now.
    fn whose(&self, ntfs: &Ntfs, number: u64, then: Option<u16>) -> (Option<Vec<u8>>, bool) {
        let now = ntfs.index().record(number);
        let current = now.map(|now| if now.in_use { now.sequence } else { before(now.sequence) });
        let then = then.or(current);
        if then == current {
            let paths = ntfs.paths_of(EntryId(number)).unwrap_or_default();
            return (paths.all.into_iter().next(), false);
        }
        let same = |(id, state): &(&u64, &State)| {
            **id & u64::from(u32::MAX) == number && Some(state.of.sequence) == then
        };
        let state = self.states.iter().find(same);
        let paths = state.and_then(|(id, _)| ntfs.paths_of(EntryId(*id)).ok()).unwrap_or_default();
        (paths.all.into_iter().next(), true)
    }

    /// The sequence number that a record had when an operation on it was logged.
    fn sequence_at(&self, number: u64, operation: &Operation) -> Option<u16> {
        let eras = self.eras.get(&number)?;
        let next = eras.partition_point(|era| era.lsn <= operation.lsn);
        let (before, behind) = eras.split_at_checked(next)?;
        let started = before.iter().rev().find(|era| era.is_start);
        // What was taken away with this operation or a later one was there until then.
        let own = before.iter().rev().find(|era| era.lsn == operation.lsn && !era.is_start);
        let ended = own.or_else(|| behind.iter().find(|era| !era.is_start));
        if operation.redo.0 == code::DEALLOCATE_FILE_RECORD || operation.redo.0 == code::NOOP {
            return ended.or(started).map(|era| era.sequence);
        }
        started.or(ended).map(|era| era.sequence)
    }
}

/// States of one record that have been seen, the latest first.
#[derive(Default)]
struct Seen {
    /// Sequence number of the file that has the record.
    current: Option<u16>,
    all: Vec<(u16, Vec<Stream>)>,
    kept: u64,
}

impl Seen {
    /// Whether no state of the file with this sequence number has what `stream` holds.
    fn lacks(&self, sequence: u16, stream: &Stream) -> bool {
        let own = self.all.iter().filter(|(of, _)| *of == sequence);
        own.into_iter().all(|(_, all)| !is_in(all, stream))
    }
}

/// Whether one of `all` has what `stream` holds of a file's content.
fn is_in(all: &[Stream], stream: &Stream) -> bool {
    let same = all.iter().find(|other| other.name == stream.name);
    !matches!(stream.name, StreamName::Data | StreamName::Named(_))
        || !has_content(stream)
        || same.is_some_and(|other| holds(other, stream))
}

fn has_content(stream: &Stream) -> bool {
    match &stream.layout {
        Layout::Resident { bytes, .. } => !bytes.is_empty(),
        _ => stream.runs().iter().any(|run| matches!(run.place, Place::At(_))),
    }
}

/// Whether `other` has everything that `stream` has.
fn holds(other: &Stream, stream: &Stream) -> bool {
    match (&other.layout, &stream.layout) {
        (Layout::Resident { bytes: all, .. }, Layout::Resident { bytes, .. }) => all.starts_with(bytes),
        (_, Layout::Resident { .. }) | (Layout::Resident { .. }, _) => false,
        _ => {
            let outer = places(other);
            places(stream)
                .iter()
                .all(|inner| outer.iter().any(|outer| outer.start <= inner.start && inner.end <= outer.end))
        }
    }
}

/// Where a stream's bytes lie, ascending and joined.
fn places(stream: &Stream) -> Vec<Range<u64>> {
    let place = |run: &DataRun| match run.place {
        Place::At(start) => Some(start..start.saturating_add(run.length)),
        _ => None,
    };
    let mut all: Vec<_> = stream.runs().iter().filter_map(place).collect();
    all.sort_unstable_by_key(|range| range.start);
    all.dedup_by(|next, range| {
        let joins = next.start <= range.end;
        if joins {
            range.end = range.end.max(next.end);
        }
        joins
    });
    all
}

/// The sequence number before the one that a record got when it was freed.
fn before(sequence: u16) -> u16 {
    if sequence == 1 { u16::MAX } else { sequence.wrapping_sub(1) }
}
