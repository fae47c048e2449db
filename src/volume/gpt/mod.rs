//! GUID partition tables (UEFI specification, section 5.3).
//!
//! The `gpt` crate reads the usual ones. What it gives up on is read here: a damaged primary table, a backup
//! that is not in the last sector because the image was padded, entries wider than 128 bytes.

mod foreign;
mod header;

use super::claims::{Claim, Table};
use super::{VolumeKind, mbr, types};
use crate::error::Result;
use crate::io::ReadAt;
use crate::location::escape;
use header::Header;
use std::sync::Arc;

/// Sector sizes in use.
const SECTOR_SIZES: [u64; 2] = [512, 4096];
/// How far from the end of a padded image a lost backup header is looked for, in bytes.
const BACKUP_SEARCH: u64 = 16 << 20;

/// A used entry, in sectors.
#[derive(Clone, Debug)]
struct Entry {
    number: usize,
    /// Type, as upper-case text.
    kind: String,
    first: u64,
    /// The last sector that belongs to the partition.
    last: u64,
    label: String,
}

/// Whether a primary header's signature is there, valid or not.
pub(super) fn has_signature(disk: &dyn ReadAt) -> bool {
    SECTOR_SIZES.iter().any(|&sector| header::has_signature(disk, sector))
}

/// The table of the disk: from the primary header, or else from the backup.
pub(super) fn read(disk: &Arc<dyn ReadAt>, record: Option<&mbr::Record>) -> Option<Table> {
    SECTOR_SIZES.iter().find_map(|&sector| read_with_sectors(disk, sector, record))
}

fn read_with_sectors(disk: &Arc<dyn ReadAt>, sector: u64, record: Option<&mbr::Record>) -> Option<Table> {
    let mut notes = Vec::new();
    let primary = Header::read(disk.as_ref(), sector, sector);
    if let (Err(error), true) = (&primary, header::has_signature(disk.as_ref(), sector)) {
        notes.push(format!("primary GPT header: {error}"));
    }
    let primary = primary.ok();
    let backup = find_backup(disk.as_ref(), sector, primary.as_ref(), record);
    let headers: Vec<_> = [&primary, &backup].into_iter().flatten().collect();
    let first = headers.first()?;
    match (&primary, &backup) {
        (None, Some(backup)) => {
            notes.push(format!("the primary GPT header is not usable; the backup at {:#x} is", backup.at));
        }
        (Some(_), None) => notes.push("no usable backup GPT was found".to_owned()),
        _ => {}
    }
    let expected_end = first.last_sector().saturating_add(1).saturating_mul(sector);
    if expected_end != disk.size() {
        notes.push(format!(
            "the GPT was made for a disk of {expected_end} bytes, this one has {}",
            disk.size()
        ));
    }
    let entries = entries(disk, &headers, &mut notes)?;
    let record_place = std::iter::once(0..sector);
    let places = record_place.chain(headers.iter().flat_map(|header| header.places())).collect();
    let mut claims: Vec<_> = entries.iter().map(|entry| claim(entry, sector)).collect();
    add_hybrid(record, sector, &mut claims, &mut notes);
    Some(Table { scheme: "gpt", sector_size: sector, claims, places, notes })
}

/// The backup header: where the primary says, where the protective entry ends, in the last sector, or
/// anywhere near the end.
fn find_backup(
    disk: &dyn ReadAt,
    sector: u64,
    primary: Option<&Header>,
    record: Option<&mbr::Record>,
) -> Option<Header> {
    let named = primary.map(Header::last_sector);
    let protective = record.and_then(mbr::Record::protective);
    let protected = protective.map(|entry| entry.first.saturating_add(entry.count).saturating_sub(1));
    let last = (disk.size() / sector).checked_sub(1);
    let likely = [named, protected, last].into_iter().flatten().filter(|&number| number > 1);
    let mut likely = likely.map(|number| number.saturating_mul(sector));
    likely.find_map(|at| Header::read(disk, at, sector).ok()).or_else(|| {
        // Only a disk that is known to have a table is searched.
        protective.filter(|_| primary.is_none())?;
        let from = (disk.size().saturating_sub(BACKUP_SEARCH) / sector).max(2);
        let places = (from..disk.size() / sector).rev().map(|number| number.saturating_mul(sector));
        let mut signed = places.filter(|&at| header::has_signature(disk, at));
        signed.find_map(|at| Header::read(disk, at, sector).ok())
    })
}

/// The entries, by the crate where it can, else from the first table whose checksum is right, else from the
/// first table that can be read.
fn entries(disk: &Arc<dyn ReadAt>, headers: &[&Header], notes: &mut Vec<String>) -> Option<Vec<Entry>> {
    if let Some(entries) = foreign::entries(disk, headers) {
        return Some(entries);
    }
    let tables: Vec<_> = headers.iter().map(|header| (header.at, header.table(disk.as_ref()))).collect();
    for (at, table) in &tables {
        match table {
            Ok(table) if table.is_intact() => return Some(table.entries()),
            Ok(table) => notes.push(format!("GPT at {at:#x}: {}", table.mismatch())),
            Err(error) => notes.push(format!("GPT at {at:#x}: {error}")),
        }
    }
    let (at, table) = tables.into_iter().find_map(|(at, table): (_, Result<_>)| Some((at, table.ok()?)))?;
    notes.push(format!("no GPT has the right checksum; the entries of the one at {at:#x} are used"));
    Some(table.entries())
}

fn claim(entry: &Entry, sector: u64) -> Claim {
    let kind = VolumeKind::Partition { type_id: entry.kind.clone(), type_name: types::gpt(&entry.kind) };
    let end = entry.last.saturating_add(1).saturating_mul(sector);
    let label = (!entry.label.is_empty()).then(|| escape(entry.label.as_bytes()));
    Claim { name: format!("p{}", entry.number), kind, label, disk: entry.first.saturating_mul(sector)..end }
}

/// A hybrid record mirrors some of the partitions; one that is not in the GPT is a partition all the same.
fn add_hybrid(record: Option<&mbr::Record>, sector: u64, claims: &mut Vec<Claim>, notes: &mut Vec<String>) {
    let others: Vec<_> = record.into_iter().flat_map(mbr::Record::partitions).collect();
    if others.is_empty() {
        return;
    }
    notes
        .push("the master boot record is a hybrid: it has partitions beside the protective entry".to_owned());
    for (number, entry) in others {
        let mut other = mbr::claim(number, entry, 0, sector);
        let free = |claim: &Claim| claim.disk.end <= other.disk.start || other.disk.end <= claim.disk.start;
        if claims.iter().all(free) {
            other.name = format!("mbr{number}");
            notes.push(format!("{} is only in the master boot record", other.name));
            claims.push(other);
        }
    }
}
