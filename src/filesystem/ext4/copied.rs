//! What a place in the journal is a copy of, for findings that lie nowhere but there.
//!
//! A record of an inode table says by its generation which file had it. Other blocks are those of the file that had
//! them last before they were free or another's, where the journal remembers that; else it is only known who has them
//! now.

use super::Ext4;
use super::former::{Former, OldCopy};
use super::groups::table_blocks;
use super::inode::Inode;
use super::scan::{self, Scanned};
use crate::filesystem::{Entry, EntryId, named};
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

/// Answers about the journal's copies, made when the first is asked for.
#[derive(Debug)]
pub(super) struct Copied {
    /// By the volume's block that holds the copy, the latest for each.
    copies: Vec<OldCopy>,
    /// Blocks of extended attributes and the first inode that has each.
    attributes: BTreeMap<u64, u32>,
    /// Blocks that files had, by the first of them.
    had: Vec<Had>,
}

/// Blocks that a file had.
#[derive(Debug)]
struct Had {
    blocks: Range<u64>,
    /// The latest time at which it had them, as [`OldCopy::age`].
    age: u32,
    id: EntryId,
}

/// Files that are asked whether they had a block: in a damaged journal any number may claim the same.
const CLAIMS_MAX: usize = 4096;

impl Copied {
    pub(super) fn build(fs: &Ext4) -> Self {
        let mut copies = fs.former().copies(0..u64::MAX).to_vec();
        copies.sort_unstable_by_key(|copy| (copy.block, std::cmp::Reverse(copy.age)));
        copies.dedup_by_key(|copy| copy.block);
        let mut attributes = BTreeMap::new();
        let _all = scan::tables(fs, &mut |scanned| {
            if let Scanned::Inode(inode, _) = scanned
                && inode.attribute_block() != 0
            {
                attributes.entry(inode.attribute_block()).or_insert(inode.number);
            }
            ControlFlow::Continue(())
        });
        let all = fs.former().all().flat_map(|former| {
            let had =
                |blocks: &Range<u64>| Had { blocks: blocks.clone(), age: former.age, id: former.entry.id };
            former.home.iter().map(had)
        });
        let mut had: Vec<_> = all.collect();
        had.sort_unstable_by_key(|had| (had.blocks.start, had.age, had.id));
        Self { copies, attributes, had }
    }

    /// The copy of which a block of the volume holds the bytes.
    fn at(&self, block: u64) -> Option<OldCopy> {
        let found = self.copies.binary_search_by_key(&block, |copy| copy.block).ok()?;
        self.copies.get(found).copied()
    }

    /// The copy at a byte of the journal, and the byte's offset in the block.
    fn of(&self, fs: &Ext4, offset: u64) -> Option<(OldCopy, u64)> {
        let journal = fs.journal.as_ref()?;
        let block = u32::try_from(offset >> fs.blocks.bits()).ok()?;
        // Where the journal has written something of its own since, the copy is gone.
        if journal.starts_with_magic(fs, block) {
            return None;
        }
        let copy = self.at(journal.physical(block)?)?;
        Some((copy, offset.checked_sub(fs.blocks.to_bytes(block.into()))?))
    }

    /// The volume offset that the byte at `offset` of the journal was written for.
    pub(super) fn home(&self, fs: &Ext4, offset: u64) -> Option<u64> {
        let (copy, inside) = self.of(fs, offset)?;
        fs.blocks.to_bytes(copy.home).checked_add(inside)
    }

    /// The inode that a byte of the journal is about, in words, where it lies in a copy of an inode table or of a
    /// block of attributes.
    pub(super) fn about(&self, fs: &Ext4, offset: u64) -> Option<String> {
        let (copy, inside) = self.of(fs, offset)?;
        if let Some(number) = number(fs, copy.home, inside) {
            let block = fs.blocks.read(copy.block).ok()?;
            let slot = usize::try_from(inside).ok()?.checked_div(fs.superblock.inode_size)?;
            let bytes = block.chunks_exact(fs.superblock.inode_size).nth(slot)?;
            let then = Inode { number, bytes, place: fs.blocks.to_bytes(copy.block) };
            return Some(format!("in the journal's copy of {}", whose(fs, number, Some(then.generation()))));
        }
        if let Some(number) = self.attributes.get(&copy.home) {
            return Some(format!("in the journal's copy of the attributes of {}", whose(fs, *number, None)));
        }
        let file = named(fs, self.had(copy)?);
        Some(format!("in the journal's copy of block {} of {file}", copy.home))
    }

    /// The file that had a block when it was copied, of those that have it no more.
    fn had(&self, copy: OldCopy) -> Option<EntryId> {
        let next = self.had.partition_point(|had| had.blocks.start <= copy.home);
        let before = self.had.get(next.saturating_sub(CLAIMS_MAX)..next)?.iter();
        let then = before.filter(|had| had.blocks.contains(&copy.home) && had.age >= copy.age);
        then.min_by_key(|had| had.age).map(|had| had.id)
    }
}

/// The inode of which the byte at `inside` of the block `home` is a part.
fn number(fs: &Ext4, home: u64, inside: u64) -> Option<u32> {
    let length = table_blocks(&fs.superblock);
    let groups = fs.groups.all.iter().zip(0_u64..);
    let mut tables = groups.filter_map(|(group, number)| Some((group.as_ref()?.inode_table, number)));
    let (start, group) = tables.find(|(start, _)| home.checked_sub(*start).is_some_and(|at| at < length))?;
    let at = fs.blocks.to_bytes(home.checked_sub(start)?).checked_add(inside)?;
    let slot = at.checked_div(u64::try_from(fs.superblock.inode_size).ok()?)?;
    let per_group = u64::from(fs.superblock.inodes_per_group);
    let number = group.checked_mul(per_group)?.checked_add(slot)?.checked_add(1)?;
    u32::try_from(number).ok().filter(|number| slot < per_group && *number <= fs.superblock.inodes)
}

/// An inode with the path of the file that had it, with this generation where it is known, and whether it is another's
/// by now.
fn whose(fs: &Ext4, number: u32, generation: Option<u32>) -> String {
    let now = scan::record(fs, number.into()).ok().map(|record| record.inode().generation());
    let gone = generation.filter(|then| now != Some(*then)).map(u64::from);
    let Some(then) = gone else { return named(fs, EntryId(number.into())) };
    let is_it = |entry: &&Entry| Former::number(entry.id) == number && entry.generation == then;
    let former = fs.former().all().map(|former| &former.entry).find(is_it);
    let name = former.map_or_else(|| format!("inode {number}"), |entry| named(fs, entry.id));
    format!("{name}, used again since")
}
