//! A stream-optimized extent that breaks off before its footer ("Stream-Optimized Compressed Sparse Extents").
//!
//! The grain directory stands at the end of such a stream and did not arrive. Each grain carries the sector that it
//! belongs to, and grain tables stand behind the grains that they place; walking the markers finds both again.

use super::header::Header;
use crate::container::sparse::peek;
use crate::error::{Error, Kind, Result};
use crate::io::{Fields, ReadAt};
use std::collections::BTreeSet;
use std::sync::Arc;

const SECTOR: u64 = 512;
/// Length of a grain marker without its data.
const MARKER: usize = 12;
/// Marker types: the end of the stream, a grain table.
const END_OF_STREAM: u32 = 0;
const GRAIN_TABLE: u32 = 1;
/// Largest number of sectors that a marker of a table or directory may announce.
const TABLE_SECTORS_MAX: u64 = 1 << 21;
/// Grains that are remembered at most: 256 MiB of them.
const GRAINS_MAX: usize = 16 << 20;

/// What is left of a stream without its footer.
#[derive(Debug)]
pub(super) struct Stream {
    /// Number of each grain that arrived and where its marker lies, sorted.
    grains: Vec<(u64, u64)>,
    /// Numbers of the grain tables that arrived: what they do not place is not stored.
    tables: BTreeSet<u64>,
    /// Why the rest is missing.
    pub(super) reason: Arc<str>,
}

impl Stream {
    /// Walks the markers of `file` up to where it breaks off.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] for more grains than are remembered.
    pub(super) fn read(file: &dyn ReadAt, header: &Header) -> Result<Self> {
        let (mut grains, mut tables) = (Vec::new(), BTreeSet::new());
        let mut at = header.overhead();
        let broken = loop {
            match next(file, header, at) {
                Ok(Found::Grain { number, end }) => {
                    grains.push((number, at));
                    at = end;
                }
                Ok(Found::Table { place, end }) => {
                    tables.extend(table_number(file, header, place));
                    at = end;
                }
                Ok(Found::Other { end }) => at = end,
                Ok(Found::End) => break Error::new(Kind::Truncated, "its footer is not there").at(at),
                Err(error) => break error,
            }
            if grains.len() > GRAINS_MAX {
                return Err(Error::new(
                    Kind::LimitExceeded,
                    format!("more than {GRAINS_MAX} grains in a stream"),
                ));
            }
        };
        grains.sort_unstable();
        grains.dedup_by_key(|(number, _)| *number);
        let reason = format!("the stream breaks off: {broken}; what was to follow is missing").into();
        Ok(Self { grains, tables, reason })
    }

    /// Where the marker of a grain lies.
    pub(super) fn grain(&self, number: u64) -> Option<u64> {
        let at = self.grains.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.grains.get(at).map(|(_, at)| *at)
    }

    /// Number of the first grain from `number` on that arrived.
    pub(super) fn next_grain(&self, number: u64) -> Option<u64> {
        let next = self.grains.partition_point(|(known, _)| *known < number);
        self.grains.get(next).map(|(number, _)| *number)
    }

    /// Whether a grain table arrived.
    pub(super) fn has_table(&self, number: u64) -> bool {
        self.tables.contains(&number)
    }

    /// Number of the first grain table from `number` on that arrived.
    pub(super) fn next_table(&self, number: u64) -> Option<u64> {
        self.tables.range(number..).next().copied()
    }
}

enum Found {
    Grain { number: u64, end: u64 },
    Table { place: u64, end: u64 },
    Other { end: u64 },
    End,
}

/// Reads the marker at `at`.
fn next(file: &dyn ReadAt, header: &Header, at: u64) -> Result<Found> {
    let mut bytes = [0; 16];
    file.read_at(at, &mut bytes).map_err(|error| error.context("marker").at(at))?;
    let fields = Fields::new("VMDK marker", &bytes, at);
    let (value, size) = (fields.le_u64(0)?, u64::from(fields.le_u32(8)?));
    if size == 0 {
        let data = at.saturating_add(SECTOR);
        let end = data.saturating_add(value.min(TABLE_SECTORS_MAX).saturating_mul(SECTOR));
        return match fields.le_u32(12)? {
            END_OF_STREAM => Ok(Found::End),
            _ if value > TABLE_SECTORS_MAX => {
                Err(Error::corrupt(at, "sectors behind a VMDK marker", TABLE_SECTORS_MAX, value))
            }
            GRAIN_TABLE if end <= file.size() => Ok(Found::Table { place: data, end }),
            _ => Ok(Found::Other { end }),
        };
    }
    let sectors = header.grain_bytes() / SECTOR;
    let marker = u64::try_from(MARKER).unwrap_or(0);
    let end = at.saturating_add(marker).saturating_add(size);
    if end > file.size() {
        return Err(Error::truncated("VMDK grain", at, size.saturating_add(marker), file.size()));
    }
    let number = value.checked_div(sectors).filter(|_| value.checked_rem(sectors) == Some(0));
    let is_inside = value.saturating_mul(SECTOR) < header.capacity_bytes();
    let number =
        number.filter(|_| is_inside && size <= header.grain_bytes().saturating_mul(2).saturating_add(1024));
    match number {
        Some(number) => Ok(Found::Grain { number, end: end.checked_next_multiple_of(SECTOR).unwrap_or(end) }),
        None => Err(Error::corrupt(at, "VMDK grain marker", "a grain of the disk", value)),
    }
}

/// The number of the table at `place`, by the grain that its first entry in use points to.
fn table_number(file: &dyn ReadAt, header: &Header, place: u64) -> Option<u64> {
    for index in 0..header.table_entries {
        let mut entry = [0; 4];
        peek(file, place.saturating_add(index.saturating_mul(4)), &mut entry).ok()?;
        let sector = u64::from(u32::from_le_bytes(entry));
        if sector <= 1 {
            continue;
        }
        return match next(file, header, sector.saturating_mul(SECTOR)).ok()? {
            Found::Grain { number, .. } => {
                let table = number.checked_div(header.table_entries)?;
                (number.checked_rem(header.table_entries) == Some(index)).then_some(table)
            }
            _ => None,
        };
    }
    None
}
