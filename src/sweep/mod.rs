//! The sweep: every byte of the disk once, in physical order, in parallel.
//!
//! The disk is cut into units at fixed offsets, so that nothing depends on the number of threads. Workers
//! search each unit for literals; only at a hit is the owner looked up and a window of its content cut.
//! Content that does not lie on the disk as it is (resident, compressed) is matched on its own.

pub mod blank;
mod candidate;
mod confirm;
mod ground;
mod inner;
pub mod prefilter;
mod stream;
mod unit;

pub use candidate::Candidate;
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
use std::ops::Range;
use std::sync::{Arc, Mutex};
use stream::{Residents, Whose};

/// Units between two merges of their results: bounds what is held, and keeps the order.
const BATCH: usize = 64;

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
    /// What decodes its content; without one the content is matched as the file system gives it, and looked
    /// at for a decoder then.
    pub decoder: Option<&'static Decoder>,
}

/// What the sweep hands on as it goes, in an order that depends on the disk alone.
#[derive(Debug)]
pub enum Event {
    /// Confirmed matches.
    Candidates(Vec<Candidate>),
    /// A range that could not be read, or content that could not be decoded.
    Gap(Gap),
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
        let whose = Whose { land: self.land, entry: entry.id, stream, state };
        if let Some(Layout::Resident { bytes, .. }) =
            entry.streams.get(usize::from(stream)).map(|stream| &stream.layout)
            && let decoder @ Some(_) = content::recognise(bytes)
            && inner::is_decoded(state)
        {
            self.containers.push(Encoded { land: self.land, entry: entry.id, stream, state, decoder });
        }
        if self.residents.add(entry, whose) {
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
    let Job { disk, ground, encoded, unit, watch } = *job;
    let tools = Tools { ground, prefilter, detector };
    let benches = Benches::new();
    let mut coverage = Coverage::default();
    let mut queue = encoded.to_vec();
    let mut plan = Plan { disk: disk.as_ref(), unit: unit.max(1), at: 0 };
    loop {
        let (batch, blank) = plan.next_batch();
        if blank > 0 {
            coverage.add(&Coverage { size: blank, blank, ..Coverage::default() });
            emit(Event::Progress(blank))?;
        }
        if batch.is_empty() {
            break;
        }
        let results: Vec<_> = batch
            .par_iter()
            .map(|range| {
                benches.with(|bench| {
                    let swept = unit::sweep(&tools, disk.as_ref(), range, bench);
                    (swept, std::mem::take(&mut bench.out))
                })
            })
            .collect();
        for (swept, candidates) in results {
            coverage.add(&swept.coverage);
            queue.extend(swept.containers);
            for unread in swept.unread {
                emit(Event::Gap(unread_gap(ground, &unread)))?;
            }
            if !candidates.is_empty() {
                emit(Event::Candidates(candidates))?;
            }
            emit(Event::Progress(swept.coverage.size))?;
        }
    }
    // A unit that was swept twice has told of its files twice.
    queue.sort_by_key(|item| (item.land, item.entry, item.stream));
    queue.dedup_by_key(|item| (item.land, item.entry, item.stream));
    for batch in queue.chunks(BATCH) {
        let results: Vec<_> = batch
            .par_iter()
            .with_max_len(1)
            .map(|item| {
                benches.with(|bench| {
                    let decoded = inner::sweep(&tools, item, bench, watch);
                    (decoded, std::mem::take(&mut bench.out))
                })
            })
            .collect();
        for ((decoded, candidates), item) in results.into_iter().zip(batch) {
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
}

impl Plan<'_> {
    /// The next units, and the bytes of holes that were passed; no units at the end of the disk.
    fn next_batch(&mut self) -> (Vec<Range<u64>>, u64) {
        let (mut batch, mut blank) = (Vec::new(), 0_u64);
        let size = self.disk.size();
        while self.at < size && batch.len() < BATCH {
            let hole = self.hole();
            blank = blank.saturating_add(hole);
            self.at = self.at.saturating_add(hole);
            if hole == 0 {
                let end = self.at.saturating_add(self.unit).min(size);
                batch.push(self.at..end);
                self.at = end;
            }
        }
        (batch, blank)
    }

    /// Length of the hole at the next unit, in whole units (or up to the end of the disk).
    fn hole(&self) -> u64 {
        let rest = self.disk.size().saturating_sub(self.at);
        match self.disk.map(self.at, rest) {
            Ok(Extent { length, backing: Backing::Hole }) if length >= rest => rest,
            Ok(Extent { length, backing: Backing::Hole }) => length.saturating_sub(length % self.unit),
            // What is stored or wrong is the unit's business.
            _ => 0,
        }
    }
}

fn unread_gap(ground: &Ground, unread: &unit::Unread) -> Gap {
    let land = ground.at(unread.disk.start).and_then(|stretch| ground.lands.get(stretch.land));
    Gap {
        kind: GapKind::Unread,
        volume: land.map(|land| land.volume.name.clone()).unwrap_or_default(),
        disk_offset: Some(unread.disk.start),
        length: Some(unread.disk.end.saturating_sub(unread.disk.start)),
        path: None,
        reason: unread.reason.clone(),
    }
}
