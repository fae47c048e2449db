//! The allocation table: chains of clusters, and which are free (Microsoft, FAT 1.03, "FAT Data Structure"; exFAT,
//! sections 4 and 7.1).

use super::boot::{FIRST, Geometry, Variant};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, read_vec};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Bytes of a table that are read at a time. A multiple of 3, so that no entry of 12 bits crosses a border.
const WINDOW: u64 = 3 << 14;
/// Ranges of free clusters that are kept; a volume in more pieces than this is not a real one.
const RANGES_MAX: usize = 1 << 24;

/// What a table says of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Free,
    Next(u32),
    End,
    Bad,
}

/// Where an allocation bitmap lies, on exFAT: its runs as volume offsets with lengths.
pub(super) type Bitmap = Vec<(u64, u64)>;

/// The allocation table of a volume.
#[derive(Debug)]
pub(super) struct Table {
    volume: Arc<dyn ReadAt>,
    geometry: Geometry,
    window: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
    free: OnceLock<Result<Vec<Range<u32>>, String>>,
}

impl Table {
    pub(super) fn new(volume: Arc<dyn ReadAt>, geometry: Geometry) -> Self {
        Self { volume, geometry, window: Mutex::new(None), free: OnceLock::new() }
    }

    /// What follows `cluster` in its chain.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] for a number that no cluster has, and read errors.
    pub(super) fn next(&self, cluster: u32) -> Result<Link> {
        if self.geometry.offset(cluster).is_none() {
            let expected = format!("a cluster below {}", u64::from(self.geometry.clusters).saturating_add(2));
            return Err(Error::corrupt(self.geometry.table.0, "cluster number", expected, cluster));
        }
        Ok(self.link(self.value(cluster)?))
    }

    fn link(&self, value: u32) -> Link {
        let (bad, end) = match self.geometry.variant {
            Variant::Fat12 => (0xff7, 0xff8),
            Variant::Fat16 => (0xfff7, 0xfff8),
            Variant::Fat32 => (0x0fff_fff7, 0x0fff_fff8),
            Variant::ExFat => (0xffff_fff7, 0xffff_fff8),
        };
        match value {
            0 => Link::Free,
            value if value >= end => Link::End,
            value if value == bad => Link::Bad,
            value => Link::Next(value),
        }
    }

    /// The table's entry of a cluster.
    fn value(&self, cluster: u32) -> Result<u32> {
        let number = u64::from(cluster);
        let (at, width) = match self.geometry.variant {
            Variant::Fat12 => (number.saturating_mul(3) / 2, 2),
            Variant::Fat16 => (number.saturating_mul(2), 2),
            Variant::Fat32 | Variant::ExFat => (number.saturating_mul(4), 4),
        };
        let bytes = self.bytes(at, width)?;
        let value = u32::from_le_bytes(bytes);
        Ok(match self.geometry.variant {
            Variant::Fat12 if cluster % 2 == 1 => value >> 4 & 0xfff,
            Variant::Fat12 => value & 0xfff,
            Variant::Fat16 | Variant::ExFat => value,
            Variant::Fat32 => value & 0x0fff_ffff,
        })
    }

    /// `width` bytes of the table, up to four, with zeros behind them.
    fn bytes(&self, at: u64, width: usize) -> Result<[u8; 4]> {
        let (start, length) = self.geometry.table;
        let base = at.saturating_sub(at % WINDOW);
        let mut kept = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match kept.as_ref().filter(|(from, _)| *from == base) {
            Some((_, window)) => window.clone(),
            None => {
                // An entry of 12 bits may start at the last byte of a window of even length.
                let wanted = WINDOW.saturating_add(1).min(length.saturating_sub(base));
                let place = start.saturating_add(base);
                let rest = self.volume.size().saturating_sub(place);
                let wanted = usize::try_from(wanted.min(rest)).unwrap_or(0);
                let window = Arc::new(read_vec(self.volume.as_ref(), place, wanted)?);
                *kept = Some((base, window.clone()));
                window
            }
        };
        let inside = usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX);
        let found = inside.checked_add(width).and_then(|end| window.get(inside..end)).ok_or_else(|| {
            let place = start.saturating_add(at);
            Error::truncated("allocation table", place, u64::try_from(width).unwrap_or(4), self.volume.size())
        })?;
        let mut bytes = [0; 4];
        for (byte, found) in bytes.iter_mut().zip(found) {
            *byte = *found;
        }
        Ok(bytes)
    }

    /// Ranges of free clusters in order, from the table or, where there is one, from `bitmap`.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(super) fn free(&self, bitmap: Option<&Bitmap>) -> Result<&[Range<u32>]> {
        let free = self.free.get_or_init(|| {
            let found = match (self.geometry.variant, bitmap) {
                (Variant::ExFat, Some(bitmap)) => self.free_bits(bitmap),
                (Variant::ExFat, None) => {
                    Err(Error::corrupt(self.geometry.heap, "root directory", "an allocation bitmap", "none"))
                }
                _ => self.free_entries(),
            };
            found.map_err(|error| error.to_string())
        });
        free.as_deref().map_err(|message| Error::new(Kind::Corrupt, message.clone()))
    }

    fn free_entries(&self) -> Result<Vec<Range<u32>>> {
        let mut ranges = Ranges::default();
        for cluster in FIRST..FIRST.saturating_add(self.geometry.clusters) {
            if self.value(cluster)? == 0 {
                ranges.add(cluster)?;
            }
        }
        Ok(ranges.0)
    }

    fn free_bits(&self, bitmap: &Bitmap) -> Result<Vec<Range<u32>>> {
        let mut ranges = Ranges::default();
        let (mut cluster, end) = (FIRST, FIRST.saturating_add(self.geometry.clusters));
        for &(start, length) in bitmap {
            let mut at = 0;
            while at < length && cluster < end {
                let step = length.saturating_sub(at).min(WINDOW);
                let bytes = read_vec(
                    self.volume.as_ref(),
                    start.saturating_add(at),
                    usize::try_from(step).unwrap_or(0),
                )?;
                for byte in bytes {
                    for bit in 0..8 {
                        if cluster < end && byte >> bit & 1 == 0 {
                            ranges.add(cluster)?;
                        }
                        cluster = cluster.saturating_add(1);
                    }
                }
                at = at.saturating_add(step);
            }
        }
        if cluster < end {
            return Err(Error::corrupt(
                self.geometry.heap,
                "allocation bitmap",
                "a bit for each cluster",
                "fewer",
            ));
        }
        Ok(ranges.0)
    }

    /// Whether the two copies of the table differ.
    pub(super) fn differs(&self) -> bool {
        let (start, length) = self.geometry.table;
        let Some(mirror) = self.geometry.mirror else { return false };
        let mut at = 0;
        while at < length {
            let step = usize::try_from(length.saturating_sub(at).min(WINDOW)).unwrap_or(0);
            let one = read_vec(self.volume.as_ref(), start.saturating_add(at), step);
            let other = read_vec(self.volume.as_ref(), mirror.saturating_add(at), step);
            match (one, other) {
                (Ok(one), Ok(other)) if one == other => at = at.saturating_add(WINDOW),
                (Ok(_), Ok(_)) => return true,
                // What cannot be read is no difference.
                _ => return false,
            }
        }
        false
    }
}

/// Ranges under construction.
#[derive(Default)]
struct Ranges(Vec<Range<u32>>);

impl Ranges {
    fn add(&mut self, cluster: u32) -> Result<()> {
        let end = cluster.saturating_add(1);
        if let Some(last) = self.0.last_mut().filter(|last| last.end == cluster) {
            last.end = end;
            return Ok(());
        }
        if self.0.len() >= RANGES_MAX {
            return Err(Error::new(Kind::LimitExceeded, "free space in too many pieces"));
        }
        self.0.push(cluster..end);
        Ok(())
    }
}
