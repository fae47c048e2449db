//! The ownership map of a volume: which entry holds which bytes, in layers.
//!
//! Bytes may have several owners. The first layer that holds a byte answers: content in use, then blocks
//! that are reserved but stale, then deleted files, then free space; what is left in use without an entry is
//! the file system's own metadata. Offsets are volume-relative bytes throughout.
//!
//! A run takes 32 bytes and an owner 24, so that ten million files fit into memory; names, times and
//! attributes are read again from the file system when a finding needs them.

mod build;
mod layer;
mod view;

pub use build::{Resident, index};
pub use view::View;

use crate::filesystem::EntryId;
use crate::location::State;
use layer::{Layer, Spot};
use std::ops::Range;

/// How the bytes of an owner are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Plain,
    /// As they are; bytes past the initialised size were never written by this owner.
    PartlyWritten,
    /// Encoded: the decoded stream is matched instead.
    Encoded,
}

/// A stream that holds runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Where the content ends: the stream's size, or its initialised size where that is smaller.
    pub end: u64,
    entry: EntryId,
    /// Index into the entry's streams.
    pub stream: u16,
    /// State of its content.
    pub state: State,
    /// Form of its content.
    pub form: Form,
}

impl Owner {
    /// The entry.
    pub fn entry(&self) -> EntryId {
        self.entry
    }
}

/// What part of its owner a place belongs to; logical windows never cross from one into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The stream's content.
    Content,
    /// From the end of the content to the end of its last allocation unit.
    Slack,
    /// Whole allocation units past the end.
    Beyond,
    /// One run by itself: unwritten, superseded, or past the initialised size.
    Run,
    /// Free space; logical offsets are volume offsets, and windows skip what is in use between.
    Free,
    /// In use, but by no entry.
    Bare,
}

/// Who holds a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// State of the bytes.
    pub state: State,
    /// The owner, where an entry holds them.
    pub owner: Option<Owner>,
    /// The part of the owner.
    pub zone: Zone,
    /// The volume range around the place for which all of this is true and logical offsets are contiguous.
    pub span: Range<u64>,
    /// Offset in the owner's stream of the span's first byte (the volume offset where there is no stream).
    pub logical: u64,
}

impl Hold {
    /// The entry and the index of its stream, where a stream holds the bytes.
    pub fn stream(&self) -> Option<(EntryId, u16)> {
        self.owner.map(|owner| (owner.entry(), owner.stream))
    }

    /// The logical offset of a place within the span.
    pub fn logical_at(&self, offset: u64) -> u64 {
        self.logical.saturating_add(offset.saturating_sub(self.span.start))
    }

    /// A stretch without any file system: a gap, a table, an unknown volume.
    pub fn bare(state: State, span: Range<u64>) -> Self {
        let logical = span.start;
        Self { state, owner: None, zone: Zone::Bare, span, logical }
    }
}

/// A place where a stream goes on somewhere else: the byte at `head` follows the byte before `tail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seam {
    /// Volume offset of the first byte after the seam.
    pub head: u64,
    /// Volume offset just past the last byte before it.
    pub tail: u64,
}

/// Owners of a volume's bytes.
#[derive(Debug, Default)]
pub struct OwnerMap {
    content: Layer,
    stale: Layer,
    deleted: Layer,
    owners: Vec<Owner>,
    free: Vec<Range<u64>>,
    seams: Vec<Seam>,
    block_size: u64,
    /// Where the file system ends; the rest of the volume is slack.
    end: u64,
    size: u64,
}

impl OwnerMap {
    /// Seams whose head lies in `range`, in order.
    pub fn seams(&self, range: &Range<u64>) -> &[Seam] {
        let from = self.seams.partition_point(|seam| seam.head < range.start);
        let to = self.seams.partition_point(|seam| seam.head < range.end);
        self.seams.get(from..to).unwrap_or_default()
    }

    /// Seams between neighbouring free ranges whose head lies in `range`, in order.
    pub fn free_seams(&self, range: &Range<u64>) -> impl Iterator<Item = Seam> + '_ {
        let from = self.free.partition_point(|free| free.start < range.start).max(1);
        let end = range.end;
        let pairs = self.free.get(from.saturating_sub(1)..).unwrap_or_default().windows(2);
        pairs
            .filter_map(|pair| match pair {
                [one, other] => Some(Seam { head: other.start, tail: one.end }),
                _ => None,
            })
            .take_while(move |seam| seam.head < end)
    }

    /// Streams whose first byte lies in `range` as it is and belongs to them before all others: where, how many
    /// bytes of content lie there in one piece, and the stream.
    pub fn heads(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, u64, Owner)> + '_ {
        let content = self.content.within(range).map(|run| (run, true));
        let deleted = self.deleted.within(range).map(|run| (run, false));
        content.chain(deleted).filter(|(run, _)| run.logical == 0).filter_map(|(run, in_use)| {
            let owner = self.owner(run.owner).filter(|owner| owner.form != Form::Encoded && owner.end > 0)?;
            let taken = || [&self.content, &self.stale].iter().any(|layer| layer.holds(run.start));
            (in_use || !taken()).then_some((run.start, run.length.min(owner.end), owner))
        })
    }

    /// Number of runs in all layers.
    pub fn runs(&self) -> usize {
        [&self.content, &self.stale, &self.deleted].iter().map(|layer| layer.len()).sum()
    }

    /// Who holds the byte at `offset`.
    pub fn hold(&self, offset: u64) -> Hold {
        if offset >= self.end {
            return Hold::bare(State::Slack, self.end..self.size.max(offset.saturating_add(1)));
        }
        let mut bounds = 0..self.end;
        for (layer, kind) in [
            (&self.content, LayerKind::Content),
            (&self.stale, LayerKind::Stale),
            (&self.deleted, LayerKind::Deleted),
        ] {
            match layer.find(offset) {
                Spot::Inside(run) => {
                    let span = run.start.max(bounds.start)..run.end().min(bounds.end);
                    let logical = run.logical.saturating_add(span.start.saturating_sub(run.start));
                    if let Some(owner) = self.owner(run.owner) {
                        return self.owned(kind, owner, offset, span, logical);
                    }
                }
                Spot::Between(gap) => bounds = gap.start.max(bounds.start)..gap.end.min(bounds.end),
            }
        }
        self.unowned(offset, bounds)
    }

    /// Other owners of the byte at `offset` than the first, at most `max`.
    pub fn others(&self, offset: u64, max: usize) -> Vec<Owner> {
        let layers = [&self.content, &self.stale, &self.deleted];
        let all = layers.iter().flat_map(|layer| layer.all_at(offset, max));
        all.filter_map(|run| self.owner(run.owner)).skip(1).take(max).collect()
    }

    fn owner(&self, index: u32) -> Option<Owner> {
        self.owners.get(usize::try_from(index).ok()?).copied()
    }

    /// Cuts a run's span at the end of the content and at the end of its last allocation unit.
    fn owned(&self, kind: LayerKind, owner: Owner, offset: u64, span: Range<u64>, logical: u64) -> Hold {
        if kind == LayerKind::Stale {
            return Hold { state: State::Stale, owner: Some(owner), zone: Zone::Run, span, logical };
        }
        let unit = self.block_size.max(1);
        let slack_end = owner.end.checked_next_multiple_of(unit).unwrap_or(u64::MAX);
        let here = logical.saturating_add(offset.saturating_sub(span.start));
        let (zone, state, from, to) = if here < owner.end {
            (Zone::Content, owner.state, 0, owner.end)
        } else if here < slack_end {
            let state = if owner.form == Form::PartlyWritten { State::Stale } else { State::Slack };
            (Zone::Slack, state, owner.end, slack_end)
        } else {
            (Zone::Beyond, State::Stale, slack_end, u64::MAX)
        };
        let state = match (owner.state, zone) {
            (State::Deleted | State::Journal | State::Metadata, _) => owner.state,
            _ => state,
        };
        // The logical bounds of the zone, carried over to the volume.
        let start = span.start.saturating_add(from.saturating_sub(logical));
        let end = span.end.min(span.start.saturating_add(to.saturating_sub(logical)));
        let logical = logical.max(from);
        Hold { state, owner: Some(owner), zone, span: start..end, logical }
    }

    fn unowned(&self, offset: u64, bounds: Range<u64>) -> Hold {
        let next = self.free.partition_point(|range| range.start <= offset);
        let before = next.checked_sub(1).and_then(|index| self.free.get(index));
        if let Some(range) = before.filter(|range| offset < range.end) {
            let span = range.start.max(bounds.start)..range.end.min(bounds.end);
            let logical = span.start;
            return Hold { state: State::Unallocated, owner: None, zone: Zone::Free, span, logical };
        }
        let start = before.map_or(bounds.start, |range| range.end.max(bounds.start));
        let end = self.free.get(next).map_or(bounds.end, |range| range.start.min(bounds.end));
        Hold::bare(State::Metadata, start..end)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LayerKind {
    Content,
    Stale,
    Deleted,
}
