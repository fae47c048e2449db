//! Compressed streams: LZNT1 by compression unit (MS-XCA 2.5, units as in `$DATA` flag 0x0001).
//!
//! A unit of 16 clusters is stored as it is (all clusters there), not at all (a hole: zeros), or compressed
//! in the first few clusters, the rest being a hole. Inside, each chunk of 4096 bytes stands for itself.

use crate::error::{Error, Kind, Result};
use crate::filesystem::{DataRun, Place, RunReader, Stream};
use crate::io::{Backing, Extent, ReadAt, check_range};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a chunk decodes to.
const CHUNK: usize = 4096;
/// Longest compression unit; Windows uses 64 KiB.
const UNIT_MAX: u64 = 4 << 20;
/// Decoded bytes that are kept.
const CACHE_BYTES: u64 = 512 << 10;

/// A compressed stream.
#[derive(Debug)]
pub(super) struct Compressed {
    stored: RunReader,
    runs: Vec<DataRun>,
    size: u64,
    initialised: u64,
    unit: u64,
    cache: Mutex<Vec<(u64, Arc<Unit>)>>,
}

/// A decoded unit.
#[derive(Debug)]
struct Unit {
    bytes: Vec<u8>,
    /// Parts that could not be decoded.
    broken: Vec<Range<usize>>,
}

/// How a unit is stored.
enum Form {
    Hole,
    Plain,
    /// Compressed in this many bytes.
    Packed(u64),
}

impl Compressed {
    /// The stream, whose units have `unit` bytes.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for units of a length that Windows does not write.
    pub(super) fn new(volume: Arc<dyn ReadAt>, stream: &Stream, unit: u64) -> Result<Self> {
        if !unit.is_power_of_two() || !(4096..=UNIT_MAX).contains(&unit) {
            return Err(Error::unsupported(format!("compression units of {unit} bytes")));
        }
        // Units are stored up to their last cluster, past the end of the content.
        let reach = stream.runs().last().map_or(0, |last| last.logical.saturating_add(last.length));
        let whole = Stream { size: reach, initialised: reach, ..stream.clone() };
        let mut runs = stream.runs().to_vec();
        runs.sort_by_key(|run| run.logical);
        let stored = RunReader::new(volume, &whole);
        let (size, initialised) = (stream.size, stream.initialised);
        Ok(Self { stored, runs, size, initialised, unit, cache: Mutex::new(Vec::new()) })
    }

    /// The runs that touch the unit which starts at `start`.
    fn runs_of(&self, start: u64) -> impl Iterator<Item = &DataRun> {
        let end = start.saturating_add(self.unit);
        let first = self.runs.partition_point(|run| run.logical.saturating_add(run.length) <= start);
        self.runs.get(first..).unwrap_or_default().iter().take_while(move |run| run.logical < end)
    }

    /// How the unit at `start` is stored.
    ///
    /// # Errors
    /// Corrupt where runs are missing, or lie behind a hole in the unit.
    fn form(&self, start: u64) -> Result<Form> {
        let end = start.saturating_add(self.unit);
        let (mut covered, mut packed, mut hole) = (start, 0_u64, false);
        for run in self.runs_of(start) {
            let from = run.logical.max(start);
            let to = run.logical.saturating_add(run.length).min(end);
            if from != covered {
                break;
            }
            match run.place {
                Place::At(_) if hole => {
                    return Err(Error::new(Kind::Corrupt, "compression unit: data behind a hole").at(start));
                }
                Place::At(_) => packed = packed.saturating_add(to.saturating_sub(from)),
                _ => hole = true,
            }
            covered = to;
        }
        match packed {
            // The last unit's hole may be left out.
            0 if covered == end || covered >= self.size => Ok(Form::Hole),
            packed if packed == self.unit => Ok(Form::Plain),
            packed if packed > 0 && (covered == end || covered >= self.reach()) => Ok(Form::Packed(packed)),
            _ => {
                Err(Error::new(Kind::Corrupt, "compression unit: no run is known for a part of it").at(start))
            }
        }
    }

    fn reach(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.logical.saturating_add(last.length))
    }

    /// The decoded unit at `start`.
    fn decoded(&self, start: u64, packed: u64) -> Result<Arc<Unit>> {
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = cache.iter().position(|(of, _)| *of == start) {
                let hit = cache.remove(at);
                let unit = Arc::clone(&hit.1);
                cache.push(hit);
                return Ok(unit);
            }
        }
        let mut bytes = vec![0; usize::try_from(packed).unwrap_or(0)];
        self.stored.read_at(start, &mut bytes)?;
        let unit = Arc::new(decode(&bytes, usize::try_from(self.unit).unwrap_or(0)));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = usize::try_from(CACHE_BYTES / self.unit).unwrap_or(1).max(1);
        if cache.len() >= kept {
            cache.remove(0);
        }
        cache.push((start, Arc::clone(&unit)));
        Ok(unit)
    }

    /// Fills `buffer`, which lies in the unit at `start`, from `inside` that unit on.
    fn read_unit(&self, start: u64, inside: u64, buffer: &mut [u8]) -> Result<()> {
        let packed = match self.form(start)? {
            Form::Hole => {
                buffer.fill(0);
                return Ok(());
            }
            Form::Plain => return self.stored.read_at(start.saturating_add(inside), buffer),
            Form::Packed(packed) => packed,
        };
        let unit = self.decoded(start, packed)?;
        let from = usize::try_from(inside).unwrap_or(usize::MAX);
        let to = from.saturating_add(buffer.len());
        if let Some(broken) = unit.broken.iter().find(|range| range.start < to && range.end > from) {
            let offset = start.saturating_add(u64::try_from(broken.start.max(from)).unwrap_or(0));
            return Err(Error::new(Kind::Corrupt, "LZNT1 chunk does not decode").at(offset));
        }
        let bytes = unit
            .bytes
            .get(from..to)
            .ok_or_else(|| Error::truncated("compression unit", start, inside, self.unit))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl ReadAt for Compressed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check_range(self.size, offset, u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        // What was never written is zeros, whatever the clusters hold.
        let written = usize::try_from(self.initialised.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (mut rest, zeros) = buffer.split_at_mut(written.min(buffer.len()));
        zeros.fill(0);
        let mut at = offset;
        while !rest.is_empty() {
            let inside = at % self.unit;
            let left = usize::try_from(self.unit.saturating_sub(inside)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(left.min(rest.len()));
            self.read_unit(at.saturating_sub(inside), inside, now)?;
            at = at.saturating_add(u64::try_from(now.len()).unwrap_or(u64::MAX));
            rest = later;
        }
        Ok(())
    }

    fn map(&self, offset: u64, max: u64) -> Result<Extent> {
        check_range(self.size, offset, 1)?;
        let max = max.min(self.size.saturating_sub(offset)).max(1);
        if offset >= self.initialised {
            return Ok(Extent { length: max, backing: Backing::Hole });
        }
        let inside = offset % self.unit;
        let start = offset.saturating_sub(inside);
        let max = max.min(self.unit.saturating_sub(inside)).min(self.initialised.saturating_sub(offset));
        match self.form(start)? {
            Form::Hole => Ok(Extent { length: max, backing: Backing::Hole }),
            Form::Plain => self.stored.map(offset, max),
            Form::Packed(packed) => {
                let host = match self.stored.map(start, 1)?.backing {
                    Backing::Stored { host } | Backing::Encoded { host, .. } => host,
                    Backing::Hole | Backing::Missing { .. } => 0,
                };
                Ok(Extent { length: max, backing: Backing::Encoded { host, host_length: packed } })
            }
        }
    }
}

/// Decodes a unit. Each chunk that fails becomes a broken part; so does all behind a chunk whose length
/// makes no sense.
fn decode(packed: &[u8], unit: usize) -> Unit {
    let mut out = Unit { bytes: vec![0; unit], broken: Vec::new() };
    let mut rest = packed;
    let mut chunk = Vec::with_capacity(2 * CHUNK);
    for (at, target) in (0..).step_by(CHUNK).zip(out.bytes.chunks_exact_mut(CHUNK)) {
        // A header of zero ends the data: zeros follow.
        let Some(&[low, high]) = rest.first_chunk() else { break };
        let header = u16::from_le_bytes([low, high]);
        if header == 0 {
            break;
        }
        let length = usize::from(header & 0x0fff).saturating_add(3);
        let Some((one, tail)) = rest.split_at_checked(length) else {
            out.broken.push(at..unit);
            break;
        };
        chunk.clear();
        let decoded = lznt1::decompress(one, &mut chunk);
        match (decoded, target.get_mut(..chunk.len())) {
            (Ok(()), Some(part)) => part.copy_from_slice(&chunk),
            _ => out.broken.push(at..at.saturating_add(CHUNK)),
        }
        rest = tail;
    }
    out
}
