//! The sweep: every byte of the disk once, in physical order, in parallel.
//!
//! The disk is cut into units at fixed offsets, so that nothing depends on the number of threads. Workers
//! search each unit for literals; only at a hit is the owner looked up and a window of its content cut.
//! Content that does not lie on the disk as it is (resident, compressed) is matched on its own.

mod ahead;
pub mod blank;
mod candidate;
mod carve;
mod coded;
mod confirm;
mod escaped;
mod ground;
mod inner;
pub mod prefilter;
mod stream;
mod unit;
mod within;

pub use ahead::{Ahead, ahead};
pub use candidate::Candidate;
pub use carve::unowned;
pub use escaped::literals;
pub use ground::{Ground, Land};

use crate::content::{self, Decoder};
use crate::coverage::{Coverage, Gap, GapKind};
use crate::detect::Detector;
use crate::error::Result;
use crate::filesystem::{Entry, EntryId, Layout};
use crate::io::{Backing, Extent, ReadAt};
use crate::location::State;
use confirm::{Bench, Tools};
use prefilter::Prefilter;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use stream::{Residents, Whose};

/// Units between two merges of their results: bounds what is held, and keeps the order. At each merge threads wait
/// for the last unit.
const BATCH: usize = 128;
/// Decoded streams between two such merges: most are small, and a few may be as much work as thousands of others.
const DECODED_BATCH: usize = 1 << 14;

/// A stream that is matched in decoded form, after the disk.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// Index of the land.
    pub land: usize,
    /// The entry.
    pub entry: EntryId,
    /// Index of its stream.
    pub stream: u16,
    /// State of its content.
    pub state: State,
    /// Its size in bytes, which says what to begin with.
    pub size: u64,
    /// Where on the disk it starts, 0 where it lies nowhere as it is: what to read after what.
    pub at: u64,
    /// What decodes its content; without one the content is matched as the file system gives it, and looked
    /// at for a decoder then.
    pub decoder: Option<&'static Decoder>,
}

impl Encoded {
    /// When its turn is. The large ones first: one that comes last would keep one thread busy and the others
    /// waiting. The others as they lie, since neighbours may share a compressed unit of the container.
    fn turn(&self) -> (Reverse<u64>, u64) {
        const LARGE: u64 = 1 << 20;
        if self.size < LARGE { (Reverse(0), self.at) } else { (Reverse(self.size), 0) }
    }
}

/// What the sweep hands on as it goes, in an order that depends on the disk alone.
#[derive(Debug)]
pub enum Event {
    /// Confirmed matches.
    Candidates(Vec<Candidate>),
    /// A range that could not be read, or content that could not be decoded.
    Gap(Gap),
    /// Ranges of the disk that went through the matchers, with what owns them; `None` where nobody knows.
    Written(Vec<(Range<u64>, Option<State>)>),
    /// A stream was decoded.
    Decoded(Contents),
    /// So many more bytes of the disk are done.
    Progress(u64),
}

/// A decoded stream, and what was watched for in it.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Index of the land.
    pub land: usize,
    /// The entry.
    pub entry: EntryId,
    /// Watched paths inside.
    pub members: Vec<String>,
    /// Why it was not decoded to its end, where that is so.
    pub cut: Option<String>,
}

/// Collects the resident streams of one land during its walk and matches them.
#[derive(Debug)]
pub struct ResidentSweep<'a> {
    tools: Tools<'a>,
    land: usize,
    residents: Residents,
    bench: Bench,
    decoded: u64,
    containers: Vec<Encoded>,
}

impl<'a> ResidentSweep<'a> {
    /// For the land with index `land` of `ground`, whose owners need not be known yet.
    pub fn new(ground: &'a Ground, land: usize, prefilter: &'a Prefilter, detector: &'a Detector) -> Self {
        let tools = Tools { ground, prefilter, detector };
        let (residents, bench) = (Residents::default(), Bench::default());
        Self { tools, land, residents, bench, decoded: 0, containers: Vec::new() }
    }

    /// Takes one resident stream.
    pub fn add(&mut self, entry: &Entry, stream: u16, state: State) {
        let whose = Whose { land: self.land, entry: Some((entry.id, stream)), state: Some(state) };
        if let Some(Layout::Resident { bytes, .. }) =
            entry.streams.get(usize::from(stream)).map(|stream| &stream.layout)
            && let decoder @ Some(_) = content::recognise(bytes)
            && inner::is_decoded(state)
        {
            let (land, size) = (self.land, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            self.containers.push(Encoded { land, entry: entry.id, stream, state, size, at: 0, decoder });
        }
        if self.residents.add(entry, stream, whose) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(land) = self.tools.ground.lands.get(self.land) {
            self.decoded =
                self.decoded.saturating_add(self.residents.flush(&self.tools, land, &mut self.bench));
        }
    }

    /// Matches the rest; returns the matches, the number of bytes that went through, and those streams that
    /// a decoder knows.
    pub fn finish(mut self) -> (Vec<Candidate>, u64, Vec<Encoded>) {
        self.flush();
        (self.bench.out, self.decoded, self.containers)
    }
}

/// What is to be swept.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The disk.
    pub disk: &'a Arc<dyn ReadAt>,
    /// What lies where on it.
    pub ground: &'a Ground,
    /// Streams to match in decoded form.
    pub encoded: &'a [Encoded],
    /// Bytes of the disk that one worker takes at a time, above zero.
    pub unit: u64,
    /// Where on the disk the sweep starts.
    pub start: u64,
    /// Bytes that may be swept; the rest of a disk that claims more is a gap.
    pub budget: u64,
    /// What a search before this one has found.
    pub ahead: &'a Ahead,
    /// Which members of decoded streams are told, by their path inside.
    pub watch: fn(&str) -> bool,
}

/// Sweeps the disk and the encoded streams; returns the byte counts. Runs in the calling rayon pool.
///
/// # Errors
/// Only what `emit` returns.
pub fn sweep(
    job: &Job<'_>,
    (prefilter, detector): (&Prefilter, &Detector),
    emit: &mut dyn FnMut(Event) -> Result<()>,
) -> Result<Coverage> {
    let Job { disk, ground, encoded, unit, start, budget, ahead, watch } = *job;
    let tools = Tools { ground, prefilter, detector };
    let benches = Benches::new();
    let mut coverage = Coverage::default();
    let mut queue = encoded.to_vec();
    let (mut coded_cuts, mut unreads) = (Vec::new(), Vec::new());
    let mut plan = Plan { disk: disk.as_ref(), unit: unit.max(1), at: start, budget };
    loop {
        let Batch { units, blank, missing } = plan.next_batch();
        if blank > 0 {
            coverage.add(&Coverage { size: blank, blank, ..Coverage::default() });
            emit(Event::Progress(blank))?;
        }
        let ended = units.is_empty() && missing.is_empty();
        for unread in missing.into_iter().chain(ended.then(|| plan.rest()).flatten()) {
            let length = unread.disk.end.saturating_sub(unread.disk.start);
            coverage.add(&Coverage { size: length, unread: length, ..Coverage::default() });
            unreads.push(unread);
            emit(Event::Progress(length))?;
        }
        if ended {
            break;
        }
        let results: Vec<_> = units
            .par_iter()
            .map(|range| {
                benches.with(|bench| {
                    let mut swept = unit::sweep(&tools, (disk.as_ref(), ahead), range, bench);
                    let carved = carve::sweep(&tools, &swept.heads, bench);
                    swept.decoded = carved.bytes;
                    bench.cuts.extend(carved.gaps);
                    (swept, std::mem::take(&mut bench.out), std::mem::take(&mut bench.cuts))
                })
            })
            .collect();
        for (swept, candidates, cuts) in results {
            coded_cuts.extend(cuts);
            coverage.add(&swept.coverage);
            coverage.decoded = coverage.decoded.saturating_add(swept.decoded);
            plan.budget = plan.budget.saturating_sub(swept.looked_at);
            queue.extend(swept.containers);
            if !swept.written.is_empty() {
                emit(Event::Written(swept.written))?;
            }
            unreads.extend(swept.unread);
            if !candidates.is_empty() {
                emit(Event::Candidates(candidates))?;
            }
            emit(Event::Progress(swept.coverage.size))?;
        }
    }
    for unread in joined(ground, unreads) {
        emit(Event::Gap(unread_gap(ground, &unread)))?;
    }
    // A run over the border of two units was decoded for each.
    coded_cuts.sort_by(|one, other| {
        (one.disk_offset, &one.path, &one.reason).cmp(&(other.disk_offset, &other.path, &other.reason))
    });
    coded_cuts.dedup();
    for cut in coded_cuts {
        emit(Event::Gap(cut))?;
    }
    // A unit that was swept twice has told of its files twice.
    queue.sort_by_key(|item| (item.land, item.entry, item.stream));
    queue.dedup_by_key(|item| (item.land, item.entry, item.stream));
    queue.retain(|item| !ground.is_opened(item));
    for batch in queue.chunks(DECODED_BATCH) {
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by_key(|&index| batch.get(index).map(Encoded::turn));
        let sweep = |index: usize, item: &Encoded| {
            benches.with(|bench| {
                let mut decoded = inner::sweep(&tools, item, bench, watch);
                decoded.gaps.append(&mut bench.cuts);
                (index, decoded, std::mem::take(&mut bench.out))
            })
        };
        let mut results: Vec<_> = order
            .par_iter()
            .with_max_len(1)
            .filter_map(|&index| batch.get(index).map(|item| sweep(index, item)))
            .collect();
        results.sort_unstable_by_key(|(index, ..)| *index);
        for ((_, decoded, candidates), item) in results.into_iter().zip(batch) {
            coverage.decoded = coverage.decoded.saturating_add(decoded.bytes);
            for gap in decoded.gaps {
                emit(Event::Gap(gap))?;
            }
            if let (Some(cut), State::Allocated) = (decoded.taken, item.state) {
                let (land, entry, members) = (item.land, item.entry, decoded.members);
                emit(Event::Decoded(Contents { land, entry, members, cut }))?;
            }
            if !candidates.is_empty() {
                emit(Event::Candidates(candidates))?;
            }
        }
    }
    Ok(coverage)
}

/// Working memory for each thread of the pool, kept over all units: regex caches are dear to build.
struct Benches(Vec<Mutex<Bench>>);

impl Benches {
    fn new() -> Self {
        Self((0..rayon::current_num_threads().max(1)).map(|_| Mutex::default()).collect())
    }

    /// Runs `work` with the memory of the calling thread; each thread has its own, so the lock is free.
    fn with<T>(&self, work: impl FnOnce(&mut Bench) -> T) -> T {
        let own = rayon::current_thread_index().and_then(|index| self.0.get(index));
        match own.map(|bench| bench.lock()) {
            Some(Ok(mut bench)) => work(&mut bench),
            // Outside of the pool, or after a panic in this thread: a bench of its own.
            _ => work(&mut Bench::default()),
        }
    }
}

/// Cuts the disk into units, without those that lie in holes: a sparse disk of any size costs nothing.
struct Plan<'a> {
    disk: &'a dyn ReadAt,
    unit: u64,
    at: u64,
    /// Bytes that may still be planned.
    budget: u64,
}

/// The next units, and what was passed on the way to them.
#[derive(Default)]
struct Batch {
    units: Vec<Range<u64>>,
    /// Bytes of holes.
    blank: u64,
    /// Ranges that cannot be had, of whole units.
    missing: Vec<unit::Unread>,
}

impl Plan<'_> {
    /// The next units; none at the end of the disk.
    fn next_batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        let size = self.disk.size();
        while self.at < size && batch.units.len() < BATCH && batch.missing.len() < BATCH && self.budget > 0 {
            let start = self.at;
            match self.passed() {
                Some(Extent { length, backing: Backing::Missing { reason } }) => {
                    self.at = start.saturating_add(length);
                    batch.missing.push(unit::Unread::missing(start..self.at, &reason));
                }
                Some(hole) => {
                    batch.blank = batch.blank.saturating_add(hole.length);
                    self.at = start.saturating_add(hole.length);
                }
                None => {
                    self.at = start.saturating_add(self.unit).min(size);
                    batch.units.push(start..self.at);
                }
            }
        }
        batch
    }

    /// What the budget does not reach.
    fn rest(&self) -> Option<unit::Unread> {
        let reason = "the image claims far more data than its file can hold; the rest is not read";
        let disk = self.at..self.disk.size();
        (!disk.is_empty()).then(|| unit::Unread::missing(disk, reason))
    }

    /// The hole or the missing range at the next unit, in whole units (or up to the end of the disk).
    fn passed(&self) -> Option<Extent> {
        let rest = self.disk.size().saturating_sub(self.at);
        let one = rest.min(self.unit);
        // One unit first: containers look up every cluster of what is asked for, and most units are stored.
        let first = self.passable(one).filter(|extent| extent.length >= one)?;
        let extent = self.passable(rest).unwrap_or(first);
        let whole = extent.length.saturating_sub(extent.length % self.unit);
        let length = if extent.length >= rest { rest } else { whole.max(one) };
        Some(Extent { length, ..extent })
    }

    /// What lies at the next unit, unless that is stored or wrong, which is the unit's business.
    fn passable(&self, max: u64) -> Option<Extent> {
        let extent = self.disk.map(self.at, max).ok()?;
        matches!(extent.backing, Backing::Hole | Backing::Missing { .. }).then_some(extent)
    }
}

/// Ranges in order; those that fail for the same reason and lie behind each other are one in each volume: a dead zone
/// of a medium is one gap, wherever units end.
fn joined(ground: &Ground, mut unreads: Vec<unit::Unread>) -> Vec<unit::Unread> {
    unreads.sort_by_key(|unread| unread.disk.start);
    let mut joined: Vec<(Option<usize>, unit::Unread)> = Vec::new();
    for unread in unreads {
        let mut at = unread.disk.start;
        for stretch in ground.within(&unread.disk) {
            let end = stretch.disk.saturating_add(stretch.length).min(unread.disk.end);
            push(&mut joined, None, unread.part(at..stretch.disk));
            push(&mut joined, Some(stretch.land), unread.part(stretch.disk.max(at)..end));
            at = end;
        }
        push(&mut joined, None, unread.part(at..unread.disk.end));
    }
    joined.into_iter().map(|(_, unread)| unread).collect()
}

fn push(joined: &mut Vec<(Option<usize>, unit::Unread)>, land: Option<usize>, unread: unit::Unread) {
    let last = joined.last_mut().filter(|(last, _)| *last == land);
    if !unread.disk.is_empty() && !last.is_some_and(|(_, last)| last.join(&unread)) {
        joined.push((land, unread));
    }
}

fn unread_gap(ground: &Ground, unread: &unit::Unread) -> Gap {
    let land = ground.at(unread.disk.start).and_then(|stretch| ground.lands.get(stretch.land));
    let place = Some(unread.disk.start);
    let (disk_offset, inside) = land.map_or((place, None), |land| land.shown_place(place));
    Gap {
        kind: GapKind::Unread,
        volume: land.map(|land| land.volume.name.clone()).unwrap_or_default(),
        disk_offset,
        length: Some(unread.disk.end.saturating_sub(unread.disk.start)),
        path: None,
        reason: match inside {
            Some(offset) => format!("from byte {offset} on: {}", unread.reason),
            None => unread.reason.clone(),
        },
    }
}
