//! The `gpt` crate behind a device that can only be read.

use super::Entry;
use super::header::{self, Header};
use crate::io::ReadAt;
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The used entries as the crate reads them; `None` where it finds no table or an inconsistent one.
///
/// The crate asserts that entries have 128 bytes: other widths never reach it, whatever their checksums.
pub(super) fn entries(disk: &Arc<dyn ReadAt>, headers: &[&Header]) -> Option<Vec<Entry>> {
    let sector = headers.first()?.sector_size();
    let last = disk.size().checked_div(sector)?.checked_sub(1)?.checked_mul(sector)?;
    if ![sector, last].iter().all(|&at| header::is_usual(disk.as_ref(), at)) {
        return None;
    }
    let size = LogicalBlockSize::try_from(sector).ok()?;
    let device = Device { disk: Arc::clone(disk), position: 0 };
    let config = GptConfig::new().writable(false).only_valid_headers(false).logical_block_size(size);
    let table = catch_unwind(AssertUnwindSafe(|| config.open_from_device(device))).ok()?.ok()?;
    let used = table.partitions().iter().filter(|(_, partition)| partition.is_used());
    let entries = used.map(|(&number, partition)| {
        Some(Entry {
            number: usize::try_from(number).ok()?,
            kind: partition.part_type_guid.guid.to_string().to_uppercase(),
            first: partition.first_lba,
            last: partition.last_lba,
            label: partition.name.clone(),
        })
    });
    entries.collect()
}

/// A disk as the crate wants it; writing is refused.
#[derive(Debug)]
struct Device {
    disk: Arc<dyn ReadAt>,
    position: u64,
}

impl Read for Device {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.disk.size().saturating_sub(self.position);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..length).filter(|part| !part.is_empty()) else { return Ok(0) };
        self.disk.read_at(self.position, part).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(u64::try_from(length).unwrap_or(0));
        Ok(length)
    }
}

impl Seek for Device {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.disk.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Write for Device {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
