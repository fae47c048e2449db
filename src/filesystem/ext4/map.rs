//! Which blocks hold an inode's content: what extent trees and indirect blocks come to.

use super::blocks::Blocks;
use crate::error::{Error, Kind, Result};
use std::ops::Range;

/// Blocks of the content that lie together on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockRun {
    /// First block in the content.
    pub(super) logical: u64,
    /// First block on the volume.
    pub(super) physical: u64,
    /// Number of blocks.
    pub(super) count: u64,
    /// Whether the blocks are only reserved: they read as zeros.
    pub(super) unwritten: bool,
}

/// A part of a map that could not be read.
#[derive(Debug)]
pub(super) struct Damage {
    /// The blocks of the content that it concerns.
    pub(super) blocks: Range<u64>,
    /// What is wrong.
    pub(super) error: Error,
}

/// A block of the map itself.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it lies.
    pub(super) block: u64,
    /// The blocks of the content that it speaks of.
    pub(super) covers: Range<u64>,
    /// Whether its checksum is right; true where it has none.
    pub(super) sound: bool,
}

/// Where an inode's content lies.
#[derive(Debug, Default)]
pub(super) struct BlockMap {
    /// Ascending by logical block, without overlaps.
    pub(super) runs: Vec<BlockRun>,
    /// What is missing from the runs.
    pub(super) damage: Vec<Damage>,
    /// Blocks of the map itself (extent tree, indirect blocks).
    pub(super) nodes: Vec<Node>,
    mapped: u64,
}

impl BlockMap {
    /// A map of these runs, which are in order and within the file system.
    pub(super) fn of(runs: Vec<BlockRun>) -> Self {
        Self { runs, ..Self::default() }
    }

    /// Adds a run, joined to the last one where it continues it.
    ///
    /// # Errors
    /// Where it lies outside of the file system, starts before the end of the last run, or where the map
    /// comes to more blocks than the file system has.
    pub(super) fn push(&mut self, run: BlockRun, blocks: &Blocks) -> Result<()> {
        blocks.offset(run.physical, run.count)?;
        let end = self.end();
        if run.logical < end {
            let place = blocks.to_bytes(run.physical);
            return Err(Error::corrupt(place, "logical block", format!("at least {end}"), run.logical));
        }
        self.mapped = self.mapped.saturating_add(run.count);
        if self.mapped > blocks.count() {
            let found = format!("more than {} blocks", blocks.count());
            return Err(Error::new(Kind::LimitExceeded, format!("block map: it comes to {found}")));
        }
        if let Some(last) = self.runs.last_mut() {
            let joins = last.physical.saturating_add(last.count) == run.physical
                && last.logical.saturating_add(last.count) == run.logical
                && last.unwritten == run.unwritten;
            if joins {
                last.count = last.count.saturating_add(run.count);
                return Ok(());
            }
        }
        self.runs.push(run);
        Ok(())
    }

    /// The block behind the last one that is mapped.
    pub(super) fn end(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.logical.saturating_add(last.count))
    }

    /// Adds a block of the map itself.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] where the map has more of them than the file system has blocks.
    pub(super) fn add_node(&mut self, node: Node, blocks: &Blocks) -> Result<()> {
        self.nodes.push(node);
        if u64::try_from(self.nodes.len()).unwrap_or(u64::MAX) > blocks.count() {
            let text = "block map: it has more blocks of its own than the file system has";
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        Ok(())
    }

    /// Nodes whose checksum is wrong.
    pub(super) fn wrong_checksums(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(u64::from(!node.sound)))
    }

    /// Notes that a part of the map is lost.
    pub(super) fn lose(&mut self, blocks: Range<u64>, error: Error) {
        self.damage.push(Damage { blocks, error });
    }

    /// The volume's block that holds block `logical` of the content.
    pub(super) fn physical(&self, logical: u64) -> Option<u64> {
        let next = self.runs.partition_point(|run| run.logical <= logical);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let inside = logical.saturating_sub(run.logical);
        (inside < run.count && !run.unwritten).then(|| run.physical.saturating_add(inside))
    }
}

/// Blocks that may still be read for maps and directories. In a sound file system no such block belongs to
/// two inodes, so that a walk reads no more of them than there are blocks; in a hostile one, an unlimited
/// number of inodes can share a large map.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Budget {
    /// Room for all blocks of the file system `times` over.
    pub(super) fn new(blocks: &Blocks, times: u64) -> Self {
        Self(blocks.count().saturating_mul(times).saturating_add(1024))
    }

    /// Takes `blocks` from what is left.
    ///
    /// # Errors
    /// [`Kind::LimitExceeded`] when nothing is left.
    pub(super) fn spend(&mut self, blocks: u64) -> Result<()> {
        self.0 = self.0.checked_sub(blocks).ok_or_else(|| {
            Error::new(Kind::LimitExceeded, "block maps and directories share more blocks than there are")
        })?;
        Ok(())
    }
}
