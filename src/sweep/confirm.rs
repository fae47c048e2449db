//! From a literal hit to candidates: the owner's window around the hit, and the rules on it.

use super::candidate::Candidate;
use super::escaped::Sight;
use super::ground::{Ground, Land, Stretch};
use super::prefilter::{Hit, Prefilter};
use crate::coverage::Gap;
use crate::detect::{Detector, Match, SEAM_LEN, Scratch, Window};
use crate::filesystem::EntryId;
use crate::finding::Secret;
use crate::location::State;
use crate::ownership::{Form, Hold, Seam, View, Zone};
use crate::rules::Encoding;
use std::cell::OnceCell;
use std::ops::Range;

/// What is fixed for a whole sweep.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    pub(super) ground: &'a Ground,
    pub(super) prefilter: &'a Prefilter,
    pub(super) detector: &'a Detector,
}

/// Working memory of one thread.
#[derive(Debug, Default)]
pub(super) struct Bench {
    pub(super) hits: Vec<Hit>,
    pub(super) buffer: Vec<u8>,
    /// Memory for decoded content.
    pub(super) stream: Vec<u8>,
    pub(super) out: Vec<Candidate>,
    /// Places where bytes may be written as text, and how many runs deep the look is.
    pub(super) places: Vec<usize>,
    pub(super) coded_depth: usize,
    /// Places beside which characters are written as escapes.
    pub(super) sights: Vec<Sight>,
    /// What was cut in such runs.
    pub(super) cuts: Vec<Gap>,
    scratch: Scratch,
    narrow: Vec<u8>,
    stretch: Stretch,
    hold: Option<(usize, Hold)>,
    view: Option<(ViewKey, View)>,
    /// The path of the last entry whose path a rule asked for.
    path: Option<KnownPath>,
}

/// The land and the entry, and the entry's path where it has one.
type KnownPath = ((usize, EntryId), Option<Vec<u8>>);

/// What a cached view was made for.
#[derive(Debug, PartialEq, Eq)]
struct ViewKey {
    land: usize,
    owner: Option<(EntryId, u16)>,
    zone: Zone,
    /// Views without an owner belong to one span.
    start: u64,
}

/// A piece of content that is looked at: bytes, and where they come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) land: usize,
    pub(super) entry: Option<(EntryId, u16)>,
    pub(super) state: Option<State>,
    pub(super) bytes: &'a [u8],
    /// Offset in the stream of the first byte.
    pub(super) logical: u64,
    /// Whether logical offsets are offsets in a stream, fit for a report.
    pub(super) is_stream: bool,
    pub(super) at_start: bool,
    pub(super) at_end: bool,
    pub(super) member: Option<&'a str>,
    pub(super) decoded: bool,
    /// Where an offset in the stream lies on the disk.
    pub(super) to_disk: &'a dyn ToDisk,
}

/// Translates a logical offset to a disk offset.
pub(super) trait ToDisk: std::fmt::Debug {
    /// The disk offset of one byte, where it has one.
    fn to_disk(&self, logical: u64) -> Option<u64>;

    /// The range that a report gives for bytes: of text that stands for others, where that text is.
    fn told(&self, range: Range<u64>) -> Range<u64> {
        range
    }

    /// The ranges of the disk in which bytes lie, or the text that stands for them; none where it is not all there.
    fn pieces(&self, range: Range<u64>) -> Vec<Range<u64>> {
        pieces(range, &|logical| self.to_disk(logical)).unwrap_or_default()
    }

    /// For a member of decoded content: the same byte in what the member was taken from, by that one's own
    /// path (empty for the content of the disk) and offset.
    fn in_container(&self, logical: u64) -> Option<(&str, u64)> {
        let _ = logical;
        None
    }
}

/// The ranges in which the bytes of a range lie, each of which `to_disk` places.
fn pieces(range: Range<u64>, to_disk: &dyn Fn(u64) -> Option<u64>) -> Option<Vec<Range<u64>>> {
    let (first, last) = (to_disk(range.start)?, to_disk(range.end.checked_sub(1)?)?);
    let end = last.saturating_add(1);
    if end.checked_sub(first) == range.end.checked_sub(range.start) {
        return Some(std::iter::once(first..end).collect());
    }
    let mut pieces: Vec<Range<u64>> = Vec::new();
    for logical in range {
        let at = to_disk(logical)?;
        match pieces.last_mut().filter(|last| last.end == at) {
            Some(last) => last.end = at.saturating_add(1),
            None => pieces.push(at..at.saturating_add(1)),
        }
    }
    Some(pieces)
}

/// Content that is nowhere on the disk as it is.
#[derive(Debug)]
pub(super) struct Nowhere;

impl ToDisk for Nowhere {
    fn to_disk(&self, _logical: u64) -> Option<u64> {
        None
    }
}

/// Content in one piece of the disk.
#[derive(Debug, Default)]
pub(super) struct Straight {
    pub(super) logical: u64,
    pub(super) disk: u64,
}

impl ToDisk for Straight {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        Some(self.disk.saturating_add(logical.checked_sub(self.logical)?))
    }
}

/// Content in a view.
#[derive(Debug)]
struct Stitched<'a> {
    view: &'a View,
    land: &'a Land,
}

impl Stitched<'_> {
    /// The bytes that were read from logical offset `start` on.
    fn content<'a>(&'a self, land: usize, hold: &Hold, start: u64, bytes: &'a [u8]) -> Content<'a> {
        let bounds = self.view.bounds();
        Content {
            land,
            entry: hold.stream(),
            state: self.land.state(hold),
            bytes,
            logical: start,
            is_stream: hold.owner.is_some(),
            at_start: start == bounds.start,
            at_end: start.saturating_add(to_u64(bytes.len())) >= bounds.end,
            member: None,
            decoded: false,
            to_disk: self,
        }
    }
}

impl ToDisk for Stitched<'_> {
    fn to_disk(&self, logical: u64) -> Option<u64> {
        self.land.volume.to_disk(self.view.to_volume(logical)?)
    }
}

impl Bench {
    /// Handles the hits of one slice of the disk, whose first byte lies at `disk`. `wanted` selects hits by
    /// their first byte's offset and the offset past their last byte.
    pub(super) fn physical(
        &mut self,
        tools: &Tools<'_>,
        disk: u64,
        bytes: &[u8],
        wanted: &dyn Fn(Range<usize>) -> bool,
    ) {
        let mut hits = std::mem::take(&mut self.hits);
        hits.sort_unstable();
        let skew = to_usize(disk % to_u64(SEAM_LEN));
        for hit in &hits {
            let length = tools.hit_length(hit);
            let is_wanted = wanted(hit.offset..hit.offset.saturating_add(length));
            if is_wanted && !tools.is_hopeless(bytes, hit, skew) {
                self.at_disk(tools, disk, bytes, hit, length);
            }
        }
        hits.clear();
        self.hits = hits;
    }

    /// Handles the hits of the bytes around a seam: those that cross it.
    pub(super) fn over_seam(&mut self, tools: &Tools<'_>, land_index: usize, seam: Seam) {
        let mut hits = std::mem::take(&mut self.hits);
        let Some(land) = tools.ground.lands.get(land_index) else { return };
        let border = to_usize(to_u64(tools.prefilter.reach()).min(seam.tail));
        hits.sort_unstable();
        let hold = land.hold(seam.head);
        for hit in &hits {
            let length = tools.hit_length(hit);
            let end = hit.offset.saturating_add(length);
            if hit.offset < border && end > border && hold.span.start == seam.head {
                let before = to_u64(border.saturating_sub(hit.offset));
                if let Some(at) = hold.logical.checked_sub(before) {
                    self.through_view(tools, land_index, &hold, hit, at);
                }
            }
        }
        hits.clear();
        self.hits = hits;
    }

    /// Handles the hits of bytes of a volume that start at volume offset `start`, wherever they lie on the disk.
    /// `wanted` selects hits as in [`physical`](Self::physical).
    pub(super) fn in_volume(
        &mut self,
        tools: &Tools<'_>,
        land_index: usize,
        start: u64,
        wanted: &dyn Fn(Range<usize>) -> bool,
    ) {
        let mut hits = std::mem::take(&mut self.hits);
        let Some(land) = tools.ground.lands.get(land_index) else { return };
        hits.sort_unstable();
        for hit in &hits {
            let length = tools.hit_length(hit);
            if !wanted(hit.offset..hit.offset.saturating_add(length)) {
                continue;
            }
            let offset = start.saturating_add(to_u64(hit.offset));
            let hold = land.hold(offset);
            let is_decoded =
                hold.zone == Zone::Content && hold.owner.is_some_and(|o| o.form == Form::Encoded);
            let runs_over = is_whole(&hold) && offset.saturating_add(to_u64(length)) > hold.span.end;
            if !is_decoded && !runs_over {
                self.through_view(tools, land_index, &hold, hit, hold.logical_at(offset));
            }
        }
        hits.clear();
        self.hits = hits;
    }

    fn at_disk(&mut self, tools: &Tools<'_>, disk: u64, bytes: &[u8], hit: &Hit, length: usize) {
        let place = disk.saturating_add(to_u64(hit.offset));
        if !self.stretch.contains(place) {
            let Some(stretch) = tools.ground.at(place) else { return };
            self.stretch = stretch;
        }
        let (stretch, land_index) = (self.stretch, self.stretch.land);
        let Some(land) = tools.ground.lands.get(land_index) else { return };
        let offset = stretch.to_volume(place);
        let hold = match self.hold.take() {
            Some((index, hold)) if index == land_index && hold.span.contains(&offset) => hold,
            _ => land.hold(offset),
        };
        if !(hold.zone == Zone::Content && hold.owner.is_some_and(|owner| owner.form == Form::Encoded)) {
            let slice = Slice { bytes, at: hit.offset, stretch, offset };
            self.in_hold(tools, land_index, &hold, &slice, (hit, length));
        }
        self.hold = Some((land_index, hold));
    }

    /// Cuts the window: straight out of the slice where the owner's content lies in one piece around the hit,
    /// else read through the owner's view.
    fn in_hold(
        &mut self,
        tools: &Tools<'_>,
        land_index: usize,
        hold: &Hold,
        slice: &Slice<'_>,
        (hit, length): (&Hit, usize),
    ) {
        let Some(land) = tools.ground.lands.get(land_index) else { return };
        let end_of_hit = slice.offset.saturating_add(to_u64(length));
        if is_whole(hold) && end_of_hit > hold.span.end {
            // The literal runs over the end of its owner: two things that only happen to be neighbours.
            return;
        }
        let to_disk = &mut Straight::default();
        match slice.straight((land_index, land), hold, tools.reach(hit, length), to_disk) {
            Some((content, position)) => self.rules(tools, &content, hit, position),
            None => self.through_view(tools, land_index, hold, hit, hold.logical_at(slice.offset)),
        }
    }

    /// Cuts the window of a hit at logical offset `at` out of the owner's view.
    fn through_view(&mut self, tools: &Tools<'_>, land_index: usize, hold: &Hold, hit: &Hit, at: u64) {
        let Some(land) = tools.ground.lands.get(land_index) else { return };
        let Some(view) = self.take_view(land_index, land, hold) else { return };
        let (before, after) = tools.reach(hit, tools.hit_length(hit));
        let (start, bytes) =
            view.1.read(land.reader.as_ref(), at.saturating_sub(before)..at.saturating_add(after));
        let position = to_usize(at.saturating_sub(start));
        if tools.stands(&bytes, hit, position) {
            let stitched = Stitched { view: &view.1, land };
            let content = stitched.content(land_index, hold, start, &bytes);
            self.rules(tools, &content, hit, position);
        }
        self.view = Some(view);
    }

    /// Looks at what its owner has around the byte at `at` of a slice whose first byte lies at `disk`, up to
    /// `reach` bytes on each side: the content, and the byte's position in it.
    pub(super) fn around(
        &mut self,
        tools: &Tools<'_>,
        (disk, bytes, at): (u64, &[u8], usize),
        reach: u64,
        look: &mut dyn FnMut(&mut Self, &Content<'_>, usize),
    ) {
        let place = disk.saturating_add(to_u64(at));
        let Some(stretch) = tools.ground.at(place) else { return };
        let Some(land) = tools.ground.lands.get(stretch.land) else { return };
        let offset = stretch.to_volume(place);
        let hold = land.hold(offset);
        if hold.zone == Zone::Content && hold.owner.is_some_and(|owner| owner.form == Form::Encoded) {
            return;
        }
        let slice = Slice { bytes, at, stretch, offset };
        let to_disk = &mut Straight::default();
        if let Some((content, position)) =
            slice.straight((stretch.land, land), &hold, (reach, reach), to_disk)
        {
            look(self, &content, position);
            return;
        }
        let Some(view) = self.take_view(stretch.land, land, &hold) else { return };
        let at = hold.logical_at(offset);
        let wanted = at.saturating_sub(reach)..at.saturating_add(reach);
        let (start, bytes) = view.1.read(land.reader.as_ref(), wanted);
        let stitched = Stitched { view: &view.1, land };
        let content = stitched.content(stretch.land, &hold, start, &bytes);
        look(self, &content, to_usize(at.saturating_sub(start)));
        self.view = Some(view);
    }

    /// The view of a hold, from the cache where the last one fits.
    fn take_view(&mut self, land_index: usize, land: &Land, hold: &Hold) -> Option<(ViewKey, View)> {
        let owner = hold.stream();
        let by_span = owner.is_none() || hold.zone == Zone::Run;
        let start = if by_span { hold.span.start } else { 0 };
        let key = ViewKey { land: land_index, owner, zone: hold.zone, start };
        if let Some(cached) = self.view.take().filter(|cached| cached.0 == key) {
            return Some(cached);
        }
        let view = match &land.map {
            // An entry that cannot be read again has been reported by the walk; its span is what remains.
            Some(map) => {
                View::new(map, land.filesystem.as_deref(), hold).unwrap_or_else(|_| View::of_span(hold))
            }
            None => View::of_span(hold),
        };
        Some((key, view))
    }

    /// Runs the rules of a hit on a window of content; `position` is the hit's first byte in it.
    pub(super) fn rules(&mut self, tools: &Tools<'_>, content: &Content<'_>, hit: &Hit, position: usize) {
        let width = hit.encoding.width();
        let length = tools.hit_length(hit);
        if is_shadow(content, hit, position, length) {
            return;
        }
        let mut narrow = std::mem::take(&mut self.narrow);
        let first = if width == 1 { 0 } else { position % 2 };
        let bytes = match hit.encoding {
            Encoding::Narrow => content.bytes,
            Encoding::Utf16Le | Encoding::Utf16Be => {
                narrow_into(&mut narrow, content.bytes.get(first..).unwrap_or_default(), hit.encoding);
                &narrow
            }
        };
        let key = content.entry.map(|(entry, _)| (content.land, entry));
        let path = match self.path.take_if(|(known, _)| Some(*known) == key) {
            Some((_, path)) => OnceCell::from(path),
            None => OnceCell::new(),
        };
        let resolve = || path.get_or_init(|| tools.path(content)).clone();
        let window = Window {
            bytes,
            hit: position.saturating_sub(first) / width,
            at_start: content.at_start && first == 0,
            at_end: content.at_end,
            path: &resolve,
        };
        let out = &mut self.out;
        tools.detector.confirm(&mut self.scratch, hit.literal, &window, &mut |found| {
            out.extend(candidate(content, bytes, width, first, found));
        });
        if let Some(known) = key.zip(path.into_inner()) {
            self.path = Some(known);
        }
        self.narrow = narrow;
    }
}

/// Whether a UTF-16 hit is the lesser of two readings of one text: amid such text a literal also stands one
/// byte off in the other byte order. Text begins at even offsets of its content, so that reading counts.
fn is_shadow(content: &Content<'_>, hit: &Hit, position: usize, length: usize) -> bool {
    let is_odd = !content.logical.saturating_add(to_u64(position)).is_multiple_of(2);
    let twin_byte = match hit.encoding {
        Encoding::Narrow => return false,
        Encoding::Utf16Le => position.checked_sub(1),
        Encoding::Utf16Be => position.checked_add(length),
    };
    is_odd && twin_byte.and_then(|at| content.bytes.get(at)) == Some(&0)
}

/// A match of the window as a candidate.
fn candidate(
    content: &Content<'_>,
    bytes: &[u8],
    width: usize,
    first: usize,
    found: Match,
) -> Option<Candidate> {
    let secret = Secret::new(bytes.get(found.secret.clone())?);
    let start = first.saturating_add(found.secret.start.saturating_mul(width));
    let logical = content.logical.saturating_add(to_u64(start));
    let length = to_u64(found.secret.len().saturating_mul(width));
    let range = logical..logical.saturating_add(length);
    let told = content.to_disk.told(range.clone());
    Some(Candidate {
        land: content.land,
        entry: content.entry,
        state: content.state,
        file_offset: content.is_stream.then_some(told.start),
        disk_offset: content.to_disk.to_disk(logical),
        pieces: Some(content.to_disk.pieces(range)).filter(|pieces| pieces.len() > 1).unwrap_or_default(),
        length: told.end.saturating_sub(told.start),
        member: content.member.map(str::to_owned),
        container: content.to_disk.in_container(logical).map(|(path, at)| (path.to_owned(), at)),
        decoded: content.decoded,
        rule: found.rule,
        severity: found.severity,
        verdict: found.verdict,
        evidence: found.evidence,
        known_good: found.known_good,
        cut: found.cut,
        secret,
    })
}

impl Tools<'_> {
    /// Bytes that a hit's literal takes on the medium.
    pub(super) fn hit_length(&self, hit: &Hit) -> usize {
        let literal = self.prefilter.literals().get(hit.literal);
        literal.map_or(0, |literal| literal.bytes.len().saturating_mul(hit.encoding.width()))
    }

    /// Whether the bytes around a hit alone say that no rule matches; `skew` as in [`Detector::is_hopeless`].
    pub(super) fn is_hopeless(&self, bytes: &[u8], hit: &Hit, skew: usize) -> bool {
        hit.encoding == Encoding::Narrow && self.detector.is_hopeless(hit.literal, bytes, hit.offset, skew)
    }

    /// Bytes before and from the first byte of a hit that its rules, and the choice of byte order, look at.
    pub(super) fn reach(&self, hit: &Hit, length: usize) -> (u64, u64) {
        let (width, reach) = (hit.encoding.width(), self.detector.reach(hit.literal));
        let beside = width.saturating_sub(1);
        let before = reach.before.saturating_mul(width).saturating_add(beside);
        let after = reach.after.saturating_mul(width).max(length).saturating_add(beside);
        (to_u64(before), to_u64(after))
    }

    /// Whether the hit's literal stands at `position` of `bytes`.
    fn stands(&self, bytes: &[u8], hit: &Hit, position: usize) -> bool {
        let Some(literal) = self.prefilter.literals().get(hit.literal) else { return false };
        let width = hit.encoding.width();
        let skip = usize::from(hit.encoding == Encoding::Utf16Be);
        let length = literal.bytes.len().saturating_mul(width);
        let Some(here) = bytes.get(position..position.saturating_add(length)) else { return false };
        here.iter().skip(skip).step_by(width).zip(&literal.bytes).all(|(one, other)| {
            if literal.ignore_case { one.to_ascii_lowercase() == *other } else { one == other }
        })
    }

    fn path(&self, content: &Content<'_>) -> Option<Vec<u8>> {
        let filesystem = self.ground.lands.get(content.land)?.filesystem.as_ref()?;
        // A path that cannot be built is reported with the finding; a rule that asks for one does not match.
        let paths = filesystem.paths(content.entry?.0).unwrap_or_default();
        paths.all.into_iter().next()
    }
}

/// A place in a slice of the disk.
struct Slice<'a> {
    bytes: &'a [u8],
    at: usize,
    stretch: Stretch,
    /// Volume offset of the place.
    offset: u64,
}

impl<'a> Slice<'a> {
    /// The owner's content so many bytes before and from the place on, and the place's position in it, where all
    /// of it lies in one piece in the slice. `to_disk` is where the content keeps where it lies.
    fn straight<'s>(
        &self,
        (land_index, land): (usize, &Land),
        hold: &Hold,
        (before, after): (u64, u64),
        to_disk: &'s mut Straight,
    ) -> Option<(Content<'s>, usize)>
    where
        'a: 's,
    {
        let whole = is_whole(hold);
        let (mut from, mut to) = (self.offset.saturating_sub(before), self.offset.saturating_add(after));
        if whole {
            from = from.max(hold.span.start);
            to = to.min(hold.span.end);
        }
        if from < hold.span.start || to > hold.span.end {
            return None;
        }
        let bytes = self.cut(from..to)?;
        let logical = hold.logical_at(from);
        let disk = self.stretch.disk.saturating_add(from.saturating_sub(self.stretch.volume_offset));
        *to_disk = Straight { logical, disk };
        let content = Content {
            land: land_index,
            entry: hold.stream(),
            state: land.state(hold),
            bytes,
            logical,
            is_stream: hold.owner.is_some(),
            at_start: whole && from == hold.span.start,
            at_end: whole && to == hold.span.end,
            member: None,
            decoded: false,
            to_disk,
        };
        Some((content, to_usize(self.offset.saturating_sub(from))))
    }

    /// The bytes of a volume range around the place, where the slice and the stretch hold all of it.
    fn cut(&self, range: Range<u64>) -> Option<&'a [u8]> {
        let stretch_end = self.stretch.volume_offset.saturating_add(self.stretch.length);
        if range.start < self.stretch.volume_offset || range.end > stretch_end {
            return None;
        }
        let before = to_usize(self.offset.checked_sub(range.start)?);
        let start = self.at.checked_sub(before)?;
        self.bytes.get(start..start.checked_add(to_usize(range.end.checked_sub(range.start)?))?)
    }
}

/// Whether the span of a hold is all of the view that it belongs to.
fn is_whole(hold: &Hold) -> bool {
    match (hold.zone, hold.owner) {
        (Zone::Content, Some(owner)) => {
            hold.logical == 0 && hold.span.end.saturating_sub(hold.span.start) == owner.end
        }
        (Zone::Slack | Zone::Run | Zone::Bare, _) => true,
        _ => false,
    }
}

/// One byte for each UTF-16 code unit: its value below 256 (and no NUL), else 0xFF, which no rule's text holds.
fn narrow_into(out: &mut Vec<u8>, bytes: &[u8], encoding: Encoding) {
    out.clear();
    let (units, _) = bytes.as_chunks::<2>();
    out.extend(units.iter().map(|&unit| {
        let code =
            if encoding == Encoding::Utf16Be { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) };
        u8::try_from(code).unwrap_or(0xff)
    }));
}

pub(super) fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

pub(super) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
