//! Blocks of the file system as they are after the journal has been replayed in memory.

use crate::error::{Error, Result};
use crate::io::{Extent, ReadAt, check_range};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Where the journal keeps the current bytes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalCopy {
    /// Block of the volume that holds the copy.
    pub(super) block: u64,
    /// Whether the copy's first four bytes were the journal's magic number and are stored as zeros.
    pub(super) escaped: bool,
}

/// Home block → its current bytes in the journal.
pub(super) type Overlay = BTreeMap<u64, JournalCopy>;

/// `JBD2_MAGIC_NUMBER` as it stands on disk.
pub(super) const JOURNAL_MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

/// Blocks that are kept because the next question is likely to be about them: neighbouring inodes share a block
/// of the table and one of the bitmap.
const RECENT: usize = 32;

/// A block that was read last of those that have its slot.
type Slot = Mutex<Option<(u64, Arc<[u8]>)>>;

/// The volume in blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    volume: Arc<dyn ReadAt>,
    bits: u32,
    count: u64,
    overlay: Overlay,
    recent: [Slot; RECENT],
}

impl Blocks {
    /// The first `count` blocks of `1 << bits` bytes.
    pub(super) fn new(volume: Arc<dyn ReadAt>, bits: u32, count: u64, overlay: Overlay) -> Self {
        Self { volume, bits, count, overlay, recent: Default::default() }
    }

    /// The volume itself, without the journal's copies.
    pub(super) fn volume(&self) -> &Arc<dyn ReadAt> {
        &self.volume
    }

    /// Puts a journal copy in place of a block.
    pub(super) fn cover(&mut self, home: u64, copy: JournalCopy) {
        self.overlay.insert(home, copy);
        self.recent = Default::default();
    }

    /// The journal's current blocks, taken out.
    pub(super) fn into_overlay(self) -> Overlay {
        self.overlay
    }

    /// Block size in bytes.
    pub(super) fn size(&self) -> usize {
        1 << self.bits
    }

    /// Base-two logarithm of the block size.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// Length of the volume in bytes, which may be more or less than the file system's.
    pub(super) fn volume_size(&self) -> u64 {
        self.volume.size()
    }

    /// Number of blocks that the file system claims.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The journal's current blocks.
    pub(super) fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Blocks in bytes.
    pub(super) fn to_bytes(&self, blocks: u64) -> u64 {
        blocks.checked_shl(self.bits).filter(|bytes| bytes >> self.bits == blocks).unwrap_or(u64::MAX)
    }

    /// The volume offset of `blocks` blocks from `first` on.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) where they pass the file system's end.
    pub(super) fn offset(&self, first: u64, blocks: u64) -> Result<u64> {
        match first.checked_add(blocks) {
            Some(end) if end <= self.count => Ok(self.to_bytes(first)),
            _ => {
                let found = format!("{blocks} from {first} on");
                Err(Error::corrupt(
                    self.to_bytes(first),
                    "block numbers",
                    format!("below {}", self.count),
                    found,
                ))
            }
        }
    }

    /// Reads `blocks` blocks from `first` on.
    ///
    /// # Errors
    /// As [`offset`](Self::offset), and what the volume reports.
    pub(super) fn read_many(&self, first: u64, blocks: u64) -> Result<Vec<u8>> {
        let at = self.offset(first, blocks)?;
        let length = self.to_bytes(blocks);
        check_range(self.volume.size(), at, length)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.read_bytes(at, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads one block.
    ///
    /// # Errors
    /// As [`read_many`](Self::read_many).
    pub(super) fn read(&self, block: u64) -> Result<Vec<u8>> {
        self.read_many(block, 1)
    }

    /// Reads one block of a table in which neighbours are looked up one after the other.
    ///
    /// # Errors
    /// As [`read_many`](Self::read_many).
    pub(super) fn look_up(&self, block: u64) -> Result<Arc<[u8]>> {
        let slot = usize::try_from(block).unwrap_or(0) % RECENT;
        let mut slot = self.recent.get(slot).and_then(|slot| slot.lock().ok());
        if let Some((_, bytes)) =
            slot.as_deref().and_then(Option::as_ref).filter(|(known, _)| *known == block)
        {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = self.read(block)?.into();
        if let Some(slot) = &mut slot {
            **slot = Some((block, Arc::clone(&bytes)));
        }
        Ok(bytes)
    }

    /// Reads `length` bytes from volume offset `at` on, as [`look_up`](Self::look_up) where they lie in one block
    /// and all of it can be read.
    ///
    /// # Errors
    /// What the volume reports.
    pub(super) fn look_up_bytes(&self, at: u64, length: usize) -> Result<Vec<u8>> {
        let block = self.look_up(at >> self.bits).ok();
        let start = usize::try_from(at).unwrap_or(usize::MAX) & self.size().saturating_sub(1);
        if let Some(bytes) = block.as_deref().and_then(|block| block.get(start..)?.get(..length)) {
            return Ok(bytes.to_vec());
        }
        let mut bytes = vec![0; length];
        self.read_bytes(at, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buffer` from volume offset `at`, with the journal's copies in place of their home blocks.
    ///
    /// # Errors
    /// What the volume reports.
    pub(super) fn read_bytes(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        self.volume.read_at(at, buffer)?;
        if self.overlay.is_empty() || buffer.is_empty() {
            return Ok(());
        }
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let last = at.saturating_add(length.saturating_sub(1)) >> self.bits;
        for (home, copy) in self.overlay.range(at >> self.bits..=last) {
            let mut bytes = vec![0; self.size()];
            self.volume.read_at(self.to_bytes(copy.block), &mut bytes)?;
            if copy.escaped {
                bytes.iter_mut().zip(JOURNAL_MAGIC).for_each(|(byte, magic)| *byte = magic);
            }
            let start = self.to_bytes(*home);
            let skipped = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
            let lead = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX);
            let into = buffer.get_mut(lead..).unwrap_or_default();
            let from = bytes.get(skipped..).unwrap_or_default();
            into.iter_mut().zip(from).for_each(|(byte, current)| *byte = *current);
        }
        Ok(())
    }

    /// The volume offset at which the current bytes of volume offset `at` lie.
    pub(super) fn current_place(&self, at: u64) -> u64 {
        match self.overlay.get(&(at >> self.bits)) {
            Some(copy) => {
                let inside = at.saturating_sub(self.to_bytes(at >> self.bits));
                self.to_bytes(copy.block).saturating_add(inside)
            }
            None => at,
        }
    }

    /// How many blocks from `first` on, at least one and at most `max`, are alike: holes of the image, or not.
    pub(super) fn extent(&self, first: u64, max: u64) -> (u64, bool) {
        let extent = self.offset(first, max).and_then(|at| self.volume.map(at, self.to_bytes(max)));
        let Ok(extent) = extent else { return (max.max(1), false) };
        let is_hole = matches!(extent.backing, crate::io::Backing::Hole);
        // A block that is a hole in part counts as stored.
        match (extent.length >> self.bits, is_hole) {
            (0, _) => (1, false),
            (blocks, true) => (blocks.min(max.max(1)), true),
            (_, false) => (extent.length.div_ceil(self.to_bytes(1)).clamp(1, max.max(1)), false),
        }
    }

    /// Whether nothing is stored in `blocks` blocks from `first` on, so that they read as zeros.
    pub(super) fn is_hole(&self, first: u64, blocks: u64) -> bool {
        let Ok(at) = self.offset(first, blocks) else { return false };
        let end = first.saturating_add(blocks);
        let length = self.to_bytes(blocks);
        self.overlay.range(first..end).next().is_none()
            && self.volume.map(at, length).is_ok_and(|extent| {
                extent.length >= length && matches!(extent.backing, crate::io::Backing::Hole)
            })
    }

    /// The volume as content is read from it: journal copies with their first bytes restored.
    pub(super) fn content_volume(&self) -> Arc<dyn ReadAt> {
        let escaped: BTreeSet<u64> =
            self.overlay.values().filter(|copy| copy.escaped).map(|copy| self.to_bytes(copy.block)).collect();
        if escaped.is_empty() {
            return Arc::clone(&self.volume);
        }
        Arc::new(Unescaped { volume: Arc::clone(&self.volume), escaped })
    }
}

/// The volume, with the magic number put back where the journal stores zeros for it.
#[derive(Debug)]
struct Unescaped {
    volume: Arc<dyn ReadAt>,
    /// Volume offsets of the escaped copies.
    escaped: BTreeSet<u64>,
}

impl ReadAt for Unescaped {
    fn size(&self) -> u64 {
        self.volume.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.volume.read_at(offset, buffer)?;
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        for &place in self.escaped.range(offset.saturating_sub(3)..offset.saturating_add(length)) {
            for (at, byte) in (place..).zip(JOURNAL_MAGIC) {
                let inside = at.checked_sub(offset).and_then(|inside| usize::try_from(inside).ok());
                if let Some(target) = inside.and_then(|inside| buffer.get_mut(inside)) {
                    *target = byte;
                }
            }
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        self.volume.map(offset, max)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        match self.escaped.range(offset.saturating_sub(3)..).next() {
            Some(&place) if place <= offset => None,
            Some(&place) => self.volume.slice(offset, max.min(place.saturating_sub(offset))),
            None => self.volume.slice(offset, max),
        }
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.volume.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.volume.release(offset, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Blocks {
        let mut volume = vec![1_u8; 8 * 1024];
        volume.get_mut(5 * 1024..6 * 1024).unwrap().fill(9);
        volume.get_mut(5 * 1024..5 * 1024 + 4).unwrap().fill(0);
        let overlay = Overlay::from([(2, JournalCopy { block: 5, escaped: true })]);
        Blocks::new(Arc::new(volume), 10, 8, overlay)
    }

    #[test]
    fn journal_copies_stand_in_for_their_home_blocks_unescaped() {
        let mut expected = vec![1_u8; 2 * 1024 + 20];
        expected.get_mut(1024..1028).unwrap().copy_from_slice(&JOURNAL_MAGIC);
        expected.get_mut(1028..2048).unwrap().fill(9);
        let mut found = vec![0; expected.len()];
        blocks().read_bytes(1024, &mut found).unwrap();
        assert_eq!(found, expected);
        let mut part = [0; 6];
        blocks().read_bytes(2 * 1024 + 2, &mut part).unwrap();
        assert_eq!(part, [0x39, 0x98, 9, 9, 9, 9]);
    }

    #[test]
    fn content_read_from_an_escaped_copy_has_its_first_bytes_back() {
        let volume = blocks().content_volume();
        for start in 5 * 1024 - 5..5 * 1024 + 5 {
            let mut bytes = [0; 3];
            volume.read_at(start, &mut bytes).unwrap();
            for (at, byte) in (start..).zip(bytes) {
                let inside =
                    at.checked_sub(5 * 1024).and_then(|i| JOURNAL_MAGIC.get(usize::try_from(i).unwrap()));
                assert_eq!(byte, inside.copied().unwrap_or(if at < 5 * 1024 { 1 } else { 9 }), "{at}");
            }
        }
    }

    #[test]
    fn blocks_past_the_end_are_refused() {
        assert!(blocks().read(8).is_err());
        assert!(blocks().read_many(u64::MAX, 2).is_err());
    }
}
