//! Write-ahead logs: which pages of a database a log holds in a later state (SQLite Database File Format,
//! section 4).

use crate::error::{Error, Result};
use crate::format::be32;
use crate::io::{ReadAt, read_vec};
use std::collections::HashMap;

const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// Frames that are read.
const FRAMES_MAX: usize = 1 << 20;

/// The pages of the transactions that were committed.
#[derive(Debug)]
pub(crate) struct Log<'d> {
    content: &'d dyn ReadAt,
    /// Offset of a page's last committed state.
    pages: HashMap<u32, u64>,
}

impl<'d> Log<'d> {
    /// Reads the log of a database with pages of `page_size` bytes. What follows the last frame with a right
    /// checksum is left over from earlier, or was never finished.
    ///
    /// # Errors
    /// When its header is another one's, or cannot be read.
    pub(crate) fn open(content: &'d dyn ReadAt, page_size: usize) -> Result<Self> {
        let mut log = Self { content, pages: HashMap::new() };
        if content.size() < HEADER {
            return Ok(log);
        }
        let header = read_vec(content, 0, 32)?;
        let order = match be32(&header, 0) {
            Some(0x377f_0682) => u32::from_le_bytes,
            Some(0x377f_0683) => u32::from_be_bytes,
            other => {
                return Err(Error::corrupt(
                    0,
                    "magic of the log",
                    "377f0682 or 377f0683",
                    format!("{other:x?}"),
                ));
            }
        };
        let own = be32(&header, 8).and_then(|size| usize::try_from(size).ok());
        if own != Some(page_size) {
            return Err(Error::corrupt(8, "page size of the log", page_size, format!("{own:?}")));
        }
        let mut sum = Sum { order, value: (0, 0) };
        sum.add(header.get(..24).unwrap_or_default());
        if !sum.is(header.get(24..32).unwrap_or_default()) {
            return Err(Error::corrupt(24, "checksum of the log", "that of its header", "another one"));
        }
        log.frames(&header, sum, page_size)?;
        Ok(log)
    }

    fn frames(&mut self, header: &[u8], mut sum: Sum, page_size: usize) -> Result<()> {
        let length = usize::try_from(FRAME_HEADER).unwrap_or(0).saturating_add(page_size);
        let step = u64::try_from(length).unwrap_or(u64::MAX);
        let mut open: Vec<(u32, u64)> = Vec::new();
        let mut at = HEADER;
        for _ in 0..FRAMES_MAX {
            if at.saturating_add(step) > self.content.size() {
                break;
            }
            let frame = read_vec(self.content, at, length)?;
            sum.add(frame.get(..8).unwrap_or_default());
            sum.add(frame.get(24..).unwrap_or_default());
            if frame.get(8..16) != header.get(16..24) || !sum.is(frame.get(16..24).unwrap_or_default()) {
                break;
            }
            open.extend(be32(&frame, 0).map(|page| (page, at.saturating_add(FRAME_HEADER))));
            // The size of the database after the commit; zero inside of a transaction.
            if be32(&frame, 4).is_some_and(|size| size != 0) {
                self.pages.extend(open.drain(..));
            }
            at = at.saturating_add(step);
        }
        Ok(())
    }

    /// The page as the log has it; `None` where only the database has it.
    pub(crate) fn page(&self, number: u32, page_size: usize) -> Option<Result<Vec<u8>>> {
        let at = self.pages.get(&number)?;
        Some(read_vec(self.content, *at, page_size))
    }

    /// The largest number of a page.
    pub(crate) fn last(&self) -> u32 {
        self.pages.keys().copied().max().unwrap_or(0)
    }
}

/// The running checksum (section 4.2).
struct Sum {
    order: fn([u8; 4]) -> u32,
    value: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| {
                pair.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| (self.order)(*four))
            };
            let (one, two) = self.value;
            let one = one.wrapping_add(word(0)).wrapping_add(two);
            self.value = (one, two.wrapping_add(word(4)).wrapping_add(one));
        }
    }

    fn is(&self, stored: &[u8]) -> bool {
        (be32(stored, 0), be32(stored, 4)) == (Some(self.value.0), Some(self.value.1))
    }
}
