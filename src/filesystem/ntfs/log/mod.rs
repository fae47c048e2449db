//! `$LogFile`: what the log remembers of file records, and which file a place in it is about.
//!
//! Layout as in the NTFS documentation of the Linux-NTFS project (`RESTART_PAGE_HEADER`, `RESTART_AREA`,
//! `RECORD_PAGE_HEADER`, `LOG_RECORD`): two restart pages, pages that hold copies of the newest ones, and then
//! the log proper, which goes round in circles. A sequence number holds the offset of its record in the file,
//! so that records are recognised where they lie and no chain has to be followed: pages of earlier rounds and
//! damage cost only themselves.

mod history;
mod opened;
mod operation;
mod rollback;

pub(super) use history::History;

use super::record::undo_fixups;
use crate::io::{Fields, ReadAt};
use operation::{HEADER, Operation};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of the log that are read; Windows makes it up to 64 MiB.
const BYTES_MAX: u64 = 256 << 20;
/// Length of a page of every version.
const PAGE: usize = 4096;
/// The same for offsets.
const STEP: u64 = 4096;
/// Offset of the first record in a page of every version.
const DATA: usize = 0x40;
/// Bytes in front of the log proper: restart pages and copies. Version 2 has 32 pages for copies.
const FRONT: u64 = 34 * STEP;
/// Where the log proper starts in version 1, and where it goes on behind its last page.
const FIRST: u64 = 4 * STEP;
/// Bytes that one record has for its client; two file records and two index blocks fit by far.
const CLIENT_MAX: usize = 64 << 10;
/// Pages that are kept in memory while records are looked up again.
const KEPT_MAX: usize = 4096;

/// The log, and pages of it.
#[derive(Debug)]
struct Log {
    file: Arc<dyn ReadAt>,
    /// Bits of a sequence number that count the rounds.
    sequence_bits: u32,
    /// Where the log proper starts: the front is longer from version 2 on.
    first: u64,
    size: u64,
}

impl Log {
    /// The log in `file`; `None` where it was never written.
    fn open(file: Arc<dyn ReadAt>) -> Option<Self> {
        let size = file.size().min(BYTES_MAX) / STEP * STEP;
        let mut log = Self { sequence_bits: sequence_bits(file.size())?, first: FIRST, size, file };
        let restart = [0, STEP].into_iter().find_map(|at| log.restart(at));
        if let Some((bits, is_long)) = restart {
            log.sequence_bits = bits;
            log.first = if is_long { FRONT } else { FIRST };
        }
        Some(log).filter(|log| log.size > FIRST)
    }

    /// What the restart page at `at` says: bits of sequence numbers, and whether the front is a long one.
    fn restart(&self, at: u64) -> Option<(u32, bool)> {
        let page = self.page(at, b"RSTR")?;
        let fields = Fields::new("restart page", page.as_slice(), at);
        let area = usize::from(fields.le_u16(0x18).ok()?);
        let bits = fields.le_u32(area.checked_add(0x10)?).ok().filter(|bits| (20..56).contains(bits))?;
        Some((bits, fields.le_u16(0x1c).ok()? >= 2))
    }

    /// The page at `at` after fixup, where it has `signature` and is whole.
    fn page(&self, at: u64, signature: &[u8; 4]) -> Option<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        self.file.read_at(at, page.as_mut_slice()).ok()?;
        (page.get(..4)? == signature).then_some(())?;
        undo_fixups(page.as_mut_slice(), at).ok()?;
        Some(page)
    }

    /// Offset in the file that a sequence number stands for.
    fn offset_of(&self, lsn: u64) -> u64 {
        lsn.checked_shl(self.sequence_bits).unwrap_or(0) >> self.sequence_bits.saturating_sub(3)
    }

    /// Visits the pages of the log in stored order.
    fn pages(&self, visit: &mut dyn FnMut(u64, &[u8; PAGE])) {
        let mut at = 2 * STEP;
        while at < self.size {
            if let Some(page) = self.page(at, b"RCRD") {
                visit(at, &page);
            }
            at = at.saturating_add(STEP);
        }
    }

    /// Visits the records that start in a page: sequence number, offset of the header in the page, and the
    /// length of what the client has. Whatever lies between records is passed over in steps of 8.
    fn in_page(
        &self,
        at: u64,
        page: &[u8; PAGE],
        visit: &mut dyn FnMut(u64, usize, usize) -> ControlFlow<()>,
    ) {
        let fields = Fields::new("log page", page, at);
        let mut offset = DATA;
        while offset.saturating_add(HEADER) <= PAGE {
            let Some((lsn, length)) = self.header(&fields, at, offset) else {
                offset = offset.saturating_add(8);
                continue;
            };
            if visit(lsn, offset, length).is_break() {
                return;
            }
            offset = offset.saturating_add(HEADER).saturating_add(length).next_multiple_of(8);
        }
    }

    /// Sequence number and client's length of the record at `offset` of the page at `at`, where there is one.
    fn header(&self, fields: &Fields<'_>, at: u64, offset: usize) -> Option<(u64, usize)> {
        let lsn = fields.le_u64(offset).ok().filter(|&lsn| lsn != 0)?;
        let (own, inside) = (self.offset_of(lsn), u64::try_from(offset).ok()?);
        // Pages in front are copies of others and keep their records' numbers.
        let is_here = own == at.saturating_add(inside) || at < self.first && own % STEP == inside;
        let length = usize::try_from(fields.le_u32(offset.checked_add(0x18)?).ok()?).ok()?;
        let kind = fields.le_u32(offset.checked_add(0x20)?).ok()?;
        (is_here && matches!(kind, 1 | 2) && length <= CLIENT_MAX).then_some((lsn, length))
    }

    /// What the client has of the record at `offset` of `page`, which may go on in the following pages.
    fn client(&self, at: u64, page: &[u8; PAGE], offset: usize, length: usize) -> Option<Vec<u8>> {
        let start = offset.checked_add(HEADER)?;
        let here = page.get(start..start.saturating_add(length).min(PAGE))?;
        let mut bytes = here.to_vec();
        let mut at = at;
        while bytes.len() < length {
            // Copies of pages have no neighbours.
            let next = at.checked_add(STEP).filter(|_| at >= self.first)?;
            at = if next >= self.size { self.first } else { next };
            let page = self.page(at, b"RCRD")?;
            let left = length.saturating_sub(bytes.len());
            bytes.extend_from_slice(page.get(DATA..DATA.saturating_add(left).min(PAGE))?);
        }
        Some(bytes)
    }

    /// The operation of the record at `offset` of `page`, where it is one on a file record.
    fn operation(&self, at: u64, page: &[u8; PAGE], offset: usize, length: usize) -> Option<Operation> {
        self.any_operation(at, page, offset, length).filter(Operation::is_on_record)
    }

    /// The operation of the record at `offset` of `page`.
    fn any_operation(&self, at: u64, page: &[u8; PAGE], offset: usize, length: usize) -> Option<Operation> {
        let lsn = Fields::new("log record", page, at).le_u64(offset).ok()?;
        let client = self.client(at, page, offset, length)?;
        let place = at.checked_add(u64::try_from(offset.checked_add(HEADER)?).ok()?)?;
        // Only what lies in this page is at the place that it counts to.
        let in_page = PAGE.saturating_sub(offset.saturating_add(HEADER));
        Operation::parse(lsn, &client, place, in_page)
    }

    /// The operation that the byte at `offset` of the file belongs to.
    fn operation_at(&self, offset: u64) -> Option<Operation> {
        let mut offset = offset;
        let mut at = offset / STEP * STEP;
        if at < self.first {
            // A copy says of which page it is one.
            let page = self.page(at, b"RCRD")?;
            let home = Fields::new("log page", page.as_slice(), at).le_u64(8).ok()?;
            if home >= self.first && home % STEP == 0 && self.page(home, b"RCRD").is_some() {
                offset = home.saturating_add(offset.saturating_sub(at));
                at = home;
            }
        }
        // What goes on over pages started in one of those before.
        for _ in 0..=CLIENT_MAX / PAGE {
            let page = self.page(at, b"RCRD")?;
            let wanted = usize::try_from(offset.checked_sub(at)?).ok()?;
            let mut found = None;
            self.in_page(at, &page, &mut |_, start, length| {
                let end = start.saturating_add(HEADER).saturating_add(length);
                // Each page that it goes on in has a header of its own.
                let over = end.saturating_sub(PAGE).div_ceil(PAGE.saturating_sub(DATA));
                if (start..end.saturating_add(over.saturating_mul(DATA))).contains(&wanted) {
                    found = Some((start, length));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if let Some((start, length)) = found {
                return self.any_operation(at, &page, start, length);
            }
            at = at.checked_sub(STEP).filter(|&at| at >= self.first)?;
        }
        None
    }
}

/// Bits of a sequence number that count rounds, by the length of the file: the others hold an offset in units
/// of 8 bytes.
fn sequence_bits(size: u64) -> Option<u32> {
    let bits = 64_u32.checked_sub(size.checked_sub(1)?.leading_zeros())?;
    67_u32.checked_sub(bits).filter(|bits| (20..56).contains(bits))
}

/// Pages after fixup, as long as there is room for them.
#[derive(Default)]
struct Kept(HashMap<u64, Option<Box<[u8; PAGE]>>>);

impl Kept {
    fn page(&mut self, log: &Log, at: u64) -> Option<&[u8; PAGE]> {
        if self.0.len() >= KEPT_MAX && !self.0.contains_key(&at) {
            self.0.clear();
        }
        self.0.entry(at).or_insert_with(|| log.page(at, b"RCRD")).as_deref()
    }
}
