//! One unit of the sweep: a range of the disk, read piece by piece, with the seams that fall into it.

use super::Encoded;
use super::ahead::{Ahead, search};
use super::blank;
use super::carve;
use super::coded;
use super::confirm::{Bench, Tools, to_u64, to_usize};
use super::escaped;
use super::inner::is_decoded;
use crate::content::{self, HEAD};
use crate::coverage::Coverage;
use crate::error::Error;
use crate::io::{Backing, Extent, ReadAt, is_zero};
use crate::location::State;
use std::ops::Range;

/// Bytes read at a time where the disk is not memory-mapped.
const READ: u64 = 1 << 20;
/// Granularity in which an unreadable range is narrowed down.
const SECTOR: u64 = 4096;
/// How far to skip where the container cannot say what lies there.
const UNMAPPED_STEP: u64 = 64 << 10;

/// Bytes that go through all searches before the next ones do: they are still near the processor then.
const PART: usize = 64 << 10;

/// `range` in parts of [`PART`] bytes.
fn parts(range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = range.end;
    range.clone().step_by(PART).map(move |start| start..start.saturating_add(PART).min(end))
}

/// A range that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) disk: Range<u64>,
    pub(super) reason: String,
    /// The same for each part of a range that fails as a whole: the reason without the place.
    pub(super) cause: String,
}

impl Unread {
    /// A range that cannot be had for a reason that names no place.
    pub(super) fn missing(disk: Range<u64>, reason: &str) -> Self {
        Self { disk, reason: reason.to_owned(), cause: reason.to_owned() }
    }

    /// A range in which reading fails.
    fn failed(disk: Range<u64>, error: &Error) -> Self {
        Self { disk, reason: error.to_string(), cause: format!("{error:#}") }
    }

    /// The part of it in `disk`.
    pub(super) fn part(&self, disk: Range<u64>) -> Self {
        Self { disk, ..self.clone() }
    }

    /// Takes `next` in, where it continues this one.
    pub(super) fn join(&mut self, next: &Self) -> bool {
        let continues = self.disk.end == next.disk.start && self.cause == next.cause;
        if continues {
            self.disk.end = next.disk.end;
        }
        continues
    }
}

/// What a unit came to, apart from candidates.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) coverage: Coverage,
    pub(super) unread: Vec<Unread>,
    /// Ranges that went through the matchers, with what owns them, in order.
    pub(super) written: Vec<(Range<u64>, Option<State>)>,
    /// Bytes that were looked at, zeros among them.
    pub(super) looked_at: u64,
    /// Streams whose first bytes a decoder knows.
    pub(super) containers: Vec<Encoded>,
    /// Where content starts that no file owns.
    pub(super) heads: Vec<carve::Head>,
    /// Bytes of it that were decoded.
    pub(super) decoded: u64,
}

/// A unit being swept.
struct Sweep<'a, 'b> {
    tools: &'a Tools<'a>,
    disk: &'a dyn ReadAt,
    bench: &'b mut Bench,
    /// What is known of the unit's hits.
    ahead: Option<&'a Ahead>,
    swept: Swept,
    /// The last bytes of the piece before, and where they end.
    tail: Vec<u8>,
    tail_end: u64,
}

/// Sweeps `range` of the disk; candidates go to the bench.
pub(super) fn sweep(
    tools: &Tools<'_>,
    (disk, ahead): (&dyn ReadAt, &Ahead),
    range: &Range<u64>,
    bench: &mut Bench,
) -> Swept {
    let (swept, ahead) = (Swept::default(), Some(ahead));
    let mut sweep = Sweep { tools, disk, bench, ahead, swept, tail: Vec::new(), tail_end: 0 };
    sweep.load_tail(range.start);
    let mut at = range.start;
    while at < range.end {
        at = sweep.extent(at, range.end).max(at.saturating_add(1));
    }
    sweep.owner_seams(range);
    sweep.volume_seams(range);
    disk.release(range.start, range.end.saturating_sub(range.start));
    sweep.swept.coverage.size = range.end.saturating_sub(range.start);
    sweep.swept
}

impl Sweep<'_, '_> {
    /// Bytes that two neighbouring pieces share so that no literal is lost between them.
    fn reach(&self) -> usize {
        self.tools.prefilter.reach()
    }

    /// Fetches the bytes before the unit. Where they cannot be read, no literal crosses the border.
    fn load_tail(&mut self, start: u64) {
        let length = to_u64(self.reach()).min(start);
        self.tail.resize(to_usize(length), 0);
        self.tail_end = start;
        if self.disk.read_at(start.saturating_sub(length), &mut self.tail).is_err() {
            self.tail.clear();
        }
    }

    /// Handles the extent at `at`; returns where the next one starts.
    fn extent(&mut self, at: u64, end: u64) -> u64 {
        let rest = end.saturating_sub(at);
        let extent = match self.disk.map(at, rest) {
            Ok(extent) => extent,
            Err(error) => {
                let step = UNMAPPED_STEP.saturating_sub(at % UNMAPPED_STEP).min(rest);
                self.unread(Unread::failed(at..at.saturating_add(step), &error));
                return at.saturating_add(step);
            }
        };
        let next = at.saturating_add(extent.length.min(rest));
        match extent.backing {
            Backing::Hole => {
                self.swept.coverage.blank = self.swept.coverage.blank.saturating_add(next.saturating_sub(at));
            }
            Backing::Missing { reason } => self.unread(Unread::missing(at..next, &reason)),
            Backing::Stored { .. } => self.stored(at..next),
            Backing::Encoded { .. } => {
                let end = self.encoded_end(next, end.min(at.saturating_add(READ)));
                self.copied(at..end);
                return end;
            }
        }
        next
    }

    /// Where bytes end that are read together with encoded ones before `at`: a piece for each encoded unit would
    /// leave most windows crossing from one into the next.
    fn encoded_end(&self, mut at: u64, end: u64) -> u64 {
        while at < end {
            match self.disk.map(at, end.saturating_sub(at)) {
                Ok(Extent { length, backing: Backing::Stored { .. } | Backing::Encoded { .. } }) => {
                    at = at.saturating_add(length.max(1));
                }
                _ => break,
            }
        }
        at.min(end)
    }

    /// Sweeps bytes that are there, borrowed where they are mapped and copied otherwise.
    fn stored(&mut self, range: Range<u64>) {
        let mut at = range.start;
        while at < range.end {
            let rest = range.end.saturating_sub(at);
            let disk = self.disk;
            match disk.slice(at, rest) {
                Some(bytes) => {
                    let before = self.bench.out.len();
                    let counted = self.swept.coverage;
                    let (written, heads) = (self.swept.written.len(), self.swept.heads.len());
                    self.piece(at, bytes);
                    let length = to_u64(bytes.len());
                    if disk.faulted(at, length) {
                        self.bench.out.truncate(before);
                        self.swept.coverage = counted;
                        self.swept.written.truncate(written);
                        self.swept.heads.truncate(heads);
                        self.ahead = None;
                        self.copied(at..at.saturating_add(length));
                    }
                    at = at.saturating_add(length.max(1));
                }
                None => {
                    let next = at.saturating_add(rest.min(READ));
                    self.copied(at..next);
                    at = next;
                }
            }
        }
    }

    /// Reads a range into the buffer and sweeps it; on an error the range is halved until what cannot be
    /// read stands alone.
    fn copied(&mut self, range: Range<u64>) {
        let mut work = vec![range];
        while let Some(range) = work.pop() {
            let mut buffer = std::mem::take(&mut self.bench.buffer);
            buffer.resize(to_usize(range.end.saturating_sub(range.start).min(READ)), 0);
            let length = to_u64(buffer.len());
            let end = range.start.saturating_add(length);
            if end < range.end {
                work.push(end..range.end);
            }
            match self.disk.read_at(range.start, &mut buffer) {
                Ok(()) => self.piece(range.start, &buffer),
                Err(error) if length <= SECTOR => self.unread(Unread::failed(range.start..end, &error)),
                Err(_) => {
                    let half = (length / 2).next_multiple_of(SECTOR).min(length.saturating_sub(1)).max(1);
                    let middle = range.start.saturating_add(half);
                    work.push(middle..end);
                    work.push(range.start..middle);
                }
            }
            self.bench.buffer = buffer;
        }
    }

    /// Matches one contiguous piece and the seam before it.
    fn piece(&mut self, disk: u64, bytes: &[u8]) {
        self.seam(disk, bytes);
        self.swept.looked_at = self.swept.looked_at.saturating_add(to_u64(bytes.len()));
        let skew = to_usize(disk % to_u64(blank::BLOCK));
        let mut scanned = 0_u64;
        let mut places = std::mem::take(&mut self.bench.places);
        let first = self.swept.written.len();
        let known = self.ahead.and_then(|ahead| ahead.hits(disk, bytes.len()));
        self.bench.hits.extend_from_slice(known.unwrap_or_default());
        for range in blank::written(bytes, skew) {
            scanned = scanned.saturating_add(to_u64(range.len()));
            let start = disk.saturating_add(to_u64(range.start));
            self.written(start..start.saturating_add(to_u64(range.len())));
            for part in parts(&range) {
                if known.is_none() {
                    search(self.tools.prefilter, bytes, range.start, &part, &mut self.bench.hits);
                }
                coded::places(bytes, part, &mut places);
            }
        }
        let mut sights = std::mem::take(&mut self.bench.sights);
        escaped::sights(self.tools, bytes, false, &mut self.bench.hits, &mut sights);
        self.bench.physical(self.tools, disk, bytes, &|_| true);
        coded::physical(self.tools, self.bench, disk, bytes, &places);
        escaped::physical(self.tools, self.bench, disk, bytes, &sights);
        places.clear();
        sights.clear();
        self.bench.places = places;
        self.bench.sights = sights;
        self.heads(disk, bytes);
        for written in self.swept.written.get(first..).unwrap_or_default() {
            carve::heads(self.tools.ground, (disk, bytes), written, &mut self.swept.heads);
        }
        let coverage = &mut self.swept.coverage;
        coverage.scanned = coverage.scanned.saturating_add(scanned);
        coverage.blank = coverage.blank.saturating_add(to_u64(bytes.len()).saturating_sub(scanned));
        let keep = self.reach().min(bytes.len());
        self.tail.clear();
        self.tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(keep)..).unwrap_or_default());
        self.tail_end = disk.saturating_add(to_u64(bytes.len()));
    }

    /// Takes note of bytes that go through the matchers.
    fn written(&mut self, disk: Range<u64>) {
        let written = &mut self.swept.written;
        self.tools.ground.states(&disk, &mut |range, state| written.push((range, state)));
    }

    /// Looks at the first bytes of each stream that starts in the piece.
    fn heads(&mut self, disk: u64, bytes: &[u8]) {
        let ground = self.tools.ground;
        let mut copy = [0; HEAD];
        for stretch in ground.within(&(disk..disk.saturating_add(to_u64(bytes.len())))) {
            let Some(land) = ground.lands.get(stretch.land) else { continue };
            let Some(map) = &land.map else { continue };
            let volume = stretch.volume_offset..stretch.volume_offset.saturating_add(stretch.length);
            for (start, length, owner) in map.heads(&volume).filter(|head| is_decoded(head.2.state)) {
                let length = to_usize(length.min(to_u64(HEAD)));
                let at = stretch.disk.saturating_sub(disk).saturating_add(start.saturating_sub(volume.start));
                let at = to_usize(at);
                let head = match bytes.get(at..at.saturating_add(length)) {
                    Some(head) => head,
                    None => {
                        let copy = copy.get_mut(..length).unwrap_or_default();
                        // What cannot be read is reported by the sweep of its own place.
                        if land.reader.read_at(start, copy).is_err() {
                            continue;
                        }
                        &*copy
                    }
                };
                if let decoder @ Some(_) = content::recognise(head) {
                    self.swept.containers.push(Encoded {
                        land: stretch.land,
                        entry: owner.entry(),
                        stream: owner.stream,
                        state: owner.state,
                        size: owner.end,
                        at: stretch.disk.saturating_add(start.saturating_sub(volume.start)),
                        decoder,
                    });
                }
            }
        }
    }

    /// Looks for literals that cross from the piece before into this one.
    fn seam(&mut self, disk: u64, bytes: &[u8]) {
        if self.tail_end != disk || self.tail.is_empty() || is_zero(&self.tail) {
            return;
        }
        let mut joined = std::mem::take(&mut self.tail);
        let border = joined.len();
        joined.extend_from_slice(bytes.get(..self.reach().min(bytes.len())).unwrap_or_default());
        self.tools.prefilter.scan(&joined, &mut self.bench.hits);
        let start = disk.saturating_sub(to_u64(border));
        let is_over = |range: Range<usize>| range.start < border && range.end > border;
        let mut sights = Vec::new();
        escaped::sights(self.tools, &joined, false, &mut self.bench.hits, &mut sights);
        sights.retain(|sight| is_over(sight.word()));
        self.bench.physical(self.tools, start, &joined, &is_over);
        escaped::physical(self.tools, self.bench, start, &joined, &sights);
        self.tail = joined;
    }

    /// Looks for literals that cross from one data run of a stream into the next, elsewhere on the disk.
    fn owner_seams(&mut self, range: &Range<u64>) {
        let ground = self.tools.ground;
        for stretch in ground.within(range) {
            let Some(land) = ground.lands.get(stretch.land) else { continue };
            let Some(map) = &land.map else { continue };
            let volume = stretch.volume_offset..stretch.volume_offset.saturating_add(stretch.length);
            for seam in map.seams(&volume).iter().copied().chain(map.free_seams(&volume)) {
                let reach = to_u64(self.reach());
                let before = reach.min(seam.tail);
                let mut joined = vec![0; to_usize(before.saturating_add(reach))];
                let (tail, head) = joined.split_at_mut(to_usize(before));
                let head_length = to_usize(reach.min(land.volume.size().saturating_sub(seam.head)));
                let head = head.get_mut(..head_length).unwrap_or_default();
                // A side that cannot be read is reported by the sweep of its own place.
                if land.reader.read_at(seam.tail.saturating_sub(before), tail).is_ok()
                    && land.reader.read_at(seam.head, head).is_ok()
                {
                    self.tools.prefilter.scan(&joined, &mut self.bench.hits);
                    self.bench.over_seam(self.tools, stretch.land, seam);
                }
            }
        }
    }

    /// Looks for literals that cross from one segment of a volume into the next, elsewhere on the disk.
    fn volume_seams(&mut self, range: &Range<u64>) {
        let ground = self.tools.ground;
        for stretch in ground.within(range) {
            let Some(land) = ground.lands.get(stretch.land) else { continue };
            if land.volume.segments.len() < 2 {
                continue;
            }
            let from = stretch.volume_offset;
            // A seam belongs to the stretch that it starts, or ends where nothing follows.
            let own = from..from.saturating_add(stretch.length).saturating_add(1);
            for seam in land.volume.seams(own) {
                let reach = to_u64(self.reach());
                let (start, end) =
                    (seam.saturating_sub(reach), seam.saturating_add(reach).min(land.volume.size()));
                let mut joined = vec![0; to_usize(end.saturating_sub(start))];
                // A side that cannot be read is reported by the sweep of its own place.
                if land.reader.read_at(start, &mut joined).is_ok() {
                    self.tools.prefilter.scan(&joined, &mut self.bench.hits);
                    self.bench.in_volume(self.tools, stretch.land, start, &|hit| {
                        let (first, last) = (to_u64(hit.start), to_u64(hit.end));
                        let border = seam.saturating_sub(start);
                        first < border && last > border
                    });
                }
            }
        }
    }

    fn unread(&mut self, unread: Unread) {
        let length = unread.disk.end.saturating_sub(unread.disk.start);
        self.swept.coverage.unread = self.swept.coverage.unread.saturating_add(length);
        if !self.swept.unread.last_mut().is_some_and(|last| last.join(&unread)) {
            self.swept.unread.push(unread);
        }
    }
}
