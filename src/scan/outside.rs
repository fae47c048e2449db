//! What the container holds besides the disk: bytes of its files that no table refers to, and internal
//! snapshots. They ship with the image, and nothing inside the machine reaches them.
//!
//! Each is swept like a disk of its own, at addresses behind the disk's end, so that one sweep, one fold and
//! one assembly serve all; reports show places within the file or the snapshot instead. The bytes are counted
//! apart from the disk's.

use super::disk::Disk;
use crate::container::{RemainsKind, Residual, Snapshot};
use crate::coverage::{Coverage, Gap, GapKind};
use crate::error::Result;
use crate::io::{Backing, Extent, ReadAt, check_range};
use crate::location::State;
use crate::sweep::{Candidate, Land};
use crate::volume::{Volume, VolumeKind};
use std::collections::HashSet;
use std::sync::Arc;

/// Remains shorter than this are left out only where the container lies in too many pieces.
const LENGTH_USUAL: u64 = 32;
/// Distance between two areas, so that nothing crosses from one into the other.
const APART: u64 = 1 << 20;

/// One thing outside of the disk.
#[derive(Debug)]
pub(super) struct Area {
    /// Name of its land.
    pub(super) name: String,
    /// What is swept, from its base on; everything else in it counts as holes.
    pub(super) bytes: Arc<dyn ReadAt>,
    /// Address of its first byte.
    pub(super) base: u64,
    /// Bytes of holes that only stand for what belongs to others.
    masked: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Residual(Residual),
    Snapshot(Snapshot),
}

/// The areas of a disk, and what of them could not be had.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) areas: Vec<Area>,
    pub(super) gaps: Vec<Gap>,
}

impl Outside {
    /// What `disk`'s container holds; internal snapshots only where `snapshots` asks for them.
    pub(super) fn of(disk: &Disk, snapshots: bool) -> Self {
        let mut outside = Self::default();
        let mut base = disk.image.size();
        match disk.image.residual() {
            Ok(all) => {
                for (number, residual) in (1..).zip(all) {
                    outside.add(container_name(number), What::Residual(residual), &mut base);
                }
            }
            Err(error) => outside.gaps.push(gap("container", GapKind::Unread, error.to_string())),
        }
        if snapshots {
            for (number, snapshot) in (1..).zip(disk.image.snapshots()) {
                let name = snapshot_name(number);
                match snapshot {
                    Ok(snapshot) => outside.add(name, What::Snapshot(snapshot), &mut base),
                    Err(error) => outside.gaps.push(gap(&name, GapKind::Unread, error.to_string())),
                }
            }
        }
        outside
    }

    fn add(&mut self, name: String, what: What, base: &mut u64) {
        let start = base.checked_next_multiple_of(APART).and_then(|start| start.checked_add(APART));
        let size = what.size();
        let (Some(start), Ok(masked)) =
            (start.filter(|start| start.checked_add(size).is_some()), what.masked())
        else {
            let reason = "the place cannot be counted in 64 bits, or its tables cannot be read".to_owned();
            self.gaps.push(gap(&name, GapKind::Unread, reason));
            return;
        };
        *base = start.saturating_add(size);
        if let What::Residual(residual) = &what
            && residual.length_min > LENGTH_USUAL
        {
            let length = residual.length_min;
            let reason = format!(
                "remains shorter than {length} bytes were left out: the file lies in too many pieces"
            );
            self.gaps.push(gap(&name, GapKind::Limited, reason));
        }
        let bytes = Arc::new(Shifted { inner: what.swept(), base: start });
        self.areas.push(Area { name, bytes, base: start, masked, what });
    }

    /// The areas as the sweep takes them.
    pub(super) fn lands(&self) -> impl Iterator<Item = Land> + '_ {
        self.areas.iter().map(|area| {
            let range = area.base..area.bytes.size();
            Land {
                volume: Volume::contiguous(area.name.clone(), VolumeKind::Gap, range),
                reader: area.what.reader(),
                filesystem: None,
                map: None,
                state: Some(State::Container),
                outside: true,
                opened: Vec::new(),
            }
        })
    }

    /// Drops candidates of remains that a snapshot shows at the same byte of the file. `first` is the index of
    /// the first area's land.
    pub(super) fn drop_twins(&self, candidates: &mut Vec<Candidate>, first: usize) {
        let area = |candidate: &Candidate| self.areas.get(candidate.land.checked_sub(first)?);
        let host = |candidate: &Candidate| {
            let area = area(candidate)?;
            area.what.host(candidate.disk_offset?.checked_sub(area.base)?)
        };
        let is_snapshot =
            |candidate: &Candidate| matches!(area(candidate), Some(Area { what: What::Snapshot(_), .. }));
        let shown: HashSet<(usize, u64)> = candidates
            .iter()
            .filter(|candidate| is_snapshot(candidate))
            .filter_map(|candidate| Some((candidate.rule, host(candidate)?)))
            .collect();
        if shown.is_empty() {
            return;
        }
        candidates.retain(|candidate| {
            let is_remains = area(candidate).is_some() && !is_snapshot(candidate);
            !(is_remains && host(candidate).is_some_and(|host| shown.contains(&(candidate.rule, host))))
        });
    }

    /// The area called `name`, and facts about byte `offset` of it.
    pub(super) fn describe(&self, name: &str, offset: u64) -> Option<Described> {
        let area = self.areas.iter().find(|area| area.name == name)?;
        Some(area.what.describe(offset))
    }
}

/// What a finding outside of the disk says.
#[derive(Debug)]
pub(super) struct Described {
    /// A fact for the report.
    pub(super) evidence: String,
    /// What is to be done about the place.
    pub(super) remedy: String,
    /// Where the byte lies in the outermost file, where it lies there as it is.
    pub(super) host: Option<u64>,
}

impl Area {
    /// The sweep's counts without what only stands for others' bytes.
    pub(super) fn counted(&self, swept: Coverage) -> Coverage {
        Coverage {
            size: swept.size.saturating_sub(self.masked),
            blank: swept.blank.saturating_sub(self.masked),
            ..swept
        }
    }
}

impl What {
    fn size(&self) -> u64 {
        match self {
            Self::Residual(residual) => residual.file.size(),
            Self::Snapshot(snapshot) => snapshot.unshown.size(),
        }
    }

    /// The whole of it, for windows around a hit.
    fn reader(&self) -> Arc<dyn ReadAt> {
        match self {
            Self::Residual(_) => self.swept(),
            Self::Snapshot(snapshot) => Arc::clone(&snapshot.disk),
        }
    }

    fn swept(&self) -> Arc<dyn ReadAt> {
        match self {
            Self::Residual(residual) => remaining(residual.clone()),
            Self::Snapshot(snapshot) => Arc::clone(&snapshot.unshown),
        }
    }

    /// Bytes that belong to the disk, to tables or to another state.
    fn masked(&self) -> Result<u64> {
        match self {
            Self::Residual(residual) => {
                let remains = residual.remains.iter();
                let kept = remains.map(|remains| remains.range.end.saturating_sub(remains.range.start));
                Ok(residual.file.size().saturating_sub(kept.fold(0, u64::saturating_add)))
            }
            Self::Snapshot(snapshot) => holes(snapshot.unshown.as_ref()),
        }
    }

    /// Where a byte lies in the container's own file.
    fn host(&self, offset: u64) -> Option<u64> {
        match self {
            Self::Residual(residual) => stored(residual.file.as_ref(), offset),
            Self::Snapshot(snapshot) => stored(snapshot.disk.as_ref(), offset),
        }
    }

    fn describe(&self, offset: u64) -> Described {
        match self {
            Self::Residual(residual) => {
                let next = residual.remains.partition_point(|remains| remains.range.end <= offset);
                let kind =
                    residual.remains.get(next).map_or(RemainsKind::Unreferenced, |remains| remains.kind);
                Described {
                    evidence: format!("{}, at byte {offset} of the container's file", kind.name()),
                    remedy: kind.remedy(residual.rewrite),
                    host: self.host(offset),
                }
            }
            Self::Snapshot(snapshot) => Described {
                evidence: format!(
                    "byte {offset} of the disk as the internal snapshot {} has it",
                    snapshot.name
                ),
                remedy: RemainsKind::Snapshot.remedy("qemu-img convert OLD NEW"),
                host: self.host(offset),
            },
        }
    }
}

/// Name of the container's file `number`, from 1 on.
pub(super) fn container_name(number: usize) -> String {
    if number == 1 { "container".to_owned() } else { format!("container:{number}") }
}

/// Name of internal snapshot `number`, from 1 on.
pub(super) fn snapshot_name(number: usize) -> String {
    format!("snapshot:{number}")
}

fn gap(volume: &str, kind: GapKind, reason: String) -> Gap {
    Gap { kind, volume: volume.to_owned(), disk_offset: None, length: None, path: None, reason }
}

fn stored(bytes: &dyn ReadAt, offset: u64) -> Option<u64> {
    match bytes.map(offset, 1).ok()?.backing {
        Backing::Stored { host } => Some(host),
        _ => None,
    }
}

/// Bytes that are holes.
///
/// # Errors
/// When the source cannot say.
pub(super) fn holes(bytes: &dyn ReadAt) -> Result<u64> {
    let (mut at, mut holes) = (0, 0u64);
    while at < bytes.size() {
        let extent = bytes.map(at, bytes.size().saturating_sub(at))?;
        let length = extent.length.max(1);
        if extent.backing == Backing::Hole {
            holes = holes.saturating_add(length);
        }
        at = at.saturating_add(length);
    }
    Ok(holes)
}

/// The file of `residual`, with holes in place of everything but the remains.
pub(super) fn remaining(residual: Residual) -> Arc<dyn ReadAt> {
    Arc::new(Remaining { residual })
}

/// A file of which only the remains count; the rest is holes.
#[derive(Debug)]
struct Remaining {
    residual: Residual,
}

impl Remaining {
    /// How many bytes from `offset` on remain, or do not.
    fn step(&self, offset: u64, max: u64) -> (u64, bool) {
        let remains = &self.residual.remains;
        let next = remains.partition_point(|remains| remains.range.end <= offset);
        match remains.get(next).map(|remains| &remains.range) {
            Some(range) if range.start <= offset => (range.end.saturating_sub(offset).min(max), true),
            Some(range) => (range.start.saturating_sub(offset).min(max), false),
            None => (max, false),
        }
    }
}

impl ReadAt for Remaining {
    fn size(&self) -> u64 {
        self.residual.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size(), offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let (length, remains) = self.step(at, u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let step = usize::try_from(length.max(1)).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(step);
            if remains {
                self.residual.file.read_at(at, now)?
            } else {
                now.fill(0)
            }
            at = at.saturating_add(length.max(1));
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size(), offset, 1)?;
        match self.step(offset, max.min(self.size().saturating_sub(offset)).max(1)) {
            (length, true) => self.residual.file.map(offset, length),
            (length, false) => Ok(Extent { length, backing: Backing::Hole }),
        }
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        let (length, remains) = self.step(offset, max);
        if remains { self.residual.file.slice(offset, length) } else { None }
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.residual.file.faulted(offset, length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.residual.file.release(offset, length);
    }
}

/// Bytes whose offsets count from `base` on.
#[derive(Debug)]
pub(super) struct Shifted {
    inner: Arc<dyn ReadAt>,
    base: u64,
}

impl Shifted {
    /// `inner`, whose first byte gets the address `base`.
    pub(super) fn new(inner: Arc<dyn ReadAt>, base: u64) -> Self {
        Self { inner, base }
    }

    fn inside(&self, offset: u64, length: u64) -> Result<u64> {
        check_range(self.size(), offset, length)?;
        offset.checked_sub(self.base).ok_or_else(|| {
            crate::error::Error::truncated("bytes outside of the disk", offset, length, self.base)
        })
    }
}

impl ReadAt for Shifted {
    fn size(&self) -> u64 {
        self.base.saturating_add(self.inner.size())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let inside = self.inside(offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        self.inner.read_at(inside, buffer)
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        self.inner.map(self.inside(offset, 1)?, max)
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        self.inner.slice(offset.checked_sub(self.base)?, max)
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        self.inner.faulted(offset.saturating_sub(self.base), length)
    }

    fn release(&self, offset: u64, length: u64) {
        self.inner.release(offset.saturating_sub(self.base), length);
    }
}
