//! Direct and indirect block maps (ext4 on-disk format, "Direct/Indirect Block Addressing").

use super::blocks::Blocks;
use super::inode::Inode;
use super::map::{self, BlockMap, BlockRun, Budget};
use crate::error::{Error, Result};

/// Words of `i_block` that name content; the three behind them name indirect blocks of depth 1 to 3.
const DIRECT: usize = 12;

/// An indirect block that is still to be read.
struct Node {
    block: u64,
    depth: u32,
    logical: u64,
}

/// Reads the map in the inode. All of it is followed, not only what the size asks for, since blocks past
/// the end belong to the inode too.
pub(super) fn read(blocks: &Blocks, inode: &Inode<'_>, budget: &mut Budget) -> BlockMap {
    let mut map = BlockMap::default();
    let (words, _) = inode.block_area().as_chunks::<4>();
    let per_block = u64::try_from(blocks.size()).unwrap_or(0) / 4;
    let mut logical = 0;
    for (slot, word) in words.iter().enumerate() {
        let block = u64::from(u32::from_le_bytes(*word));
        let depth = u32::try_from(slot.saturating_add(1).saturating_sub(DIRECT)).unwrap_or(0);
        let covers = per_block.saturating_pow(depth);
        let root = Node { block, depth, logical };
        let end = logical.saturating_add(covers);
        if block != 0
            && let Err(error) = tree(blocks, root, &mut map, budget)
        {
            map.lose(logical..end, error);
        }
        logical = end;
    }
    map
}

/// Follows one word of `i_block`.
///
/// # Errors
/// Where going on makes no sense for the whole tree; the loss of one indirect block is noted in the map.
fn tree(blocks: &Blocks, root: Node, map: &mut BlockMap, budget: &mut Budget) -> Result<()> {
    let per_block = u64::try_from(blocks.size()).unwrap_or(0) / 4;
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if node.depth == 0 {
            push(blocks, &node, map);
            continue;
        }
        let covers = per_block.saturating_pow(node.depth);
        let covered = node.logical..node.logical.saturating_add(covers);
        map.add_node(map::Node { block: node.block, covers: covered, sound: true }, blocks)?;
        let bytes = match budget.spend(1).and_then(|()| blocks.read(node.block)) {
            Ok(bytes) => bytes,
            Err(error) => {
                map.lose(node.logical..node.logical.saturating_add(covers), error);
                continue;
            }
        };
        let (words, _) = bytes.as_chunks::<4>();
        let below = node.depth.saturating_sub(1);
        let step = per_block.saturating_pow(below);
        let mut logical = node.logical;
        let mut children = Vec::new();
        for word in words {
            let child = Node { block: u32::from_le_bytes(*word).into(), depth: below, logical };
            logical = logical.saturating_add(step);
            match child.block {
                0 => {}
                _ if below == 0 => push(blocks, &child, map),
                _ => children.push(child),
            }
        }
        open.extend(children.into_iter().rev());
        if map.damage.len() > DAMAGE_MAX {
            let text = "indirect blocks: too many wrong block numbers";
            return Err(Error::new(crate::error::Kind::LimitExceeded, text));
        }
    }
    Ok(())
}

/// Wrong block numbers that one map may hold before it is given up.
const DAMAGE_MAX: usize = 4096;

fn push(blocks: &Blocks, node: &Node, map: &mut BlockMap) {
    let run = BlockRun { logical: node.logical, physical: node.block, count: 1, unwritten: false };
    if let Err(error) = map.push(run, blocks) {
        map.lose(node.logical..node.logical.saturating_add(1), error);
    }
}
