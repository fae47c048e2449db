//! Volume systems: partition tables and logical volumes.
//!
//! [`tile`] cuts a disk into volumes that cover every byte of it exactly once: partitions, the tables
//! themselves, and the gaps between them.

mod claims;
mod gpt;
mod mbr;
mod sniff;
mod types;
mod whole;

use crate::error::{Error, Result};
use crate::io::{Backing, Extent, ReadAt, check_range};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// What a volume is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VolumeKind {
    /// The whole disk, without a partition table.
    Whole,
    /// A partition, with its type as the table gives it (GUID or `0x83`) and that type's name if known.
    Partition {
        /// Type identifier, as text.
        type_id: String,
        /// The type's usual name.
        #[serde(
            default,
            deserialize_with = "crate::names::read_optional",
            skip_serializing_if = "Option::is_none"
        )]
        type_name: Option<crate::names::Name>,
    },
    /// A logical volume made of parts of other volumes.
    Logical,
    /// A partition table or boot code.
    Table,
    /// Bytes that no volume claims.
    Gap,
}

/// A part of a volume that is contiguous on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the volume, in bytes.
    pub volume_offset: u64,
    /// Offset on the disk, in bytes.
    pub disk_offset: u64,
    /// Length in bytes.
    pub length: u64,
}

/// A volume: a name and an ordered list of disk ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Name in findings and locations: `p3`, `whole`, `unpartitioned`, `lvm:vg/lv`.
    pub name: String,
    /// What it is.
    pub kind: VolumeKind,
    /// The partition's own label, escaped.
    pub label: Option<String>,
    /// Disk ranges in the order of volume offsets, without gaps in volume offsets.
    pub segments: Vec<Segment>,
}

impl Volume {
    /// A volume that is one disk range.
    pub fn contiguous(name: impl Into<String>, kind: VolumeKind, disk: Range<u64>) -> Self {
        let length = disk.end.saturating_sub(disk.start);
        let segments = vec![Segment { volume_offset: 0, disk_offset: disk.start, length }];
        Self { name: name.into(), kind, label: None, segments }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.volume_offset.saturating_add(last.length))
    }

    /// The first byte's place on the disk.
    pub fn disk_start(&self) -> u64 {
        self.segments.first().map_or(0, |first| first.disk_offset)
    }

    /// The disk ranges behind a range of the volume, in the volume's order; what passes the end is cut off.
    pub fn disk_ranges(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first =
            self.segments.partition_point(|s| s.volume_offset.saturating_add(s.length) <= range.start);
        let rest = self.segments.get(first..).unwrap_or_default();
        rest.iter().take_while(move |s| s.volume_offset < range.end).filter_map(move |s| {
            let start = range.start.max(s.volume_offset);
            let end = range.end.min(s.volume_offset.saturating_add(s.length));
            let disk = s.disk_offset.saturating_add(start.saturating_sub(s.volume_offset));
            (start < end).then(|| disk..disk.saturating_add(end.saturating_sub(start)))
        })
    }

    /// The place on the disk of one byte of the volume.
    pub fn to_disk(&self, offset: u64) -> Option<u64> {
        self.disk_ranges(offset..offset.saturating_add(1)).next().map(|range| range.start)
    }
}

/// The disk, cut into volumes.
#[derive(Clone, Debug, Default)]
pub struct Tiling {
    /// Name of the volume system: `gpt`, `mbr`, `none`.
    pub scheme: &'static str,
    /// Sector size of the table in bytes.
    pub sector_size: u64,
    /// Volumes in disk order; together they cover the disk.
    pub volumes: Vec<Volume>,
    /// Logical volumes, which lie over the ranges of other volumes.
    pub logical: Vec<Volume>,
    /// What a reader of the report should know (backup table used, overlapping entries …).
    pub notes: Vec<String>,
}

/// Cuts the disk into volumes. Damage in a table never loses bytes: what cannot be assigned is a gap.
///
/// A file system that starts in the first sector wins over what looks like a table there; a GPT wins over
/// the boot record that protects it, and loses to a boot record that does not mention it.
///
/// # Errors
/// Only when nothing of the disk can be read.
pub fn tile(disk: &Arc<dyn ReadAt>) -> Result<Tiling> {
    let size = disk.size();
    if sniff::boot_sector(disk.as_ref(), 0) {
        return Ok(whole::tile(disk, Vec::new()));
    }
    let record = mbr::Record::read(disk.as_ref());
    let protective = record.as_ref().is_some_and(|record| record.protective().is_some());
    let plausible = record.as_ref().filter(|record| record.is_plausible(size));
    let signature = gpt::has_signature(disk.as_ref());
    if (protective || (plausible.is_none() && signature))
        && let Some(table) = gpt::read(disk, record.as_ref())
    {
        return Ok(claims::cover(size, table));
    }
    let mut notes = Vec::new();
    if protective {
        notes.push("the master boot record protects a GPT, but no usable GPT was found".to_owned());
    } else if signature && plausible.is_some() {
        notes.push("a GPT is there that the master boot record does not mention".to_owned());
    }
    if let Some(record) = plausible.filter(|record| record.partitions().next().is_some()) {
        let mut table = record.table(disk.as_ref());
        table.notes.append(&mut notes);
        return Ok(claims::cover(size, table));
    }
    if !sniff::volume(disk.as_ref(), 0)
        && let Some(table) = gpt::read(disk, None)
    {
        return Ok(claims::cover(size, table));
    }
    Ok(whole::tile(disk, notes))
}

/// A volume's bytes, as a layer of their own.
#[derive(Clone, Debug)]
pub struct VolumeReader {
    disk: Arc<dyn ReadAt>,
    volume: Volume,
}

impl VolumeReader {
    /// Reads `volume` through `disk`.
    pub fn new(disk: Arc<dyn ReadAt>, volume: Volume) -> Self {
        Self { disk, volume }
    }

    /// The first contiguous disk range at `offset`, of at most `max` bytes.
    fn piece(&self, offset: u64, max: u64) -> Option<Range<u64>> {
        self.volume.disk_ranges(offset..offset.saturating_add(max)).next()
    }
}

impl ReadAt for VolumeReader {
    fn size(&self) -> u64 {
        self.volume.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.size(), offset, length)?;
        let mut rest = buffer;
        for range in self.volume.disk_ranges(offset..offset.saturating_add(length)) {
            let piece = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut_checked(piece).ok_or_else(|| {
                Error::corrupt(offset, "volume segments", "at most the range asked for", piece)
            })?;
            self.disk.read_at(range.start, now)?;
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        let range =
            self.piece(offset, max).ok_or_else(|| Error::truncated("volume", offset, max, self.size()))?;
        if range.end > self.disk.size() {
            let reason = "the volume passes the end of the image".into();
            return Ok(Extent {
                length: range.end.saturating_sub(range.start),
                backing: Backing::Missing { reason },
            });
        }
        self.disk.map(range.start, range.end.saturating_sub(range.start))
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let range = self.piece(offset, max)?;
        self.disk.slice(range.start, range.end.saturating_sub(range.start))
    }
}
