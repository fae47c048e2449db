//! Extent trees (ext4 on-disk format, "Extent Tree").

use super::blocks::Blocks;
use super::checksum::crc32c;
use super::inode::Inode;
use super::map::{self, BlockMap, BlockRun, Budget};
use super::superblock::Superblock;
use crate::error::{Error, Result};
use crate::io::Fields;
use std::ops::Range;

/// `eh_magic`.
const MAGIC: u16 = 0xf30a;

/// Deepest tree that the format allows (`EXT4_MAX_EXTENT_DEPTH`).
const DEPTH_MAX: u16 = 5;

/// Longest run that is written; greater values of `ee_len` mean an unwritten run (`EXT_INIT_MAX_LEN`).
const WRITTEN_MAX: u16 = 0x8000;

/// Bytes of the header and of each entry.
const ENTRY: usize = 12;

/// Blocks of content that a tree can address.
const LOGICAL_END: u64 = 1 << 32;

/// A node to read: where it is, and what its parent says of it.
struct Node {
    block: u64,
    depth: u16,
    covers: Range<u64>,
}

/// Reads the tree whose root is in the inode.
pub(super) fn read((blocks, sb): (&Blocks, &Superblock), inode: &Inode<'_>, budget: &mut Budget) -> BlockMap {
    let mut map = BlockMap::default();
    let root = Fields::new("extent tree root", inode.block_area(), inode.place.saturating_add(0x28));
    let seed = inode.checksum_seed(sb);
    let children = match root.le_u16(6).and_then(|depth| {
        if depth > DEPTH_MAX {
            return Err(Error::corrupt(root.offset(6), "extent tree depth", "at most 5", depth));
        }
        entries(&root, depth, 0..LOGICAL_END, (blocks, &mut map))
    }) {
        Ok(children) => children,
        Err(error) => {
            map.lose(0..LOGICAL_END, error);
            return map;
        }
    };
    // Depth first and in order, so that the runs come out ascending. A node's depth is less than that of
    // its parent, so that a tree that contains itself ends.
    let mut open = children;
    open.reverse();
    while let Some(node) = open.pop() {
        let start = node.covers.clone();
        let found = budget.spend(1).and_then(|()| blocks.read(node.block)).and_then(|bytes| {
            let fields = Fields::new("extent tree node", &bytes, blocks.to_bytes(node.block));
            let sound = !sb.has_checksums() || checksum_ok(&fields, seed);
            map.add_node(map::Node { block: node.block, covers: node.covers.clone(), sound }, blocks)?;
            entries(&fields, node.depth, node.covers, (blocks, &mut map))
        });
        match found {
            Ok(children) => open.extend(children.into_iter().rev()),
            Err(error) => map.lose(start, error),
        }
    }
    map
}

/// Reads one node: runs go to the map, children come back in order.
fn entries(
    node: &Fields<'_>,
    depth: u16,
    covers: Range<u64>,
    (blocks, map): (&Blocks, &mut BlockMap),
) -> Result<Vec<Node>> {
    let magic = node.le_u16(0)?;
    if magic != MAGIC {
        return Err(Error::corrupt(
            node.offset(0),
            "extent node magic",
            "0xf30a",
            format_args!("{magic:#x}"),
        ));
    }
    let found = node.le_u16(6)?;
    if found != depth {
        return Err(Error::corrupt(node.offset(6), "extent node depth", depth, found));
    }
    let count = usize::from(node.le_u16(2)?);
    let room = node.all().len().saturating_sub(ENTRY) / ENTRY;
    if count > room {
        return Err(Error::corrupt(node.offset(2), "extents in a node", format!("at most {room}"), count));
    }
    let mut children: Vec<Node> = Vec::new();
    for slot in 1..=count {
        let at = slot.saturating_mul(ENTRY);
        let logical = u64::from(node.le_u32(at)?);
        if depth == 0 {
            if let Err((lost, error)) = leaf(node, at, (blocks, map)) {
                map.lose(lost, error);
            }
            continue;
        }
        if let Some(before) = children.last_mut() {
            before.covers.end = logical.max(before.covers.start);
        }
        let block = u64::from(node.le_u32(at.saturating_add(4))?)
            | u64::from(node.le_u16(at.saturating_add(8))?) << 32;
        children.push(Node {
            block,
            depth: depth.saturating_sub(1),
            covers: logical..covers.end.max(logical),
        });
    }
    Ok(children)
}

/// Reads one extent into the map.
fn leaf(
    node: &Fields<'_>,
    at: usize,
    (blocks, map): (&Blocks, &mut BlockMap),
) -> Result<(), (Range<u64>, Error)> {
    let field = |result: Result<u64>| result.map_err(|error| (0..LOGICAL_END, error));
    let logical = field(node.le_u32(at).map(u64::from))?;
    let raw = field(node.le_u16(at.saturating_add(4)).map(u64::from))?;
    let high = field(node.le_u16(at.saturating_add(6)).map(u64::from))?;
    let low = field(node.le_u32(at.saturating_add(8)).map(u64::from))?;
    let unwritten = raw > WRITTEN_MAX.into();
    let count = if unwritten { raw.saturating_sub(WRITTEN_MAX.into()) } else { raw };
    let lost = logical..logical.saturating_add(count.max(1));
    if count == 0 {
        return Err((lost, Error::corrupt(node.offset(at), "extent length", "at least 1", 0)));
    }
    let run = BlockRun { logical, physical: high << 32 | low, count, unwritten };
    map.push(run, blocks).map_err(|error| (lost, error))
}

/// Whether the checksum behind the last entry (`et_checksum`) is right.
fn checksum_ok(node: &Fields<'_>, seed: u32) -> bool {
    let Ok(room) = node.le_u16(4) else { return false };
    let tail = usize::from(room).saturating_add(1).saturating_mul(ENTRY);
    match (node.bytes(0, tail), node.le_u32(tail)) {
        (Ok(bytes), Ok(stored)) => crc32c(seed, bytes) == stored,
        _ => false,
    }
}
