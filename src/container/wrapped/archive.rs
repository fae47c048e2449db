//! Plain archives, read in place: the member is mapped where it lies.

use super::tar::{self, Forward, Member};
use super::{Unwrapped, looks_like_disk, open_inner};
use crate::container::residual::Used;
use crate::container::sparse::{Layout, Piece, Place, Sparse};
use crate::container::{Facts, Image, OpenOptions, RemainsKind, Residual};
use crate::error::{Error, Kind, Result};
use crate::io::{ReadAt, Window, check_range};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a member that are looked at.
pub(super) const SAMPLE: usize = 64 << 10;
/// Members that are remembered at most.
const MEMBERS_MAX: usize = 10_000;

pub(super) fn probe(source: &dyn ReadAt, _options: &OpenOptions) -> bool {
    let mut block = [0; 512];
    source.read_at(0, &mut block).is_ok() && tar::is_header(&block)
}

/// A member and where its data lies.
struct Found {
    member: Member,
    at: u64,
    disk: bool,
}

pub(super) fn open(source: &Arc<dyn ReadAt>, options: &OpenOptions) -> Result<Arc<dyn Image>> {
    let mut notes = Vec::new();
    let members = members(source, &mut notes)?;
    let disks: Vec<_> = members.iter().filter(|found| found.disk).collect();
    // Without a disk that can be told by its start, the largest member is taken for one.
    let chosen = match disks.get(options.disk) {
        Some(found) => Some(*found),
        None if disks.is_empty() && options.disk == 0 => members.iter().max_by_key(|f| f.member.size),
        None => None,
    };
    let chosen = chosen.ok_or_else(|| {
        let message = format!("the archive has {} disks among {} files", disks.len(), members.len());
        Error::new(Kind::NotFound, message)
    })?;
    let inner = open_inner(content(source, chosen)?, options)
        .map_err(|error| error.context(format!("member {}", chosen.member.name)))?;
    notes.push(format!("the disk is the member {}", chosen.member.name));
    let others = disks.iter().filter(|found| found.at != chosen.at);
    let unread = others.map(|found| format!("a further disk in the archive: {}", found.member.name));
    let mut facts = Facts { stored_size: source.size(), ..inner.facts().clone() };
    facts.wrapping.insert(0, "tar".to_owned());
    facts.notes.extend(notes);
    facts.unread.extend(unread);
    let beside = beside(source, chosen)?;
    Ok(Arc::new(Unwrapped { inner, facts, decoded_from: None, beside }))
}

/// Everything in the archive but the disk: descriptors, manifests, further disks, what follows the archive's
/// end.
fn beside(source: &Arc<dyn ReadAt>, disk: &Found) -> Result<Option<Residual>> {
    let mut used = Used::new(1);
    used.add(0, disk.at, disk.member.stored)?;
    let mut rest = used.rest(std::slice::from_ref(source), Vec::new(), "");
    for remains in rest.iter_mut().flat_map(|residual| &mut residual.remains) {
        remains.kind = RemainsKind::Beside;
    }
    Ok(rest.pop())
}

/// All regular members; damage ends the list and is noted, as long as there is one.
fn members(source: &Arc<dyn ReadAt>, notes: &mut Vec<String>) -> Result<Vec<Found>> {
    let mut reader = Cursor { source: Arc::clone(source), position: 0 };
    let mut found: Vec<Found> = Vec::new();
    loop {
        let member = match tar::next_member(&mut reader) {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(found),
            Err(error) if found.is_empty() => return Err(error),
            Err(error) => {
                notes.push(format!("the archive cannot be read to its end: {error}"));
                return Ok(found);
            }
        };
        if found.len() >= MEMBERS_MAX {
            return Err(Error::new(Kind::LimitExceeded, format!("more than {MEMBERS_MAX} members")));
        }
        let at = reader.position;
        let disk = member.pieces.is_some() || looks_like_disk(&sample(source.as_ref(), at, member.stored));
        let end = at.saturating_add(member.stored).saturating_add(tar::padding(member.stored));
        reader.position = end.min(source.size());
        found.push(Found { member, at, disk });
    }
}

/// The first bytes of a member.
fn sample(source: &dyn ReadAt, at: u64, length: u64) -> Vec<u8> {
    let length = length.min(source.size().saturating_sub(at));
    let mut start = vec![0; usize::try_from(length).unwrap_or(SAMPLE).min(SAMPLE)];
    if source.read_at(at, &mut start).is_err() {
        start.clear();
    }
    start
}

/// The member's content as a source.
fn content(source: &Arc<dyn ReadAt>, found: &Found) -> Result<Arc<dyn ReadAt>> {
    let whole = check_range(source.size(), found.at, found.member.stored).is_ok();
    if found.member.pieces.is_none() && whole {
        return Ok(Arc::new(Window::new(Arc::clone(source), found.at, found.member.stored)?));
    }
    let layout = Pieces::new(&found.member, found.at);
    Ok(Arc::new(Sparse::new(layout, vec![Arc::clone(source)], None, Facts::default())))
}

/// A member whose stored pieces lie behind each other in the archive, or whose end is cut off.
#[derive(Debug)]
struct Pieces {
    size: u64,
    /// Ranges of the member, with the place of each.
    list: Vec<(Range<u64>, u64)>,
}

impl Pieces {
    fn new(member: &Member, mut at: u64) -> Self {
        let whole = 0..member.size;
        let pieces = member.pieces.as_deref().unwrap_or(std::slice::from_ref(&whole));
        let placed = pieces.iter().map(|piece| {
            let place = at;
            at = at.saturating_add(piece.end.saturating_sub(piece.start));
            (piece.clone(), place)
        });
        Self { size: member.size, list: placed.collect() }
    }
}

impl Layout for Pieces {
    fn size(&self) -> u64 {
        self.size
    }

    fn locate(&self, offset: u64) -> Piece {
        let next = self.list.partition_point(|(range, _)| range.end <= offset);
        match self.list.get(next) {
            Some((range, at)) if range.start <= offset => {
                let at = at.saturating_add(offset.saturating_sub(range.start));
                Piece { length: range.end.saturating_sub(offset), place: Place::Stored { file: 0, at } }
            }
            Some((range, _)) => Piece { length: range.start.saturating_sub(offset), place: Place::Hole },
            None => Piece { length: self.size.saturating_sub(offset), place: Place::Hole },
        }
    }
}

/// A place in a source.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) source: Arc<dyn ReadAt>,
    pub(super) position: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.size().saturating_sub(self.position);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..length).filter(|part| !part.is_empty()) else { return Ok(0) };
        self.source.read_at(self.position, part).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(u64::try_from(length).unwrap_or(0));
        Ok(length)
    }
}

impl Forward for Cursor {
    fn skip(&mut self, length: u64) -> io::Result<()> {
        let end = self.position.checked_add(length).filter(|&end| end <= self.source.size());
        self.position = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }
}
