//! Virtual disks whose bytes lie in units that tables point to.
//!
//! A format says where one unit lies ([`Layout`]); everything else is the same for all of them: coalescing,
//! zero-copy slices, decoding through a cache, bytes that a parent holds, and bytes that cannot be had.

use super::cache::{CACHE_BYTES, Cache};
use super::codec::{Codec, check_adler};
use super::residual::Used;
use super::unshown::Unshown;
use super::{Facts, Image, RemainsKind, Residual, Snapshot};
use crate::error::{Error, Kind, Result};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Units that one call of `map` joins at most; a caller that wants more asks again.
const UNITS_MAX: usize = 4096;

thread_local! {
    /// The stored form of the unit that is being decoded.
    static STORED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where a piece of the disk lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As it is, from byte `at` of the file number `file` on.
    Stored { file: usize, at: u64 },
    /// Compressed as part of the guest range `unit`, in at most `length` bytes from `at` on.
    Encoded { file: usize, at: u64, length: u64, unit: Range<u64>, codec: Codec },
    /// Nowhere: zeros by promise of the format.
    Hole,
    /// In the parent, or zeros where the parent is shorter.
    Parent,
    /// Not to be had.
    Missing { kind: Kind, reason: Arc<str> },
}

/// A stretch of the disk in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Length in bytes, at least 1; it may pass the disk's end.
    pub(super) length: u64,
    /// Where it lies.
    pub(super) place: Place,
}

impl Piece {
    /// A piece that cannot be had because of `error`.
    pub(super) fn missing(length: u64, error: &Error) -> Self {
        let reason = error.to_string().into();
        Self { length, place: Place::Missing { kind: error.kind(), reason } }
    }
}

/// An older state that the container keeps.
pub(super) struct OlderState<L> {
    /// Its name, escaped.
    pub(super) name: String,
    /// Its tables.
    pub(super) layout: L,
    /// The tables of states that show some of its units, too.
    pub(super) shown: Vec<L>,
}

/// The tables of a format.
pub(super) trait Layout: Send + Sync + fmt::Debug {
    /// Size of the disk in bytes.
    fn size(&self) -> u64;

    /// Where the byte at `offset` (below [`size`](Self::size)) and its neighbours behind it lie: the rest
    /// of one unit, or more where that is cheap.
    fn locate(&self, offset: u64) -> Piece;

    /// Adds what the format itself takes up in its files: headers, tables, bitmaps. `false` where the format
    /// does not tell, so that nothing can be said about the rest.
    fn add_metadata(&self, used: &mut Used) -> Result<bool> {
        let _ = used;
        Ok(false)
    }

    /// Largest size in bytes of a unit that is decoded.
    fn unit_max(&self) -> usize {
        2 << 20
    }

    /// Bytes at the end of a compressed unit's length that may lie past its data.
    fn tail(&self) -> u64 {
        0
    }

    /// What else refers to the files, by kind.
    fn marks(&self) -> Result<Vec<(RemainsKind, Used)>> {
        Ok(Vec::new())
    }

    /// Older states, or why one cannot be read.
    fn older_states(&self) -> Vec<Result<OlderState<Self>>>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// How to make a file of this format that holds nothing but the disk.
    fn rewrite(&self) -> &'static str {
        "qemu-img convert"
    }
}

/// Reads `buffer` from a table: out of the mapping where there is one, which costs no system call.
pub(super) fn peek(file: &dyn ReadAt, at: u64, buffer: &mut [u8]) -> Result<()> {
    let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
    if let Some(bytes) = file.slice(at, length).filter(|bytes| bytes.len() == buffer.len()) {
        buffer.copy_from_slice(bytes);
        if !file.faulted(at, length) {
            return Ok(());
        }
    }
    file.read_at(at, buffer)
}

/// A disk read through its tables.
#[derive(Debug)]
pub(super) struct Sparse<L> {
    layout: L,
    files: Vec<Arc<dyn ReadAt>>,
    parent: Option<Arc<dyn Image>>,
    facts: Facts,
    cache: Cache,
}

impl<L: Layout> Sparse<L> {
    /// The disk that `layout` describes, in `files`, over `parent`.
    pub(super) fn new(
        layout: L,
        files: Vec<Arc<dyn ReadAt>>,
        parent: Option<Arc<dyn Image>>,
        facts: Facts,
    ) -> Self {
        let cache = Cache::new(CACHE_BYTES, layout.unit_max());
        Self { layout, files, parent, facts, cache }
    }

    fn file(&self, number: usize) -> Result<&Arc<dyn ReadAt>> {
        self.files.get(number).ok_or_else(|| Error::new(Kind::Corrupt, format!("no file number {number}")))
    }

    /// One unit at `offset`, clipped to `max`, to the disk and to what its file really holds.
    pub(super) fn piece(&self, offset: u64, max: u64) -> Piece {
        let max = max.min(self.layout.size().saturating_sub(offset)).max(1);
        let mut piece = self.layout.locate(offset);
        piece.length = piece.length.clamp(1, max);
        match piece.place {
            Place::Stored { file, at } | Place::Encoded { file, at, .. } => {
                let size = self.files.get(file).map_or(0, |file| file.size());
                let held = size.saturating_sub(at);
                if held == 0 {
                    let error = Error::truncated("stored data", at, piece.length, size);
                    return Piece::missing(piece.length, &error);
                }
                if matches!(piece.place, Place::Stored { .. }) {
                    piece.length = piece.length.min(held);
                }
                piece
            }
            Place::Parent if self.parent.is_none() => {
                let name = self.facts.parent.as_deref().unwrap_or("without a name");
                let error = Error::new(Kind::MissingParent, format!("only the parent {name} holds these"));
                Piece::missing(piece.length, &error)
            }
            _ => piece,
        }
    }

    /// Units from `offset` on that lie behind each other, as one piece of at most `max` bytes.
    fn run(&self, offset: u64, max: u64) -> Piece {
        let max = max.min(self.layout.size().saturating_sub(offset)).max(1);
        let mut run = self.piece(offset, max);
        for _ in 0..UNITS_MAX {
            let left = max.saturating_sub(run.length);
            if left == 0 || matches!(run.place, Place::Encoded { .. }) {
                break;
            }
            let next = self.piece(offset.saturating_add(run.length), left);
            if !follows(&run, &next.place) {
                break;
            }
            run.length = run.length.saturating_add(next.length);
        }
        run
    }

    fn unit(&self, place: &Place) -> Result<Arc<Vec<u8>>> {
        let Place::Encoded { unit, .. } = place else {
            return Err(Error::new(Kind::Corrupt, "not a compressed unit"));
        };
        if let Some(bytes) = self.cache.get(unit.start) {
            return Ok(bytes);
        }
        let length = usize::try_from(unit.end.saturating_sub(unit.start)).unwrap_or(usize::MAX);
        let mut bytes = self.cache.spare(unit.start);
        bytes.resize(length, 0);
        self.decode(place, &mut bytes)?;
        let bytes = Arc::new(bytes);
        self.cache.insert(unit.start, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn decode(&self, place: &Place, unit: &mut [u8]) -> Result<()> {
        let Place::Encoded { file, at, length, codec, .. } = place else {
            return Err(Error::new(Kind::Corrupt, "not a compressed unit"));
        };
        let file = self.file(*file)?;
        // Formats round the stored length up to sectors: the file may end within the last one.
        let length = file.size().saturating_sub(*at).min(*length);
        if *codec == Codec::Adler && u64::try_from(unit.len().saturating_add(4)) == Ok(length) {
            // Stored as it is: no detour over other memory.
            let mut checksum = [0; 4];
            file.read_at(*at, unit)?;
            file.read_at(at.saturating_add(length).saturating_sub(4), &mut checksum)?;
            return check_adler(unit, checksum).map_err(|error| error.at(*at));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // Copied out of the file: pages of a mapping would stay with the process, and a copy costs far less than
        // decoding.
        STORED.with_borrow_mut(|stored| {
            stored.resize(length, 0);
            file.read_at(*at, stored)?;
            codec.decode(stored, unit).map_err(|error| error.at(*at))
        })
    }

    /// Fills `buffer` with the bytes of `place`, which starts at guest offset `offset`.
    fn read_piece(&self, offset: u64, place: &Place, buffer: &mut [u8]) -> Result<()> {
        match place {
            Place::Stored { file, at } => self.file(*file)?.read_at(*at, buffer),
            Place::Encoded { unit, .. } => {
                let whole = u64::try_from(buffer.len()) == Ok(unit.end.saturating_sub(unit.start));
                if unit.start == offset && whole {
                    return self.read_unit(place, unit.start, buffer);
                }
                let bytes = self.unit(place)?;
                let start = usize::try_from(offset.saturating_sub(unit.start)).unwrap_or(usize::MAX);
                let part = start.checked_add(buffer.len()).and_then(|end| bytes.get(start..end));
                let error = || Error::truncated("compressed unit", offset, unit.start, unit.end);
                buffer.copy_from_slice(part.ok_or_else(error)?);
                Ok(())
            }
            Place::Hole => {
                buffer.fill(0);
                Ok(())
            }
            Place::Parent => {
                let Some(parent) = &self.parent else {
                    return Err(Error::new(Kind::MissingParent, "no parent"));
                };
                let held = parent.size().saturating_sub(offset);
                let held = usize::try_from(held).unwrap_or(usize::MAX).min(buffer.len());
                let (inside, behind) = buffer.split_at_mut(held);
                behind.fill(0);
                if inside.is_empty() { Ok(()) } else { parent.read_at(offset, inside) }
            }
            Place::Missing { kind, reason } => Err(Error::new(*kind, reason.as_ref()).at(offset)),
        }
    }

    /// Decodes a unit straight to where it is wanted, unless it is there already; windows around what is found
    /// in it will ask for parts of it.
    fn read_unit(&self, place: &Place, start: u64, buffer: &mut [u8]) -> Result<()> {
        if let Some(bytes) = self.cache.glance(start).filter(|bytes| bytes.len() == buffer.len()) {
            buffer.copy_from_slice(&bytes);
            return Ok(());
        }
        self.decode(place, buffer)?;
        if !matches!(place, Place::Encoded { codec: Codec::Adler, .. }) {
            self.cache.insert_copy(start, buffer);
        }
        Ok(())
    }

    /// Calls `visit` with each stored range behind a guest range; compressed units that lie near each other are
    /// one range.
    fn for_stored(&self, offset: u64, length: u64, visit: &mut dyn FnMut(&dyn ReadAt, u64, u64)) {
        /// Less than this lies between compressed units that were written one after the other.
        const NEAR: u64 = 4096;
        let end = offset.saturating_add(length).min(self.layout.size());
        let mut packed: Option<(usize, Range<u64>)> = None;
        let visit_packed = |packed: Option<(usize, Range<u64>)>,
                            visit: &mut dyn FnMut(&dyn ReadAt, u64, u64)| {
            if let Some((number, range)) = packed
                && let Some(file) = self.files.get(number)
            {
                visit(file.as_ref(), range.start, range.end.saturating_sub(range.start));
            }
        };
        let mut at = offset;
        while at < end {
            let run = self.run(at, end.saturating_sub(at));
            match run.place {
                Place::Stored { file, at: host } => {
                    if let Some(file) = self.files.get(file) {
                        visit(file.as_ref(), host, run.length);
                    }
                }
                Place::Parent => {
                    if let Some(parent) = &self.parent {
                        visit(parent.as_ref(), at, run.length);
                    }
                }
                Place::Encoded { file, at: host, length, .. } => {
                    let host_end = host.saturating_add(length);
                    match &mut packed {
                        Some((last, range)) if *last == file && host.abs_diff(range.end) < NEAR => {
                            range.end = range.end.max(host_end);
                        }
                        _ => visit_packed(packed.replace((file, host..host_end)), visit),
                    }
                }
                _ => {}
            }
            at = at.saturating_add(run.length);
        }
        visit_packed(packed, visit);
    }
}

/// Whether `next` continues `run`. Gaps are joined by their kind and keep the first one's reason.
fn follows(run: &Piece, next: &Place) -> bool {
    match (&run.place, next) {
        (Place::Stored { file, at }, Place::Stored { file: next_file, at: next_at }) => {
            file == next_file && at.checked_add(run.length) == Some(*next_at)
        }
        (Place::Missing { kind, .. }, Place::Missing { kind: next, .. }) => kind == next,
        (Place::Hole, Place::Hole) | (Place::Parent, Place::Parent) => true,
        _ => false,
    }
}

impl<L: Layout + 'static> Image for Sparse<L> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sources(&self) -> Vec<Arc<dyn ReadAt>> {
        let parents = self.parent.iter().flat_map(|parent| parent.sources());
        self.files.iter().cloned().chain(parents).collect()
    }

    fn residual(&self) -> Result<Vec<Residual>> {
        let mut used = Used::new(self.files.len());
        if !self.layout.add_metadata(&mut used)? {
            return Ok(Vec::new());
        }
        let mut at = 0;
        while at < self.layout.size() {
            let run = self.run(at, u64::MAX);
            match run.place {
                Place::Stored { file, at } => used.add(file, at, run.length)?,
                Place::Encoded { file, at, length, .. } => {
                    used.add_encoded(file, at, length, self.layout.tail())?;
                }
                Place::Hole | Place::Parent | Place::Missing { .. } => {}
            }
            at = at.saturating_add(run.length);
        }
        Ok(used.rest(&self.files, self.layout.marks()?, self.layout.rewrite()))
    }

    fn snapshots(&self) -> Vec<Result<Snapshot>> {
        let snapshot = |state: OlderState<L>| {
            let facts = Facts { parent: self.facts.parent.clone(), ..Facts::default() };
            let disk = Arc::new(Self::new(state.layout, self.files.clone(), self.parent.clone(), facts));
            let unshown = Arc::new(Unshown::new(Arc::clone(&disk), state.shown));
            Snapshot { name: state.name, disk, unshown }
        };
        self.layout.older_states().into_iter().map(|state| state.map(snapshot)).collect()
    }
}

impl<L: Layout> ReadAt for Sparse<L> {
    fn size(&self) -> u64 {
        self.layout.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        check_range(self.layout.size(), offset, length)?;
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let piece = self.run(at, u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let step = usize::try_from(piece.length).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(step);
            self.read_piece(at, &piece.place, now)?;
            at = at.saturating_add(piece.length);
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.layout.size(), offset, 1)?;
        let run = self.run(offset, max);
        let length = run.length;
        let backing = match run.place {
            // The file may be sparse itself, or lie within another one.
            Place::Stored { file, at } => return self.file(file)?.map(at, length),
            Place::Encoded { file, at, length: stored, .. } => {
                let file = self.file(file)?;
                let host_length = file.size().saturating_sub(at).min(stored);
                match file.map(at, 1)?.backing {
                    Backing::Stored { host } => Backing::Encoded { host, host_length },
                    _ => Backing::Encoded { host: at, host_length },
                }
            }
            Place::Hole => Backing::Hole,
            Place::Parent => match &self.parent {
                Some(parent) if offset < parent.size() => return parent.map(offset, length),
                _ => Backing::Hole,
            },
            Place::Missing { reason, .. } => Backing::Missing { reason },
        };
        Ok(Extent { length, backing })
    }

    fn slice(&self, offset: u64, max: u64) -> Option<&[u8]> {
        if offset >= self.layout.size() || max == 0 {
            return None;
        }
        let run = self.run(offset, max);
        match run.place {
            Place::Stored { file, at } => self.files.get(file)?.slice(at, run.length),
            Place::Parent => self.parent.as_ref()?.slice(offset, run.length),
            _ => None,
        }
    }

    fn faulted(&self, offset: u64, length: u64) -> bool {
        let mut faulted = false;
        self.for_stored(offset, length, &mut |file, at, length| faulted |= file.faulted(at, length));
        faulted
    }

    fn release(&self, offset: u64, length: u64) {
        self.for_stored(offset, length, &mut |file, at, length| file.release(at, length));
    }
}
