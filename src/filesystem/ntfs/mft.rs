//! The master file table: where its records are, and reading them one by one or all in order.

use super::attribute::{Attribute, Form, code};
use super::attribute_list::{self, LIST_SIZE_MAX};
use super::boot::Geometry;
use super::record::{Record, Reference};
use super::run_list::{self, ClusterRun};
use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, Layout, Place, RunReader, Stream, StreamName};
use crate::io::{Backing, ReadAt, read_vec};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of the table read at a time.
const CHUNK: u64 = 1 << 20;
/// Records that `$MFTMirr` repeats on every volume.
const MIRRORED: u64 = 4;

/// Called with a record's number, its volume offset where it lies in one piece, and its bytes as stored.
type Visit<'a> = dyn FnMut(u64, Option<u64>, Result<&mut [u8]>) -> ControlFlow<()> + 'a;

/// The master file table.
#[derive(Debug)]
pub(super) struct Mft {
    volume: Arc<dyn ReadAt>,
    table: RunReader,
    runs: Vec<DataRun>,
    record_size: usize,
    mirror: u64,
    records: u64,
}

/// A record's bytes in memory of their own.
#[derive(Debug)]
pub(super) struct Owned {
    number: u64,
    place: Option<u64>,
    bytes: Vec<u8>,
}

impl Owned {
    /// The record; `None` for one that was never used.
    ///
    /// # Errors
    /// As [`Record::parse`].
    pub(super) fn record(&mut self) -> Result<Option<Record<'_>>> {
        Record::parse(self.number, self.place, &mut self.bytes)
    }
}

impl Mft {
    /// Finds the table through its own first record, in `$MFT` or else in `$MFTMirr`. What had to be left
    /// out is said in `notes`.
    ///
    /// # Errors
    /// When neither copy of the first record gives the place of the table.
    pub(super) fn open(
        volume: &Arc<dyn ReadAt>,
        geometry: &Geometry,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let first = match Self::bootstrap(volume, geometry, geometry.mft, notes) {
            Ok(first) => first,
            Err(problem) => {
                let first = Self::bootstrap(volume, geometry, geometry.mirror, notes)
                    .map_err(|mirror| problem_of_both(&problem, mirror))?;
                notes
                    .push(format!("first record of $MFT unusable ({problem}), its copy in $MFTMirr is used"));
                first
            }
        };
        let record_bytes = u64::try_from(geometry.record_size).unwrap_or(u64::MAX);
        // References have 32 bits in practice, and the table cannot be larger than what it lies on.
        let records =
            (first.size.min(first.initialised).min(volume.size()) / record_bytes).min(u64::from(u32::MAX));
        Ok(Self {
            volume: Arc::clone(volume),
            table: RunReader::new(Arc::clone(volume), &first),
            runs: first.runs().to_vec(),
            record_size: geometry.record_size,
            mirror: geometry.mirror,
            records,
        })
    }

    /// Reads the stream of the table itself from the record at `place`.
    fn bootstrap(
        volume: &Arc<dyn ReadAt>,
        geometry: &Geometry,
        place: u64,
        notes: &mut Vec<String>,
    ) -> Result<Stream> {
        let mut owned =
            Owned { number: 0, place: Some(place), bytes: read_vec(&**volume, place, geometry.record_size)? };
        let record =
            owned.record()?.ok_or_else(|| Error::corrupt(place, "first record of $MFT", "FILE", "zeros"))?;
        if !record.in_use || record.extends().is_some() {
            return Err(Error::corrupt(place, "first record of $MFT", "a base record in use", "another"));
        }
        let mut table = Table::new(volume, geometry);
        let mut list = None;
        for attribute in record.attributes() {
            let attribute = attribute?;
            match attribute.code {
                code::DATA if attribute.name.is_empty() => table.add(&attribute)?,
                code::ATTRIBUTE_LIST => list = Some(list_bytes(volume, geometry, &attribute)?),
                _ => {}
            }
        }
        if table.runs.is_empty() {
            return Err(Error::corrupt(place, "runs of $MFT", "at least one", "none"));
        }
        if let Some(list) = list {
            table.follow(&list, place, notes);
        }
        Ok(table.stream())
    }

    /// Reads record `number`.
    ///
    /// # Errors
    /// [`Kind::NotFound`] beyond the table, and what the volume reports.
    pub(super) fn read(&self, number: u64) -> Result<Owned> {
        if number >= self.records {
            let message = format!("record {number}: the table has {}", self.records);
            return Err(Error::new(Kind::NotFound, message));
        }
        let size = u64::try_from(self.record_size).unwrap_or(u64::MAX);
        let offset = number.saturating_mul(size);
        let bytes = read_vec(&self.table, offset, self.record_size)?;
        Ok(Owned { number, place: self.place(offset, size), bytes })
    }

    /// Reads the copy of record `number` in `$MFTMirr`, where it has one.
    pub(super) fn read_mirrored(&self, number: u64) -> Option<Owned> {
        let size = u64::try_from(self.record_size).ok()?;
        let place = self.mirror.checked_add(number.checked_mul(size)?).filter(|_| number < MIRRORED)?;
        let bytes = read_vec(&*self.volume, place, self.record_size).ok()?;
        Some(Owned { number, place: Some(place), bytes })
    }

    /// Volume offset of `length` bytes of the table, where they lie in one piece.
    fn place(&self, offset: u64, length: u64) -> Option<u64> {
        let (place, left) = self.piece(offset)?;
        (left >= length).then_some(place)
    }

    /// Volume offset of the table's byte at `offset`, and how many bytes from there on lie in one piece.
    fn piece(&self, offset: u64) -> Option<(u64, u64)> {
        let next = self.runs.partition_point(|run| run.logical <= offset);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let inside = offset.checked_sub(run.logical)?;
        let left = run.length.checked_sub(inside).filter(|&left| left > 0)?;
        match run.place {
            Place::At(start) => Some((start.checked_add(inside)?, left)),
            _ => None,
        }
    }

    /// Visits the records from `first` on in order: number, volume offset and bytes, or why they could not
    /// be read. Records in holes of the image are left out: they were never used.
    pub(super) fn scan(&self, first: u64, visit: &mut Visit<'_>) {
        let size = u64::try_from(self.record_size).unwrap_or(u64::MAX);
        let mut buffer = Vec::new();
        let mut number = first;
        while number < self.records {
            let (records, skip) = self.stretch(number, size);
            let records = records.min(self.records.saturating_sub(number));
            if !skip && self.scan_stretch(number, records, &mut buffer, visit).is_break() {
                return;
            }
            number = number.saturating_add(records);
        }
    }

    /// How many records from `number` on can be read together, and whether they are a hole.
    fn stretch(&self, number: u64, size: u64) -> (u64, bool) {
        let offset = number.saturating_mul(size);
        let Some((place, left)) = self.piece(offset) else {
            let next = self.runs.partition_point(|run| run.logical <= offset);
            let stored = self.runs.get(next..).unwrap_or_default().iter();
            let next = stored.filter(|run| matches!(run.place, Place::At(_))).map(|run| run.logical).next();
            let records = next.unwrap_or(u64::MAX).saturating_sub(offset) / size;
            // A record that straddles the end of the gap is read alone.
            return (records.max(1), records > 0);
        };
        if left < size {
            return (1, false);
        }
        if let Ok(extent) = self.volume.map(place, left) {
            let records = extent.length.min(left) / size;
            if extent.backing == Backing::Hole && records > 0 {
                return (records, true);
            }
        }
        ((left.min(CHUNK) / size).max(1), false)
    }

    fn scan_stretch(
        &self,
        number: u64,
        records: u64,
        buffer: &mut Vec<u8>,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let size = u64::try_from(self.record_size).unwrap_or(u64::MAX);
        let offset = number.saturating_mul(size);
        let length = usize::try_from(records.saturating_mul(size)).unwrap_or(0);
        buffer.resize(length, 0);
        let whole = self.table.read_at(offset, buffer).is_ok();
        for (index, bytes) in (number..).zip(buffer.chunks_exact_mut(self.record_size)) {
            let offset = index.saturating_mul(size);
            // After a failure of the whole stretch each record is tried alone.
            let outcome = if whole { Ok(()) } else { self.table.read_at(offset, bytes) };
            visit(index, self.place(offset, size), outcome.map(|()| bytes))?;
        }
        ControlFlow::Continue(())
    }
}

fn problem_of_both(first: &Error, mirror: Error) -> Error {
    mirror.context(format!("$MFT is not readable ({first}), and neither is $MFTMirr"))
}

/// The stream of the table while it is put together.
struct Table<'a> {
    volume: &'a Arc<dyn ReadAt>,
    geometry: &'a Geometry,
    runs: Vec<ClusterRun>,
    size: u64,
    initialised: u64,
}

impl<'a> Table<'a> {
    fn new(volume: &'a Arc<dyn ReadAt>, geometry: &'a Geometry) -> Self {
        Self { volume, geometry, runs: Vec::new(), size: 0, initialised: 0 }
    }

    /// Adds the runs of one piece.
    fn add(&mut self, attribute: &Attribute<'_>) -> Result<()> {
        let Form::NonResident(extents) = &attribute.form else {
            return Err(Error::corrupt(
                attribute.at,
                "$DATA of $MFT",
                "a non-resident attribute",
                "a resident one",
            ));
        };
        if extents.lowest_vcn == 0 {
            (self.size, self.initialised) = (extents.size, extents.initialised);
        }
        let clusters = self.geometry.clusters;
        run_list::decode(extents.pairs, extents.lowest_vcn, clusters, attribute.at, &mut self.runs)
    }

    /// Adds the pieces that extension records hold. Each such record must lie in what is known by then, so
    /// that a list which refers to itself ends by itself.
    fn follow(&mut self, list: &[u8], at: u64, notes: &mut Vec<String>) {
        let mut listed: Vec<_> = Vec::new();
        for entry in attribute_list::parse(list, at) {
            match entry {
                Ok(entry) if entry.code == code::DATA && !entry.named && entry.lowest_vcn > 0 => {
                    listed.push(entry)
                }
                Ok(_) => {}
                Err(error) => notes.push(format!("attribute list of $MFT: {error}")),
            }
        }
        listed.sort_by_key(|entry| entry.lowest_vcn);
        for entry in listed {
            if let Err(error) = self.extend(entry.record, entry.lowest_vcn) {
                notes.push(format!(
                    "records of $MFT from cluster {} on are not readable: {error}",
                    entry.lowest_vcn
                ));
            }
        }
    }

    fn extend(&mut self, reference: Reference, lowest_vcn: u64) -> Result<()> {
        let size = u64::try_from(self.geometry.record_size).unwrap_or(u64::MAX);
        let reader = RunReader::new(Arc::clone(self.volume), &self.stream());
        let offset = reference.number.saturating_mul(size);
        let mut owned = Owned {
            number: reference.number,
            place: None,
            bytes: read_vec(&reader, offset, self.geometry.record_size)?,
        };
        let record = owned.record()?.filter(|record| {
            record.in_use
                && record.is_meant_by(reference)
                && record.extends().is_some_and(|base| base.number == 0)
        });
        let record = record.ok_or_else(|| {
            Error::corrupt(
                offset,
                "extension record of $MFT",
                "one of record 0",
                format!("record {}", reference.number),
            )
        })?;
        for attribute in record.attributes() {
            let attribute = attribute?;
            if let (code::DATA, true, Form::NonResident(extents)) =
                (attribute.code, attribute.name.is_empty(), &attribute.form)
                && extents.lowest_vcn == lowest_vcn
            {
                return self.add(&attribute);
            }
        }
        Err(Error::corrupt(offset, "piece of $MFT", format!("cluster {lowest_vcn}"), "none in its record"))
    }

    fn stream(&self) -> Stream {
        let mut runs = data_runs(&self.runs, self.geometry.cluster_size);
        runs.sort_by_key(|run| run.logical);
        Stream {
            name: StreamName::Data,
            size: self.size,
            initialised: self.initialised,
            layout: Layout::Runs(runs),
        }
    }
}

/// Runs in bytes. What lies beyond 2^64 bytes is left out.
pub(super) fn data_runs(runs: &[ClusterRun], cluster_size: u64) -> Vec<DataRun> {
    let convert = |run: &ClusterRun| {
        Some(DataRun {
            logical: run.vcn.checked_mul(cluster_size)?,
            length: run.clusters.checked_mul(cluster_size)?,
            place: match run.lcn {
                Some(lcn) => Place::At(lcn.checked_mul(cluster_size)?),
                None => Place::Hole,
            },
        })
    };
    runs.iter().filter_map(convert).collect()
}

/// The bytes of an attribute list, resident or not, up to [`LIST_SIZE_MAX`].
///
/// # Errors
/// Damaged runs, and what the volume reports.
pub(super) fn list_bytes(
    volume: &Arc<dyn ReadAt>,
    geometry: &Geometry,
    attribute: &Attribute<'_>,
) -> Result<Vec<u8>> {
    let extents = match &attribute.form {
        Form::Resident { value, .. } => return Ok(value.to_vec()),
        Form::NonResident(extents) => extents,
    };
    if extents.size > LIST_SIZE_MAX {
        return Err(Error::corrupt(
            attribute.at,
            "attribute list",
            format!("up to {LIST_SIZE_MAX} bytes"),
            extents.size,
        ));
    }
    let mut runs = Vec::new();
    run_list::decode(extents.pairs, extents.lowest_vcn, geometry.clusters, attribute.at, &mut runs)?;
    let stream = Stream {
        name: StreamName::Data,
        size: extents.size,
        initialised: extents.initialised,
        layout: Layout::Runs(data_runs(&runs, geometry.cluster_size)),
    };
    let length = usize::try_from(extents.size).unwrap_or(0);
    read_vec(&RunReader::new(Arc::clone(volume), &stream), 0, length)
}
