//! The journal (ext4 on-disk format, "Journal (jbd2)"): which blocks a replay would write where.
//!
//! All numbers of the journal are big-endian. Nothing is written: a replay comes to a table of home blocks
//! and the blocks of the journal that hold their current bytes.

use super::blocks::JOURNAL_MAGIC;
use super::checksum::crc32c;
use crate::error::{Error, Result};
use crate::io::Fields;
use std::collections::BTreeMap;

const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const SUPERBLOCK_V1: u32 = 3;
const SUPERBLOCK_V2: u32 = 4;
const REVOKE: u32 = 5;

const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_CSUM_V2: u32 = 0x8;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
/// Everything that a replay has to understand: revoke, 64bit, async commit, both checksums, fast commit.
const INCOMPAT_KNOWN: u32 = 0x3f;

const TAG_ESCAPE: u16 = 1;
const TAG_SAME_UUID: u16 = 2;
const TAG_LAST: u16 = 8;

/// Bytes in front of the tags of a descriptor block and of the fields of the other blocks.
const HEADER: usize = 12;

/// Fast-commit blocks where the superblock does not say how many (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`).
const FAST_COMMIT_BLOCKS: u32 = 256;

/// The journal's blocks by their number in the journal.
pub(super) type ReadBlock<'a> = &'a dyn Fn(u32) -> Result<Vec<u8>>;

/// The journal superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) block_size: u32,
    /// First block of the log.
    pub(super) first: u32,
    /// The block behind the last one of the log.
    pub(super) end: u32,
    /// Blocks behind the log that hold fast commits.
    pub(super) fast_commit_blocks: u32,
    /// Block at which a replay starts; 0 when there is nothing to replay.
    pub(super) start: u32,
    /// Number of the transaction at `start`.
    pub(super) sequence: u32,
    incompat: u32,
    seed: u32,
}

impl Superblock {
    /// Parses the journal's block 0.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) where it is no journal superblock, or describes a log
    /// without room; [`Kind::Unsupported`](crate::error::Kind::Unsupported) for features without a name here.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let fields = Fields::new("journal superblock", bytes, 0);
        let (kind, _) = header(&fields)
            .ok_or_else(|| Error::corrupt(0, "journal superblock", "magic 0xc03b3998", "something else"))?;
        if kind != SUPERBLOCK_V1 && kind != SUPERBLOCK_V2 {
            return Err(Error::corrupt(4, "type of journal superblock", "3 or 4", kind));
        }
        let incompat = if kind == SUPERBLOCK_V2 { fields.be_u32(40)? } else { 0 };
        if incompat & !INCOMPAT_KNOWN != 0 {
            return Err(Error::unsupported(format_args!(
                "journal features {:#x}",
                incompat & !INCOMPAT_KNOWN
            )));
        }
        let length = fields.be_u32(16)?;
        let first = fields.be_u32(20)?;
        let fast = match (incompat & INCOMPAT_FAST_COMMIT, fields.be_u32(84)?) {
            (0, _) => 0,
            (_, 0) => FAST_COMMIT_BLOCKS,
            (_, count) => count,
        };
        let end = length.saturating_sub(fast);
        let start = fields.be_u32(28)?;
        if first == 0 || first >= end {
            return Err(Error::corrupt(20, "first block of the log", format!("1 to {end}"), first));
        }
        if start != 0 && !(first..end).contains(&start) {
            return Err(Error::corrupt(28, "start of the log", format!("{first} to {end}"), start));
        }
        Ok(Self {
            block_size: fields.be_u32(12)?,
            first,
            end,
            fast_commit_blocks: fast,
            start,
            sequence: fields.be_u32(24)?,
            incompat,
            seed: crc32c(u32::MAX, fields.bytes(48, 16)?),
        })
    }

    fn checked(&self) -> bool {
        self.incompat & (INCOMPAT_CSUM_V2 | INCOMPAT_CSUM_V3) != 0
    }

    /// Block numbers are 64 bits wide.
    fn wide(&self) -> bool {
        self.incompat & INCOMPAT_64BIT != 0
    }

    /// The block behind `block`, `count` blocks on, at the start of the log again behind its end.
    fn advance(&self, block: u32, count: u32) -> u32 {
        let room = self.end.saturating_sub(self.first).max(1);
        let inside = u64::from(block.saturating_sub(self.first)).saturating_add(count.into());
        let wrapped = inside.checked_rem(room.into()).unwrap_or(0);
        u32::try_from(wrapped).unwrap_or(0).saturating_add(self.first)
    }
}

/// Type and transaction number of a journal block, if it is one that describes others.
fn header(fields: &Fields<'_>) -> Option<(u32, u32)> {
    (fields.array(0).ok()? == JOURNAL_MAGIC).then_some(())?;
    Some((fields.be_u32(4).ok()?, fields.be_u32(8).ok()?))
}

/// A copy of a block, as a descriptor block announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Block of the file system that is copied.
    pub(super) home: u64,
    /// Block of the journal that holds the copy.
    pub(super) copy: u32,
    /// Whether the copy's first four bytes were the magic number, and are stored as zeros.
    pub(super) escaped: bool,
    checksum: u32,
}

/// The copies that a descriptor block in the journal's block `at` announces, and the block behind them.
pub(super) fn tags(sb: &Superblock, block: &[u8], at: u32) -> Result<(Vec<Tag>, u32)> {
    let fields = Fields::new("journal descriptor", block, 0);
    let v3 = sb.incompat & INCOMPAT_CSUM_V3 != 0;
    // The record of checksum version 2 is two bytes longer than its fields: a mistake that became format.
    let length = match (v3, sb.incompat & INCOMPAT_CSUM_V2 != 0, sb.wide()) {
        (true, ..) => 16,
        (_, true, true) => 14,
        (_, true, false) => 10,
        (_, false, true) => 12,
        (_, false, false) => 8,
    };
    let end = block.len().saturating_sub(if sb.checked() { 4 } else { 0 });
    let mut found = Vec::new();
    let mut slot = HEADER;
    let mut copy = sb.advance(at, 1);
    while slot.saturating_add(length) <= end {
        let low = u64::from(fields.be_u32(slot)?);
        let (flags, checksum, high_at) = if v3 {
            // Flags take 32 bits here, of which the lower half is in use.
            (fields.be_u16(slot.saturating_add(6))?, fields.be_u32(slot.saturating_add(12))?, 8)
        } else {
            (fields.be_u16(slot.saturating_add(6))?, fields.be_u16(slot.saturating_add(4))?.into(), 8)
        };
        let high = if sb.wide() { u64::from(fields.be_u32(slot.saturating_add(high_at))?) << 32 } else { 0 };
        found.push(Tag { home: high | low, copy, escaped: flags & TAG_ESCAPE != 0, checksum });
        copy = sb.advance(copy, 1);
        slot = slot.saturating_add(length);
        if flags & TAG_SAME_UUID == 0 {
            slot = slot.saturating_add(16);
        }
        if flags & TAG_LAST != 0 {
            break;
        }
    }
    Ok((found, copy))
}

/// The blocks that a revoke block names: older copies of them must not be replayed.
fn revoked(sb: &Superblock, block: &[u8]) -> Result<Vec<u64>> {
    let fields = Fields::new("journal revoke block", block, 0);
    let used = usize::try_from(fields.be_u32(HEADER)?).unwrap_or(usize::MAX).min(block.len());
    let mut found = Vec::new();
    let mut at = HEADER.saturating_add(4);
    let step = if sb.wide() { 8 } else { 4 };
    while at.saturating_add(step) <= used {
        found.push(if sb.wide() { fields.be_u64(at)? } else { fields.be_u32(at)?.into() });
        at = at.saturating_add(step);
    }
    Ok(found)
}

/// What a replay comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    /// Home block → where the journal holds its current bytes.
    pub(super) copies: BTreeMap<u64, Tag>,
    /// Complete transactions.
    pub(super) transactions: u64,
    /// Copies that were left out since their checksum is wrong.
    pub(super) wrong_checksums: u64,
    /// The block at which the log ends.
    pub(super) stopped_at: u32,
}

/// A transaction that has not been committed yet.
#[derive(Default)]
struct Pending {
    copies: Vec<Tag>,
    revoked: Vec<u64>,
    wrong_checksums: u64,
}

/// Follows the log from its start to the end of the last complete transaction.
pub(super) fn replay(sb: &Superblock, read: ReadBlock<'_>) -> Replay {
    let mut replay = Replay { stopped_at: sb.start, ..Replay::default() };
    if sb.start == 0 {
        return replay;
    }
    let (mut at, mut sequence) = (sb.start, sb.sequence);
    let mut pending = Pending::default();
    // A log is at most as long as the journal; one that bites its own tail ends here.
    let mut left = sb.end.saturating_sub(sb.first);
    while left > 0 {
        replay.stopped_at = at;
        let Ok(block) = read(at) else { break };
        let fields = Fields::new("journal block", &block, 0);
        let Some((kind, number)) = header(&fields) else { break };
        if number != sequence || !block_checksum_ok(sb, &block, kind) {
            break;
        }
        let next = match kind {
            DESCRIPTOR => {
                let Ok((found, behind)) = tags(sb, &block, at) else { break };
                left = left.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
                keep(sb, (sequence, found), read, &mut pending);
                behind
            }
            REVOKE => {
                let Ok(found) = revoked(sb, &block) else { break };
                pending.revoked.extend(found);
                sb.advance(at, 1)
            }
            COMMIT => {
                commit(std::mem::take(&mut pending), &mut replay);
                sequence = sequence.wrapping_add(1);
                sb.advance(at, 1)
            }
            _ => break,
        };
        left = left.saturating_sub(1);
        at = next;
        replay.stopped_at = at;
    }
    replay
}

/// Takes the copies of one descriptor block into the transaction, apart from those that are damaged.
fn keep(sb: &Superblock, (sequence, found): (u32, Vec<Tag>), read: ReadBlock<'_>, pending: &mut Pending) {
    for tag in found {
        if sb.checked() {
            let chain = crc32c(sb.seed, &sequence.to_be_bytes());
            let sum = read(tag.copy).map(|bytes| crc32c(chain, &bytes));
            let mask = if sb.incompat & INCOMPAT_CSUM_V3 != 0 { u32::MAX } else { 0xffff };
            if sum.map_or(true, |sum| sum & mask != tag.checksum) {
                pending.wrong_checksums = pending.wrong_checksums.saturating_add(1);
                continue;
            }
        }
        pending.copies.push(tag);
    }
}

/// A revoke takes away the copies of its own transaction and of all before it; those of later ones stay.
fn commit(pending: Pending, replay: &mut Replay) {
    replay.transactions = replay.transactions.saturating_add(1);
    replay.wrong_checksums = replay.wrong_checksums.saturating_add(pending.wrong_checksums);
    for tag in pending.copies {
        replay.copies.insert(tag.home, tag);
    }
    for home in pending.revoked {
        replay.copies.remove(&home);
    }
}

/// Whether the checksum that descriptor and revoke blocks end in, and that commit blocks hold in their
/// fifth word, is right; true without checksums.
fn block_checksum_ok(sb: &Superblock, block: &[u8], kind: u32) -> bool {
    if !sb.checked() {
        return true;
    }
    let at = if kind == COMMIT { HEADER.saturating_add(4) } else { block.len().saturating_sub(4) };
    let fields = Fields::new("journal block", block, 0);
    let (Ok(head), Ok(stored)) = (fields.bytes(0, at), fields.be_u32(at)) else { return false };
    let tail = block.get(at.saturating_add(4)..).unwrap_or_default();
    [head, &[0; 4], tail].into_iter().fold(sb.seed, crc32c) == stored
}

/// Every copy that any descriptor block of the journal announces, whatever transaction it belongs to, with
/// the transaction's number: what the journal still remembers of the past. `starts` says whether a block
/// starts with the magic number, which spares reading the others.
pub(super) fn history(sb: &Superblock, starts: &dyn Fn(u32) -> bool, read: ReadBlock<'_>) -> Vec<(u32, Tag)> {
    let described = |at: u32| {
        let block = read(at).ok()?;
        let (kind, sequence) = header(&Fields::new("journal block", &block, 0))?;
        (kind == DESCRIPTOR && block_checksum_ok(sb, &block, kind)).then_some(())?;
        Some((sequence, tags(sb, &block, at).ok()?.0))
    };
    let mut found = Vec::new();
    for at in (sb.first..sb.end).filter(|at| starts(*at)) {
        if let Some((sequence, tags)) = described(at) {
            found.extend(tags.into_iter().map(|tag| (sequence, tag)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 1024;

    /// A journal in memory: 16 blocks, the log from block 1 on.
    struct Log {
        blocks: Vec<Vec<u8>>,
    }

    impl Log {
        fn new(start: u32, sequence: u32, incompat: u32) -> Self {
            let mut superblock = block(SUPERBLOCK_V2, 0);
            for (at, value) in [(12, 1024), (16, 16), (20, 1), (24, sequence), (28, start), (40, incompat)] {
                put(&mut superblock, at, value);
            }
            let mut blocks = vec![vec![0; BLOCK]; 16];
            blocks[0] = superblock;
            Self { blocks }
        }

        fn replay(&self) -> Replay {
            let superblock = Superblock::parse(&self.blocks[0]).unwrap();
            let read =
                |block: u32| -> Result<Vec<u8>> { Ok(self.blocks[usize::try_from(block).unwrap()].clone()) };
            replay(&superblock, &read)
        }

        /// A descriptor in block `at` for copies of `homes` behind it.
        fn descriptor(&mut self, at: usize, sequence: u32, homes: &[u32], flags: u32) {
            let mut bytes = block(DESCRIPTOR, sequence);
            for (slot, home) in homes.iter().enumerate() {
                let last = if slot + 1 == homes.len() { u32::from(TAG_LAST) } else { 0 };
                put(&mut bytes, 12 + slot * 8, *home);
                put(&mut bytes, 12 + slot * 8 + 4, u32::from(TAG_SAME_UUID) | last | flags);
            }
            self.blocks[at] = bytes;
        }

        fn revoke(&mut self, at: usize, sequence: u32, homes: &[u32]) {
            let mut bytes = block(REVOKE, sequence);
            put(&mut bytes, 12, 16 + 4 * u32::try_from(homes.len()).unwrap());
            for (slot, home) in homes.iter().enumerate() {
                put(&mut bytes, 16 + slot * 4, *home);
            }
            self.blocks[at] = bytes;
        }

        fn commit(&mut self, at: usize, sequence: u32) {
            self.blocks[at] = block(COMMIT, sequence);
        }
    }

    fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn block(kind: u32, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK];
        bytes[..4].copy_from_slice(&JOURNAL_MAGIC);
        put(&mut bytes, 4, kind);
        put(&mut bytes, 8, sequence);
        bytes
    }

    fn copies(replay: &Replay) -> Vec<(u64, u32)> {
        replay.copies.iter().map(|(home, tag)| (*home, tag.copy)).collect()
    }

    #[test]
    fn the_last_committed_copy_of_a_block_counts() {
        let mut log = Log::new(1, 7, 0);
        log.descriptor(1, 7, &[100, 101], 0);
        log.commit(4, 7);
        log.descriptor(5, 8, &[101], 0);
        log.commit(7, 8);
        log.descriptor(8, 9, &[100], 0);
        let replay = log.replay();
        assert_eq!(copies(&replay), [(100, 2), (101, 6)], "the third transaction has no commit block");
        assert_eq!(replay.transactions, 2);
    }

    #[test]
    fn a_revoke_takes_away_older_copies_and_leaves_later_ones() {
        let mut log = Log::new(1, 1, 0);
        log.descriptor(1, 1, &[100, 101], 0);
        log.commit(4, 1);
        log.revoke(5, 2, &[100, 101]);
        log.commit(6, 2);
        log.descriptor(7, 3, &[101], 0);
        log.commit(9, 3);
        assert_eq!(copies(&log.replay()), [(101, 8)]);
    }

    #[test]
    fn a_log_goes_on_at_its_front_behind_its_end() {
        let mut log = Log::new(14, u32::MAX, 0);
        log.descriptor(14, u32::MAX, &[100, 101], 0);
        log.commit(2, u32::MAX);
        log.descriptor(3, 0, &[102], 0);
        log.commit(5, 0);
        assert_eq!(copies(&log.replay()), [(100, 15), (101, 1), (102, 4)]);
    }

    #[test]
    fn a_stale_sequence_number_ends_the_log() {
        let mut log = Log::new(1, 5, 0);
        log.descriptor(1, 5, &[100], 0);
        log.commit(3, 5);
        log.descriptor(4, 3, &[101], 0);
        log.commit(6, 3);
        let replay = log.replay();
        assert_eq!((copies(&replay), replay.stopped_at), (vec![(100, 2)], 4));
    }

    #[test]
    fn escaped_copies_are_known() {
        let mut log = Log::new(1, 5, 0);
        log.descriptor(1, 5, &[100], TAG_ESCAPE.into());
        log.commit(3, 5);
        assert!(log.replay().copies.values().all(|tag| tag.escaped));
    }

    #[test]
    fn a_log_that_fills_the_journal_ends() {
        let mut log = Log::new(1, 1, 0);
        for at in 1..16 {
            log.commit(at, u32::try_from(at).unwrap());
        }
        assert_eq!(log.replay().transactions, 15);
    }

    #[test]
    fn impossible_superblocks_are_refused() {
        for (at, value) in [(0, 1), (4, 9), (16, 0), (20, 16), (28, 16), (40, 0x40)] {
            let mut log = Log::new(1, 1, 0);
            put(&mut log.blocks[0], at, value);
            assert!(Superblock::parse(&log.blocks[0]).is_err(), "{at}: {value}");
        }
    }

    #[test]
    fn records_of_every_width_are_read() {
        // Flags of the journal, bytes of the record, where its flags and the upper half of its number are.
        let cases = [
            (0, 8, 6, None),
            (INCOMPAT_64BIT, 12, 6, Some(8)),
            (INCOMPAT_CSUM_V2, 10, 6, None),
            (INCOMPAT_CSUM_V2 | INCOMPAT_64BIT, 14, 6, Some(8)),
            (INCOMPAT_CSUM_V3, 16, 6, None),
            (INCOMPAT_CSUM_V3 | INCOMPAT_64BIT, 16, 6, Some(8)),
        ];
        for (incompat, length, flags_at, high_at) in cases {
            let log = Log::new(1, 1, incompat);
            let superblock = Superblock::parse(&log.blocks[0]).unwrap();
            let mut bytes = block(DESCRIPTOR, 1);
            // The first record has a UUID of 16 bytes behind it.
            for (at, home, flags) in [(12, 5, 0_u16), (12 + length + 16, 6, TAG_LAST | TAG_SAME_UUID)] {
                put(&mut bytes, at, home);
                bytes[at + flags_at..at + flags_at + 2].copy_from_slice(&flags.to_be_bytes());
                if let Some(high_at) = high_at {
                    put(&mut bytes, at + high_at, 1);
                }
            }
            let (found, behind) = tags(&superblock, &bytes, 1).unwrap();
            let high = if high_at.is_some() { 1 << 32 } else { 0 };
            let homes: Vec<_> = found.iter().map(|tag| (tag.home, tag.copy)).collect();
            assert_eq!(homes, [(high | 5, 2), (high | 6, 3)], "{incompat:#x}");
            assert_eq!(behind, 4);
        }
    }

    #[test]
    fn a_copy_with_a_wrong_checksum_is_left_out() {
        let mut log = Log::new(1, 1, INCOMPAT_CSUM_V3);
        let superblock = Superblock::parse(&log.blocks[0]).unwrap();
        let chain = crc32c(superblock.seed, &1_u32.to_be_bytes());
        let mut descriptor = block(DESCRIPTOR, 1);
        for (slot, (home, flags)) in [(100, 2), (101, 2 | 8)].into_iter().enumerate() {
            put(&mut descriptor, 12 + slot * 16, home);
            put(&mut descriptor, 12 + slot * 16 + 4, flags);
            put(&mut descriptor, 12 + slot * 16 + 12, crc32c(chain, &[0; BLOCK]));
        }
        let sum = crc32c(superblock.seed, &descriptor);
        put(&mut descriptor, BLOCK - 4, sum);
        let mut commit = block(COMMIT, 1);
        let sum = crc32c(superblock.seed, &commit);
        put(&mut commit, 16, sum);
        log.blocks[1] = descriptor;
        log.blocks[3][500] = 1;
        log.blocks[4] = commit;
        let replay = log.replay();
        assert_eq!((copies(&replay), replay.wrong_checksums), (vec![(100, 2)], 1));
    }
}
