//! Content that no file is known to own: what formats that do not show what they hold left in free space, swap and
//! the gaps between partitions.
//!
//! It is known by its first bytes at the start of a sector, and read on over free space alone, as far as it decodes.
//! What breaks off, or was none at all, is no gap: nobody said that it was whole.

use super::confirm::{Bench, Tools, to_usize};
use super::ground::{Ground, Land};
use super::inner::Stored;
use super::stream::{self, Whose};
use crate::content::carved::{self, Format, Name, STEP};
use crate::content::{self, Cut, HEAD, Limits};
use crate::coverage::{Gap, GapKind};
use crate::error::{Error, Kind};
use crate::filesystem::{DataRun, Place, RunReader, Stream, StreamName};
use crate::location::State;
use crate::ownership::{Hold, Zone};
use std::ops::Range;

/// Starts of content that are looked at in one unit of the disk.
const HEADS_MAX: usize = 1024;
/// Decoded bytes for all that starts in one unit.
const BYTES_MAX: u64 = 4 << 30;
/// What even content counts that decodes to nothing.
const LEAST: u64 = 64 << 10;
/// Free ranges that content goes on over.
const PIECES_MAX: usize = 128;

/// Where content starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    land: usize,
    /// Offsets in the volume and on the disk.
    at: u64,
    disk: u64,
    state: Option<State>,
    format: &'static Format,
}

/// What was found of it, apart from candidates.
#[derive(Debug, Default)]
pub(super) struct Carved {
    /// Bytes that exist only decoded and went through the matchers.
    pub(super) bytes: u64,
    /// What was cut.
    pub(super) gaps: Vec<Gap>,
}

/// Whether content may start in bytes of this state that no file's content is.
fn is_carved(state: Option<State>) -> bool {
    matches!(
        state,
        None | Some(
            State::Unallocated
                | State::Swap
                | State::Unpartitioned
                | State::Stale
                | State::Container
                | State::Slack
        )
    )
}

/// Notes where content starts in a range of a piece of the disk, whose first byte lies at `disk`.
pub(super) fn heads(
    ground: &Ground,
    (disk, bytes): (u64, &[u8]),
    (range, state): &(Range<u64>, Option<State>),
    found: &mut Vec<Head>,
) {
    if !is_carved(*state) {
        return;
    }
    for stretch in ground.within(range) {
        let mut at = stretch.volume_offset.next_multiple_of(STEP);
        while let Some(place) =
            at.checked_sub(stretch.volume_offset).filter(|&inside| inside < stretch.length)
        {
            let place = stretch.disk.saturating_add(place);
            let from = to_usize(place.saturating_sub(disk));
            let to = from.saturating_add(HEAD).min(bytes.len());
            if let Some(format) = bytes.get(from..to).and_then(carved::recognise)
                && found.len() <= HEADS_MAX
            {
                found.push(Head { land: stretch.land, at, disk: place, state: *state, format });
            }
            at = at.saturating_add(STEP);
        }
    }
}

/// Decodes what starts in one unit, in the order of the disk.
pub(super) fn sweep(tools: &Tools<'_>, heads: &[Head], bench: &mut Bench) -> Carved {
    let mut carved = Carved::default();
    let mut left = BYTES_MAX;
    for (index, head) in heads.iter().enumerate() {
        let Some(land) = tools.ground.lands.get(head.land) else { continue };
        if left == 0 || index == HEADS_MAX {
            let error = Error::new(
                Kind::LimitExceeded,
                "more compressed content without a file than is decoded of one place; the rest is not",
            );
            carved.gaps.push(gap(land, head, "", &error));
            break;
        }
        // Of what does not say where it ends, the next one of its kind is none of its own.
        let later = heads.get(index.saturating_add(1)..).unwrap_or_default().iter();
        let next = later
            .filter(|next| next.land == head.land && next.format.decoder.name == head.format.decoder.name);
        let reach = head
            .format
            .reach
            .map(|reach| next.map(|next| next.at.saturating_sub(head.at)).next().unwrap_or(reach).min(reach));
        let bytes = one(tools, land, head, (reach, left), bench, &mut carved.gaps);
        carved.bytes = carved.bytes.saturating_add(bytes);
        left = left.saturating_sub(bytes.max(LEAST));
    }
    carved
}

fn name(head: &Head) -> Name {
    Name { format: head.format.decoder.name, at: head.disk }
}

/// Decodes one; returns the bytes that went through the matchers.
fn one(
    tools: &Tools<'_>,
    land: &Land,
    head: &Head,
    (reach, left): (Option<u64>, u64),
    bench: &mut Bench,
    gaps: &mut Vec<Gap>,
) -> u64 {
    let stream = unowned(land, head.at, reach.unwrap_or(u64::MAX));
    let content = RunReader::new(land.reader.clone(), &stream);
    let whose = Whose { land: head.land, entry: None, state: head.state };
    let limits = Limits { bytes_max: left, ..Limits::default() };
    let name = name(head);
    let mut bytes = 0_u64;
    let cuts = content::decode(&content, head.format.decoder, &limits, &mut |inner, reader| {
        let (path, within) = (name.before(inner.path), name.before(inner.within));
        let place = Stored { land, runs: stream.runs(), within: &within, inner: *inner };
        let (length, outcome) = stream::sweep_reader(tools, reader, whose, (&path, &place), bench);
        bytes = bytes.saturating_add(length);
        outcome
    });
    let told = cuts.iter().filter(|cut| is_told(cut));
    gaps.extend(told.map(|cut| gap(land, head, &cut.member, &cut.error)));
    bytes
}

/// Whether what is cut is known to be there.
fn is_told(cut: &Cut) -> bool {
    matches!(cut.error.kind(), Kind::LimitExceeded | Kind::Encrypted | Kind::Unsupported)
}

fn gap(land: &Land, head: &Head, inside: &str, error: &Error) -> Gap {
    Gap {
        kind: GapKind::Limited,
        volume: land.volume.name.clone(),
        disk_offset: land.shown_place(Some(head.disk)).0,
        length: None,
        path: Some(name(head).before(inside)),
        reason: error.to_string(),
    }
}

/// What no file owns from volume offset `at` of `land` on, at most `max` bytes, as a stream: the range that it lies in,
/// and in a file system all free space behind it.
pub fn unowned(land: &Land, at: u64, max: u64) -> Stream {
    let (mut runs, mut size, mut next) = (Vec::new(), 0_u64, at);
    let end = land.reader.size();
    let goes_on = |hold: &Hold| hold.owner.is_none() && hold.zone == Zone::Free;
    while next < end && size < max && runs.len() < PIECES_MAX {
        let hold = land.hold(next);
        let stop = hold.span.end.min(end).max(next.saturating_add(1));
        if runs.is_empty() || goes_on(&hold) {
            let length = stop.saturating_sub(next).min(max.saturating_sub(size));
            runs.push(DataRun { logical: size, length, place: Place::At(next) });
            size = size.saturating_add(length);
        }
        if !goes_on(&hold) && next == at {
            break;
        }
        next = stop;
    }
    Stream::of_runs(StreamName::Data, runs)
}
