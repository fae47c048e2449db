//! Content that is matched apart from the disk's bytes: resident streams, and streams that are decoded.

use super::coded;
use super::confirm::{Bench, Content, Nowhere, ToDisk, Tools, to_u64, to_usize};
use super::escaped::{self, Sight};
use super::ground::Land;
use crate::content::{self, coded::RUN_MIN};
use crate::error::Result;
use crate::filesystem::{Entry, EntryId, Layout};
use crate::io::{Backing, ReadAt, is_zero};
use crate::location::State;
use std::io::Read;

/// Bytes of content matched at a time.
const CHUNK: usize = 1 << 20;
/// Content kept on both sides of a chunk for windows: more than any rule's reach in UTF-16.
const MARGIN: usize = 160 << 10;
/// Zero bytes between two resident streams, which no literal crosses in any encoding.
const SEPARATOR: usize = 4;

/// Whose content it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose {
    pub(super) land: usize,
    /// The entry and the index of its stream, where a file owns it.
    pub(super) entry: Option<(EntryId, u16)>,
    pub(super) state: Option<State>,
}

/// Resident streams, collected until there are enough of them to be worth a search.
#[derive(Debug, Default)]
pub(super) struct Residents {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// One resident stream in the collected bytes.
#[derive(Clone, Copy, Debug)]
struct Item {
    start: usize,
    end: usize,
    whose: Whose,
    place: Option<u64>,
}

impl Item {
    fn content<'a>(&self, bytes: &'a [u8], to_disk: &'a dyn ToDisk) -> Content<'a> {
        Content {
            land: self.whose.land,
            entry: self.whose.entry,
            state: self.whose.state,
            bytes,
            logical: 0,
            is_stream: true,
            at_start: true,
            at_end: true,
            member: None,
            decoded: true,
            to_disk,
        }
    }
}

impl Residents {
    /// Adds a stream; says whether it is time to [`flush`](Self::flush).
    pub(super) fn add(&mut self, entry: &Entry, stream: u16, whose: Whose) -> bool {
        let stream = entry.streams.get(usize::from(stream));
        let Some(Layout::Resident { bytes, place }) = stream.map(|stream| &stream.layout) else {
            return false;
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.items.push(Item { start, end: self.bytes.len(), whose, place: *place });
        self.bytes.extend_from_slice(&[0; SEPARATOR]);
        self.bytes.len() >= CHUNK
    }

    /// Looks for what is written as text in the collected streams, each on its own.
    fn coded(&self, tools: &Tools<'_>, land: &Land, bench: &mut Bench) {
        for item in self.items.iter().filter(|item| item.end.saturating_sub(item.start) >= RUN_MIN) {
            if let Some(bytes) = self.bytes.get(item.start..item.end) {
                let to_disk = RecordPlace { place: item.place, land };
                coded::inside(tools, bench, &item.content(bytes, &to_disk), 0..bytes.len());
            }
        }
    }

    /// Reads the collected streams without escapes around the places that were seen.
    fn escaped(&self, tools: &Tools<'_>, land: &Land, bench: &mut Bench, sights: &[Sight]) {
        let mut rest = sights;
        for item in &self.items {
            let (own, later) = rest.split_at(rest.partition_point(|sight| sight.word().start < item.end));
            rest = later;
            let (Some(bytes), false) = (self.bytes.get(item.start..item.end), own.is_empty()) else {
                continue;
            };
            let own: Vec<Sight> = own.iter().map(|sight| sight.from(item.start)).collect();
            let to_disk = RecordPlace { place: item.place, land };
            escaped::inside(tools, bench, &item.content(bytes, &to_disk), &own);
        }
    }

    /// Matches what has been collected; returns the number of bytes.
    pub(super) fn flush(&mut self, tools: &Tools<'_>, land: &Land, bench: &mut Bench) -> u64 {
        let mut hits = std::mem::take(&mut bench.hits);
        tools.prefilter.scan(&self.bytes, &mut hits);
        let mut sights = Vec::new();
        // The zeros between two streams end what is looked at beside a word.
        escaped::sights(tools, &self.bytes, true, &mut hits, &mut sights);
        hits.sort_unstable();
        for hit in &hits {
            let next = self.items.partition_point(|item| item.start <= hit.offset);
            let Some(item) = next.checked_sub(1).and_then(|index| self.items.get(index)) else { continue };
            let Some(bytes) = self.bytes.get(item.start..item.end) else { continue };
            let to_disk = RecordPlace { place: item.place, land };
            let content = item.content(bytes, &to_disk);
            bench.rules(tools, &content, hit, hit.offset.saturating_sub(item.start));
        }
        hits.clear();
        bench.hits = hits;
        self.escaped(tools, land, bench, &sights);
        self.coded(tools, land, bench);
        let length = self.items.iter().map(|item| to_u64(item.end.saturating_sub(item.start))).sum();
        self.bytes.clear();
        self.items.clear();
        length
    }
}

/// A resident stream's place in its record.
#[derive(Debug)]
struct RecordPlace<'a> {
    place: Option<u64>,
    land: &'a Land,
}

impl ToDisk for RecordPlace<'_> {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        self.land.volume.to_disk(self.place?.saturating_add(logical))
    }
}

/// Matches a decoded stream from its first to its last byte; returns the bytes that went through.
///
/// # Errors
/// Where the stream cannot be read on; what came before has been matched.
pub(super) fn sweep(tools: &Tools<'_>, stream: &dyn ReadAt, whose: Whose, bench: &mut Bench) -> Result<u64> {
    let (mut at, mut matched) = (0_u64, 0_u64);
    let reach = to_u64(tools.prefilter.reach());
    while at < stream.size() {
        let extent = stream.map(at, stream.size().saturating_sub(at))?;
        if matches!(extent.backing, Backing::Hole) {
            at = at.saturating_add(extent.length.max(1));
            continue;
        }
        let end = at.saturating_add(extent.length.clamp(1, to_u64(CHUNK))).min(stream.size());
        // The chunk, what literals across its start need, and what windows around its hits need.
        let from = at.saturating_sub(to_u64(MARGIN));
        let to = end.saturating_add(to_u64(MARGIN)).min(stream.size());
        let mut bytes = vec![0; to_usize(to.saturating_sub(from))];
        stream.read_at(from, &mut bytes)?;
        let chunk_start = to_usize(at.saturating_sub(from));
        let search_start = to_usize(at.saturating_sub(reach).max(from).saturating_sub(from));
        let chunk_end = to_usize(end.saturating_sub(from));
        let part = bytes.get(search_start..chunk_end).unwrap_or_default();
        if !is_zero(part) {
            let content = Content {
                land: whose.land,
                entry: whose.entry,
                state: whose.state,
                bytes: &bytes,
                logical: from,
                is_stream: true,
                at_start: from == 0,
                at_end: to == stream.size(),
                member: None,
                decoded: true,
                to_disk: &Nowhere,
            };
            chunk(tools, bench, &content, search_start..chunk_end, chunk_start);
        }
        matched = matched.saturating_add(end.saturating_sub(at));
        at = end;
    }
    Ok(matched)
}

/// Matches what `reader` gives, a member of decoded content, without ever holding all of it; returns the bytes
/// that went through. `place` is the member's path and where its bytes lie on the disk.
///
/// The second value is an error where the member cannot be read on; what came before has been matched.
pub(super) fn sweep_reader(
    tools: &Tools<'_>,
    reader: &mut dyn Read,
    whose: Whose,
    place: (&str, &dyn ToDisk),
    bench: &mut Bench,
) -> (u64, Result<()>) {
    // A container may have thousands of members: they share the memory.
    let mut buffer = std::mem::take(&mut bench.stream);
    buffer.resize(MARGIN.saturating_add(CHUNK).saturating_add(MARGIN), 0);
    let swept = through_buffer(tools, reader, whose, place, bench, &mut buffer);
    bench.stream = buffer;
    swept
}

fn through_buffer(
    tools: &Tools<'_>,
    reader: &mut dyn Read,
    whose: Whose,
    (member, to_disk): (&str, &dyn ToDisk),
    bench: &mut Bench,
    buffer: &mut [u8],
) -> (u64, Result<()>) {
    let reach = tools.prefilter.reach();
    let mut outcome = Ok(());
    // Bytes held, offset in the member of the first of them, and how many of them were searched before.
    let (mut held, mut logical, mut fresh, mut ended) = (0_usize, 0_u64, 0_usize, false);
    loop {
        let wanted = fresh.saturating_add(CHUNK).saturating_add(MARGIN).min(buffer.len());
        while !ended && held < wanted {
            let step = held.saturating_add(content::STEP).min(wanted);
            match reader.read(buffer.get_mut(held..step).unwrap_or_default()) {
                Ok(0) => ended = true,
                Ok(got) => held = held.saturating_add(got).min(wanted),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    ended = true;
                    outcome = Err(content::decode_error(error));
                }
            }
        }
        let bytes = buffer.get(..held).unwrap_or_default();
        let end = if ended { held } else { fresh.saturating_add(CHUNK).min(held) };
        let search = fresh.saturating_sub(reach)..end;
        if !is_zero(bytes.get(search.clone()).unwrap_or_default()) {
            let content = Content {
                land: whose.land,
                entry: whose.entry,
                state: whose.state,
                bytes,
                logical,
                is_stream: true,
                at_start: logical == 0,
                at_end: ended && outcome.is_ok(),
                member: Some(member),
                decoded: true,
                to_disk,
            };
            chunk(tools, bench, &content, search, fresh);
        }
        if ended {
            return (logical.saturating_add(to_u64(end)), outcome);
        }
        // Windows and literals across the border need what lies before it.
        let dropped = end.saturating_sub(MARGIN);
        buffer.copy_within(dropped..held, 0);
        held = held.saturating_sub(dropped);
        logical = logical.saturating_add(to_u64(dropped));
        fresh = end.saturating_sub(dropped);
    }
}

/// Matches `search` of the content; hits that end before `fresh` belong to the chunk before.
pub(super) fn chunk(
    tools: &Tools<'_>,
    bench: &mut Bench,
    content: &Content<'_>,
    search: std::ops::Range<usize>,
    fresh: usize,
) {
    let base = search.start;
    let mut hits = std::mem::take(&mut bench.hits);
    tools.prefilter.scan(content.bytes.get(search.clone()).unwrap_or_default(), &mut hits);
    for hit in &mut hits {
        hit.offset = hit.offset.saturating_add(base);
    }
    let mut sights = Vec::new();
    let is_all = content.at_start && content.at_end;
    escaped::sights(tools, content.bytes, is_all, &mut hits, &mut sights);
    sights.retain(|sight| sight.word().end > fresh);
    hits.sort_unstable();
    for hit in &hits {
        let length = tools.hit_length(hit);
        let start = hit.offset;
        if start.saturating_add(length) <= fresh || tools.is_hopeless(content.bytes, hit, 0) {
            continue;
        }
        let (before, after) = tools.reach(hit, length);
        let from = start.saturating_sub(to_usize(before));
        let to = start.saturating_add(to_usize(after)).min(content.bytes.len());
        let window = Content {
            bytes: content.bytes.get(from..to).unwrap_or_default(),
            logical: content.logical.saturating_add(to_u64(from)),
            at_start: content.at_start && from == 0,
            at_end: content.at_end && to == content.bytes.len(),
            ..*content
        };
        bench.rules(tools, &window, hit, start.saturating_sub(from));
    }
    hits.clear();
    bench.hits = hits;
    escaped::inside(tools, bench, content, &sights);
    coded::inside(tools, bench, content, search);
}
