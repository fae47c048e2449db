//! Transaction logs of registry hives, replayed in memory (Windows registry file format: base block, log
//! entries `HvLE`, dirty vector `DIRT`).
//!
//! A hive whose two sequence numbers differ, or whose checksum is wrong, was not closed cleanly: what was
//! written last stands in `NAME.LOG1`, `NAME.LOG2` or `NAME.LOG` beside it. The hive itself is not changed;
//! the replayed sectors lie over it.

use super::tree::Tree;
use crate::error::Result;
use crate::filesystem::Entry;
use crate::format::le32;
use crate::io::{ReadAt, check_range, read_vec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Unit of the replay; log entries and pages are multiples of it.
const SECTOR: usize = 512;
/// Offset of the first hive bin, which pages count from.
const BINS: u64 = 4096;
/// Sectors that are laid over one hive: 32 MiB.
const SECTORS_MAX: usize = 65_536;
/// Longest log entry or dirty vector that is read.
const ENTRY_MAX: u64 = 32 << 20;
/// Log entries of one log that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Seed of the hashes in log entries.
const SEED: u64 = 0xc555_4e7a_884d_ef82;
/// Endings of the names of logs, in the order in which they are replayed.
const ENDINGS: [&[u8]; 3] = [b".LOG1", b".LOG2", b".LOG"];

/// Offsets in the base block.
const PRIMARY: usize = 4;
const SECONDARY: usize = 8;
const LAST_WRITTEN: usize = 12;
const FILE_TYPE: usize = 28;
const BINS_SIZE: usize = 40;
const CHECKSUM: usize = 508;

/// A hive with replayed sectors over it.
#[derive(Debug)]
pub(crate) struct Replayed {
    content: Arc<dyn ReadAt>,
    size: u64,
    sectors: BTreeMap<u64, Vec<u8>>,
}

/// Opens the hive at a seen path, with its logs replayed where it was not closed cleanly.
///
/// # Errors
/// When the hive or a directory on the way to its logs cannot be read.
pub(crate) fn open(
    tree: &Tree<'_>,
    node: super::tree::Node,
    entry: &Entry,
    seen: &[u8],
) -> Result<Arc<dyn ReadAt>> {
    let content = tree.open(node, entry)?;
    if !is_dirty(content.as_ref())? {
        return Ok(content);
    }
    let mut logs = Vec::new();
    for ending in ENDINGS {
        let path = [seen, ending].concat();
        let Some(spot) = tree.resolve(&path)? else { continue };
        let entry = tree.entry(spot.node)?;
        if entry.size() > 0 {
            logs.push(tree.open(spot.node, &entry)?);
        }
    }
    Ok(replay(content, &logs))
}

/// Whether the base block says that a write was begun and not finished.
///
/// # Errors
/// When the base block cannot be read.
fn is_dirty(content: &dyn ReadAt) -> Result<bool> {
    if content.size() < BINS {
        return Ok(false);
    }
    let base = read_vec(content, 0, SECTOR)?;
    let differs = le32(&base, PRIMARY) != le32(&base, SECONDARY);
    Ok(base.starts_with(b"regf") && (differs || !is_whole(&base)))
}

/// Lays what the logs hold over the hive. What cannot be applied leaves the hive as dirty as it is.
fn replay(content: Arc<dyn ReadAt>, logs: &[Arc<dyn ReadAt>]) -> Arc<dyn ReadAt> {
    let Ok(mut base) = read_vec(content.as_ref(), 0, SECTOR) else { return content };
    let mut bases: Vec<(Vec<u8>, &Arc<dyn ReadAt>)> = Vec::new();
    for log in logs {
        let own = read_vec(log.as_ref(), 0, SECTOR).ok().filter(|own| is_whole(own));
        bases.extend(own.map(|own| (own, log)));
    }
    let is_valid = is_whole(&base);
    if !is_valid {
        // The base block is taken from a log; its type tells a log from a hive.
        let Some((own, _)) = bases.first() else { return content };
        base.clone_from(own);
        put(&mut base, FILE_TYPE, 0);
    }
    let mut replayed = Replayed { size: content.size(), content, sectors: BTreeMap::new() };
    // The first entry has the hive's own secondary number, each later one the next number; a log may go on
    // where the other one ends.
    let first = le32(&base, SECONDARY).unwrap_or(0);
    let mut next = first;
    for _ in 0..2 {
        for (_, log) in bases.iter().filter(|(own, _)| le32(own, FILE_TYPE) == Some(6)) {
            // A log that cannot be read to its end has given what came before.
            let _ = replayed.entries(log.as_ref(), &mut base, &mut next);
        }
    }
    let mut applied = next != first;
    for (own, log) in bases.iter().filter(|(own, _)| matches!(le32(own, FILE_TYPE), Some(1 | 2))) {
        let is_its = own.get(LAST_WRITTEN..LAST_WRITTEN + 8) == base.get(LAST_WRITTEN..LAST_WRITTEN + 8);
        let is_closed = le32(own, PRIMARY) == le32(own, SECONDARY);
        if !applied && is_its && is_closed {
            applied = replayed.dirty_pages(log.as_ref(), own).unwrap_or(false);
            let sequence = le32(own, PRIMARY).unwrap_or(0);
            put(&mut base, PRIMARY, sequence);
            put(&mut base, SECONDARY, sequence);
        }
    }
    if !applied {
        return replayed.content;
    }
    let sum = checksum(&base);
    put(&mut base, CHECKSUM, sum);
    replayed.sectors.insert(0, base);
    Arc::new(replayed)
}

impl Replayed {
    /// Applies the entries of one log from the number `next` on, and moves that number on. `base` takes over
    /// their sequence numbers and the size of the hive.
    fn entries(&mut self, log: &dyn ReadAt, base: &mut [u8], next: &mut u32) -> Result<()> {
        let mut at = u64::try_from(SECTOR).unwrap_or(0);
        for _ in 0..ENTRIES_MAX {
            let Some(entry) = LogEntry::read(log, at)? else { break };
            at = at.saturating_add(u64::try_from(entry.bytes.len()).unwrap_or(u64::MAX));
            if entry.sequence.wrapping_sub(*next) > u32::MAX / 2 {
                // Applied long ago.
                continue;
            }
            if entry.sequence != *next || !self.apply(&entry) {
                break;
            }
            *next = entry.sequence.wrapping_add(1);
            put(base, PRIMARY, entry.sequence);
            put(base, SECONDARY, entry.sequence);
            put(base, BINS_SIZE, entry.bins_size);
            self.size = self.size.max(BINS.saturating_add(u64::from(entry.bins_size)));
        }
        Ok(())
    }

    /// Lays the pages of a log entry over the hive; `false`, and nothing done, when they do not add up.
    fn apply(&mut self, entry: &LogEntry) -> bool {
        let mut from = 40_usize.saturating_add(entry.pages.len().saturating_mul(8));
        let mut sectors = Vec::new();
        for &(offset, size) in &entry.pages {
            let length = usize::try_from(size).unwrap_or(usize::MAX);
            let bytes = from.checked_add(length).and_then(|end| entry.bytes.get(from..end));
            let Some(bytes) = bytes.filter(|_| length.is_multiple_of(SECTOR)) else { return false };
            sectors.push((BINS.saturating_add(u64::from(offset)), bytes));
            from = from.saturating_add(length);
        }
        sectors.into_iter().all(|(at, bytes)| self.lay(at, bytes))
    }

    /// Lays whole sectors over the hive from a file offset on; `false` when they are too many.
    fn lay(&mut self, at: u64, bytes: &[u8]) -> bool {
        let step = u64::try_from(SECTOR).unwrap_or(1);
        for (sector, index) in bytes.chunks_exact(SECTOR).zip(0_u64..) {
            if self.sectors.len() >= SECTORS_MAX {
                return false;
            }
            self.sectors.insert(at.saturating_add(index.saturating_mul(step)), sector.to_vec());
        }
        true
    }

    /// Applies a log of the older form: a bitmap of sectors, then those sectors.
    fn dirty_pages(&mut self, log: &dyn ReadAt, own: &[u8]) -> Result<bool> {
        let sector = u64::try_from(SECTOR).unwrap_or(1);
        let bins = u64::from(le32(own, BINS_SIZE).unwrap_or(0));
        let length = bins / sector / 8;
        if length > ENTRY_MAX || read_vec(log, sector, 4)? != b"DIRT" {
            return Ok(false);
        }
        let bitmap = read_vec(log, sector.saturating_add(4), usize::try_from(length).unwrap_or(0))?;
        let mut from = sector.saturating_add(4).saturating_add(length).next_multiple_of(sector);
        for (byte, index) in bitmap.iter().zip(0_u64..) {
            for bit in (0_u64..8).filter(|bit| byte >> bit & 1 == 1) {
                let page = read_vec(log, from, SECTOR)?;
                let number = index.saturating_mul(8).saturating_add(bit);
                if !self.lay(BINS.saturating_add(number.saturating_mul(sector)), &page) {
                    return Ok(false);
                }
                from = from.saturating_add(sector);
            }
        }
        self.size = self.size.max(BINS.saturating_add(bins));
        Ok(true)
    }
}

impl ReadAt for Replayed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.size, offset, length)?;
        // A hive that has grown is zero where no log says otherwise.
        let stored = self.content.size().saturating_sub(offset).min(length);
        let (front, rest) = buffer.split_at_mut(usize::try_from(stored).unwrap_or(0));
        self.content.read_at(offset, front)?;
        rest.fill(0);
        let step = u64::try_from(SECTOR).unwrap_or(1);
        let first = offset.saturating_sub(step - 1);
        for (&at, sector) in self.sectors.range(first..offset.saturating_add(length)) {
            let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            let to = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
            let from = sector.get(skip..).unwrap_or_default();
            let room = buffer.get_mut(to..).unwrap_or_default();
            let count = from.len().min(room.len());
            if let (Some(room), Some(from)) = (room.get_mut(..count), from.get(..count)) {
                room.copy_from_slice(from);
            }
        }
        Ok(())
    }
}

/// A log entry whose hashes are right.
struct LogEntry {
    bytes: Vec<u8>,
    sequence: u32,
    bins_size: u32,
    /// Offset in the bins and size of each page.
    pages: Vec<(u32, u32)>,
}

impl LogEntry {
    /// The entry at an offset of the log; `None` where none begins or it was not written to its end.
    fn read(log: &dyn ReadAt, at: u64) -> Result<Option<Self>> {
        if log.size().saturating_sub(at) < 40 {
            return Ok(None);
        }
        let head = read_vec(log, at, 40)?;
        let size = le32(&head, 4).map_or(0, u64::from);
        let sector = u64::try_from(SECTOR).unwrap_or(1);
        let is_sized = size >= sector && size.is_multiple_of(sector) && size <= ENTRY_MAX;
        if !head.starts_with(b"HvLE") || !is_sized || size > log.size().saturating_sub(at) {
            return Ok(None);
        }
        let bytes = read_vec(log, at, usize::try_from(size).unwrap_or(0))?;
        let hash = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let body = bytes.get(40..).unwrap_or_default();
        let front = bytes.get(..32).unwrap_or_default();
        let (sequence, bins_size) = (le32(&bytes, 12).unwrap_or(0), le32(&bytes, 16).unwrap_or(0));
        let count = le32(&bytes, 20).and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        let is_right = hash(24) == Some(marvin32(body))
            && hash(32) == Some(marvin32(front))
            && bins_size.is_multiple_of(4096)
            && count <= body.len() / 8;
        if !is_right {
            return Ok(None);
        }
        let page = |index: usize| Some((le32(body, index * 8)?, le32(body, index * 8 + 4)?));
        let pages = (0..count).map_while(page).collect();
        Ok(Some(Self { bytes, sequence, bins_size, pages }))
    }
}

/// Whether the sector is a base block with the right checksum.
fn is_whole(base: &[u8]) -> bool {
    base.starts_with(b"regf") && le32(base, CHECKSUM) == Some(checksum(base))
}

/// All numbers in front of the checksum, combined by exclusive or; 0 and all ones stand for their neighbours.
fn checksum(base: &[u8]) -> u32 {
    let words = base.get(..CHECKSUM).unwrap_or_default().chunks_exact(4);
    let words = words.filter_map(|word| word.try_into().ok()).map(u32::from_le_bytes);
    match words.fold(0, std::ops::BitXor::bitxor) {
        u32::MAX => u32::MAX - 1,
        0 => 1,
        sum => sum,
    }
}

fn put(base: &mut [u8], at: usize, number: u32) {
    if let Some(field) = base.get_mut(at..at.saturating_add(4)) {
        field.copy_from_slice(&number.to_le_bytes());
    }
}

/// Marvin32, as 64 bits, with the seed of registry logs.
fn marvin32(data: &[u8]) -> u64 {
    marvin32_seeded(SEED, data)
}

fn marvin32_seeded(seed: u64, data: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h] = seed.to_le_bytes();
    let mut state = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let mut take = |word: u32| {
        let (mut low, mut high) = state;
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        state = (low, high.rotate_left(19));
    };
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        take(word.try_into().map(u32::from_le_bytes).unwrap_or(0));
    }
    // What is left of the data, with the byte 0x80 behind it.
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest.iter().chain([&0x80])) {
        *to = *from;
    }
    take(u32::from_le_bytes(last));
    take(0);
    u64::from(state.0) | u64::from(state.1) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use crate::format::hive::Hive;

    #[test]
    fn hashes_are_those_of_the_published_vectors() {
        let seed = 0x004f_b61a_001b_dbcc;
        let cases: [(&[u8], u64); 4] = [
            (&[], 0x30ed_35c1_00cd_3c7d),
            (&[0xaf], 0x48e7_3fc7_7d75_ddc1),
            (&[0xe7, 0x0f], 0xb5f6_e1fc_485d_bff8),
            (&[0x37, 0xf4, 0x95], 0xf0b0_7c78_9b8c_f7e8),
        ];
        for (data, hash) in cases {
            assert_eq!(marvin32_seeded(seed, data), hash, "{data:?}");
        }
    }

    /// Pages of a log: offset in the bins, content.
    type Pages = Vec<(u32, Vec<u8>)>;

    /// Where the two forms differ, as the pages of 4 KiB that a log would hold.
    fn pages(before: &[u8], after: &[u8]) -> Pages {
        let page = |bytes: &[u8], at: usize| {
            let mut page = bytes.get(at..).unwrap_or_default().to_vec();
            page.resize(4096, 0);
            page
        };
        let pages = (4096..after.len()).step_by(4096);
        let differ = pages.filter(|&at| page(before, at) != page(after, at));
        differ.map(|at| (u32::try_from(at - 4096).unwrap(), page(after, at))).collect()
    }

    fn base_of(hive: &[u8], kind: u32, sequence: (u32, u32)) -> Vec<u8> {
        let mut base = hive[..SECTOR].to_vec();
        put(&mut base, FILE_TYPE, kind);
        put(&mut base, PRIMARY, sequence.0);
        put(&mut base, SECONDARY, sequence.1);
        let sum = checksum(&base);
        put(&mut base, CHECKSUM, sum);
        base
    }

    fn entry(sequence: u32, bins: u32, pages: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (offset, page) in pages {
            body.extend(offset.to_le_bytes());
            body.extend(u32::try_from(page.len()).unwrap().to_le_bytes());
        }
        pages.iter().for_each(|(_, page)| body.extend(page));
        body.resize((body.len() + 40).next_multiple_of(SECTOR) - 40, 0);
        let size = u32::try_from(body.len() + 40).unwrap();
        let mut head = b"HvLE".to_vec();
        for number in [size, 0, sequence, bins, u32::try_from(pages.len()).unwrap()] {
            head.extend(number.to_le_bytes());
        }
        head.extend(marvin32(&body).to_le_bytes());
        head.extend(marvin32(&head).to_le_bytes());
        [head, body].concat()
    }

    fn password(content: &Arc<dyn ReadAt>) -> (bool, Option<String>) {
        let hive = Hive::open(content.as_ref()).unwrap();
        let key = hive.find("Microsoft/Windows NT/CurrentVersion/Winlogon").unwrap().unwrap();
        (hive.is_dirty, hive.value_of(&key, "DefaultPassword").unwrap().map(|value| value.text()))
    }

    /// A hive without the password that was cut off while the one with it was written, and its log.
    fn cut_off() -> (Vec<u8>, Vec<u8>, Pages, u32) {
        let (clean, dirty) = (fixture("hives/software-clean.zst"), fixture("hives/software-dirty.zst"));
        let pages = pages(&clean, &dirty);
        let bins = le32(&dirty, BINS_SIZE).unwrap();
        let mut hive = clean.clone();
        hive[..SECTOR].copy_from_slice(&base_of(&clean, 0, (8, 7)));
        hive[0x24..0x28].copy_from_slice(&dirty[0x24..0x28]);
        let base = base_of(&hive, 0, (8, 7));
        hive[..SECTOR].copy_from_slice(&base);
        (hive, dirty, pages, bins)
    }

    #[test]
    fn values_that_stand_only_in_the_log_are_read() {
        let (hive, dirty, pages, bins) = cut_off();
        let (first, second) = pages.split_at(pages.len() / 2);
        let log = |entries: &[Vec<u8>]| -> Arc<dyn ReadAt> {
            Arc::new([base_of(&dirty, 6, (7, 7)), entries.concat()].concat())
        };
        let both = [entry(7, bins, first), entry(8, bins, second)];
        let old = entry(6, bins, &[(0, vec![0xee; 4096])]);
        let with_old = [old, both[0].clone(), both[1].clone()];
        let found = (false, Some("hunter2x".to_owned()));
        let cases = [
            vec![log(&both)],
            vec![log(&with_old)],
            vec![log(&both[..1]), log(&both[1..])],
            vec![log(&both[1..]), log(&both[..1])],
        ];
        for logs in cases {
            assert_eq!(password(&replay(Arc::new(hive.clone()), &logs)), found);
        }
        // A wrong byte in the entry, or no log: the hive stays dirty and says nothing of the value.
        let mut broken = entry(7, bins, &pages);
        let last = broken.len() - 1;
        broken[last] ^= 1;
        for logs in [vec![log(&[broken])], vec![]] {
            let hive = replay(Arc::new(hive.clone()), &logs);
            assert!(is_dirty(hive.as_ref()).unwrap());
        }
        // A hive that was closed cleanly is not touched by what its logs still hold.
        let mut closed = hive.clone();
        closed[..SECTOR].copy_from_slice(&base_of(&hive, 0, (7, 7)));
        assert!(!is_dirty(&closed).unwrap());
    }

    #[test]
    fn logs_of_the_older_form_and_a_lost_base_block_are_replayed() {
        let (hive, _, pages, bins) = cut_off();
        let mut bitmap = vec![0_u8; usize::try_from(bins).unwrap() / SECTOR / 8];
        for (offset, _) in &pages {
            bitmap[usize::try_from(*offset).unwrap() / 4096] = 0xff;
        }
        let mut own = hive[..SECTOR].to_vec();
        put(&mut own, BINS_SIZE, bins);
        let mut log = [base_of(&own, 1, (8, 8)), b"DIRT".to_vec(), bitmap].concat();
        log.resize(log.len().next_multiple_of(SECTOR), 0);
        pages.iter().for_each(|(_, page)| log.extend(page));
        let log: Arc<dyn ReadAt> = Arc::new(log);
        let found = (false, Some("hunter2x".to_owned()));
        assert_eq!(password(&replay(Arc::new(hive.clone()), std::slice::from_ref(&log))), found);
        let mut torn = hive;
        torn[0x30..0x40].fill(0xaa);
        assert!(is_dirty(&torn).unwrap());
        assert_eq!(password(&replay(Arc::new(torn), &[log])), found);
    }
}
