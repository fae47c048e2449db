//! Master boot records with extended partitions.
//!
//! The layout is IBM's and Microsoft's; an extended partition holds a chain of boot records, each with one
//! logical partition (relative to its own sector) and a link (relative to the extended partition's start).

use super::claims::{Claim, Table};
use super::{VolumeKind, sniff, types};
use crate::error::{Error, Result};
use crate::io::{Fields, ReadAt};
use std::collections::BTreeSet;

/// Links that are followed in a chain of extended boot records.
const EXTENDED_MAX: usize = 256;
/// Type of the entry that protects a GPT.
const PROTECTIVE: u8 = 0xee;
/// First number of a logical partition.
const LOGICAL_FIRST: usize = 5;

/// An entry of a boot record, in sectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    status: u8,
    kind: u8,
    pub(super) first: u64,
    pub(super) count: u64,
}

impl Entry {
    fn is_used(self) -> bool {
        self.kind != 0 && self.count > 0
    }

    fn is_extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }
}

/// The record in the first sector.
#[derive(Clone, Debug)]
pub(super) struct Record {
    entries: [Entry; 4],
}

impl Record {
    /// The first sector's record, where the sector has its signature.
    pub(super) fn read(disk: &dyn ReadAt) -> Option<Self> {
        boot_record(disk, 0).ok().map(|entries| Self { entries })
    }

    /// The entry that protects a GPT.
    pub(super) fn protective(&self) -> Option<Entry> {
        self.entries.iter().copied().find(|entry| entry.kind == PROTECTIVE)
    }

    /// Whether the entries can be partitions of a disk of `size` bytes, rather than boot code.
    pub(super) fn is_plausible(&self, size: u64) -> bool {
        let sane = self.entries.iter().all(|entry| entry.status & 0x7f == 0);
        let starts = |entry: &Entry| entry.is_used() && entry.first.saturating_mul(512) < size;
        sane && self.entries.iter().any(starts)
    }

    /// Used entries beside the protective one, with their numbers.
    pub(super) fn partitions(&self) -> impl Iterator<Item = (usize, Entry)> + '_ {
        let numbered = self.entries.iter().copied().enumerate();
        numbered
            .filter(|(_, entry)| entry.is_used() && entry.kind != PROTECTIVE)
            .map(|(index, entry)| (index.saturating_add(1), entry))
    }

    /// The partitions and the tables' places.
    pub(super) fn table(&self, disk: &dyn ReadAt) -> Table {
        let sector_size = self.sector_size(disk);
        let mut table = Table { scheme: "mbr", sector_size, ..Table::default() };
        table.places.push(0..sector_size);
        let mut number = LOGICAL_FIRST;
        for (primary, entry) in self.partitions() {
            if entry.is_extended() {
                walk_extended(disk, entry.first, &mut number, &mut table);
            } else {
                table.claims.push(claim(primary, entry, 0, sector_size));
            }
        }
        table
    }

    /// Sectors have 512 bytes, unless file systems start only where 4096 would put them.
    fn sector_size(&self, disk: &dyn ReadAt) -> u64 {
        let starts = |size: u64| {
            let mut entries = self.partitions().filter(|(_, entry)| !entry.is_extended());
            entries.any(|(_, entry)| sniff::volume(disk, entry.first.saturating_mul(size)))
        };
        if !starts(512) && starts(4096) { 4096 } else { 512 }
    }
}

/// A partition `entry` whose start counts from sector `base`.
pub(super) fn claim(number: usize, entry: Entry, base: u64, sector_size: u64) -> Claim {
    let start = base.saturating_add(entry.first).saturating_mul(sector_size);
    let kind =
        VolumeKind::Partition { type_id: format!("0x{:02x}", entry.kind), type_name: types::mbr(entry.kind) };
    let end = start.saturating_add(entry.count.saturating_mul(sector_size));
    Claim { name: format!("p{number}"), kind, label: None, disk: start..end }
}

/// Follows the chain that starts at sector `extended`. What is wrong ends the chain and is noted; the
/// partitions found before it stay.
fn walk_extended(disk: &dyn ReadAt, extended: u64, number: &mut usize, table: &mut Table) {
    let mut seen = BTreeSet::new();
    let mut sector = extended;
    for _ in 0..EXTENDED_MAX {
        let at = sector.saturating_mul(table.sector_size);
        if !seen.insert(sector) {
            table.notes.push(format!("the chain of extended boot records comes back to byte {at:#x}"));
            return;
        }
        let entries = match boot_record(disk, at) {
            Ok(entries) => entries,
            Err(error) => {
                table.notes.push(format!("logical partitions from p{number} on cannot be read: {error}"));
                return;
            }
        };
        table.places.push(at..at.saturating_add(table.sector_size));
        let [first, second, ..] = entries;
        for entry in [first, second].into_iter().filter(|entry| entry.is_used() && !entry.is_extended()) {
            table.claims.push(claim(*number, entry, sector, table.sector_size));
            *number = number.saturating_add(1);
        }
        let Some(link) = [first, second].into_iter().find(|entry| entry.is_extended() && entry.first > 0)
        else {
            return;
        };
        sector = extended.saturating_add(link.first);
    }
    table.notes.push(format!("more than {EXTENDED_MAX} extended boot records: the rest is not followed"));
}

/// The four entries of the boot record at byte `at`.
fn boot_record(disk: &dyn ReadAt, at: u64) -> Result<[Entry; 4]> {
    let mut sector = [0; 512];
    disk.read_at(at, &mut sector)?;
    let fields = Fields::new("boot record", &sector, at);
    let signature = fields.le_u16(510)?;
    if signature != 0xaa55 {
        return Err(Error::corrupt(at, "boot record signature", "0xaa55", format!("{signature:#06x}")));
    }
    let mut entries = [Entry::default(); 4];
    for (entry, at) in entries.iter_mut().zip((446..).step_by(16)) {
        *entry = Entry {
            status: fields.u8(at)?,
            kind: fields.u8(at.saturating_add(4))?,
            first: fields.le_u32(at.saturating_add(8))?.into(),
            count: fields.le_u32(at.saturating_add(12))?.into(),
        };
    }
    Ok(entries)
}
