//! Volume systems: partition tables and logical volumes.
//!
//! [`tile`] cuts a disk into volumes that cover every byte of it exactly once: partitions, the tables
//! themselves, and the gaps between them. [`layers`] then finds the volumes that lie over those: arrays,
//! logical volumes, partitions inside of either.

mod claims;
mod gpt;
mod layers;
mod lvm2;
mod mbr;
mod md;
mod reader;
mod sniff;
mod types;
mod whole;

pub use layers::inside;
pub use reader::VolumeReader;

use crate::error::Result;
use crate::io::ReadAt;
use crate::location::State;
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

/// What is to be made of a volume's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// It is looked at.
    #[default]
    Content,
    /// It is a member of the volume system called so, whose volumes are read by themselves.
    Member(&'static str),
    /// It holds the bytes of another volume once more: the other half of a mirror.
    Copy {
        /// The volume system.
        system: &'static str,
        /// Name of the volume that is read.
        of: String,
        /// Where in this volume the other one's first byte lies.
        offset: u64,
        /// What is to be said of it.
        note: String,
    },
    /// What it is for is known, and that it is not read.
    Opaque {
        /// What it is.
        kind: &'static str,
        /// Why its content is not read.
        reason: String,
    },
}

/// A stretch of a member that no volume made of it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Volume offsets.
    pub range: Range<u64>,
    /// How findings call its bytes.
    pub state: State,
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
    /// Length in bytes.
    pub length: u64,
    /// Disk ranges in the order of volume offsets. What none of them holds is not on this disk as it is.
    pub segments: Vec<Segment>,
    /// What the volume system knows of the bytes of a member, in the order of volume offsets.
    pub areas: Vec<Area>,
    /// What is to be made of the content.
    pub reading: Reading,
}

impl Volume {
    /// A volume that is one disk range.
    pub fn contiguous(name: impl Into<String>, kind: VolumeKind, disk: Range<u64>) -> Self {
        let length = disk.end.saturating_sub(disk.start);
        let segments = vec![Segment { volume_offset: 0, disk_offset: disk.start, length }];
        Self::new(name, kind, length, segments)
    }

    /// A volume of `length` bytes that lies in `segments`.
    pub fn new(name: impl Into<String>, kind: VolumeKind, length: u64, segments: Vec<Segment>) -> Self {
        let (label, areas, reading) = (None, Vec::new(), Reading::Content);
        Self { name: name.into(), kind, label, length, segments, areas, reading }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.length
    }

    /// The first byte's place on the disk, or that of the first byte that has one.
    pub fn disk_start(&self) -> u64 {
        self.segments.first().map_or(0, |first| first.disk_offset)
    }

    /// Bytes that are on the disk.
    pub fn present(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.length))
    }

    /// The segments behind a range of the volume, cut to it, in the volume's order.
    pub fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Segment> + '_ {
        let first = self.segments.partition_point(|segment| segment.end() <= range.start);
        let rest = self.segments.get(first..).unwrap_or_default();
        rest.iter().take_while(move |s| s.volume_offset < range.end).filter_map(move |s| {
            let start = range.start.max(s.volume_offset);
            let end = range.end.min(s.end());
            (start < end).then(|| Segment {
                volume_offset: start,
                disk_offset: s.disk_offset.saturating_add(start.saturating_sub(s.volume_offset)),
                length: end.saturating_sub(start),
            })
        })
    }

    /// The disk ranges behind a range of the volume, in the volume's order; what is not there is left out.
    pub fn disk_ranges(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        self.pieces(range).map(|piece| piece.disk_offset..piece.disk_offset.saturating_add(piece.length))
    }

    /// The place on the disk of one byte of the volume.
    pub fn to_disk(&self, offset: u64) -> Option<u64> {
        self.disk_ranges(offset..offset.saturating_add(1)).next().map(|range| range.start)
    }

    /// Adds the segments of a part of the volume to `out`, counted from `at` on: what a volume that lies in this
    /// one needs. Pieces that follow each other become one.
    pub fn carve(&self, part: Range<u64>, at: u64, out: &mut Vec<Segment>) {
        let start = part.start;
        for piece in self.pieces(part) {
            let volume_offset = at.saturating_add(piece.volume_offset.saturating_sub(start));
            match out.last_mut() {
                Some(last) if last.end() == volume_offset && last.disk_end() == piece.disk_offset => {
                    last.length = last.length.saturating_add(piece.length);
                }
                _ => out.push(Segment { volume_offset, ..piece }),
            }
        }
    }

    /// Where literals may cross from one segment into another that does not follow it on the disk: the volume
    /// offsets in `range` at which a segment starts or ends alone.
    pub fn seams(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        let first = self.segments.partition_point(|segment| segment.end() < range.start);
        let rest = self.segments.get(first.saturating_sub(1)..).unwrap_or_default();
        let follows = |one: &Segment, other: &Segment| one.end() == other.volume_offset;
        let start = rest.first().map(|segment| segment.volume_offset);
        let between = rest.windows(2).flat_map(move |pair| match pair {
            [one, other] if follows(one, other) && one.disk_end() == other.disk_offset => [None, None],
            [one, other] if follows(one, other) => [None, Some(other.volume_offset)],
            [one, other] => [Some(one.end()), Some(other.volume_offset)],
            _ => [None, None],
        });
        let last = self.segments.last().map(Segment::end);
        let all = std::iter::once(start).chain(between).chain(std::iter::once(last)).flatten();
        let (length, bounds) = (self.length, range);
        all.skip_while({
            let start = bounds.start;
            move |&at| at < start
        })
        .take_while(move |&at| at < bounds.end)
        .filter(move |&at| at > 0 && at < length)
    }
}

impl Segment {
    /// Offset in the volume just past the segment.
    pub fn end(&self) -> u64 {
        self.volume_offset.saturating_add(self.length)
    }

    /// Offset on the disk just past the segment.
    pub fn disk_end(&self) -> u64 {
        self.disk_offset.saturating_add(self.length)
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
    let mut tiling = flat(disk)?;
    layers::add(disk, &mut tiling);
    Ok(tiling)
}

/// [`tile`] without the volumes that lie over others.
fn flat(disk: &Arc<dyn ReadAt>) -> Result<Tiling> {
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
